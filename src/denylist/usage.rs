//! Who uses how much of the store (promise 11): entries and journal bytes, for each issuer and each API key.

use std::collections::HashMap;

use super::request::Refusal;
use crate::clock::NumericDate;
use crate::event::{Change, Event};
use crate::revocation::BucketId;

/// Largest shares; the same for every issuer and every API key.
#[derive(Debug, Clone, Copy)]
pub struct ShareLimits {
    /// Entries held.
    pub entries_max: u64,
    /// Journal bytes held by those entries.
    pub journal_bytes_max: u64,
    /// Cutoffs held, those taken back included; each takes memory.
    pub cutoffs_max: u64,
}

/// One tenth of each limit is kept for admins, and of what entries take also for cutoffs: a flood must not stop the answer
/// to it.
const RESERVED: u64 = 10;

/// Whose share it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Holder {
    Issuer(Box<str>),
    ApiKey(Box<str>),
}

#[derive(Debug, Clone, Copy, Default)]
struct Share {
    entries: u64,
    bytes: u64,
    cutoffs: u64,
}

impl Share {
    fn add(&mut self, event: &Event<'_>, bytes: usize) {
        self.entries += 1;
        self.bytes += bytes as u64;
        // An event that puts off the end of a cutoff makes no new one.
        self.cutoffs += u64::from(matches!(&event.change, Change::Cutoff(record) if record.first_seq == event.seq));
    }
}

/// What one group of writes has let in and not written yet: a large group must not pass a limit as one.
#[derive(Debug, Default)]
pub(super) struct Claims(HashMap<Holder, Share>);

/// The shares in use, by bucket, so that they end with it.
#[derive(Debug, Default)]
pub(super) struct Usage {
    totals: HashMap<Holder, Share>,
    by_bucket: HashMap<BucketId, HashMap<Holder, Share>>,
}

/// The holders of one event's share.
fn holders(event: &Event<'_>) -> impl Iterator<Item = Holder> {
    let issuer = match &event.change {
        Change::Revoked(revocation) => Some(&revocation.issuer),
        Change::Cutoff(record) => Some(&record.cutoff.issuer),
        Change::Restored { issuer, .. } | Change::CutoffRestored { issuer, .. } => Some(issuer),
        Change::KeyCreated(_)
        | Change::KeyRevoked { .. }
        | Change::LifetimeRaised { .. }
        | Change::ClockTrusted
        | Change::NamingSet { .. } => None,
    };
    let actor = (!event.origin.actor.is_empty()).then(|| Holder::ApiKey(event.origin.actor.as_ref().into()));
    issuer.map(|issuer| Holder::Issuer(issuer.as_str().into())).into_iter().chain(actor)
}

impl Usage {
    /// Counts an event of `bytes` bytes that went into `bucket`.
    pub(super) fn add(&mut self, bucket: BucketId, event: &Event<'_>, bytes: usize) {
        for holder in holders(event) {
            let of_bucket = self.by_bucket.entry(bucket).or_default().entry(holder.clone()).or_default();
            for share in [of_bucket, self.totals.entry(holder).or_default()] {
                share.add(event, bytes);
            }
        }
    }

    /// Gives back what `bucket` held.
    pub(super) fn forget(&mut self, bucket: BucketId) {
        for (holder, gone) in self.by_bucket.remove(&bucket).unwrap_or_default() {
            if let Some(total) = self.totals.get_mut(&holder) {
                total.entries = total.entries.saturating_sub(gone.entries);
                total.bytes = total.bytes.saturating_sub(gone.bytes);
                total.cutoffs = total.cutoffs.saturating_sub(gone.cutoffs);
                if total.entries == 0 {
                    self.totals.remove(&holder);
                }
            }
        }
    }

    /// Gives back what every bucket held that ended at or before `instant`.
    pub(super) fn forget_ended(&mut self, instant: NumericDate) {
        let ended: Vec<_> = self.by_bucket.keys().copied().filter(|bucket| bucket.end() <= instant).collect();
        for bucket in ended {
            self.forget(bucket);
        }
    }

    /// Lets the holders of an event of `bytes` bytes add it to what is held and to what `claims` has let in before, and
    /// claims it; or claims nothing and names the limit.
    pub(super) fn admit(
        &self,
        claims: &mut Claims,
        event: &Event<'_>,
        bytes: usize,
        limits: ShareLimits,
        admin: bool,
    ) -> Result<(), Refusal> {
        let usable = |limit: u64, all: bool| if all { limit } else { limit - limit / RESERVED };
        let is_cutoff = matches!(event.change, Change::Cutoff(_));
        for holder in holders(event) {
            let what = match holder {
                Holder::Issuer(_) => "the share of this issuer",
                Holder::ApiKey(_) => "the share of this API key",
            };
            let held = self.totals.get(&holder).copied().unwrap_or_default();
            let claimed = claims.0.get(&holder).copied().unwrap_or_default();
            let of_entries = |limit| usable(limit, admin || is_cutoff);
            // Of cutoffs too a flood is possible: logouts that a provider reports.
            let cutoffs_max = if is_cutoff { usable(limits.cutoffs_max, admin) } else { u64::MAX };
            for (used, limit, name) in [
                (held.entries + claimed.entries, of_entries(limits.entries_max), "limits.entries_max"),
                (held.bytes + claimed.bytes, of_entries(limits.journal_bytes_max), "limits.journal_bytes_max"),
                (held.cutoffs + claimed.cutoffs, cutoffs_max, "limits.cutoffs_max"),
            ] {
                if used >= limit {
                    return Err(Refusal::Full { what, name, limit });
                }
            }
        }
        for holder in holders(event) {
            claims.0.entry(holder).or_default().add(event, bytes);
        }
        Ok(())
    }

    /// The issuers that hold entries.
    pub(super) fn issuers(&self) -> impl Iterator<Item = (&str, u64)> {
        self.totals.iter().filter_map(|(holder, share)| match holder {
            Holder::Issuer(name) => Some((name.as_ref(), share.entries)),
            Holder::ApiKey(_) => None,
        })
    }
}
