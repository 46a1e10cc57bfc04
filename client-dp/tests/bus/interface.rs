// SPDX-License-Identifier: MIT OR Apache-2.0
//! `org.stipple.Metrics1` as it introspects itself is the installed file, and its properties signal their changes.

use std::process::Command;
use std::time::Duration;

use stipple_client_dp::consent_version;
use stipple_client_dp::dbus::MetricsProxy;
use zbus::export::ordered_stream::OrderedStreamExt as _;
use zbus::fdo::PropertiesProxy;

use super::corner::{Corner, stdout};

const PATH: &str = "/org/stipple/Metrics1";
const NAME: &str = "org.stipple.Metrics1";

/// The interface's element, without the indentation of what is around it.
fn element(xml: &str) -> String {
    let start = xml.find(&format!("<interface name=\"{NAME}\">")).expect("the interface is there");
    let end = xml[start..].find("</interface>").expect("and ends") + start;
    xml[start..end].lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_installed_description_is_the_live_one() {
    let corner = Corner::new();
    let _recorder = corner.recorder();
    let arguments = ["introspect", "--xml", "--system", "-d", NAME, "-o", PATH];
    let output =
        Command::new("gdbus").env("DBUS_SYSTEM_BUS_ADDRESS", &corner.address).args(arguments).output().unwrap();
    let live = element(&stdout(&output));
    assert_eq!(element(include_str!("../../../packaging/dbus/org.stipple.Metrics1.xml")), live, "live:\n{live}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_signalled_and_another_text_is_no_yes() {
    let corner = Corner::new();
    let _recorder = corner.recorder();
    let connection = corner.connect().await;
    let metrics = MetricsProxy::new(&connection).await.unwrap();
    let properties = PropertiesProxy::new(&connection, NAME, PATH).await.unwrap();
    let mut changes = properties.receive_properties_changed().await.unwrap();
    let error = metrics.set_consent(true, "another").await.unwrap_err().to_string();
    assert!(error.contains("org.stipple.Metrics1.Error.TextChanged"), "{error}");
    assert_eq!(metrics.status().await.unwrap().consent, "unset");

    metrics.set_consent(true, &consent_version()).await.unwrap();
    metrics.opt_out("usage").await.unwrap();
    metrics.set_consent(false, "").await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 5 {
        let change = tokio::time::timeout(Duration::from_secs(10), changes.next()).await.expect("a signal").unwrap();
        let change = change.args().unwrap();
        for (name, value) in change.changed_properties() {
            seen.push(format!("{name} {value:?}"));
        }
    }
    let version = consent_version();
    for (change, part) in seen.iter().zip(["on", &version, "usage", "off", ""]) {
        assert!(change.contains(part), "{seen:?}");
    }
    let names: Vec<&str> = seen.iter().filter_map(|change| change.split(' ').next()).collect();
    assert_eq!(names, ["Consent", "AgreedVersion", "OptedOut", "Consent", "AgreedVersion"]);
}
