//! A record as it is said on the wire: all that is known, but never a key's hash.

use super::super::error::ApiError;
use crate::audit::Record;
use crate::event::{ApiKeyRecord, Change, Event};
use crate::keys::{Scope, Scopes};
use crate::revocation::{Reason, Target, Unavailable};
use crate::token::{Issuer, Selector};
use crate::wire::AuditRecord;

/// The record as it is said on the wire.
///
/// # Errors
/// [`Unavailable::Audit`] for what does not decode, which was read and so did once.
pub(super) fn to_wire(record: &Record) -> Result<AuditRecord, ApiError> {
    let event = record.event().map_err(|_| Unavailable::Audit)?;
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let said = AuditRecord {
        seq: event.seq,
        at: event.recorded_at.0,
        actor: some(&event.origin.actor),
        source: event.origin.source.as_str().to_owned(),
        from: some(&event.origin.from),
        request_id: some(&event.origin.request_id),
        hash: record.hash.to_string(),
        ..AuditRecord::default()
    };
    Ok(with_change(said, &event))
}

fn with_change(said: AuditRecord, event: &Event<'_>) -> AuditRecord {
    let said = AuditRecord { what: what(&event.change).to_owned(), ..said };
    match &event.change {
        Change::Revoked(revocation) => AuditRecord {
            iss: iss(&revocation.issuer),
            kind: Some(Selector::Jti.as_str().to_owned()),
            value: Some(revocation.jti.as_str().to_owned()),
            sub: revocation.sub.as_ref().map(|sub| sub.as_str().to_owned()),
            reason: reason(revocation.reason.as_ref()),
            expires_at: Some(event.ends_at.0),
            ..said
        },
        Change::Restored { issuer, jti, reason: why, .. } => AuditRecord {
            iss: iss(issuer),
            kind: Some(Selector::Jti.as_str().to_owned()),
            value: Some(jti.as_str().to_owned()),
            reason: reason(why.as_ref()),
            ..said
        },
        Change::Cutoff(record) => {
            let cutoff = &record.cutoff;
            AuditRecord {
                reason: reason(cutoff.reason.as_ref()),
                issued_before: Some(cutoff.issued_before.0),
                expires_at: Some(event.ends_at.0),
                ..with_target(said, &cutoff.issuer, &cutoff.target)
            }
        }
        Change::CutoffRestored { issuer, target, reason: why, .. } => {
            AuditRecord { reason: reason(why.as_ref()), ..with_target(said, issuer, target) }
        }
        Change::KeyCreated(record) => with_key(said, record),
        Change::KeyRevoked { id, reason: why } => AuditRecord {
            kind: Some("key".to_owned()),
            value: Some(id.to_string()),
            reason: reason(why.as_ref()),
            ..said
        },
        Change::LifetimeRaised { issuer, lifetime_s } => {
            AuditRecord { iss: iss(issuer), lifetime_s: Some(*lifetime_s), ..said }
        }
        Change::NamingSet { issuer, naming } => AuditRecord {
            iss: iss(issuer),
            kind: Some("claim".to_owned()),
            value: Some(naming.jti.to_string()),
            ..said
        },
        Change::ClockTrusted => said,
        Change::Refused { route, status, count } => AuditRecord {
            route: Some(route.to_string()).filter(|route| !route.is_empty()),
            status: Some(*status).filter(|status| *status != 0),
            count: Some(u64::from(*count)),
            ..said
        },
        Change::Strangers { minute, count } => AuditRecord { at: minute.0, count: Some(u64::from(*count)), ..said },
        Change::LossAccepted { history, saved, .. } => AuditRecord {
            kind: Some("history".to_owned()),
            value: Some(crate::journal::HistoryId(*history).to_string()),
            count: Some(*saved),
            ..said
        },
    }
}

/// A key: what it is for, what it may do, to what it is bound, and until when.
fn with_key(said: AuditRecord, key: &ApiKeyRecord<'_>) -> AuditRecord {
    AuditRecord {
        kind: Some("key".to_owned()),
        value: Some(key.id.to_string()),
        reason: Some(format!("{} ({})", key.label, scopes(key.scopes))),
        expires_at: key.expires_at.map(|at| at.0),
        issuers: key.issuers.iter().map(|issuer| issuer.as_str().to_owned()).collect(),
        client_ids: key.client_ids.iter().map(|client_id| client_id.as_str().to_owned()).collect(),
        ..said
    }
}

fn what(change: &Change<'_>) -> &'static str {
    match change {
        Change::Revoked(_) => "revoked",
        Change::Restored { .. } | Change::CutoffRestored { .. } => "restored",
        Change::KeyCreated(_) => "key_created",
        Change::KeyRevoked { .. } => "key_revoked",
        Change::LifetimeRaised { .. } => "lifetime_raised",
        Change::ClockTrusted => "clock_trusted",
        Change::NamingSet { .. } => "naming_set",
        Change::Cutoff(_) => "cutoff",
        Change::Refused { .. } => "refused",
        Change::Strangers { .. } => "strangers",
        Change::LossAccepted { .. } => "loss_accepted",
    }
}

/// A cutoff's target; on all tokens of an issuer it is the issuer that is named.
fn with_target(said: AuditRecord, issuer: &Issuer<'_>, target: &Target<'_>) -> AuditRecord {
    let value = if let Target::All = target { issuer.as_str() } else { target.value() };
    let sub = if let Target::Sub(sub) = target { Some(sub.as_str().to_owned()) } else { None };
    AuditRecord {
        iss: iss(issuer),
        kind: Some(target.selector().as_str().to_owned()),
        value: Some(value.to_owned()),
        sub,
        ..said
    }
}

fn iss(issuer: &Issuer<'_>) -> Option<String> {
    (*issuer != Issuer::NAMELESS).then(|| issuer.as_str().to_owned())
}

fn reason(reason: Option<&Reason<'_>>) -> Option<String> {
    reason.map(|reason| reason.as_str().to_owned())
}

/// The names of a key's scopes.
fn scopes(bits: u8) -> String {
    Scopes::from_bits(bits).iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")
}
