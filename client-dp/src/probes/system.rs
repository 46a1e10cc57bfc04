// SPDX-License-Identifier: MIT OR Apache-2.0
//! The system that the probes look at: a root directory, so that tests can show recorded machines.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// No file that a probe reads is longer: `/proc/cpuinfo` of 1024 threads has about 1.5 MiB.
const LONGEST_FILE: u64 = 4 << 20;

/// The files below a root directory. What cannot be read is absent: a probe then finds nothing.
#[derive(Clone, Copy, Debug)]
pub struct System<'a> {
    root: &'a Path,
}

impl<'a> System<'a> {
    /// The system whose root is `root`.
    #[must_use]
    pub const fn at(root: &'a Path) -> Self {
        Self { root }
    }

    /// A path below the root.
    pub(super) fn path(self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A file's bytes.
    pub(super) fn bytes(self, path: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        std::fs::File::open(self.path(path)).ok()?.take(LONGEST_FILE).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// A file's text.
    pub(super) fn text(self, path: &str) -> Option<String> {
        String::from_utf8(self.bytes(path)?).ok()
    }

    /// A one-line file's text without white space around it, as sysfs writes attributes.
    pub(super) fn line(self, path: &str) -> Option<String> {
        self.text(path).map(|text| text.trim().to_owned())
    }

    /// The names in a folder, sorted; none if there is no such folder.
    pub(super) fn names(self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Whether a path is there.
    pub(super) fn has(self, path: &str) -> bool {
        self.path(path).exists()
    }
}

/// The value of a key in a file of lines `KEY=value`, without quotes (os-release(5), locale.conf(5), sysfs `uevent`).
pub(super) fn assigned<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let values = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
    values.map(|value| value.trim_matches(['"', '\''])).rfind(|value| !value.is_empty())
}

/// The value of a field in lines `field : value`, of the first line that has it (`/proc/cpuinfo`, `/proc/meminfo`).
pub(super) fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    fields(text, name).next()
}

/// The same of every line that has it.
pub(super) fn fields<'t>(text: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    text.lines().filter_map(move |line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// The part of a whole in percent, from 0 to 100; `None` of nothing.
pub(super) fn percent(part: u64, whole: u64) -> Option<u32> {
    let percent = u128::from(part.min(whole)) * 100 / u128::from(std::num::NonZeroU64::new(whole)?.get());
    u32::try_from(percent).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_assignment_counts_and_quotes_do_not() {
        let text = "# LANG=no\nLANG=en_GB.UTF-8\nLANGUAGE=fr\nLANG=\"de_DE.UTF-8\"\nLC_ALL=\n";
        assert_eq!(assigned(text, "LANG"), Some("de_DE.UTF-8"));
        assert_eq!(assigned(text, "LC_ALL"), None);
    }

    #[test]
    fn percentages_stay_in_their_range() {
        assert_eq!(percent(1, 3), Some(33));
        assert_eq!(percent(u64::MAX, u64::MAX), Some(100));
        assert_eq!(percent(5, 4), Some(100));
        assert_eq!(percent(0, 0), None);
    }
}
