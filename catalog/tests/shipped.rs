// SPDX-License-Identifier: MIT OR Apache-2.0
//! The catalogue that we ship: it is in order, it has what was agreed, and no definition changes unnoticed.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use stipple_catalog::{Aggregate, Catalogue, Category, Domain, MAX_PAYLOAD};
use stipple_ldp::Budget;
use support::{COLOUR, TODAY, buckets, check, count, definition, set, shipped, spoilt};

use Category::{Hardware, Performance, Problems, Settings, Usage};

#[test]
fn the_shipped_catalogue_is_in_order_and_has_what_was_agreed() {
    let catalogue = Catalogue::check(&shipped(), TODAY).unwrap();
    let files = std::fs::read_dir(shipped()).unwrap();
    let toml = files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "toml")).count();
    assert_eq!(catalogue.definitions().len(), toml - 1, "one metric for each file but catalogue.toml");
    assert!(catalogue.definitions().len() >= 40);
    assert_eq!(catalogue.categories(), BTreeSet::from([Hardware, Settings, Usage, Performance, Problems]));
    assert_eq!(catalogue.active(TODAY).count(), catalogue.definitions().len());

    let locale = catalogue.get("settings.locale").unwrap();
    assert!(matches!(locale.domain, Domain::Symbol(_)) && locale.domain.size() - 2 >= 40, "without other and none");
    let Domain::Set { most, .. } = &catalogue.get("usage.applications").unwrap().domain else { panic!("no set") };
    assert!(most.get() <= 20 && catalogue.get("usage.applications").unwrap().domain.size() > 100, "other is one more");
    let crashes = catalogue.get("problems.app-crashes").unwrap();
    assert!(matches!(crashes.domain, Domain::Count { .. }) && crashes.aggregate == Aggregate::Count);

    for d in catalogue.definitions() {
        assert!(d.epsilon <= catalogue.epsilon_cap, "{}", d.id);
        assert!((1..=MAX_PAYLOAD).contains(&d.payload_len()), "{}", d.id);
        assert_eq!(d.domain.labels().len(), d.domain.size(), "{}", d.id);
        assert_eq!(d.mechanism.cells(), d.domain.size(), "{}: a label for each cell", d.id);
        assert_eq!(catalogue.by_key(d.key).unwrap().id, d.id);
        // An address is no outside decision unless somebody outside has taken it: ours stand in the catalogue.
        assert!(shipped().join(&d.approval).is_file(), "{}", d.id);
    }
}

/// A draw takes as much as fits: never more than the budget, and nothing that would fit is left.
#[test]
fn a_draw_fills_the_budget() {
    let catalogue = Catalogue::load(&shipped()).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut seen = BTreeSet::new();
    for _ in 0..1000 {
        let drawn = catalogue.draw(TODAY, &mut rng);
        let mut budget = Budget::new(catalogue.epsilon_epoch, []);
        for definition in &drawn {
            budget.spend(definition.epsilon).unwrap();
        }
        let ids: BTreeSet<&str> = drawn.iter().map(|definition| definition.id.as_str()).collect();
        assert_eq!(ids.len(), drawn.len(), "none twice");
        for other in catalogue.active(TODAY).filter(|other| !ids.contains(other.id.as_str())) {
            assert!(budget.spend(other.epsilon).is_err(), "{} fits beside {ids:?}", other.id);
        }
        seen.extend(ids);
    }
    assert_eq!(seen.len(), catalogue.definitions().len(), "every metric has its turn");
    assert!(catalogue.draw("2020-01-01".parse().unwrap(), &mut rng).is_empty(), "before any is introduced");
}

#[test]
fn the_command_finds_the_shipped_catalogue_in_order() {
    let text = check(&shipped(), false);
    assert_eq!(text.status.code(), Some(0));
    assert!(String::from_utf8(text.stdout).unwrap().contains("51 metrics in order"));
    let json: serde_json::Value = serde_json::from_slice(&check(&shipped(), true).stdout).unwrap();
    assert_eq!(json["metrics"], 51);
    assert_eq!(json["findings"], serde_json::json!([]));
    assert_eq!(json["hash"].as_str().unwrap(), Catalogue::load(&shipped()).unwrap().hash());
}

/// A changed hash makes every report under way stale, and old and new counts are of two metrics. Change a definition on
/// purpose only, with a new approval, and then: `STIPPLE_UPDATE_GOLDEN=1 cargo test -p stipple-catalog --test shipped`.
#[test]
fn no_definition_changes_unnoticed() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/definitions.txt");
    let mut now = String::from("# id definition-hash payload-bytes; how to change it on purpose: tests/shipped.rs\n");
    for d in Catalogue::load(&shipped()).unwrap().definitions() {
        writeln!(now, "{} {} {}", d.id, d.hash, d.payload_len()).unwrap();
    }
    if std::env::var_os("STIPPLE_UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &now).unwrap();
    }
    assert_eq!(
        now,
        std::fs::read_to_string(&golden).unwrap(),
        "a shipped definition has changed: see the comment here"
    );
}

/// The example of docs/catalogue.md: its hash was computed by Python's hashlib.
#[test]
fn the_canonical_form_is_as_the_documentation_shows_it() {
    let canonical = concat!(
        r#"{"id":"problems.app-crashes","mechanism":"truncated-geometric","channel":"truncated-geometric m=10 A=31735754293 B=4294967296","#,
        r#""epsilon_micros":2000000,"#,
        r#""domain":{"kind":"count","most":10},"aggregate":"count","events":[{"id":"#,
        r#"[237,87,182,7,74,86,71,241,177,228,93,195,231,67,53,236],"payload":"","field":[]}]}"#
    );
    let catalogue = Catalogue::load(&shipped()).unwrap();
    let crashes = catalogue.get("problems.app-crashes").unwrap();
    assert_eq!(crashes.canonical(), canonical);
    assert_eq!(crashes.hash.to_string(), "25fa5a86c9e446e49416e71dadebb894");
    let book = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/catalogue.md")).unwrap();
    assert!(book.contains(canonical) && book.contains(&crashes.hash.to_string()), "the example in the book is another");

    let colour = definition(COLOUR).canonical();
    let domain = concat!(
        r#""domain":{"kind":"symbol","labels":["red","green","blue","other","none"],"other":3,"none":4,"#,
        r#""strip_suffix":".colour","aliases":{"navy.colour":2,"scarlet":0}}"#
    );
    assert!(colour.contains(domain), "{colour}");
    let domain = r#""domain":{"kind":"buckets","labels":["0","1-9","10 up"],"lower":[0,1,10],"none":null}"#;
    assert!(definition(&buckets()).canonical().contains(domain));
    let domain = concat!(
        r#""domain":{"kind":"set","labels":["a","b","c","other"],"other":3,"none":null,"strip_suffix":"","#,
        r#""aliases":{},"most":2}"#
    );
    assert!(definition(&set()).canonical().contains(domain));
}

#[test]
fn prose_does_not_change_the_hash() {
    let hash = definition(COLOUR).hash;
    for (from, to) in [
        ("\"Colour\"", "\"Colours\""),
        ("Which colour?", "What colour?"),
        ("\"Testers\"", "\"Others\""),
        ("example.org/yes", "example.org/again"),
        ("expires = 2027-01-01", "expires = 2028-01-01"),
        ("introduced = 2026-01-01", "introduced = 2026-02-01"),
        ("other = true", "# a comment\nother = true"),
        (
            "aliases = { scarlet = \"red\", \"navy.colour\" = \"blue\" }",
            "aliases = { \"navy.colour\" = \"blue\", scarlet = \"red\" }",
        ),
        ("epsilon = 1.0", "epsilon = 1"),
    ] {
        assert_eq!(definition(&spoilt(COLOUR, from, to)).hash, hash, "{from} -> {to}");
    }
}

#[test]
fn every_field_that_decides_what_is_collected_changes_the_hash() {
    let event = "\n[[tally.events]]\nid = \"b5e11a3d-13f8-4219-84fd-c9ba0bf3d1f0\"\npayload = \"s\"\n";
    let (size, tools, falls) = (buckets(), set(), count());
    let rising =
        size.replace("aggregate = \"count\"", "aggregate = \"maximum\"").replace("payload = \"\"", "payload = \"t\"");
    let rising = rising.replace("lower = [0, 1, 10]", "lower = [0, 1, 10]\nnone = true");
    let changes: [(&str, &str, &str); 24] = [
        (COLOUR, "settings.colour", "settings.color"),
        (COLOUR, "epsilon = 1.0", "epsilon = 1.000001"),
        (COLOUR, "subset-selection", "randomised-response"),
        (COLOUR, "\"green\",\n", "\"lime\",\n"),
        (COLOUR, "\"green\",\n    \"blue\",", "\"blue\",\n    \"green\","),
        (COLOUR, "\"green\",\n", ""),
        (COLOUR, "\"green\",\n", "\"green\", \"grey\",\n"),
        (COLOUR, "strip_suffix = \".colour\"", "strip_suffix = \".hue\""),
        (COLOUR, "strip_suffix = \".colour\"\n", ""),
        (COLOUR, "scarlet = \"red\"", "scarlet = \"green\""),
        (COLOUR, "scarlet = \"red\"", "cherry = \"red\""),
        (COLOUR, "scarlet = \"red\", ", ""),
        (COLOUR, "49d0451a", "49d0451b"),
        (COLOUR, "(us)", "(ss)"),
        (COLOUR, "payload = \"(us)\"\nfield = [1]", "payload = \"s\""),
        (COLOUR, "payload = \"(us)\"\nfield = [1]", "payload = \"(ss)\"\nfield = [0]"),
        (COLOUR, "field = [1]\n", &format!("field = [1]\n{event}")),
        (&size, "lower = [0, 1, 10]", "lower = [0, 1, 11]"),
        (&size, "aggregate = \"count\"", "aggregate = \"duration\""),
        (&rising, "aggregate = \"maximum\"", "aggregate = \"last\""),
        (&tools, "most = 2", "most = 3"),
        (&tools, "other = true\n", ""),
        (&falls, "most = 10", "most = 11"),
        (&falls, "payload = \"\"", "payload = \"s\""),
    ];
    let mut hashes = BTreeSet::from([COLOUR, &size, &rising, &tools, &falls].map(|text| definition(text).hash));
    let before = hashes.len();
    for (text, from, to) in &changes {
        let added = hashes.insert(definition(&spoilt(text, from, to)).hash);
        assert!(added, "{from:?} -> {to:?} changes nothing");
    }
    assert_eq!(hashes.len(), before + changes.len());
}

#[test]
fn the_catalogue_hash_covers_the_budget_and_every_definition() {
    let shelf = support::Shelf::new(&[COLOUR, &count()]);
    let hash = shelf.load().unwrap().hash();
    assert_eq!(shelf.load().unwrap().hash(), hash);
    shelf.write("catalogue.toml", spoilt(support::HEAD, "\"Test\"", "\"Another title\""));
    assert_eq!(shelf.load().unwrap().hash(), hash, "a title is prose");
    shelf.write("catalogue.toml", spoilt(support::HEAD, "epsilon_epoch = 4.0", "epsilon_epoch = 3.0"));
    assert_ne!(shelf.load().unwrap().hash(), hash);
    shelf.write("catalogue.toml", support::HEAD);
    shelf.write("problems.falls.toml", spoilt(&count(), "most = 10", "most = 9"));
    assert_ne!(shelf.load().unwrap().hash(), hash);
}
