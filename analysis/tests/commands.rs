// SPDX-License-Identifier: MIT OR Apache-2.0
//! `simulate` and `audit` as a user runs them.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its case fails")]

mod support;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;

fn run(arguments: &[&str], catalogue: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stipple-analysis"));
    command.args(arguments);
    if let Some(folder) = catalogue {
        command.arg("--catalog").arg(folder);
    }
    command.output().unwrap()
}

fn json(output: &Output) -> Json {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_simulated_dataset_is_estimated_like_any_other() {
    let (catalogue_folder, catalogue) = support::catalogue();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    for way in [&["--by-count"][..], &[]] {
        let arguments = [&["simulate", "--clients", "3000", "--json", "--out", path], way].concat();
        let output = run(&arguments, Some(catalogue_folder.path()));
        assert!(output.stderr.is_empty(), "no progress where there is no terminal");
        let simulated = json(&output);
        assert!(simulated["seconds"].as_f64().unwrap() > 0.0);
        let metrics = simulated["metrics"].as_array().unwrap();
        assert_eq!(metrics.len(), catalogue.definitions().len());
        let arguments = ["estimate", "--json", "--counts", path, "--out", path];
        let estimated = json(&run(&arguments, Some(catalogue_folder.path())));
        let estimated = estimated.as_array().unwrap();
        let mut found = 0;
        for metric in metrics {
            let values = metric["values"].as_array().unwrap();
            assert_eq!(metric["pairs"].as_u64(), Some(values.len() as u64));
            assert!(metric["covered_95"].as_u64() <= metric["pairs"].as_u64());
            for value in values {
                let row =
                    estimated.iter().find(|row| row["metric"] == metric["metric"] && row["value"] == value["value"]);
                let (ours, theirs) = (value["estimate"].as_f64().unwrap(), row.unwrap()["estimate"].as_f64().unwrap());
                assert!((ours - theirs).abs() < 1e-9, "{row:?}");
                found += 1;
            }
            for number in ["bias", "mse", "mse_theory"] {
                assert!(metric[number].as_f64().is_some_and(f64::is_finite), "{metric}");
            }
        }
        assert!(found > 20, "{found}");
    }
}

#[test]
fn the_exit_code_tells_the_verdict() {
    let shipped = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../catalog/metrics"));
    let code = |arguments: &[&str], catalogue| run(arguments, catalogue).status.code();
    let honest = ["audit", "--mechanism", "settings.desktop", "--seed", "1", "--draws", "20000"];
    assert_eq!(code(&honest, Some(shipped)), Some(0));
    let halved = [&honest[..], &["--epsilon", "0.5", "--json"]].concat();
    let output = run(&halved, Some(shipped));
    assert_eq!(output.status.code(), Some(1));
    let verdict: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert!(verdict["refuted"].as_bool().unwrap() && verdict["lower"].as_f64().unwrap() > 0.5);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outputs.csv");
    let (yes, no) = ("1,yes\n0,no\n".repeat(500), "1,no\n0,yes\n".repeat(200));
    std::fs::write(&path, format!("input,output\n{yes}{no}")).unwrap();
    let outputs = ["audit", "--outputs", path.to_str().unwrap()];
    assert_eq!(code(&[&outputs[..], &["--epsilon", "2"]].concat(), None), Some(0));
    assert_eq!(code(&outputs, None), Some(2), "nothing is claimed");
    assert_eq!(code(&["audit"], None), Some(2));
    assert_eq!(code(&["audit", "--mechanism", "no.such"], Some(shipped)), Some(1));
    std::fs::write(&path, "input,output\n0,a\n").unwrap();
    let output = run(&[&outputs[..], &["--epsilon", "2"]].concat(), None);
    assert!(String::from_utf8_lossy(&output.stderr).contains("keep the rows of two"));
    assert_eq!(output.status.code(), Some(1));
}
