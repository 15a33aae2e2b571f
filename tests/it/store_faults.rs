//! The disk fails, the clock jumps, the journal is damaged, the config changes: in doubt, never good.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use revokd::clock::NumericDate;
use revokd::denylist::{OpenError, Outcome, WriteError};
use revokd::index::{Index, IndexError};
use revokd::journal::JournalError;

use super::journal_support::{Fault, SimDisk};
use super::support::{LEEWAY_S, START, Store, opener, request, settings};

const HOUR: i64 = 3_600;
const YEAR: i64 = 31_536_000;

#[test]
fn a_full_disk_refuses_writes_and_checks_go_on_and_writes_resume_by_themselves() {
    let disk = SimDisk::new();
    let store = Store::on(settings(), Some(Arc::new(disk.clone())));
    store.revoke("before", START.plus(HOUR));
    disk.plan(Fault::Full(0));
    // What was filled with zeros in advance still takes writes.
    let fits = (0..20_000).take_while(|n| store.try_revoke(&format!("fits{n}"), START.plus(HOUR)).is_ok()).count();
    for n in 0..20 {
        assert_eq!(store.try_revoke(&format!("refused{n}"), START.plus(HOUR)), Err(WriteError::Refused));
        assert!(store.is_revoked("before") && (fits == 0 || store.is_revoked("fits0")));
        assert!(!store.is_revoked(&format!("refused{n}")), "refused and yet stored");
    }
    assert_eq!(store.denylist().status().writes, Err(WriteError::Refused));
    disk.heal();
    let outcome = store.try_revoke("after", START.plus(HOUR));
    assert!(matches!(outcome, Ok(Outcome::Stored { .. })), "{outcome:?}");
    assert!(store.is_revoked("after") && store.denylist().status().writes.is_ok());
}

#[test]
fn a_failed_sync_stops_writes_until_a_restart_and_checks_go_on() {
    let disk = SimDisk::new();
    let mut store = Store::on(settings(), Some(Arc::new(disk.clone())));
    store.revoke("before", START.plus(HOUR));
    disk.plan(Fault::FailSync(1));
    assert_eq!(store.try_revoke("doubtful", START.plus(HOUR)), Err(WriteError::Failed));
    disk.heal();
    assert_eq!(store.try_revoke("later", START.plus(HOUR)), Err(WriteError::Failed), "a failed sync is never retried");
    assert!(store.is_revoked("before"));
    store.stop();
    disk.restart();
    store.start().unwrap();
    assert!(store.is_revoked("before"));
    assert!(matches!(store.try_revoke("later", START.plus(HOUR)), Ok(Outcome::Stored { .. })));
}

#[test]
fn a_jump_by_years_ends_nothing_and_loses_nothing_new() {
    let mut store = Store::new();
    store.revoke("old", START.plus(HOUR));
    store.time.jump(10 * YEAR);
    assert!(store.is_revoked("old"));
    store.purge();
    assert!(store.is_revoked("old"));
    // Callers whose clocks are right, and callers whose clocks jumped as well.
    assert!(matches!(store.revoke("right", START.plus(HOUR)), Outcome::Stored { .. }));
    assert!(matches!(store.revoke("wrong", START.plus(10 * YEAR + HOUR)), Outcome::Stored { .. }));
    store.restart();
    for name in ["old", "right", "wrong"] {
        assert!(store.is_revoked(name), "{name} after a restart under the wrong clock");
    }
    store.time.jump(-10 * YEAR);
    store.restart();
    for name in ["old", "right", "wrong"] {
        assert!(store.is_revoked(name), "{name} after the clock was put right");
    }
}

#[test]
fn a_jump_back_by_hours_ends_nothing_and_new_entries_live_long_enough() {
    let mut store = Store::new();
    store.time.pass(12 * HOUR);
    store.revoke("old", START.plus(13 * HOUR));
    store.time.jump(-6 * HOUR);
    assert!(matches!(store.revoke("new", START.plus(14 * HOUR)), Outcome::Stored { .. }));
    store.restart();
    store.time.pass(HOUR);
    assert!(store.is_revoked("old") && store.is_revoked("new"));
    store.time.pass(HOUR + LEEWAY_S + 1);
    assert!(store.is_revoked("old"), "either clock may be right: it ends when both say so");
    store.time.pass(6 * HOUR);
    assert!(!store.is_revoked("old"));
}

#[test]
fn damage_is_refused_by_name_and_its_loss_can_be_accepted() {
    let mut store = Store::new();
    for n in 0..2_000 {
        store.try_revoke_all(vec![request(&format!("t{n}"), START.plus(HOUR + n * 60))]).unwrap();
    }
    store.settle();
    store.stop();
    let mut segments: Vec<_> = std::fs::read_dir(store.journal_path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "segment"))
        .collect();
    segments.sort();
    assert!(segments.len() > 1, "{segments:?}");
    let mut bytes = std::fs::read(&segments[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segments[0], bytes).unwrap();
    match store.start() {
        Err(OpenError::Journal(JournalError::Damaged { file, offset, .. })) => {
            assert!(segments[0].ends_with(&file) || segments[0].to_string_lossy().ends_with(&file), "{file}");
            assert!(offset > 0);
        }
        other => panic!("{:?}", other.map(drop)),
    }
    let saved =
        revokd::denylist::accept_loss(&store.sources(opener(|path| Index::open(path, 16 << 20))), &store.issuers)
            .unwrap();
    assert!(saved.from_index > 0, "{saved:?}");
    store.start().unwrap();
    for n in 0..2_000 {
        assert!(store.is_revoked(&format!("t{n}")), "t{n}: the index still held it");
    }
    let before = store.denylist().status().last_seq;
    assert!(before >= 2_000, "places begin above the highest seen");
    assert!(matches!(store.revoke("new", START.plus(HOUR)), Outcome::Stored { seq, .. } if seq > before));
    store.restart();
    assert!(store.is_revoked("t0") && store.is_revoked("new"));
}

#[test]
fn a_journal_that_is_gone_is_no_first_start() {
    let mut store = Store::new();
    store.revoke("a", START.plus(HOUR));
    store.stop();
    std::fs::remove_dir_all(store.journal_path()).unwrap();
    assert!(matches!(store.start(), Err(OpenError::Journal(JournalError::Missing { .. }))));
}

#[test]
fn an_issuer_that_left_the_config_while_entries_live_is_refused_by_name() {
    let mut store = Store::new();
    store.revoke("a", START.plus(HOUR));
    store.stop();
    store.issuers = super::support::named_issuers(&["https://new.example"]);
    match store.start() {
        Err(error @ OpenError::Nameless { entries: 1 }) => {
            assert!(error.to_string().contains("take the [[issuers]] out again"), "{error}");
        }
        other => panic!("{:?}", other.map(drop)),
    }
    store.issuers = super::support::named_issuers(&["https://new.example", "https://other.example"]);
    assert!(store.start().is_err());
    store.issuers = revokd::issuers::Issuers::nameless(super::support::LIFETIME_MAX_S, LEEWAY_S);
    store.start().unwrap();
    store.time.pass(4 * HOUR);
    store.stop();
    store.issuers = super::support::named_issuers(&["https://new.example"]);
    store.start().unwrap();
}

#[test]
fn an_issuer_without_live_entries_is_no_reason_not_to_start_even_where_the_index_is_in_doubt() {
    let mut store = Store::new();
    store.revoke("a", START.plus(HOUR));
    store.time.pass(4 * HOUR);
    store.stop();
    store.issuers = super::support::named_issuers(&["https://new.example"]);
    let opened = AtomicUsize::new(0);
    let started = store.start_with(move |path| match opened.fetch_add(1, Ordering::SeqCst) {
        0 => Err(IndexError::Hanging { path: path.to_owned() }),
        _ => Index::open(path, 16 << 20),
    });
    assert!(started.is_ok(), "{}", started.unwrap_err());
    assert!(store.rebuilt());
}

#[test]
fn after_an_accepted_loss_the_clock_goes_on_from_the_last_time_recorded_anywhere() {
    let mut store = Store::new();
    store.revoke("a", START.plus(9 * HOUR));
    // Recorded by closing frames alone.
    store.time.pass(4 * HOUR);
    store.stop();
    std::fs::write(store.journal_path().join("MANIFEST"), b"rot").unwrap();
    assert!(store.start().is_err());
    revokd::denylist::accept_loss(&store.sources(opener(|path| Index::open(path, 16 << 20))), &store.issuers).unwrap();
    store.start().unwrap();
    let now = store.denylist().clock().now();
    assert!(!now.doubted && now.earliest == START.plus(4 * HOUR), "{now:?}");
}

#[test]
fn a_store_that_stops_says_so_and_never_good() {
    let mut store = Store::new();
    store.revoke("a", START.plus(HOUR));
    let denylist = store.denylist().clone();
    store.stop();
    let revoked = store.block_on(denylist.revoke(
        vec![request("b", NumericDate(START.0 + HOUR))],
        revokd::event::Origin::INTERNAL,
        false,
    ));
    assert_eq!(revoked, Err(WriteError::Stopping));
}
