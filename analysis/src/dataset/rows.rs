// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rows of `counts.csv`. No field of the format may hold a comma or a quote, so a row is split at its commas; a row that
//! someone quoted has a field that is no id, week or number.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};

use sha2::{Digest, Sha256};
use stipple_catalog::{Catalogue, Definition, Week};

use super::error::{HEADER, RowFault};
use super::{MOST_REPORTS, WeekCounts};

/// The longest row: ids and numbers take a fraction of it.
const LONGEST: usize = 64 * 1024;

/// A fault with its row, from 1.
type At = (usize, RowFault);
type Metrics = BTreeMap<String, Vec<WeekCounts>>;

/// What a file holds.
pub(super) struct Parsed {
    /// SHA-256 of the whole file
    pub digest: [u8; 32],
    /// the counts of every metric, weeks in order, and the number of rows without the header
    pub rows: Result<(Metrics, usize), At>,
}

/// One row whose fields are well formed.
struct Row<'a, 'c> {
    definition: &'c Definition,
    week: Week,
    reports: u64,
    cell: &'a str,
    count: u64,
}

/// The metric and week that is being read.
struct Open<'c> {
    definition: &'c Definition,
    counts: WeekCounts,
    /// how its rows begin: everything before the cell
    beginning: Vec<u8>,
}

/// What has been read so far.
struct Rows<'c> {
    catalogue: &'c Catalogue,
    metrics: Metrics,
    definitions: BTreeMap<String, String>,
    open: Option<Open<'c>>,
    /// of the row read last, from 1
    number: usize,
}

/// Reads a file piece by piece, however long it is. All of it is read even after a fault: whether it is the file that was exported
/// comes first.
pub(super) fn parse(mut file: impl Read, catalogue: &Catalogue) -> std::io::Result<Parsed> {
    let mut rows = Rows { catalogue, metrics: Metrics::new(), definitions: BTreeMap::new(), open: None, number: 0 };
    let (mut digest, mut fault) = (Sha256::new(), None);
    let (mut piece, mut held) = (vec![0; 8 * LONGEST], 0);
    loop {
        let more = match file.read(&mut piece[held..]) {
            Ok(0) => break,
            Ok(more) => more,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        digest.update(&piece[held..held + more]);
        held += more;
        let whole = piece[..held].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        if fault.is_none() {
            fault = rows.lines(&piece[..whole]).err();
        }
        piece.copy_within(whole..held, 0);
        held -= whole;
        if held > LONGEST {
            fault = fault.or(Some((rows.number + 1, RowFault::Long)));
            held = 0;
        }
    }
    let last = &piece[..held];
    let rows = fault.map_or(Ok(()), Err).and_then(|()| rows.lines(last)).and_then(|()| rows.finish());
    Ok(Parsed { digest: digest.finalize().into(), rows })
}

impl Rows<'_> {
    /// Reads whole rows; the last may lack its end of line.
    fn lines(&mut self, piece: &[u8]) -> Result<(), At> {
        for line in piece.split_inclusive(|&byte| byte == b'\n') {
            self.number += 1;
            self.line(line.strip_suffix(b"\n").unwrap_or(line)).map_err(|fault| (self.number, fault))?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), RowFault> {
        if self.number == 1 {
            return if line == HEADER.as_bytes() { Ok(()) } else { Err(RowFault::Header) };
        }
        // Most rows begin like the one before.
        if let Some(open) = &mut self.open
            && let Some(rest) = line.strip_prefix(open.beginning.as_slice())
            && open.plain(rest)
        {
            return Ok(());
        }
        let row = row(line, self.catalogue, &mut self.definitions)?;
        match &mut self.open {
            Some(group) if group.definition.id == row.definition.id && group.counts.week == row.week => group.add(&row),
            _ => {
                // A group that ends too early is found where the next one begins.
                let beginning = line[..line.len() - row.tail()].to_vec();
                let next = begin(self.open.as_ref(), &row, beginning)?;
                close(self.open.replace(next), &mut self.metrics)
            }
        }
    }

    fn finish(mut self) -> Result<(Metrics, usize), At> {
        if self.number == 0 {
            return Err((1, RowFault::Header));
        }
        close(self.open, &mut self.metrics).map_err(|fault| (self.number + 1, fault))?;
        Ok((self.metrics, self.number - 1))
    }
}

impl Row<'_, '_> {
    /// The letters of `cell,count`.
    fn tail(&self) -> usize {
        self.cell.len() + 1 + self.count.to_string().len()
    }
}

fn row<'a, 'c>(
    line: &'a [u8],
    catalogue: &'c Catalogue,
    definitions: &mut BTreeMap<String, String>,
) -> Result<Row<'a, 'c>, RowFault> {
    let line = std::str::from_utf8(line).map_err(|_| RowFault::Encoding)?;
    let fields: Vec<&str> = line.split(',').collect();
    let &[metric, hash, week, reports, cell, count] = fields.as_slice() else {
        return Err(RowFault::Columns(fields.len()));
    };
    let definition = catalogue.get(metric).ok_or_else(|| RowFault::UnknownMetric(metric.to_owned()))?;
    if hash.len() != 32 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(RowFault::BadDefinition(hash.to_owned()));
    }
    let first = definitions.entry(metric.to_owned()).or_insert_with(|| hash.to_owned());
    if first != hash {
        let (first, second) = (first.clone(), hash.to_owned());
        return Err(RowFault::TwoDefinitions { metric: metric.to_owned(), first, second });
    }
    if definition.hash.to_string() != hash {
        let (metric, found) = (metric.to_owned(), hash.to_owned());
        return Err(RowFault::StaleDefinition { metric, expected: definition.hash, found });
    }
    let (reports, count) = (whole("reports", reports)?, whole("count", count)?);
    if count > reports {
        return Err(RowFault::CountOverReports { count, reports });
    }
    Ok(Row { definition, week: week.parse()?, reports, cell, count })
}

/// A whole number in the one way of writing it: `+1`, `01`, `1.0`, `NaN` and negative numbers are refused.
fn whole(column: &'static str, text: &str) -> Result<u64, RowFault> {
    let number = text.parse().ok().filter(|number: &u64| *number <= MOST_REPORTS && number.to_string() == text);
    number.ok_or_else(|| RowFault::Number { column, text: text.to_owned() })
}

/// The same from plain digits; `None` for anything else.
fn digits(text: &[u8]) -> Option<u64> {
    let plain = (1..=16).contains(&text.len()) && (text[0] != b'0' || text.len() == 1);
    let add = |number: u64, &digit: &u8| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'));
    if plain { text.iter().try_fold(0, add) } else { None }
}

/// Begins the group of a row, which must come after the group before.
fn begin<'c>(before: Option<&Open<'c>>, row: &Row<'_, 'c>, beginning: Vec<u8>) -> Result<Open<'c>, RowFault> {
    if let Some(before) = before {
        let (old, new) = ((&before.definition.id, before.counts.week), (&row.definition.id, row.week));
        if old >= new {
            let after = format!("{} in {}", old.0, old.1);
            return Err(RowFault::Order { metric: new.0.clone(), week: new.1, after });
        }
    }
    let counts = WeekCounts { week: row.week, reports: row.reports, counts: Vec::new() };
    let mut open = Open { definition: row.definition, counts, beginning };
    open.add(row)?;
    Ok(open)
}

/// Ends a group: every cell must be there, and the sum must be possible.
fn close(open: Option<Open<'_>>, metrics: &mut Metrics) -> Result<(), RowFault> {
    let Some(Open { definition, counts, .. }) = open else { return Ok(()) };
    let (metric, week, reports) = (definition.id.clone(), counts.week, counts.reports);
    let (cells, seen) = (definition.mechanism.cells(), counts.counts.len());
    if seen != cells {
        let (expected, found) = (format!("cell {seen}"), "the end of its rows".to_owned());
        return Err(RowFault::Cell { metric, week, expected, found });
    }
    if let Some(each) = definition.mechanism.cells_per_response() {
        let found = counts.counts.iter().copied().map(u128::from).sum();
        let expected = u128::from(reports) * u128::from(each);
        if found != expected {
            return Err(RowFault::Sum { metric, week, reports, expected, found });
        }
    }
    let weeks = metrics.entry(metric.clone()).or_default();
    weeks.push(counts);
    let total: u128 = weeks.iter().map(|week| u128::from(week.reports)).sum();
    if total > u128::from(MOST_REPORTS) {
        return Err(RowFault::TooManyReports(metric));
    }
    Ok(())
}

impl Open<'_> {
    /// Takes `cell,count` if it is the next and possible; if not, the row is to be looked at field by field.
    fn plain(&mut self, rest: &[u8]) -> bool {
        let Some(comma) = rest.iter().position(|&byte| byte == b',') else { return false };
        let (cell, count) = (digits(&rest[..comma]), digits(&rest[comma + 1..]));
        let next = self.counts.counts.len();
        let fits = next < self.definition.mechanism.cells() && cell == Some(next as u64);
        let Some(count) = count.filter(|&count| fits && count <= self.counts.reports) else { return false };
        self.counts.counts.push(count);
        true
    }

    fn add(&mut self, row: &Row<'_, '_>) -> Result<(), RowFault> {
        let (metric, week, next) = (|| self.definition.id.clone(), row.week, self.counts.counts.len());
        let is_over = next >= self.definition.mechanism.cells();
        if is_over || row.cell != next.to_string() {
            let expected = if is_over { "another metric or week".to_owned() } else { format!("cell {next}") };
            return Err(RowFault::Cell { metric: metric(), week, expected, found: format!("cell {:?}", row.cell) });
        }
        if row.reports != self.counts.reports {
            let (expected, found) = (self.counts.reports, row.reports);
            return Err(RowFault::UnequalReports { metric: metric(), week, expected, found });
        }
        self.counts.counts.push(row.count);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use super::*;

    /// A file that comes a few bytes at a time.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let (drop, rest) = self.0.split_at(self.1.min(self.0.len()).min(buffer.len()));
            buffer[..drop.len()].copy_from_slice(drop);
            self.0 = rest;
            Ok(drop.len())
        }
    }

    #[test]
    fn rows_are_the_same_in_any_pieces() {
        let catalogue = Catalogue::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../catalog/metrics"))).unwrap();
        let definition = catalogue.get("hardware.ram-class").unwrap();
        let cells = definition.mechanism.cells();
        let each = u64::from(definition.mechanism.cells_per_response().unwrap());
        let mut text = format!("{HEADER}\n");
        for week in ["2026-W48", "2026-W49"] {
            for cell in 0..cells {
                // All reports in the first cells of a mask: possible, if unlikely.
                let count = if (cell as u64) < each { 1000 } else { 0 };
                writeln!(text, "{},{},{week},1000,{cell},{count}", definition.id, definition.hash).unwrap();
            }
        }
        let whole = parse(text.as_bytes(), &catalogue).unwrap();
        let (metrics, rows) = whole.rows.unwrap();
        assert_eq!((rows, metrics[&definition.id].len()), (2 * cells, 2));
        for size in [1, 7, 64, 1000] {
            let drops = parse(Drops(text.as_bytes(), size), &catalogue).unwrap();
            assert_eq!(drops.digest, whole.digest);
            assert_eq!(drops.rows.unwrap(), (metrics.clone(), rows), "{size} bytes at a time");
        }
        // Larger than a piece: the fault is still named with its row, and the digest is of all.
        let long = text.clone() + &"x".repeat(20 * LONGEST);
        let Parsed { digest, rows } = parse(long.as_bytes(), &catalogue).unwrap();
        assert_eq!(digest[..], Sha256::digest(long.as_bytes())[..]);
        assert!(matches!(rows, Err((row, RowFault::Long)) if row == 2 * cells + 2));
    }
}
