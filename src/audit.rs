//! The audit: who did what, when, why and from where, as the history itself says.
//!
//! A record is an event as it was journaled, and the hash that chains it to all before it (`journal`): nothing is written
//! twice, and what is durable is audited. This module reads records, and gathers the [`refusals`] that become some.

pub mod refusals;

use std::ops::ControlFlow;

use crate::event::{Change, DecodeError, Event, Seq};
use crate::journal::{Head, Trail, TrailError};
use crate::revocation::Target;
use crate::token::Subject;

/// Records that one page looks at, at the most: bounds the time of a page whose filter matches little.
const LOOKED_AT_MAX: usize = 20_000;

/// Records of an export are handed over in parts of about this many bytes.
const PART_BYTES: usize = 256 << 10;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The chain after it.
    pub hash: Head,
    raw: Box<[u8]>,
}

impl Record {
    /// What it says.
    ///
    /// # Errors
    /// Never for one that was read: it has been decoded before.
    pub fn event(&self) -> Result<Event<'_>, DecodeError> {
        Event::decode(&self.raw)
    }
}

/// Which records are wanted; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// About this subject: its tokens revoked, and cutoffs on it made and taken back.
    pub sub: Option<String>,
    /// Asked for by the caller of this id.
    pub actor: Option<String>,
    /// About this issuer.
    pub iss: Option<String>,
}

impl AuditFilter {
    fn lets_through(&self, event: &Event<'_>) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| wanted.as_deref().is_none_or(|it| value == Some(it));
        is(&self.actor, Some(&event.origin.actor)) && is(&self.sub, sub(event)) && is(&self.iss, iss(event))
    }
}

/// The subject that an event is about.
fn sub<'a>(event: &'a Event<'_>) -> Option<&'a str> {
    let of_target = |target: &'a Target<'_>| match target {
        Target::Sub(sub) => Some(sub.as_str()),
        _ => None,
    };
    match &event.change {
        Change::Revoked(revocation) => revocation.sub.as_ref().map(Subject::as_str),
        Change::Cutoff(record) => of_target(&record.cutoff.target),
        Change::CutoffRestored { target, .. } => of_target(target),
        _ => None,
    }
}

/// The issuer that an event is about.
fn iss<'a>(event: &'a Event<'_>) -> Option<&'a str> {
    let issuer = match &event.change {
        Change::Revoked(revocation) => &revocation.issuer,
        Change::Cutoff(record) => &record.cutoff.issuer,
        Change::NamingSet { issuer, .. }
        | Change::Restored { issuer, .. }
        | Change::CutoffRestored { issuer, .. }
        | Change::LifetimeRaised { issuer, .. } => issuer,
        _ => return None,
    };
    Some(issuer.as_str())
}

/// One page of the audit, newest first.
#[derive(Debug, Clone)]
pub struct AuditPage {
    /// The records.
    pub records: Vec<Record>,
    /// Where the next page goes on: records with a `seq` below this one.
    pub next: Option<Seq>,
    /// The first `seq` from which on every record is kept.
    pub from: Seq,
    /// Highest durable `seq`, and the chain after it.
    pub head: (Seq, Head),
}

/// A part of the audit, oldest first.
#[derive(Debug, Clone)]
pub struct AuditPart {
    /// The records.
    pub records: Vec<Record>,
    /// Where the next part goes on: records with a `seq` above this one. `None` at the end.
    pub next: Option<Seq>,
}

/// One page of records below `before`. Looks at a bounded number, so a page can be short and still have a next one.
///
/// # Errors
/// [`TrailError`] where a file cannot be read, or was altered.
pub fn page(trail: &Trail, filter: &AuditFilter, before: Seq, limit: usize) -> Result<AuditPage, TrailError> {
    let mut page = AuditPage { records: Vec::new(), next: None, from: trail.from(), head: trail.head() };
    let (mut below, mut looked_at) = (before, 0);
    while looked_at < LOOKED_AT_MAX {
        let (mut found, mut lowest) = (Vec::new(), None);
        let any = trail.stretch_below(below, &mut |raw, event, hash| {
            looked_at += 1;
            lowest.get_or_insert(event.seq);
            if filter.lets_through(event) {
                found.push((event.seq, Record { hash, raw: raw.into() }));
            }
            ControlFlow::Continue(())
        })?;
        let Some(lowest) = lowest.filter(|_| any) else { return Ok(page) };
        for (seq, record) in found.into_iter().rev() {
            page.records.push(record);
            if page.records.len() == limit {
                page.next = (seq > trail.from()).then_some(seq);
                return Ok(page);
            }
        }
        below = lowest;
    }
    page.next = Some(below);
    Ok(page)
}

/// The records above `after`, as many as make a part.
///
/// # Errors
/// [`TrailError`] where a file cannot be read, or was altered.
pub fn part(trail: &Trail, filter: &AuditFilter, after: Seq) -> Result<AuditPart, TrailError> {
    let mut part = AuditPart { records: Vec::new(), next: None };
    let (mut looked_at, mut bytes) = (0, 0);
    trail.above(after, &mut |raw, event, hash| {
        if looked_at == LOOKED_AT_MAX || bytes >= PART_BYTES {
            return ControlFlow::Break(());
        }
        looked_at += 1;
        part.next = Some(event.seq);
        if filter.lets_through(event) {
            bytes += raw.len();
            part.records.push(Record { hash, raw: raw.into() });
        }
        ControlFlow::Continue(())
    })?;
    if looked_at < LOOKED_AT_MAX && bytes < PART_BYTES {
        part.next = None;
    }
    Ok(part)
}
