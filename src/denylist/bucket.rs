//! One bucket: its filter, the entries that the index has not taken in yet, and its tree.
//!
//! A lookup reads the overlay before the tree, and the indexer inserts into the tree before it clears the overlay, so
//! an entry is in at least one of them at every instant.

mod found;
mod list;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, RwLock};

pub(super) use self::found::{Found, Raw};
pub(super) use self::list::{Buckets, List};
use super::filter::BucketFilter;
use super::generation::Generation;
use crate::event::{Event, Seq};
use crate::index::{BucketTree, IndexError};
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
    records: AtomicU64,
    tree: OnceLock<BucketTree>,
    /// Where the tree is; dropped after it.
    pub(super) generation: Arc<Generation>,
}

impl Bucket {
    /// An empty bucket.
    pub(super) fn new(id: BucketId, generation: Arc<Generation>) -> Result<Self, Unavailable> {
        let filter = BucketFilter::planned_for(0).map_err(|_| Unavailable::Index)?;
        Ok(Self {
            id,
            filter: RwLock::new(filter),
            overlay: RwLock::default(),
            records: AtomicU64::new(0),
            tree: OnceLock::new(),
            generation,
        })
    }

    /// Takes an event in; it is found from the moment this returns.
    pub(super) fn insert(&self, key: Key, seq: Seq, raw: Arc<[u8]>) -> Result<(), Unavailable> {
        self.generation.add_behind(1);
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
    pub(super) fn tree(&self) -> Result<&BucketTree, IndexError> {
        if self.tree.get().is_none() {
            // Opening twice gives the same tree, so a lost race is harmless.
            let _ = self.tree.set(self.generation.index.tree(self.id)?);
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
        let found = tree.latest(key).map_err(|error| self.unreadable(&error))?;
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
        Ok(overlaid + tree.changes(key).map_err(|error| self.unreadable(&error))?)
    }

    /// What could not be read will not heal by itself.
    pub(super) fn unreadable(&self, error: &IndexError) -> Unavailable {
        self.generation.fail(error);
        Unavailable::Index
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

    /// Forgets that the index lacks what is in the overlay, since the bucket ends with it.
    pub(super) fn forget_overlay(&self) {
        self.generation.sub_behind(self.overlay_keys().map_or(0, |keys| keys.len()));
    }

    /// Moves the whole overlay into the tree. Called by one thread only.
    ///
    /// The mark is set after the entries, so that after a crash the tree never claims more than it holds.
    pub(super) fn drain(&self) -> Result<(), IndexError> {
        let entries = {
            let Ok(mut overlay) = self.overlay.write() else { return Ok(()) };
            if overlay.draining.is_empty() {
                overlay.draining = Arc::new(std::mem::take(&mut overlay.fresh));
            }
            overlay.draining.clone()
        };
        if entries.is_empty() {
            return Ok(());
        }
        let tree = self.tree()?;
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
        self.generation.sub_behind(entries.len());
        Ok(())
    }
}
