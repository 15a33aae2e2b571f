//! What happens between the failure of the index and the adoption of a new one.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use revokd::denylist::{Outcome, Settings, WriteError};
use revokd::event::{Change, Origin};
use revokd::revocation::Unavailable;
use revokd::token::{Issuer, Jti};

use super::{HOUR, Live, PATIENCE, exp, gate, token};
use crate::support::{LEEWAY_S, Mode, START, mode, request, settings};

#[test]
fn writes_that_filled_the_overlay_resume_by_themselves() {
    let (open, pass) = gate();
    let small = Settings { overlay_entries_max: 50, ..settings() };
    let live = Live::with(small, move |asked| {
        if asked > 0 {
            pass();
        }
        Ok(())
    });
    live.fill(0..100);
    live.store.settle();
    live.store.damage_index();
    let mut stored = 100;
    let refused = loop {
        match live.store.try_revoke(&token(stored), exp(0)) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, WriteError::Unavailable(Unavailable::Index));
    assert!(stored > 110, "writes go on as long as there is room for them: {stored}");
    (100..stored).for_each(|n| assert!(live.never_good(&token(n)), "what is in the overlay can be read"));
    open.send(()).unwrap();
    live.rebuilt(1);
    live.store.try_revoke(&token(stored), exp(0)).unwrap();
    live.assert_all(0..stored + 1);
}

#[test]
fn what_is_purged_during_a_rebuild_stays_purged_and_counts_once() {
    let (open, pass) = gate();
    let (begun, waiting) = mpsc::channel();
    let live = Live::with(settings(), move |asked| {
        if asked > 0 {
            begun.send(()).unwrap();
            pass();
        }
        Ok(())
    });
    let long = |n: i64| START.plus(20 * 86_400 + n);
    let short = (0..3_000).map(|n| request(&format!("short{n}"), START.plus(600))).collect();
    live.store.try_revoke_all(short).unwrap();
    live.store.try_revoke_all((0..200).map(|n| request(&token(n), long(n))).collect()).unwrap();
    live.store.settle();
    live.store.damage_index();
    live.never_good("t0");
    // The snapshot is taken before the generation is opened.
    waiting.recv_timeout(PATIENCE).unwrap();
    live.store.try_revoke_all((200..300).map(|n| request(&token(n), long(n))).collect()).unwrap();
    let segments = live.status().journal.segments;
    live.store.time.pass(4 * HOUR);
    // In a mode that purges before every check there is nothing left for this one.
    let purged = live.store.purge();
    assert!(mode() == Mode::PurgeAlways || purged.entries == 3_000, "{purged:?}");
    assert!(live.status().journal.segments < segments, "the journal forgets what the rebuild still reads");
    live.store.try_revoke_all((300..400).map(|n| request(&token(n), long(n))).collect()).unwrap();
    assert_eq!(live.status().records, 400);
    open.send(()).unwrap();
    live.rebuilt(1);
    assert_eq!(live.status().records, 400, "what was purged has come back");
    let index = live.store.index();
    let deadline = Instant::now() + PATIENCE;
    while index.buckets().iter().any(|bucket| bucket.end() < START.plus(HOUR)) {
        assert!(Instant::now() < deadline, "the tree of a bucket that was purged is left");
    }
    assert_eq!(live.store.purge().entries, 0);
    live.assert_all(0..400);
    assert!(!live.store.is_revoked("short0"));
    live.store.time.pass(40 * 86_400);
    let purged = live.store.purge();
    assert!(mode() == Mode::PurgeAlways || purged.entries == 400, "{purged:?}");
    assert_eq!((live.status().records, index.buckets().len()), (0, 0));
}

#[test]
fn shares_are_counted_once_over_a_rebuild() {
    let mut small = settings();
    small.shares.entries_max = 100;
    let live = Live::with(small, |_| Ok(()));
    live.fill(0..80);
    live.store.settle();
    live.store.damage_index();
    live.fill(80..85);
    live.rebuilt(1);
    live.fill(85..90);
    let full = live.store.revoke("one more", exp(0));
    assert!(matches!(full, Outcome::Refused(_)), "{full:?}");
    live.store.time.pass(40 * 86_400);
    live.store.purge();
    let later = START.plus(40 * 86_400 + HOUR);
    for n in 0..90 {
        assert!(matches!(live.store.revoke(&token(n), later), Outcome::Stored { .. }), "{n}");
    }
}

#[test]
fn extensions_and_restores_keep_their_order() {
    let (open, pass) = gate();
    let (begun, waiting) = mpsc::channel();
    let mut live = Live::with(settings(), move |asked| {
        if asked > 0 {
            begun.send(()).unwrap();
            pass();
        }
        Ok(())
    });
    let restore = |live: &Live, jti: &str| {
        let jti = Jti::parse(jti.to_owned()).unwrap();
        let furthest_end = START.plus(HOUR + LEEWAY_S);
        let change = Change::Restored { issuer: Issuer::NAMELESS, jti, furthest_end, reason: None };
        live.store.block_on(live.store.denylist().record(change, Origin::INTERNAL)).unwrap();
    };
    let names = ["before", "between", "after"];
    for jti in names.iter().flat_map(|name| [format!("extended {name}"), format!("restored {name}")]) {
        live.store.revoke(&jti, START.plus(HOUR));
    }
    live.store.revoke("again", START.plus(HOUR));
    live.store.revoke("extended before", START.plus(90 * HOUR));
    restore(&live, "restored before");
    restore(&live, "again");
    live.store.settle();
    live.store.damage_index();
    let _ = live.store.try_check("extended before");
    waiting.recv_timeout(PATIENCE).unwrap();
    // What the old index cannot say is refused; what comes after is decided by the new one.
    assert!(live.store.try_revoke("extended between", START.plus(90 * HOUR)).is_err());
    restore(&live, "restored between");
    open.send(()).unwrap();
    live.rebuilt(1);
    for name in ["extended between", "extended after", "again"] {
        live.store.revoke(name, START.plus(90 * HOUR));
    }
    restore(&live, "restored after");
    live.store.time.pass(2 * HOUR);
    for restarted in [false, true] {
        for name in names {
            assert!(live.store.is_revoked(&format!("extended {name}")), "{name}, restarted: {restarted}");
            assert!(!live.store.is_revoked(&format!("restored {name}")), "{name}, restarted: {restarted}");
        }
        assert!(live.store.is_revoked("again"));
        if !restarted {
            live.store.settle();
            live.proves_equal_after_a_restart();
        }
    }
}

#[test]
fn a_stop_does_not_wait_for_a_rebuild() {
    for hangs in [true, false] {
        let (open, pass) = gate();
        let (begun, waiting) = mpsc::channel();
        let mut live = Live::with(settings(), move |asked| {
            if asked > 0 {
                begun.send(()).unwrap();
                if hangs {
                    pass();
                }
            }
            Ok(())
        });
        for n in 0..10 {
            live.fill(n * 2_000..(n + 1) * 2_000);
        }
        live.store.settle();
        live.store.damage_index();
        live.never_good("t0");
        waiting.recv_timeout(PATIENCE).unwrap();
        live.fill(20_000..20_100);
        let begun = Instant::now();
        live.store.stop();
        assert!(begun.elapsed() < Duration::from_secs(10), "the stop took {:?}", begun.elapsed());
        live.store.start().unwrap();
        live.assert_all(20_000..20_100);
        for n in (0..20_000).step_by(7) {
            assert!(live.store.is_revoked(&token(n)));
        }
        drop(open);
    }
}

#[test]
fn what_ended_by_leeway_alone_is_judged_by_the_new_index_as_by_the_old() {
    let live = Live::new();
    live.store.revoke("a", START.plus(HOUR));
    live.store.settle();
    live.store.time.pass(HOUR + LEEWAY_S);
    live.store.damage_index();
    live.never_good("a");
    live.rebuilt(1);
    assert!(live.store.is_revoked("a"), "it lives to the last second");
    live.store.time.pass(1);
    assert!(!live.store.is_revoked("a"));
}
