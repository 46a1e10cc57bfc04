// SPDX-License-Identifier: MIT OR Apache-2.0
//! What only the user's own session knows: its type, desktop and language, the desktop's settings, the applications that run.
//!
//! Each reader is a pure function from what an interface says to events; [`observe`] asks, and `stipple-session-helper` records.
//! Who asks has no more to tell than any application: the recorder looks every text up in the catalogue.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use zbus::Connection;
use zbus::wire::{OwnedVariant, Variant};

/// How long a service or a program may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The events of catalog/metrics/EVENTS.md.
const SESSION_TYPE: u128 = 0xc062_0bc8_446d_59da_be3c_633c_9da6_4e61;
const DESKTOP: u128 = 0x0a4e_9beb_06a8_59d7_89e0_79eb_fb20_733a;
const LOCALE: u128 = 0xc1d9_9022_91c2_53f3_b8dc_fb50_0d2f_e114;
const COLOUR_SCHEME: u128 = 0xafc1_a9a9_9c4b_5b2f_abef_8f36_ff19_c0f5;
const TEXT_SCALING: u128 = 0x720a_c0c4_bd4c_54d3_9dca_afe7_88c8_2b13;
const INPUT_SOURCES: u128 = 0x7f4a_a906_7011_5646_864f_0108_6ac6_4730;
const ACCESSIBILITY_FEATURE: u128 = 0x9831_e318_45d7_5930_85cb_68ed_2317_b64e;
const APPLICATION: u128 = 0x49d0_451a_f706_4f50_81d2_70cc_0ec9_23a4;

/// What to record: an event and its payload.
pub type Observation = ([u8; 16], Variant<'static>);

/// The settings that the desktop portal shows: by namespace, then by key.
pub type Settings = HashMap<String, HashMap<String, OwnedVariant>>;

/// The portal (org.freedesktop.portal.Settings, version 1).
#[zbus::proxy(
    interface = "org.freedesktop.portal.Settings",
    default_service = "org.freedesktop.portal.Desktop",
    default_path = "/org/freedesktop/portal/desktop"
)]
trait Portal {
    /// The settings of the namespaces that match.
    fn read_all(&self, namespaces: &[&str]) -> zbus::Result<Settings>;
}

/// A unit as systemd lists it: name, description, three states, followed unit, path, and its job's id, type and path.
type Unit = (
    String,
    String,
    String,
    String,
    String,
    String,
    zbus::wire::OwnedObjectPath,
    u32,
    String,
    zbus::wire::OwnedObjectPath,
);

/// The user's systemd (org.freedesktop.systemd1(5)).
#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait UserManager {
    /// The units in one of the states whose names match one of the patterns.
    fn list_units_by_patterns(&self, states: &[&str], patterns: &[&str]) -> zbus::Result<Vec<Unit>>;
}

/// Everything that the session shows now. What is not there, or does not answer in time, shows nothing.
pub async fn observe(session: &Connection) -> Vec<Observation> {
    let mut seen = environment(|name| std::env::var(name).ok());
    let portal =
        async { PortalProxy::new(session).await?.read_all(&["org.freedesktop.appearance", "org.gnome.*"]).await };
    if let Ok(Ok(settings)) = tokio::time::timeout(PATIENCE, portal).await {
        seen.extend(appearance(&settings));
    }
    if let Some(listing) = gsettings().await {
        seen.extend(accessibility(&listing));
    }
    let units = async {
        let manager = UserManagerProxy::new(session).await?;
        manager.list_units_by_patterns(&["active"], &["app-*.scope", "app-*.service"]).await
    };
    if let Ok(Ok(units)) = tokio::time::timeout(PATIENCE, units).await {
        let running: BTreeSet<String> = units.iter().filter_map(|unit| application(&unit.0)).collect();
        seen.extend(running.into_iter().map(|id| event(APPLICATION, id)));
    }
    seen
}

fn event(id: u128, payload: impl Into<Variant<'static>>) -> Observation {
    (id.to_be_bytes(), payload.into())
}

/// Type, desktop and language of the session, as its environment states them.
fn environment(variable: impl Fn(&str) -> Option<String>) -> Vec<Observation> {
    let language = variable("LANG").map(|lang| crate::probes::normal_locale(&lang).to_owned());
    let stated =
        [(SESSION_TYPE, variable("XDG_SESSION_TYPE")), (DESKTOP, variable("XDG_CURRENT_DESKTOP")), (LOCALE, language)];
    stated.into_iter().filter_map(|(id, text)| Some(event(id, text.filter(|text| !text.is_empty())?))).collect()
}

/// Colour scheme, text size, input sources, and the accessibility features that the portal shows.
fn appearance(settings: &Settings) -> Vec<Observation> {
    let get = |namespace: &str, key: &str| Some(inner(settings.get(namespace)?.get(key)?));
    let mut seen = Vec::new();
    if let Some(&Variant::U32(scheme)) = get("org.freedesktop.appearance", "color-scheme") {
        let name = match scheme {
            1 => "dark",
            2 => "light",
            _ => "no preference",
        };
        seen.push(event(COLOUR_SCHEME, name));
    }
    if let Some(&Variant::U32(1)) = get("org.freedesktop.appearance", "contrast") {
        seen.push(event(ACCESSIBILITY_FEATURE, "high-contrast"));
    }
    if let Some(&Variant::F64(factor)) = get("org.gnome.desktop.interface", "text-scaling-factor")
        && let Some(percent) = percent(factor)
    {
        seen.push(event(TEXT_SCALING, percent));
        if percent > 100 {
            seen.push(event(ACCESSIBILITY_FEATURE, "large-text"));
        }
    }
    if let Some(Variant::Bool(false)) = get("org.gnome.desktop.interface", "enable-animations") {
        seen.push(event(ACCESSIBILITY_FEATURE, "reduced-motion"));
    }
    if let Some(Variant::Array(sources)) = get("org.gnome.desktop.input-sources", "sources") {
        seen.push(event(INPUT_SOURCES, u32::try_from(sources.len()).unwrap_or(u32::MAX)));
    }
    seen
}

/// The value inside any nesting of variants: some portals wrap twice.
fn inner<'v>(value: &'v Variant<'v>) -> &'v Variant<'v> {
    let mut value = value;
    while let Variant::Variant(within) = value {
        value = within;
    }
    value
}

/// A factor in whole percent, of which GNOME allows 50 to 300. It becomes a class, and randomises nothing.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn percent(factor: f64) -> Option<u32> {
    (0.1..=10.0).contains(&factor).then(|| (factor * 100.0).round() as u32)
}

/// GNOME's accessibility settings, which the portal does not show, through its own command.
async fn gsettings() -> Option<String> {
    let ask = || {
        let mut command = std::process::Command::new("timeout");
        command.args([&PATIENCE.as_secs().to_string(), "gsettings", "list-recursively", "org.gnome.desktop.a11y"]);
        command.stdin(std::process::Stdio::null()).output()
    };
    let output = tokio::task::spawn_blocking(ask).await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok())?
}

/// The features that are on, in lines such as `org.gnome.desktop.a11y.keyboard stickykeys-enable true`.
fn accessibility(listing: &str) -> Vec<Observation> {
    let features = listing.lines().filter_map(|line| {
        let (setting, value) = line.strip_prefix("org.gnome.desktop.a11y.")?.rsplit_once(' ')?;
        let feature = match setting {
            "applications screen-reader-enabled" => "screen-reader",
            "applications screen-magnifier-enabled" => "magnifier",
            "applications screen-keyboard-enabled" => "on-screen-keyboard",
            "interface high-contrast" => "high-contrast",
            "keyboard stickykeys-enable" => "sticky-keys",
            "keyboard slowkeys-enable" => "slow-keys",
            "keyboard bouncekeys-enable" => "bounce-keys",
            "keyboard mousekeys-enable" => "mouse-keys",
            "mouse dwell-click-enabled" => "dwell-click",
            _ => return None,
        };
        (value == "true").then_some(feature)
    });
    features.map(|feature| event(ACCESSIBILITY_FEATURE, feature)).collect()
}

/// The application of a unit, by the naming of desktop environments (systemd.io/DESKTOP_ENVIRONMENTS):
/// `app[-LAUNCHER]-ID-RANDOM.scope`, or `app[-LAUNCHER]-ID[@RANDOM].service`, where a hyphen in a name is `\x2d`.
fn application(unit: &str) -> Option<String> {
    let unit = unit.strip_prefix("app-")?;
    let name = if let Some(scope) = unit.strip_suffix(".scope") {
        scope.rsplit_once('-')?.0
    } else {
        let service = unit.strip_suffix(".service")?;
        service.split_once('@').map_or(service, |(name, _)| name)
    };
    let id = name.rsplit_once('-').map_or(name, |(_, id)| id).replace("\\x2d", "-");
    (!id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(seen: &[Observation]) -> Vec<(u128, String)> {
        seen.iter().map(|(id, payload)| (u128::from_be_bytes(*id), payload.to_string())).collect()
    }

    #[test]
    fn units_name_their_applications() {
        let id = |unit| application(unit);
        assert_eq!(id("app-gnome-org.gnome.Nautilus-4242.scope").as_deref(), Some("org.gnome.Nautilus"));
        assert_eq!(id("app-org.kde.dolphin@3fd1a2b4c5d6.service").as_deref(), Some("org.kde.dolphin"));
        assert_eq!(id("app-flatpak-org.gimp.GIMP-101.scope").as_deref(), Some("org.gimp.GIMP"));
        assert_eq!(id("app-gnome-google\\x2dchrome-77.scope").as_deref(), Some("google-chrome"));
        assert_eq!(id("app-firefox.service").as_deref(), Some("firefox"));
        for none in ["session-2.scope", "app-.service", "app-7.scope", "app.slice", ""] {
            assert_eq!(id(none), None, "{none}");
        }
    }

    #[test]
    fn only_features_that_are_on_are_told() {
        let listing = "org.gnome.desktop.a11y always-show-universal-access-status false\n\
                       org.gnome.desktop.a11y.applications screen-reader-enabled true\n\
                       org.gnome.desktop.a11y.applications screen-magnifier-enabled false\n\
                       org.gnome.desktop.a11y.keyboard stickykeys-enable true\n\
                       org.gnome.desktop.a11y.keyboard bouncekeys-delay 300\n";
        let found = texts(&accessibility(listing));
        let feature = |name: &str| (ACCESSIBILITY_FEATURE, Variant::from(name.to_owned()).to_string());
        assert_eq!(found, [feature("screen-reader"), feature("sticky-keys")]);
    }

    #[test]
    fn an_empty_environment_says_nothing() {
        assert_eq!(environment(|_| Some(String::new())), []);
        assert_eq!(environment(|_| None), []);
        let stated = environment(|name| Some(if name == "LANG" { "de_AT.UTF-8" } else { "wayland" }.to_owned()));
        assert_eq!(stated.len(), 3);
        assert_eq!(stated[2], event(LOCALE, "de_AT"));
    }

    #[test]
    fn a_factor_outside_reason_is_none() {
        assert_eq!([0.5, 1.0, 1.25].map(percent), [Some(50), Some(100), Some(125)]);
        assert_eq!([f64::NAN, f64::INFINITY, -1.0, 0.0, 1e9].map(percent), [None; 5]);
    }
}
