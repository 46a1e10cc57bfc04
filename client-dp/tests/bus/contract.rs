// SPDX-License-Identifier: MIT OR Apache-2.0
//! The D-Bus contract member by member: signatures, properties, signals, errors.

use std::time::Duration;

use stipple_client_dp::dbus::{EventRecorderServerProxy, MetricsProxy};
use zbus::export::ordered_stream::OrderedStreamExt as _;

use super::corner::Corner;
use super::recording::{DAILY_APP_USAGE, uuid};

/// The signatures of the members of an interface in introspection data: `name(in)out` or `name:type:access`.
fn members(xml: &str, interface: &str) -> Vec<String> {
    let start = xml.find(&format!("<interface name=\"{interface}\">")).expect("the interface is there");
    let body = &xml[start..start + xml[start..].find("</interface>").unwrap()];
    let attribute = |tag: &str, name: &str| {
        let from = tag.find(&format!(" {name}=\"")).map(|at| at + name.len() + 3)?;
        Some(tag[from..from + tag[from..].find('"')?].to_owned())
    };
    let (mut members, mut inputs, mut outputs, mut method) = (Vec::new(), String::new(), String::new(), None);
    for tag in body.split('<').skip(2) {
        let name = attribute(tag, "name").unwrap_or_default();
        if tag.starts_with("method ") {
            method = Some(name);
        } else if tag.starts_with("arg ") {
            let out = attribute(tag, "direction").as_deref() == Some("out");
            if out { &mut outputs } else { &mut inputs }.push_str(&attribute(tag, "type").unwrap());
        } else if tag.starts_with("property ") {
            let (kind, access) = (attribute(tag, "type").unwrap(), attribute(tag, "access").unwrap());
            members.push(format!("{name}:{kind}:{access}"));
        }
        if tag.starts_with("/method") || tag.starts_with("method ") && tag.contains("/>") {
            members.push(format!("{}({inputs}){outputs}", method.take().unwrap()));
            inputs.clear();
            outputs.clear();
        }
    }
    members.sort();
    members
}

#[test]
fn every_member_has_its_signature() {
    let corner = Corner::new();
    let _recorder = corner.recorder();
    let xml = corner.gdbus("org.freedesktop.DBus.Introspectable.Introspect", &[]).unwrap();
    let xml = xml.replace("\\\"", "\"");
    assert_eq!(
        members(&xml, "com.endlessm.Metrics.EventRecorderServer"),
        [
            "Enabled:b:read",
            "RecordAggregateEvent(uayxxbv)",
            "RecordEventSequence(uaya(xbv))",
            "RecordSingularEvent(uayxbv)",
            "ResetTrackingId()",
            "SetEnabled(b)",
            "StartAggregateTimer(uaybv)o",
            "TrackingId:s:read",
            "UploadEvents()",
        ]
    );
}

#[tokio::test]
async fn a_running_timer_has_one_method() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let connection = corner.connect().await;
    let recorder = EventRecorderServerProxy::new(&connection).await.unwrap();
    let id = DAILY_APP_USAGE.to_be_bytes();
    let first = recorder.start_aggregate_timer(0, &id, true, &"firefox".into()).await.unwrap();
    let second = recorder.start_aggregate_timer(0, &id, true, &"firefox".into()).await.unwrap();
    assert_eq!(first.as_str(), "/com/endlessm/Metrics/AggregateTimer0");
    assert_eq!(second.as_str(), "/com/endlessm/Metrics/AggregateTimer1");
    let xml = corner.gdbus_on(first.as_str(), "org.freedesktop.DBus.Introspectable.Introspect", &[]).unwrap();
    assert_eq!(members(&xml.replace("\\\"", "\""), "com.endlessm.Metrics.AggregateTimer"), ["StopTimer()"]);
}

#[test]
fn properties_are_read_only_and_the_tracking_id_is_empty() {
    let corner = Corner::new();
    let _recorder = corner.recorder();
    let interface = "com.endlessm.Metrics.EventRecorderServer";
    let get = |name| corner.gdbus("org.freedesktop.DBus.Properties.Get", &[interface, name]);
    assert_eq!(get("Enabled").as_deref(), Ok("(<false>,)\n"));
    assert_eq!(get("TrackingId").as_deref(), Ok("(<''>,)\n"));
    assert_eq!(corner.record("SetEnabled", &["true"]).as_deref(), Ok("()\n"));
    assert_eq!(get("Enabled").as_deref(), Ok("(<true>,)\n"));
    assert_eq!(get("TrackingId").as_deref(), Ok("(<''>,)\n"));
    corner.gdbus("org.freedesktop.DBus.Properties.Set", &[interface, "Enabled", "<false>"]).unwrap_err();
    assert_eq!(get("Enabled").as_deref(), Ok("(<true>,)\n"));
    assert_eq!(corner.record("SetEnabled", &["false"]).as_deref(), Ok("()\n"));
    assert_eq!(get("Enabled").as_deref(), Ok("(<false>,)\n"));
}

#[tokio::test]
async fn a_change_of_mind_is_signalled_with_the_new_value() {
    let corner = Corner::new();
    let _recorder = corner.recorder();
    let connection = corner.connect().await;
    let recorder = EventRecorderServerProxy::new(&connection).await.unwrap();
    let metrics = MetricsProxy::new(&connection).await.unwrap();
    let properties =
        zbus::fdo::PropertiesProxy::new(&connection, "com.endlessm.Metrics", "/com/endlessm/Metrics").await.unwrap();
    let mut changes = properties.receive_properties_changed().await.unwrap();
    for (on, consent) in [(true, "on"), (false, "off"), (true, "on")] {
        recorder.set_enabled(on).await.unwrap();
        let change = tokio::time::timeout(Duration::from_secs(10), changes.next()).await.unwrap().unwrap();
        let change = change.args().unwrap();
        assert_eq!(change.interface_name().as_str(), "com.endlessm.Metrics.EventRecorderServer");
        assert_eq!(bool::try_from(&change.changed_properties()["Enabled"]), Ok(on));
        let there = async { while metrics.consent().await.unwrap() != consent {} };
        tokio::time::timeout(Duration::from_secs(10), there).await.unwrap();
    }
}

#[test]
fn errors_have_todays_names_and_texts() {
    let corner = Corner::new();
    let _recorder = corner.recorder();
    let timer = |id: &str| corner.record("StartAggregateTimer", &["0", id, "false", "<false>"]).unwrap_err();
    let disabled = corner.record("UploadEvents", &[]).unwrap_err();
    assert_eq!(
        disabled,
        "Error: GDBus.Error:com.endlessm.Metrics.Error.MetricsDisabled: Could not upload events because the metrics \
         system is disabled. You may enable the metrics system via Settings > Privacy > Metrics\n"
    );
    assert!(timer(&uuid(DAILY_APP_USAGE)).contains("GDBus.Error:com.endlessm.Metrics.Error.MetricsDisabled: "));
    corner.record("SetEnabled", &["true"]).unwrap();
    for id in ["@ay []", "[byte 0x49, 0xd0]", "[byte 0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]"] {
        assert!(timer(id).contains("GDBus.Error:com.endlessm.Metrics.Error.InvalidEventId: "), "{id}");
    }
    assert_eq!(
        corner.record("ResetTrackingId", &[]).unwrap_err(),
        "Error: GDBus.Error:org.freedesktop.DBus.Error.UnknownMethod: Method ResetTrackingId is not implemented on \
         interface com.endlessm.Metrics.EventRecorderServer\n"
    );
    assert_eq!(corner.record("UploadEvents", &[]).as_deref(), Ok("()\n"), "nothing is due");
}
