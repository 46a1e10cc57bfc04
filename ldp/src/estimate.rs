// SPDX-License-Identifier: MIT OR Apache-2.0
//! From accumulated cells to unbiased estimates, with the check that honest reports can have added up to them.

use crate::error::CountsError;
use crate::mechanism::{Debias, Mechanism};
use crate::postprocess::{Fit, Likelihood as _, Stopping, TwoWeight, em};

impl Mechanism {
    /// How many cells every response counts in, where that is one number; `None` for sets, which differ.
    #[must_use]
    pub const fn cells_per_response(&self) -> Option<u32> {
        match self {
            Self::SubsetSelection(m) => Some(m.subset_size()),
            Self::Collision(_) | Self::PrivSet(_) => None,
            _ => Some(1),
        }
    }

    /// The unbiased estimates from the cells that `reports` responses were accumulated into: d shares, or one mean. They are not cut to
    /// their range: a share near 0 is as often below as above the truth, and sums and averages stay right.
    ///
    /// # Errors
    /// [`CountsError`] when the cells cannot come from that many responses.
    pub fn estimate(&self, cells: &[u64], reports: u64) -> Result<Vec<f64>, CountsError> {
        self.check_counts(cells, reports)?;
        let n = reports as f64;
        Ok(match self.debias() {
            Debias::Shares(support) => {
                self.support_counts(cells).iter().map(|&count| support.share(count as f64 / n)).collect()
            }
            Debias::Mean { unbiased } => {
                vec![cells.iter().zip(&unbiased).map(|(&count, phi)| count as f64 * phi).sum::<f64>() / n]
            }
        })
    }

    /// The shares of the values that make the cells most likely, by expectation-maximisation: non-negative, with the sum 1, and slightly
    /// biased near 0. For mechanisms whose cells count messages; the square wave is made for it.
    ///
    /// # Errors
    /// [`CountsError`] when the cells cannot come from that many responses, or are no counts of messages.
    pub fn fit(&self, cells: &[u64], reports: u64, stopping: Stopping) -> Result<Fit, CountsError> {
        self.check_counts(cells, reports)?;
        match self {
            Self::RandomisedResponse(m) => {
                let same = |sums: &[f64]| sums.to_vec();
                Ok(em(cells, &TwoWeight::new(&m.design.channel, self.values(), same, same), stopping))
            }
            Self::ProjectiveGeometry(m) => {
                let twins = m.space.twins();
                let over_values = |shares: &[f64]| m.space.value_sums(shares, &twins);
                let over_messages = |weights: &[f64]| m.space.block_sums(weights, self.values());
                let likelihood = TwoWeight::new(&m.design.channel, self.values(), over_values, over_messages);
                Ok(em(cells, &likelihood, stopping))
            }
            _ => {
                let rows = self.rows();
                if rows.is_empty() { Err(CountsError::NoMessages) } else { Ok(em(cells, rows.as_slice(), stopping)) }
            }
        }
    }

    /// P[cell y] of a report whose sender is drawn from a population with these shares of the values, one for each: for
    /// mechanisms whose cells count messages; `None` for masks and hashes. The sums of a projective geometry carry rounding
    /// errors of some `1e-16`.
    #[must_use]
    pub fn output_chances(&self, shares: &[f64]) -> Option<Vec<f64>> {
        match self {
            Self::RandomisedResponse(m) => {
                let same = |sums: &[f64]| sums.to_vec();
                Some(TwoWeight::new(&m.design.channel, self.values(), same, same).messages(shares))
            }
            Self::ProjectiveGeometry(m) => {
                let twins = m.space.twins();
                let over_values = |shares: &[f64]| m.space.value_sums(shares, &twins);
                let unused = |weights: &[f64]| weights.to_vec();
                Some(TwoWeight::new(&m.design.channel, self.values(), over_values, unused).messages(shares))
            }
            _ => Some(self.rows()).filter(|rows| !rows.is_empty()).map(|rows| rows.messages(shares)),
        }
    }

    /// The rows of all counts from 0 to m; empty for symbols and sets.
    pub(crate) fn rows(&self) -> Vec<Vec<f64>> {
        (0..).map_while(|x| self.row(x)).collect()
    }

    /// The variance of phi at each count from 0 to m: what the noise alone gives the estimate of one report's mean. Empty for symbols
    /// and sets.
    #[must_use]
    pub fn noise_variances(&self) -> Vec<f64> {
        let Debias::Mean { unbiased } = self.debias() else { return Vec::new() };
        let variance = |(x, row): (u32, &Vec<f64>)| {
            row.iter().zip(&unbiased).map(|(chance, phi)| chance * (phi - f64::from(x)).powi(2)).sum()
        };
        (0..).zip(&self.rows()).map(variance).collect()
    }

    fn check_counts(&self, cells: &[u64], reports: u64) -> Result<(), CountsError> {
        if reports == 0 {
            return Err(CountsError::NoReports);
        }
        if cells.len() != self.cells() {
            return Err(CountsError::WrongLength { expected: self.cells(), found: cells.len() });
        }
        if let Some((cell, &count)) = cells.iter().enumerate().find(|&(_, &count)| count > reports) {
            return Err(CountsError::MoreThanReports { cell, count, reports });
        }
        let found = cells.iter().copied().map(u128::from).sum();
        match self.cells_per_response().map(|each| u128::from(each) * u128::from(reports)) {
            Some(expected) if expected != found => Err(CountsError::WrongSum { expected, found }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        DomainSize, Epsilon, ProjectiveGeometry, RandomisedResponse, SquareWave, SubsetSelection, TruncatedGeometric,
    };

    #[test]
    fn impossible_counts_are_refused_with_the_reason() {
        let (size, epsilon) = (DomainSize::try_from(4).unwrap(), Epsilon::try_from(1.0).unwrap());
        let symbols = Mechanism::RandomisedResponse(RandomisedResponse::new(size, epsilon.weights()));
        let text = |cells: &[u64], reports| symbols.estimate(cells, reports).unwrap_err().to_string();
        assert!(text(&[0; 4], 0).contains("no reports"));
        assert!(text(&[1, 0, 0], 1).contains("4 cells, not 3"));
        assert!(text(&[2, 0, 0, 0], 1).contains("cell 0 holds 2, more than the 1 reports"));
        assert!(text(&[1, 1, 0, 0], 3).contains("add up to 2, and 3"), "{}", text(&[1, 1, 0, 0], 3));
        assert!(text(&[u64::MAX; 4], u64::MAX).contains("add up to"));
        let masks = Mechanism::SubsetSelection(SubsetSelection::new(size, epsilon.weights()).unwrap());
        assert!(masks.estimate(&[1, 1, 1, 1], 4 / masks.cells_per_response().map_or(1, u64::from)).is_ok());
    }

    /// EM on the expected counts of a distribution that lies inside the simplex finds it again, whatever the mechanism.
    #[test]
    fn a_fit_of_expected_counts_is_the_truth() {
        let epsilon = Epsilon::try_from(2.0).unwrap();
        let bound = crate::Bound::try_from(6).unwrap();
        let size = DomainSize::try_from(7).unwrap();
        let truth = [0.3, 0.2, 0.15, 0.05, 0.1, 0.15, 0.05];
        let reports = 1_000_000_000_000_u64;
        let geometry = ProjectiveGeometry::over(size, (3, 3), epsilon.weights()).unwrap();
        let weights = epsilon.weights();
        let chance = |inside: bool, total: u128| {
            (if inside { weights.inside() } else { weights.outside() }) as f64 / total as f64
        };
        for mechanism in [
            Mechanism::RandomisedResponse(RandomisedResponse::new(size, weights)),
            Mechanism::ProjectiveGeometry(geometry),
            Mechanism::SquareWave(SquareWave::new(bound, epsilon)),
            Mechanism::TruncatedGeometric(TruncatedGeometric::new(bound, epsilon).unwrap()),
        ] {
            let row = |v: u32| {
                mechanism.row(v).unwrap_or_else(|| {
                    let (blocks, mut row) = (mechanism.blocks().unwrap(), vec![0.0; mechanism.cells()]);
                    let channel = blocks.design().channel;
                    let mut fill = |message: u64, inside| {
                        row[usize::try_from(message).unwrap()] = chance(inside, channel.total());
                    };
                    (0..channel.block).for_each(|i| fill(blocks.inside(v, i), true));
                    (0..channel.messages - channel.block).for_each(|i| fill(blocks.outside(v, i), false));
                    row
                })
            };
            let mut expected = vec![0.0; mechanism.cells()];
            for (v, share) in (0..).zip(truth) {
                expected.iter_mut().zip(row(v)).for_each(|(sum, p)| *sum += share * p * reports as f64);
            }
            let chances = mechanism.output_chances(&truth).unwrap();
            let off = |(p, e): (&f64, &f64)| (p - e / reports as f64).abs();
            assert!(chances.iter().zip(&expected).map(off).fold(0.0, f64::max) < 1e-12, "{mechanism}");
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts below the reports")]
            let mut cells: Vec<u64> = expected.iter().map(|&count| count as u64).collect();
            cells[0] += reports - cells.iter().sum::<u64>();
            let fit = mechanism.fit(&cells, reports, Stopping { gain: 1e-7, steps: 100_000 }).unwrap();
            for (found, share) in fit.shares.iter().zip(truth) {
                assert!((found - share).abs() < 1e-3, "{mechanism}: {:?} after {} steps", fit.shares, fit.steps);
            }
        }
        let masks = Mechanism::SubsetSelection(SubsetSelection::new(size, weights).unwrap());
        assert!(masks.output_chances(&truth).is_none());
        let none = masks.fit(&[1; 7], 7 / masks.cells_per_response().map_or(1, u64::from), Stopping::default());
        assert!(none.is_err());
    }

    #[test]
    fn estimates_of_expected_counts_are_the_truth() {
        let (size, epsilon) = (DomainSize::try_from(4).unwrap(), Epsilon::try_from(1.0).unwrap());
        let symbols = RandomisedResponse::new(size, epsilon.weights());
        let n = 1_000_000_u64;
        let expect = |share: f64| symbols.support().reported(share) * n as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts below n")]
        let mut cells = [0.5, 0.3, 0.2, 0.0].map(|share| expect(share).round() as u64);
        cells[3] += n - cells.iter().sum::<u64>();
        let estimates = Mechanism::RandomisedResponse(symbols).estimate(&cells, n).unwrap();
        for (estimate, truth) in estimates.iter().zip([0.5, 0.3, 0.2, 0.0]) {
            assert!((estimate - truth).abs() < 1e-5, "{estimates:?}");
        }
        let bound = crate::Bound::try_from(10).unwrap();
        let counts = Mechanism::TruncatedGeometric(TruncatedGeometric::new(bound, epsilon).unwrap());
        let mut cells = [0; 11];
        (cells[3], cells[4]) = (1, 1);
        assert_eq!(counts.estimate(&cells, 2).unwrap(), [3.5]);
    }
}
