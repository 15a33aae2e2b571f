//! Builds a new front filter beside the one that answers: the one mechanism for growth and staleness.
//!
//! The order of steps is the protocol of `filter.rs`.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::Denylist;
use super::state::State;
use crate::revocation::{BucketId, Unavailable};
use crate::token::Key;

/// How often staleness is looked at when no write asks for a refill; and how often at the least what checks have brought is
/// moved on.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Keys that are put into the new filter at a time.
const CHUNK: usize = 4_096;

/// The refiller thread's own.
pub struct Refiller {
    denylist: Denylist,
    state: Arc<State>,
    wanted: Receiver<()>,
}

impl Refiller {
    pub(super) fn new(denylist: Denylist, state: Arc<State>, wanted: Receiver<()>) -> Self {
        Self { denylist, state, wanted }
    }

    /// Serves until the writer has ended. To be run on a thread of its own.
    pub fn run(self) {
        loop {
            match self.wanted.recv_timeout(LOOK_EVERY) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.state.seen.turn(self.state.clock.boot_s());
            // What an index that failed still gives may be too little.
            if self.state.index_failed() {
                continue;
            }
            let live = usize::try_from(self.state.buckets.records()).unwrap_or(usize::MAX);
            if self.state.take_forced_refill() || self.state.front.wants_refill(live) {
                self.refill(live);
            }
        }
    }

    fn refill(&self, live: usize) {
        let began = Instant::now();
        if let Err(error) = self.state.front.begin_refill(live) {
            tracing::error!(%error, "the filter cannot be refilled; checks get slower as it fills, and stay exact");
            return;
        }
        let scanned = self.denylist.barrier().map_err(|_| Unavailable::NotReady).and_then(|()| self.scan());
        match scanned {
            Ok(()) => {
                self.state.front.finish_refill();
                self.state.note_refill(began.elapsed());
                tracing::debug!(live, elapsed_ms = began.elapsed().as_millis(), "the front filter was refilled");
            }
            Err(error) => {
                self.state.front.abandon_refill();
                tracing::warn!(%error, "a refill of the filter was given up; the old filter goes on answering");
            }
        }
    }

    /// Puts every key of every bucket into the new filter, all on one generation of the index, which is good to the end.
    fn scan(&self) -> Result<(), Unavailable> {
        let generation = self.state.buckets.generation();
        self.state.reading(|| self.scan_buckets())?;
        if generation.is_failed() { Err(Unavailable::Index) } else { Ok(()) }
    }

    /// Holds one bucket at a time, so that a purge waits little.
    fn scan_buckets(&self) -> Result<(), Unavailable> {
        let ids: Vec<BucketId> = self.state.buckets.all().buckets.iter().map(|bucket| bucket.id).collect();
        for id in ids {
            // Purged meanwhile: its entries have ended.
            let Some(bucket) = self.state.buckets.get(id) else { continue };
            // Overlay before tree: what is drained in between is then in the tree.
            self.fill(&bucket.overlay_keys()?)?;
            let tree = bucket.tree().map_err(|error| bucket.unreadable(&error))?;
            let mut chunk = Vec::with_capacity(CHUNK);
            let mut filled = Ok(());
            let scanned = tree.for_each_key(|key| {
                chunk.push(key);
                if chunk.len() == CHUNK && filled.is_ok() {
                    filled = self.fill(&chunk);
                    chunk.clear();
                }
            });
            scanned.map_err(|error| bucket.unreadable(&error))?;
            filled?;
            self.fill(&chunk)?;
        }
        Ok(())
    }

    fn fill(&self, keys: &[Key]) -> Result<(), Unavailable> {
        self.state.front.fill(keys).map_err(|_| Unavailable::Poisoned)
    }
}
