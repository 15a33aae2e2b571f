//! API keys as the store keeps them: decided by one, durable, and forgotten by time alone.

use revokd::clock::NumericDate;
use revokd::denylist::{KeyEndRequest, KeyOutcome, Refusal};
use revokd::event::Origin;
use revokd::keys::{NewKey, Scope, Scopes, generate};
use revokd::token::{ClientId, Issuer};

use super::support::{START, Store, settings};

fn key(scopes: &[Scope], expires_at: Option<NumericDate>) -> NewKey {
    let mut new = generate("test", Scopes::of(scopes)).unwrap();
    new.record.expires_at = expires_at;
    new
}

fn create(store: &Store, new: &NewKey) -> KeyOutcome {
    store.block_on(store.denylist().create_key(new.record.clone(), Origin::INTERNAL)).unwrap()
}

fn revoke(store: &Store, new: &NewKey) -> KeyOutcome {
    store.block_on(store.denylist().revoke_key(end_of(new), Origin::INTERNAL)).unwrap()
}

fn end_of(new: &NewKey) -> KeyEndRequest {
    KeyEndRequest { id: new.record.id.to_string(), reason: None }
}

fn is_good(store: &Store, new: &NewKey) -> bool {
    store.denylist().keys().authenticate(&new.text, store.denylist().clock()).is_ok()
}

#[test]
fn bounds_and_end_of_a_key_outlive_a_restart() {
    let mut store = Store::new();
    let mut new = key(&[Scope::Revoke, Scope::Audit], Some(START.plus(1_000)));
    new.record.issuers = vec![Issuer::parse("https://a").unwrap()];
    new.record.client_ids = vec![ClientId::parse("shop").unwrap(), ClientId::parse("till").unwrap()];
    assert!(matches!(create(&store, &new), KeyOutcome::Done { seq: 1 }));
    let before = store.denylist().keys().list();
    store.restart();
    let after = store.denylist().keys().list();
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
    assert_eq!((after[0].bounds.client_ids.len(), after[0].expires_at), (2, Some(START.plus(1_000))));
    assert!(is_good(&store, &new));
    store.time.pass(1_000);
    store.restart();
    assert!(!is_good(&store, &new));
}

#[test]
fn an_ended_key_leaves_the_journal_and_a_revoked_one_never_comes_back() {
    let mut store = Store::new();
    let (ended, revoked, lasting) = (
        key(&[Scope::Check], Some(START.plus(600))),
        key(&[Scope::Check], Some(START.plus(600))),
        key(&[Scope::Check], None),
    );
    for new in [&ended, &revoked, &lasting] {
        assert!(matches!(create(&store, new), KeyOutcome::Done { .. }));
    }
    assert!(matches!(revoke(&store, &revoked), KeyOutcome::Done { .. }));
    assert_eq!(revoke(&store, &revoked), KeyOutcome::NotFound);
    for hours in 0..6 {
        store.time.pass(hours * 1_800);
        store.restart();
        store.purge();
        assert!(is_good(&store, &lasting) && !is_good(&store, &revoked));
        assert_eq!(is_good(&store, &ended), hours == 0);
    }
    let ids: Vec<_> = store.denylist().keys().list().iter().map(|key| key.id.to_string()).collect();
    assert_eq!(ids, [lasting.record.id.to_string()]);
}

#[test]
fn two_at_once_do_not_revoke_the_last_two_admin_keys() {
    let store = Store::new();
    let (a, b) = (key(&[Scope::Admin], None), key(&[Scope::Admin], None));
    create(&store, &a);
    create(&store, &b);
    let revoke = |new: &NewKey| store.denylist().revoke_key(end_of(new), Origin::INTERNAL);
    let (first, second) = store.block_on(async { tokio::join!(revoke(&a), revoke(&b)) });
    assert!(matches!(first.unwrap(), KeyOutcome::Done { .. }));
    assert_eq!(second.unwrap(), KeyOutcome::Refused(Refusal::LastAdminKey));
    assert!(is_good(&store, &b));
}

#[test]
fn what_is_refused_takes_no_place_in_the_history() {
    let store = Store::with(revokd::denylist::Settings { keys_max: 1, ..settings() });
    let past = create(&store, &key(&[Scope::Check], Some(START)));
    assert_eq!(past, KeyOutcome::Refused(Refusal::KeyEnded { limit: START }));
    create(&store, &key(&[Scope::Check], None));
    let full = create(&store, &key(&[Scope::Check], None));
    assert!(matches!(full, KeyOutcome::Refused(Refusal::Full { name: "limits.keys_max", limit: 1, .. })), "{full:?}");
    assert_eq!(store.denylist().status().last_seq, 1);
}
