//! One cutoff that stands, with what checks and decisions ask of it.

use std::sync::Arc;

use crate::clock::NumericDate;
use crate::event::{Change, CutoffRecord, Event, Seq};
use crate::revocation::{BucketId, Reason, Revoked, Unavailable};
use crate::token::{Key, Selector};

/// A cutoff that nobody has taken back. It may have ended: time is judged on read (promise 6).
#[derive(Debug)]
pub(in super::super) struct Standing {
    pub(in super::super) id: Key,
    /// What all cutoffs on the same target share.
    pub(in super::super) target: Key,
    pub(in super::super) selector: Selector,
    /// Place of its latest event.
    pub(in super::super) seq: Seq,
    pub(in super::super) issued_before: NumericDate,
    /// The first `iat` that is good.
    pub(in super::super) good_from: NumericDate,
    pub(in super::super) ends_at: NumericDate,
    /// End of the furthest bucket that holds an event of it.
    pub(super) kept_until: NumericDate,
    /// Its latest event.
    pub(in super::super) raw: Arc<[u8]>,
}

impl Standing {
    /// The cutoff that `event`, whose bytes are `raw`, makes or puts off the end of.
    pub(in super::super) fn of(event: &Event<'_>, raw: &Arc<[u8]>) -> Option<Self> {
        let Change::Cutoff(record) = &event.change else { return None };
        let cutoff = &record.cutoff;
        Some(Self {
            id: record.key(),
            target: cutoff.target.key(&cutoff.issuer),
            selector: cutoff.target.selector(),
            seq: event.seq,
            issued_before: cutoff.issued_before,
            good_from: cutoff.good_from(),
            ends_at: event.ends_at,
            kept_until: BucketId::of(event.recorded_at, event.ends_at).end(),
            raw: raw.clone(),
        })
    }

    /// Whether it still matters at `earliest`.
    pub(in super::super) fn is_live(&self, earliest: NumericDate) -> bool {
        earliest <= self.ends_at
    }

    /// Whether a matching token issued at `iat` is revoked by it: without `iat` in any case (promise 15).
    pub(in super::super) fn kills(&self, iat: Option<NumericDate>) -> bool {
        iat.is_none_or(|iat| iat < self.good_from)
    }

    /// The cutoff in full.
    ///
    /// # Errors
    /// [`Unavailable::Index`] for bytes that are no cutoff's, which were when they were taken in.
    pub(in super::super) fn record(&self) -> Result<CutoffRecord<'_>, Unavailable> {
        match Event::decode(&self.raw).map(|event| event.change) {
            Ok(Change::Cutoff(record)) => Ok(record),
            _ => Err(Unavailable::Index),
        }
    }

    /// What a check is answered that it kills the token of.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub(in super::super) fn revoked(&self) -> Result<Revoked, Unavailable> {
        let record = self.record()?;
        Ok(Revoked {
            by: self.selector,
            seq: self.seq,
            revoked_at: record.revoked_at,
            ends_at: self.ends_at,
            reason: record.cutoff.reason.map(Reason::into_owned),
        })
    }
}
