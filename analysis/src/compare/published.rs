// SPDX-License-Identifier: MIT OR Apache-2.0
//! Closed forms of published mechanisms that no catalogue can name, and of deployed ones beyond what a report holds.
//!
//! Their code is in stipple-ldp under the feature `research`, which is not enabled here: one build of several programs would give
//! it to the workstation's as well. Each is pure, so its two chances are all that its error needs (LDP.md sections 2.1 to 2.3).

use stipple_ldp::{Epsilon, Question, Support};

use super::{Compared, Distribution, ServerCost};

const FOR_COMPARISON: &str = "published, for comparison; no catalogue can name it";

pub(super) fn all(question: Question, epsilon: Epsilon, distribution: Distribution) -> Vec<Compared> {
    let a = epsilon.weights().ratio();
    let row = |mechanism, n_var, bytes, server| Compared {
        mechanism,
        excluded: Some(FOR_COMPARISON.to_owned()),
        n_var: Some(n_var),
        n_var_minimax: None,
        bytes: Some(bytes),
        server: Some(server),
    };
    match question {
        Question::Symbols(d) => {
            let oracles = oracles(u64::from(d.get()), a);
            let of_shares = |oracle: Oracle| {
                row(oracle.name, distribution.of_shares(oracle.support, question), oracle.bytes, oracle.server)
            };
            oracles.into_iter().map(of_shares).collect()
        }
        Question::Mean(m) => {
            // Noise of scale m/epsilon on a real number of 8 bytes (Dwork, McSherry, Nissim and Smith, TCC 2006).
            let noise = 2.0 * (f64::from(m.get()) / f64::from(epsilon)).powi(2);
            let server = ServerCost { cells: 1, per_report: 1, operation: "additions", decode: 1 };
            vec![row("laplace", distribution.of_mean(&vec![noise; m.get() as usize + 1]), 8, server)]
        }
        Question::Sets(..) => Vec::new(),
    }
}

struct Oracle {
    name: &'static str,
    support: Support,
    bytes: u64,
    server: ServerCost,
}

/// The published frequency oracles over d values at the loss ln a.
fn oracles(d: u64, a: f64) -> Vec<Oracle> {
    let root = a.sqrt();
    let bits = |name, support| {
        let server = ServerCost { cells: d, per_report: d, operation: "bits", decode: d };
        Oracle { name, support, bytes: d.div_ceil(8), server }
    };
    let (buckets, hashing) = local_hashing(d, a);
    // The smallest Hadamard matrix with a row for each value beside the constant one.
    let order = (d + 1).next_power_of_two();
    vec![
        bits("subset-selection", subset(d, a)),
        bits("symmetric-unary", Support { p_true: root / (root + 1.0), p_false: 1.0 / (root + 1.0) }),
        bits("optimised-unary", Support { p_true: 0.5, p_false: 1.0 / (a + 1.0) }),
        Oracle {
            name: "local-hashing",
            support: hashing,
            // The multiplier and offset of the hash function, then the bucket.
            bytes: 16 + bytes_of(buckets),
            server: ServerCost { cells: d, per_report: d, operation: "hashes", decode: d },
        },
        Oracle {
            name: "hadamard-response",
            support: Support { p_true: a / (a + 1.0), p_false: 0.5 },
            bytes: bytes_of(order),
            server: ServerCost {
                cells: order,
                per_report: 1,
                operation: "counters",
                decode: order * u64::from(order.ilog2()),
            },
        },
    ]
}

/// Subset selection with the better of the two subset sizes beside `d/(a + 1)` (Ye and Barg, IEEE Transactions on Information
/// Theory 2018).
fn subset(d: u64, a: f64) -> Support {
    let d = d as f64;
    let near = (d / (a + 1.0)).floor();
    let with = |w: f64| {
        let p_true = w * a / (w * a + d - w);
        Support { p_true, p_false: (p_true * (w - 1.0) + (1.0 - p_true) * w) / (d - 1.0) }
    };
    better(d, near.max(1.0), (near + 1.0).min(d - 1.0).max(1.0), with).1
}

/// Local hashing (Wang, Blocki, Li and Jha, USENIX Security 2017) with the number of buckets of least variance at uniform shares, which
/// in small dictionaries is below the paper's `round(a) + 1`.
fn local_hashing(d: u64, a: f64) -> (u64, Support) {
    let with = |g: f64| Support { p_true: a / (a + g - 1.0), p_false: 1.0 / g };
    let (mut g, most) = (2.0, a.round() + 2.0);
    let at = |g: f64| with(g).variance(1.0 / d as f64);
    // The variance falls to its one minimum and rises again.
    while g < most && at(g + 1.0) < at(g) {
        g += 1.0;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "2 to e^16 + 2")]
    (g as u64, with(g))
}

fn better(d: f64, one: f64, other: f64, with: impl Fn(f64) -> Support) -> (f64, Support) {
    let at = |w: f64| with(w).variance(1.0 / d);
    let best = if at(other) < at(one) { other } else { one };
    (best, with(best))
}

/// The bytes of one of so many symbols.
const fn bytes_of(symbols: u64) -> u64 {
    ((u64::BITS - (symbols - 1).leading_zeros()) as u64).div_ceil(8)
}
