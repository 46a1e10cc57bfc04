// SPDX-License-Identifier: MIT OR Apache-2.0
//! On the system bus polkit decides, here python3-dbusmock's: each verb has its action, and silence is a no.

use std::process::{Child, Command, Stdio};

use super::corner::{Corner, NOW, Recorder, stderr};

/// A polkit on a private bus that allows what it is told to.
struct Polkit(Child);

impl Polkit {
    fn start(corner: &Corner) -> Self {
        let child = Command::new("timeout")
            .args(["90", "/usr/bin/python3", "-m", "dbusmock", "--template", "polkitd"])
            .env("DBUS_SYSTEM_BUS_ADDRESS", &corner.address)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let polkit = Self(child);
        corner.until("polkit (is python3-dbusmock installed? scripts/setup installs it)", |corner| {
            allow(corner, &[]).then_some(())
        });
        polkit
    }
}

impl Drop for Polkit {
    fn drop(&mut self) {
        // `timeout` passes the signal on.
        super::corner::terminate(&self.0);
        let _ = self.0.wait();
    }
}

/// Tells polkit what to allow; whether it heard.
fn allow(corner: &Corner, actions: &[&str]) -> bool {
    let actions = actions.iter().map(|action| format!("'{action}'")).collect::<Vec<_>>().join(", ");
    let path = "/org/freedesktop/PolicyKit1/Authority";
    let output = Command::new("gdbus")
        .env("DBUS_SYSTEM_BUS_ADDRESS", &corner.address)
        .args(["call", "--system", "-d", "org.freedesktop.PolicyKit1", "-o", path])
        .args(["-m", "org.freedesktop.DBus.Mock.SetAllowed", &format!("@as [{actions}]")])
        .output()
        .unwrap();
    output.status.success()
}

fn recorder(corner: &Corner) -> Recorder {
    let mut command = corner.command_on("system");
    command.args(["--now", NOW]);
    Recorder::start(command)
}

fn refused(corner: &Corner, verb: &[&str]) {
    let output = corner.stipple_on("system", verb);
    assert_eq!(output.status.code(), Some(4), "{verb:?}: {}", stderr(&output));
    assert!(stderr(&output).contains("not allowed"), "{}", stderr(&output));
}

/// Every verb that polkit guards, and its action. A yes comes first, so that the rest has something to do.
const GUARDED: [(&[&str], &str); 11] = [
    (&["enable"], "org.stipple.Metrics1.set-consent"),
    (&["show"], "org.stipple.Metrics1.read"),
    (&["preview"], "org.stipple.Metrics1.read"),
    (&["sent"], "org.stipple.Metrics1.read"),
    (&["budget"], "org.stipple.Metrics1.read"),
    (&["metrics", "explain", "usage.starts"], "org.stipple.Metrics1.read"),
    (&["export"], "org.stipple.Metrics1.read"),
    (&["opt-out", "usage"], "org.stipple.Metrics1.opt-out"),
    (&["opt-in", "usage"], "org.stipple.Metrics1.opt-out"),
    (&["erase"], "org.stipple.Metrics1.erase"),
    (&["disable"], "org.stipple.Metrics1.set-consent"),
];
const OTHERS: [&str; 2] = ["com.endlessm.Metrics.SetEnabled", "com.endlessm.Metrics.ResetTrackingId"];

#[test]
fn without_polkit_nobody_may_change_or_look() {
    let corner = Corner::new();
    let _recorder = recorder(&corner);
    for (verb, _) in GUARDED {
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
    for verb in ["status", "metrics"] {
        assert!(corner.stipple_on("system", &[verb]).status.success(), "{verb} is no secret");
    }
    assert_eq!(std::fs::read_dir(corner.state()).unwrap().count(), 0);
}

#[test]
fn each_verb_needs_its_own_action_and_no_other() {
    let corner = Corner::new();
    let _recorder = recorder(&corner);
    let _polkit = Polkit::start(&corner);
    let actions: std::collections::BTreeSet<&str> = GUARDED.iter().map(|(_, action)| *action).chain(OTHERS).collect();
    for (verb, action) in GUARDED {
        let rest: Vec<&str> = actions.iter().copied().filter(|other| *other != action).collect();
        assert!(allow(&corner, &rest));
        refused(&corner, verb);
        assert!(allow(&corner, &[action]));
        let output = corner.stipple_on("system", verb);
        assert!(output.status.success(), "{verb:?}: {}", stderr(&output));
    }
    assert!(allow(&corner, &[OTHERS[0]]));
    corner.record("SetEnabled", &["true"]).unwrap();
    assert!(corner.record("ResetTrackingId", &[]).unwrap_err().contains("AuthFailed"));
    assert!(allow(&corner, &[OTHERS[1]]));
    assert!(corner.record("ResetTrackingId", &[]).unwrap_err().contains("UnknownMethod"));
}

#[test]
fn every_action_that_is_asked_for_is_installed() {
    let policy = include_str!("../../../packaging/polkit/org.stipple.Metrics1.policy");
    let rules = include_str!("../../../packaging/polkit/org.stipple.Metrics1.rules");
    for action in GUARDED.iter().map(|(_, action)| *action).chain(OTHERS) {
        let start = policy.find(&format!("<action id=\"{action}\">")).expect(action);
        let text = &policy[start..start + policy[start..].find("</action>").unwrap()];
        let (reads, resets) = (action == "org.stipple.Metrics1.read", action == OTHERS[1]);
        let active = if reads {
            "yes"
        } else if resets {
            "auth_admin"
        } else {
            "auth_admin_keep"
        };
        assert!(text.contains(&format!("<allow_active>{active}</allow_active>")), "{text}");
        assert_eq!(rules.contains(&format!("\"{action}\"")), !reads && !resets, "{action}");
    }
}
