//! The index may be lost, damaged, hang, lag behind or belong to somebody else: no verdict changes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use revokd::index::{Index, IndexError};
use revokd::keys::{self, Scopes};

use super::support::{START, Store, key, request};

const HOUR: i64 = 3_600;

/// Revoked tokens with lifetimes from a minute to a month, so that many buckets hold them.
fn fill(store: &Store, tokens: std::ops::Range<i64>) {
    let requests = tokens.map(|n| request(&format!("t{n}"), START.plus(HOUR + n * 7_919 % 2_000_000))).collect();
    store.try_revoke_all(requests).unwrap();
}

fn assert_all(store: &Store, tokens: std::ops::Range<i64>) {
    for n in tokens {
        assert!(store.is_revoked(&format!("t{n}")), "t{n} reads as good");
        assert!(!store.is_revoked(&format!("stranger{n}")), "a stranger is revoked");
    }
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_deleted_index_is_built_again_and_no_key_is_lost() {
    let mut store = Store::new();
    fill(&store, 0..300);
    let kept = keys::generate("kept", Scopes::ALL).unwrap();
    let gone = keys::generate("gone", Scopes::ALL).unwrap();
    let id = gone.record.id.clone();
    for change in [
        revokd::event::Change::KeyCreated(kept.record),
        revokd::event::Change::KeyCreated(gone.record),
        revokd::event::Change::KeyRevoked { id, reason: None },
    ] {
        store.block_on(store.denylist().record(change, revokd::event::Origin::INTERNAL)).unwrap();
    }
    store.stop();
    std::fs::remove_dir_all(store.index_path()).unwrap();
    store.start().unwrap();
    assert_all(&store, 0..300);
    let (keys, clock) = (store.denylist().keys(), store.denylist().clock());
    assert!(keys.authenticate(&kept.text, clock).is_ok(), "a key is lost with the index");
    assert!(keys.authenticate(&gone.text, clock).is_err(), "a revoked key lives again");
}

#[test]
fn a_damaged_index_is_found_out_wherever_the_damage_lies() {
    let mut store = Store::new();
    fill(&store, 0..400);
    store.settle();
    // A start makes sled write down what it holds. Before that it cuts off what is damaged, and is then only behind.
    store.restart();
    store.stop();
    let pristine = tempfile::tempdir().unwrap();
    copy_dir(&store.index_path(), pristine.path());
    let mut noticed = 0;
    for stride in (9..17).map(|log| 1_usize << log) {
        std::fs::remove_dir_all(store.index_path()).unwrap();
        copy_dir(pristine.path(), &store.index_path());
        let db = store.index_path().join("1/db");
        let mut bytes = std::fs::read(&db).unwrap();
        bytes.iter_mut().skip(stride / 2).step_by(stride).for_each(|byte| *byte ^= 0x10);
        std::fs::write(&db, bytes).unwrap();
        store.start_with(watched).unwrap();
        noticed += usize::from(store.rebuilt() || store.replayed() > 0);
        assert_all(&store, 0..400);
        store.stop();
    }
    assert!(noticed > 0, "not one of thousands of flipped bits lay where it matters");
}

/// As the server opens it: a store that hangs is left behind.
fn watched(path: &Path) -> Result<Index, IndexError> {
    let (send, opened) = std::sync::mpsc::channel();
    let owned = path.to_owned();
    std::thread::spawn(move || drop(send.send(Index::open(&owned, 16 << 20))));
    let timeout = std::time::Duration::from_secs(10);
    opened.recv_timeout(timeout).map_err(|_| IndexError::Hanging { path: path.to_owned() })?
}

#[test]
fn an_index_that_hangs_is_left_behind_and_built_beside() {
    let mut store = Store::new();
    fill(&store, 0..100);
    store.stop();
    let opened = Arc::new(AtomicUsize::new(0));
    let counted = opened.clone();
    store
        .start_with(move |path| {
            if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                return Err(IndexError::Hanging { path: path.to_owned() });
            }
            Index::open(path, 16 << 20)
        })
        .unwrap();
    assert!(store.rebuilt());
    assert_eq!(opened.load(Ordering::SeqCst), 2);
    assert!(store.index_path().join("2").exists() && !store.index_path().join("1").exists());
    assert_all(&store, 0..100);
    store.restart();
    assert!(!store.rebuilt(), "the new generation proves equal");
    assert_all(&store, 0..100);
}

#[test]
fn an_index_that_cannot_be_built_leaves_nothing_behind() {
    let mut store = Store::new();
    fill(&store, 0..100);
    store.stop();
    for _ in 0..3 {
        let full = |path: &Path| {
            std::fs::create_dir_all(path).unwrap();
            std::fs::write(path.join("db"), "half an index").unwrap();
            Err(IndexError::Hanging { path: path.to_owned() })
        };
        assert!(store.start_with(full).is_err());
        assert_eq!(std::fs::read_dir(store.index_path()).unwrap().count(), 0, "each try would take more of the disk");
    }
    store.start().unwrap();
    assert_all(&store, 0..100);
}

#[test]
fn an_index_that_rots_between_opening_and_proving_is_built_beside() {
    for rot in [0x00, 0xFF, 0x5A] {
        let mut store = Store::new();
        fill(&store, 0..400);
        store.settle();
        // A start makes sled write down what it holds, and read it from there at the next one.
        store.restart();
        store.stop();
        let opened = AtomicUsize::new(0);
        store
            .start_with(move |path| {
                let index = Index::open(path, 16 << 20)?;
                if opened.fetch_add(1, Ordering::SeqCst) == 0 {
                    let db = path.join("db");
                    let bytes = std::fs::read(&db).unwrap().len();
                    std::fs::write(&db, vec![rot; bytes]).unwrap();
                }
                Ok(index)
            })
            .unwrap();
        assert!(store.rebuilt(), "{rot:#x}");
        assert_all(&store, 0..400);
    }
}

#[test]
fn an_index_that_is_behind_is_replayed_and_not_rebuilt() {
    let mut store = Store::new();
    fill(&store, 0..200);
    store.settle();
    store.stop();
    let early = tempfile::tempdir().unwrap();
    copy_dir(&store.index_path(), early.path());
    store.start().unwrap();
    fill(&store, 200..400);
    store.stop();
    std::fs::remove_dir_all(store.index_path()).unwrap();
    copy_dir(early.path(), &store.index_path());
    store.start().unwrap();
    assert!(!store.rebuilt());
    assert_all(&store, 0..400);
}

#[test]
fn an_index_of_another_store_is_found_out() {
    let mut store = Store::new();
    fill(&store, 0..200);
    store.stop();
    let mut other = Store::new();
    fill(&other, 100..300);
    other.stop();
    std::fs::remove_dir_all(store.index_path()).unwrap();
    copy_dir(&other.index_path(), &store.index_path());
    store.start().unwrap();
    assert_all(&store, 0..200);
    for n in 200..300 {
        assert!(!store.is_revoked(&format!("t{n}")), "an entry of another store locks somebody out");
    }
}

#[test]
fn a_leftover_of_a_killed_snapshot_does_not_keep_the_index_from_opening() {
    let mut store = Store::new();
    fill(&store, 0..50);
    store.stop();
    std::fs::write(store.index_path().join("1/snap.00000000000000FF.generating"), b"").unwrap();
    store.start().unwrap();
    assert!(!store.rebuilt());
    assert_all(&store, 0..50);
}

#[test]
fn what_the_index_has_not_taken_in_is_found_in_the_overlay() {
    let mut settings = super::support::settings();
    settings.overlay_entries_max = 10;
    let store = Store::with(settings);
    for from in (0..600).step_by(20) {
        fill(&store, from..from + 20);
        assert_all(&store, from..from + 20);
    }
    store.settle();
    assert_all(&store, 0..600);
    assert_eq!(store.denylist().status().records, 600);
    assert!(store.block_on(store.denylist().entry(key("t17"))).unwrap().is_some());
}
