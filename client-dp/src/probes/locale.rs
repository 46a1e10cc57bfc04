// SPDX-License-Identifier: MIT OR Apache-2.0
//! The system's language, from `/etc/locale.conf` (locale.conf(5)) or Debian's `/etc/default/locale`.

use zbus::wire::Variant;

use super::system::{System, assigned};
use super::{Found, Probe, found};

/// The event `locale` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe = Probe { event: 0xc1d9_9022_91c2_53f3_b8dc_fb50_0d2f_e114_u128.to_be_bytes(), look };

fn look(system: System<'_>) -> Found {
    let text = system.text("etc/locale.conf").or_else(|| system.text("etc/default/locale"));
    found(text.as_deref().and_then(|text| assigned(text, "LANG")).map(|lang| Variant::from(normal(lang).to_owned())))
}

/// Language and territory, without the character set and the modifier: `de_DE.utf8@euro` is `de_DE`.
pub(crate) fn normal(lang: &str) -> &str {
    lang.split(['.', '@']).next().unwrap_or(lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_locale_are_one_answer() {
        for lang in ["de_DE", "de_DE.UTF-8", "de_DE.utf8", "de_DE@euro", "de_DE.utf8@euro"] {
            assert_eq!(normal(lang), "de_DE");
        }
        assert_eq!(normal("C.UTF-8"), "C");
    }
}
