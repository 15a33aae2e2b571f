//! The core: check, revoke, apply, purge. Every change goes through here (promise 9).
//!
//! [`Denylist`] is what the doors hold. Behind it three threads, made by [`open`] and run by the composition root: the
//! [`Writer`] (the only one that changes anything), the [`Indexer`] (takes into the index what is durable) and the
//! [`Refiller`] (builds a new front filter beside the old one).

mod audit;
mod authority;
mod bucket;
mod cutoffs;
pub mod filter;
mod generation;
mod group;
mod indexer;
mod listing;
mod places;
mod reads;
mod rebuild;
mod recover;
mod refill;
mod request;
mod seen;
mod state;
pub mod sync;
mod usage;
mod watch;
mod writer;
mod writes;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::sync::oneshot;

use self::reads::Reads;
use self::state::State;
use self::writer::{Ask, Command, Reply};
use crate::clock::{Clock, NumericDate};
use crate::event::{Change, Origin, Seq};
use crate::issuers::Issuers;
use crate::keys::Keys;
use crate::revocation::{Revoked, TokenClaims, Unavailable, Verdict};
use crate::token::Key;

pub use authority::Foreseen;
pub use group::VERIFIED_LIFETIME_MAX_S;
pub use indexer::Indexer;
pub use listing::{Entry, ListFilter, Listed, Page};
pub use reads::Priority;
pub use recover::{IndexState, OpenError, OpenIndex, Opened, Salvaged, Sources, accept_loss, open, verify};
pub use refill::Refiller;
pub use request::{
    CutoffSpan, KeyEndRequest, KeyOutcome, LogOutOutcome, LogOutRequest, Outcome, Proof, PurgeReport, Refusal,
    RestoreOutcome, RestoreRequest, RevokeRequest, WriteError,
};
pub use seen::{SeenChecks, SeenRun};
pub use state::{Settings, Status};
pub use usage::ShareLimits;
pub use writer::Writer;

/// Keys that a batch looks up between two yields to other requests.
const KEYS_PER_TURN: usize = 64;

/// How long a write may wait for the journal before its caller is told that nobody knows.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The denylist. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Denylist {
    state: Arc<State>,
    reads: Reads,
    commands: Sender<Command>,
}

impl Denylist {
    fn new(state: Arc<State>, commands: Sender<Command>) -> Self {
        let timeout = Duration::from_millis(state.settings.read_timeout_ms);
        let reads = Reads::new(state.settings.reads_max, timeout, state.metrics.clone());
        Self { state, reads, commands }
    }

    /// The closed list of issuers.
    #[must_use]
    pub fn issuers(&self) -> &Issuers {
        &self.state.issuers
    }

    /// The API keys that are accepted now.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.state.keys
    }

    /// The clock by which everything is judged.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.state.clock
    }

    /// Every change up to this place in the history counts in verdicts that are asked for from now on. One atomic read.
    #[must_use]
    pub fn applied_seq(&self) -> Seq {
        self.state.applied_seq.load(Ordering::Acquire)
    }

    /// One verdict on all that `claims` name. A good token costs one probe of the front filter and no await; the filter's
    /// maybe is read on the bounded blocking pool, with a deadline.
    ///
    /// # Errors
    /// [`Unavailable`] where the answer is not known (promise 3).
    pub async fn check(&self, claims: &TokenClaims<'_>, priority: Priority) -> Result<Verdict, Unavailable> {
        if let Some(verdict) = self.known(claims)? {
            return Ok(verdict);
        }
        let Some(key) = claims.key() else { return Ok(Verdict::Good) };
        let state = self.state.clone();
        self.reads.run(priority, move || state.read(&key)).await
    }

    /// The verdict, where it is known without a read, as nearly always: good because the front filter says no, or revoked by
    /// a cutoff. `None` says nothing; [`Self::check`] does. No I/O, and no allocation for a good token.
    ///
    /// # Errors
    /// [`Unavailable::Poisoned`].
    pub fn known(&self, claims: &TokenClaims<'_>) -> Result<Option<Verdict>, Unavailable> {
        if let Some(revoked) = self.cut_off(claims)? {
            return Ok(Some(Verdict::Revoked(revoked)));
        }
        let Some(key) = claims.key() else { return Ok(None) };
        Ok(self.state.surely_good(&key)?.then_some(Verdict::Good))
    }

    /// The strictest cutoff that kills the token, if one does (promise 15). No I/O.
    ///
    /// # Errors
    /// [`Unavailable::Index`].
    pub fn cut_off(&self, claims: &TokenClaims<'_>) -> Result<Option<Revoked>, Unavailable> {
        self.state.cutoffs.strictest(claims, &self.state.clock).map(|cutoff| cutoff.revoked()).transpose()
    }

    /// Which of `keys` are revoked by themselves, each with its place among them; all others are good, unless
    /// [`Self::cut_off`], which is to be asked before, says otherwise. Yields every 64, so that a batch does not hold up
    /// other requests.
    ///
    /// # Errors
    /// [`Unavailable`] for all if the answer for one is not known.
    pub async fn check_many(&self, keys: &[Key], priority: Priority) -> Result<Vec<(usize, Revoked)>, Unavailable> {
        let mut maybe = Vec::new();
        for (turn, some) in keys.chunks(KEYS_PER_TURN).enumerate() {
            if turn > 0 {
                tokio::task::yield_now().await;
            }
            self.state.maybes_among(some, |at| maybe.push((turn * KEYS_PER_TURN + at, some[at])))?;
        }
        let mut revoked = Vec::new();
        for some in maybe.chunks(KEYS_PER_TURN) {
            let state = self.state.clone();
            let some = some.to_vec();
            let read = move || some.into_iter().map(|(at, key)| Ok((at, state.read(&key)?))).collect();
            let found: Vec<(usize, Verdict)> = self.reads.run(priority, read).await?;
            revoked.extend(found.into_iter().filter_map(|(at, verdict)| match verdict {
                Verdict::Revoked(entry) => Some((at, entry)),
                Verdict::Good => None,
            }));
        }
        Ok(revoked)
    }

    /// One verdict by an ordinary, blocking function: for callers that are no async task.
    ///
    /// # Errors
    /// [`Unavailable`] where the answer is not known.
    pub fn check_blocking(&self, claims: &TokenClaims<'_>) -> Result<Verdict, Unavailable> {
        match (self.known(claims)?, claims.key()) {
            (Some(verdict), _) => Ok(verdict),
            (None, Some(key)) => self.state.read(&key),
            (None, None) => Ok(Verdict::Good),
        }
    }

    /// Revokes many; answered after all that is stored is durable (promise 1). Callers with scope `admin` may use the
    /// tenth of each limit that is kept for them.
    ///
    /// # Errors
    /// [`WriteError`] when nothing, or nothing known, was written.
    pub async fn revoke(
        &self,
        requests: Vec<RevokeRequest>,
        origin: Origin<'static>,
        admin: bool,
    ) -> Result<Vec<Outcome>, WriteError> {
        let place = self.state.places.take(requests.len(), admin).ok_or(WriteError::Busy)?;
        self.ask_in_time(|reply| Command::Revoke(Ask { what: requests, origin, admin, place, reply })).await
    }

    /// Journals a change that is no entry and needs no decision: the first API key, the clock trusted. Gives its place in the
    /// history.
    ///
    /// # Errors
    /// [`WriteError`] when it was not written.
    pub async fn record(&self, change: Change<'static>, origin: Origin<'static>) -> Result<Seq, WriteError> {
        let change = Box::new(change);
        self.ask_in_time(|reply| Command::Record { change, ends_at: NumericDate::NEVER, origin, reply }).await
    }

    /// Ends the doubt in the clock, since an admin vouches for it; answered when it is durable who did and when.
    ///
    /// # Errors
    /// [`WriteError`] when it was not written; the clock is doubted as before.
    pub async fn trust_clock(&self, origin: Origin<'static>) -> Result<Seq, WriteError> {
        self.record(Change::ClockTrusted, origin).await
    }

    /// Drops what has ended, in short steps; answered when all is done. Purges asked for meanwhile share the answer.
    ///
    /// # Errors
    /// [`WriteError`] where the journal could not be reclaimed.
    pub async fn purge(&self) -> Result<PurgeReport, WriteError> {
        self.ask(|reply| Command::Purge { reply }).await
    }

    /// Live entries, newest first, with a `seq` below `before`. Listing is for admins, and may use their reads. Looks at a bounded number of entries, so a page can be
    /// short and still have a next one.
    ///
    /// # Errors
    /// [`Unavailable`] where the index cannot be read in time.
    pub async fn list(&self, filter: ListFilter, before: Option<Seq>, limit: usize) -> Result<Page, Unavailable> {
        let state = self.state.clone();
        self.reads.run(Priority::Admin, move || state.reading(|| listing::page(&state, &filter, before, limit))).await
    }

    /// The live entry that the denylist knows by `key`. As [`Self::list`].
    ///
    /// # Errors
    /// [`Unavailable`] where the index cannot be read in time.
    pub async fn entry(&self, key: Key) -> Result<Option<Listed>, Unavailable> {
        let state = self.state.clone();
        self.reads.run(Priority::Admin, move || state.reading(|| listing::entry(&state, &key))).await
    }

    /// The configured share of false positives of the front filter.
    #[must_use]
    pub fn false_positive_rate(&self) -> f64 {
        self.state.settings.false_positive_rate
    }

    /// How the core is.
    #[must_use]
    pub fn status(&self) -> Status {
        self.state.status()
    }

    /// Builds a new front filter now, beside the one that answers.
    pub fn refill(&self) {
        self.state.force_refill();
    }

    /// Asks the writer to end; it closes the journal and lets the indexer finish. A rebuild of the index is given up.
    pub fn stop(&self) {
        self.state.ending.store(true, Ordering::Release);
        // A full queue is drained by the writer, so this waits a moment at most; a writer that is gone has ended.
        let _ = self.commands.send(Command::Stop);
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, WriteError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).map_err(|_| WriteError::Stopping)?;
        answer.await.map_err(|_| WriteError::Stopping)?
    }

    /// As [`Self::ask`], but a disk that hangs does not hold the caller for ever (promise 3: late is unavailable).
    async fn ask_in_time<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, WriteError> {
        tokio::time::timeout(WRITE_TIMEOUT, self.ask(command)).await.unwrap_or(Err(WriteError::Late))
    }

    /// Waits until everything asked before has been done.
    fn barrier(&self) -> Result<(), WriteError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Barrier { reply }).map_err(|_| WriteError::Stopping)?;
        answer.blocking_recv().map_err(|_| WriteError::Stopping)?
    }
}
