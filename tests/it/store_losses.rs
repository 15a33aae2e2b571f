//! What comes back when a loss is accepted, of what the journal itself has lost.

use std::collections::BTreeSet;
use std::path::PathBuf;

use revokd::denylist::{OpenError, Salvaged, accept_loss};
use revokd::event::Origin;
use revokd::index::Index;
use revokd::revocation::{TokenClaims, Verdict};
use revokd::token::{Issuer, Jti, Naming};

use super::store_naming::{A, B, DAY, issuers, revoke, start, uti};
use super::support::{START, Store, opener};

fn accept(store: &Store) -> Salvaged {
    accept_loss(&store.sources(opener(|path| Index::open(path, 16 << 20))), &store.issuers).unwrap()
}

fn is_revoked(store: &Store, issuer: &str, jti: &str) -> bool {
    let issuer = Issuer::parse(issuer.to_owned()).unwrap();
    let claims = TokenClaims::of_jti(&issuer, Jti::parse(jti).unwrap());
    matches!(store.denylist().check_blocking(&claims).unwrap(), Verdict::Revoked(_))
}

/// The journal's segment files.
fn segments(store: &Store) -> BTreeSet<PathBuf> {
    let files = std::fs::read_dir(store.journal_path()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|end| end == "segment")).collect()
}

/// Spoils the one frame that holds `text`.
fn spoil_around(store: &Store, text: &[u8]) {
    let mut spoilt = 0;
    for path in segments(store) {
        let mut content = std::fs::read(&path).unwrap();
        if let Some(at) = content.windows(text.len()).position(|found| found == text) {
            content[at] ^= 1;
            std::fs::write(path, content).unwrap();
            spoilt += 1;
        }
    }
    assert_eq!(spoilt, 1);
}

#[test]
fn the_names_of_claims_are_recorded_anew_where_their_record_was_lost() {
    let mut store = Store::new();
    start(&mut store, uti()).unwrap();
    revoke(&store, A, "a", DAY);
    revoke(&store, B, "b", DAY);
    store.settle();
    store.stop();
    spoil_around(&store, b"uti");
    assert!(store.start().unwrap_err().is_loss());
    let saved = accept(&store);
    assert_eq!(saved.namings, [Issuer::parse(A).unwrap()], "of the other nothing was ever recorded");
    store.start().unwrap();
    assert!(is_revoked(&store, A, "a") && is_revoked(&store, B, "b"));
    let refused = start(&mut store, Naming::default()).unwrap_err();
    assert!(matches!(refused, OpenError::Naming { entries: 1, .. }), "{refused}");
    start(&mut store, uti()).unwrap();
    assert!(is_revoked(&store, A, "a"));
}

#[test]
fn a_record_that_was_not_lost_stays_whatever_is_configured() {
    let mut store = Store::new();
    start(&mut store, uti()).unwrap();
    revoke(&store, A, "a", DAY);
    store.settle();
    store.stop();
    std::fs::write(store.journal_path().join("MANIFEST"), b"rot").unwrap();
    store.issuers = issuers(Naming { jti: "other".into(), ..Naming::default() });
    assert!(store.start().unwrap_err().is_loss());
    assert_eq!(accept(&store).namings, []);
    assert!(matches!(store.start().unwrap_err(), OpenError::Naming { .. }));
    start(&mut store, uti()).unwrap();
    assert!(is_revoked(&store, A, "a"));
}

#[test]
fn what_only_the_archive_still_holds_comes_back_and_what_was_taken_back_or_has_ended_does_not() {
    let mut store = Store::new();
    start(&mut store, Naming::default()).unwrap();
    let originals = segments(&store);
    revoke(&store, A, "kept", 20 * DAY);
    revoke(&store, A, "gone", 20 * DAY);
    restore(&store, A, "gone");
    // Until the segments that all this was first written to have become archived, and copies live on in others.
    for round in 0..40 {
        for n in 0..60 {
            revoke(&store, B, &format!("{round}-{n}-{}", "x".repeat(400)), 60);
        }
        store.time.pass(DAY / 8);
        store.purge();
    }
    store.settle();
    store.stop();
    assert!(originals.is_disjoint(&segments(&store)), "the first segments are still in use");
    std::fs::remove_dir_all(store.index_path()).unwrap();
    for path in segments(&store) {
        std::fs::write(&path, vec![0x5A; std::fs::metadata(&path).unwrap().len().try_into().unwrap()]).unwrap();
    }
    assert!(store.start().unwrap_err().is_loss());
    let saved = accept(&store);
    assert!(saved.from_archive >= 3 && saved.from_journal + saved.from_index == 0, "{saved:?}");
    store.start().unwrap();
    assert!(is_revoked(&store, A, "kept"), "only the archive held it");
    assert!(!is_revoked(&store, A, "gone"), "it was taken back");
    assert!(!is_revoked(&store, B, &format!("0-0-{}", "x".repeat(400))), "it has ended");
    assert!(store.denylist().clock().now().earliest > START.plus(4 * DAY));
}

fn restore(store: &Store, issuer: &str, jti: &str) {
    let key = revokd::token::Key::of_token(&Issuer::parse(issuer.to_owned()).unwrap(), &Jti::parse(jti).unwrap());
    let entry = store.block_on(store.denylist().entry(key)).unwrap().unwrap();
    let request = revokd::denylist::RestoreRequest { key, seq: entry.seq, reason: None };
    let outcome = store.block_on(store.denylist().restore(request, Origin::INTERNAL)).unwrap();
    assert!(matches!(outcome, revokd::denylist::RestoreOutcome::Restored { .. }), "{outcome:?}");
}
