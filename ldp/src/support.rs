// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pure-protocol estimator: from support counts to shares, with their variance.
//!
//! Wang, Blocki, Li and Jha (USENIX Security 2017, section 3). Every frequency oracle of this crate is pure: a report *supports*
//! some values, and the chance of supporting v depends only on whether the sender holds v.

/// The two chances that a report supports a value. All estimates of shares follow from them; floating point, so for
/// estimators only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Support {
    /// P_t: P[a report supports v | its sender holds v], in (0, 1\]
    pub p_true: f64,
    /// P_f: P[a report supports v | its sender does not], in \[0, p_true)
    pub p_false: f64,
}

impl Support {
    /// `P_t - P_f`: how much of a share remains visible in the reported share. For a block design it is also the total
    /// variation distance between the reports of two values.
    #[must_use]
    pub fn contrast(&self) -> f64 {
        self.p_true - self.p_false
    }

    /// The unbiased estimate of a share from the reported share `C_v / n`: the affine map that also carries intervals,
    /// coverage and all. Not cut to \[0, 1\].
    #[must_use]
    pub fn share(&self, reported: f64) -> f64 {
        (reported - self.p_false) / self.contrast()
    }

    /// The expected reported share `s = P_f + f (P_t - P_f)` at the true share f.
    #[must_use]
    pub fn reported(&self, share: f64) -> f64 {
        self.p_false + share * self.contrast()
    }

    /// `n Var` of the estimate at the true share f when the n senders are themselves a random sample: `s (1 - s) / (P_t - P_f)^2`.
    #[must_use]
    pub fn variance(&self, share: f64) -> f64 {
        let reported = self.reported(share);
        reported * (1.0 - reported) / self.contrast().powi(2)
    }

    /// `n Var` at the true share f when the data are fixed and only the noise is random:
    /// `(f P_t (1 - P_t) + (1 - f) P_f (1 - P_f)) / (P_t - P_f)^2`; less than [`Self::variance`] by `f (1 - f)`.
    #[must_use]
    pub fn noise_variance(&self, share: f64) -> f64 {
        let (t, f) = (self.p_true * (1.0 - self.p_true), self.p_false * (1.0 - self.p_false));
        (share * t + (1.0 - share) * f) / self.contrast().powi(2)
    }

    /// The most that one false report can add to an estimate, in units of `1/n` (an honest holder adds 1): `(1 - P_f) / (P_t - P_f)`.
    /// k of n reports move the estimate by at most `k/n` times this (Cheu, Smith and Ullman, S&P 2021; LDP.md section 3).
    #[must_use]
    pub fn poisoning_shift(&self) -> f64 {
        (1.0 - self.p_false) / self.contrast()
    }
}

/// The least `n Var` that any epsilon-LDP mechanism attains for one of d values, averaged over values at the uniform
/// distribution: `min_w (d-1)^2 (wa + d - w)^2 / (d^2 w (d-w) (a-1)^2)` with `a = e^epsilon` (Ye and Barg, IEEE Transactions on
/// Information Theory 2018; attained by subset selection).
#[must_use]
pub fn minimax_variance(values: u32, ratio: f64) -> f64 {
    let d = f64::from(values);
    let at = |w: u32| {
        let w = f64::from(w);
        let spread = w * ratio + d - w;
        (d - 1.0).powi(2) * spread * spread / (d * d * w * (d - w) * (ratio - 1.0).powi(2))
    };
    (1..values).map(at).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_variances_differ_by_the_sampling_of_people() {
        let support = Support { p_true: 0.7, p_false: 0.2 };
        for share in [0.0, 0.1, 0.5, 1.0] {
            let gap = support.variance(share) - support.noise_variance(share);
            assert!((gap - share * (1.0 - share)).abs() < 1e-12, "{share}: {gap}");
            assert!((support.share(support.reported(share)) - share).abs() < 1e-12);
        }
        assert!((support.poisoning_shift() - 1.6).abs() < 1e-12);
    }

    #[test]
    fn minimax_is_the_table_of_ye_and_barg() {
        let table = [(4, 1.0, "2.077"), (10, 2.0, "0.5922"), (100, 1.0, "3.609"), (1000, 2.0, "0.7226")];
        for (d, epsilon, printed) in table {
            let (least, decimals) = (minimax_variance(d, f64::exp(epsilon)), printed.len() - 2);
            assert_eq!(format!("{least:.decimals$}"), printed, "d={d} epsilon={epsilon}");
        }
    }
}
