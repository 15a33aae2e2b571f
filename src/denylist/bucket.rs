//! One bucket: its filter, the entries that the index has not taken in yet, and its tree; and the published list of all
//! buckets.
//!
//! A lookup reads the overlay before the tree, and the indexer inserts into the tree before it clears the overlay, so
//! an entry is in at least one of them at every instant.

mod found;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, RwLock};

use arc_swap::ArcSwap;

pub(super) use self::found::{Found, Raw};
use super::filter::BucketFilter;
use crate::clock::NumericDate;
use crate::event::{Event, Seq};
use crate::index::{BucketTree, Index, IndexError};
use crate::revocation::{BucketId, Unavailable};
use crate::token::Key;

/// Entries in the order in which the index wants them.
pub(super) type Entries = BTreeMap<(Key, Seq), Arc<[u8]>>;

/// An event in an overlay, with its place.
type Overlaid = (Seq, Arc<[u8]>);

/// What the index has not taken in yet.
#[derive(Default)]
struct Overlay {
    fresh: Entries,
    /// Being taken in at this moment.
    draining: Arc<Entries>,
}

/// All entries whose retention ends in the same window of time.
pub(super) struct Bucket {
    pub(super) id: BucketId,
    filter: RwLock<BucketFilter>,
    overlay: RwLock<Overlay>,
    tree: OnceLock<BucketTree>,
    records: AtomicU64,
}

impl Bucket {
    pub(super) fn new(id: BucketId, filter: BucketFilter) -> Self {
        Self {
            id,
            filter: RwLock::new(filter),
            overlay: RwLock::default(),
            tree: OnceLock::new(),
            records: AtomicU64::new(0),
        }
    }

    /// Takes an event in; it is found from the moment this returns.
    pub(super) fn insert(&self, key: Key, seq: Seq, raw: Arc<[u8]>) -> Result<(), Unavailable> {
        self.overlay.write().map_err(|_| Unavailable::Poisoned)?.fresh.insert((key, seq), raw);
        self.records.fetch_add(1, Ordering::Relaxed);
        let inserted = self.filter.write().map_err(|_| Unavailable::Poisoned)?.insert(&key);
        inserted.map_err(|_| Unavailable::Index)
    }

    /// Notes what a proof found in the tree; `filter` holds the keys of tree and overlay.
    pub(super) fn adopt(&self, filter: BucketFilter, records: u64) -> Result<(), Unavailable> {
        *self.filter.write().map_err(|_| Unavailable::Poisoned)? = filter;
        self.records.store(records, Ordering::Relaxed);
        Ok(())
    }

    /// Records held, in tree and overlay.
    pub(super) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    pub(super) fn filter_bytes(&self) -> u64 {
        self.filter.read().map_or(0, |filter| filter.bytes())
    }

    /// The tree, opened on first use.
    pub(super) fn tree(&self, index: &Index) -> Result<&BucketTree, IndexError> {
        if self.tree.get().is_none() {
            // Opening twice gives the same tree, so a lost race is harmless.
            let _ = self.tree.set(index.tree(self.id)?);
        }
        self.tree.get().ok_or(IndexError::Form)
    }

    /// The latest event of `key` in this bucket. With `trust_filter` off the filter is not asked (promise 4).
    fn latest(&self, key: &Key, trust_filter: bool) -> Result<Option<(Seq, Raw)>, Unavailable> {
        if trust_filter && !self.filter.read().map_err(|_| Unavailable::Poisoned)?.maybe(key) {
            return Ok(None);
        }
        if let Some((seq, raw)) = self.overlaid(key)? {
            return Ok(Some((seq, Raw::Overlaid(raw))));
        }
        let Some(tree) = self.tree.get() else { return Ok(None) };
        let found = tree.latest(key).map_err(|_| Unavailable::Index)?;
        Ok(found.map(|(seq, raw)| (seq, Raw::Indexed(raw))))
    }

    /// The latest event of `key` in the overlay; it is later than whatever the tree holds.
    fn overlaid(&self, key: &Key) -> Result<Option<Overlaid>, Unavailable> {
        let overlay = self.overlay.read().map_err(|_| Unavailable::Poisoned)?;
        let last = |entries: &Entries| {
            entries.range((*key, 0)..=(*key, Seq::MAX)).next_back().map(|((_, seq), raw)| (*seq, raw.clone()))
        };
        Ok(last(&overlay.fresh).or_else(|| last(&overlay.draining)))
    }

    /// How many events of `key` the bucket holds; one that is just being drained may count twice.
    pub(super) fn changes(&self, key: &Key) -> Result<usize, Unavailable> {
        if !self.filter.read().map_err(|_| Unavailable::Poisoned)?.maybe(key) {
            return Ok(0);
        }
        let overlaid = {
            let overlay = self.overlay.read().map_err(|_| Unavailable::Poisoned)?;
            let range = (*key, 0)..=(*key, Seq::MAX);
            overlay.fresh.range(range.clone()).count() + overlay.draining.range(range).count()
        };
        let Some(tree) = self.tree.get() else { return Ok(overlaid) };
        Ok(overlaid + tree.changes(key).map_err(|_| Unavailable::Index)?)
    }

    /// A copy of the overlay, for listings and refills. What is drained meanwhile is then in the tree.
    pub(super) fn overlay(&self) -> Result<Vec<Arc<[u8]>>, Unavailable> {
        let overlay = self.overlay.read().map_err(|_| Unavailable::Poisoned)?;
        Ok(overlay.fresh.values().chain(overlay.draining.values()).cloned().collect())
    }

    /// The keys in the overlay.
    pub(super) fn overlay_keys(&self) -> Result<Vec<Key>, Unavailable> {
        let overlay = self.overlay.read().map_err(|_| Unavailable::Poisoned)?;
        Ok(overlay.fresh.keys().chain(overlay.draining.keys()).map(|(key, _)| *key).collect())
    }

    /// Moves the whole overlay into the tree; gives how many entries that were. Called by one thread only.
    ///
    /// The mark is set after the entries, so that after a crash the tree never claims more than it holds.
    pub(super) fn drain(&self, index: &Index) -> Result<usize, IndexError> {
        let entries = {
            let Ok(mut overlay) = self.overlay.write() else { return Ok(0) };
            if overlay.draining.is_empty() {
                overlay.draining = Arc::new(std::mem::take(&mut overlay.fresh));
            }
            overlay.draining.clone()
        };
        if entries.is_empty() {
            return Ok(0);
        }
        let tree = self.tree(index)?;
        let mut listed = Vec::with_capacity(entries.len());
        for ((key, seq), raw) in entries.iter() {
            tree.insert(key, &Event::decode(raw)?, raw)?;
            listed.push((*seq, *key));
        }
        listed.sort_unstable_by_key(|(seq, _)| *seq);
        tree.set_mark(&listed)?;
        if let Ok(mut overlay) = self.overlay.write() {
            overlay.draining = Arc::default();
        }
        Ok(entries.len())
    }
}

/// The published list of buckets, in the order of their ends, and how many entries the index is behind.
#[derive(Default)]
pub(super) struct Buckets {
    list: ArcSwap<Vec<Arc<Bucket>>>,
    behind: AtomicUsize,
    drain_asked: AtomicBool,
}

impl Buckets {
    /// Every bucket. Whoever holds the list keeps its trees from being dropped.
    pub(super) fn all(&self) -> Arc<Vec<Arc<Bucket>>> {
        self.list.load_full()
    }

    /// The bucket `id`, if it is published.
    pub(super) fn get(&self, id: BucketId) -> Option<Arc<Bucket>> {
        let list = self.list.load();
        list.binary_search_by_key(&id, |bucket| bucket.id).ok().map(|at| list[at].clone())
    }

    /// Publishes a bucket. Called by the writer only.
    pub(super) fn publish(&self, bucket: Arc<Bucket>) {
        let mut list = Vec::clone(&self.list.load());
        let at = list.partition_point(|other| other.id < bucket.id);
        list.insert(at, bucket);
        self.list.store(Arc::new(list));
    }

    /// Takes the buckets that ended at or before `instant` off the list. Called by the writer only.
    pub(super) fn withdraw_ended(&self, instant: NumericDate) -> Vec<Arc<Bucket>> {
        let list = self.list.load_full();
        let at = list.partition_point(|bucket| bucket.id.end() <= instant);
        if at > 0 {
            self.list.store(Arc::new(list[at..].to_vec()));
        }
        list[..at].to_vec()
    }

    /// The latest event of `key` in any bucket. Every bucket whose filter says maybe is read: a filter can lie, and a
    /// caller's `exp` never narrows a check.
    pub(super) fn latest(&self, key: &Key, trust_filter: bool) -> Result<Option<Found>, Unavailable> {
        self.raw_latest(key, trust_filter)?.map(|raw| Found::decode(&raw)).transpose()
    }

    /// As [`Buckets::latest`], but the event's bytes.
    pub(super) fn raw_latest(&self, key: &Key, trust_filter: bool) -> Result<Option<Raw>, Unavailable> {
        let mut latest: Option<(Seq, Raw)> = None;
        for bucket in self.list.load().iter() {
            if let Some((seq, raw)) = bucket.latest(key, trust_filter)?
                && latest.as_ref().is_none_or(|(latest, _)| *latest < seq)
            {
                latest = Some((seq, raw));
            }
        }
        Ok(latest.map(|(_, raw)| raw))
    }

    /// How often `key` was changed, over all buckets, and the furthest bucket that holds a change of it.
    pub(super) fn changes(&self, key: &Key) -> Result<(usize, Option<BucketId>), Unavailable> {
        let mut all = (0, None);
        // The list is in the order of ends.
        for bucket in self.list.load().iter() {
            let changes = bucket.changes(key)?;
            if changes > 0 {
                all = (all.0 + changes, Some(bucket.id));
            }
        }
        Ok(all)
    }

    /// Entries that the index has not taken in yet.
    pub(super) fn behind(&self) -> usize {
        self.behind.load(Ordering::Relaxed)
    }

    pub(super) fn add_behind(&self, entries: usize) {
        self.behind.fetch_add(entries, Ordering::Relaxed);
    }

    pub(super) fn sub_behind(&self, entries: usize) {
        self.behind.fetch_sub(entries, Ordering::Relaxed);
    }

    /// Notes that the index is to take entries in; gives whether that was not asked already.
    pub(super) fn ask_drain(&self) -> bool {
        !self.drain_asked.swap(true, Ordering::AcqRel)
    }

    /// What is asked from now on is asked anew.
    pub(super) fn begin_drain(&self) {
        self.drain_asked.store(false, Ordering::Release);
    }

    /// Records held, ended ones included.
    pub(super) fn records(&self) -> u64 {
        self.list.load().iter().map(|bucket| bucket.records()).sum()
    }
}
