//! The writer's part in a rebuild of the index: the snapshot, what comes after it, the adoption. `rebuild.rs` says why
//! nothing is missed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::bucket::{Bucket, List};
use super::Writer;
use crate::event::Seq;
use crate::journal::{JournalError, Snapshot};
use crate::revocation::{BucketId, Unavailable};
use crate::token::Key;

/// What was published since the snapshot: bounded, since an index that failed has room for no more than the overlay.
#[derive(Default)]
pub(super) struct Since(Vec<(BucketId, Key, Seq, Arc<[u8]>)>);

/// A new generation in its place.
pub(in super::super) struct Adopted {
    /// What is published now.
    pub(in super::super) list: Arc<List>,
    /// Buckets that were built, and purged meanwhile.
    pub(in super::super) unwanted: Vec<BucketId>,
}

impl Writer {
    pub(super) fn snapshot(&mut self) -> Result<Snapshot, JournalError> {
        let snapshot = self.journal.snapshot()?;
        self.since = Some(Since::default());
        Ok(snapshot)
    }

    /// Keeps an event for a new generation, if one is being built.
    pub(super) fn keep(&mut self, bucket: BucketId, key: Key, seq: Seq, raw: &Arc<[u8]>) {
        if let Some(Since(events)) = &mut self.since {
            events.push((bucket, key, seq, raw.clone()));
        }
    }

    /// Publishes the buckets of `built` in place of those that are published: the same ones, with what came since.
    pub(super) fn adopt(&mut self, built: &List) -> Result<Adopted, Unavailable> {
        let Since(events) = self.since.take().ok_or(Unavailable::NotReady)?;
        let old = self.state.buckets.all();
        let same = |bucket: &Arc<Bucket>| match built.get(bucket.id) {
            Some(built) => Ok(built.clone()),
            None => Ok(Arc::new(Bucket::new(bucket.id, built.generation.clone())?)),
        };
        let buckets = old.buckets.iter().map(same).collect::<Result<_, Unavailable>>()?;
        let list = List { generation: built.generation.clone(), buckets };
        for (id, key, seq, raw) in events {
            // Where there is none it was purged meanwhile.
            if let Some(bucket) = list.get(id) {
                bucket.insert(key, seq, raw)?;
            }
        }
        let unwanted = built.buckets.iter().map(|bucket| bucket.id).filter(|id| old.get(*id).is_none()).collect();
        self.state.buckets.replace(list);
        self.state.index_rebuilds.fetch_add(1, Ordering::Relaxed);
        Ok(Adopted { list: self.state.buckets.all(), unwanted })
    }
}
