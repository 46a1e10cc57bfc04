// SPDX-License-Identifier: MIT OR Apache-2.0
//! The session helper on a private bus, with a portal and a user's systemd that are ours.

use std::collections::HashMap;
use std::process::Command;

use zbus::wire::{OwnedObjectPath, OwnedVariant, Variant};

use super::corner::{Corner, stderr};

const HELPER: &str = env!("CARGO_BIN_EXE_stipple-session-helper");

struct Portal;

#[zbus::interface(name = "org.freedesktop.portal.Settings")]
impl Portal {
    fn read_all(&self, namespaces: Vec<String>) -> HashMap<String, HashMap<String, OwnedVariant>> {
        assert!(namespaces.iter().any(|namespace| namespace == "org.freedesktop.appearance"));
        let keys = |keys: Vec<(&str, Variant<'static>)>| {
            keys.into_iter().map(|(key, value)| (key.to_owned(), value.try_into().unwrap())).collect()
        };
        let sources = vec![("xkb", "de"), ("xkb", "us"), ("ibus", "libpinyin")];
        HashMap::from([
            (
                "org.freedesktop.appearance".to_owned(),
                keys(vec![("color-scheme", Variant::from(1_u32)), ("contrast", Variant::from(1_u32))]),
            ),
            (
                "org.gnome.desktop.interface".to_owned(),
                keys(vec![
                    ("text-scaling-factor", Variant::from(1.25_f64)),
                    ("enable-animations", Variant::from(true)),
                    ("font-name", Variant::from("A private font 11")),
                ]),
            ),
            ("org.gnome.desktop.input-sources".to_owned(), keys(vec![("sources", Variant::from(sources))])),
        ])
    }
}

struct UserManager;

type Unit = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

#[zbus::interface(name = "org.freedesktop.systemd1.Manager")]
impl UserManager {
    fn list_units_by_patterns(&self, states: Vec<String>, patterns: Vec<String>) -> Vec<Unit> {
        assert_eq!((states, patterns.len()), (vec!["active".to_owned()], 2));
        let path = || OwnedObjectPath::try_from("/").unwrap();
        let unit = |name: &str| {
            let text = String::new;
            (name.to_owned(), text(), text(), text(), text(), text(), path(), 0, text(), path())
        };
        [
            "app-gnome-org.gnome.Nautilus-4242.scope",
            "app-flatpak-org.gimp.GIMP-101.scope",
            "app-gnome-my.secret.App-7.scope",
        ]
        .map(unit)
        .to_vec()
    }
}

fn help(corner: &Corner) {
    let mut command = Command::new(HELPER);
    command.args(["--bus", &corner.address, "--session", &corner.address]);
    command.env("LANG", "pt_BR.utf8").env("XDG_SESSION_TYPE", "wayland").env("XDG_CURRENT_DESKTOP", "GNOME");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_session_tells_what_only_it_knows_and_only_after_a_yes() {
    let corner = Corner::new();
    let _recorder = corner.recorder();
    let services = corner.connect().await;
    let objects = services.object_server();
    objects.at("/org/freedesktop/portal/desktop", Portal).await.unwrap();
    objects.at("/org/freedesktop/systemd1", UserManager).await.unwrap();
    services.request_name("org.freedesktop.portal.Desktop").await.unwrap();
    services.request_name("org.freedesktop.systemd1").await.unwrap();
    help(&corner);
    assert_eq!(corner.json("show"), serde_json::json!([]));
    corner.stipple_ok(&["enable"]);
    help(&corner);
    for (metric, value) in [
        ("settings.display-server", "Wayland"),
        ("settings.desktop", "GNOME"),
        ("settings.locale", "pt_BR"),
        ("settings.colour-scheme", "dark"),
        ("settings.text-scaling", "101-125 %"),
        ("settings.input-sources", "3 or more"),
        ("usage.applications", "org.gnome.Nautilus, org.gimp.GIMP, other"),
    ] {
        assert_eq!(corner.tally(metric), value, "{metric}");
    }
    let features = corner.tally("settings.accessibility");
    assert!(features.contains("high-contrast") && features.contains("large-text"), "{features}");
    assert_eq!(corner.json("status")["dropped"], serde_json::json!([]), "every observation has a metric");
}
