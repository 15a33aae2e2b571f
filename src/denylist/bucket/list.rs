//! The published list of all buckets, which are those of one generation of the index.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

use super::super::generation::Generation;
use super::{Bucket, Found, Raw};
use crate::clock::NumericDate;
use crate::event::Seq;
use crate::revocation::{BucketId, Unavailable};
use crate::token::Key;

/// A generation of the index and its buckets, in the order of their ends.
pub(in super::super) struct List {
    pub(in super::super) generation: Arc<Generation>,
    pub(in super::super) buckets: Vec<Arc<Bucket>>,
}

impl List {
    /// The bucket `id`, if it is on the list.
    pub(in super::super) fn get(&self, id: BucketId) -> Option<&Arc<Bucket>> {
        self.buckets.binary_search_by_key(&id, |bucket| bucket.id).ok().map(|at| &self.buckets[at])
    }
}

/// The published list of buckets.
pub(in super::super) struct Buckets {
    list: ArcSwap<List>,
    drain_asked: AtomicBool,
}

impl Buckets {
    /// No bucket yet on this generation.
    pub(in super::super) fn over(generation: Arc<Generation>) -> Self {
        Self {
            list: ArcSwap::from_pointee(List { generation, buckets: Vec::new() }),
            drain_asked: AtomicBool::new(false),
        }
    }

    /// Every bucket. Whoever holds the list keeps its trees from being dropped.
    pub(in super::super) fn all(&self) -> Arc<List> {
        self.list.load_full()
    }

    /// The generation of the index that the buckets are on.
    pub(in super::super) fn generation(&self) -> Arc<Generation> {
        self.list.load().generation.clone()
    }

    /// The bucket `id`, if it is published.
    pub(in super::super) fn get(&self, id: BucketId) -> Option<Arc<Bucket>> {
        self.list.load().get(id).cloned()
    }

    /// Publishes a bucket. Called by the writer only.
    pub(in super::super) fn publish(&self, bucket: Arc<Bucket>) {
        let List { generation, buckets } = &**self.list.load();
        let mut buckets = buckets.clone();
        let at = buckets.partition_point(|other| other.id < bucket.id);
        buckets.insert(at, bucket);
        self.replace(List { generation: generation.clone(), buckets });
    }

    /// Publishes a list in place of all that was. Called by the writer only.
    pub(in super::super) fn replace(&self, list: List) {
        self.list.store(Arc::new(list));
    }

    /// Takes the buckets that ended at or before `instant` off the list. Called by the writer only.
    pub(in super::super) fn withdraw_ended(&self, instant: NumericDate) -> Vec<Arc<Bucket>> {
        let List { generation, buckets } = &*self.list.load_full();
        let (ended, kept) = buckets.split_at(buckets.partition_point(|bucket| bucket.id.end() <= instant));
        if !ended.is_empty() {
            self.replace(List { generation: generation.clone(), buckets: kept.to_vec() });
        }
        ended.to_vec()
    }

    /// The latest event of `key` in any bucket. Every bucket whose filter says maybe is read: a filter can lie, and a
    /// caller's `exp` never narrows a check.
    pub(in super::super) fn latest(&self, key: &Key, trust_filter: bool) -> Result<Option<Found>, Unavailable> {
        self.raw_latest(key, trust_filter)?.map(|raw| Found::decode(&raw)).transpose()
    }

    /// As [`Buckets::latest`], but the event's bytes.
    pub(in super::super) fn raw_latest(&self, key: &Key, trust_filter: bool) -> Result<Option<Raw>, Unavailable> {
        let mut latest: Option<(Seq, Raw)> = None;
        for bucket in &self.list.load().buckets {
            if let Some((seq, raw)) = bucket.latest(key, trust_filter)?
                && latest.as_ref().is_none_or(|(latest, _)| *latest < seq)
            {
                latest = Some((seq, raw));
            }
        }
        Ok(latest.map(|(_, raw)| raw))
    }

    /// How often `key` was changed, over all buckets, and the furthest bucket that holds a change of it.
    pub(in super::super) fn changes(&self, key: &Key) -> Result<(usize, Option<BucketId>), Unavailable> {
        let mut all = (0, None);
        // The list is in the order of ends.
        for bucket in &self.list.load().buckets {
            let changes = bucket.changes(key)?;
            if changes > 0 {
                all = (all.0 + changes, Some(bucket.id));
            }
        }
        Ok(all)
    }

    /// Entries that the index has not taken in yet.
    pub(in super::super) fn behind(&self) -> usize {
        self.list.load().generation.behind()
    }

    /// Notes that the index is to take entries in; gives whether that was not asked already.
    pub(in super::super) fn ask_drain(&self) -> bool {
        !self.drain_asked.swap(true, Ordering::AcqRel)
    }

    /// What is asked from now on is asked anew.
    pub(in super::super) fn begin_drain(&self) {
        self.drain_asked.store(false, Ordering::Release);
    }

    /// Records held, ended ones included.
    pub(in super::super) fn records(&self) -> u64 {
        self.list.load().buckets.iter().map(|bucket| bucket.records()).sum()
    }
}
