//! What the writer decides about one group before it writes: which requests become events, and what each is answered.
//!
//! Nothing here changes the state. Decisions of one group see each other; if the group cannot be written, all of it is
//! answered with the error.

mod answers;
mod keys;
mod logout;
mod restore;

use std::collections::HashMap;
use std::sync::Arc;

pub(super) use self::answers::Answers;
pub(super) use self::logout::plan;
use super::bucket::Found;
use super::cutoffs::Standing;
use super::request::{Outcome, Proof, Refusal, RevokeRequest, WriteError};
use super::state::State;
use super::usage::{Claims, Usage};
use super::writer::{Ask, Pending, Reply};
use crate::clock::{Now, NumericDate};
use crate::event::{Change, Event, Origin, Seq};
use crate::issuers::IssuerLimits;
use crate::revocation::{BucketId, Reason, Revocation, Unavailable, ends_at};
use crate::token::{Issuer, Key, Subject};

/// Longest lifetime of a verified token that can still be revoked: ten years, in seconds.
pub const VERIFIED_LIFETIME_MAX_S: i64 = 10 * 366 * 86_400;

/// A group being decided.
pub(super) struct Group<'a> {
    state: &'a State,
    usage: &'a Usage,
    now: Now,
    next_seq: Seq,
    events: Vec<Pending>,
    /// Latest event of each key that this group changes.
    changed: HashMap<Key, Latest>,
    /// Cutoffs that this group makes or puts off the end of, by their keys; `None` for those that it takes back.
    cutoffs: HashMap<Key, Option<Arc<Standing>>>,
    raised: HashMap<Issuer<'static>, i64>,
    /// API keys as this group leaves them, once it changes one: whether each could make all others.
    keys: Option<HashMap<Arc<str>, bool>>,
    /// The shares of what this group stores.
    claims: Claims,
    answers: Answers,
    requests: usize,
}

/// The latest event of one key, and what else the next one depends on.
#[derive(Clone)]
struct Latest {
    found: Found,
    changes: usize,
    /// The furthest bucket that holds an event of the key.
    furthest: BucketId,
}

impl<'a> Group<'a> {
    pub(super) fn new(state: &'a State, usage: &'a Usage, last_seq: Seq) -> Self {
        Self {
            state,
            usage,
            now: state.clock.now(),
            next_seq: last_seq + 1,
            events: Vec::new(),
            changed: HashMap::new(),
            cutoffs: HashMap::new(),
            raised: HashMap::new(),
            keys: None,
            claims: Claims::default(),
            answers: Answers::default(),
            requests: 0,
        }
    }

    /// How many requests it holds.
    pub(super) fn len(&self) -> usize {
        self.requests
    }

    pub(super) fn finish(self) -> (Vec<Pending>, Answers) {
        (self.events, self.answers)
    }

    /// Decides about one call. A doubt about one of its requests is unavailable for the call; what was decided before
    /// the doubt stays in the group, since doing it is harmless and not doing it would tear other calls apart.
    pub(super) fn revoke(&mut self, ask: Ask<Vec<RevokeRequest>, Vec<Outcome>>) {
        let Ask { what: requests, origin, admin, place, reply } = ask;
        self.requests += requests.len();
        let outcomes = requests
            .into_iter()
            .map(|request| self.decide(request, &origin, admin).map_err(WriteError::from))
            .collect();
        self.answers.revoked(reply, outcomes, place);
    }

    /// Takes a change in that is no entry.
    pub(super) fn record(
        &mut self,
        change: Change<'static>,
        ends_at: NumericDate,
        origin: Origin<'static>,
        reply: Reply<Seq>,
    ) {
        self.requests += 1;
        let event = self.event(change, ends_at, origin);
        let seq = self.push(event.seq, encoded(&event));
        self.answers.recorded(reply, seq);
    }

    /// Whether anything is to be written.
    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Takes a record in that changes nothing and matters to the audit alone.
    pub(super) fn note_refused(&mut self, change: Change<'static>, origin: Origin<'static>) {
        let event = self.event(change, self.now.recorded, origin);
        self.push(event.seq, encoded(&event));
    }

    /// A check has seen a token of this lifetime. Nobody waits for what becomes of it.
    pub(super) fn saw(&mut self, issuer: &Issuer<'static>, lifetime_s: i64) {
        self.requests += 1;
        let Ok(limits) = self.state.issuers.limits_of(issuer) else { return };
        if let Err(error) = self.saw_lifetime(issuer, lifetime_s, limits) {
            tracing::error!(%error, "how long tokens live could not be noted; the next check of one tries again");
        }
    }

    fn decide(
        &mut self,
        request: RevokeRequest,
        origin: &Origin<'static>,
        admin: bool,
    ) -> Result<Outcome, Unavailable> {
        let revocation = request.revocation;
        let Ok(limits) = self.state.issuers.limits_of(&revocation.issuer) else {
            return Err(Unavailable::NotReady);
        };
        self.note_lifetime(&revocation, request.proof, limits)?;
        let ends = ends_at(revocation.exp, limits.leeway_s);
        if ends < self.now.earliest {
            return Ok(Outcome::Expired);
        }
        if let Some(refusal) = self.lifetime_refused(revocation.exp, request.proof, limits) {
            return Ok(Outcome::Refused(refusal));
        }
        let key = revocation.key();
        let latest = self.latest(&key)?;
        let live = latest.as_ref().filter(|latest| latest.found.is_live(self.now.earliest));
        if let Some(Latest { found, .. }) = live
            && found.revoked.is_some()
            && found.ends_at >= ends
        {
            return Ok(Outcome::Stored { seq: found.seq, ends_at: found.ends_at });
        }
        // What has ended counts no more, or a few short lives would keep a token from being revoked. The last tenth is
        // for admins.
        let changes = live.map_or(0, |latest| latest.changes);
        let limit = self.state.settings.changes_per_entry_max;
        let limit = if admin { limit } else { limit - limit / 10 };
        if changes >= limit as usize {
            return Ok(Outcome::Refused(Refusal::TooManyChanges { limit }));
        }
        // An entry keeps the furthest end ever recorded for its key, restored or not.
        let ends = live.map_or(ends, |latest| latest.found.ends_at.max(ends));
        let extended = live.map(|latest| &latest.found).filter(|found| found.revoked.is_some());
        let revocation = match extended {
            Some(found) => self.extending(revocation, &key, found.seq)?,
            None => revocation,
        };
        let reason = revocation.reason.clone();
        let event = self.event(Change::Revoked(revocation), ends, origin.clone());
        let raw = encoded(&event);
        if let Err(refusal) = self.admit(&event, &raw, admin) {
            return Ok(Outcome::Refused(refusal));
        }
        let seq = self.push(event.seq, raw);
        let found = Found { seq, ends_at: ends, revoked: Some((event.recorded_at, reason)) };
        self.note(key, found, &event, latest.map(|latest| Latest { changes, ..latest }));
        Ok(Outcome::Stored { seq, ends_at: ends })
    }

    /// `revocation` as what extends the entry whose latest event is `seq`: what it leaves out stays as it was said, so that an
    /// entry is still listed under its subject.
    fn extending(
        &self,
        revocation: Revocation<'static>,
        key: &Key,
        seq: Seq,
    ) -> Result<Revocation<'static>, Unavailable> {
        if revocation.sub.is_some() && revocation.reason.is_some() {
            return Ok(revocation);
        }
        let raw = self.raw(key, seq)?;
        let Ok(Change::Revoked(before)) = Event::decode(&raw).map(|event| event.change) else {
            return Err(Unavailable::Index);
        };
        Ok(Revocation {
            sub: revocation.sub.or_else(|| before.sub.map(Subject::into_owned)),
            reason: revocation.reason.or_else(|| before.reason.map(Reason::into_owned)),
            ..revocation
        })
    }

    /// Lets the holders of `event` add it, or names the limit.
    fn admit(&mut self, event: &Event<'_>, raw: &[u8], admin: bool) -> Result<(), Refusal> {
        self.usage.admit(&mut self.claims, event, raw.len(), self.state.settings.shares, admin)
    }

    /// Notes for the rest of the group that `event`, of which `found` is what a lookup would find, is the latest of `key`.
    fn note(&mut self, key: Key, found: Found, event: &Event<'_>, before: Option<Latest>) {
        let bucket = BucketId::of(event.recorded_at, event.ends_at);
        let (changes, furthest) = before.map_or((0, bucket), |before| (before.changes, before.furthest.max(bucket)));
        self.changed.insert(key, Latest { found, changes: changes + 1, furthest });
    }

    /// What a caller merely asserts is limited; what a signature proves may live longer, or it could not be revoked in
    /// an incident. Judged by `latest`: a clock in doubt must not refuse honest tokens.
    fn lifetime_refused(&self, exp: NumericDate, proof: Proof, issuer: &IssuerLimits) -> Option<Refusal> {
        let (name, limit_s) = match proof {
            Proof::Asserted => (issuer.lifetime_max_name, issuer.lifetime_max_s),
            Proof::Verified { .. } => ("for verified tokens, which no config key changes,", VERIFIED_LIFETIME_MAX_S),
        };
        let lifetime_s = exp.since(self.now.latest);
        (lifetime_s > limit_s).then_some(Refusal::LifetimeTooLong { lifetime_s, name, limit_s })
    }

    /// A verified token that lives longer than its issuer's limit is counted, and raises how long that issuer's cutoffs
    /// are kept, whatever becomes of its revocation.
    fn note_lifetime(
        &mut self,
        revocation: &Revocation<'static>,
        proof: Proof,
        limits: &IssuerLimits,
    ) -> Result<(), Unavailable> {
        let Proof::Verified { iat: Some(iat) } = proof else { return Ok(()) };
        let lifetime_s = revocation.exp.since(iat);
        if lifetime_s <= limits.lifetime_max_s {
            return Ok(());
        }
        self.state.metrics.revocations.overlong.increment(1);
        self.saw_lifetime(&revocation.issuer, lifetime_s, limits)
    }

    /// How long tokens of `issuer` live at the most, as far as is known.
    fn lifetime_of(&self, issuer: &Issuer<'static>, limits: &IssuerLimits) -> i64 {
        let raised_s = self.raised.get(issuer).copied().unwrap_or_else(|| self.state.lifetime_of(issuer));
        raised_s.max(limits.lifetime_max_s)
    }

    /// The latest event of `key`, if there is one.
    fn latest(&self, key: &Key) -> Result<Option<Latest>, Unavailable> {
        if let Some(latest) = self.changed.get(key) {
            return Ok(Some(latest.clone()));
        }
        let trust_filter = self.state.settings.filter_on;
        if trust_filter && !self.state.front.maybe(key).map_err(|_| Unavailable::Poisoned)? {
            return Ok(None);
        }
        self.state.reading(|| {
            let Some(found) = self.state.buckets.latest(key, trust_filter)? else { return Ok(None) };
            let (changes, furthest) = self.state.buckets.changes(key)?;
            // What was found lies in a bucket.
            let furthest = furthest.ok_or(Unavailable::Index)?;
            Ok(Some(Latest { found, changes, furthest }))
        })
    }

    fn event<'e>(&self, change: Change<'e>, ends_at: NumericDate, origin: Origin<'e>) -> Event<'e> {
        Event { seq: self.next_seq, recorded_at: self.now.recorded, ends_at, origin, change }
    }

    fn push(&mut self, seq: Seq, raw: Arc<[u8]>) -> Seq {
        self.events.push(Pending { seq, raw });
        self.next_seq += 1;
        seq
    }
}

fn encoded(event: &Event<'_>) -> Arc<[u8]> {
    let mut raw = Vec::with_capacity(192);
    event.encode(&mut raw);
    Arc::from(raw)
}
