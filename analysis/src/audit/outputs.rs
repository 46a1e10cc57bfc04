// SPDX-License-Identifier: MIT OR Apache-2.0
//! The outputs of somebody else's client: two inputs, any text.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use stipple_catalog::{Definition, Domain};
use stipple_ldp::{ParameterError, Response, Value};

use super::{Effort, Verdict, judge};

/// A file of outputs that cannot be audited.
#[derive(Debug, thiserror::Error)]
pub enum OutputsError {
    /// It could not be read.
    #[error("cannot read {path}: {source}; name a CSV file with the columns input,output")]
    Unreadable {
        /// the file
        path: PathBuf,
        /// why
        source: std::io::Error,
    },
    /// A row is wrong.
    #[error(
        "{path}: row {row}: {problem}; a row is an input, a comma and an output, quoted where they hold commas or quotes"
    )]
    Row {
        /// the file
        path: PathBuf,
        /// the row, from 1
        row: usize,
        /// what is wrong
        problem: String,
    },
    /// Not two inputs.
    #[error("{path}: an audit tells two inputs apart, and there are {}: {}; keep the rows of two", inputs.len(), shown(inputs))]
    Inputs {
        /// the file
        path: PathBuf,
        /// the inputs found
        inputs: Vec<String>,
    },
    /// An input that is no value of the metric.
    #[error(
        "{path}: {metric} has no value {input:?}; write a label, a count, or labels of a set with \";\" between them"
    )]
    Input {
        /// the file
        path: PathBuf,
        /// the metric
        metric: String,
        /// the input
        input: String,
    },
    /// No confidence.
    #[error(transparent)]
    Confidence(#[from] ParameterError),
}

fn shown(inputs: &[String]) -> String {
    let some: Vec<String> = inputs.iter().take(5).map(|input| format!("{input:?}")).collect();
    format!("{}{}", some.join(", "), if inputs.len() > 5 { " and more" } else { "" })
}

/// The outputs of two inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    path: PathBuf,
    inputs: [String; 2],
    texts: [Vec<String>; 2],
}

impl Outputs {
    /// Reads a CSV file with the header `input,output`.
    ///
    /// # Errors
    /// [`OutputsError`] naming the row.
    pub fn read(path: &Path) -> Result<Self, OutputsError> {
        let text = std::fs::read_to_string(path);
        Self::parse(path, &text.map_err(|source| OutputsError::Unreadable { path: path.to_owned(), source })?)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, OutputsError> {
        let fault = |row, problem: String| OutputsError::Row { path: path.to_owned(), row, problem };
        let rows = records(text).map_err(|(row, problem)| fault(row, problem.to_owned()))?;
        let (mut inputs, mut texts) = (Vec::<String>::new(), Vec::<Vec<String>>::new());
        for (number, fields) in (1..).zip(rows) {
            let fields: [String; 2] = fields
                .try_into()
                .map_err(|fields: Vec<String>| fault(number, format!("{} columns instead of 2", fields.len())))?;
            if number == 1 {
                if fields != ["input", "output"] {
                    return Err(fault(1, "the header is not input,output".to_owned()));
                }
                continue;
            }
            let [input, output] = fields;
            let side = inputs.iter().position(|known| *known == input).unwrap_or_else(|| {
                inputs.push(input);
                texts.push(Vec::new());
                inputs.len() - 1
            });
            texts[side].push(output);
        }
        match (<[String; 2]>::try_from(inputs), <[Vec<String>; 2]>::try_from(texts)) {
            (Ok(inputs), Ok(texts)) => Ok(Self { path: path.to_owned(), inputs, texts }),
            (Err(inputs), _) => Err(OutputsError::Inputs { path: path.to_owned(), inputs }),
            (Ok(inputs), _) => Err(OutputsError::Inputs { path: path.to_owned(), inputs: inputs.into() }),
        }
    }

    /// How many outputs of each input there are: the fewer of the two.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.texts.iter().map(Vec::len).min().unwrap_or(0) as u64
    }

    /// Whether an input has no output.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Audits a client of which nothing is known but that it claims this epsilon. All outputs are used.
    ///
    /// # Errors
    /// [`OutputsError::Confidence`] unless it is a chance.
    pub fn audit(&self, epsilon: f64, confidence: f64) -> Result<Verdict, OutputsError> {
        let effort = Effort { draws: self.len(), confidence };
        let views: Vec<_> = VIEWS.iter().map(|(_, view)| |text: &String| view(text)).collect();
        let views: Vec<&dyn Fn(&String) -> u64> = views.iter().map(|view| view as _).collect();
        let (view, found) = effort.audit(false)?.best_of([&self.texts[0], &self.texts[1]], &views);
        Ok(Verdict {
            inputs: self.inputs.clone(),
            outputs: self.len(),
            distinguisher: VIEWS[view].0,
            counted: found.draws,
            hits: found.hits,
            confidence,
            epsilon,
            lower: found.lower,
            fit: None,
            refuted: found.lower > epsilon,
            misfit: false,
        })
    }

    /// Audits a client that claims to answer for a metric: outputs are payloads in hexadecimal, inputs labels. One that no honest
    /// client can send is a misfit.
    ///
    /// # Errors
    /// [`OutputsError::Input`] for a label that the metric does not have.
    pub fn audit_metric(
        &self,
        definition: &Definition,
        epsilon: f64,
        confidence: f64,
    ) -> Result<Verdict, OutputsError> {
        let unknown = |input: &String| OutputsError::Input {
            path: self.path.clone(),
            metric: definition.id.clone(),
            input: input.clone(),
        };
        let value = |input: &String| value(definition, input).ok_or_else(|| unknown(input));
        let values = [value(&self.inputs[0])?, value(&self.inputs[1])?];
        let response = |text: &String| -> Option<Response> { definition.mechanism.decode(&bytes(text)?).ok() };
        let responses = self.texts.each_ref().map(|texts| texts.iter().map(response).collect());
        let effort = Effort { draws: self.len(), confidence };
        let verdict = judge(&definition.mechanism, &values, epsilon, effort, &responses)?;
        Ok(Verdict { inputs: self.inputs.clone(), ..verdict })
    }
}

/// The value of a metric that an input names.
fn value(definition: &Definition, input: &str) -> Option<Value> {
    let label = |text: &str| {
        let place = definition.domain.labels().iter().position(|label| label == text);
        place.and_then(|place| u32::try_from(place).ok())
    };
    let value = match definition.domain {
        Domain::Symbol(_) | Domain::Buckets(_) => Value::Symbol(label(input)?),
        Domain::Count { .. } => Value::Count(label(input)?),
        Domain::Set { .. } if input.is_empty() => Value::Set(Vec::new()),
        Domain::Set { .. } => Value::Set(input.split(';').map(label).collect::<Option<_>>()?),
    };
    let known = definition.mechanism.check(&stipple_ldp::TrueValue::new(value.clone()));
    known.is_ok().then_some(value)
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

type View = fn(&str) -> u64;

/// What may tell two inputs apart. A view of an output is post-processing: it can only lose epsilon, so whichever is chosen, the
/// bound holds.
const VIEWS: [(&str, View); 6] = [
    ("the whole output", |text| hash(text)),
    ("the length of the output", |text| text.len() as u64),
    ("whether the parts of the output are equal", equal_parts),
    // Mironov (CCS 2012): the sum of a value and a floating-point noise lies on a grid that depends on the value.
    ("the lowest bit that is set in the number", |text| number(text).map_or(u64::MAX, lowest)),
    ("the size of the number", |text| number(text).map_or(u64::MAX, |x| x.to_bits() >> 49)),
    ("the size and the lowest bit of the number", |text| {
        number(text).map_or(u64::MAX, |x| x.to_bits() >> 52 << 12 | lowest(x))
    }),
];

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// A decimal number, or after `0x` the 16 hexadecimal digits of a double's bits.
fn number(text: &str) -> Option<f64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(f64::from_bits),
        None => text.parse().ok(),
    }
}

/// The exponent of the lowest bit that is set, moved so that it is not negative.
fn lowest(x: f64) -> u64 {
    let (bits, mantissa) = (x.to_bits(), x.to_bits() & ((1 << 52) - 1));
    let exponent = bits >> 52 & 0x7FF;
    if mantissa == 0 { exponent + 52 } else { exponent + u64::from(mantissa.trailing_zeros()) }
}

/// For every pair of neighbouring parts, between blanks, whether they are equal.
fn equal_parts(text: &str) -> u64 {
    let parts: Vec<&str> = text.split_whitespace().collect();
    parts.windows(2).take(62).fold(1, |bits, pair| bits << 1 | u64::from(pair[0] == pair[1]))
}

/// The fields of every record (RFC 4180), or the row that is wrong. Blank lines are no rows.
fn records(text: &str) -> Result<Vec<Vec<String>>, (usize, &'static str)> {
    let (mut rows, mut fields, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut closed) = (false, false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let row = rows.len() + 1;
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if quoted => (quoted, closed) = (false, true),
            _ if quoted => field.push(character),
            '"' if field.is_empty() && !closed => quoted = true,
            '"' => return Err((row, "a quote inside a field")),
            ',' => {
                fields.push(std::mem::take(&mut field));
                closed = false;
            }
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' => {
                if !(fields.is_empty() && field.is_empty() && !closed) {
                    fields.push(std::mem::take(&mut field));
                    rows.push(std::mem::take(&mut fields));
                }
                closed = false;
            }
            _ if closed => return Err((row, "text after a closing quote")),
            _ => field.push(character),
        }
    }
    if quoted {
        return Err((rows.len() + 1, "a quote that is never closed"));
    }
    if !(fields.is_empty() && field.is_empty() && !closed) {
        fields.push(field);
        rows.push(fields);
    }
    Ok(rows)
}

#[cfg(test)]
pub(super) fn outputs_of(text: &str) -> Result<Outputs, OutputsError> {
    Outputs::parse(Path::new("outputs.csv"), text)
}
