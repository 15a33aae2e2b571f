//! What the writer decides about one group before it writes: which requests become events, and what each is answered.
//!
//! Nothing here changes the state. Decisions of one group see each other; if the group cannot be written, all of it is
//! answered with the error.

use std::collections::HashMap;
use std::sync::Arc;

use super::bucket::Found;
use super::places::Place;
use super::request::{Outcome, Proof, Refusal, RevokeRequest, WriteError};
use super::state::State;
use super::usage::{Claims, Usage};
use super::writer::{Ask, Pending, Reply};
use crate::clock::{Now, NumericDate};
use crate::event::{Change, Event, Origin, Seq};
use crate::issuers::IssuerLimits;
use crate::revocation::{Unavailable, ends_at};
use crate::token::{Issuer, Key};

/// Longest lifetime of a verified token that can still be revoked: ten years, in seconds.
const VERIFIED_LIFETIME_MAX_S: i64 = 10 * 366 * 86_400;

/// A group being decided.
pub(super) struct Group<'a> {
    state: &'a State,
    usage: &'a Usage,
    now: Now,
    next_seq: Seq,
    events: Vec<Pending>,
    /// Latest event of each key that this group changes.
    changed: HashMap<Key, (Found, usize)>,
    raised: HashMap<Issuer<'static>, i64>,
    /// The shares of what this group stores.
    claims: Claims,
    answers: Answers,
    requests: usize,
}

/// Where one call's answer goes, and what it is if the group is written; until then the call keeps its place.
type Decided = (Reply<Vec<Outcome>>, Result<Vec<Outcome>, WriteError>, Place);

/// What is answered once the group is durable.
#[derive(Default)]
pub(super) struct Answers {
    revokes: Vec<Decided>,
    records: Vec<(Reply<Seq>, Seq)>,
}

impl Answers {
    /// Answers every caller: with what was decided, or with the error if the group was not written.
    pub(super) fn send(self, written: &Result<(), WriteError>) {
        for (reply, outcomes, _place) in self.revokes {
            let _ = reply.send(written.clone().and(outcomes));
        }
        for (reply, seq) in self.records {
            let _ = reply.send(written.clone().map(|()| seq));
        }
    }
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
            raised: HashMap::new(),
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
    pub(super) fn revoke(&mut self, ask: Ask) {
        self.requests += ask.requests.len();
        let outcomes = ask
            .requests
            .into_iter()
            .map(|request| self.decide(request, &ask.origin, ask.admin).map_err(WriteError::from))
            .collect();
        self.answers.revokes.push((ask.reply, outcomes, ask.place));
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
        self.answers.records.push((reply, seq));
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
        let ends = ends_at(revocation.exp, limits.leeway_s);
        if ends < self.now.earliest {
            return Ok(Outcome::Expired);
        }
        if let Some(refusal) = self.lifetime_refused(revocation.exp, request.proof, limits) {
            return Ok(Outcome::Refused(refusal));
        }
        let key = revocation.key();
        let (latest, changes) = self.latest(&key)?;
        let live = latest.filter(|found| found.is_live(self.now.earliest));
        if let Some(found) = &live
            && found.revoked.is_some()
            && found.ends_at >= ends
        {
            return Ok(Outcome::Stored { seq: found.seq, ends_at: found.ends_at });
        }
        // What has ended counts no more, or a few short lives would keep a token from being revoked. The last tenth is
        // for admins.
        let changes = if live.is_some() { changes } else { 0 };
        let limit = self.state.settings.changes_per_entry_max;
        let limit = if admin { limit } else { limit - limit / 10 };
        if changes >= limit as usize {
            return Ok(Outcome::Refused(Refusal::TooManyChanges { limit }));
        }
        // An entry keeps the furthest end ever recorded for its key, restored or not.
        let ends = live.map_or(ends, |found| found.ends_at.max(ends));
        let issuer = revocation.issuer.clone();
        let reason = revocation.reason.clone();
        let event = self.event(Change::Revoked(revocation), ends, origin.clone());
        let raw = encoded(&event);
        let shares = self.state.settings.shares;
        if let Err(refusal) = self.usage.admit(&mut self.claims, &event, raw.len(), shares, admin) {
            return Ok(Outcome::Refused(refusal));
        }
        let seq = self.push(event.seq, raw);
        let found = Found { seq, ends_at: ends, revoked: Some((event.recorded_at, reason)) };
        self.changed.insert(key, (found, changes + 1));
        self.note_lifetime(&event, issuer, request.proof, limits.lifetime_max_s);
        Ok(Outcome::Stored { seq, ends_at: ends })
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
    /// are kept (promise 5).
    fn note_lifetime(&mut self, event: &Event<'_>, issuer: Issuer<'static>, proof: Proof, lifetime_max_s: i64) {
        let (Proof::Verified { iat: Some(iat) }, Change::Revoked(revocation)) = (proof, &event.change) else {
            return;
        };
        let lifetime_s = revocation.exp.since(iat);
        if lifetime_s <= lifetime_max_s {
            return;
        }
        self.state.metrics.revocations.overlong.increment(1);
        let known_s = self.raised.get(&issuer).copied().unwrap_or_else(|| self.state.lifetime_of(&issuer));
        if lifetime_s <= known_s || lifetime_s > VERIFIED_LIFETIME_MAX_S {
            return;
        }
        tracing::warn!(lifetime_s, lifetime_max_s, "a verified token outlives its issuer's lifetime_max_s");
        self.raised.insert(issuer.clone(), lifetime_s);
        let change = Change::LifetimeRaised { issuer, lifetime_s };
        let event = self.event(change, NumericDate::NEVER, Origin::INTERNAL);
        self.push(event.seq, encoded(&event));
    }

    /// The latest event of `key`, and how often it was changed.
    fn latest(&self, key: &Key) -> Result<(Option<Found>, usize), Unavailable> {
        if let Some((found, changes)) = self.changed.get(key) {
            return Ok((Some(found.clone()), *changes));
        }
        let trust_filter = self.state.settings.filter_on;
        if trust_filter && !self.state.front.maybe(key).map_err(|_| Unavailable::Poisoned)? {
            return Ok((None, 0));
        }
        self.state.reading(|| match self.state.buckets.latest(key, trust_filter)? {
            None => Ok((None, 0)),
            Some(found) => Ok((Some(found), self.state.buckets.changes(key)?)),
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
