//! Cutoffs: whom they hit and whom they do not, and what they survive; below, how long they live and what limits them.

mod limits;
mod retention;

use revokd::clock::NumericDate;
use revokd::denylist::{CutoffSpan, LogOutOutcome, LogOutRequest, Refusal, RestoreOutcome};
use revokd::event::{Origin, Seq};
use revokd::issuers::CLOCK_SKEW_S;
use revokd::revocation::{Revoked, Target, TokenClaims, Verdict};
use revokd::token::{ClientId, Family, Issuer, Jti, Key, Selector, Sid, Subject};

use super::support::{START, Store, named_issuers, open_index, opener};

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

fn sub(value: &'static str) -> Target<'static> {
    Target::Sub(Subject::parse(value).unwrap())
}

fn of_sub(value: &str, iat: Option<NumericDate>) -> TokenClaims<'_> {
    TokenClaims { sub: Some(Subject::parse(value).unwrap()), iat, ..TokenClaims::of(&Issuer::NAMELESS) }
}

/// A cutoff that was made.
struct Made {
    seq: Seq,
    key: Key,
    span: CutoffSpan,
}

fn made(outcome: LogOutOutcome) -> Made {
    match outcome {
        LogOutOutcome::Stored { seq, key, span } => Made { seq, key, span },
        other => panic!("{other:?}"),
    }
}

fn log_out(store: &Store, target: Target<'static>, issued_before: Option<NumericDate>) -> Made {
    made(store.try_log_out(target, issued_before).unwrap())
}

fn revoked(store: &Store, claims: &TokenClaims<'_>) -> Option<Revoked> {
    match store.try_check_claims(claims).unwrap() {
        Verdict::Good => None,
        Verdict::Revoked(revoked) => Some(revoked),
    }
}

fn is_revoked(store: &Store, value: &str, iat: NumericDate) -> bool {
    revoked(store, &of_sub(value, Some(iat))).is_some()
}

fn restore(store: &Store, key: Key, seq: Seq) {
    let outcome = store.try_restore(key, seq).unwrap();
    assert!(matches!(outcome, RestoreOutcome::Restored { .. }), "{outcome:?}");
}

fn lose_index(store: &mut Store) {
    store.stop();
    std::fs::remove_dir_all(store.index_path()).unwrap();
    store.start().unwrap();
}

#[test]
fn a_cutoff_hits_what_was_issued_up_to_it_and_the_skew_and_nothing_later() {
    let targets = [
        Target::Sid(Sid::parse("x").unwrap()),
        Target::Family(Family::parse("x").unwrap()),
        sub("x"),
        Target::ClientId(ClientId::parse("x").unwrap()),
        Target::All,
    ];
    for target in targets {
        let store = Store::new();
        let selector = target.selector();
        let span = log_out(&store, target, None).span;
        assert_eq!((span.issued_before, span.good_from), (START, START.plus(CLOCK_SKEW_S + 1)), "{selector:?}");
        let claims = |value: &'static str, iat: Option<i64>| {
            let mut claims = TokenClaims::of_jti(&Issuer::NAMELESS, Jti::parse("t").unwrap());
            claims.iat = iat.map(|iat| START.plus(iat));
            match selector {
                Selector::Sid => claims.sid = Some(Sid::parse(value).unwrap()),
                Selector::Family => claims.family = Some(Family::parse(value).unwrap()),
                Selector::Sub => claims.sub = Some(Subject::parse(value).unwrap()),
                Selector::ClientId => claims.client_id = Some(ClientId::parse(value).unwrap()),
                _ => {}
            }
            claims
        };
        for (iat, hit) in [
            (Some(-1_000_000), true),
            (Some(-1), true),
            (Some(0), true),
            (Some(1), true),
            (Some(CLOCK_SKEW_S), true),
            (Some(CLOCK_SKEW_S + 1), false),
            (Some(1_000_000), false),
            (None, true),
        ] {
            let found = revoked(&store, &claims("x", iat));
            assert_eq!(found.as_ref().map(|found| found.by), hit.then_some(selector), "{selector:?} iat {iat:?}");
            assert!(found.is_none_or(|found| found.revoked_at == START && found.ends_at == span.ends_at));
        }
        let everybody = selector == Selector::Iss;
        assert_eq!(revoked(&store, &claims("y", None)).is_some(), everybody, "{selector:?}: another value");
        let bare = TokenClaims::of_jti(&Issuer::NAMELESS, Jti::parse("t").unwrap());
        assert_eq!(revoked(&store, &bare).is_some(), everybody, "{selector:?}: a check that does not bring the claim");
    }
}

#[test]
fn the_same_value_of_another_selector_or_issuer_is_not_hit() {
    let mut store = Store::new();
    store.stop();
    store.issuers = named_issuers(&["https://a", "https://b"]);
    store.start().unwrap();
    let [a, b] = ["https://a", "https://b"].map(|name| Issuer::parse(name).unwrap());
    for target in [sub("x"), Target::All] {
        let request =
            LogOutRequest { issuer: a.clone(), target, issued_before: None, by_issuers_clock: false, reason: None };
        made(store.block_on(store.denylist().log_out(request, Origin::INTERNAL, true)).unwrap());
        let claims = |issuer| TokenClaims { sub: Some(Subject::parse("x").unwrap()), ..TokenClaims::of(issuer) };
        assert!(revoked(&store, &claims(&a)).is_some());
        assert!(revoked(&store, &claims(&b)).is_none());
        let sid = TokenClaims { sid: Some(Sid::parse("x").unwrap()), ..TokenClaims::of(&b) };
        assert!(revoked(&store, &sid).is_none());
    }
}

#[test]
fn of_several_cutoffs_the_strictest_wins_and_not_the_latest() {
    let store = Store::new();
    let strict = log_out(&store, sub("x"), Some(START.plus(-10)));
    let later = log_out(&store, sub("x"), Some(START.plus(-500)));
    assert!(later.seq > strict.seq && later.key != strict.key);
    assert!(is_revoked(&store, "x", START.plus(-10 + CLOCK_SKEW_S)), "the older one has the later instant");
    assert!(!is_revoked(&store, "x", START.plus(-10 + CLOCK_SKEW_S + 1)));
    let all = log_out(&store, Target::All, Some(START.plus(-5)));
    let found = revoked(&store, &of_sub("x", Some(START.plus(-100)))).unwrap();
    assert_eq!((found.by, found.seq), (Selector::Iss, all.seq), "the strictest of all selectors is named");
}

#[test]
fn restoring_one_cutoff_never_lifts_another() {
    let instants = [-400, -300, -300, -100, -50];
    // Each is the only one left once, in every order in which the others go.
    for kept in [0, 1, 3, 4] {
        for rotation in 0..instants.len() {
            let mut store = Store::new();
            let made: Vec<_> = instants.map(|at| log_out(&store, sub("x"), Some(START.plus(at)))).into();
            assert_eq!(made[1].key, made[2].key, "the very same cutoff is one entry");
            let mut gone = [2].to_vec();
            for n in (0..instants.len()).map(|n| (n + rotation) % instants.len()) {
                if n != kept && !gone.contains(&n) {
                    restore(&store, made[n].key, made[n].seq);
                    gone.push(n);
                    let strictest = (0..instants.len()).filter(|n| !gone.contains(n)).map(|n| instants[n]).max();
                    let last = START.plus(strictest.unwrap() + CLOCK_SKEW_S);
                    assert!(is_revoked(&store, "x", last), "{kept} {rotation} {gone:?}");
                    assert!(!is_revoked(&store, "x", last.plus(1)), "{kept} {rotation} {gone:?}");
                }
            }
            store.restart();
            assert!(is_revoked(&store, "x", START.plus(instants[kept] + CLOCK_SKEW_S)));
            restore(&store, made[kept].key, made[kept].seq);
            assert!(revoked(&store, &of_sub("x", None)).is_none());
            lose_index(&mut store);
            assert!(revoked(&store, &of_sub("x", None)).is_none());
            assert_eq!(store.denylist().status().cutoffs, [0; Selector::ALL.len()]);
        }
    }
}

#[test]
fn a_cutoff_in_the_future_is_refused_and_the_future_begins_after_latest() {
    let store = Store::new();
    let refused = store.try_log_out(sub("x"), Some(START.plus(1))).unwrap();
    assert_eq!(refused, LogOutOutcome::Refused(Refusal::InFuture { ahead_s: 1, limit: START }));
    assert!(matches!(
        store.try_log_out(sub("x"), Some(NumericDate::NEVER)).unwrap(),
        LogOutOutcome::Refused(Refusal::InFuture { .. })
    ));
    // A wall clock that jumped is doubted: either time may be right, and the later one is "now" for cutoffs.
    store.time.jump(10 * HOUR);
    assert_eq!(log_out(&store, sub("x"), None).span.issued_before, START.plus(10 * HOUR));
    log_out(&store, sub("x"), Some(START.plus(10 * HOUR)));
    store.time.jump(-20 * HOUR);
    assert_eq!(log_out(&store, sub("x"), None).span.issued_before, store.denylist().clock().now().latest);
}

#[test]
fn the_very_same_cutoff_is_stored_once_and_another_second_is_another_entry() {
    let store = Store::new();
    let first = log_out(&store, sub("x"), None);
    let again = log_out(&store, sub("x"), Some(START));
    assert_eq!((again.seq, again.key, again.span), (first.seq, first.key, first.span));
    assert_eq!(store.denylist().status().last_seq, 1, "what changes nothing is not journaled");
    store.time.pass(1);
    let other = log_out(&store, sub("x"), None);
    assert_ne!(other.key, first.key);
    restore(&store, first.key, first.seq);
    let anew = log_out(&store, sub("x"), Some(START));
    assert!(anew.seq > other.seq && anew.key != first.key, "one that was taken back is made anew");
}

#[test]
fn cutoffs_survive_restart_index_loss_and_purge() {
    let mut store = Store::new();
    let made: Vec<_> = ["a", "b", "c"].map(|value| log_out(&store, sub(value), None)).into();
    restore(&store, made[1].key, made[1].seq);
    for step in 0..6 {
        for (value, hit) in [("a", true), ("b", false), ("c", true), ("d", false)] {
            assert_eq!(is_revoked(&store, value, START), hit, "{value} at step {step}");
        }
        let status = store.denylist().status();
        assert_eq!((status.cutoffs[Selector::Sub as usize], status.cutoff_records), (2, 4));
        store.time.pass(HOUR);
        match step {
            0 => store.restart(),
            1 | 4 => lose_index(&mut store),
            2 => drop(store.purge()),
            _ => store.denylist().refill(),
        }
    }
}

#[test]
fn cutoffs_and_restores_are_saved_from_the_index_when_a_loss_is_accepted() {
    let mut store = Store::new();
    let kept = log_out(&store, sub("kept"), None);
    let gone = log_out(&store, sub("gone"), None);
    restore(&store, gone.key, gone.seq);
    for n in 0..50 {
        store.time.pass(1);
        log_out(&store, sub("other"), None);
        store.revoke(&format!("t{n}"), START.plus(DAY));
    }
    store.settle();
    store.stop();
    let segment = std::fs::read_dir(store.journal_path()).unwrap().map(|entry| entry.unwrap().path());
    let segment = segment.filter(|path| path.extension().is_some_and(|end| end == "segment")).max().unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[..2_000].fill(0x5A);
    std::fs::write(&segment, bytes).unwrap();
    assert!(store.start().is_err());
    let open_index = opener(|path| open_index(path, 16 << 20));
    let saved = revokd::denylist::accept_loss(&store.sources(open_index), &store.issuers).unwrap();
    assert!(saved.from_index >= 3, "{saved:?}");
    store.start().unwrap();
    assert!(is_revoked(&store, "kept", START) && is_revoked(&store, "other", START.plus(50)));
    assert!(!is_revoked(&store, "gone", START));
    restore(&store, kept.key, kept.seq);
    assert!(!is_revoked(&store, "kept", START));
}
