//! What tokens are known by is recorded where the entries are, and not changed under them (promise 16).

use revokd::denylist::{LogOutOutcome, LogOutRequest, OpenError, Outcome, RevokeRequest};
use revokd::event::Origin;
use revokd::issuers::Issuers;
use revokd::revocation::{Revocation, Target};
use revokd::token::{Issuer, Naming, Subject, WithoutJti};

use super::support::{START, Store, named_issuers, request};

pub(crate) const DAY: i64 = 86_400;
pub(crate) const A: &str = "https://a";
pub(crate) const B: &str = "https://b";

pub(crate) fn uti() -> Naming<'static> {
    Naming { jti: "uti".into(), ..Naming::default() }
}

/// Two issuers, the tokens of the first known by `naming`.
pub(crate) fn issuers(naming: Naming<'static>) -> Issuers {
    let mut limits: Vec<_> = named_issuers(&[A, B]).iter().cloned().collect();
    limits[0].naming = naming;
    Issuers::named(limits).unwrap()
}

fn store(naming: Naming<'static>) -> Store {
    let mut store = Store::new();
    start(&mut store, naming).unwrap();
    store
}

pub(crate) fn start(store: &mut Store, naming: Naming<'static>) -> Result<(), OpenError> {
    store.stop();
    store.issuers = issuers(naming);
    store.start()
}

pub(crate) fn revoke(store: &Store, issuer: &str, jti: &str, lifetime_s: i64) {
    let request = request(jti, store.denylist().clock().now().latest.plus(lifetime_s));
    let issuer = Issuer::parse(issuer.to_owned()).unwrap();
    let revocation = Revocation { issuer, ..request.revocation };
    let outcomes = store.try_revoke_all(vec![RevokeRequest { revocation, ..request }]).unwrap();
    assert!(matches!(outcomes[0], Outcome::Stored { .. }), "{outcomes:?}");
}

fn last_seq(store: &Store) -> u64 {
    store.denylist().status().last_seq
}

/// Refused, naming the issuer and each of `named`; and nothing is written.
#[track_caller]
fn assert_refused(store: &mut Store, naming: Naming<'static>, named: &[&str]) {
    let error = start(store, naming).expect_err("must be refused");
    assert!(matches!(error, OpenError::Naming { entries: 1, .. }), "{error}");
    let said = error.to_string();
    for part in named.iter().chain(&[A, "wait until they have ended"]) {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
}

#[test]
fn a_change_is_refused_by_name_while_an_entry_lives_and_taken_once_none_does() {
    let mut store = store(Naming::default());
    assert_eq!(last_seq(&store), 0, "the standard needs no record");
    revoke(&store, A, "a", DAY);
    assert_refused(&mut store, uti(), &["`claims.jti` was \"jti\" and is \"uti\""]);
    let refuse = Naming { without_jti: WithoutJti::Refuse, ..Naming::default() };
    assert_refused(&mut store, refuse, &["`without_jti` was \"signing_input\" and is \"refuse\""]);
    for (naming, key) in [
        (Naming { sub: "oid".into(), ..Naming::default() }, "`claims.sub`"),
        (Naming { sid: "session".into(), ..Naming::default() }, "`claims.sid`"),
        (Naming { client_id: Some("azp".into()), ..Naming::default() }, "`claims.client_id`"),
        (
            Naming { family: Some("sid".into()), ..Naming::default() },
            "`refresh.family_claim` was \"none\" and is \"sid\"",
        ),
    ] {
        assert_refused(&mut store, naming, &[key]);
    }
    start(&mut store, Naming::default()).unwrap();
    assert_eq!(last_seq(&store), 1, "what was refused has written nothing");
    store.time.pass(3 * DAY);
    start(&mut store, uti()).unwrap();
    assert_eq!(last_seq(&store), 2, "recorded once");
    start(&mut store, uti()).unwrap();
    assert_eq!(last_seq(&store), 2);
    revoke(&store, A, "b", DAY);
    assert_refused(&mut store, Naming::default(), &["`claims.jti` was \"uti\" and is \"jti\""]);
    start(&mut store, uti()).unwrap();
}

#[test]
fn entries_of_another_issuer_are_no_obstacle() {
    let mut store = store(Naming::default());
    revoke(&store, B, "b", DAY);
    start(&mut store, uti()).unwrap();
    revoke(&store, A, "a", DAY);
    assert_refused(&mut store, Naming::default(), &[]);
}

#[test]
fn a_cutoff_is_an_entry_like_any_other() {
    let mut store = store(Naming::default());
    let target = Target::Sub(Subject::parse("s").unwrap());
    let request = LogOutRequest {
        issuer: Issuer::parse(A).unwrap(),
        target,
        issued_before: None,
        by_issuers_clock: false,
        reason: None,
    };
    let outcome = store.block_on(store.denylist().log_out(request, Origin::INTERNAL, false)).unwrap();
    assert!(matches!(outcome, LogOutOutcome::Stored { .. }));
    assert_refused(&mut store, Naming { sub: "oid".into(), ..Naming::default() }, &["`claims.sub`"]);
}

#[test]
fn the_record_outlives_the_index_purges_and_the_segment_it_was_written_to() {
    let mut store = store(uti());
    let recorded = journal_files(&store);
    for round in 0..40 {
        for n in 0..60 {
            revoke(&store, B, &format!("{round}-{n}-{}", "x".repeat(400)), 60);
        }
        store.time.pass(DAY);
        store.purge();
    }
    store.restart();
    store.purge();
    let left = journal_files(&store);
    assert!(recorded.iter().all(|file| !left.contains(file)), "the record was copied: {recorded:?} {left:?}");
    revoke(&store, A, "a", DAY);
    store.stop();
    std::fs::remove_dir_all(store.index_path()).unwrap();
    assert_refused(&mut store, Naming::default(), &["`claims.jti` was \"uti\" and is \"jti\""]);
    start(&mut store, uti()).unwrap();
    assert!(store.denylist().clock().now().earliest > START);
}

fn journal_files(store: &Store) -> Vec<String> {
    let files = std::fs::read_dir(store.journal_path()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "MANIFEST").collect()
}

#[test]
fn an_issuer_that_left_the_config_comes_back_under_the_record_it_left() {
    let mut store = store(uti());
    let both = store.issuers.clone();
    store.stop();
    store.issuers = named_issuers(&[B]);
    store.start().unwrap();
    store.stop();
    store.issuers = both;
    store.start().unwrap();
    assert_eq!(last_seq(&store), 1, "nothing has changed");
}
