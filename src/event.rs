//! A change, and its versioned bytes: what the journal keeps and the index holds (promise 8).
//!
//! An event holds all that its fold needs, so replay never consults today's config or clock. Its bytes are described
//! in `docs/STORAGE.md`; an unknown version or kind is refused by name (promise 13).

mod codec;

use std::borrow::Cow;

use crate::clock::NumericDate;
use crate::revocation::{BucketId, Cutoff, Reason, Revocation, Target};
use crate::token::{ClientId, Issuer, Jti, Key, Naming, Selector};

pub use codec::DecodeError;

/// An event's place in the totally ordered history of this node; the first event has 1.
pub type Seq = u64;

/// Who caused a change and how it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Id of the API key that asked; empty for revokd itself, and where no key is asked for.
    pub actor: Cow<'a, str>,
    /// The door it came through.
    pub source: Source,
    /// From where: the address at the other end of the connection, `unix` for a socket of this machine; empty for revokd
    /// itself.
    pub from: Cow<'a, str>,
    /// Request id, for finding the access log's line.
    pub request_id: Cow<'a, str>,
}

impl Origin<'_> {
    /// The origin of what revokd does of its own accord.
    pub const INTERNAL: Origin<'static> = Origin {
        actor: Cow::Borrowed(""),
        source: Source::Internal,
        from: Cow::Borrowed(""),
        request_id: Cow::Borrowed(""),
    };

    /// The same origin, owning its bytes.
    #[must_use]
    pub fn into_owned(self) -> Origin<'static> {
        Origin {
            actor: Cow::Owned(self.actor.into_owned()),
            source: self.source,
            from: Cow::Owned(self.from.into_owned()),
            request_id: Cow::Owned(self.request_id.into_owned()),
        }
    }
}

/// The door through which a change came in. The numbers are part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Source {
    /// revokd itself.
    Internal = 0,
    /// The REST API.
    Api = 1,
    /// The command line, offline.
    Cli = 2,
    /// A logout token of an issuer (OpenID Connect Back-Channel Logout 1.0): the issuer of the change has asked for it.
    Backchannel = 3,
}

impl Source {
    /// Every source, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Internal, Self::Api, Self::Cli, Self::Backchannel];

    /// The source's label in metrics and listings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Api => "api",
            Self::Cli => "cli",
            Self::Backchannel => "backchannel",
        }
    }
}

/// One change with its place, time, retention and origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// Place in the history.
    pub seq: Seq,
    /// The clock's `earliest` when the event was made.
    pub recorded_at: NumericDate,
    /// Until when the event matters, inclusive; never judged anew.
    pub ends_at: NumericDate,
    /// Who and how.
    pub origin: Origin<'a>,
    /// What.
    pub change: Change<'a>,
}

/// What an event changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<'a> {
    /// A token is revoked, or its revocation extended.
    Revoked(Revocation<'a>),
    /// A revocation is taken back; `ends_at` of the event is the last second of the furthest bucket that holds an event of
    /// its key, so that the restore is forgotten with the last of them and never before.
    Restored {
        /// Issuer of the token.
        issuer: Issuer<'a>,
        /// The token.
        jti: Jti<'a>,
        /// The furthest end ever recorded for the token, which it keeps should it be revoked again.
        furthest_end: NumericDate,
        /// Why.
        reason: Option<Reason<'a>>,
    },
    /// An API key exists from now on.
    KeyCreated(ApiKeyRecord<'a>),
    /// An API key is refused from now on.
    KeyRevoked {
        /// The key's id.
        id: Cow<'a, str>,
        /// Why.
        reason: Option<Reason<'a>>,
    },
    /// An issuer was seen to make tokens that live longer than configured: its cutoffs must be kept as long. Events that put
    /// off the ends of its live cutoffs come before it.
    LifetimeRaised {
        /// The issuer.
        issuer: Issuer<'a>,
        /// How long its tokens are taken to live from now on, seconds.
        lifetime_s: i64,
    },
    /// An admin vouched for the wall clock: doubt in it ended then. Says who and when; replay changes nothing by it.
    ClockTrusted,
    /// A cutoff is in force, or its end is put off.
    Cutoff(CutoffRecord<'a>),
    /// One cutoff is taken back, and no other; `ends_at` as for [`Change::Restored`].
    CutoffRestored {
        /// Issuer of the tokens.
        issuer: Issuer<'a>,
        /// Whose tokens.
        target: Target<'a>,
        /// First place of the cutoff in the history.
        first_seq: Seq,
        /// Why.
        reason: Option<Reason<'a>>,
    },
    /// Tokens of an issuer are known by these claims from now on; without such an event by the standard ones. Made at start
    /// only, while no entry of the issuer lives (promise 16).
    NamingSet {
        /// The issuer.
        issuer: Issuer<'a>,
        /// Its claims.
        naming: Naming<'a>,
    },
    /// A known caller was refused. Changes nothing, as the two below; all three are for the audit.
    Refused {
        /// The route, as the table of `http.rs` writes it; empty where it stands for several.
        route: Cow<'a, str>,
        /// The HTTP status of the answer.
        status: u16,
        /// How often: more than once where there were too many to be told one by one.
        count: u32,
    },
    /// Callers without a valid key were refused, in one minute, from one address, which is where the origin says.
    Strangers {
        /// The first second of the minute.
        minute: NumericDate,
        /// How often.
        count: u32,
    },
    /// The loss of a part of an earlier history was accepted, and this one begun with what was left.
    LossAccepted {
        /// Id of the earlier history; zeros where it could not be read.
        history: [u8; 16],
        /// Highest place that was seen of it.
        last_seq: Seq,
        /// Events that were saved.
        saved: u64,
        /// Places in files that could not be read.
        skipped: u64,
    },
}

/// What is kept of a cutoff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutoffRecord<'a> {
    /// The cutoff.
    pub cutoff: Cutoff<'a>,
    /// Its first place in the history, which tells it from others on the same target; a later event of the same cutoff
    /// puts off its end.
    pub first_seq: Seq,
    /// When it was made.
    pub revoked_at: NumericDate,
}

impl CutoffRecord<'_> {
    /// What the denylist knows the cutoff by.
    #[must_use]
    pub fn key(&self) -> Key {
        self.cutoff.target.cutoff_key(&self.cutoff.issuer, self.first_seq)
    }
}

/// Most issuers, and most clients, that one API key can be bound to.
pub const KEY_BOUNDS_MAX: usize = 64;

/// What is kept of an API key: never the key itself.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeyRecord<'a> {
    /// Public id of the key, part of the key itself.
    pub id: Cow<'a, str>,
    /// SHA-256 of the key's secret part.
    pub secret_sha256: [u8; 32],
    /// Bit set of the scopes, see `keys.rs`.
    pub scopes: u8,
    /// What the key is for, in its creator's words.
    pub label: Cow<'a, str>,
    /// The issuers that it may do anything about, [`KEY_BOUNDS_MAX`] at the most; none stands for all.
    pub issuers: Vec<Issuer<'a>>,
    /// The clients whose tokens it may do anything about, [`KEY_BOUNDS_MAX`] at the most; none stands for all.
    pub client_ids: Vec<ClientId<'a>>,
    /// The first second at which it is refused; `None` for never.
    pub expires_at: Option<NumericDate>,
}

impl std::fmt::Debug for ApiKeyRecord<'_> {
    /// Leaves the hash out (promise 12).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKeyRecord").field("id", &self.id).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

impl<'a> Event<'a> {
    /// Appends the event's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        codec::encode(self, out);
    }

    /// The event that `bytes` hold; borrows its strings from them.
    ///
    /// # Errors
    /// [`DecodeError`] for an unknown version or kind, a value beyond its limits, or bytes too few or too many.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes)
    }

    /// Key and bucket of the entry that the event makes in the index, if it makes one there: only revocations, cutoffs and
    /// restores do.
    #[must_use]
    pub fn entry(&self) -> Option<(Key, BucketId)> {
        let key = match &self.change {
            Change::Revoked(revocation) => revocation.key(),
            Change::Restored { issuer, jti, .. } => Key::of_token(issuer, jti),
            Change::Cutoff(record) => record.key(),
            Change::CutoffRestored { issuer, target, first_seq, .. } => target.cutoff_key(issuer, *first_seq),
            Change::KeyCreated(_)
            | Change::KeyRevoked { .. }
            | Change::LifetimeRaised { .. }
            | Change::ClockTrusted
            | Change::NamingSet { .. }
            | Change::Refused { .. }
            | Change::Strangers { .. }
            | Change::LossAccepted { .. } => return None,
        };
        Some((key, BucketId::of(self.recorded_at, self.ends_at)))
    }

    /// The subject under which the entry that the event makes is listed: whose token is revoked, or who is logged out.
    #[must_use]
    pub fn subject(&self) -> Option<Key> {
        let (issuer, sub) = match &self.change {
            Change::Revoked(Revocation { issuer, sub: Some(sub), .. }) => (issuer, sub),
            Change::Cutoff(CutoffRecord { cutoff: Cutoff { issuer, target: Target::Sub(sub), .. }, .. }) => {
                (issuer, sub)
            }
            _ => return None,
        };
        Some(Key::new(Selector::Sub, issuer, sub.as_str()))
    }

    /// When the event is settled: what it made has ended or, where that never does, it was made. The audit keeps it for a
    /// time from then on.
    #[must_use]
    pub fn settled_at(&self) -> NumericDate {
        if self.ends_at == NumericDate::NEVER { self.recorded_at } else { self.ends_at.max(self.recorded_at) }
    }

    /// The first instant at which the journal may forget the event: the end of its bucket, so that journal and index
    /// forget by the same rule.
    #[must_use]
    pub fn kept_until(&self) -> NumericDate {
        BucketId::of(self.recorded_at, self.ends_at).end()
    }
}
