//! Takes into the index what is durable already, and drops the trees of ended buckets. A thread of its own, so that
//! sled's work stays off the acknowledging path and beside the journal's sync. An index that fails at it, panics or
//! hangs takes nothing in any more; the same thread then rebuilds it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::bucket::Bucket;
use super::generation::Generation;
use super::rebuild::Rebuilder;
use super::recover::fold::{drain, drop_trees};
use super::request::WriteError;
use super::state::State;
use super::watch::{Doubt, Progress, Watch};
use crate::revocation::Unavailable;

/// Entries gather until none has come for this long: sled is quicker with many keys in order, and listing entries
/// that come together share a block.
const GATHER: Duration = Duration::from_millis(10);

/// How often that is waited for at the most.
const GATHERS_MAX: usize = 25;

/// How long the readers of a withdrawn bucket are waited for before its drop is put off to the next start. Reads have
/// a deadline far below this.
const READERS_MAX: Duration = Duration::from_secs(30);

/// How long writes wait for an index that is too far behind before they are refused.
const INDEX_PATIENCE: Duration = Duration::from_secs(5);

/// What the indexer is asked.
pub(super) enum Command {
    /// Something waits in an overlay.
    Drain,
    /// Drop the trees of withdrawn buckets.
    Drop { buckets: Vec<Arc<Bucket>>, done: oneshot::Sender<()> },
    /// Take in what is left, flush, and end.
    Stop,
}

/// The indexer thread's own.
pub struct Indexer {
    state: Arc<State>,
    commands: Receiver<Command>,
    rebuilder: Rebuilder,
    watch: Watch,
}

/// Waits, but not for ever, while the index is so far behind that the overlay is at its limit.
pub(super) fn wait_for_room(state: &State) -> Result<(), WriteError> {
    let began = Instant::now();
    while state.buckets.behind() >= state.settings.overlay_entries_max {
        if state.index_failed() {
            return Err(Unavailable::Index.into());
        }
        if began.elapsed() > INDEX_PATIENCE {
            return Err(WriteError::Busy);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Where the indexer itself dies, nobody takes anything in or rebuilds: whoever waits for it must know.
struct FailOnPanic(Arc<State>);

impl Drop for FailOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.buckets.generation().give_up();
        }
    }
}

impl Indexer {
    pub(super) fn new(state: Arc<State>, commands: Receiver<Command>, rebuilder: Rebuilder) -> Self {
        let watch = Watch::new(Duration::from_millis(state.settings.index_timeout_ms));
        Self { state, commands, rebuilder, watch }
    }

    /// Serves until told to stop. To be run on a thread of its own.
    pub fn run(mut self) {
        let _doubt = FailOnPanic(self.state.clone());
        let look_every = Duration::from_millis(self.state.settings.index_retry_ms);
        loop {
            match self.commands.recv_timeout(look_every) {
                Ok(Command::Drain) => {
                    self.gather();
                    self.state.buckets.begin_drain();
                    self.drain();
                }
                Ok(Command::Drop { buckets, done }) => {
                    for bucket in buckets {
                        self.drop_bucket(bucket);
                    }
                    let _ = done.send(());
                }
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            // A reader may have found out.
            if self.state.index_failed() && self.rebuilder.attempt() {
                self.drain();
            }
        }
        self.drain();
        let generation = self.state.buckets.generation();
        if !generation.is_failed() {
            let index = generation.index.clone();
            if let Err(doubt) = self.watch.run(move |_| Ok(index.flush()?)) {
                tracing::warn!(%doubt, "the index could not be flushed; the next start replays what is missing");
            }
        }
    }

    /// Waits while entries keep coming and the overlay has room for many more.
    fn gather(&self) {
        let enough = self.state.settings.overlay_entries_max / 4;
        let mut before = 0;
        for _ in 0..GATHERS_MAX {
            std::thread::sleep(GATHER);
            let behind = self.state.buckets.behind();
            if behind == before || behind >= enough {
                break;
            }
            before = behind;
        }
    }

    /// A failure leaves the entries in the overlay, where checks find them.
    fn drain(&self) {
        let list = self.state.buckets.all();
        let generation = list.generation.clone();
        if generation.behind() > 0 {
            self.on_index(&generation, move |progress| drain(&list, progress));
        }
    }

    fn drop_bucket(&self, bucket: Arc<Bucket>) {
        let (id, generation) = (bucket.id, bucket.generation.clone());
        // The tree of a failed index goes with all of it. What waited for such an index counts until then, too: the
        // writer may still hold it for the new one.
        if generation.is_failed() {
            return;
        }
        // What the overlay still held ends with the bucket.
        bucket.forget_overlay();
        let waiting = Instant::now();
        while Arc::strong_count(&bucket) > 1 {
            if waiting.elapsed() > READERS_MAX {
                tracing::warn!(bucket = %id.end(), "a purged bucket is still being read; its tree is dropped at the next start");
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(bucket);
        let of_tree = generation.clone();
        self.on_index(&generation, move |progress| drop_trees(&of_tree, [id], progress));
    }

    /// Does `work` on an index that has not failed, unless that fails at it.
    fn on_index(&self, generation: &Generation, work: impl FnOnce(&Progress) -> Result<(), Doubt> + Send + 'static) {
        if generation.is_failed() {
            return;
        }
        if let Err(doubt) = self.watch.run(work) {
            self.state.metrics.store.errors.index.increment(1);
            generation.fail(&doubt);
        }
    }
}
