// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sets of at most m of d items (LDP.md section 2.7): n Var of an item that nobody holds.

use std::error::Error;
use std::path::Path;

use stipple_ldp::{Bound, Collision, Debias, DomainSize, Epsilon, Mechanism, Support};

use crate::plot::{Plot, Series, lines};
use crate::table::Table;

/// Symmetric unary encoding of the whole set: two sets differ in up to 2m bits, so each has `epsilon/(2m)`.
fn every_bit(m: f64, epsilon: f64) -> f64 {
    let root = (epsilon / (2.0 * m)).exp();
    root / (root - 1.0).powi(2)
}

/// Randomised response on the bit of one item of the dictionary, drawn at random: a d-th of the reports at full epsilon.
fn one_item(d: f64, epsilon: f64) -> f64 {
    let a = epsilon.exp();
    d * a / (a - 1.0).powi(2)
}

/// Optimised unary encoding on one item of the padded set, times m squared.
fn padded(m: f64, epsilon: f64) -> f64 {
    let a = epsilon.exp();
    m * m * 4.0 * a / (a - 1.0).powi(2)
}

/// PrivSet for any d, with the best k: the mechanism itself keeps to 64-bit masks, the formula need not.
fn priv_set(domain: u32, most: u32, epsilon: f64) -> (f64, u32) {
    let ratio = epsilon.exp();
    let variance = |subset: u32| {
        // C(d, k) / C(d+m, k), and C(d-1, k-1) / C(d+m-1, k-1), factor by factor.
        let product =
            |of: u32| -> f64 { (0..most).map(|i| f64::from(domain + most - subset - i) / f64::from(of - i)).product() };
        let (miss, miss_with) = (product(domain + most), product(domain + most - 1));
        let total = ratio * (1.0 - miss) + miss;
        let share = f64::from(subset) / f64::from(domain + most);
        let p_false = share * (ratio * (1.0 - miss_with) + miss_with) / total;
        Support { p_true: ratio * share / total, p_false }.variance(0.0)
    };
    let best = |best: (f64, u32), k| if variance(k) < best.0 { (variance(k), k) } else { best };
    (1..=domain / 2).fold((f64::INFINITY, 0), best)
}

fn collision(d: u32, m: u32, epsilon: f64) -> Result<(f64, u32), Box<dyn Error>> {
    let collision = Collision::new(
        DomainSize::try_from(u64::from(d))?,
        Bound::try_from(u64::from(m))?,
        Epsilon::try_from(epsilon)?,
    )?;
    let buckets = collision.buckets();
    let Debias::Shares(support) = Mechanism::Collision(collision).debias() else { return Err("no shares".into()) };
    Ok((support.variance(0.0), buckets))
}

/// Writes sets.csv and sets.svg.
pub fn write(out: &Path) -> Result<(), Box<dyn Error>> {
    let mut table =
        Table::new(&["d", "m", "epsilon", "every bit", "one item", "pad and sample", "PrivSet", "k", "Collision", "l"]);
    for (d, m, epsilon) in [
        (300, 5, 1.0),
        (300, 20, 2.0),
        (3000, 5, 1.0),
        (3000, 20, 1.0),
        (3000, 20, 2.0),
        (3000, 20, 4.0),
        (3000, 50, 1.0),
    ] {
        let (size, most) = (f64::from(d), f64::from(m));
        let ((set, k), (hash, l)) = (priv_set(d, m, epsilon), collision(d, m, epsilon)?);
        let figures = [every_bit(most, epsilon), one_item(size, epsilon), padded(most, epsilon), set];
        let mut row = vec![d.to_string(), m.to_string(), epsilon.to_string()];
        row.extend(figures.map(|figure| format!("{figure:.4}")));
        row.extend([k.to_string(), format!("{hash:.4}"), l.to_string()]);
        table.push(row);
    }
    table.write(&out.join("sets.csv"))?;
    let bounds = [1_u32, 2, 5, 10, 20, 50, 100];
    let line = |name: &str, of: &dyn Fn(u32) -> f64| -> Series {
        (name.to_owned(), bounds.iter().map(|&m| (f64::from(m), of(m))).collect())
    };
    let hashed = bounds.iter().map(|&m| Ok((f64::from(m), collision(3000, m, 1.0)?.0)));
    let series = [
        line("every bit", &|m| every_bit(m.into(), 1.0)),
        line("one item", &|_| one_item(3000.0, 1.0)),
        line("pad and sample", &|m| padded(m.into(), 1.0)),
        line("PrivSet", &|m| priv_set(3000, m, 1.0).0),
        ("Collision".to_owned(), hashed.collect::<Result<_, Box<dyn Error>>>()?),
    ];
    let title = "Sets from 3,000 items, epsilon = 1 for the whole set";
    lines(&out.join("sets.svg"), &Plot { title, x: "most items in a set", y: "n Var", range: 1.0..1e5 }, &series)
}
