// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the tests share: catalogues in temporary folders, and metric files to spoil.

#![allow(dead_code, reason = "every test program uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use jiff::civil::{Date, date};
use stipple_catalog::{Catalogue, CatalogueError, Definition, Finding};
use tempfile::TempDir;

pub const TODAY: Date = date(2026, 11, 24);
pub const HEAD: &str = "title = \"Test\"\nepsilon_epoch = 4.0\nepsilon_cap = 2.0\n";

pub const COLOUR: &str = r#"id = "settings.colour"
title = "Colour"
question = "Which colour?"
category = "settings"
owner = "Testers"
approval = "https://example.org/yes"
introduced = 2026-01-01
expires = 2027-01-01
epsilon = 1.0
mechanism = "subset-selection"

[domain]
kind = "symbol"
values = [
    "red",
    "green",
    "blue",
]
other = true
none = true
strip_suffix = ".colour"
aliases = { scarlet = "red", "navy.colour" = "blue" }

[tally]
aggregate = "last"

[[tally.events]]
id = "49d0451a-f706-4f50-81d2-70cc0ec923a4"
payload = "(us)"
field = [1]
"#;

/// A file with another domain, mechanism and tally under COLOUR's head.
pub fn metric(id: &str, mechanism: &str, domain: &str, aggregate: &str, payload: &str) -> String {
    let (head, _) = COLOUR.split_once("mechanism").unwrap();
    let head =
        head.replace("settings.colour", id).replace("\"settings\"", &format!("{:?}", id.split('.').next().unwrap()));
    format!(
        "{head}mechanism = \"{mechanism}\"\n\n[domain]\n{domain}\n\n[tally]\naggregate = \"{aggregate}\"\n\n\
         [[tally.events]]\nid = \"49d0451a-f706-4f50-81d2-70cc0ec923a4\"\npayload = \"{payload}\"\n"
    )
}

pub fn buckets() -> String {
    let domain = "kind = \"buckets\"\nvalues = [\"0\", \"1-9\", \"10 up\"]\nlower = [0, 1, 10]";
    metric("usage.size", "randomised-response", domain, "count", "")
}

pub fn set() -> String {
    let domain = "kind = \"set\"\nvalues = [\"a\", \"b\", \"c\"]\nother = true\nmost = 2";
    metric("usage.set", "collision", domain, "distinct", "s")
}

pub fn count() -> String {
    metric("problems.falls", "truncated-geometric", "kind = \"count\"\nmost = 10", "count", "")
}

/// The text with one place changed; the place must be there exactly once.
pub fn spoilt(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from:?}");
    text.replacen(from, to, 1)
}

pub fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("metrics")
}

/// A catalogue's folder, gone at the end.
pub struct Shelf(TempDir);

impl Shelf {
    /// With HEAD and these metrics, each under the name of its id.
    pub fn new(metrics: &[&str]) -> Self {
        let shelf = Self(tempfile::tempdir().unwrap());
        shelf.write("catalogue.toml", HEAD);
        for metric in metrics {
            shelf.write(&format!("{}.toml", metric.split('"').nth(1).unwrap()), metric);
        }
        shelf
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), bytes).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path().join(name)).unwrap();
    }

    pub fn load(&self) -> Result<Catalogue, CatalogueError> {
        Catalogue::load(self.path())
    }

    /// The findings of a check on TODAY.
    pub fn findings(&self) -> Vec<Finding> {
        match Catalogue::check(self.path(), TODAY) {
            Err(CatalogueError::Faulty(findings)) => findings,
            other => panic!("no findings, but {other:?}"),
        }
    }
}

/// The only definition of a catalogue of one file.
pub fn definition(text: &str) -> Definition {
    Shelf::new(&[text]).load().unwrap().definitions()[0].clone()
}

/// Runs `stipple-catalog check` on TODAY.
pub fn check(folder: &Path, json: bool) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stipple-catalog"));
    command.arg("check").arg(folder).args(["--today", "2026-11-24"]);
    if json {
        command.arg("--json");
    }
    command.output().unwrap()
}
