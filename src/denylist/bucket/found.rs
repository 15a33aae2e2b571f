//! What a lookup finds: the bytes of an event, and what it says about its key.

use std::sync::Arc;

use crate::clock::NumericDate;
use crate::event::{Change, Event, Seq};
use crate::index::RawEvent;
use crate::revocation::{Reason, Revoked, Unavailable, Verdict};
use crate::token::Selector;

/// The bytes of an event, from wherever they were found.
pub(in super::super) enum Raw {
    Overlaid(Arc<[u8]>),
    Indexed(RawEvent),
}

impl std::ops::Deref for Raw {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Overlaid(raw) => raw,
            Self::Indexed(raw) => raw.as_ref(),
        }
    }
}

/// The latest event of one key.
#[derive(Debug, Clone)]
pub(in super::super) struct Found {
    pub(in super::super) seq: Seq,
    /// Until when the entry lives; once it is restored, until when it would.
    pub(in super::super) ends_at: NumericDate,
    /// `None` for a restore.
    pub(in super::super) revoked: Option<(NumericDate, Option<Reason<'static>>)>,
}

impl Found {
    pub(super) fn decode(raw: &[u8]) -> Result<Self, Unavailable> {
        let event = Event::decode(raw).map_err(|_| Unavailable::Index)?;
        let mut ends_at = event.ends_at;
        let revoked = match event.change {
            Change::Revoked(revocation) => Some((event.recorded_at, revocation.reason.map(Reason::into_owned))),
            Change::Restored { furthest_end, .. } => {
                ends_at = furthest_end;
                None
            }
            Change::Cutoff(record) => Some((record.revoked_at, record.cutoff.reason.map(Reason::into_owned))),
            Change::CutoffRestored { .. } => None,
            Change::KeyCreated(_)
            | Change::KeyRevoked { .. }
            | Change::LifetimeRaised { .. }
            | Change::ClockTrusted
            | Change::NamingSet { .. } => return Err(Unavailable::Index),
        };
        Ok(Self { seq: event.seq, ends_at, revoked })
    }

    /// Whether the event still matters at `earliest` (promise 6: judged on read).
    pub(in super::super) fn is_live(&self, earliest: NumericDate) -> bool {
        earliest <= self.ends_at
    }

    /// The verdict that this event, being the latest of a token's key, gives.
    pub(in super::super) fn verdict(self, earliest: NumericDate) -> Verdict {
        match (self.is_live(earliest), self.revoked) {
            (true, Some((revoked_at, reason))) => Verdict::Revoked(Revoked {
                by: Selector::Jti,
                seq: self.seq,
                revoked_at,
                ends_at: self.ends_at,
                reason,
            }),
            _ => Verdict::Good,
        }
    }
}
