// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is said of a randomisation, against the randomiser itself.

use std::path::Path;

use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use stipple_catalog::Catalogue;
use stipple_ldp::{
    Bound, DomainSize, Epsilon, HybridMean, OneBitMean, ProjectiveGeometry, SquareWave, TrueValue, Value,
};

use super::*;

const DRAWS: u32 = 20_000;
/// Each cell's count is a binomial: none of fewer than 3000 cells may be off by more than 5.5 standard errors (two-sided 4e-8
/// each, so significance 1e-4 for all of them together), and one draw more for cells of hardly any.
const LIMIT: f64 = 5.5;

/// A value of each shape that the mechanism takes, with the cells that are true of it.
fn values(mechanism: &Mechanism, most: u32) -> Vec<(Value, Vec<usize>)> {
    let last = u32::try_from(mechanism.values() - 1).unwrap();
    match ChannelRow::of(mechanism).form {
        Form::Answer | Form::Answers | Form::Point => [0, last].map(|v| (Value::Symbol(v), vec![v as usize])).to_vec(),
        Form::Items | Form::Bucket => {
            [0, 1, most].map(|size| (Value::Set((0..size).collect()), (0..size as usize).collect())).to_vec()
        }
        Form::Bit | Form::Number => [0, last / 2, last].map(|x| (Value::Count(x), Vec::new())).to_vec(),
    }
}

/// Draws real responses and compares every cell with what is said.
fn compare(name: &str, mechanism: &Mechanism, most: u32, rng: &mut ChaCha20Rng) {
    let said = ChannelRow::of(mechanism);
    for (value, held) in values(mechanism, most) {
        let count = if let Value::Count(x) = value { Some(x as usize) } else { None };
        let (value, mut cells) = (TrueValue::new(value), vec![0_u64; mechanism.cells()]);
        for _ in 0..DRAWS {
            let response = mechanism.randomise(&value, rng).unwrap();
            let mut named = 0;
            mechanism
                .accumulate(&response, |cell| {
                    cells[cell] += 1;
                    named += 1;
                })
                .unwrap();
            if matches!(said.form, Form::Answer | Form::Answers) {
                assert_eq!(named, said.names, "{name}");
            }
        }
        for (cell, &seen) in mechanism.support_counts(&cells).iter().enumerate() {
            let p = match count {
                Some(x) => said.rows[x][cell],
                None if held.contains(&cell) => said.p_true,
                None => said.p_false,
            };
            let n = f64::from(DRAWS);
            let off = (seen as f64 - n * p).abs();
            assert!(
                off <= LIMIT * (n * p * (1.0 - p)).sqrt() + 1.0,
                "{name}, cell {cell}: {seen} of {DRAWS}, said {p}"
            );
        }
    }
}

fn shipped() -> Catalogue {
    Catalogue::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog/metrics")).unwrap()
}

#[test]
fn what_is_said_of_every_shipped_metric_is_what_its_randomiser_does() {
    let mut rng = ChaCha20Rng::seed_from_u64(51);
    let catalogue = shipped();
    assert_eq!(catalogue.definitions().len(), 51);
    for definition in catalogue.definitions() {
        compare(&definition.id, &definition.mechanism, most(definition), &mut rng);
    }
}

#[test]
fn what_is_said_of_mechanisms_that_no_shipped_metric_has_is_right_too() {
    let mut rng = ChaCha20Rng::seed_from_u64(52);
    let (bound, epsilon) = (Bound::try_from(9).unwrap(), Epsilon::try_from(1.0).unwrap());
    let many = DomainSize::try_from(90).unwrap();
    let mechanisms = [
        Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(many, epsilon.weights()).unwrap()),
        Mechanism::OneBitMean(OneBitMean::new(bound, epsilon.weights())),
        Mechanism::HybridMean(HybridMean::new(bound, epsilon)),
        Mechanism::SquareWave(SquareWave::new(bound, epsilon)),
    ];
    for mechanism in mechanisms {
        compare(mechanism.name(), &mechanism, 0, &mut rng);
    }
}

/// The factor is not from the catalogue's epsilon but of the channel that is drawn from, and holds in every column of it.
#[test]
fn no_answer_makes_a_report_likelier_than_the_factor_says() {
    for definition in shipped().definitions() {
        let channel = ChannelRow::of(&definition.mechanism);
        assert!((channel.ratio.ln() - f64::from(definition.epsilon)).abs() < 1e-6, "{}", definition.id);
        assert!(channel.p_true <= channel.ratio * channel.p_false * (1.0 + 1e-12), "{}", definition.id);
        for (x, y) in channel.rows.iter().flat_map(|x| channel.rows.iter().map(move |y| (x, y))) {
            assert!(x.iter().zip(y).all(|(p, q)| *p <= channel.ratio * q * (1.0 + 1e-12)), "{}", definition.id);
        }
    }
}

#[test]
fn numbers_are_said_as_people_count_them() {
    let (bound, epsilon) = (Bound::try_from(4).unwrap(), Epsilon::try_from(1.0).unwrap());
    let wave = ChannelRow::of(&Mechanism::SquareWave(SquareWave::new(bound, epsilon)));
    let (first, last) = (wave.says.first().unwrap(), wave.says.last().unwrap());
    assert_eq!(wave.says.len(), wave.rows[0].len());
    // As far below 0 as above 4, and the likeliest numbers of the count 2 lie around 2.
    assert_eq!(last.parse::<i32>().unwrap() - 4, -first.parse::<i32>().unwrap());
    let two = wave.says.iter().position(|number| number == "2").unwrap();
    let most = wave.rows[2].iter().copied().fold(0.0, f64::max);
    assert!((wave.rows[2][two] - most).abs() < 1e-12);
    let hybrid = ChannelRow::of(&Mechanism::HybridMean(HybridMean::new(bound, epsilon)));
    assert_eq!(hybrid.says[hybrid.says.len() - 2..], ["few", "many"]);
    assert_eq!(hybrid.says.len(), hybrid.rows[0].len());
}
