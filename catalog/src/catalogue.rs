// SPDX-License-Identifier: MIT OR Apache-2.0
//! A whole catalogue: a folder with `catalogue.toml` and one file per metric.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use rand::CryptoRng;
use rand::seq::SliceRandom as _;
use sha2::{Digest, Sha256};
use stipple_ldp::{Budget, Epsilon};

use crate::check::{self, Finding, Text};
use crate::definition::{Category, Definition, MetricKey, hex};
use crate::source::CatalogueFile;

/// Every metric that may be collected, in the order of their ids.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Catalogue {
    /// the catalogue's name
    pub title: String,
    /// what one workstation may spend in an epoch
    pub epsilon_epoch: Epsilon,
    /// the most that one metric may cost
    pub epsilon_cap: Epsilon,
    definitions: Vec<Definition>,
    by_key: BTreeMap<MetricKey, usize>,
}

/// A catalogue that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// A folder or file could not be read.
    #[error("cannot read the catalogue at {path}: {source}; point --catalog at a folder with catalogue.toml")]
    Unreadable {
        /// what could not be read
        path: PathBuf,
        /// why
        source: std::io::Error,
    },
    /// The catalogue was read and is wrong.
    #[error("the catalogue has {} fault(s):\n{}", .0.len(), list(.0))]
    Faulty(Vec<Finding>),
}

fn list(findings: &[Finding]) -> String {
    findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n")
}

impl Catalogue {
    /// Loads a catalogue. Expired metrics are kept: see [`Self::active`].
    ///
    /// # Errors
    /// [`CatalogueError`], with every fault of every file.
    pub fn load(folder: &Path) -> Result<Self, CatalogueError> {
        Self::read(folder, None)
    }

    /// Loads a catalogue as `stipple-catalog check` does: a metric that has expired by `today` is a fault as well.
    ///
    /// # Errors
    /// [`CatalogueError`], with every fault of every file.
    pub fn check(folder: &Path, today: Date) -> Result<Self, CatalogueError> {
        Self::read(folder, Some(today))
    }

    fn read(folder: &Path, today: Option<Date>) -> Result<Self, CatalogueError> {
        let (head_path, metric_paths) = files(folder)?;
        let mut findings = Vec::new();
        let head_text = read(&head_path)?;
        let head = head_text.map_or_else(|finding| Err(vec![finding]), |text| head(&head_path, &text));
        let head = head.map_err(|found| findings.extend(found)).ok();
        // While the cap is unknown, no epsilon is over it.
        let cap = head.as_ref().map_or(Epsilon::MAX, |head| head.2);
        let mut definitions = Vec::<Definition>::new();
        let mut ids = BTreeMap::<String, &Path>::new();
        for path in &metric_paths {
            let text = match read(path)? {
                Ok(text) => text,
                Err(finding) => {
                    findings.push(finding);
                    continue;
                }
            };
            let text = Text { file: path, text: &text };
            match check::definition(&text, cap, today) {
                Ok(definition) => definitions.push(definition),
                Err(found) => findings.extend(found),
            }
            findings.extend(duplicate_id(&mut ids, path, &text));
        }
        if metric_paths.is_empty() {
            let text = Text { file: &head_path, text: "" };
            findings.push(text.at(0, "the catalogue has no metrics", "add a file for each metric beside this one"));
        }
        let (Some((title, epsilon_epoch, epsilon_cap)), true) = (head, findings.is_empty()) else {
            return Err(CatalogueError::Faulty(findings));
        };
        definitions.sort_by(|a, b| a.id.cmp(&b.id));
        let by_key = definitions.iter().enumerate().map(|(i, d)| (d.key, i)).collect();
        Ok(Self { title, epsilon_epoch, epsilon_cap, definitions, by_key })
    }

    /// Every definition, in the order of their ids.
    #[must_use]
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    /// The definitions that may be collected on a day.
    pub fn active(&self, day: Date) -> impl Iterator<Item = &Definition> {
        self.definitions.iter().filter(move |definition| definition.is_active(day))
    }

    /// The metrics that one workstation reports in an epoch: a uniform permutation of those that are active, of which each is
    /// taken that still fits [`Self::epsilon_epoch`]. Every workstation draws afresh in every epoch, and looks at nothing else.
    pub fn draw<R: CryptoRng + ?Sized>(&self, today: Date, rng: &mut R) -> Vec<&Definition> {
        let mut drawn: Vec<_> = self.active(today).collect();
        drawn.shuffle(rng);
        let mut budget = Budget::new(self.epsilon_epoch, []);
        drawn.retain(|definition| budget.spend(definition.epsilon).is_ok());
        drawn
    }

    /// Whether any metric listens for an event.
    #[must_use]
    pub fn listens_for(&self, event: [u8; 16]) -> bool {
        self.definitions.iter().flat_map(|definition| &definition.events).any(|source| source.id == event)
    }

    /// The definition with an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Definition> {
        self.definitions.binary_search_by(|d| d.id.as_str().cmp(id)).ok().map(|i| &self.definitions[i])
    }

    /// The definition that a report's key names.
    #[must_use]
    pub fn by_key(&self, key: MetricKey) -> Option<&Definition> {
        self.by_key.get(&key).map(|&i| &self.definitions[i])
    }

    /// The categories that have a metric, in order.
    #[must_use]
    pub fn categories(&self) -> BTreeSet<Category> {
        self.definitions.iter().map(|d| d.category).collect()
    }

    /// The SHA-256, in hexadecimal, of the epoch's budget and every definition's hash in the order of the ids.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(self.epsilon_epoch.micros().to_le_bytes());
        for definition in &self.definitions {
            digest.update(definition.hash.0);
        }
        let digest: [u8; 32] = digest.finalize().into();
        hex(&digest)
    }
}

/// `catalogue.toml` and the other TOML files, sorted by name.
fn files(folder: &Path) -> Result<(PathBuf, Vec<PathBuf>), CatalogueError> {
    let unreadable = |source| CatalogueError::Unreadable { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    let head = folder.join("catalogue.toml");
    paths.retain(|path| *path != head);
    Ok((head, paths))
}

/// A file's text, or a finding where it is not text or where `catalogue.toml` is missing.
fn read(path: &Path) -> Result<Result<String, Finding>, CatalogueError> {
    let unreadable = |source| CatalogueError::Unreadable { path: path.to_owned(), source };
    let nowhere = Text { file: path, text: "" };
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && path.ends_with("catalogue.toml") => {
            return Ok(Err(nowhere.at(
                0,
                "catalogue.toml is missing",
                "write it with title, epsilon_epoch and epsilon_cap, or point --catalog at the folder that has it",
            )));
        }
        read => read.map_err(unreadable)?,
    };
    Ok(String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(&error.as_bytes()[..valid]);
        Text { file: path, text: &text }.at(valid, "the file is not UTF-8 text", "save the file as UTF-8")
    }))
}

fn head(path: &Path, text: &str) -> Result<(String, Epsilon, Epsilon), Vec<Finding>> {
    let text = Text { file: path, text };
    let file: CatalogueFile = text.parse().map_err(|finding| vec![finding])?;
    let mut findings = Vec::new();
    let mut epsilon = |field: &str, value: &toml::Spanned<f64>| {
        let fault = |error| text.at(value.span().start, format!("{field}: {error}"), "mend the number");
        Epsilon::try_from(*value.get_ref()).map_err(|error| findings.push(fault(error))).ok()
    };
    let epoch = epsilon("epsilon_epoch", &file.epsilon_epoch);
    let cap = epsilon("epsilon_cap", &file.epsilon_cap);
    if file.title.get_ref().trim().is_empty() {
        findings.push(text.at(file.title.span().start, "the title is empty", "give the catalogue a name"));
    }
    match (epoch, cap) {
        (Some(epoch), Some(cap)) if cap > epoch => findings.push(text.at(
            file.epsilon_cap.span().start,
            format!("epsilon_cap {cap} exceeds epsilon_epoch {epoch}"),
            format!("lower epsilon_cap to {epoch} or less: a metric must fit the epoch's budget"),
        )),
        (Some(epoch), Some(cap)) if findings.is_empty() => return Ok((file.title.into_inner(), epoch, cap)),
        _ => {}
    }
    Err(findings)
}

/// An id that an earlier file has too; a file with other faults counts.
fn duplicate_id<'p>(ids: &mut BTreeMap<String, &'p Path>, path: &'p Path, text: &Text<'_>) -> Option<Finding> {
    #[derive(serde::Deserialize)]
    struct OnlyId {
        id: toml::Spanned<String>,
    }
    let id = toml::from_str::<OnlyId>(text.text).ok()?.id;
    let Some(twin) = ids.get(id.get_ref()) else {
        ids.insert(id.into_inner(), path);
        return None;
    };
    let problem = format!("the id {:?} is taken by {}", id.get_ref(), twin.display());
    Some(text.at(id.span().start, problem, "give one of the two another id"))
}

/// Where programs look for the catalogue when nobody says: the folder in `STIPPLE_CATALOG`, else the installed one, else
/// the one of a source checkout.
#[must_use]
pub fn default_folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("STIPPLE_CATALOG") {
        return folder.into();
    }
    let installed = PathBuf::from("/usr/share/stipple/metrics");
    if installed.is_dir() { installed } else { PathBuf::from("catalog/metrics") }
}
