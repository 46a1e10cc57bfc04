// SPDX-License-Identifier: MIT OR Apache-2.0
//! Re-linking: telling which of this week's reports comes from the workstation that sent one last week.

use rand::{Rng, RngExt};

/// The share of workstations that an observer re-links: for every report of the first week the observer names the
/// report of the second week with the greatest score, one of the best at random. `first[i]` and `second[i]` are the
/// i-th workstation's; the score should be the log likelihood ratio of "the same sender" to "two senders", which no
/// other guess from that one report beats (assigning all reports at once may). Chance is `1/n`, n being the length of
/// the second week.
///
/// A shorter first week is a sample of the targets. Those without a report in the second week are left out; without any
/// target the share is 0. Time: targets times n scores, fewer where the own report is soon beaten.
pub fn relink<M, R: Rng + ?Sized>(first: &[M], second: &[M], score: impl Fn(&M, &M) -> f64, rng: &mut R) -> f64 {
    let targets = first.len().min(second.len());
    let mut linked = 0_u32;
    for (report, own) in first.iter().zip(second) {
        let own = score(report, own);
        let mut ties = 0_u32;
        let beaten = second.iter().any(|candidate| {
            let rival = score(report, candidate);
            ties += u32::from(rival.total_cmp(&own).is_eq());
            rival > own
        });
        // The own report is one of the ties.
        linked += u32::from(!beaten && rng.random_range(0..ties.max(1)) == 0);
    }
    f64::from(linked) / targets.max(1) as f64
}

/// Reports of the second week that score alike, given one report of the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Class {
    /// the chance that the same workstation's report is one of these
    pub own: f64,
    /// the chance that another workstation's is
    pub stranger: f64,
}

/// The expected success of [`relink`] for one report among n workstations, the classes from the best score to the
/// worst.
///
/// If the own report is in a class of chance t for a stranger, and better classes have b together, then nobody may be
/// in a better one, and the own report is as likely to be named as each of the j strangers in its class. Summed over j
/// that is `((1 - b)^n - (1 - b - t)^n) / (n t)`.
#[must_use]
pub fn expected_success(classes: &[Class], n: usize) -> f64 {
    let n = n as f64;
    let mut better = 0.0;
    let mut success = 0.0;
    for Class { own, stranger } in classes {
        let (above, beyond) = ((1.0_f64 - better).max(0.0), (1.0_f64 - better - stranger).max(0.0));
        if *stranger > 0.0 {
            success += own * (above.powf(n) - beyond.powf(n)) / (n * stranger);
        }
        better += stranger;
    }
    success
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;

    /// Three workstations, by hand: own class shared with a stranger half of the time, nobody better.
    #[test]
    fn expected_success_by_hand() {
        let certain = [Class { own: 1.0, stranger: 0.5 }, Class { own: 0.0, stranger: 0.5 }];
        // 0, 1 or 2 strangers tie with chances 1/4, 1/2, 1/4.
        assert!((expected_success(&certain, 3) - (0.25 + 0.25 + 0.25 / 3.0)).abs() < 1e-15);
        let second_best = [Class { own: 0.0, stranger: 0.5 }, Class { own: 1.0, stranger: 0.5 }];
        assert!((expected_success(&second_best, 3) - 0.25 / 3.0).abs() < 1e-15);
        let alike = [Class { own: 1.0, stranger: 1.0 }];
        assert!((expected_success(&alike, 8) - 0.125).abs() < 1e-15);
    }

    /// With one score for all the observer guesses: 2000 rounds of 10 workstations within 4.9 standard errors of 1/10,
    /// though the own report always stands at the same place; and so for 3 of the 10 as targets.
    #[test]
    fn ties_are_broken_by_chance() {
        let mut rng = ChaCha20Rng::seed_from_u64(28);
        let week: Vec<u32> = (0..10).collect();
        let mean = (0..2000).map(|_| relink(&week, &week, |_, _| 0.0, &mut rng)).sum::<f64>() / 2000.0;
        assert!((mean - 0.1).abs() < 4.9 * (0.09_f64 / 20_000.0).sqrt(), "{mean}");
        assert!((relink(&week, &week, |a, b| f64::from(u8::from(a == b)), &mut rng) - 1.0).abs() < 1e-15);
        let sampled = (0..2000).map(|_| relink(&week[..3], &week, |_, _| 0.0, &mut rng)).sum::<f64>() / 2000.0;
        assert!((sampled - 0.1).abs() < 4.9 * (0.09_f64 / 6_000.0).sqrt(), "{sampled}");
        assert!(relink(&[], &[], |(), ()| 0.0, &mut rng).abs() < 1e-15);
    }
}
