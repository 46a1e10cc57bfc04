// SPDX-License-Identifier: MIT OR Apache-2.0
//! A panel that is asked every week: memoised answers beside fresh ones.
//!
//! 2,000 people answer for 12 weeks. Memoised answers cost `epsilon_infinity` once while a value stays; fresh ones cost epsilon
//! each week. Their errors are the same. What memoisation costs is linkability, shown in bits and by linking two weeks.
//!
//! `cargo run --release -p stipple-ldp --example memoised_panel`

use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use stipple_ldp::{DomainSize, Epsilon, Mechanism, Memoised, Memory, ProjectiveGeometry, Response, TrueValue, Value};

const PEOPLE: u32 = 2_000;
const WEEKS: u32 = 12;
const DOMAIN: u64 = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (permanent, once) = (Epsilon::try_from(2.0)?, Epsilon::try_from(1.0)?);
    let geometry = ProjectiveGeometry::new(DomainSize::try_from(DOMAIN)?, once.weights())?;
    let fresh = Mechanism::ProjectiveGeometry(geometry.clone());
    let memoised = Memoised::new(Mechanism::ProjectiveGeometry(geometry.with_weights(permanent.weights())), once)?;
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut memories: Vec<Memory> = (0..PEOPLE).map(|_| Memory::draw(1, &mut rng)).collect();

    println!("Two people in five hold value 0. Standard error of one week: {:.4}", error(&memoised));
    println!("week  fresh  memoised  spent afresh  spent memoised");
    let mut weeks = Vec::new();
    for week in 1..=WEEKS {
        let truth = |person: u32| TrueValue::new(Value::Symbol(if person % 5 < 2 { 0 } else { person % 97 }));
        let fresh_answers = (0..PEOPLE).map(|p| fresh.randomise(&truth(p), &mut rng)).collect::<Result<Vec<_>, _>>()?;
        let answers = memories
            .iter_mut()
            .zip(0..)
            .map(|(memory, p)| memoised.randomise(memory, &truth(p), &mut rng))
            .collect::<Result<Vec<_>, _>>()?;
        let [a, b] = [&fresh_answers, &answers].map(|answers| share_of_zero(&memoised, answers));
        println!("{week:>4} {:>6.3} {:>9.3} {:>13} {:>15}", a?, b?, week, f64::from(permanent));
        weeks.push(answers);
    }
    println!(
        "\nLinkability of two memoised reports of an unchanged value: {:.2} bits; {:.1} would single out one of {PEOPLE}.",
        memoised.linkability(),
        f64::from(PEOPLE).log2()
    );
    let repeated = weeks[0].iter().zip(&weeks[1]).filter(|(first, second)| first == second).count();
    println!(
        "{repeated} of {PEOPLE} repeated their report in the second week; fresh noise would repeat about one in 121."
    );
    Ok(())
}

fn share_of_zero(memoised: &Memoised, answers: &[Response]) -> Result<f64, Box<dyn std::error::Error>> {
    let mut cells = vec![0_u64; memoised.permanent().cells()];
    for answer in answers {
        memoised.permanent().accumulate(answer, |cell| cells[cell] += 1)?;
    }
    let supported = memoised.permanent().support_counts(&cells)[0];
    Ok(memoised.once().support().share(supported as f64 / answers.len() as f64))
}

fn error(memoised: &Memoised) -> f64 {
    (memoised.once().support().noise_variance(0.4) / f64::from(PEOPLE)).sqrt()
}
