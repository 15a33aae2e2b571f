//! What the denylist holds and what it answers. Pure: no I/O, no serde, no async.

mod cutoff;

use std::borrow::Cow;
use std::fmt;

use crate::clock::NumericDate;
use crate::token::{ClientId, Family, Issuer, Jti, Key, Selector, Sid, Subject};

pub use cutoff::{Cutoff, Target};

/// Longest reason that is kept, in bytes of UTF-8.
pub const REASON_BYTES_MAX: usize = 256;

/// Why somebody revoked something, in their words.
#[derive(Clone, PartialEq, Eq)]
pub struct Reason<'a>(Cow<'a, str>);

/// A reason longer than [`REASON_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`reason` has {bytes} bytes; the limit is {REASON_BYTES_MAX}")]
pub struct ReasonTooLong {
    /// Its length in bytes.
    pub bytes: usize,
}

impl<'a> Reason<'a> {
    /// Takes a reason over.
    ///
    /// # Errors
    /// [`ReasonTooLong`] beyond [`REASON_BYTES_MAX`] bytes.
    pub fn parse(text: impl Into<Cow<'a, str>>) -> Result<Self, ReasonTooLong> {
        let text = text.into();
        if text.len() > REASON_BYTES_MAX {
            return Err(ReasonTooLong { bytes: text.len() });
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text, owning its bytes.
    #[must_use]
    pub fn into_owned(self) -> Reason<'static> {
        Reason(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Debug for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reason({} bytes)", self.0.len())
    }
}

/// One token is revoked until its `exp` + leeway (RFC 7009).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation<'a> {
    /// Who issued the token.
    pub issuer: Issuer<'a>,
    /// Which token.
    pub jti: Jti<'a>,
    /// Whose token, where the caller said so.
    pub sub: Option<Subject<'a>>,
    /// The token's `exp`, rounded up to the whole second.
    pub exp: NumericDate,
    /// Why.
    pub reason: Option<Reason<'a>>,
}

impl Revocation<'_> {
    /// What the denylist knows the token by.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::of_token(&self.issuer, &self.jti)
    }

    /// The same revocation, owning its bytes.
    #[must_use]
    pub fn into_owned(self) -> Revocation<'static> {
        Revocation {
            issuer: self.issuer.into_owned(),
            jti: self.jti.into_owned(),
            sub: self.sub.map(Subject::into_owned),
            exp: self.exp,
            reason: self.reason.map(Reason::into_owned),
        }
    }
}

/// What a check knows of one token. What it does not bring is not judged (promise 17).
#[derive(Debug, Clone)]
pub struct TokenClaims<'a> {
    /// Who issued it.
    pub issuer: &'a Issuer<'static>,
    /// Its identifier.
    pub jti: Option<Jti<'a>>,
    /// Its session.
    pub sid: Option<Sid<'a>>,
    /// Its subject.
    pub sub: Option<Subject<'a>>,
    /// Its client.
    pub client_id: Option<ClientId<'a>>,
    /// Its family.
    pub family: Option<Family<'a>>,
    /// When it was issued, rounded down; without it every cutoff that it matches revokes it (promise 15).
    pub iat: Option<NumericDate>,
}

impl<'a> TokenClaims<'a> {
    /// A token of `issuer`, of which nothing more is known.
    #[must_use]
    pub const fn of(issuer: &'a Issuer<'static>) -> Self {
        Self { issuer, jti: None, sid: None, sub: None, client_id: None, family: None, iat: None }
    }

    /// A token of `issuer` that is known by its `jti` alone.
    #[must_use]
    pub const fn of_jti(issuer: &'a Issuer<'static>, jti: Jti<'a>) -> Self {
        Self { issuer, jti: Some(jti), sid: None, sub: None, client_id: None, family: None, iat: None }
    }

    /// What the denylist knows the token by, if the check names one.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        self.jti.as_ref().map(|jti| Key::of_token(self.issuer, jti))
    }

    /// The value by which cutoffs that name `selector` match; `None` where the check does not bring it.
    #[must_use]
    pub fn cutoff_value(&self, selector: Selector) -> Option<&str> {
        match selector {
            Selector::Sid => self.sid.as_ref().map(Sid::as_str),
            Selector::Sub => self.sub.as_ref().map(Subject::as_str),
            Selector::ClientId => self.client_id.as_ref().map(ClientId::as_str),
            Selector::Family => self.family.as_ref().map(Family::as_str),
            Selector::Iss => Some(""),
            Selector::Jti => None,
        }
    }
}

/// The denylist's answer (the words of RFC 6960).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Not revoked, and no more than that: not "valid".
    Good,
    /// Revoked.
    Revoked(Revoked),
}

/// Why a token is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// The selector whose entry matched.
    pub by: Selector,
    /// The entry's place in the history.
    pub seq: u64,
    /// When it was revoked.
    pub revoked_at: NumericDate,
    /// Until when the entry lives.
    pub ends_at: NumericDate,
    /// Why, where it was said.
    pub reason: Option<Reason<'static>>,
}

/// The third answer: we do not know. Never reads as good (promise 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The index could not be read.
    #[error("the index cannot be read")]
    Index,
    /// Reading took longer than `check.read_timeout_ms`.
    #[error("reading the index took too long")]
    Late,
    /// As many reads as allowed are under way.
    #[error("too many reads of the index are under way")]
    Busy,
    /// A thread died while it held a lock.
    #[error("a lock is poisoned")]
    Poisoned,
    /// Not caught up, or stopping.
    #[error("the server is not ready")]
    NotReady,
    /// A record of the audit cannot be read, or was altered.
    #[error("the audit cannot be read; the log says where, and `revokd verify` says more")]
    Audit,
}

/// The window of time in which an entry's retention ends: all entries of one bucket are purged together.
///
/// Named by its end, in seconds; a pure function of an entry's recorded time and end, so that replay finds the same
/// bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BucketId(pub NumericDate);

impl BucketId {
    /// The bucket of an entry recorded at `recorded_at` that lives until `ends_at`, both inclusive.
    ///
    /// The window's width is the largest power of two of minutes not above an eighth of the remaining lifetime, at
    /// least one minute, on a fixed grid: an entry is kept at most an eighth longer than it lives, and at least one
    /// second.
    #[must_use]
    pub const fn of(recorded_at: NumericDate, ends_at: NumericDate) -> Self {
        let eighth_min = ends_at.since(recorded_at) / (8 * 60);
        let width_s = if eighth_min < 2 { 60 } else { 60_i64 << eighth_min.ilog2() };
        let windows = ends_at.0.div_euclid(width_s).saturating_add(1);
        Self(NumericDate(windows.saturating_mul(width_s)))
    }

    /// The first instant at which every entry of the bucket has ended.
    #[must_use]
    pub const fn end(self) -> NumericDate {
        self.0
    }
}

/// Until when a revocation lives, inclusive: it lives while `floor(now) <= ceil(exp) + leeway_s`.
#[must_use]
pub const fn ends_at(exp: NumericDate, leeway_s: i64) -> NumericDate {
    exp.plus(leeway_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_ends_after_its_entries_and_at_most_an_eighth_later() {
        for lifetime in [0, 1, 59, 60, 900, 3_600, 86_400, 86_401, 2_678_400, 31_536_000, 315_360_000] {
            for recorded in [0, 1, 59, 1_800_000_000, 1_800_000_059] {
                let (recorded, ends) = (NumericDate(recorded), NumericDate(recorded + lifetime));
                let end = BucketId::of(recorded, ends).end();
                assert!(end > ends);
                assert!(end.since(ends) <= 60.max(lifetime / 8), "{lifetime} {recorded:?} {end:?}");
            }
        }
    }

    #[test]
    fn hostile_times_have_a_bucket_too() {
        for (recorded, ends) in [(0, i64::MAX), (i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (0, -1), (0, i64::MIN)] {
            let _ = BucketId::of(NumericDate(recorded), NumericDate(ends));
        }
    }

    #[test]
    fn as_many_buckets_live_as_the_storage_rules_say() {
        for (days, most) in [(1, 130), (30, 215), (365, 270)] {
            let now = NumericDate(1_800_000_000);
            let mut ends: Vec<_> = (0..days * 86_400).step_by(20).map(|s| BucketId::of(now, now.plus(s))).collect();
            ends.sort_unstable();
            ends.dedup();
            assert!(ends.len() <= most, "{days} days: {}", ends.len());
        }
    }
}
