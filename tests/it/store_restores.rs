//! What is taken back stays so: through restarts, index losses, purges, clocks, and revoking again.

use revokd::clock::NumericDate;
use revokd::denylist::{Outcome, Refusal, RestoreOutcome};
use revokd::event::Seq;
use revokd::revocation::{Target, TokenClaims, Verdict};
use revokd::token::{Issuer, Jti, Key, Subject};

use super::support::{LEEWAY_S, START, Store, key, request_of, settings};

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

fn stored(outcome: &Outcome) -> (Seq, NumericDate) {
    match outcome {
        Outcome::Stored { seq, ends_at } => (*seq, *ends_at),
        other => panic!("{other:?}"),
    }
}

fn revoke(store: &Store, jti: &str, exp: NumericDate) -> (Seq, NumericDate) {
    stored(&store.revoke(jti, exp))
}

fn restore(store: &Store, jti: &str, seq: Seq) -> Seq {
    match store.try_restore(key(jti), seq).unwrap() {
        RestoreOutcome::Restored { seq, .. } => seq,
        other => panic!("{other:?}"),
    }
}

fn lose_index(store: &mut Store) {
    store.stop();
    std::fs::remove_dir_all(store.index_path()).unwrap();
    store.start().unwrap();
}

#[test]
fn a_restored_token_is_good_at_once_and_one_revoked_again_is_revoked_at_once() {
    let mut store = Store::new();
    let (mut seq, ends_at) = revoke(&store, "a", START.plus(10 * DAY));
    for turn in 0..5 {
        assert!(store.is_revoked("a"));
        restore(&store, "a", seq);
        assert!(!store.is_revoked("a"), "the filter that still says maybe decides nothing");
        if turn == 3 {
            store.restart();
            assert!(!store.is_revoked("a"));
        }
        let again = revoke(&store, "a", START.plus(HOUR));
        assert_eq!(again.1, ends_at, "the furthest end ever recorded is kept, restored or not");
        seq = again.0;
    }
    store.time.pass(10 * DAY + LEEWAY_S);
    assert!(store.is_revoked("a"));
    store.time.pass(1);
    assert!(!store.is_revoked("a"));
}

#[test]
fn only_what_is_there_and_has_not_moved_is_taken_back() {
    let store = Store::new();
    let (first, _) = revoke(&store, "a", START.plus(HOUR));
    assert_eq!(store.try_restore(key("b"), first).unwrap(), RestoreOutcome::NotFound);
    let (extended, _) = revoke(&store, "a", START.plus(DAY));
    assert_eq!(store.try_restore(key("a"), first).unwrap(), RestoreOutcome::Moved { seq: extended });
    assert!(store.is_revoked("a"));
    assert_eq!(store.try_restore(key("a"), extended + 1).unwrap(), RestoreOutcome::Moved { seq: extended });
    restore(&store, "a", extended);
    assert_eq!(store.try_restore(key("a"), extended).unwrap(), RestoreOutcome::NotFound, "it is taken back already");
    let (ended, _) = revoke(&store, "c", START.plus(HOUR));
    store.time.pass(HOUR + LEEWAY_S + 1);
    assert_eq!(store.try_restore(key("c"), ended).unwrap(), RestoreOutcome::NotFound);
    assert_eq!(store.denylist().status().last_seq, ended, "what changes nothing is not journaled");
}

#[test]
fn no_purge_and_no_restart_brings_back_what_was_taken_back() {
    // Recorded long before its end, an entry lies in a wide bucket; the restore comes late, when buckets are narrow.
    for (lifetime, late) in [(20 * DAY, 19 * DAY), (20 * DAY, 20 * DAY), (30 * DAY, 10 * DAY), (DAY, 23 * HOUR)] {
        let mut store = Store::new();
        let (seq, _) = revoke(&store, "a", START.plus(lifetime));
        store.time.pass(late);
        restore(&store, "a", seq);
        let step = (lifetime / 16).max(600);
        for n in 0..24 {
            store.purge();
            match n % 8 {
                2 => store.restart(),
                5 => lose_index(&mut store),
                _ => {}
            }
            // An admin who sets the clock back vouches for it: whatever is still held is judged by the time before.
            store.time.jump(START.plus(late).since(store.denylist().clock().now().recorded));
            store.denylist().clock().trust();
            assert!(!store.is_revoked("a"), "{lifetime} {late} {n}");
            store.time.jump(step * (n + 1));
            store.denylist().clock().trust();
        }
    }
}

#[test]
fn a_restore_outlives_every_extension_of_its_entry() {
    let mut store = Store::new();
    let mut seq = 0;
    for (n, exp) in [20 * DAY, 21 * DAY, 21 * DAY + HOUR].into_iter().enumerate() {
        seq = revoke(&store, "a", START.plus(exp)).0;
        store.time.pass(if n == 0 { 18 * DAY } else { HOUR });
    }
    restore(&store, "a", seq);
    for _ in 0..30 {
        store.time.pass(DAY / 4);
        store.purge();
        lose_index(&mut store);
        assert!(!store.is_revoked("a"));
    }
    assert_eq!(store.denylist().status().records, 0);
}

#[test]
fn how_often_an_entry_may_be_changed_limits_restores_too() {
    let mut settings = settings();
    settings.changes_per_entry_max = 10;
    let store = Store::with(settings);
    let exp = START.plus(DAY);
    for _ in 0..4 {
        let (seq, _) = revoke(&store, "a", exp);
        restore(&store, "a", seq);
    }
    let (seq, _) = revoke(&store, "a", exp);
    restore(&store, "a", seq);
    let refused = Outcome::Refused(Refusal::TooManyChanges { limit: 9 });
    assert_eq!(store.revoke("a", exp), refused, "the last tenth is for admins");
    assert!(!store.is_revoked("a"));
    let (seq, _) = revoke(&store, "b", exp);
    for n in 1..10 {
        let outcome = store.block_on(store.denylist().revoke(
            vec![super::support::request("b", exp.plus(n))],
            revokd::event::Origin::INTERNAL,
            true,
        ));
        stored(&outcome.unwrap()[0]);
    }
    let last = seq + 9;
    let refused = RestoreOutcome::Refused(Refusal::TooManyChanges { limit: 10 });
    assert_eq!(store.try_restore(key("b"), last).unwrap(), refused);
    assert!(store.is_revoked("b"));
}

#[test]
fn a_restore_takes_back_that_one_entry_and_says_which_others_still_match() {
    let store = Store::new();
    let sub = || Target::Sub(Subject::parse("x").unwrap());
    store.try_revoke_all(vec![request_of("a", START.plus(HOUR), "x", "why")]).unwrap();
    for target in [sub(), Target::All] {
        store.try_log_out(target, None).unwrap();
    }
    let RestoreOutcome::Restored { targets, .. } = store.try_restore(key("a"), 1).unwrap() else { panic!() };
    let (still, more) = store.block_on(store.denylist().standing(targets, 10)).unwrap();
    let kinds: Vec<_> = still.iter().map(|listed| (listed.seq, listed.entry.selector().as_str())).collect();
    assert_eq!((kinds, more), (vec![(3, "iss"), (2, "sub")], false));
    let claims = TokenClaims {
        sub: Some(Subject::parse("x").unwrap()),
        iat: Some(START),
        ..TokenClaims::of_jti(&Issuer::NAMELESS, Jti::parse("a").unwrap())
    };
    assert!(matches!(store.try_check_claims(&claims).unwrap(), Verdict::Revoked(_)), "its subject is still cut off");
    let all: Vec<Key> = still.iter().map(|listed| listed.key).collect();
    for (key, seq) in all.into_iter().zip([3, 2]) {
        assert!(matches!(store.try_restore(key, seq).unwrap(), RestoreOutcome::Restored { .. }));
    }
    assert_eq!(store.try_check_claims(&claims).unwrap(), Verdict::Good);
}

#[test]
fn entries_taken_back_are_listed_no_more() {
    let mut store = Store::new();
    let (first, _) = revoke(&store, "a", START.plus(HOUR));
    revoke(&store, "b", START.plus(HOUR));
    restore(&store, "a", first);
    for _ in 0..2 {
        let page = store.block_on(store.denylist().list(revokd::denylist::ListFilter::default(), None, 10)).unwrap();
        assert_eq!(page.entries.iter().map(|listed| listed.key).collect::<Vec<_>>(), [key("b")]);
        assert!(store.block_on(store.denylist().entry(key("a"))).unwrap().is_none());
        store.settle();
        store.restart();
    }
}
