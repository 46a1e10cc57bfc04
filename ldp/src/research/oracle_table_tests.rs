// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of `n Var` in LDP.md section 2.4, to the printed digits.
//!
//! One convention holds for all columns: the variance of one value's estimate at its share f = 1/d, with the n people drawn at
//! random. Three columns hide a choice. OLH(g) has the g of least variance at f = 1/d, not the published round(a) + 1: 3
//! instead of 4 at (4, 1), 33 to 54 instead of 56 at epsilon 4. HR q=2 has no constant row, K = 2^t - 1, which only matters in
//! small dictionaries: with it, the variance is that of the last column. And the last column is the same for any K.

use super::oracle_tests::{domain, epsilon};
use super::*;
use crate::{RandomisedResponse, minimax_variance};

/// d, epsilon; GRR, SUE, OUE, OLH, g, SS, w, HR q=2, 1-bit HR.
type Row = (u32, f64, [&'static str; 4], u32, &'static str, u32, [&'static str; 2]);

const TABLE: [Row; 14] = [
    (4, 1.0, ["2.077", "4.105", "4.120", "4.051"], 3, "2.077", 1, ["3.106", "4.620"]),
    (10, 0.5, ["24.25", "16.01", "15.86", "16.09"], 3, "12.72", 4, ["14.13", "16.66"]),
    (10, 1.0, ["4.186", "4.008", "3.873", "3.897"], 3, "3.000", 3, ["3.856", "4.673"]),
    (10, 2.0, ["0.5922", "1.011", "0.9141", "0.8966"], 7, "0.5922", 1, ["1.363", "1.714"]),
    (30, 1.0, ["10.98", "3.950", "3.748", "3.764"], 4, "3.441", 8, ["4.260", "4.682"]),
    (30, 4.0, ["0.0784", "0.2132", "0.1416", "0.1326"], 33, "0.0784", 1, ["0.9471", "1.075"]),
    (100, 0.5, ["238.3", "15.93", "15.69", "15.85"], 3, "15.36", 38, ["16.35", "16.67"]),
    (100, 1.0, ["34.69", "3.928", "3.703", "3.714"], 4, "3.609", 27, ["4.576", "4.683"]),
    (100, 2.0, ["2.745", "0.9306", "0.7440", "0.7438"], 8, "0.7097", 12, ["1.677", "1.724"]),
    (100, 4.0, ["0.0813", "0.1909", "0.0959", "0.0948"], 45, "0.0747", 2, ["1.043", "1.076"]),
    (1000, 1.0, ["339.5", "3.919", "3.685", "3.694"], 4, "3.675", 269, ["4.669", "4.683"]),
    (1000, 2.0, ["24.79", "0.9217", "0.7261", "0.7265"], 8, "0.7226", 119, ["1.718", "1.724"]),
    (1000, 4.0, ["0.3860", "0.1820", "0.0780", "0.0780"], 54, "0.0759", 18, ["1.072", "1.076"]),
    (5000, 1.0, ["1694", "3.918", "3.683", "3.692"], 4, "3.681", 1345, ["4.681", "4.683"]),
];

#[test]
fn variances_are_the_table() {
    for (d, e, [grr, sue, oue, olh], g, ss, w, [hr, one_bit]) in TABLE {
        let (size, eps, share) = (domain(d), epsilon(e), 1.0 / f64::from(d));
        let assert_prints = |name: &str, variance: f64, printed: &str| {
            let decimals = printed.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            assert_eq!(format!("{variance:.decimals$}"), printed, "{name} at d={d} epsilon={e}: {variance}");
        };
        assert_prints("GRR", RandomisedResponse::new(size, eps.weights()).variance(share), grr);
        assert_prints("SUE", UnaryEncoding::symmetric(size, eps).variance(share), sue);
        assert_prints("OUE", UnaryEncoding::optimised(size, eps).variance(share), oue);
        let hashing = LocalHashing::least_variance(size, eps);
        assert_eq!(hashing.buckets(), g, "d={d} epsilon={e}");
        assert_prints("OLH", hashing.variance(share), olh);
        let subset = WideSubsetSelection::new(size, eps);
        assert_eq!(subset.subset_size(), w, "d={d} epsilon={e}");
        assert_prints("SS", subset.variance(share), ss);
        assert!((subset.variance(share) / minimax_variance(d, e.exp()) - 1.0).abs() < 1e-9);
        assert_prints("HR q=2", HadamardResponse::without_constant_row(size, eps).variance(share), hr);
        assert_prints("1-bit HR", OneBitHadamard::new(size, eps).variance(share), one_bit);
        assert_prints("HR", HadamardResponse::new(size, eps).variance(share), one_bit);
    }
}
