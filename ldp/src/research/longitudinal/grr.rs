// SPDX-License-Identifier: MIT OR Apache-2.0
//! L-GRR: generalised randomised response twice, the first time for good (Arcolezi, Couchot, Al Bouna and Xiao, Digital
//! Communications and Networks 2022, arXiv 2111.04636).

use std::collections::BTreeMap;

use rand::Rng;

use super::{Longitudinal, chain::Chain};
use crate::{DomainSize, Epsilon, ParameterError, Support, ValueError};

/// How the odds of the second randomisation are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calibration {
    /// `(A_1 A - 1)/(A - A_1)`: as published. It gives `epsilon_1` for two symbols only; for more the report loses less
    /// than asked, and the estimate is worse than it need be.
    Published,
    /// `(A_1 (A + g - 2) - (g - 1))/(A - A_1)`: the report is randomised response at `epsilon_1` exactly.
    Exact,
}

impl Calibration {
    /// b: the odds of reporting the permanent response against any one other of `symbols`, for `permanent` =
    /// `A = e^epsilon_infinity` and `first` = `A_1 = e^epsilon_1`, `1 < A_1 < A`.
    ///
    /// Twice randomised, a symbol has the weight `A b + g - 1` and any other `A + b + g - 2`; their ratio set to `A_1`
    /// and solved for b is the exact calibration, and g = 2 turns it into the published one.
    #[must_use]
    pub fn irr_odds(self, symbols: u32, permanent: f64, first: f64) -> f64 {
        let others = match self {
            Self::Published => 1.0,
            Self::Exact => f64::from(symbols) - 1.0,
        };
        (first * (permanent + others - 1.0) - others) / (permanent - first)
    }

    pub(super) fn chain(self, symbols: u32, infinity: Epsilon, first: Epsilon) -> Result<Chain, ParameterError> {
        if first >= infinity {
            return Err(ParameterError::FirstReport { first, infinity });
        }
        let (permanent, first) = (f64::from(infinity).exp(), f64::from(first).exp());
        Ok(Chain::of_symbols(symbols, permanent, self.irr_odds(symbols, permanent, first)))
    }
}

/// L-GRR over d values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LongitudinalGrr {
    domain: u32,
    chain: Chain,
}

/// What an L-GRR workstation keeps: the permanent response to every value that it has held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrrClient {
    memo: BTreeMap<u32, u64>,
}

impl LongitudinalGrr {
    /// The protocol with the loss `infinity` of the permanent response and `first` asked of one report.
    ///
    /// # Errors
    /// [`ParameterError::FirstReport`] unless `first < infinity`.
    pub fn new(
        domain: DomainSize,
        infinity: Epsilon,
        first: Epsilon,
        calibration: Calibration,
    ) -> Result<Self, ParameterError> {
        Ok(Self { domain: domain.get(), chain: calibration.chain(domain.get(), infinity, first)? })
    }

    /// The chain behind it: the design K = d, r = 1.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }
}

impl Longitudinal for LongitudinalGrr {
    type Client = GrrClient;
    type Report = u64;

    fn enrol<R: Rng + ?Sized>(&self, _rng: &mut R) -> GrrClient {
        GrrClient::default()
    }

    fn report<R: Rng + ?Sized>(&self, client: &mut GrrClient, value: u32, rng: &mut R) -> Result<u64, ValueError> {
        if value >= self.domain {
            return Err(ValueError::OutOfRange);
        }
        let memo = *client.memo.entry(value).or_insert_with(|| self.chain.permanent_symbol(value.into(), rng));
        Ok(self.chain.refresh(memo, rng))
    }

    fn supports(&self, report: &u64, value: u32) -> Option<bool> {
        Some(*report == u64::from(value))
    }

    fn support(&self) -> Support {
        self.chain.support(0)
    }

    fn epsilon_first(&self) -> f64 {
        self.chain.epsilon_first()
    }

    fn epsilon_infinity(&self) -> f64 {
        self.chain.epsilon_infinity()
    }

    fn linkability_bits(&self) -> f64 {
        self.chain.linkability_bits()
    }

    fn linkability_bits_unknown_value(&self) -> f64 {
        self.chain.linkability_bits_unknown_value()
    }

    fn link_score(&self, value: u32, first: &u64, second: &u64) -> f64 {
        let held = u64::from(value);
        self.chain.link_score(*first == held, *second == held, first == second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::research::longitudinal::testing::{domain, epsilon, product, symbol_channel};

    fn l_grr(d: u32, infinity: f64, first: f64, calibration: Calibration) -> LongitudinalGrr {
        LongitudinalGrr::new(domain(d), epsilon(infinity), epsilon(first), calibration).unwrap()
    }

    /// Both matrices multiplied out, entry by entry: the stated chances, the loss, and for the exact calibration the
    /// one-shot channel.
    #[test]
    fn the_product_of_the_two_channels_is_as_stated() {
        for (infinity, first) in [(1.0, 0.5), (2.0, 1.0), (4.0, 2.0), (4.0, 0.1)] {
            for d in [2, 3, 7, 20] {
                for calibration in [Calibration::Published, Calibration::Exact] {
                    let m = l_grr(d, infinity, first, calibration);
                    let odds = calibration.irr_odds(d, f64::exp(infinity), f64::exp(first));
                    let channel = product(&symbol_channel(d, f64::exp(infinity)), &symbol_channel(d, odds));
                    let Support { p_true, p_false } = m.support();
                    for (v, row) in channel.iter().enumerate() {
                        for (y, p) in row.iter().enumerate() {
                            assert!((p - if y == v { p_true } else { p_false }).abs() < 1e-12, "d={d} {v} {y}");
                        }
                    }
                    assert!((m.epsilon_first() - (p_true / p_false).ln()).abs() < 1e-12);
                    assert!((m.epsilon_infinity() - infinity).abs() < 1e-12);
                    let gap = m.epsilon_first() - first;
                    let exact = calibration == Calibration::Exact || d == 2;
                    assert!(if exact { gap.abs() < 1e-12 } else { gap < -0.001 }, "d={d} {calibration:?}: {gap}");
                }
            }
        }
    }

    /// The same chain by another road: the block design K = d, r = 1 with its Lambda.
    #[test]
    fn the_exact_calibration_is_the_block_design_chain() {
        for d in [2, 5, 100] {
            let chain = Chain::exact(d.into(), 1, f64::exp(3.0), f64::exp(1.5)).unwrap();
            assert!((l_grr(d, 3.0, 1.5, Calibration::Exact).chain().keep() - chain.keep()).abs() < 1e-12);
        }
    }

    /// LDP.md, defect 4: at `epsilon_infinity` 2 the published calibration, asked for 1, gives 0.512; d = 20 it was.
    #[test]
    fn the_published_calibration_gives_less_than_asked() {
        let given = |d| format!("{:.3}", l_grr(d, 2.0, 1.0, Calibration::Published).epsilon_first());
        assert_eq!(given(20), "0.512");
        assert!((2..=100).filter(|&d| given(d) == "0.512").eq([20]));
        assert_eq!(given(2), "1.000");
        assert_eq!(given(100), "0.166");
    }

    /// LDP.md section 2.9: how many times the published variance at share 0 exceeds the exact one.
    #[test]
    fn gains_are_those_listed() {
        let listed = [
            (2.0, 1.0, 4, "1.30"),
            (2.0, 1.0, 20, "6.3"),
            (2.0, 1.0, 100, "90"),
            (4.0, 2.0, 4, "1.04"),
            (4.0, 2.0, 20, "1.56"),
            (4.0, 2.0, 100, "6.3"),
        ];
        for (infinity, first, d, printed) in listed {
            let variance = |calibration| l_grr(d, infinity, first, calibration).variance(0.0);
            let gain = variance(Calibration::Published) / variance(Calibration::Exact);
            let decimals = printed.split('.').nth(1).map_or(0, str::len);
            assert_eq!(format!("{gain:.decimals$}"), printed, "d={d}");
        }
    }
}
