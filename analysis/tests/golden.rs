// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the outputs look like, to the letter where another program or a person depends on it.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its case fails")]

mod support;

use std::io::Cursor;

use polars::prelude::*;
use stipple_analysis::{COLUMNS, DELTA, Dataset, Options, estimate, json, report, write_all, write_table};
use support::{Group, catalogue, write};

fn groups() -> Vec<Group> {
    vec![
        Group { metric: "hardware.disk", week: "2026-W40", reports: 600, counts: vec![150, 270, 90, 90] },
        Group { metric: "hardware.disk", week: "2026-W41", reports: 400, counts: vec![90, 190, 70, 50] },
        Group {
            metric: "problems.crashes",
            week: "2026-W41",
            reports: 40,
            counts: vec![20, 4, 3, 2, 2, 1, 1, 1, 1, 1, 4],
        },
        Group { metric: "usage.tools", week: "2026-W41", reports: 1200, counts: (0..19).map(|v| 40 + 5 * v).collect() },
    ]
}

#[test]
fn the_terminal_table_is_as_documented() {
    let (_catalogue_folder, catalogue) = catalogue();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &catalogue, &groups());
    let dataset = Dataset::load(folder.path(), &catalogue).unwrap();
    let mut shown = Vec::new();
    let options = Options { delta: Some(DELTA), ..Options::USUAL };
    write_table(&estimate(&dataset, &catalogue, options), &mut shown).unwrap();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/table.txt");
    if std::env::var_os("STIPPLE_UPDATE_GOLDEN").is_some() {
        std::fs::write(golden, &shown).unwrap();
    }
    assert_eq!(String::from_utf8(shown).unwrap(), std::fs::read_to_string(golden).unwrap());
}

#[test]
fn all_formats_hold_the_same_table() {
    let (_catalogue_folder, catalogue) = catalogue();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &catalogue, &groups());
    let dataset = Dataset::load(folder.path(), &catalogue).unwrap();
    let estimates = estimate(&dataset, &catalogue, Options { by_week: true, ..Options::USUAL });
    let out = folder.path().join("a/b");
    write_all(&estimates, &out).unwrap();

    let csv = std::fs::read(out.join("estimates.csv")).unwrap();
    let header = "metric,title,category,weeks,value,estimate,standard_error,lower,upper,\
                  lower_all,upper_all,consistent,consistent_lower,consistent_upper,reports,epsilon,central_epsilon,central_delta,liars_move,mechanism";
    assert_eq!(csv.split(|&byte| byte == b'\n').next(), Some(header.as_bytes()));
    assert_eq!(header, COLUMNS.join(","));

    let parquet = std::fs::File::open(out.join("estimates.parquet")).unwrap();
    let parquet = ParquetReader::new(parquet).finish().unwrap();
    let csv = CsvReadOptions::default()
        .with_infer_schema_length(None)
        .into_reader_with_file_handle(Cursor::new(csv))
        .finish()
        .unwrap();
    // Two weeks of 4 values, one mean, 19 values.
    assert_eq!((parquet.height(), csv.height()), (28, 28));
    let mut printed = Vec::new();
    json(&estimates, &mut printed).unwrap();
    assert_eq!(printed, std::fs::read(out.join("estimates.json")).unwrap());
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&printed).unwrap();
    for column in ["estimate", "standard_error", "lower", "upper", "epsilon"] {
        let (a, b) = (parquet.column(column).unwrap(), csv.column(column).unwrap().cast(&DataType::Float64).unwrap());
        let (a, b) = (a.f64().unwrap(), b.f64().unwrap());
        for (i, row) in rows.iter().enumerate() {
            let (a, b, c) = (a.get(i).unwrap(), b.get(i).unwrap(), row[column].as_f64().unwrap());
            assert!((a - b).abs() < 1e-12 && (a - c).abs() < 1e-12, "{column} {i}: {a} {b} {c}");
        }
    }
    assert_eq!((&rows[0]["weeks"], &rows[4]["weeks"]), (&"2026-W40".into(), &"2026-W41".into()));
    assert_eq!((&rows[8]["value"], &rows[8]["reports"]), (&"mean".into(), &40.into()));
}

/// By week the rows differ, pooled they are one: the pooled share is the weeks' mean weighted by reports.
#[test]
fn pooling_weighs_weeks_by_their_reports() {
    let (_catalogue_folder, catalogue) = catalogue();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &catalogue, &groups());
    let dataset = Dataset::load(folder.path(), &catalogue).unwrap();
    let pooled = estimate(&dataset, &catalogue, Options::USUAL);
    let weekly = estimate(&dataset, &catalogue, Options { by_week: true, ..Options::USUAL });
    assert_eq!(
        (pooled.metrics[0].span.to_string(), pooled.metrics[0].reports),
        ("2026-W40..2026-W41".to_owned(), 1000)
    );
    for v in 0..4 {
        let weighted = 0.6 * weekly.metrics[0].values[v].estimate + 0.4 * weekly.metrics[1].values[v].estimate;
        assert!((pooled.metrics[0].values[v].estimate - weighted).abs() < 1e-12);
    }
}

#[test]
fn the_page_needs_nothing_from_outside_and_says_what_it_shows() {
    let (_catalogue_folder, catalogue) = catalogue();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &catalogue, &groups());
    let dataset = Dataset::load(folder.path(), &catalogue).unwrap();
    let page = report(&dataset, &estimate(&dataset, &catalogue, Options::USUAL)).unwrap();
    for foreign in ["<script", "<link", "<img", "src=", "url(", "@import"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    // A chart for each metric and the example, each named and described for who cannot see it.
    assert_eq!(page.matches("role=\"img\" aria-labelledby=").count(), 4);
    assert_eq!((page.matches("<title id=").count(), page.matches("<desc id=").count()), (4, 4));
    assert!(page.contains("<desc id=\"text-0\">flash: "), "values are described by size");
    // e^1 = 2.718.. and e^2 = 7.389.., 73.1 % and 88.1 %: an upper bound is rounded up.
    for bound in ["than 2.8 times", "can be 74 % sure", "than 7.4 times", "can be 89 % sure"] {
        assert!(page.contains(bound), "{bound}");
    }
    assert!(page.contains("href=\"https://example.org/approved/disk\"") && page.contains("This is a test."));
    assert!(page.contains("No report yet: settings.desktop."));
}
