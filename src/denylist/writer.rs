//! The one writer: takes what waits, decides, writes one frame, syncs, then index overlay, filters, answers.
//!
//! Promises 1 and 2 are kept here. The thread owns the journal; nothing else changes the state of the denylist.

mod adopt;
mod command;
mod publish;
mod purge;
mod refusals;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

pub(super) use self::adopt::Adopted;
use self::adopt::Since;
pub(super) use self::command::{Ask, Command, Pending, Reply};
use self::purge::Purge;
use super::group::Group;
use super::indexer;
use super::request::WriteError;
use super::state::State;
use super::usage::Usage;
use crate::clock::NumericDate;
use crate::event::Event;
use crate::journal::{self, AppendError, Journal};

/// Requests that one group takes at the most; bounds the frame and the wait of the first in it.
const GROUP_REQUESTS_MAX: usize = 4_096;

/// After this long without writes the last frame is closed by an empty one, so that rot in it is told from a torn
/// write.
const CLOSE_AFTER: Duration = Duration::from_secs(1);

/// The writer thread's own.
pub struct Writer {
    state: Arc<State>,
    journal: Journal,
    commands: Receiver<Command>,
    indexer: std::sync::mpsc::Sender<indexer::Command>,
    refill: std::sync::mpsc::SyncSender<()>,
    usage: Usage,
    frame: journal::Group,
    /// Events have been written since the last empty frame.
    open_frame: bool,
    /// When a frame was last tried.
    last_frame: Instant,
    last_recorded: NumericDate,
    /// When refused attempts were written last without anything else; the start before that.
    last_refusals: Instant,
    purge: Option<Purge>,
    /// While the index is being rebuilt.
    since: Option<Since>,
}

impl Writer {
    pub(super) fn new(
        state: Arc<State>,
        journal: Journal,
        commands: Receiver<Command>,
        indexer: std::sync::mpsc::Sender<indexer::Command>,
        refill: std::sync::mpsc::SyncSender<()>,
        usage: Usage,
    ) -> Self {
        let last_recorded = state.clock.now().recorded;
        let frame = journal::Group::new();
        Self {
            state,
            journal,
            commands,
            indexer,
            refill,
            usage,
            frame,
            open_frame: false,
            last_frame: Instant::now(),
            last_recorded,
            last_refusals: Instant::now(),
            purge: None,
            since: None,
        }
    }

    /// Serves until told to stop, then closes the journal. To be run on a thread of its own.
    pub fn run(mut self) {
        // Every start is recorded, so that the next one can hold its clock against it.
        self.close_frame();
        loop {
            let command = match self.next() {
                Ok(command) => command,
                Err(RecvTimeoutError::Timeout) => {
                    self.idle();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            match self.serve(command) {
                Some(Command::Purge { reply }) => self.begin_purge(reply),
                Some(Command::Barrier { reply }) => drop(reply.send(Ok(()))),
                Some(Command::Snapshot { reply }) => drop(reply.send(self.snapshot())),
                Some(Command::Adopt { list, reply }) => drop(reply.send(self.adopt(&list))),
                Some(Command::Stop) => break,
                // Writes have been served.
                _ => {}
            }
            self.purge_step();
            // Commands that change nothing must not keep the last frame open.
            self.idle();
        }
        self.write_refusals(true);
        let (seq, head) = self.journal.trail().head();
        tracing::info!(seq, %head, "the audit's head at the end");
        let now = self.state.clock.now().recorded;
        if let Err(error) = self.journal.close(now) {
            tracing::error!(
                error = &error as &dyn Error,
                "the journal could not be closed; all that was acknowledged is durable"
            );
        }
        // The indexer drains what is left, which is not needed but spares the next start the replay.
        let _ = self.indexer.send(indexer::Command::Stop);
    }

    fn next(&mut self) -> Result<Command, RecvTimeoutError> {
        if self.purge.is_none() {
            return self.commands.recv_timeout(CLOSE_AFTER);
        }
        match self.commands.try_recv() {
            Ok(command) => Ok(command),
            Err(TryRecvError::Empty) => {
                self.purge_step();
                self.commands.recv_timeout(Duration::from_millis(1))
            }
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
        }
    }

    /// Serves `command` and all writes that wait behind it as one group; gives back what is no write.
    fn serve(&mut self, command: Command) -> Option<Command> {
        if let Err(error) = indexer::wait_for_room(&self.state) {
            return command.refuse(error);
        }
        let mut group = Group::new(&self.state, &self.usage, self.state.last_seq());
        let mut next = Some(command);
        let mut other = None;
        while let Some(command) = next {
            match command {
                Command::Revoke(ask) => group.revoke(ask),
                Command::LogOut(ask) => group.log_out(*ask),
                Command::Restore(ask) => group.restore(*ask),
                Command::CreateKey(ask) => group.create_key(*ask),
                Command::RevokeKey(ask) => group.revoke_key(*ask),
                Command::Saw { issuer, lifetime_s } => group.saw(&issuer, lifetime_s),
                Command::Record { change, ends_at, origin, reply } => group.record(*change, ends_at, origin, reply),
                command => {
                    other = Some(command);
                    break;
                }
            }
            next = if group.len() < GROUP_REQUESTS_MAX { self.next_of_group() } else { None };
        }
        self.add_refusals(&mut group);
        let (events, answers) = group.finish();
        let written = self.commit(&events);
        answers.send(&written);
        self.ask_for_refill();
        other
    }

    /// What else waits, after those that are about to ask have had their turn: a sync costs the same for one and for
    /// fifty, and whoever was answered by the last one is often just asking again.
    fn next_of_group(&self) -> Option<Command> {
        self.commands.try_recv().ok().or_else(|| {
            std::thread::yield_now();
            self.commands.try_recv().ok()
        })
    }

    /// Journal, then index overlay, then filters (promise 2). An empty slice costs nothing. What does not fit into one
    /// frame goes into several; if a later one fails, the earlier ones are durable and taken in all the same.
    fn commit(&mut self, mut events: &[Pending]) -> Result<(), WriteError> {
        while !events.is_empty() {
            let mut taken = 0;
            self.frame.clear();
            for pending in events {
                let event = Event::decode(&pending.raw).map_err(|_| WriteError::Failed)?;
                match self.frame.push_encoded(&pending.raw, &event) {
                    Ok(()) => taken += 1,
                    Err(_full) if taken > 0 => break,
                    Err(error) => {
                        tracing::error!(%error, "an event fits into no frame");
                        return Err(WriteError::Refused);
                    }
                }
            }
            self.append()?;
            self.open_frame = true;
            let (durable, rest) = events.split_at(taken);
            self.publish(durable).inspect_err(|error| {
                // The journal has the events and the memory may not: only a restart makes them one again.
                tracing::error!(%error, "an event is durable but could not be taken in; restart revokd");
                self.state.writes.fail();
            })?;
            self.state.applied_seq.store(self.state.last_seq(), Ordering::Release);
            events = rest;
        }
        Ok(())
    }

    fn ask_for_refill(&self) {
        if self.state.front.wants_refill(usize::try_from(self.state.buckets.records()).unwrap_or(usize::MAX)) {
            // Full means that a refill is asked for already.
            let _ = self.refill.try_send(());
        }
    }

    /// Appends the frame at hand.
    fn append(&mut self) -> Result<(), WriteError> {
        self.state.writes.may_try()?;
        let now = self.state.clock.now().recorded;
        let began = Instant::now();
        self.last_frame = began;
        let appended = self.journal.append(now, &mut self.frame);
        self.state.metrics.store.sync_duration.record(began.elapsed());
        match &appended {
            Ok(()) => {
                self.last_recorded = now;
                self.state.note_journal(&self.journal, now);
            }
            Err(error) => self.note_failure(error),
        }
        if appended.is_ok() && self.state.writes.resume() {
            tracing::info!("the journal can be written again");
        }
        appended.map_err(|error| match error {
            AppendError::Refused { .. } => WriteError::Refused,
            AppendError::Failed { .. } => WriteError::Failed,
        })
    }

    fn note_failure(&self, error: &AppendError) {
        match error {
            AppendError::Refused { .. } => {
                self.state.metrics.store.errors.write.increment(1);
                if self.state.writes.refuse() {
                    tracing::error!(error = error as &dyn Error, "writes are refused, and resume by themselves");
                }
            }
            AppendError::Failed { .. } => {
                self.state.metrics.store.errors.sync.increment(1);
                tracing::error!(error = error as &dyn Error, "writes stop until a restart has verified the journal");
                self.state.writes.fail();
            }
        }
    }

    /// A second after the last frame: close it, try whether refused writes go again, record the time.
    fn idle(&mut self) {
        if self.last_frame.elapsed() < CLOSE_AFTER {
            return;
        }
        let age_s = self.state.clock.now().recorded.since(self.last_recorded);
        if self.open_frame || self.state.writes.is_refused() || age_s >= self.state.settings.heartbeat_s {
            // Refused attempts prove the frame before them as well as none do.
            if !self.write_refusals(false) {
                self.close_frame();
            }
        } else {
            self.write_refusals(false);
        }
    }

    /// Appends an empty frame: it proves that the one before is whole, and records the time.
    fn close_frame(&mut self) {
        self.frame.clear();
        if self.append().is_ok() {
            self.open_frame = false;
        }
    }
}
