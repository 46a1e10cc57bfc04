// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-analysis audit`.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use rand::SeedableRng as _;
use rand::rngs::{ChaCha20Rng, SysRng};
use stipple_catalog::{Catalogue, CatalogueError, Definition, default_folder};
use stipple_ldp::{ParameterError, Value};

use super::{Effort, Outputs, OutputsError, Verdict, audit_mechanism, extremes};

/// What to audit.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("subject").required(true),
    after_help = "Examples:\n  \
    stipple-analysis audit --mechanism settings.desktop --catalog catalog/metrics\n  \
    stipple-analysis audit --outputs theirs.csv --epsilon 1\n\n\
    The bound says that epsilon is at least so much; that it is kept is for proofs. The whole recorder, from an event on the \
    D-Bus to the upload socket, is audited by stipple-audit (make audit): docs/audit.md.\n\n\
    Exit codes: 0 nothing speaks against the claim, 1 the bound exceeds the stated epsilon, the outputs do not follow their \
    channel, or the input is faulty, 2 wrong usage."
)]
pub struct AuditArguments {
    /// Draw from the mechanism of this metric.
    #[arg(long, value_name = "METRIC", group = "subject")]
    mechanism: Option<String>,
    /// Read the outputs of any client: a CSV file with the columns input,output and two inputs. Outputs are any text; doubles are
    /// written so that every bit can be read back, or as 0x and 16 hexadecimal digits.
    #[arg(long, value_name = "FILE", group = "subject")]
    outputs: Option<PathBuf>,
    /// The outputs are payloads of this metric in hexadecimal, the inputs its labels: their channel is tested, too.
    #[arg(long, requires = "outputs")]
    metric: Option<String>,
    /// The epsilon that is claimed [default: the metric's].
    #[arg(long)]
    epsilon: Option<f64>,
    /// Outputs to draw for each of two values.
    #[arg(long, default_value_t = Effort::USUAL.draws, value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    draws: u64,
    /// A true claim is refuted with a chance of at most 1 minus this.
    #[arg(long, default_value_t = Effort::USUAL.confidence)]
    confidence: f64,
    /// Draw with this seed [default: the system's randomness].
    #[arg(long)]
    seed: Option<u64>,
    /// The catalogue [default: STIPPLE_CATALOG, else the installed one].
    #[arg(long)]
    catalog: Option<PathBuf>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    #[error(transparent)]
    Outputs(#[from] OutputsError),
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    #[error("the catalogue has no metric {0:?}; stipple-catalog list names them")]
    Metric(String),
    #[error("nothing is claimed: say --epsilon, or --metric whose epsilon is known")]
    NoClaim,
    #[error("an epsilon is a positive number, not {0}")]
    Epsilon(f64),
    #[error("the system gave no randomness: {0}; say --seed")]
    Randomness(String),
}

/// Runs `audit`; what went wrong is told on standard error.
#[must_use]
pub fn audit_command(arguments: &AuditArguments) -> ExitCode {
    match run(arguments) {
        Ok(verdict) => {
            // The exit code tells the verdict, whoever reads the text.
            let _ = print(&verdict, arguments.json);
            if verdict.is_bad() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(failure) => {
            eprintln!("stipple-analysis: {failure}");
            ExitCode::from(if matches!(failure, Failure::NoClaim | Failure::Epsilon(_)) { 2 } else { 1 })
        }
    }
}

fn run(arguments: &AuditArguments) -> Result<Verdict, Failure> {
    let claimed = |definition: Option<&Definition>| {
        let epsilon = arguments.epsilon.or(definition.map(|definition| definition.epsilon.into()));
        let epsilon = epsilon.ok_or(Failure::NoClaim)?;
        if epsilon > 0.0 { Ok(epsilon) } else { Err(Failure::Epsilon(epsilon)) }
    };
    let effort = Effort { draws: arguments.draws, confidence: arguments.confidence };
    let catalogue = || Catalogue::load(&arguments.catalog.clone().unwrap_or_else(default_folder));
    if let Some(path) = &arguments.outputs {
        let Some(id) = &arguments.metric else {
            return Ok(Outputs::read(path)?.audit(claimed(None)?, effort.confidence)?);
        };
        let catalogue = catalogue()?;
        let definition = catalogue.get(id).ok_or_else(|| Failure::Metric(id.clone()))?;
        return Ok(Outputs::read(path)?.audit_metric(definition, claimed(Some(definition))?, effort.confidence)?);
    }
    let id = arguments.mechanism.as_deref().unwrap_or_default();
    let catalogue = catalogue()?;
    let definition = catalogue.get(id).ok_or_else(|| Failure::Metric(id.to_owned()))?;
    let mut rng = match arguments.seed {
        Some(seed) => ChaCha20Rng::seed_from_u64(seed),
        None => ChaCha20Rng::try_from_rng(&mut SysRng).map_err(|error| Failure::Randomness(error.to_string()))?,
    };
    let values = extremes(definition);
    let sample = |value: &stipple_ldp::TrueValue| definition.mechanism.randomise(value, &mut rng).ok();
    let verdict = audit_mechanism(&definition.mechanism, &values, claimed(Some(definition))?, effort, sample)?;
    Ok(Verdict { inputs: values.map(|value| label(definition, &value)), ..verdict })
}

fn label(definition: &Definition, value: &Value) -> String {
    let labels = definition.domain.labels();
    let one = |&v: &u32| labels.get(v as usize).map_or("", String::as_str);
    match value {
        Value::Symbol(v) | Value::Count(v) => one(v).to_owned(),
        Value::Set(items) => items.iter().map(one).collect::<Vec<_>>().join(";"),
    }
}

fn print(verdict: &Verdict, as_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if as_json {
        serde_json::to_writer_pretty(&mut out, verdict)?;
        return writeln!(out);
    }
    let [first, second] = &verdict.inputs;
    writeln!(out, "{first:?} against {second:?}: {} outputs of each", verdict.outputs)?;
    writeln!(
        out,
        "told apart by {}: {} against {} of {} counted",
        verdict.distinguisher, verdict.hits[0], verdict.hits[1], verdict.counted
    )?;
    let percent = 100.0 * verdict.confidence;
    writeln!(out, "epsilon is at least {:.3} ({percent} %); {} is claimed", verdict.lower, verdict.epsilon)?;
    if let Some(fit) = verdict.fit {
        writeln!(out, "the outputs follow their channel with p = {fit:.3}")?;
    }
    let said = match (verdict.refuted, verdict.misfit) {
        (true, _) => "REFUTED: the outputs give away more than is claimed",
        (false, true) => "REFUTED: the outputs do not follow their channel",
        _ => "nothing speaks against the claim",
    };
    writeln!(out, "{said}")
}
