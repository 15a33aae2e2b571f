//! How entries live: extended, revoked again, in several buckets, purged, listed, limited.

use revokd::clock::NumericDate;
use revokd::denylist::{Entry, ListFilter, Listed, Outcome, Refusal, RevokeRequest, ShareLimits};
use revokd::event::Origin;
use revokd::issuers::LIFETIME_MAX;
use revokd::revocation::Revocation;
use revokd::token::{Issuer, Subject};

use super::support::{LEEWAY_S, LIFETIME_MAX_S, START, Store, request, request_of, settings};

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

fn revocation(listed: &Listed) -> &Revocation<'static> {
    match &listed.entry {
        Entry::Revocation(revocation) => revocation,
        Entry::Cutoff(cutoff) => panic!("{cutoff:?}"),
    }
}

fn stored(outcome: &Outcome) -> (u64, NumericDate) {
    match outcome {
        Outcome::Stored { seq, ends_at } => (*seq, *ends_at),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_revocation_lives_to_exp_and_leeway_inclusive() {
    let store = Store::new();
    store.revoke("a", START.plus(HOUR));
    store.time.pass(HOUR + LEEWAY_S);
    assert!(store.is_revoked("a"), "the last second counts");
    store.time.pass(1);
    assert!(!store.is_revoked("a"));
}

#[test]
fn an_expired_token_is_not_stored() {
    let store = Store::new();
    assert_eq!(store.revoke("a", START.plus(-LEEWAY_S - 1)), Outcome::Expired);
    assert_eq!(store.revoke("b", NumericDate(i64::MIN)), Outcome::Expired);
    stored(&store.revoke("c", START.plus(-LEEWAY_S)));
    assert_eq!(store.denylist().status().records, 1);
}

#[test]
fn revoking_twice_changes_nothing_and_a_shorter_exp_never_shortens() {
    let store = Store::new();
    let first = stored(&store.revoke("a", START.plus(10 * DAY)));
    assert_eq!(stored(&store.revoke("a", START.plus(10 * DAY))), first);
    assert_eq!(stored(&store.revoke("a", START.plus(HOUR))), first);
    assert_eq!(store.denylist().status().records, 1, "what changes nothing is not journaled");
    store.time.pass(9 * DAY);
    assert!(store.is_revoked("a"));
}

#[test]
fn an_extension_makes_a_second_record_and_the_latest_counts() {
    let mut store = Store::new();
    for (n, days) in [1, 3, 9, 27].into_iter().enumerate() {
        let (_, ends_at) = stored(&store.revoke("a", START.plus(days * DAY)));
        assert_eq!(ends_at, START.plus(days * DAY + LEEWAY_S));
        assert_eq!(store.denylist().status().records, n as u64 + 1);
    }
    assert!(store.denylist().status().buckets >= 3, "the records lie in several buckets");
    for day in 0..27 {
        assert!(store.is_revoked("a"), "day {day}");
        store.time.pass(DAY);
        store.purge();
        if day % 5 == 0 {
            store.restart();
        }
    }
    store.time.pass(LEEWAY_S + 1);
    assert!(!store.is_revoked("a"));
}

#[test]
fn the_same_id_twice_in_one_call_is_one_entry() {
    let store = Store::new();
    let exp = START.plus(HOUR);
    let outcomes = store.try_revoke_all(vec![request("a", exp), request("a", exp), request("b", exp)]).unwrap();
    assert_eq!(outcomes[0], outcomes[1]);
    assert_ne!(stored(&outcomes[0]).0, stored(&outcomes[2]).0);
}

#[test]
fn a_filter_that_lies_costs_a_read_and_no_answer() {
    // Every bucket filter and the front filter are asked for nothing: all say maybe.
    let mut settings = settings();
    settings.filter_on = false;
    let store = Store::with(settings);
    for n in 0..60 {
        store.revoke(&format!("t{n}"), START.plus(HOUR + n * 40_000));
    }
    store.settle();
    for n in 0..60 {
        assert!(store.is_revoked(&format!("t{n}")), "the first miss proves nothing");
        assert!(!store.is_revoked(&format!("u{n}")));
    }
}

#[test]
fn an_asserted_exp_beyond_the_limit_is_refused_and_not_clipped() {
    let store = Store::new();
    let beyond = store.revoke("a", START.plus(LIFETIME_MAX_S + 1));
    let refusal =
        Refusal::LifetimeTooLong { lifetime_s: LIFETIME_MAX_S + 1, name: LIFETIME_MAX, limit_s: LIFETIME_MAX_S };
    assert_eq!(beyond, Outcome::Refused(refusal));
    assert!(!store.is_revoked("a"));
    stored(&store.revoke("b", START.plus(LIFETIME_MAX_S)));
    assert!(matches!(store.revoke("c", NumericDate::NEVER), Outcome::Refused(_)));
}

#[test]
fn a_verified_token_may_live_ten_years_and_raises_its_issuers_lifetime() {
    let mut store = Store::new();
    let mut verified = request("a", START.plus(8 * 365 * DAY));
    verified.proof = revokd::denylist::Proof::Verified { iat: Some(START) };
    let outcomes = store.try_revoke_all(vec![verified.clone()]).unwrap();
    stored(&outcomes[0]);
    assert_eq!(store.denylist().status().last_seq, 2, "the longer lifetime is an event of its own");
    store.restart();
    assert!(store.is_revoked("a"));
    verified.revocation.exp = START.plus(12 * 365 * DAY);
    let Outcome::Refused(refusal) = store.try_revoke_all(vec![verified]).unwrap().remove(0) else { panic!("stored") };
    assert!(
        refusal.to_string().contains("the limit for verified tokens, which no config key changes, is 316224000 s"),
        "{refusal}"
    );
}

#[test]
fn one_entry_may_be_changed_so_often_and_no_more() {
    let mut settings = settings();
    settings.changes_per_entry_max = 5;
    let store = Store::with(settings);
    for n in 0..5 {
        stored(&store.revoke("a", START.plus(HOUR + n)));
    }
    let refused = store.revoke("a", START.plus(HOUR + 5));
    assert_eq!(refused, Outcome::Refused(Refusal::TooManyChanges { limit: 5 }));
    assert!(store.is_revoked("a"));
    stored(&store.revoke("b", START.plus(HOUR)));
}

#[test]
fn a_full_share_refuses_and_leaves_a_tenth_to_admins() {
    let mut settings = settings();
    settings.shares.entries_max = 100;
    let mut store = Store::with(settings);
    let revoke = |store: &Store, n: usize, admin: bool| {
        let requests = vec![request(&format!("t{n}"), START.plus(HOUR))];
        store.block_on(store.denylist().revoke(requests, Origin::INTERNAL, admin)).unwrap().remove(0)
    };
    (0..90).for_each(|n| _ = stored(&revoke(&store, n, false)));
    assert!(matches!(revoke(&store, 90, false), Outcome::Refused(Refusal::Full { limit: 90, .. })));
    stored(&revoke(&store, 5, false));
    (90..100).for_each(|n| _ = stored(&revoke(&store, n, true)));
    assert!(matches!(revoke(&store, 100, true), Outcome::Refused(Refusal::Full { limit: 100, .. })));
    store.restart();
    assert!(matches!(revoke(&store, 100, true), Outcome::Refused(Refusal::Full { .. })), "counted again at start");
    store.time.pass(4 * HOUR);
    store.purge();
    let exp = store.denylist().clock().now().earliest.plus(HOUR);
    stored(&store.revoke("t100", exp));
}

#[test]
fn a_call_of_many_counts_each_change_against_its_share() {
    let mut settings = settings();
    settings.shares.entries_max = 100;
    let mut store = Store::with(settings.clone());
    let requests =
        |names: std::ops::Range<usize>| names.map(|n| request(&format!("t{n}"), START.plus(HOUR))).collect::<Vec<_>>();
    let held = |outcomes: &[Outcome]| outcomes.iter().filter(|one| matches!(one, Outcome::Stored { .. })).count();
    assert_eq!(held(&store.try_revoke_all(requests(0..200)).unwrap()), 90);
    let admin = store.block_on(store.denylist().revoke(requests(0..200), Origin::INTERNAL, true)).unwrap();
    assert_eq!(held(&admin), 100, "90 that were stored before, and the tenth that is kept for admins");
    store.stop();

    settings.shares = ShareLimits { entries_max: 100, journal_bytes_max: 1_000, cutoffs_max: 100 };
    let store = Store::with(settings);
    let outcomes = store.try_revoke_all(requests(0..100)).unwrap();
    assert!(matches!(&outcomes[99], Outcome::Refused(Refusal::Full { name: "limits.journal_bytes_max", .. })));
    assert!((1..=20).contains(&held(&outcomes)), "{}", held(&outcomes));
}

#[test]
fn a_purge_drops_what_has_ended_and_nothing_else() {
    let store = Store::new();
    for n in 0..50 {
        store.revoke(&format!("short{n}"), START.plus(900));
        store.revoke(&format!("long{n}"), START.plus(20 * DAY));
    }
    store.settle();
    store.time.pass(900 + LEEWAY_S + 2 * 3_600 + 240);
    let report = store.purge();
    assert_eq!(report.entries, 50);
    assert_eq!(store.denylist().status().records, 50);
    assert!((0..50).all(|n| store.is_revoked(&format!("long{n}")) && !store.is_revoked(&format!("short{n}"))));
    assert_eq!(store.purge().buckets, 0);
}

#[test]
fn a_purge_beside_writes_at_a_buckets_end_loses_none_of_them() {
    let store = Store::new();
    let denylist = store.denylist().clone();
    let purger = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        for _ in 0..300 {
            runtime.block_on(denylist.purge()).unwrap();
        }
    });
    let mut n = 0;
    while !purger.is_finished() {
        // The shortest life there is: it ends within the minute that is purged next.
        let now = store.denylist().clock().now().earliest;
        let name = format!("t{n}");
        stored(&store.revoke(&name, now.plus(-LEEWAY_S)));
        assert!(store.is_revoked(&name), "a revocation was purged while it was live");
        store.time.pass(if n % 3 == 0 { 31 } else { 0 });
        n += 1;
    }
    purger.join().unwrap();
    assert!(n > 10);
}

#[test]
fn a_list_shows_live_entries_newest_first_in_pages() {
    let mut store = Store::new();
    for n in 0..40 {
        let request = request_of(&format!("t{n}"), START.plus(HOUR + n * DAY / 2), &format!("sub{}", n % 4), "why");
        store.try_revoke_all(vec![request]).unwrap();
    }
    store.revoke("t3", START.plus(29 * DAY));
    for pass in ["overlay or tree", "tree after a restart"] {
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let page = store.block_on(store.denylist().list(ListFilter::default(), before, 7)).unwrap();
            assert!(page.entries.len() <= 7);
            seen.extend(page.entries.iter().map(|entry| revocation(entry).jti.as_str().to_owned()));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let expected: Vec<_> =
            std::iter::once(3).chain((0..40).rev().filter(|n| *n != 3)).map(|n| format!("t{n}")).collect();
        assert_eq!(seen, expected, "{pass}");
        store.restart();
    }
    let filter = ListFilter {
        issuer: Some(Issuer::NAMELESS),
        sub: Some(Subject::parse("sub2").unwrap()),
        ..ListFilter::default()
    };
    let page = store.block_on(store.denylist().list(filter, None, 100)).unwrap();
    let subs: Vec<_> = page.entries.iter().map(|e| revocation(e).sub.clone().unwrap()).collect();
    assert_eq!(subs.len(), 10);
    assert!(subs.iter().all(|sub| sub.as_str() == "sub2"));
}

#[test]
fn a_list_that_finds_little_ends_its_page_in_time_and_goes_on_with_the_next() {
    let mut store = Store::new();
    store.stop();
    store.issuers = super::support::named_issuers(&["https://large", "https://small"]);
    store.settings.read_timeout_ms = 150;
    store.start().unwrap();
    let of = |issuer: &str, n: i64| {
        let request = request(&format!("t{n}"), START.plus(HOUR + n));
        let issuer = Issuer::parse(issuer.to_owned()).unwrap();
        RevokeRequest { revocation: Revocation { issuer, ..request.revocation }, ..request }
    };
    store.try_revoke_all(vec![of("https://small", 0)]).unwrap();
    for call in 0..40 {
        store.try_revoke_all((0..1_000).map(|n| of("https://large", call * 1_000 + n + 1)).collect()).unwrap();
    }
    store.settle();
    let filter = ListFilter { issuer: Some(Issuer::parse("https://small").unwrap()), ..ListFilter::default() };
    let (mut found, mut pages, mut next) = (0, 0, None);
    loop {
        // Late is an error, and then no list would ever come.
        let page = store.block_on(store.denylist().list(filter.clone(), next, 10)).unwrap();
        (found, pages, next) = (found + page.entries.len(), pages + 1, page.next);
        if next.is_none() {
            break;
        }
    }
    assert_eq!(found, 1);
    assert!(pages > 2, "20,000 entries are looked at in one page");
}
