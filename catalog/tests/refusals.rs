// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `check` refuses: through the library and the program, in text and JSON, each with file, line and remedy.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::path::Path;

use stipple_catalog::{Catalogue, CatalogueError, Finding};
use support::{COLOUR, HEAD, Shelf, TODAY, buckets, check, count, set, spoilt};

/// One fault: the file's id, what is changed to what, the start of the line that must be named, and what the problem and the
/// remedy must say.
struct Case<'a> {
    text: &'a str,
    from: &'a str,
    to: &'a str,
    line: &'a str,
    problem: &'a str,
    remedy: &'a str,
}

const fn case<'a>(text: &'a str, change: [&'a str; 2], expected: [&'a str; 3]) -> Case<'a> {
    let [from, to] = change;
    let [line, problem, remedy] = expected;
    Case { text, from, to, line, problem, remedy }
}

/// The number of the only line that starts with this, spaces aside.
fn line_of(text: &str, start: &str) -> usize {
    let mut lines = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with(start));
    let (index, _) = lines.next().unwrap_or_else(|| panic!("no line starts with {start:?}"));
    assert!(lines.next().is_none(), "{start:?} starts two lines");
    index + 1
}

/// Library and program agree on the findings, and the program says them all, in both forms, with exit code 1.
fn agreed(shelf: &Shelf) -> Vec<Finding> {
    let findings = shelf.findings();
    let text = check(shelf.path(), false);
    let said = String::from_utf8(text.stderr).unwrap();
    assert_eq!((text.status.code(), text.stdout.len()), (Some(1), 0), "{said}");
    let json = check(shelf.path(), true);
    assert_eq!(json.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["findings"].as_array().unwrap().len(), findings.len());
    for (finding, json) in findings.iter().zip(json["findings"].as_array().unwrap()) {
        let Finding { file, line, problem, remedy, .. } = finding;
        assert!(!remedy.is_empty() && !problem.is_empty());
        assert!(said.contains(&format!("{}:{line}: {problem}\n    {remedy}", file.display())), "{said}");
        let same = serde_json::json!({ "file": file, "line": line, "problem": problem, "remedy": remedy });
        assert_eq!(*json, same);
    }
    findings
}

fn refused(case: &Case<'_>) {
    let text = spoilt(case.text, case.from, case.to);
    let shelf = Shelf::new(&[]);
    let name = format!("{}.toml", case.text.split('"').nth(1).unwrap());
    shelf.write(&name, &text);
    let findings = agreed(&shelf);
    let context = format!("{:?} -> {:?}: {findings:#?}", case.from, case.to);
    let [finding] = &findings[..] else { panic!("not one finding: {context}") };
    assert_eq!(finding.file, shelf.path().join(&name), "{context}");
    assert_eq!(finding.line, line_of(&text, case.line), "{context}");
    assert!(finding.problem.contains(case.problem), "{context}");
    assert!(finding.remedy.contains(case.remedy), "{context}");
}

#[test]
fn faults_in_the_head_of_a_metric() {
    let book = "docs/catalogue.md";
    for case in [
        case(COLOUR, ["epsilon = 1.0", "epsilon = 2.5"], ["epsilon", "epsilon 2.5 is over", "lower it to 2"]),
        case(COLOUR, ["epsilon = 1.0", "epsilon = 0.0"], ["epsilon", "not 0", "at most 2"]),
        case(COLOUR, ["epsilon = 1.0", "epsilon = -1"], ["epsilon", "not -1", "at most 2"]),
        case(COLOUR, ["epsilon = 1.0", "epsilon = nan"], ["epsilon", "not NaN", "at most 2"]),
        case(COLOUR, ["epsilon = 1.0", "epsilon = inf"], ["epsilon", "not inf", "at most 2"]),
        case(COLOUR, ["epsilon = 1.0", "epsilon = 0.1234567"], ["epsilon", "six decimals", "at most 2"]),
        case(COLOUR, ["epsilon = 1.0", "epsilon = \"1\""], ["epsilon", "expected", book]),
        case(
            COLOUR,
            ["approval = \"https://example.org/yes\"\n", ""],
            ["id = \"s", "approval is missing", "set approval"],
        ),
        case(COLOUR, ["https://example.org/yes", ""], ["approval", "approval \"\" is neither", "set approval"]),
        case(COLOUR, ["https://example.org/yes", "https://"], ["approval", "neither", "set approval"]),
        case(COLOUR, ["https://example.org/yes", "http://example.org"], ["approval", "neither", "set approval"]),
        case(COLOUR, ["https://example.org/yes", "approvals/none.md"], ["approval", "neither", "set approval"]),
        case(COLOUR, ["https://example.org/yes", "../../etc/hostname"], ["approval", "neither", "set approval"]),
        case(COLOUR, ["https://example.org/yes", "/etc/hostname"], ["approval", "neither", "set approval"]),
        case(COLOUR, ["expires = 2027-01-01", "expires = 2026-11-23"], ["expires", "expired on 2026-11-23", "renew"]),
        case(COLOUR, ["expires = 2027-01-01", "expires = 2025-12-31"], ["expires", "before the day of", "set expires"]),
        case(COLOUR, ["= 2027-01-01", "= 2027-01-01T10:00:00"], ["expires", "expires: 2027", "write a day"]),
        case(COLOUR, ["= 2026-01-01", "= 10:00:00"], ["introduced", "introduced: 10", "write a day"]),
        case(
            COLOUR,
            ["\"settings.colour\"", "\"settings.Colour\""],
            ["id = \"s", "no id of the category", "settings.name"],
        ),
        case(COLOUR, ["category = \"settings\"", "category = \"usage\""], ["id = \"s", "category usage", "usage.name"]),
        case(COLOUR, ["category = \"settings\"", "category = \"spying\""], ["category", "unknown variant", book]),
        case(
            COLOUR,
            ["\"settings.colour\"", "\"settings.hue\""],
            ["id = \"s", "file's name and the id", "settings.hue.toml"],
        ),
        case(COLOUR, ["Which colour?", "  "], ["question", "question is empty", "say the question"]),
        case(COLOUR, ["\"Colour\"", "\"\""], ["title", "title is empty", "say the title"]),
        case(COLOUR, ["Testers", ""], ["owner", "owner is empty", "say the owner"]),
        case(COLOUR, ["owner =", "colour = 1\nowner ="], ["colour", "unknown field `colour`", book]),
        case(COLOUR, ["owner = \"Testers\"\n", ""], ["id = \"s", "missing field `owner`", book]),
        case(COLOUR, ["owner = \"Testers\"", "owner = "], ["owner", "", book]),
        case(COLOUR, ["owner = ", "title = \"Twice\"\nowner = "], ["title = \"Twice\"", "duplicate key", book]),
        case(COLOUR, ["subset-selection", "truncated-geometric"], ["mechanism", "mechanism: truncated", "count takes"]),
        case(COLOUR, ["subset-selection", "collision"], ["mechanism", "mechanism: collision", "set takes collision"]),
        case(COLOUR, ["subset-selection", "oracle"], ["mechanism", "unknown variant", book]),
    ] {
        refused(&case);
    }
}

#[test]
fn faults_in_a_domain() {
    let (size, tools, falls) = (buckets(), set(), count());
    let (green, all) = ("\"green\",\n", "values = [\n    \"red\",\n    \"green\",\n    \"blue\",\n]");
    let aliases = ", \"navy.colour\" = \"blue\" }";
    let plain = spoilt(COLOUR, "aliases = { scarlet = \"red\", \"navy.colour\" = \"blue\" }\n", "");
    let many: Vec<String> = (0..63).map(|i| format!("v{i}")).collect();
    let many = format!("values = {many:?}");
    for case in [
        case(&plain, [all, "values = []"], ["values", "values: the dictionary is empty", "list the values"]),
        case(&plain, [&format!("{all}\n"), ""], ["[domain]", "values: the dictionary is empty", "list the values"]),
        case(COLOUR, [green, "'red',\n"], ["'red'", "has \"red\" twice", "keep one"]),
        case(COLOUR, [green, "\"other\",\n"], ["\"other\"", "values: \"other\" is reserved", "settings other"]),
        case(COLOUR, [green, "\"none\",\n"], ["\"none\"", "values: \"none\" is reserved", "settings other"]),
        case(COLOUR, [green, "\" \",\n"], ["\" \"", "reserved or empty", "settings other"]),
        case(COLOUR, [green, "\"a\\tb\",\n"], ["\"a", "control character", "without"]),
        case(COLOUR, [aliases, ", blush = \"pink\" }"], ["aliases", "\"blush\" leads to \"pink\"", "add the value"]),
        case(COLOUR, [aliases, ", navy = \"other\" }"], ["aliases", "leads to \"other\"", "delete the alias"]),
        case(COLOUR, [aliases, ", red = \"blue\" }"], ["aliases", "\"red\" is a value itself", "delete"]),
        case(COLOUR, ["other = true", "other = false"], ["other", "other: a value outside", "other = true"]),
        case(COLOUR, ["other = true\n", ""], ["[domain]", "other: a value outside", "other = true"]),
        case(COLOUR, ["none = true", "none = false"], ["none", "none: a week without", "none = true"]),
        case(COLOUR, ["none = true\n", ""], ["[domain]", "none: a week without", "none = true"]),
        case(&plain, [all, &many], ["mechanism", "at most 64 values, not 65", "choose another"]),
        case(COLOUR, ["none = true", "none = true\nmost = 3"], ["most", "most: only sets", "delete the line"]),
        case(COLOUR, ["none = true", "none = true\nlower = [0]"], ["lower", "lower: only buckets", "delete lower"]),
        case(&size, ["lower = [0, 1, 10]", "lower = [1, 2, 10]"], ["lower", "lower: every bucket", "the first 0"]),
        case(&size, ["lower = [0, 1, 10]", "lower = [0, 1, 1]"], ["lower", "lower: every bucket", "rising"]),
        case(&size, ["lower = [0, 1, 10]", "lower = [0, 1]"], ["lower", "lower: every bucket", "as many"]),
        case(&size, ["lower = [0, 1, 10]", "lower = [0, -1, 2]"], ["lower", "", "docs/catalogue.md"]),
        case(&size, ["lower = [0, 1, 10]", ""], ["[domain]", "lower: every bucket", "as many"]),
        case(&size, ["lower =", "other = true\nlower ="], ["other", "other: it belongs", "delete other"]),
        case(&size, ["lower =", "none = true\nlower ="], ["none", "none: a week without events", "delete none"]),
        case(
            &size,
            ["lower =", "strip_suffix = \"x\"\nlower ="],
            ["strip", "strip_suffix: it belongs", "delete strip"],
        ),
        case(&size, ["lower =", "aliases = { x = \"0\" }\nlower ="], ["aliases", "aliases: they", "delete aliases"]),
        case(&size, ["aggregate = \"count\"", "aggregate = \"any\""], ["aggregate", "aggregate: this kind", "table"]),
        case(&tools, ["most = 2", "most = 4"], ["mechanism", "more than 4 values, not 4", "change the domain"]),
        case(&tools, ["most = 2", "most = 0"], ["most", "most: a bound is", "1 to 255"]),
        case(&tools, ["most = 2", ""], ["[domain]", "most is missing", "set most"]),
        case(&falls, ["most = 10", "most = 256"], ["most", "not 256", "1 to 255"]),
        case(&falls, ["most = 10", "most = 10\nvalues = []"], ["values", "values: a count", "delete values"]),
        case(&falls, ["most = 10", "most = 10\nsize = 3"], ["size", "unknown field `size`", "docs/catalogue.md"]),
    ] {
        refused(&case);
    }
}

#[test]
fn faults_in_a_tally() {
    let (size, tools, falls) = (buckets(), set(), count());
    let (_, event) = COLOUR.split_once("[[tally.events]]").unwrap();
    let event = format!("[[tally.events]]{event}");
    let twice = format!("{event}\n{}", event.replace("49d0", "49D0"));
    let uuid = "49d0451a-f706-4f50-81d2-70cc0ec923a4";
    let bad = "id = \"4";
    for case in [
        case(COLOUR, [&event, ""], ["[tally]", "tally.events is empty", "at least one event"]),
        case(COLOUR, [&event, "events = []\n"], ["[tally]", "tally.events is empty", "at least one event"]),
        case(COLOUR, [&event, &twice], ["id = \"49D0", "stands here twice", "delete one"]),
        case(COLOUR, ["-70cc0ec923a4", "-70cc0ec923a"], [bad, "is not a UUID", "write it as"]),
        case(COLOUR, ["-70cc0ec923a4", "-70cc0ec923ag"], [bad, "is not a UUID", "write it as"]),
        case(COLOUR, ["-f706-4f50", "-f7064-f50"], [bad, "is not a UUID", "write it as"]),
        case(COLOUR, [uuid, "49d0451af7064f5081d270cc0ec923a4"], [bad, "is not a UUID", "write it as"]),
        case(COLOUR, ["\"last\"", "\"latest\""], ["aggregate", "unknown variant `latest`", "docs/catalogue.md"]),
        case(COLOUR, ["aggregate = \"last\"\n", ""], ["[tally]", "missing field `aggregate`", "docs/catalogue.md"]),
        case(COLOUR, ["(us)", "(us"], ["payload", "not the D-Bus signature", "complete type"]),
        case(COLOUR, ["(us)", "us"], ["payload", "not the D-Bus signature", "complete type"]),
        case(COLOUR, ["payload = \"(us)\"\nfield = [1]", "payload = \"v\""], ["payload", "variant", "complete type"]),
        case(COLOUR, ["field = [1]", "field = [2]"], ["field", "leads to no member", "from 0"]),
        case(COLOUR, ["field = [1]", "field = [1, 0]"], ["field", "leads to no member", "from 0"]),
        case(COLOUR, ["field = [1]", "field = [0]"], ["payload", "a string", "lead to it"]),
        case(COLOUR, ["payload = \"(us)\"\nfield = [1]\n", ""], [bad, "payload is empty", "set payload"]),
        case(&tools, ["payload = \"s\"", "payload = \"\""], ["payload", "payload is empty", "set payload"]),
        case(&tools, ["payload = \"s\"", "payload = \"as\""], ["payload", "a string", "lead to it"]),
        case(&falls, ["payload = \"\"", "payload = \"a{sv}\""], ["payload", "does not lead", "payload = \"\""]),
        case(&size, ["\"count\"", "\"sum\""], ["payload", "payload is empty", "set payload"]),
    ] {
        refused(&case);
    }
    let times = size.replace("\"count\"", "\"sum\"").replace("payload = \"\"", "payload = \"d\"");
    refused(&case(&times, ["title", "title"], ["payload", "a whole number", "another aggregate"]));
}

#[test]
fn an_approval_may_be_a_file_of_the_catalogue() {
    let text = spoilt(COLOUR, "https://example.org/yes", "approvals/yes.md");
    let shelf = Shelf::new(&[&text]);
    assert_eq!(agreed(&shelf).len(), 1, "the file is not there yet");
    std::fs::create_dir(shelf.path().join("approvals")).unwrap();
    assert_eq!(agreed(&shelf).len(), 1, "a folder is no approval");
    shelf.write("approvals/yes.md", "Agreed.");
    assert!(Catalogue::check(shelf.path(), TODAY).is_ok());
    // The very same file by a way that leaves the catalogue.
    let name = shelf.path().file_name().unwrap().to_str().unwrap();
    shelf.write(
        "settings.colour.toml",
        spoilt(COLOUR, "https://example.org/yes", &format!("../{name}/approvals/yes.md")),
    );
    assert!(agreed(&shelf)[0].problem.contains("neither"));
}

#[test]
fn an_expired_metric_is_refused_by_check_and_kept_by_load() {
    let text = spoilt(COLOUR, "expires = 2027-01-01", "expires = 2026-11-24");
    let shelf = Shelf::new(&[&text]);
    assert!(Catalogue::check(shelf.path(), TODAY).is_ok(), "the last day counts");
    let tomorrow = TODAY.tomorrow().unwrap();
    let Err(CatalogueError::Faulty(findings)) = Catalogue::check(shelf.path(), tomorrow) else { panic!("not refused") };
    assert_eq!((findings.len(), findings[0].line), (1, line_of(&text, "expires")));
    let loaded = shelf.load().unwrap();
    assert_eq!((loaded.definitions().len(), loaded.active(TODAY).count(), loaded.active(tomorrow).count()), (1, 1, 0));
    assert_eq!(loaded.active("2025-12-31".parse().unwrap()).count(), 0, "not introduced yet");
    // The line is the field's own, not that of a text which looks like it; Windows line ends move nothing.
    let shown = "question = \"\"\"\nexpires = never\nWhy?\"\"\"";
    let text = text.replace("question = \"Which colour?\"", shown).replace("11-24", "11-01").replace('\n', "\r\n");
    shelf.write("settings.colour.toml", &text);
    assert_eq!(agreed(&shelf)[0].line, line_of(&text, "expires = 2026"));
}

#[test]
fn an_id_is_taken_once() {
    let shelf = Shelf::new(&[COLOUR]);
    shelf.write("settings.again.toml", COLOUR);
    let findings = agreed(&shelf);
    // "settings.again" comes first; the second file is told who has the id.
    assert_eq!(findings.len(), 2, "{findings:#?}");
    assert_eq!(findings[0].file, shelf.path().join("settings.again.toml"));
    assert!(findings[0].problem.contains("file's name") && findings[0].remedy.contains("settings.colour.toml"));
    assert_eq!((&findings[1].file, findings[1].line), (&shelf.path().join("settings.colour.toml"), 1));
    assert!(findings[1].problem.contains("taken by") && findings[1].problem.contains("settings.again.toml"));
    assert_eq!(findings[1].remedy, "give one of the two another id");
}

#[test]
fn faults_of_a_whole_catalogue() {
    let head = |text: &str, expected: [(usize, &str, &str); 2]| {
        let shelf = Shelf::new(&[COLOUR]);
        shelf.write("catalogue.toml", text);
        let findings = agreed(&shelf);
        for (finding, (line, problem, remedy)) in findings.iter().zip(expected) {
            assert_eq!((&finding.file, finding.line), (&shelf.path().join("catalogue.toml"), line), "{finding}");
            assert!(finding.problem.contains(problem) && finding.remedy.contains(remedy), "{finding}");
        }
        findings.len()
    };
    let end = (0, "", "");
    let over = spoilt(HEAD, "epsilon_cap = 2.0", "epsilon_cap = 4.5");
    assert_eq!(head(&over, [(3, "epsilon_cap 4.5 exceeds epsilon_epoch 4", "lower epsilon_cap to 4"), end]), 1);
    let nought = spoilt(&spoilt(HEAD, "4.0", "0.0"), "2.0", "17.0");
    assert_eq!(head(&nought, [(2, "epsilon_epoch: ", "mend"), (3, "epsilon_cap: ", "mend")]), 2);
    assert_eq!(head(&spoilt(HEAD, "\"Test\"", "\"\""), [(1, "title is empty", "a name"), end]), 1);
    assert_eq!(head(&format!("{HEAD}weeks = 3\n"), [(4, "unknown field `weeks`", "docs/catalogue.md"), end]), 1);
    assert_eq!(head("title = \"T\"\nepsilon_cap = 1.0\n", [(1, "missing field `epsilon_epoch`", "docs"), end]), 1);
    assert_eq!(head(&format!("{HEAD}="), [(4, "", "docs/catalogue.md"), end]), 1);

    let empty = Shelf::new(&[]);
    let findings = agreed(&empty);
    assert_eq!((findings.len(), findings[0].line), (1, 1));
    assert_eq!(findings[0].file, empty.path().join("catalogue.toml"));
    assert!(findings[0].problem.contains("no metrics") && findings[0].remedy.contains("add a file"));

    let headless = Shelf::new(&[COLOUR]);
    headless.remove("catalogue.toml");
    let findings = agreed(&headless);
    assert_eq!((findings.len(), findings[0].line), (1, 1));
    assert!(findings[0].problem.contains("catalogue.toml is missing") && findings[0].remedy.contains("--catalog"));

    let binary = Shelf::new(&[]);
    binary.write("settings.colour.toml", b"id = \"x\"\ntitle = \"\xff\"\n");
    let findings = agreed(&binary);
    assert_eq!((findings.len(), findings[0].line), (1, 2), "{findings:#?}");
    assert!(findings[0].problem.contains("not UTF-8") && findings[0].remedy.contains("UTF-8"));
}

#[test]
fn every_fault_of_every_file_is_reported_in_one_run() {
    let shelf = Shelf::new(&[]);
    shelf.write("catalogue.toml", spoilt(HEAD, "epsilon_cap = 2.0", "epsilon_cap = 5.0"));
    let colour = spoilt(&spoilt(COLOUR, "epsilon = 1.0", "epsilon = 0"), "Testers", "");
    let colour = spoilt(&spoilt(&colour, "other = true", "other = false"), "\"green\"", "'red'");
    let colour = spoilt(&spoilt(&colour, "49d0451a", "49d0451"), "expires = 2027-01-01", "expires = 2026-11-01");
    shelf.write("settings.colour.toml", &colour);
    shelf.write("usage.set.toml", spoilt(&set(), "most = 2", "most = 0"));
    shelf.write("usage.size.toml", "not TOML at all");
    let findings = agreed(&shelf);
    let said = |file: &str, line: usize, problem: &str| {
        let found = |f: &Finding| f.file == shelf.path().join(file) && f.line == line && f.problem.contains(problem);
        assert!(findings.iter().any(found), "{file}:{line}: {problem}: {findings:#?}");
    };
    said("catalogue.toml", 3, "epsilon_cap 5 exceeds");
    for (start, problem) in [
        ("epsilon", "epsilon must be"),
        ("owner", "owner is empty"),
        ("other", "other: "),
        ("'red'", "twice"),
        ("id = \"4", "not a UUID"),
        ("expires", "expired"),
    ] {
        said("settings.colour.toml", line_of(&colour, start), problem);
    }
    said("usage.set.toml", line_of(&set(), "most"), "most: ");
    said("usage.size.toml", 1, "");
    assert_eq!(findings.len(), 9);
}

#[test]
fn what_cannot_be_read_is_another_exit_code() {
    let shelf = Shelf::new(&[COLOUR]);
    let nowhere = shelf.path().join("nowhere");
    assert!(
        matches!(Catalogue::check(&nowhere, TODAY), Err(CatalogueError::Unreadable { path, .. }) if path == nowhere)
    );
    for json in [false, true] {
        for folder in [&nowhere, &shelf.path().join("catalogue.toml")] {
            let output = check(folder, json);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
            assert!(said.contains(folder.to_str().unwrap()) && said.contains("point --catalog at"), "{said}");
        }
    }
    // A metric's file that cannot be read is named itself.
    std::fs::create_dir(shelf.path().join("usage.set.toml")).unwrap();
    let output = check(shelf.path(), false);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("usage.set.toml"));
}

#[cfg(unix)]
#[test]
fn a_file_name_that_is_no_text_is_named_all_the_same() {
    use std::os::unix::ffi::OsStrExt as _;
    let shelf = Shelf::new(&[]);
    let name = Path::new(std::ffi::OsStr::from_bytes(b"caf\xe9.toml"));
    std::fs::write(shelf.path().join(name), COLOUR).unwrap();
    let output = check(shelf.path(), true);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(json["findings"][0]["file"].as_str().unwrap().contains("caf"));
}
