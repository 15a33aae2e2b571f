//! The decision to take one entry back, and no other.

use std::sync::Arc;

use super::super::bucket::Found;
use super::super::request::{Refusal, RestoreOutcome, RestoreRequest};
use super::super::writer::Ask;
use super::{Group, encoded};
use crate::event::{Change, Event, Origin, Seq};
use crate::revocation::{Target, Unavailable};
use crate::token::Key;

impl Group<'_> {
    /// Decides about one restore.
    pub(in super::super) fn restore(&mut self, ask: Ask<RestoreRequest, RestoreOutcome>) {
        let Ask { what, origin, place, reply, .. } = ask;
        self.requests += 1;
        let outcome = self.decide_restore(what, &origin);
        self.answers.restored(reply, outcome.map_err(Into::into), place);
    }

    /// The restore is kept until the last second of the furthest bucket that holds an event of the key, so that no purge
    /// and no forgetting leaves the revocation without its restore.
    fn decide_restore(
        &mut self,
        request: RestoreRequest,
        origin: &Origin<'static>,
    ) -> Result<RestoreOutcome, Unavailable> {
        let RestoreRequest { key, seq, reason } = request;
        if let Some(Some(standing)) = self.cutoffs.get(&key)
            && standing.seq != seq
        {
            // Put off within this group.
            return Ok(RestoreOutcome::Moved { seq: standing.seq });
        }
        let Some(latest) = self.latest(&key)? else { return Ok(RestoreOutcome::NotFound) };
        if latest.found.revoked.is_none() || !latest.found.is_live(self.now.earliest) {
            return Ok(RestoreOutcome::NotFound);
        }
        if latest.found.seq != seq {
            return Ok(RestoreOutcome::Moved { seq: latest.found.seq });
        }
        // A restore is an admin's: all of the limit is for it.
        let limit = self.state.settings.changes_per_entry_max;
        if latest.changes >= limit as usize {
            return Ok(RestoreOutcome::Refused(Refusal::TooManyChanges { limit }));
        }
        let ends_at = latest.found.ends_at;
        let raw = self.raw(&key, seq)?;
        let taken = Event::decode(&raw).map_err(|_| Unavailable::Index)?;
        let (change, targets) = match taken.change {
            Change::Revoked(revocation) => {
                let (issuer, jti) = (revocation.issuer.into_owned(), revocation.jti.into_owned());
                let of_sub = revocation.sub.map(|sub| Target::Sub(sub).key(&issuer));
                let targets = of_sub.into_iter().chain([Target::All.key(&issuer)]).collect();
                (Change::Restored { issuer, jti, furthest_end: ends_at, reason }, targets)
            }
            Change::Cutoff(record) => {
                let (issuer, target) = (record.cutoff.issuer.into_owned(), record.cutoff.target.into_owned());
                let mut targets = vec![target.key(&issuer), Target::All.key(&issuer)];
                targets.dedup();
                (Change::CutoffRestored { issuer, target, first_seq: record.first_seq, reason }, targets)
            }
            _ => return Err(Unavailable::Index),
        };
        let event = self.event(change, latest.furthest.end().plus(-1), origin.clone());
        let raw = encoded(&event);
        if let Err(refusal) = self.admit(&event, &raw, true) {
            return Ok(RestoreOutcome::Refused(refusal));
        }
        self.note(key, Found { seq: event.seq, ends_at, revoked: None }, &event, Some(latest));
        if matches!(event.change, Change::CutoffRestored { .. }) {
            self.cutoffs.insert(key, None);
        }
        let seq = self.push(event.seq, raw);
        Ok(RestoreOutcome::Restored { seq, targets })
    }

    /// The bytes of the event `seq`, which is the latest of `key`.
    pub(super) fn raw(&self, key: &Key, seq: Seq) -> Result<Arc<[u8]>, Unavailable> {
        if let Some(pending) = self.events.iter().find(|pending| pending.seq == seq) {
            return Ok(pending.raw.clone());
        }
        self.state.reading(|| {
            let raw = self.state.buckets.raw_latest(key, self.state.settings.filter_on)?.ok_or(Unavailable::Index)?;
            Ok(Arc::from(&*raw))
        })
    }
}
