//! How many cutoffs there may be, and what many cost.

use revokd::denylist::{LogOutOutcome, LogOutRequest, OpenError, Outcome, Refusal};
use revokd::event::Origin;
use revokd::issuers::{CLOCK_SKEW_S, Issuers};
use revokd::revocation::{Target, TokenClaims};
use revokd::token::{Issuer, Subject};

use super::{DAY, HOUR, is_revoked, log_out, made, restore, revoked};
use crate::support::{LEEWAY_S, LIFETIME_MAX_S, START, Store, named_issuers, settings};

#[test]
fn cutoffs_have_a_limit_of_their_own_and_a_tenth_of_it_is_for_admins() {
    let mut settings = settings();
    settings.shares.cutoffs_max = 20;
    let mut store = Store::with(settings);
    let ask = |store: &Store, n: usize, admin| {
        let target = Target::Sub(Subject::parse(format!("s{n}")).unwrap());
        let request = LogOutRequest {
            issuer: Issuer::NAMELESS,
            target,
            issued_before: None,
            by_issuers_clock: false,
            reason: None,
        };
        store.block_on(store.denylist().log_out(request, Origin::INTERNAL, admin)).unwrap()
    };
    for n in 0..18 {
        made(ask(&store, n, false));
    }
    let LogOutOutcome::Refused(refusal) = ask(&store, 18, false) else { panic!("beyond the limit") };
    assert_eq!(refusal.to_string(), "the share of this issuer is full: the limit limits.cutoffs_max is 18");
    made(ask(&store, 0, false));
    let (first, second) = (made(ask(&store, 18, true)), made(ask(&store, 19, true)));
    assert!(matches!(ask(&store, 20, true), LogOutOutcome::Refused(Refusal::Full { .. })));
    store.restart();
    restore(&store, first.key, first.seq);
    assert!(matches!(ask(&store, 20, true), LogOutOutcome::Refused(Refusal::Full { .. })), "held until it has ended");
    store.time.pass(second.span.ends_at.since(START) + 40 * DAY);
    store.purge();
    made(ask(&store, 20, false));
}

#[test]
fn a_flood_of_revocations_leaves_room_for_cutoffs() {
    let mut settings = settings();
    settings.shares.entries_max = 100;
    let store = Store::with(settings);
    for n in 0..90 {
        store.revoke(&format!("t{n}"), START.plus(HOUR));
    }
    assert!(matches!(store.revoke("u", START.plus(HOUR)), Outcome::Refused(Refusal::Full { .. })));
    for n in 0..10 {
        let target = Target::Sub(Subject::parse(format!("s{n}")).unwrap());
        let request = LogOutRequest {
            issuer: Issuer::NAMELESS,
            target,
            issued_before: None,
            by_issuers_clock: false,
            reason: None,
        };
        made(store.block_on(store.denylist().log_out(request, Origin::INTERNAL, false)).unwrap());
    }
}

#[test]
fn thousands_of_cutoffs_are_each_their_own_and_go_with_their_time() {
    let mut store = Store::new();
    let name = |n: usize| Subject::parse(format!("s{n}")).unwrap();
    for n in 0..3_000 {
        log_out(&store, Target::Sub(name(n)), Some(START.plus(-i64::try_from(n).unwrap() * 60)));
    }
    for pass in 0..2 {
        for n in (0..3_000).step_by(7) {
            let cut = START.plus(-i64::try_from(n).unwrap() * 60 + CLOCK_SKEW_S);
            let claims = |iat| TokenClaims { sub: Some(name(n)), iat: Some(iat), ..TokenClaims::of(&Issuer::NAMELESS) };
            assert!(revoked(&store, &claims(cut)).is_some(), "{n} pass {pass}");
            assert!(revoked(&store, &claims(cut.plus(1))).is_none(), "{n} pass {pass}");
        }
        store.restart();
    }
    store.time.pass(LIFETIME_MAX_S + LEEWAY_S - 1_000 * 60);
    store.purge();
    assert!(is_revoked(&store, "s0", START) && !is_revoked(&store, "s2999", START.plus(-180_000)));
    store.time.pass(40 * DAY);
    store.purge();
    assert_eq!(store.denylist().status().records, 0);
}

#[test]
fn an_issuer_with_live_cutoffs_cannot_leave_the_config() {
    let mut store = Store::new();
    log_out(&store, Target::All, None);
    store.stop();
    store.issuers = named_issuers(&["https://a"]);
    assert!(matches!(store.start(), Err(OpenError::Nameless { entries: 1 })));
    store.issuers = Issuers::nameless(LIFETIME_MAX_S, LEEWAY_S);
    store.start().unwrap();
}
