//! The decisions about cutoffs: what a force-logout becomes, and how the ends of cutoffs are put off when an issuer proves
//! to make tokens that live longer.

use std::sync::Arc;

use super::super::bucket::Found;
use super::super::cutoffs::Standing;
use super::super::request::{CutoffSpan, LogOutOutcome, LogOutRequest, Refusal};
use super::super::writer::Ask;
use super::{Group, VERIFIED_LIFETIME_MAX_S, encoded};
use crate::clock::{Now, NumericDate};
use crate::event::{Change, CutoffRecord, Event, Origin};
use crate::issuers::IssuerLimits;
use crate::revocation::{Cutoff, Unavailable};
use crate::token::{Issuer, Key};

/// The cutoff that a force-logout would make now, and until when it would live, where tokens of its issuer live for
/// `lifetime_s`; or the outcome that none is made.
pub(in super::super) fn plan(
    request: LogOutRequest,
    now: Now,
    lifetime_s: i64,
    limits: &IssuerLimits,
) -> Result<(Cutoff<'static>, CutoffSpan), LogOutOutcome> {
    let LogOutRequest { issuer, target, issued_before, by_issuers_clock, reason } = request;
    let issued_before = issued_before.unwrap_or(now.latest);
    let ahead_s = issued_before.since(now.latest);
    if ahead_s > if by_issuers_clock { limits.clock_skew_s } else { 0 } {
        return Err(LogOutOutcome::Refused(Refusal::InFuture { ahead_s, limit: now.latest }));
    }
    let cutoff = Cutoff { issuer, target, issued_before, skew_s: limits.clock_skew_s, reason };
    let ends_at = cutoff.ends_at(lifetime_s, limits.leeway_s);
    if ends_at < now.earliest {
        let earliest = now.earliest.plus(issued_before.since(ends_at));
        return Err(LogOutOutcome::Expired { earliest });
    }
    let span = CutoffSpan { issued_before, good_from: cutoff.good_from(), ends_at };
    Ok((cutoff, span))
}

impl Group<'_> {
    /// Decides about one force-logout: one event, whatever the number of tokens.
    pub(in super::super) fn log_out(&mut self, ask: Ask<LogOutRequest, LogOutOutcome>) {
        let Ask { what, origin, admin, place, reply } = ask;
        self.requests += 1;
        let outcome = self.decide_log_out(what, &origin, admin);
        self.answers.logged_out(reply, outcome.map_err(Into::into), place);
    }

    fn decide_log_out(
        &mut self,
        request: LogOutRequest,
        origin: &Origin<'static>,
        admin: bool,
    ) -> Result<LogOutOutcome, Unavailable> {
        let Ok(limits) = self.state.issuers.limits_of(&request.issuer) else {
            return Err(Unavailable::NotReady);
        };
        let lifetime_s = self.lifetime_of(&request.issuer, limits);
        let (cutoff, span) = match plan(request, self.now, lifetime_s, limits) {
            Ok(planned) => planned,
            Err(outcome) => return Ok(outcome),
        };
        if let Some(same) = self.same(&cutoff, span.ends_at)? {
            let span = CutoffSpan { ends_at: same.ends_at, ..span };
            return Ok(LogOutOutcome::Stored { seq: same.seq, key: same.id, span });
        }
        let record = CutoffRecord { cutoff, first_seq: self.next_seq, revoked_at: self.now.recorded };
        let event = self.event(Change::Cutoff(record), span.ends_at, origin.clone());
        let raw = encoded(&event);
        if let Err(refusal) = self.admit(&event, &raw, admin) {
            return Ok(LogOutOutcome::Refused(refusal));
        }
        let key = self.stand(&event, &raw)?;
        let found = Found { seq: event.seq, ends_at: span.ends_at, revoked: Some((event.recorded_at, None)) };
        self.note(key, found, &event, None);
        let seq = self.push(event.seq, raw);
        Ok(LogOutOutcome::Stored { seq, key, span })
    }

    /// The live cutoff on the same target, of the same instants, that lives until `ends_at` at least: then there is nothing
    /// to write. Any other one is an entry of its own, since it may be taken back.
    fn same(&self, cutoff: &Cutoff<'_>, ends_at: NumericDate) -> Result<Option<Arc<Standing>>, Unavailable> {
        let is_same = |standing: &Standing| {
            let (issued_before, good_from) = (standing.issued_before, standing.good_from);
            (issued_before, good_from) == (cutoff.issued_before, cutoff.good_from())
                && standing.ends_at >= ends_at
                && standing.is_live(self.now.earliest)
        };
        let target = cutoff.target.key(&cutoff.issuer);
        let made = self.cutoffs.values().flatten().find(|standing| standing.target == target && is_same(standing));
        if made.is_some() {
            return Ok(made.cloned());
        }
        let register = self.state.cutoffs.register()?;
        let mut known =
            register.same(&target, cutoff.good_from()).filter(|known| !self.cutoffs.contains_key(&known.id));
        Ok(known.find(|standing| is_same(standing)).cloned())
    }

    /// Notes for the rest of the group the cutoff that the event makes; gives its key.
    fn stand(&mut self, event: &Event<'_>, raw: &Arc<[u8]>) -> Result<Key, Unavailable> {
        let standing = Standing::of(event, raw).ok_or(Unavailable::Index)?;
        let key = standing.id;
        self.cutoffs.insert(key, Some(Arc::new(standing)));
        Ok(key)
    }

    /// A verified token of `issuer` lives for `lifetime_s`: where that is longer than all before, its cutoffs are kept as
    /// long from now on (promise 5).
    pub(super) fn saw_lifetime(
        &mut self,
        issuer: &Issuer<'static>,
        lifetime_s: i64,
        limits: &IssuerLimits,
    ) -> Result<(), Unavailable> {
        if lifetime_s <= self.lifetime_of(issuer, limits) || lifetime_s > VERIFIED_LIFETIME_MAX_S {
            return Ok(());
        }
        let lifetime_max_s = limits.lifetime_max_s;
        tracing::warn!(lifetime_s, lifetime_max_s, "a verified token outlives its issuer's lifetime_max_s");
        self.raise(issuer.clone(), raised_to(lifetime_s, lifetime_max_s), limits)
    }

    /// Takes tokens of `issuer` to live for `lifetime_s` from now on. Its live cutoffs are put off first: once the raise is
    /// durable, so are they.
    fn raise(&mut self, issuer: Issuer<'static>, lifetime_s: i64, limits: &IssuerLimits) -> Result<(), Unavailable> {
        for standing in self.standing()? {
            let record = standing.record()?;
            let ends_at = record.cutoff.ends_at(lifetime_s, limits.leeway_s);
            if record.cutoff.issuer != issuer || ends_at <= standing.ends_at {
                continue;
            }
            let event = self.event(Change::Cutoff(record.clone()), ends_at, Origin::INTERNAL);
            let raw = encoded(&event);
            self.stand(&event, &raw)?;
            self.push(event.seq, raw);
        }
        self.raised.insert(issuer.clone(), lifetime_s);
        let event = self.event(Change::LifetimeRaised { issuer, lifetime_s }, NumericDate::NEVER, Origin::INTERNAL);
        self.push(event.seq, encoded(&event));
        Ok(())
    }

    /// Every live cutoff, as this group leaves them so far. What has ended stays so, whatever its issuer proves to make.
    fn standing(&self) -> Result<Vec<Arc<Standing>>, Unavailable> {
        let register = self.state.cutoffs.register()?;
        let known = register.all().filter(|standing| !self.cutoffs.contains_key(&standing.id));
        let standing = known.chain(self.cutoffs.values().flatten());
        Ok(standing.filter(|standing| standing.is_live(self.now.earliest)).cloned().collect())
    }
}

/// The lifetime that an issuer is raised to when a token lives for `lifetime_s`: its limit, doubled as often as it takes.
/// However an issuer's tokens vary, it is raised a few times at the most, and its cutoffs journaled anew as seldom.
fn raised_to(lifetime_s: i64, lifetime_max_s: i64) -> i64 {
    let mut raised_s = lifetime_max_s.max(1);
    while raised_s < lifetime_s {
        raised_s = raised_s.saturating_mul(2);
    }
    raised_s.min(VERIFIED_LIFETIME_MAX_S)
}
