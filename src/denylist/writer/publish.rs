//! Makes durable events visible, in the order of promise 2.

use std::sync::Arc;

use super::super::bucket::Bucket;
use super::super::indexer;
use super::{Pending, Writer};
use crate::event::{Change, Event};
use crate::revocation::{BucketId, Unavailable};

impl Writer {
    /// Makes durable events visible: overlay and bucket filter, then every front filter of the set, then the cutoffs.
    pub(super) fn publish(&mut self, events: &[Pending]) -> Result<(), Unavailable> {
        let mut keys = Vec::with_capacity(events.len());
        let mut cutoffs = Vec::new();
        for pending in events {
            let event = Event::decode(&pending.raw).map_err(|_| Unavailable::Index)?;
            self.state.apply(&event);
            let Some((key, bucket)) = event.entry() else { continue };
            let bucket = match self.state.buckets.get(bucket) {
                Some(bucket) => bucket,
                None => self.new_bucket(bucket)?,
            };
            self.usage.add(bucket.id, &event, pending.raw.len());
            self.state.metrics.revocations.count(&event);
            self.keep(bucket.id, key, pending.seq, &pending.raw);
            bucket.insert(key, pending.seq, pending.raw.clone())?;
            keys.push(key);
            if matches!(event.change, Change::Cutoff(_) | Change::CutoffRestored { .. }) {
                cutoffs.push((event, pending.raw.clone()));
            }
        }
        self.state.front.insert(&keys).map_err(|_| Unavailable::Poisoned)?;
        self.state.cutoffs.apply(&cutoffs)?;
        // Asked once however many groups come: the commands of a busy second would hold up a purge or the end for many.
        if !keys.is_empty() && self.state.buckets.ask_drain() {
            let _ = self.indexer.send(indexer::Command::Drain);
        }
        Ok(())
    }

    fn new_bucket(&mut self, id: BucketId) -> Result<Arc<Bucket>, Unavailable> {
        // An admin may have set the clock back by any amount: a withdrawn bucket may be needed again, and its old tree
        // must be gone first.
        let withdrawn = self.purge.as_mut().filter(|purge| id.end() <= purge.forgettable);
        if let Some(drops) = withdrawn.and_then(|purge| purge.drops.take()) {
            self.wait_for(drops);
        }
        let bucket = Arc::new(Bucket::new(id, self.state.buckets.generation())?);
        self.state.buckets.publish(bucket.clone());
        Ok(bucket)
    }
}
