//! What may be asked of the core, and what becomes of it.

use crate::clock::NumericDate;
use crate::event::Seq;
use crate::revocation::{Reason, Revocation, Target, Unavailable};
use crate::token::{Issuer, Key};

/// How the caller knows the `exp` of what it revokes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The caller says so: `lifetime_max_s` applies.
    Asserted,
    /// A verified signature says so; the token's `iat`, where it has one.
    Verified {
        /// The token's `iat`, rounded down.
        iat: Option<NumericDate>,
    },
}

/// One token to revoke.
#[derive(Debug, Clone)]
pub struct RevokeRequest {
    /// What to revoke.
    pub revocation: Revocation<'static>,
    /// How its `exp` is known.
    pub proof: Proof,
}

/// What became of one [`RevokeRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Durable: revoked until `ends_at`. Also when it was so before.
    Stored {
        /// The entry's place in the history.
        seq: Seq,
        /// Until when it lives.
        ends_at: NumericDate,
    },
    /// The token has expired by itself; nothing was stored.
    Expired,
    /// A limit was passed; nothing was stored.
    Refused(Refusal),
}

/// Whose tokens are to be cut off, and from when on new ones are good again.
#[derive(Debug, Clone)]
pub struct LogOutRequest {
    /// Whose tokens.
    pub issuer: Issuer<'static>,
    /// Which of them.
    pub target: Target<'static>,
    /// The last second whose tokens are revoked; now if absent. May lie in the past, not in the future.
    pub issued_before: Option<NumericDate>,
    /// Whether the issuer itself has said when, whose clock may run ahead of ours by its `clock_skew_s`.
    pub by_issuers_clock: bool,
    /// Why.
    pub reason: Option<Reason<'static>>,
}

/// What became of one [`LogOutRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogOutOutcome {
    /// Durable. Also when the very same cutoff was in force before.
    Stored {
        /// The cutoff's place in the history.
        seq: Seq,
        /// What the denylist knows it by.
        key: Key,
        /// When it applies from and how long.
        span: CutoffSpan,
    },
    /// Every token that it would hit has expired by itself; nothing was stored.
    Expired {
        /// The earliest `issued_before` that would still hit something.
        earliest: NumericDate,
    },
    /// A limit was passed; nothing was stored.
    Refused(Refusal),
}

/// From when to when a cutoff matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutoffSpan {
    /// The last second whose tokens are revoked, by a true clock.
    pub issued_before: NumericDate,
    /// The first `iat` that is not revoked.
    pub good_from: NumericDate,
    /// Until when the cutoff lives.
    pub ends_at: NumericDate,
}

/// One entry to take back.
#[derive(Debug, Clone)]
pub struct RestoreRequest {
    /// What the denylist knows it by.
    pub key: Key,
    /// Its place in the history, as the caller knows it: what has changed since is not taken back unseen.
    pub seq: Seq,
    /// Why.
    pub reason: Option<Reason<'static>>,
}

/// What became of one [`RestoreRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreOutcome {
    /// Durable: the entry counts no more.
    Restored {
        /// The restore's place in the history.
        seq: Seq,
        /// What cutoffs on the same tokens have in common, one for each selector that is known.
        targets: Vec<Key>,
    },
    /// No live entry has this key.
    NotFound,
    /// The entry has changed.
    Moved {
        /// Its place in the history now.
        seq: Seq,
    },
    /// A limit was passed; nothing was stored.
    Refused(Refusal),
}

/// One API key to revoke.
#[derive(Debug, Clone)]
pub struct KeyEndRequest {
    /// The key's id.
    pub id: String,
    /// Why.
    pub reason: Option<Reason<'static>>,
}

/// What became of one change of the API keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOutcome {
    /// Durable, and in force.
    Done {
        /// The change's place in the history.
        seq: Seq,
    },
    /// There is no such key.
    NotFound,
    /// A limit was passed; nothing was stored.
    Refused(Refusal),
}

/// The limit that a well-formed request passed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The `exp` lies too far ahead. 422.
    #[error("`exp` lies {lifetime_s} s ahead; the limit {name} is {limit_s} s")]
    LifetimeTooLong {
        /// Asked, seconds.
        lifetime_s: i64,
        /// The config key of the limit, or whose it is.
        name: &'static str,
        /// Allowed, seconds.
        limit_s: i64,
    },
    /// The `issued_before` lies in the future: it would lock out who logs in again. 422.
    #[error("`issued_before` lies {ahead_s} s in the future; the limit is now, {limit}")]
    InFuture {
        /// How far, seconds.
        ahead_s: i64,
        /// Now, no earlier than the true time.
        limit: NumericDate,
    },
    /// The entry was extended or restored too often. 422.
    #[error("this entry was changed {limit} times, which is the limit limits.changes_per_entry_max")]
    TooManyChanges {
        /// Allowed.
        limit: u32,
    },
    /// The key would be refused from its first moment on. 422.
    #[error("`expires_at` has passed; the limit is now, {limit}")]
    KeyEnded {
        /// Now, no earlier than the true time.
        limit: NumericDate,
    },
    /// Without this key nobody could make another one. 422.
    #[error(
        "this is the last key with the scope `admin` that has neither bounds nor an end, and nobody could make another; \
         create one first, then revoke this one"
    )]
    LastAdminKey,
    /// The share of the caller or its issuer is used up. 507.
    #[error("{what} is full: the limit {name} is {limit}")]
    Full {
        /// Whose share.
        what: &'static str,
        /// The config key of the limit.
        name: &'static str,
        /// Its value.
        limit: u64,
    },
}

/// Nothing was written, or nobody knows whether it was: 503 in any case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The journal refused the write before its sync (disk full, too many files); writes resume by themselves.
    #[error("the journal cannot be written at the moment")]
    Refused,
    /// The journal's sync failed; writes stop until a restart has verified it.
    #[error("the journal failed; restart revokd to verify it")]
    Failed,
    /// Too many writes are waiting.
    #[error("too many writes are waiting")]
    Busy,
    /// No answer came in time: nobody knows whether it was written.
    #[error("the journal takes too long; it is not known whether this was stored, so send it again")]
    Late,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// What the write depends on cannot be read.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What a purge did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PurgeReport {
    /// Ended buckets dropped.
    pub buckets: u64,
    /// Records that went with them.
    pub entries: u64,
    /// Journal segments dropped or rewritten.
    pub segments: u64,
}
