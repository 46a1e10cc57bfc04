// SPDX-License-Identifier: MIT OR Apache-2.0
//! One fact at a time goes wrong; only its own line may change, and says what to do.

use super::*;

/// A workstation with nothing wrong.
fn healthy() -> Facts {
    let status = StatusRow {
        consent: "on".to_owned(),
        hold: String::new(),
        agreed_version: "1".to_owned(),
        catalogue: "A catalogue".to_owned(),
        catalogue_hash: "ab".to_owned(),
        metrics: 51,
        opted_out: Vec::new(),
        server: "https://metrics.example".to_owned(),
        week: "2027-W17".to_owned(),
        waiting: 1,
        dropped: vec![("unknown event".to_owned(), 9)],
        phase: "production".to_owned(),
        doubted_since: String::new(),
        expired: 0,
        overdue: 0,
        upload_socket: "/run/stipple/upload.sock".to_owned(),
        upload_trouble: String::new(),
    };
    let told = TallyRow {
        metric: SESSION.to_owned(),
        title: String::new(),
        week: "2027-W17".to_owned(),
        value: "Wayland".to_owned(),
    };
    Facts { status, sole_recorder: true, installed: Some("ab".to_owned()), socket: true, tallies: Some(vec![told]) }
}

#[test]
fn a_healthy_workstation_is_all_ok() {
    let findings = judge(&healthy());
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok && finding.remedy.is_empty()), "{findings:?}");
    assert_eq!(findings.len(), 9);
}

type Fault = (&'static str, Verdict, fn(&mut Facts));

#[test]
fn each_fault_is_told_on_its_own_line_with_a_remedy() {
    let faults: [Fault; 15] = [
        ("recorder", Verdict::Fail, |facts| facts.sole_recorder = false),
        ("answer", Verdict::Warn, |facts| facts.status.hold = "locked".to_owned()),
        ("answer", Verdict::Warn, |facts| facts.status.hold = "text-changed".to_owned()),
        ("catalogue", Verdict::Fail, |facts| facts.status.metrics = 0),
        ("catalogue", Verdict::Warn, |facts| facts.status.expired = 3),
        ("catalogue", Verdict::Warn, |facts| facts.installed = Some("cd".to_owned())),
        ("clock", Verdict::Warn, |facts| facts.status.doubted_since = "2031-01-01T00:00:00Z".to_owned()),
        ("clock", Verdict::Warn, |facts| facts.status.phase = "testing".to_owned()),
        ("outbox", Verdict::Warn, |facts| facts.status.upload_trouble = "no route".to_owned()),
        ("uploader", Verdict::Fail, |facts| facts.socket = false),
        ("server", Verdict::Warn, |facts| facts.status.server = "http://127.0.0.1:8470".to_owned()),
        ("server", Verdict::Fail, |facts| facts.status.server = "http://metrics.example".to_owned()),
        ("session", Verdict::Warn, |facts| facts.tallies = None),
        ("session", Verdict::Warn, |facts| {
            facts.tallies.iter_mut().flatten().for_each(|row| row.value = "none".to_owned());
        }),
        ("events", Verdict::Warn, |facts| facts.status.dropped.push(("over a user's rate".to_owned(), 2))),
    ];
    for (check, verdict, break_it) in faults {
        let mut facts = healthy();
        break_it(&mut facts);
        let (before, after) = (judge(&healthy()), judge(&facts));
        let changed: Vec<&Finding> = after.iter().filter(|finding| finding.verdict != Verdict::Ok).collect();
        assert_eq!(changed.len(), 1, "{changed:?}");
        assert_eq!((changed[0].check, changed[0].verdict), (check, verdict), "{changed:?}");
        assert!(!changed[0].remedy.is_empty());
        assert_eq!(before.len(), after.len());
    }
}

#[test]
fn a_no_is_no_fault_and_asks_nothing_of_the_session() {
    for consent in ["off", "unset"] {
        let mut facts = healthy();
        (facts.status.consent, facts.tallies) = (consent.to_owned(), Some(Vec::new()));
        assert!(judge(&facts).iter().all(|finding| finding.verdict == Verdict::Ok));
    }
}
