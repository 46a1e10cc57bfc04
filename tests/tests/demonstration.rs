// SPDX-License-Identifier: MIT OR Apache-2.0
//! The demonstration as its user runs it, small.
#![allow(clippy::unwrap_used, reason = "a helper of tests")]

use std::path::Path;
use std::process::Command;

use stipple_tests::outcome::Summary;

fn demo(out: &Path, arguments: &[&str]) -> (Summary, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env!("CARGO_BIN_EXE_stipple-demo"))
        .current_dir(root)
        .args(["--out", out.to_str().unwrap()])
        .args(arguments)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{words}\n{}", String::from_utf8_lossy(&output.stderr));
    let summary = serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap();
    (summary, words)
}

#[test]
fn every_report_is_counted_and_nothing_recorded_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (summary, words) = demo(folder.path(), &["--clients", "200", "--seed", "11"]);
    assert_eq!(summary.reports_sent, summary.reports_counted);
    // 200 workstations with three or four reports each, and at least two of the real recorder.
    assert!(summary.reports_sent > 600, "{summary:?}");
    assert!(words.contains("none found"), "{words}");
    for artefact in ["counts.csv", "manifest.json", "estimates.csv", "truth.csv", "report.html", "summary.json"] {
        let size = std::fs::metadata(folder.path().join(artefact)).unwrap().len();
        assert!(size > 50, "{artefact} has {size} bytes");
    }
}

/// The population's reports are a function of the seed, so the counts must be the same to the byte with and without faults.
#[test]
fn killing_the_aggregator_changes_no_count() {
    let folder = tempfile::tempdir().unwrap();
    let (calm, rough) = (folder.path().join("calm"), folder.path().join("rough"));
    let arguments = ["--clients", "1500", "--seed", "3", "--population-only"];
    let (calm_summary, _) = demo(&calm, &arguments);
    let (rough_summary, _) = demo(&rough, &[&arguments[..], &["--kill", "5"]].concat());
    assert_eq!(calm_summary.restarts, 0);
    assert!(rough_summary.restarts >= 5, "{rough_summary:?}");
    assert_eq!(calm_summary.reports_sent, rough_summary.reports_counted);
    let counts = |folder: &Path| std::fs::read_to_string(folder.join("counts.csv")).unwrap();
    assert!(counts(&calm) == counts(&rough), "the counts differ");
}

/// Three seeds, about 900 (metric, value) pairs. Pairs of one metric depend on each other, so the band is wider than a
/// binomial's: it would have to be wrong by several per cent to pass. `make coverage` measures 20 seeds at full size.
#[test]
fn intervals_hold_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let (summary, _) = demo(folder.path(), &["--clients", "800", "--repeat", "3", "--population-only"]);
    assert!(summary.pairs > 800, "{summary:?}");
    assert!((92.0..=99.0).contains(&summary.coverage()), "{} %", summary.coverage());
}
