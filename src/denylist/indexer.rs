//! Takes into the index what is durable already, and drops the trees of ended buckets. A thread of its own, so that
//! sled's work stays off the acknowledging path and beside the journal's sync.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::bucket::Bucket;
use super::request::WriteError;
use super::state::State;
use crate::index::IndexError;
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

/// sled can panic on what it finds: then the index has failed, and whoever waits for it must know.
struct FailOnPanic<'a>(&'a State);

impl Drop for FailOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail_index();
        }
    }
}

impl Indexer {
    pub(super) fn new(state: Arc<State>, commands: Receiver<Command>) -> Self {
        Self { state, commands }
    }

    /// Serves until told to stop. To be run on a thread of its own.
    pub fn run(self) {
        let _doubt = FailOnPanic(&self.state);
        while let Ok(command) = self.commands.recv() {
            match command {
                Command::Drain => {
                    self.gather();
                    self.state.buckets.begin_drain();
                    self.drain();
                }
                Command::Drop { buckets, done } => {
                    for bucket in buckets {
                        self.drop_bucket(bucket);
                    }
                    let _ = done.send(());
                }
                Command::Stop => break,
            }
        }
        self.drain();
        if let Err(error) = self.state.index.flush() {
            tracing::warn!(%error, "the index could not be flushed; the next start replays what is missing");
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

    /// A failure leaves the entries in the overlay, where checks find them; the next start rebuilds the index.
    fn drain(&self) {
        if self.state.index_failed() || self.state.buckets.behind() == 0 {
            return;
        }
        for bucket in self.state.buckets.all().iter() {
            match bucket.drain(&self.state.index) {
                Ok(entries) => self.state.buckets.sub_behind(entries),
                Err(error) => return self.fail(&error),
            }
        }
    }

    fn drop_bucket(&self, bucket: Arc<Bucket>) {
        // What the overlay still held ends with the bucket.
        self.state.buckets.sub_behind(bucket.overlay_keys().map_or(0, |keys| keys.len()));
        let waiting = Instant::now();
        while Arc::strong_count(&bucket) > 1 {
            if waiting.elapsed() > READERS_MAX {
                tracing::warn!(bucket = %bucket.id.end(), "a purged bucket is still being read; its tree is dropped at the next start");
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let id = bucket.id;
        drop(bucket);
        if let Err(error) = self.state.index.drop_tree(id) {
            self.fail(&error);
        }
    }

    fn fail(&self, error: &IndexError) {
        tracing::error!(%error, "the index failed; checks go on from memory as far as they can, and a restart rebuilds it");
        self.state.metrics.store.errors.index.increment(1);
        self.state.fail_index();
    }
}
