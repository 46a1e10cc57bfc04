// SPDX-License-Identifier: MIT OR Apache-2.0
//! Simulated workstations on the client's own code path: event, tally, schedule, ledger, randomise, encode, upload.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use stipple_catalog::{Catalogue, Clock, Definition, Epoch, Week};
use stipple_client_dp::uploader::{Delivery, Uploader};
use stipple_client_dp::{Event, Workstation};
use zbus::wire::Variant;

use crate::population::{Recording, Truth, recordings};

/// A moment in a week, in UTC: noon of its nth day, Monday being 0.
///
/// # Errors
/// When the week lies beyond the calendar.
pub fn noon(week: Week, day: i64) -> anyhow::Result<Timestamp> {
    let date = week.monday().checked_add(day.days())?;
    Ok(TimeZone::UTC.to_timestamp(date.at(12, 0, 0, 0))?)
}

/// Takes one workstation through an epoch and delivers its reports. Returns how many the server counted.
///
/// Events are recorded for the metrics and weeks that the schedule drew; those of other weeks would be forgotten unseen.
///
/// # Errors
/// When the workstation fails, or the server refuses a report or stays away.
pub async fn live(
    catalogue: Arc<Catalogue>,
    epoch: Epoch,
    truth: &Truth,
    mut rng: ChaCha20Rng,
    uploader: &Uploader,
) -> anyhow::Result<u64> {
    let before = Week::from_index(epoch.week(0).index() - 1);
    let clock = Clock::manual(noon(before, 3)?);
    let mut workstation = Workstation::in_memory(catalogue.clone(), clock.clone(), Duration::ZERO)?;
    workstation.enable(&mut rng)?;
    clock.set(noon(epoch.week(0), 0)?);
    workstation.advance(&mut rng)?;

    // Pauses between tries are drawn apart, so that a fault on the way changes no report.
    let mut pauses = ChaCha20Rng::from_rng(&mut rng);
    let mut counted = 0;
    let drawn = workstation.slots()?;
    let weeks: BTreeSet<Week> = drawn.iter().map(|row| row.week).collect();
    for week in weeks {
        clock.set(noon(week, 2)?);
        for row in drawn.iter().filter(|row| row.week == week) {
            let definition = catalogue.get(&row.metric).context("a drawn metric is in the catalogue")?;
            for &label in &truth[&row.metric] {
                record(&mut workstation, definition, label)?;
            }
        }
        clock.set(noon(week.next(), 0)?);
        workstation.advance(&mut rng)?;
        for report in workstation.due()? {
            match uploader.deliver(&report, &mut pauses).await? {
                Delivery::Counted => counted += 1,
                Delivery::Refused(status) => bail!("the server refused an honest report (status {status})"),
            }
            workstation.settle(report.id(), true)?;
        }
    }
    Ok(counted)
}

/// Records what an application would, so that the tally becomes the label.
fn record(workstation: &mut Workstation, definition: &Definition, label: u32) -> anyhow::Result<()> {
    let source = definition.events.first().context("a metric has an event")?;
    for recording in recordings(definition, label) {
        let (payload, times, seconds) = match recording {
            Recording::Text(text) => (Some(Variant::from(text)), 1, 0),
            Recording::Number(number) => (Some(number_payload(&source.payload, number)?), 1, 0),
            Recording::Times(times) => (None, times, 0),
            Recording::Seconds(seconds) => (None, 1, seconds),
        };
        workstation.record(&Event { id: source.id, payload: payload.as_ref(), times, seconds })?;
    }
    Ok(())
}

/// A payload of the given signature that holds a number in every place where one can stand.
pub(crate) fn number_payload(signature: &str, number: u64) -> anyhow::Result<Variant<'static>> {
    Ok(match signature {
        "t" => Variant::from(number),
        "u" => Variant::from(u32::try_from(number)?),
        "(tttttt)" => Variant::from((number, number, number, number, number, number)),
        other => bail!("the simulation cannot write a payload of the signature {other:?}"),
    })
}
