// SPDX-License-Identifier: MIT OR Apache-2.0
//! The record of one start of the system: what was already counted, and whether it ended properly.
//!
//! It is one small file beside the state. It is written only after a yes, and a no deletes it. What is counted is
//! written first and recorded then: a crash in between loses events, but never counts one twice.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::counters::COUNTERS;
use super::manager::Startup;
use super::system::System;

/// The file's name in the state's folder.
const FILE_NAME: &str = "boot.json";
/// Its name until it is whole.
const FRESH_NAME: &str = "boot.json.new";

/// The events `system-start`, `unclean-shutdown` and `StartupFinished` of catalog/metrics/EVENTS.md.
pub(super) const SYSTEM_START: [u8; 16] = 0xe622_c13b_e77d_5318_9f96_d2d9_55f3_ddef_u128.to_be_bytes();
pub(super) const UNCLEAN_SHUTDOWN: [u8; 16] = 0x9c9d_7ac7_be0b_5eab_9e60_7ef1_1879_f24f_u128.to_be_bytes();
pub(super) const STARTUP_FINISHED: [u8; 16] = 0xbf7e_8aed_2932_455c_a28e_d407_cfd5_aaba_u128.to_be_bytes();

/// What is known of a start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Boot {
    /// the kernel's random id of this start; it never leaves this file
    id: String,
    /// the recorder was told to stop, as a shutdown does
    ended: bool,
    /// the time of starting has been recorded
    timed: bool,
    /// the counters as they were last seen
    counters: BTreeMap<String, u64>,
}

/// What happened since the last look: events and how often, and how long the start took.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    pub events: Vec<([u8; 16], u64)>,
    pub startup: Option<Startup>,
}

/// The kernel's id of this start, without hyphens.
pub(super) fn id(system: System<'_>) -> Option<String> {
    let id = system.line("proc/sys/kernel/random/boot_id")?.replace('-', "");
    (id.len() == 32).then_some(id)
}

/// Compares the system with the last record, writes the new one, and says what is new. What was there before the first look
/// is not.
pub(super) fn look(system: System<'_>, folder: &Path, startup: Option<Startup>) -> std::io::Result<News> {
    let Some(id) = id(system) else { return Ok(News::default()) };
    let counters = COUNTERS.iter().filter_map(|counter| Some((counter.name.to_owned(), (counter.count)(system)?)));
    let last = read(folder);
    let (now, news) = compare(last.as_ref(), id, counters.collect(), startup);
    if last.as_ref() != Some(&now) {
        write(folder, &now)?;
    }
    Ok(news)
}

fn compare(last: Option<&Boot>, id: String, counters: BTreeMap<String, u64>, startup: Option<Startup>) -> (Boot, News) {
    let mut news = News::default();
    let same = last.filter(|last| last.id == id);
    if let Some(earlier) = last.filter(|last| last.id != id) {
        news.events.push((SYSTEM_START, 1));
        if !earlier.ended {
            news.events.push((UNCLEAN_SHUTDOWN, 1));
        }
    }
    if last.is_some() {
        for counter in &COUNTERS {
            let before = same.and_then(|last| last.counters.get(counter.name)).copied().unwrap_or(0);
            let grown = counters.get(counter.name).map_or(0, |now| now.saturating_sub(before));
            if grown > 0 {
                news.events.push((counter.event, grown));
            }
        }
    }
    let timed = same.is_some_and(|last| last.timed);
    news.startup = startup.filter(|_| !timed);
    (Boot { id, ended: false, timed: timed || startup.is_some(), counters }, news)
}

/// Notes that the recorder was told to stop.
pub(super) fn end(folder: &Path) -> std::io::Result<()> {
    match read(folder) {
        Some(last) => write(folder, &Boot { ended: true, ..last }),
        None => Ok(()),
    }
}

/// Deletes the record.
pub(crate) fn forget(folder: &Path) -> std::io::Result<()> {
    [FILE_NAME, FRESH_NAME].into_iter().try_for_each(|name| match std::fs::remove_file(folder.join(name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
}

/// The record; a damaged one is none.
fn read(folder: &Path) -> Option<Boot> {
    serde_json::from_slice(&std::fs::read(folder.join(FILE_NAME)).ok()?).ok()
}

/// Replaces the record in one step, and makes sure that it is on the disk: a loss of power must find it.
fn write(folder: &Path, boot: &Boot) -> std::io::Result<()> {
    let (path, fresh) = (folder.join(FILE_NAME), folder.join(FRESH_NAME));
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(&serde_json::to_vec(boot)?)?;
    file.sync_all()?;
    std::fs::rename(&fresh, &path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OOM: [u8; 16] = COUNTERS[0].event;
    const TIMES: Startup = (1, 2, 3, 4, 5, 15);

    fn counted(kills: u64) -> BTreeMap<String, u64> {
        BTreeMap::from([("oom-kill".to_owned(), kills)])
    }

    fn boot(id: &str, kills: u64, ended: bool) -> Boot {
        Boot { id: id.to_owned(), ended, timed: true, counters: counted(kills) }
    }

    #[test]
    fn only_what_grew_since_the_last_look_is_news() {
        let look = |last: Option<&Boot>, id: &str, kills| compare(last, id.to_owned(), counted(kills), None).1.events;
        assert_eq!(look(None, "a", 7), [], "what was before the yes is nobody's business");
        assert_eq!(look(Some(&boot("a", 7, false)), "a", 7), []);
        assert_eq!(look(Some(&boot("a", 7, true)), "a", 9), [(OOM, 2)], "the recorder was restarted");
        assert_eq!(look(Some(&boot("a", 7, false)), "a", 3), [], "a counter that falls says nothing");
        assert_eq!(look(Some(&boot("a", 7, true)), "b", 2), [(SYSTEM_START, 1), (OOM, 2)]);
        assert_eq!(look(Some(&boot("a", 0, false)), "b", 0), [(SYSTEM_START, 1), (UNCLEAN_SHUTDOWN, 1)]);
    }

    #[test]
    fn a_start_is_timed_once() {
        let (first, news) = compare(None, "a".to_owned(), counted(0), Some(TIMES));
        assert_eq!((first.timed, news.startup), (true, Some(TIMES)));
        assert_eq!(compare(Some(&first), "a".to_owned(), counted(0), Some(TIMES)).1.startup, None);
        assert_eq!(compare(Some(&first), "b".to_owned(), counted(0), None).1.startup, None);
        assert_eq!(compare(Some(&first), "b".to_owned(), counted(0), Some(TIMES)).1.startup, Some(TIMES));
    }

    #[test]
    fn the_record_is_private_survives_and_can_be_forgotten() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        end(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "an end without a record writes none");
        write(folder.path(), &boot("a", 7, false)).unwrap();
        end(folder.path()).unwrap();
        assert_eq!(read(folder.path()), Some(boot("a", 7, true)));
        let mode = std::fs::metadata(folder.path().join(FILE_NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(folder.path().join(FILE_NAME), "{\"id\"").unwrap();
        assert_eq!(read(folder.path()), None, "cut short");
        forget(folder.path()).unwrap();
        forget(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
