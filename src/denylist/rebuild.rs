//! Rebuilds an index that failed from the journal, while the denylist serves.
//!
//! A new generation is built beside the one that failed, proven as at start, and adopted by the writer. Until then checks
//! go on from what can still be read, and are unavailable where it cannot. Why no acknowledged entry is missed:
//!
//! 1. *Snapshot.* Between two groups the writer opens every segment of the journal as it is. What it has acknowledged, it
//!    has journaled before, so the snapshot holds every event up to the last one, *S*, whatever is dropped or rewritten
//!    meanwhile. From then on the writer also keeps each event that it publishes: all that come after *S*.
//! 2. *Build.* The new generation is folded from the snapshot alone, and must prove equal to it: it holds the events up to
//!    *S*, all in its trees. Nobody else knows it.
//! 3. *Adoption.* Between two groups the writer puts what it has kept into the overlays of the new buckets. So they hold
//!    all events, and again nothing can come in between, for the writer alone publishes. Then one store publishes the
//!    buckets and the generation in place of the old: a reader has one whole list or the other.
//! 4. *Drain.* The indexer takes overlays of the new list in once it has the answer to the adoption, as ever: tree, then
//!    overlay. Into the old generation nothing is taken after it has failed; a thread that was left behind there can only
//!    move entries from the overlays to the trees of old buckets, and nothing is read from those for the new ones.
//!
//! The front filter stays: it holds the key of every event that was published. A refill that overlaps is given up, since
//! what a failed index gives to its scan may be too little. The new list has the buckets that the old one has, no more and
//! no less: what was purged meanwhile stays purged, and what a bucket counts for its holders is not touched.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::recover::fold::drop_trees;
use super::recover::mend::{self, BuildError};
use super::recover::{OpenIndex, Sources};
use super::state::State;
use super::watch::Watch;
use super::writer::{Adopted, Command};
use crate::journal::JournalError;
use crate::revocation::Unavailable;

/// The longest pause between two tries, in first ones.
const PAUSES_MAX: u32 = 60;

/// What the indexer rebuilds a failed index with.
pub(super) struct Rebuilder {
    state: Arc<State>,
    writer: Sender<Command>,
    index_path: PathBuf,
    open_index: OpenIndex,
    /// Number of the generation tried last.
    last: u64,
    /// When the last try ended, and how long the pause after it is.
    pause: Option<(Instant, Duration)>,
}

/// Why a try to rebuild the index came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the journal cannot be read")]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Adoption(#[from] Unavailable),
    #[error("the writer has ended")]
    Ending,
}

impl Rebuilder {
    pub(super) fn new(state: Arc<State>, sources: &Sources, writer: Sender<Command>) -> Self {
        let (index_path, open_index) = (sources.index_path.clone(), sources.open_index.clone());
        Self { state, writer, index_path, open_index, last: 0, pause: None }
    }

    /// Tries to rebuild the index, unless the last try is not long ago; gives whether it did. Tries follow each other at
    /// growing distances even if they succeed, or an index that cannot last would be all that the machine works for.
    pub(super) fn attempt(&mut self) -> bool {
        if self.pause.is_some_and(|(ended, pause)| ended.elapsed() < pause) || self.is_ending() {
            return false;
        }
        let began = Instant::now();
        let rebuilt = self.rebuild();
        let pause = self.next_pause(began);
        self.pause = Some((Instant::now(), pause));
        match &rebuilt {
            Ok(entries) => {
                let elapsed_ms = began.elapsed().as_millis();
                tracing::info!(generation = self.last, entries, elapsed_ms, "the index was rebuilt from the journal");
            }
            Err(_) if self.is_ending() => {}
            Err(error) => {
                self.state.metrics.store.errors.index.increment(1);
                let error = error as &dyn std::error::Error;
                tracing::error!(error, retry_ms = pause.as_millis(), "the index cannot be rebuilt yet");
            }
        }
        rebuilt.is_ok()
    }

    /// Twice the last pause; the first one again when the index has lasted for long since.
    fn next_pause(&self, now: Instant) -> Duration {
        let first = Duration::from_millis(self.state.settings.index_retry_ms);
        match self.pause {
            Some((ended, pause)) if now - ended < 2 * PAUSES_MAX * first => (2 * pause).min(PAUSES_MAX * first),
            _ => first,
        }
    }

    fn is_ending(&self) -> bool {
        self.state.ending.load(std::sync::atomic::Ordering::Acquire)
    }

    /// One try; gives how many entries the new generation holds.
    fn rebuild(&mut self) -> Result<u64, Failure> {
        let history = self.ask(|reply| Command::Snapshot { reply })??;
        let (generation, path) = mend::next_generation(&self.index_path, self.last);
        self.last = generation;
        let settings = &self.state.settings;
        let patience = Duration::from_millis(settings.index_timeout_ms);
        let watch = Watch::beside(patience, self.state.ending.clone());
        // What was purged before is none of it, though the journal may still have it.
        let held = self.state.buckets.all();
        let is_held = |bucket| held.get(bucket).is_some();
        let built = mend::build(&self.open_index, &path, history, settings, is_held, &watch);
        let adopted = built
            .map_err(Failure::from)
            .and_then(|built| Ok(self.ask(|reply| Command::Adopt { list: built.buckets.all(), reply })??));
        let Adopted { list, unwanted } = adopted.inspect_err(|_| self.remove(&path))?;
        mend::remove_other_generations(&self.index_path, &path);
        let of_trees = list.generation.clone();
        if let Err(doubt) = watch.run(move |progress| drop_trees(&of_trees, unwanted, progress)) {
            list.generation.fail(&doubt);
        }
        Ok(list.buckets.iter().map(|bucket| bucket.records()).sum())
    }

    /// Removes what came to nothing; but a server that stops leaves it to its next start, which goes on with it.
    fn remove(&self, path: &std::path::Path) {
        if !self.is_ending() {
            mend::remove_generation(path);
        }
    }

    /// Asks the writer, and waits: it never waits for the indexer while the index has failed.
    fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        self.writer.send(command(reply)).map_err(|_| Failure::Ending)?;
        answer.blocking_recv().map_err(|_| Failure::Ending)
    }
}
