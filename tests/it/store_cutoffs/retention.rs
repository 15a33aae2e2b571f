//! How long cutoffs live: to the last token they hit, as far as is known.

use revokd::clock::NumericDate;
use revokd::denylist::{LogOutOutcome, Outcome, Proof, RestoreOutcome};
use revokd::issuers::{CLOCK_SKEW_S, Issuers};
use revokd::token::Selector;

use super::{DAY, HOUR, is_revoked, log_out, lose_index, made, of_sub, restore, revoked, sub};
use crate::support::{LEEWAY_S, LIFETIME_MAX_S, START, Store, request};

#[test]
fn a_cutoff_lives_until_the_last_token_it_hits_is_accepted_nowhere() {
    for back in [0, 1, HOUR, 20 * DAY] {
        let store = Store::new();
        let span = log_out(&store, sub("x"), Some(START.plus(-back))).span;
        assert_eq!(span.ends_at, span.good_from.plus(LIFETIME_MAX_S + LEEWAY_S), "{back} s ago ends {back} s sooner");
        let last = span.good_from.plus(-1);
        store.time.pass(span.ends_at.since(START) - 1);
        assert!(is_revoked(&store, "x", last));
        store.time.pass(1);
        assert!(is_revoked(&store, "x", last), "the last second counts");
        store.time.pass(1);
        assert!(!is_revoked(&store, "x", last));
        store.time.pass(40 * DAY);
        store.purge();
        assert_eq!(
            (store.denylist().status().cutoffs, store.denylist().status().cutoff_records),
            ([0; Selector::ALL.len()], 0)
        );
    }
}

#[test]
fn what_lies_so_far_back_that_nothing_is_left_to_hit_is_not_stored() {
    let store = Store::new();
    let first = START.plus(-(CLOCK_SKEW_S + 1 + LIFETIME_MAX_S + LEEWAY_S));
    let outcome = store.try_log_out(sub("x"), Some(first.plus(-1))).unwrap();
    assert_eq!(outcome, LogOutOutcome::Expired { earliest: first });
    assert_eq!(
        store.try_log_out(sub("x"), Some(NumericDate(i64::MIN))).unwrap(),
        LogOutOutcome::Expired { earliest: first }
    );
    assert_eq!(store.denylist().status().last_seq, 0);
    made(store.try_log_out(sub("x"), Some(first)).unwrap());
}

#[test]
fn a_token_that_lives_longer_puts_off_the_end_of_every_live_cutoff_of_its_issuer() {
    let mut store = Store::new();
    let old = log_out(&store, sub("old"), Some(START.plus(-(LIFETIME_MAX_S + LEEWAY_S))));
    store.time.pass(10);
    assert!(!is_revoked(&store, "old", START.plus(-40 * DAY)), "it has ended");
    let kept = log_out(&store, sub("kept"), Some(START.plus(-DAY)));
    let gone = log_out(&store, sub("gone"), None);
    restore(&store, gone.key, gone.seq);
    let mut verified = request("a", START.plus(50 * DAY));
    verified.proof = Proof::Verified { iat: Some(START) };
    assert!(matches!(store.try_revoke_all(vec![verified]).unwrap()[0], Outcome::Stored { .. }));
    let twice = 2 * LIFETIME_MAX_S;
    let ends_at = kept.span.good_from.plus(twice + LEEWAY_S);
    let last = kept.span.good_from.plus(-1);
    assert_eq!(revoked(&store, &of_sub("kept", Some(last))).unwrap().ends_at, ends_at);
    let moved = store.try_restore(kept.key, kept.seq).unwrap();
    assert!(matches!(moved, RestoreOutcome::Moved { seq } if seq > kept.seq), "{moved:?}");
    let new = log_out(&store, sub("new"), None).span;
    assert_eq!(new.ends_at, new.good_from.plus(twice + LEEWAY_S), "new ones live as long");
    for _ in 0..3 {
        assert!(!is_revoked(&store, "old", old.span.issued_before), "what has ended stays so");
        assert!(!is_revoked(&store, "gone", START.plus(-1)), "what is taken back stays so");
        lose_index(&mut store);
        store.time.pass(10 * DAY);
        store.purge();
        store.restart();
    }
    store.time.pass(ends_at.since(START) - 10 - 30 * DAY);
    assert!(is_revoked(&store, "kept", last));
    store.time.pass(1);
    assert!(!is_revoked(&store, "kept", last));
}

#[test]
fn an_issuer_is_raised_a_few_times_however_its_tokens_vary() {
    let store = Store::new();
    log_out(&store, sub("x"), None);
    for days in (32..3_650).step_by(10) {
        let mut verified = request(&format!("t{days}"), START.plus(days * DAY));
        verified.proof = Proof::Verified { iat: Some(START) };
        store.try_revoke_all(vec![verified]).unwrap();
    }
    assert_eq!(store.denylist().status().cutoff_records, 8, "once more for each doubling of 31 days to ten years");
}

#[test]
fn a_cutoff_whose_end_was_put_off_is_taken_back_for_good() {
    for purge_first in [true, false] {
        let mut store = Store::new();
        let cutoff = log_out(&store, sub("x"), None);
        store.time.pass(DAY);
        let mut verified = request("a", START.plus(60 * DAY));
        verified.proof = Proof::Verified { iat: Some(START) };
        store.try_revoke_all(vec![verified]).unwrap();
        let RestoreOutcome::Moved { seq } = store.try_restore(cutoff.key, cutoff.seq).unwrap() else {
            panic!("its end was put off")
        };
        if purge_first {
            store.time.pass(40 * DAY);
            store.purge();
            store.restart();
        }
        assert!(is_revoked(&store, "x", START));
        restore(&store, cutoff.key, seq);
        for day in 0..80 {
            assert!(!is_revoked(&store, "x", START), "day {day}");
            store.purge();
            match day % 20 {
                7 => lose_index(&mut store),
                13 => store.restart(),
                _ => {}
            }
            store.time.pass(DAY);
        }
        store.purge();
        assert_eq!(store.denylist().status().cutoff_records, 0);
    }
}

#[test]
fn what_is_configured_later_does_not_judge_a_cutoff_anew() {
    let mut store = Store::new();
    let before = log_out(&store, sub("x"), None).span;
    store.stop();
    let mut limits = Issuers::nameless(60, 1).iter().next().unwrap().clone();
    limits.clock_skew_s = 60;
    store.issuers = Issuers::named(vec![limits]).unwrap();
    store.start().unwrap();
    assert!(is_revoked(&store, "x", before.good_from.plus(-1)));
    assert!(!is_revoked(&store, "x", before.good_from), "a login that was promised to work still does");
    assert_eq!(revoked(&store, &of_sub("x", None)).unwrap().ends_at, before.ends_at);
    let anew = log_out(&store, sub("x"), Some(START));
    assert_eq!(anew.span.good_from, START.plus(61));
    assert!(is_revoked(&store, "x", START.plus(60)), "the same instant with a larger skew is stricter");
}
