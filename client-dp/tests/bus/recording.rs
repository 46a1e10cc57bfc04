// SPDX-License-Identifier: MIT OR Apache-2.0
//! `gdbus` records all kinds of events, in the shapes that libeosmetrics sends.

use stipple_client_dp::dbus::{EventRecorderServerProxy, MetricsProxy};
use tokio::task::JoinSet;
use zbus::wire::Variant;

use super::corner::Corner;

const ROOT_FILESYSTEM: u128 = 0xfbd7_ed58_b8e1_54a7_bb45_0962_0007_679f;
const STARTUP_FINISHED: u128 = 0xbf7e_8aed_2932_455c_a28e_d407_cfd5_aaba;
const COMPUTER_INFORMATION: u128 = 0x81f3_03aa_448d_443d_97f9_8d8a_9169_321c;
const PROGRAM_DUMPED_CORE: u128 = 0xed57_b607_4a56_47f1_b1e4_5dc3_e743_35ec;
const OOM_KILL: u128 = 0xf9c9_ca45_84f7_5f01_b6ab_02c8_8a07_5bf3;
pub const DAILY_APP_USAGE: u128 = 0x49d0_451a_f706_4f50_81d2_70cc_0ec9_23a4;
const SHELL_APP_IS_OPEN: u128 = 0xb5e1_1a3d_13f8_4219_84fd_c9ba_0bf3_d1f0;

/// An event's UUID as `gdbus` reads 16 bytes.
pub fn uuid(id: u128) -> String {
    let bytes: Vec<String> = id.to_be_bytes().iter().map(|byte| format!("0x{byte:02x}")).collect();
    format!("[byte {}]", bytes.join(", "))
}

fn singular(corner: &Corner, id: u128, payload: &str) {
    let reply = corner.record("RecordSingularEvent", &["1000", &uuid(id), "123456789", "true", payload]);
    assert_eq!(reply.as_deref(), Ok("()\n"));
}

#[test]
fn singular_events_with_any_nesting_of_variants() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    for (payload, tallied) in
        [("<'btrfs'>", "Btrfs"), ("<<'ext4'>>", "Ext4"), ("<<<'xfs'>>>", "Xfs"), ("<'a private disk format'>", "other")]
    {
        singular(&corner, ROOT_FILESYSTEM, payload);
        assert_eq!(corner.tally("hardware.root-filesystem"), tallied, "{payload}");
    }
    singular(&corner, STARTUP_FINISHED, "<(uint64 1, uint64 2, uint64 3, uint64 4, uint64 5, uint64 25000000)>");
    assert_eq!(corner.tally("performance.boot-time"), "20-30 s");
    let computer = "<(uint32 15500, uint32 1, uint32 2, uint32 3, [('AMD', uint16 8, 4.2, 'flags')])>";
    singular(&corner, COMPUTER_INFORMATION, computer);
    assert_eq!(corner.tally("hardware.ram-class"), "8-16 GiB");
    let older = "<(uint32 3000, uint32 1, uint32 2, uint32 3, [('AMD', uint16 8, 4.2)])>";
    singular(&corner, COMPUTER_INFORMATION, older);
    assert_eq!(corner.tally("hardware.ram-class"), "2-4 GiB");
    singular(&corner, PROGRAM_DUMPED_CORE, "<{'binary': <'/home/user/secret'>, 'signal': <int32 11>}>");
    assert_eq!(corner.tally("problems.app-crashes"), "1");
}

#[test]
fn aggregate_events_add_their_count() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let record = |count: &str| {
        let arguments = ["1000", &uuid(OOM_KILL), count, "123456789", "false", "<false>"];
        assert_eq!(corner.record("RecordAggregateEvent", &arguments).as_deref(), Ok("()\n"));
    };
    record("2");
    assert_eq!(corner.tally("problems.oom-kills"), "2");
    record("3");
    assert_eq!(corner.tally("problems.oom-kills"), "3-5");
    record("0");
    record("-7");
    assert_eq!(corner.tally("problems.oom-kills"), "3-5");
}

/// How many kills of the kernel's the state's table has.
fn kills(corner: &Corner) -> u64 {
    let export = corner.json("export");
    let tallies = export["state"]["tables"]["tally"].as_array().expect("a table of tallies").iter();
    tallies.filter(|row| row["metric"] == "problems.oom-kills").map(|row| row["number"].as_u64().unwrap()).sum()
}

/// Calls share a transaction; none is lost or counted twice, and whoever looks sees all that was acknowledged.
#[tokio::test]
async fn calls_in_flight_count_once_each() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let caller = corner.connect().await;
    let recorder = EventRecorderServerProxy::new(&caller).await.unwrap();
    for round in 1..=5 {
        let mut calls = JoinSet::new();
        for _ in 0..64 {
            let recorder = recorder.clone();
            calls.spawn(async move {
                recorder.record_singular_event(0, &OOM_KILL.to_be_bytes(), 1, false, &Variant::from(false)).await
            });
        }
        assert!(calls.join_all().await.into_iter().all(|outcome| outcome.is_ok()));
        assert_eq!(kills(&corner), round * 64);
    }
}

/// An event is acknowledged before it is written; neither an orderly end nor the user's word comes in between.
#[tokio::test]
async fn what_was_said_is_judged_by_what_the_user_wanted_then() {
    let corner = Corner::new();
    let first = corner.recorder();
    let caller = corner.connect().await;
    let recorder = EventRecorderServerProxy::new(&caller).await.unwrap();
    let owner = MetricsProxy::new(&caller).await.unwrap();
    let record = async || {
        for _ in 0..5 {
            recorder.record_singular_event(0, &OOM_KILL.to_be_bytes(), 1, false, &Variant::from(false)).await.unwrap();
        }
    };
    record().await;
    recorder.set_enabled(true).await.unwrap();
    assert_eq!(kills(&corner), 0, "nothing was wanted before the first yes");
    record().await;
    assert!(first.stop().success());
    let _second = corner.recorder();
    assert_eq!(kills(&corner), 5);

    record().await;
    recorder.set_enabled(false).await.unwrap();
    record().await;
    recorder.set_enabled(true).await.unwrap();
    assert_eq!(kills(&corner), 0, "the no deletes what was said before it, and forbids what was said after it");

    record().await;
    owner.opt_out("problems").await.unwrap();
    record().await;
    owner.opt_in("problems").await.unwrap();
    record().await;
    assert_eq!(kills(&corner), 5, "the category was off when the others happened");
    record().await;
    owner.erase().await.unwrap();
    assert_eq!(kills(&corner), 0);
}

#[test]
fn sequences_count_with_doubly_wrapped_payloads() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let record = |events: &str| {
        let arguments = ["1000", &uuid(SHELL_APP_IS_OPEN), events];
        assert_eq!(corner.record("RecordEventSequence", &arguments).as_deref(), Ok("()\n"));
    };
    record("[(int64 5, true, <<'org.gnome.Nautilus.desktop'>>), (int64 60000000005, false, <<false>>)]");
    record("[(int64 5, true, <'firefox.desktop'>), (int64 6, false, <false>)]");
    record("@a(xbv) []");
    assert_eq!(corner.tally("usage.applications"), "org.gnome.Nautilus, org.mozilla.firefox");
}

#[test]
fn unknown_events_and_shapes_are_counted_and_never_an_error() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    singular(&corner, 77, "<'anything'>");
    singular(&corner, ROOT_FILESYSTEM, "<uint32 5>");
    let status = corner.json("status");
    assert_eq!(status["dropped"], serde_json::json!([["unknown event", 1], ["unknown shape", 1]]));
    // An id of another length is dropped; as today, the caller is not told.
    for id in ["@ay []", "[byte 0x01, 0x02]", "[byte 0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]"] {
        let arguments = ["0", id, "0", "true", "<'btrfs'>"];
        assert_eq!(corner.record("RecordSingularEvent", &arguments).as_deref(), Ok("()\n"));
    }
    assert_eq!(corner.tally("hardware.root-filesystem"), "none");
}

#[test]
fn without_a_yes_events_are_accepted_and_forgotten() {
    let corner = Corner::new();
    let recorder = corner.recorder();
    singular(&corner, ROOT_FILESYSTEM, "<'btrfs'>");
    assert_eq!(corner.json("show"), serde_json::json!([]));
    assert!(recorder.stop().success());
    assert_eq!(std::fs::read_dir(corner.state()).unwrap().count(), 0, "no file is written before a yes");
}

#[test]
fn probes_read_the_system_when_the_user_says_yes() {
    let corner = Corner::new();
    let proc = corner.path("system/proc/self");
    std::fs::create_dir_all(&proc).unwrap();
    std::fs::write(proc.join("mountinfo"), "1 1 0:2 / / rw - xfs /dev/sda1 rw\n").unwrap();
    std::fs::write(proc.join("../cpuinfo"), "vendor_id\t: AuthenticAMD\n").unwrap();
    std::fs::write(proc.join("../meminfo"), "MemTotal:       15890332 kB\n").unwrap();
    let _recorder = corner.recorder();
    assert_eq!(corner.json("show"), serde_json::json!([]));
    corner.stipple_ok(&["enable"]);
    assert_eq!(corner.tally("hardware.root-filesystem"), "Xfs");
    assert_eq!(corner.tally("hardware.cpu-vendor"), "AMD");
    assert_eq!(corner.tally("hardware.ram-class"), "8-16 GiB");
}
