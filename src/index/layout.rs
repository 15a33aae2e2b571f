//! Keys and values of the index, byte by byte. One event makes one record and its listing entries, all in the tree of
//! its bucket; nothing but the mark is ever overwritten, since every key ends in a `seq`.
//!
//! | key | value | for |
//! | --- | --- | --- |
//! | `k` key(16) seq(8) | the event's bytes, versioned by themselves | verdicts |
//! | `s` seq(8) | one or more of: seq(8) key(16) | listing, newest first; the key has the first of the block |
//! | `u` subject key(16) seq(8) | key(16) | listing of one subject |
//! | `m` | seq(8) | mark: every event of the bucket up to this one is in the tree |
//!
//! sled keeps a handful of pairs in a node and pays for every node in memory, disk and time, so listing entries come in
//! blocks. How many are in one is an accident of when the index took them in, and therefore no part of the digest.
//!
//! Numbers are big-endian, so that the order of keys is the order of numbers. A tree is named `b1` + end(8) of its
//! bucket; the `1` is the layout's version (promise 13).

use xxhash_rust::xxh3::xxh3_128;

use crate::clock::NumericDate;
use crate::event::{Event, Seq};
use crate::revocation::BucketId;
use crate::token::Key;

/// Begins the name of every tree of this layout.
pub(super) const TREE_PREFIX: &[u8; 2] = b"b1";

/// Tag and key of the mark.
pub(super) const MARK: &[u8] = b"m";

/// Listing entries in one block at the most.
pub(super) const BLOCK_ENTRIES_MAX: usize = 64;

/// Bytes of one listing entry in a block.
const LISTED_BYTES: usize = 24;

const RECORD: u8 = b'k';
const BY_SEQ: u8 = b's';
const BY_SUBJECT: u8 = b'u';

/// Count and order-independent hash of key-value pairs: equal digests mean equal contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest {
    count: u64,
    sum: u128,
}

impl Digest {
    /// Adds one pair.
    pub(super) fn add(&mut self, scratch: &mut Vec<u8>, key: &[u8], value: &[u8]) {
        scratch.clear();
        scratch.extend_from_slice(key);
        scratch.extend_from_slice(value);
        self.count += 1;
        self.sum = self.sum.wrapping_add(xxh3_128(scratch));
    }

    /// Adds a listing entry, whatever block it stands in.
    pub(super) fn add_listed(&mut self, scratch: &mut Vec<u8>, seq: Seq, key: &Key) {
        self.add(scratch, &seq_key(seq), &key.0);
    }

    /// Adds all that `event`, which makes the entry `key` and whose bytes are `raw`, makes in the index.
    pub fn add_event(&mut self, scratch: &mut Vec<u8>, key: &Key, event: &Event<'_>, raw: &[u8]) {
        self.add_listed(scratch, event.seq, key);
        for_each_pair(key, event, raw, |key, value| self.add(scratch, key, value));
    }
}

/// The name of a bucket's tree.
pub(super) fn tree_name(bucket: BucketId) -> [u8; 10] {
    let mut name = [0; 10];
    name[..2].copy_from_slice(TREE_PREFIX);
    name[2..].copy_from_slice(&bucket.end().0.to_be_bytes());
    name
}

/// The bucket whose tree has this name.
pub(super) fn bucket_of_tree(name: &[u8]) -> Option<BucketId> {
    let end = name.strip_prefix(TREE_PREFIX)?.try_into().ok()?;
    Some(BucketId(NumericDate(i64::from_be_bytes(end))))
}

/// Key of a record.
pub(super) fn record_key(key: &Key, seq: Seq) -> [u8; 25] {
    tagged(RECORD, key, seq)
}

/// Key of a subject's listing entry.
pub(super) fn subject_key(subject: &Key, seq: Seq) -> [u8; 25] {
    tagged(BY_SUBJECT, subject, seq)
}

/// Key of a block of listing entries, of which the first is that of `seq`.
pub(super) fn seq_key(seq: Seq) -> [u8; 9] {
    let mut bytes = [0; 9];
    bytes[0] = BY_SEQ;
    bytes[1..].copy_from_slice(&seq.to_be_bytes());
    bytes
}

fn tagged(tag: u8, key: &Key, seq: Seq) -> [u8; 25] {
    let mut bytes = [0; 25];
    bytes[0] = tag;
    bytes[1..17].copy_from_slice(&key.0);
    bytes[17..].copy_from_slice(&seq.to_be_bytes());
    bytes
}

/// What the key of a pair says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PairKey {
    /// A record of this key.
    Record(Key, Seq),
    /// A listing entry of a subject.
    OfSubject(Seq),
    /// A block of listing entries.
    Block,
    /// The mark.
    Mark,
}

/// Reads a pair's key; `None` for what this layout does not know.
pub(super) fn parse_key(bytes: &[u8]) -> Option<PairKey> {
    let (tag, rest) = bytes.split_first()?;
    match (*tag, rest.len()) {
        (RECORD, 24) => Some(PairKey::Record(Key(rest[..16].try_into().ok()?), seq_of(&rest[16..])?)),
        (BY_SUBJECT, 24) => Some(PairKey::OfSubject(seq_of(&rest[16..])?)),
        (BY_SEQ, 8) => Some(PairKey::Block),
        _ if bytes == MARK => Some(PairKey::Mark),
        _ => None,
    }
}

/// A `seq` at the end of a key, or a mark's value.
pub(super) fn seq_of(bytes: &[u8]) -> Option<Seq> {
    Some(Seq::from_be_bytes(bytes.try_into().ok()?))
}

/// The bytes of a block of listing entries.
pub(super) fn block(listed: &[(Seq, Key)]) -> Vec<u8> {
    listed.iter().flat_map(|(seq, key)| seq.to_be_bytes().into_iter().chain(key.0)).collect()
}

/// The entries of a block, oldest first; `None` for bytes that are no block.
pub(super) fn parse_block(bytes: &[u8]) -> Option<impl DoubleEndedIterator<Item = (Seq, Key)>> {
    let (entries, rest) = bytes.as_chunks::<LISTED_BYTES>();
    let of = |entry: &[u8; LISTED_BYTES]| {
        let (mut seq, mut key) = ([0; 8], [0; 16]);
        seq.copy_from_slice(&entry[..8]);
        key.copy_from_slice(&entry[8..]);
        (Seq::from_be_bytes(seq), Key(key))
    };
    rest.is_empty().then(|| entries.iter().map(of))
}

/// Hands over the pairs of its own that `event`, which makes the entry `key` and whose bytes are `raw`, has in the
/// index: all but its place in a block.
pub(super) fn for_each_pair(key: &Key, event: &Event<'_>, raw: &[u8], mut each: impl FnMut(&[u8], &[u8])) {
    each(&record_key(key, event.seq), raw);
    if let Some(subject) = event.subject() {
        each(&subject_key(&subject, event.seq), &key.0);
    }
}
