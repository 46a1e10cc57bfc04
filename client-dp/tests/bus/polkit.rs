// SPDX-License-Identifier: MIT OR Apache-2.0
//! On the system bus polkit decides: the right action is asked for, for the right caller, and silence is a no.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use zbus::interface;
use zbus::wire::OwnedVariant;

use super::corner::{Corner, NOW, Recorder, stderr};

/// A polkit that allows some actions and remembers what it was asked.
struct Polkit {
    allowed: &'static [&'static str],
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

type Answer = (bool, bool, HashMap<String, String>);

#[interface(name = "org.freedesktop.PolicyKit1.Authority")]
impl Polkit {
    fn check_authorization(
        &self,
        subject: (String, HashMap<String, OwnedVariant>),
        action: String,
        details: HashMap<String, String>,
        flags: u32,
        cancellation: &str,
    ) -> (Answer,) {
        assert!(details.is_empty() && cancellation.is_empty() && flags <= 1);
        let name = subject.1.get("name").map(|name| format!("{name:?}")).unwrap_or_default();
        let allowed = self.allowed.contains(&action.as_str());
        self.asked.lock().unwrap().push((action, format!("{} {name}", subject.0)));
        ((allowed, false, HashMap::new()),)
    }
}

fn recorder(corner: &Corner) -> Recorder {
    let mut command = corner.command_on("system");
    command.args(["--now", NOW]);
    Recorder::start(command)
}

fn refused(corner: &Corner, verb: &str) {
    let output = corner.stipple_on("system", &[verb]);
    assert_eq!(output.status.code(), Some(4), "{verb}: {}", stderr(&output));
    assert!(stderr(&output).contains("not allowed"), "{}", stderr(&output));
}

#[test]
fn without_polkit_nobody_may_change_or_look() {
    let corner = Corner::new();
    let _recorder = recorder(&corner);
    for verb in ["enable", "disable", "show", "preview", "budget"] {
        refused(&corner, verb);
    }
    assert_eq!(
        corner.record("SetEnabled", &["true"]).unwrap_err(),
        "Error: GDBus.Error:org.freedesktop.DBus.Error.AuthFailed: Disabling metrics is only allowed from system settings\n"
    );
    assert_eq!(
        corner.record("ResetTrackingId", &[]).unwrap_err(),
        "Error: GDBus.Error:org.freedesktop.DBus.Error.AuthFailed: Only privileged users can reset the tracking ID\n"
    );
    assert!(corner.stipple_on("system", &["status"]).status.success(), "whether metrics are on is no secret");
    assert_eq!(std::fs::read_dir(corner.state()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn polkit_is_asked_for_each_action_by_the_callers_name() {
    let corner = Corner::new();
    let _recorder = recorder(&corner);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let polkit = Polkit { allowed: &["com.endlessm.Metrics.SetEnabled"], asked: asked.clone() };
    let _polkit = zbus::connection::Builder::address(corner.address.as_str())
        .serve_at("/org/freedesktop/PolicyKit1/Authority", polkit)
        .name("org.freedesktop.PolicyKit1")
        .build()
        .await
        .unwrap();
    let output = corner.stipple_on("system", &["enable"]);
    assert!(output.status.success(), "{}", stderr(&output));
    for verb in ["show", "preview", "budget"] {
        refused(&corner, verb);
    }
    corner.record("ResetTrackingId", &[]).unwrap_err();
    let asked = asked.lock().unwrap().clone();
    let actions: Vec<&str> = asked.iter().map(|(action, _)| action.as_str()).collect();
    let read = "org.stipple.Metrics1.read";
    assert_eq!(actions, ["com.endlessm.Metrics.SetEnabled", read, read, read, "com.endlessm.Metrics.ResetTrackingId"]);
    let callers: std::collections::BTreeSet<_> = asked.iter().map(|(_, caller)| caller).collect();
    assert!(callers.iter().all(|caller| caller.starts_with("system-bus-name ")), "{callers:?}");
    assert_eq!(callers.len(), asked.len(), "each caller under its own name");
}
