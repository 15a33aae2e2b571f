//! What the writer is asked, and what it makes of it.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::super::bucket::List;
use super::super::places::Place;
use super::super::request::{
    KeyEndRequest, KeyOutcome, LogOutOutcome, LogOutRequest, Outcome, PurgeReport, RestoreOutcome, RestoreRequest,
    RevokeRequest, WriteError,
};
use super::adopt::Adopted;
use crate::clock::NumericDate;
use crate::event::{ApiKeyRecord, Change, Origin, Seq};
use crate::journal::{JournalError, Snapshot};
use crate::revocation::Unavailable;
use crate::token::Issuer;

/// What the writer is asked.
pub(in super::super) enum Command {
    /// Revoke tokens.
    Revoke(Ask<Vec<RevokeRequest>, Vec<Outcome>>),
    /// Cut tokens off.
    LogOut(Box<Ask<LogOutRequest, LogOutOutcome>>),
    /// Take an entry back.
    Restore(Box<Ask<RestoreRequest, RestoreOutcome>>),
    /// A verified token of this lifetime, seconds, was checked.
    Saw { issuer: Issuer<'static>, lifetime_s: i64 },
    /// Take an API key in.
    CreateKey(Box<Ask<ApiKeyRecord<'static>, KeyOutcome>>),
    /// Refuse the API key of this id from now on.
    RevokeKey(Box<Ask<KeyEndRequest, KeyOutcome>>),
    /// Journal a change that is no entry and needs no decision.
    Record { change: Box<Change<'static>>, ends_at: NumericDate, origin: Origin<'static>, reply: Reply<Seq> },
    /// Drop what has ended.
    Purge { reply: Reply<PurgeReport> },
    /// Answer once everything asked before has been done (`filter.rs`: the refill's barrier).
    Barrier { reply: Reply<()> },
    /// Give out the journal as it is, and keep what comes after it (`rebuild.rs`).
    Snapshot { reply: oneshot::Sender<Result<Snapshot, JournalError>> },
    /// Put a new generation of the index, built from the last snapshot, in place of the one that failed.
    Adopt { list: Arc<List>, reply: oneshot::Sender<Result<Adopted, Unavailable>> },
    /// Close the journal and end.
    Stop,
}

impl Command {
    /// Answers a write with `error`; gives back what is no write.
    pub(super) fn refuse(self, error: WriteError) -> Option<Self> {
        match self {
            Self::Revoke(ask) => drop(ask.reply.send(Err(error))),
            Self::LogOut(ask) => drop(ask.reply.send(Err(error))),
            Self::Restore(ask) => drop(ask.reply.send(Err(error))),
            Self::CreateKey(ask) => drop(ask.reply.send(Err(error))),
            Self::RevokeKey(ask) => drop(ask.reply.send(Err(error))),
            Self::Saw { .. } => {}
            Self::Record { reply, .. } => drop(reply.send(Err(error))),
            other => return Some(other),
        }
        None
    }
}

/// One call that asks for `W` and is answered with `A`.
pub(in super::super) struct Ask<W, A> {
    pub(in super::super) what: W,
    pub(in super::super) origin: Origin<'static>,
    pub(in super::super) admin: bool,
    pub(in super::super) place: Place,
    pub(in super::super) reply: Reply<A>,
}

/// Where an answer goes; a caller that no longer waits is no error.
pub(in super::super) type Reply<T> = oneshot::Sender<Result<T, WriteError>>;

/// An event of a group that is not durable yet.
pub(in super::super) struct Pending {
    pub(in super::super) seq: Seq,
    pub(in super::super) raw: Arc<[u8]>,
}
