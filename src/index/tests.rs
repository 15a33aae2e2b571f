//! What a tree holds after a crash in mid-drain, and how it is listed.

use super::*;
use crate::clock::NumericDate;
use crate::event::{Change, Origin};
use crate::revocation::Revocation;
use crate::token::{Issuer, Jti};

fn raw(seq: Seq) -> (Key, Vec<u8>) {
    let jti = Jti::parse(format!("t{seq}")).unwrap();
    let revocation = Revocation { issuer: Issuer::NAMELESS, jti, sub: None, exp: NumericDate(2_000), reason: None };
    let (key, change) = (revocation.key(), Change::Revoked(revocation));
    let at = NumericDate(1_000);
    let event = Event { seq, recorded_at: at, ends_at: NumericDate(2_000), origin: Origin::INTERNAL, change };
    let mut bytes = Vec::new();
    event.encode(&mut bytes);
    (key, bytes)
}

/// Takes the events in; gives what is to be listed.
fn insert(tree: &BucketTree, seqs: impl Iterator<Item = Seq>) -> Vec<(Seq, Key)> {
    seqs.map(|seq| {
        let (key, bytes) = raw(seq);
        tree.insert(&key, &Event::decode(&bytes).unwrap(), &bytes).unwrap();
        (seq, key)
    })
    .collect()
}

fn expected(seqs: impl Iterator<Item = Seq>) -> Digest {
    let (mut digest, mut scratch) = (Digest::default(), Vec::new());
    for seq in seqs {
        let (key, bytes) = raw(seq);
        digest.add_event(&mut scratch, &key, &Event::decode(&bytes).unwrap(), &bytes);
    }
    digest
}

fn tree(dir: &tempfile::TempDir) -> BucketTree {
    Index::open(dir.path(), 1 << 20).unwrap().tree(BucketId::of(NumericDate(1_000), NumericDate(2_000))).unwrap()
}

#[test]
fn a_crash_between_listing_and_mark_lists_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(&dir);
    tree.set_mark(&insert(&tree, 1..=100)).unwrap();
    let cut_short = insert(&tree, 101..=150);
    tree.tree.insert(layout::seq_key(101), layout::block(&cut_short)).unwrap();
    assert_eq!(tree.mark().unwrap(), 100, "the mark never claims more than the tree holds");
    assert_eq!(tree.scan(100, |_| {}).unwrap(), expected(1..=100), "up to the mark it is equal");
    tree.cut_listing(100).unwrap();
    tree.set_mark(&insert(&tree, 101..=103)).unwrap();
    tree.set_mark(&insert(&tree, 104..=150)).unwrap();
    assert_eq!(tree.scan(Seq::MAX, |_| {}).unwrap(), expected(1..=150));
}

#[test]
fn a_listing_begins_anywhere_in_a_block() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(&dir);
    tree.set_mark(&insert(&tree, 1..=200)).unwrap();
    for before in [1, 2, 64, 65, 66, 130, 200, 201, Seq::MAX] {
        let listed: Vec<Seq> = tree.newest(None, before).map(|listed| listed.unwrap().0).collect();
        assert_eq!(listed, (1..=200).rev().filter(|seq| *seq < before).collect::<Vec<_>>(), "before {before}");
    }
}

#[test]
fn a_block_of_a_strange_length_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(&dir);
    tree.tree.insert(layout::seq_key(1), &[0; 25]).unwrap();
    assert!(tree.scan(Seq::MAX, |_| {}).is_err());
    assert!(tree.newest(None, Seq::MAX).any(|listed| listed.is_err()));
}
