// SPDX-License-Identifier: MIT OR Apache-2.0
//! A first estimate: 50,000 people, ten colours, epsilon = 1.
//!
//! `cargo run -p stipple-ldp --example first_estimate`

use rand::rngs::{ChaCha20Rng, SysRng};
use rand::{SeedableRng as _, TryRng as _};
use stipple_ldp::{DomainSize, Epsilon, Question, TrueValue, Value, choose};

const PEOPLE: u32 = 50_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let choice = choose(Question::Symbols(DomainSize::try_from(10)?), Epsilon::try_from(1.0)?, 8)?;
    println!("{choice}");
    let mechanism = &choice.best().mechanism;
    let mut seed = [0; 32];
    SysRng.try_fill_bytes(&mut seed)?;
    let mut rng = ChaCha20Rng::from_seed(seed);

    let mut cells = vec![0_u64; mechanism.cells()];
    for person in 0..PEOPLE {
        let favourite = person % 4 * (person % 3); // 0 is the favourite of half
        let response = mechanism.randomise(&TrueValue::new(Value::Symbol(favourite)), &mut rng)?;
        mechanism.accumulate(&response, |cell| cells[cell] += 1)?;
    }

    println!("value    true  estimate");
    for (value, estimate) in mechanism.estimate(&cells, PEOPLE.into())?.iter().enumerate() {
        let holders = (0..PEOPLE).filter(|person| (person % 4 * (person % 3)) as usize == value).count();
        println!("{value:>5} {:>7.4} {estimate:>9.4}", holders as f64 / f64::from(PEOPLE));
    }
    println!("The standard error of each is about {:.4}.", (choice.best().variance / f64::from(PEOPLE)).sqrt());
    Ok(())
}
