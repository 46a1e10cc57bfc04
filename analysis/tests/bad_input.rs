// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faulty datasets: each is refused with the file, the row and a remedy, and nothing panics.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its case fails")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use stipple_analysis::{Dataset, DatasetError, Options, RowFault, estimate, write_all, write_report};
use stipple_catalog::Catalogue;
use support::{Group, catalogue, write, write_bytes};
use tempfile::TempDir;

/// Two metrics in two weeks with possible counts, a catalogue, and the folder that holds them.
struct Sample {
    folder: TempDir,
    catalogue_folder: TempDir,
    catalogue: Catalogue,
    groups: Vec<Group>,
}

impl Sample {
    fn new() -> Self {
        let (catalogue_folder, catalogue) = catalogue();
        let group = |metric, week, counts: [u64; 4]| Group { metric, week, reports: 100, counts: counts.to_vec() };
        let groups = vec![
            group("hardware.disk", "2026-W40", [40, 30, 20, 10]),
            group("hardware.disk", "2026-W41", [45, 35, 15, 5]),
            Group { metric: "usage.tools", week: "2026-W41", reports: 50, counts: (0..19).collect() },
        ];
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &catalogue, &groups);
        Self { folder, catalogue_folder, catalogue, groups }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load(&self) -> Result<Dataset, DatasetError> {
        Dataset::load(self.folder.path(), &self.catalogue)
    }

    /// Changes the counts and makes the checksum fit, then loads: what an exporter gone wrong would write.
    fn with_counts(&self, change: impl FnOnce(String) -> String) -> DatasetError {
        let text = change(std::fs::read_to_string(self.path("counts.csv")).unwrap());
        write_bytes(self.folder.path(), &self.catalogue, text.as_bytes(), &self.groups);
        let error = self.load().unwrap_err();
        // Every fault names its file and, after the last comma or semicolon, what to do.
        assert!(error.to_string().contains(self.folder.path().to_str().unwrap()), "{error}");
        assert!(error.to_string().contains("; "), "{error} has no remedy");
        error
    }

    fn with_manifest(&self, change: impl FnOnce(&mut Json)) -> DatasetError {
        let mut manifest = serde_json::from_slice(&std::fs::read(self.path("manifest.json")).unwrap()).unwrap();
        change(&mut manifest);
        std::fs::write(self.path("manifest.json"), manifest.to_string()).unwrap();
        self.load().unwrap_err()
    }
}

#[test]
fn the_sample_itself_is_in_order() {
    let sample = Sample::new();
    let dataset = sample.load().unwrap();
    assert_eq!(
        (dataset.reports, dataset.weeks("hardware.disk").len(), dataset.weeks("problems.crashes").len()),
        (250, 2, 0)
    );
    let estimates = estimate(&dataset, &sample.catalogue, Options::USUAL);
    assert_eq!(estimates.without_reports, ["problems.crashes", "settings.desktop"]);
}

#[test]
fn every_fault_of_a_row_is_named_with_its_row() {
    /// Replaces the first occurrence: rows 2 to 5 are hardware.disk in 2026-W40, 6 to 9 in 2026-W41.
    fn once(from: &'static str, to: &'static str) -> Box<dyn FnOnce(String) -> String> {
        Box::new(move |text| text.replacen(from, to, 1))
    }
    fn line(number: usize, change: fn(&str) -> String) -> Box<dyn FnOnce(String) -> String> {
        Box::new(move |text| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines[number - 1] = change(&lines[number - 1]);
            lines.retain(|line| !line.is_empty());
            lines.join("\n") + "\n"
        })
    }
    type Case = (Box<dyn FnOnce(String) -> String>, usize, fn(&RowFault) -> bool);
    let cases: Vec<Case> = vec![
        (once("cell,count", "count,cell"), 1, |f| matches!(f, RowFault::Header)),
        (Box::new(|_| String::new()), 1, |f| matches!(f, RowFault::Header)),
        (once(",100,0,40", ",100,0"), 2, |f| matches!(f, RowFault::Columns(5))),
        (once(",100,0,40", ",100,0,40,"), 2, |f| matches!(f, RowFault::Columns(7))),
        (once("\nhardware.disk", "\nhardware.dusk"), 2, |f| matches!(f, RowFault::UnknownMetric(_))),
        (once(",100,0,40", ",100,0,NaN"), 2, |f| matches!(f, RowFault::Number { column: "count", .. })),
        (once(",100,0,40", ",100,0,-1"), 2, |f| matches!(f, RowFault::Number { .. })),
        (once(",100,0,40", ",100,0,4e1"), 2, |f| matches!(f, RowFault::Number { .. })),
        (once(",100,0,40", ",100,0,040"), 2, |f| matches!(f, RowFault::Number { .. })),
        (once(",100,0,40", ",100,0,18446744073709551616"), 2, |f| matches!(f, RowFault::Number { .. })),
        (once(",100,0,40", ",9007199254740993,0,40"), 2, |f| matches!(f, RowFault::Number { column: "reports", .. })),
        (once(",100,0,40", ",100,0,101"), 2, |f| matches!(f, RowFault::CountOverReports { count: 101, reports: 100 })),
        (once(",100,1,30", ",101,1,30"), 3, |f| {
            matches!(f, RowFault::UnequalReports { expected: 100, found: 101, .. })
        }),
        (once(",100,1,30", ",100,2,30"), 3, |f| matches!(f, RowFault::Cell { .. })),
        (line(5, |_| String::new()), 5, |f| matches!(f, RowFault::Cell { .. })),
        (line(5, |row| format!("{row}\n{}", row.replace(",3,", ",4,"))), 6, |f| matches!(f, RowFault::Cell { .. })),
        (once(",100,0,40", ",100,0,41"), 6, |f| matches!(f, RowFault::Sum { expected: 100, found: 101, .. })),
        (once("2026-W40", "2026-W54"), 2, |f| matches!(f, RowFault::Week(_))),
        (Box::new(|text| text.replace("2026-W41", "2026-W39")), 6, |f| matches!(f, RowFault::Order { .. })),
        (line(2, |row| row.replace(&row[14..46], "xyz")), 2, |f| matches!(f, RowFault::BadDefinition(_))),
        (line(3, |row| row.replace(&row[14..46], &"0".repeat(32))), 3, |f| {
            matches!(f, RowFault::TwoDefinitions { .. })
        }),
        (line(2, |row| row.replace(&row[14..46], &"0".repeat(32))), 2, |f| {
            matches!(f, RowFault::StaleDefinition { .. })
        }),
    ];
    for (i, (change, row, is_expected)) in cases.into_iter().enumerate() {
        match Sample::new().with_counts(change) {
            DatasetError::Row { row: found, fault, .. } => {
                assert!(found == row && is_expected(&fault), "case {i}: {found} {fault}");
            }
            other => panic!("case {i}: {other}"),
        }
    }
}

#[test]
fn rows_cut_off_at_the_end_are_missed() {
    let error = Sample::new().with_counts(|text| text.split_inclusive('\n').take(20).collect());
    let DatasetError::Row { row: 21, fault, .. } = error else { panic!("{error}") };
    assert!(matches!(*fault, RowFault::Cell { .. }), "{fault}");
}

#[test]
fn counts_beyond_exact_arithmetic_are_refused() {
    let sample = Sample::new();
    let most = 1_u64 << 53;
    let group = |week| Group { metric: "hardware.disk", week, reports: most, counts: vec![most, 0, 0, 0] };
    write(sample.folder.path(), &sample.catalogue, &[group("2026-W40")]);
    assert_eq!(sample.load().unwrap().reports, most);
    write(sample.folder.path(), &sample.catalogue, &[group("2026-W40"), group("2026-W41")]);
    let Err(DatasetError::Row { fault, .. }) = sample.load() else { panic!("2^54 reports were taken") };
    assert!(matches!(*fault, RowFault::TooManyReports(_)), "{fault}");
}

#[test]
fn a_changed_file_is_named_with_both_checksums() {
    let sample = Sample::new();
    let text = std::fs::read_to_string(sample.path("counts.csv")).unwrap();
    std::fs::write(sample.path("counts.csv"), &text[..text.len() - 1]).unwrap();
    let error = sample.load().unwrap_err();
    let DatasetError::Checksum { path, expected, found } = &error else { panic!("{error}") };
    assert!(path.ends_with("counts.csv") && expected != found && found.len() == 64);
    assert!(error.to_string().contains(expected) && error.to_string().contains(found), "{error}");
}

#[test]
fn missing_files_are_named() {
    for name in ["counts.csv", "manifest.json"] {
        let sample = Sample::new();
        std::fs::remove_file(sample.path(name)).unwrap();
        let error = sample.load().unwrap_err();
        assert!(matches!(&error, DatasetError::Unreadable { path, .. } if path.ends_with(name)), "{error}");
    }
}

#[test]
fn every_number_of_the_manifest_is_checked() {
    let change = |change: fn(&mut Json)| Sample::new().with_manifest(change);
    let format = change(|m| m["version"] = json!(2));
    assert!(matches!(format, DatasetError::Format { version: 2, .. }), "{format}");
    let unlisted = change(|m| m["files"] = json!([]));
    assert!(matches!(unlisted, DatasetError::NotListed { .. }), "{unlisted}");
    let no_title = change(|m| {
        m.as_object_mut().unwrap().remove("title");
    });
    assert!(matches!(no_title, DatasetError::Manifest { .. }), "{no_title}");
    let totals: [fn(&mut Json); 5] = [
        |m| m["reports"] = json!(251),
        |m| m["metrics"][0]["reports"] = json!(199),
        |m| m["files"][0]["rows"] = json!(26),
        |m| m["weeks"]["first"] = json!("2026-W39"),
        |m| m["weeks"]["last"] = json!("2026-W42"),
    ];
    for total in totals {
        let error = change(total);
        assert!(matches!(error, DatasetError::Totals { .. }), "{error}");
    }
}

#[test]
fn an_empty_dataset_is_an_error_of_its_own() {
    let sample = Sample::new();
    write(sample.folder.path(), &sample.catalogue, &[]);
    assert!(matches!(sample.load(), Err(DatasetError::Empty { .. })));
    let nobody = Group { metric: "hardware.disk", week: "2026-W40", reports: 0, counts: vec![0; 4] };
    write(sample.folder.path(), &sample.catalogue, &[nobody]);
    assert!(matches!(sample.load(), Err(DatasetError::Empty { .. })));
}

#[test]
fn outputs_that_cannot_be_written_are_named() {
    let sample = Sample::new();
    let dataset = sample.load().unwrap();
    let estimates = estimate(&dataset, &sample.catalogue, Options::USUAL);
    // A file where a folder should be stops root too.
    let blocked = sample.path("counts.csv").join("out");
    assert_eq!(write_all(&estimates, &blocked).unwrap_err().path, blocked);
    assert_eq!(write_report(&dataset, &estimates, &blocked).unwrap_err().path, blocked);
}

fn run(sample: &Sample, arguments: &[&str], out: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stipple-analysis"));
    command.args(arguments).arg("--counts").arg(sample.folder.path()).arg("--out").arg(out);
    command.arg("--catalog").arg(sample.catalogue_folder.path()).output().unwrap()
}

#[test]
fn exit_codes_tell_bad_data_from_bad_usage() {
    let sample = Sample::new();
    let out = sample.path("out");
    let fine = run(&sample, &["estimate"], &out);
    assert_eq!(fine.status.code(), Some(0));
    let notes = String::from_utf8(fine.stderr).unwrap();
    let left_out = "stipple-analysis: no report yet, left out: problems.crashes, settings.desktop\n\
                    stipple-analysis: usage.tools in 2026-W41 is left out: 50 reports say next to nothing, \
                    at least 93 are needed; pool more weeks or wait for more reports\n";
    assert_eq!(notes, left_out);
    assert_eq!(run(&sample, &["estimate", "--weeks", "2026-W41..2026-W40"], &out).status.code(), Some(2));
    assert_eq!(run(&sample, &["estimate", "--liars", "1.5"], &out).status.code(), Some(2));
    assert_eq!(run(&sample, &["report"], &out.join("report.html")).status.code(), Some(0));
    assert_eq!(run(&sample, &["estimate", "--level", "95"], &out).status.code(), Some(2));
    assert_eq!(run(&sample, &["guess"], &out).status.code(), Some(2));
    assert_eq!(run(&sample, &["estimate"], &sample.path("counts.csv").join("out")).status.code(), Some(2));
    std::fs::write(sample.path("counts.csv"), "nothing").unwrap();
    let refused = run(&sample, &["estimate"], &out);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("counts.csv: the checksum does not fit"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Any bytes at all, with a checksum that fits them.
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), keep_header: bool) {
        let sample = Sample::new();
        let mut csv = if keep_header { b"metric,definition,week,reports,cell,count\n".to_vec() } else { Vec::new() };
        csv.extend(bytes);
        write_bytes(sample.folder.path(), &sample.catalogue, &csv, &sample.groups);
        prop_assert!(sample.load().is_err());
    }

    /// A sound file with some bytes changed: either refused, or still free of numbers that are none.
    #[test]
    fn changed_bytes_give_an_error_or_finite_numbers(changes in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"0123456789,\n.-W\xff".to_vec())), 1..4)) {
        let sample = Sample::new();
        let mut csv = std::fs::read(sample.path("counts.csv")).unwrap();
        for (at, byte) in changes {
            let at = at.index(csv.len());
            csv[at] = byte;
        }
        write_bytes(sample.folder.path(), &sample.catalogue, &csv, &sample.groups);
        if let Ok(dataset) = sample.load() {
            let estimates = estimate(&dataset, &sample.catalogue, Options::USUAL);
            for value in estimates.metrics.iter().flat_map(|metric| &metric.values) {
                prop_assert!(value.estimate.is_finite() && value.interval.lower <= value.interval.upper);
                prop_assert!((0.0..=1.0).contains(&value.interval.lower) && value.interval.upper <= 1.0);
            }
        }
    }

    /// A broken manifest is an error, never a panic.
    #[test]
    fn no_manifest_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let sample = Sample::new();
        std::fs::write(sample.path("manifest.json"), bytes).unwrap();
        prop_assert!(sample.load().is_err());
    }
}
