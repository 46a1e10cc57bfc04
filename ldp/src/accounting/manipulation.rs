// SPDX-License-Identifier: MIT OR Apache-2.0
//! How far false reports can move an estimate: the price of local privacy that is published beside every number.
//!
//! The estimates are sums over reports, so a false report moves them by at most what the strongest report weighs (Cheu,
//! Smith and Ullman, *Manipulation attacks in local differential privacy*, S&P 2021, who show that no protocol escapes
//! it by more than a constant; Cao, Jia and Gong, USENIX Security 2021). These bounds assume that every report is
//! checked for its form, so that it counts once.

use crate::support::Support;

/// The most that `fake` reports among `reports` can raise the estimate of one share, over the same number of honest
/// reports that do not hold the value: `k (1 - P_f) / (n (P_t - P_f))`. Not a number for no reports.
#[must_use]
pub fn share_raised(support: &Support, fake: u64, reports: u64) -> f64 {
    fraction(fake, reports) * support.poisoning_shift()
}

/// The most that `fake` reports among `reports` can lower the estimate of one share, over the same number of honest
/// reports that do not hold the value: `k P_f / (n (P_t - P_f))`.
#[must_use]
pub fn share_lowered(support: &Support, fake: u64, reports: u64) -> f64 {
    fraction(fake, reports) * support.p_false / support.contrast()
}

/// The most that replacing `fake` of `reports` by others can move the estimate of a mean whose reports contribute phi
/// each: `k (max phi - min phi) / n`. 0 for an empty phi.
///
/// For a share, phi is `(1 - P_f)/(P_t - P_f)` and `-P_f/(P_t - P_f)`: the two bounds above, added.
#[must_use]
pub fn mean_moved(phi: &[f64], fake: u64, reports: u64) -> f64 {
    let most = phi.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let least = phi.iter().copied().fold(f64::INFINITY, f64::min);
    if phi.is_empty() { 0.0 } else { fraction(fake, reports) * (most - least) }
}

fn fraction(fake: u64, reports: u64) -> f64 {
    fake as f64 / reports as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Bound, Debias, DomainSize, Epsilon, Mechanism, ProjectiveGeometry, RandomisedResponse, SubsetSelection,
    };

    fn epsilon(e: f64) -> Epsilon {
        Epsilon::try_from(e).unwrap()
    }

    fn size(d: u64) -> DomainSize {
        DomainSize::try_from(d).unwrap()
    }

    /// LDP.md section 3, "Malicious clients": the shift of one target per false report in units of 1/n, at epsilon 1.
    #[test]
    fn the_published_table() {
        let e = epsilon(1.0);
        let a = f64::exp(1.0);
        let grr = |d| RandomisedResponse::new(size(d), e.weights()).design.support();
        let root = a.sqrt();
        let sue = Support { p_true: root / (root + 1.0), p_false: 1.0 / (root + 1.0) };
        let oue = Support { p_true: 0.5, p_false: 1.0 / (a + 1.0) };
        let olh = Support { p_true: a / (a + 3.0), p_false: 0.25 };
        let pgr = ProjectiveGeometry::new(size(1000), e.weights()).unwrap().design.support();
        let table =
            [(grr(1000), "582"), (grr(100), "58.6"), (sue, "2.54"), (oue, "3.16"), (olh, "3.33"), (pgr, "2.75")];
        for (support, printed) in table {
            let decimals = printed.split_once('.').map_or(0, |(_, d)| d.len());
            assert_eq!(format!("{:.decimals$}", share_raised(&support, 1, 1)), printed);
        }
        // Subset selection: 3.1 to 3.2 for dictionaries of some size, as low as projective geometry's 2.75 at its
        // optimum.
        for (d, printed) in [(10, "2.75"), (30, "3.11"), (64, "3.16")] {
            let support = SubsetSelection::new(size(d), e.weights()).unwrap().design.support();
            assert_eq!(format!("{:.2}", share_raised(&support, 1, 1)), printed);
        }
    }

    /// The bounds against all that an attacker can do: every message of a small mechanism, in place of every other.
    #[test]
    fn no_message_moves_an_estimate_further() {
        let mechanism = Mechanism::SubsetSelection(SubsetSelection::new(size(5), epsilon(1.0).weights()).unwrap());
        let Debias::Shares(support) = mechanism.debias() else { unreachable!() };
        // 10 reports; the honest ones support value 0 as often as non-holders do.
        let share = |supporting: f64| support.share((9.0 * support.p_false + supporting) / 10.0);
        let honest = share(support.p_false);
        assert!((share(1.0) - honest - share_raised(&support, 1, 10)).abs() < 1e-12);
        assert!((honest - share(0.0) - share_lowered(&support, 1, 10)).abs() < 1e-12);
        let phi = [(1.0 - support.p_false) / support.contrast(), -support.p_false / support.contrast()];
        assert!((mean_moved(&phi, 1, 10) - (share(1.0) - share(0.0))).abs() < 1e-12);

        let noise = crate::TruncatedGeometric::new(Bound::try_from(4).unwrap(), epsilon(2.0)).unwrap();
        let phi = noise.unbiased();
        let swaps = phi.iter().flat_map(|new| phi.iter().map(move |old| (new - old) / 50.0 * 3.0));
        let greatest = swaps.fold(0.0, f64::max);
        assert!((mean_moved(&phi, 3, 50) - greatest).abs() < 1e-12);
        assert!(mean_moved(&[], 3, 50) == 0.0);
    }
}
