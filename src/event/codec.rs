//! The bytes of an event, version 2: fixed fields little-endian, then length-prefixed strings in a fixed order.

mod api_key;
mod audited;
mod naming;

use std::borrow::Cow;

use super::{Change, CutoffRecord, Event, Origin, Source};
use crate::clock::NumericDate;
use crate::revocation::{Cutoff, Reason, Revocation, Target};
use crate::token::{ClientId, Family, Issuer, Jti, Selector, Sid, Subject};

/// The version that this build writes, and the only one it reads.
const VERSION: u8 = 2;

/// Stands for a string that is absent.
const ABSENT: u16 = u16::MAX;

/// Why bytes are no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by another version of revokd.
    #[error("event format version {0} is unknown; this build reads version {VERSION}")]
    Version(u8),
    /// A kind of change that this build does not know.
    #[error("event kind {0} is unknown")]
    Kind(u8),
    /// A source that this build does not know.
    #[error("event source {0} is unknown")]
    Source(u8),
    /// The bytes end before the event does.
    #[error("the event ends too early")]
    Short,
    /// Bytes are left over after the event.
    #[error("{0} bytes follow the event")]
    Long(usize),
    /// A value that no writer would have let in.
    #[error("the event's {0} is beyond its limits")]
    Value(&'static str),
}

mod kind {
    pub(super) const REVOKED: u8 = 1;
    pub(super) const RESTORED: u8 = 2;
    /// The layout before keys had bounds and ends: read, never written.
    pub(super) const KEY_CREATED_UNBOUND: u8 = 3;
    /// The layout before reasons: read, never written.
    pub(super) const KEY_REVOKED_WITHOUT_REASON: u8 = 4;
    pub(super) const LIFETIME_RAISED: u8 = 5;
    pub(super) const CLOCK_TRUSTED: u8 = 6;
    pub(super) const CUTOFF: u8 = 7;
    pub(super) const CUTOFF_RESTORED: u8 = 8;
    pub(super) const KEY_CREATED: u8 = 9;
    pub(super) const REFUSED: u8 = 10;
    pub(super) const STRANGERS: u8 = 11;
    /// The layout before families: read, never written.
    pub(super) const NAMING_SET_WITHOUT_FAMILY: u8 = 12;
    pub(super) const LOSS_ACCEPTED: u8 = 13;
    pub(super) const NAMING_SET: u8 = 14;
    pub(super) const KEY_REVOKED: u8 = 15;
}

pub(super) fn encode(event: &Event<'_>, out: &mut Vec<u8>) {
    out.push(VERSION);
    out.push(match event.change {
        Change::Revoked(_) => kind::REVOKED,
        Change::Restored { .. } => kind::RESTORED,
        Change::KeyCreated(_) => kind::KEY_CREATED,
        Change::KeyRevoked { .. } => kind::KEY_REVOKED,
        Change::LifetimeRaised { .. } => kind::LIFETIME_RAISED,
        Change::ClockTrusted => kind::CLOCK_TRUSTED,
        Change::Cutoff(_) => kind::CUTOFF,
        Change::CutoffRestored { .. } => kind::CUTOFF_RESTORED,
        Change::NamingSet { .. } => kind::NAMING_SET,
        Change::Refused { .. } => kind::REFUSED,
        Change::Strangers { .. } => kind::STRANGERS,
        Change::LossAccepted { .. } => kind::LOSS_ACCEPTED,
    });
    out.push(event.origin.source as u8);
    out.extend_from_slice(&event.seq.to_le_bytes());
    out.extend_from_slice(&event.recorded_at.0.to_le_bytes());
    out.extend_from_slice(&event.ends_at.0.to_le_bytes());
    put_str(out, Some(&event.origin.actor));
    put_str(out, Some(&event.origin.from));
    put_str(out, Some(&event.origin.request_id));
    match &event.change {
        Change::Revoked(revocation) => {
            out.extend_from_slice(&revocation.exp.0.to_le_bytes());
            put_str(out, Some(revocation.issuer.as_str()));
            put_str(out, Some(revocation.jti.as_str()));
            put_str(out, revocation.sub.as_ref().map(Subject::as_str));
            put_str(out, revocation.reason.as_ref().map(Reason::as_str));
        }
        Change::Restored { issuer, jti, furthest_end, reason } => {
            out.extend_from_slice(&furthest_end.0.to_le_bytes());
            put_str(out, Some(issuer.as_str()));
            put_str(out, Some(jti.as_str()));
            put_str(out, reason.as_ref().map(Reason::as_str));
        }
        Change::KeyCreated(record) => api_key::put(out, record),
        Change::KeyRevoked { id, reason } => {
            put_str(out, Some(id));
            put_str(out, reason.as_ref().map(Reason::as_str));
        }
        Change::LifetimeRaised { issuer, lifetime_s } => {
            out.extend_from_slice(&lifetime_s.to_le_bytes());
            put_str(out, Some(issuer.as_str()));
        }
        Change::ClockTrusted => {}
        Change::Cutoff(CutoffRecord { cutoff, first_seq, revoked_at }) => {
            out.extend_from_slice(&cutoff.issued_before.0.to_le_bytes());
            out.extend_from_slice(&cutoff.skew_s.to_le_bytes());
            out.extend_from_slice(&revoked_at.0.to_le_bytes());
            put_target(out, *first_seq, &cutoff.issuer, &cutoff.target);
            put_str(out, cutoff.reason.as_ref().map(Reason::as_str));
        }
        Change::CutoffRestored { issuer, target, first_seq, reason } => {
            put_target(out, *first_seq, issuer, target);
            put_str(out, reason.as_ref().map(Reason::as_str));
        }
        Change::NamingSet { issuer, naming } => naming::put(out, issuer, naming),
        audited => audited::put(out, audited),
    }
}

fn put_target(out: &mut Vec<u8>, first_seq: u64, issuer: &Issuer<'_>, target: &Target<'_>) {
    out.extend_from_slice(&first_seq.to_le_bytes());
    out.push(target.selector() as u8);
    put_str(out, Some(issuer.as_str()));
    put_str(out, (target.selector() != Selector::Iss).then(|| target.value()));
}

/// Strings in events are far below 65,535 bytes: claims, reasons and ids have limits of their own.
fn put_str(out: &mut Vec<u8>, text: Option<&str>) {
    let Some(text) = text else {
        out.extend_from_slice(&ABSENT.to_le_bytes());
        return;
    };
    let len = u16::try_from(text.len()).ok().filter(|len| *len != ABSENT);
    debug_assert!(len.is_some(), "a string of {} bytes got into an event", text.len());
    out.extend_from_slice(&len.unwrap_or(0).to_le_bytes());
    if len.is_some() {
        out.extend_from_slice(text.as_bytes());
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<Event<'_>, DecodeError> {
    let mut reader = Reader(bytes);
    let version = reader.byte()?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let kind = reader.byte()?;
    let source = match reader.byte()? {
        0 => Source::Internal,
        1 => Source::Api,
        2 => Source::Cli,
        3 => Source::Backchannel,
        other => return Err(DecodeError::Source(other)),
    };
    let seq = u64::from_le_bytes(reader.array()?);
    let recorded_at = reader.date()?;
    let ends_at = reader.date()?;
    let (actor, from) = (reader.text("actor")?, reader.text("address")?);
    let origin = Origin { actor, source, from, request_id: reader.text("request id")? };
    let change = match kind {
        kind::REVOKED => Change::Revoked(Revocation {
            exp: reader.date()?,
            issuer: reader.issuer()?,
            jti: reader.jti()?,
            sub: match reader.optional("sub")? {
                Some(text) => Some(Subject::parse(text).map_err(|_| DecodeError::Value("sub"))?),
                None => None,
            },
            reason: reader.reason()?,
        }),
        kind::RESTORED => Change::Restored {
            furthest_end: reader.date()?,
            issuer: reader.issuer()?,
            jti: reader.jti()?,
            reason: reader.reason()?,
        },
        kind::KEY_CREATED_UNBOUND => Change::KeyCreated(reader.key_unbound()?),
        kind::KEY_CREATED => Change::KeyCreated(reader.key()?),
        kind::KEY_REVOKED_WITHOUT_REASON => Change::KeyRevoked { id: reader.text("key id")?, reason: None },
        kind::KEY_REVOKED => Change::KeyRevoked { id: reader.text("key id")?, reason: reader.reason()? },
        kind::LIFETIME_RAISED => {
            Change::LifetimeRaised { lifetime_s: i64::from_le_bytes(reader.array()?), issuer: reader.issuer()? }
        }
        kind::CLOCK_TRUSTED => Change::ClockTrusted,
        kind::CUTOFF => {
            let (issued_before, skew_s) = (reader.date()?, i64::from_le_bytes(reader.array()?));
            let revoked_at = reader.date()?;
            let (first_seq, issuer, target) = reader.target()?;
            let cutoff = Cutoff { issuer, target, issued_before, skew_s, reason: reader.reason()? };
            Change::Cutoff(CutoffRecord { cutoff, first_seq, revoked_at })
        }
        kind::CUTOFF_RESTORED => {
            let (first_seq, issuer, target) = reader.target()?;
            Change::CutoffRestored { issuer, target, first_seq, reason: reader.reason()? }
        }
        kind::NAMING_SET | kind::NAMING_SET_WITHOUT_FAMILY => reader.naming(kind == kind::NAMING_SET)?,
        kind::REFUSED | kind::STRANGERS | kind::LOSS_ACCEPTED => reader.audited(kind)?,
        other => return Err(DecodeError::Kind(other)),
    };
    match reader.0.len() {
        0 => Ok(Event { seq, recorded_at, ends_at, origin, change }),
        left => Err(DecodeError::Long(left)),
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.0.split_at_checked(len).ok_or(DecodeError::Short)?;
        self.0 = tail;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.take(N)?.try_into().map_err(|_| DecodeError::Short)
    }

    fn date(&mut self) -> Result<NumericDate, DecodeError> {
        Ok(NumericDate(i64::from_le_bytes(self.array()?)))
    }

    fn optional(&mut self, name: &'static str) -> Result<Option<&'a str>, DecodeError> {
        match u16::from_le_bytes(self.array()?) {
            ABSENT => Ok(None),
            len => {
                let bytes = self.take(usize::from(len))?;
                std::str::from_utf8(bytes).map(Some).map_err(|_| DecodeError::Value(name))
            }
        }
    }

    fn text(&mut self, name: &'static str) -> Result<Cow<'a, str>, DecodeError> {
        self.optional(name)?.map(Cow::Borrowed).ok_or(DecodeError::Value(name))
    }

    fn issuer(&mut self) -> Result<Issuer<'a>, DecodeError> {
        Issuer::parse(self.text("iss")?).map_err(|_| DecodeError::Value("iss"))
    }

    fn jti(&mut self) -> Result<Jti<'a>, DecodeError> {
        Jti::parse(self.text("jti")?).map_err(|_| DecodeError::Value("jti"))
    }

    /// First place, issuer and target of a cutoff.
    fn target(&mut self) -> Result<(u64, Issuer<'a>, Target<'a>), DecodeError> {
        let first_seq = u64::from_le_bytes(self.array()?);
        let selector = self.byte()?;
        let issuer = self.issuer()?;
        let value = self.optional("value")?;
        let target = match (Selector::OF_CUTOFFS.into_iter().find(|known| *known as u8 == selector), value) {
            (Some(Selector::Sid), Some(value)) => Sid::parse(value).map(Target::Sid),
            (Some(Selector::Family), Some(value)) => Family::parse(value).map(Target::Family),
            (Some(Selector::Sub), Some(value)) => Subject::parse(value).map(Target::Sub),
            (Some(Selector::ClientId), Some(value)) => ClientId::parse(value).map(Target::ClientId),
            (Some(Selector::Iss), None) => Ok(Target::All),
            _ => return Err(DecodeError::Value("selector")),
        };
        Ok((first_seq, issuer, target.map_err(|_| DecodeError::Value("value"))?))
    }

    fn reason(&mut self) -> Result<Option<Reason<'a>>, DecodeError> {
        self.optional("reason")?.map(|text| Reason::parse(text).map_err(|_| DecodeError::Value("reason"))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{ApiKeyRecord, KEY_BOUNDS_MAX};
    use super::*;
    use crate::token::{Naming, WithoutJti};

    fn change() -> impl Strategy<Value = Change<'static>> {
        let text = |len: usize| proptest::collection::vec(any::<char>(), 1..len).prop_map(String::from_iter);
        let reason = proptest::option::of(text(40).prop_map(|text| Reason::parse(text).unwrap()));
        let revoked = (text(200), text(200), proptest::option::of(text(200)), any::<i64>(), reason).prop_map(
            |(issuer, jti, sub, exp, reason)| {
                Change::Revoked(Revocation {
                    issuer: Issuer::parse(issuer).unwrap(),
                    jti: Jti::parse(jti).unwrap(),
                    sub: sub.map(|sub| Subject::parse(sub).unwrap()),
                    exp: NumericDate(exp),
                    reason,
                })
            },
        );
        let restored = (text(100), any::<i64>()).prop_map(|(jti, furthest_end)| Change::Restored {
            issuer: Issuer::NAMELESS,
            jti: Jti::parse(jti).unwrap(),
            furthest_end: NumericDate(furthest_end),
            reason: None,
        });
        let raised = any::<i64>()
            .prop_map(|lifetime_s| Change::LifetimeRaised { issuer: Issuer::parse("i").unwrap(), lifetime_s });
        let revoked_key = prop::option::of(text(100)).prop_map(|reason| Change::KeyRevoked {
            id: "0123".into(),
            reason: reason.map(|reason| Reason::parse(reason).unwrap()),
        });
        let trusted = Just(Change::ClockTrusted);
        prop_oneof![
            revoked,
            restored,
            created(),
            raised,
            revoked_key,
            trusted,
            cutoff(),
            cutoff_restored(),
            naming(),
            audited()
        ]
    }

    fn created() -> impl Strategy<Value = Change<'static>> {
        let names = || proptest::collection::vec("\\PC{1,40}", 0..=KEY_BOUNDS_MAX);
        let expires_at = proptest::option::of((i64::MIN..i64::MAX).prop_map(NumericDate));
        (any::<[u8; 32]>(), any::<u8>(), names(), names(), expires_at).prop_map(
            |(secret_sha256, scopes, issuers, client_ids, expires_at)| {
                Change::KeyCreated(ApiKeyRecord {
                    id: "0123".into(),
                    secret_sha256,
                    scopes,
                    label: "ci".into(),
                    issuers: issuers.into_iter().map(|name| Issuer::parse(name).unwrap()).collect(),
                    client_ids: client_ids.into_iter().map(|name| ClientId::parse(name).unwrap()).collect(),
                    expires_at,
                })
            },
        )
    }

    fn naming() -> impl Strategy<Value = Change<'static>> {
        let name = || "\\PC{1,40}".prop_map(Cow::Owned);
        let without_jti = prop_oneof![Just(WithoutJti::SigningInput), Just(WithoutJti::Refuse)];
        let maybe = || proptest::option::of(name());
        (name(), name(), name(), maybe(), maybe(), without_jti).prop_map(
            |(jti, sub, sid, client_id, family, without_jti)| Change::NamingSet {
                issuer: Issuer::parse("i").unwrap(),
                naming: Naming { jti, sub, sid, client_id, family, without_jti },
            },
        )
    }

    fn audited() -> impl Strategy<Value = Change<'static>> {
        let refused = ("\\PC{0,40}", any::<u16>(), any::<u32>()).prop_map(|(route, status, count)| Change::Refused {
            route: route.into(),
            status,
            count,
        });
        let strangers = (any::<i64>(), any::<u32>())
            .prop_map(|(minute, count)| Change::Strangers { minute: NumericDate(minute), count });
        let lost = (any::<[u8; 16]>(), any::<[u64; 3]>()).prop_map(|(history, [last_seq, saved, skipped])| {
            Change::LossAccepted { history, last_seq, saved, skipped }
        });
        prop_oneof![refused, strangers, lost]
    }

    fn target() -> impl Strategy<Value = Target<'static>> {
        ("\\PC{1,40}", 0..5_u8).prop_map(|(value, kind)| match kind {
            0 => Target::Sid(Sid::parse(value).unwrap()),
            1 => Target::Sub(Subject::parse(value).unwrap()),
            2 => Target::ClientId(ClientId::parse(value).unwrap()),
            3 => Target::Family(Family::parse(value).unwrap()),
            _ => Target::All,
        })
    }

    fn cutoff() -> impl Strategy<Value = Change<'static>> {
        let numbers = (any::<i64>(), any::<i64>(), any::<u64>(), any::<i64>());
        (target(), numbers).prop_map(|(target, (issued_before, skew_s, first_seq, revoked_at))| {
            let reason = Some(Reason::parse("lost").unwrap());
            let (issuer, issued_before) = (Issuer::parse("i").unwrap(), NumericDate(issued_before));
            let cutoff = Cutoff { issuer, target, issued_before, skew_s, reason };
            Change::Cutoff(CutoffRecord { cutoff, first_seq, revoked_at: NumericDate(revoked_at) })
        })
    }

    fn cutoff_restored() -> impl Strategy<Value = Change<'static>> {
        let change =
            |(target, first_seq)| Change::CutoffRestored { issuer: Issuer::NAMELESS, target, first_seq, reason: None };
        (target(), any::<u64>()).prop_map(change)
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(change in change(), seq: u64, recorded: i64, ends: i64) {
            let event = Event {
                seq,
                recorded_at: NumericDate(recorded),
                ends_at: NumericDate(ends),
                origin: Origin {
                    actor: "0a1b".into(),
                    source: Source::Api,
                    from: "2001:db8::1".into(),
                    request_id: "r-1".into(),
                },
                change,
            };
            let mut bytes = Vec::new();
            event.encode(&mut bytes);
            prop_assert_eq!(Event::decode(&bytes), Ok(event));
            prop_assert_eq!(Event::decode(&bytes[..bytes.len() - 1]).unwrap_err(), DecodeError::Short);
            bytes.push(0);
            prop_assert_eq!(Event::decode(&bytes).unwrap_err(), DecodeError::Long(1));
        }

        #[test]
        fn any_bytes_are_refused_or_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Event::decode(&bytes);
        }
    }

    #[test]
    fn the_end_of_a_key_that_was_journaled_before_reasons_is_read() {
        let change = Change::KeyRevoked { id: "0123".into(), reason: None };
        let event =
            Event { seq: 1, recorded_at: NumericDate(2), ends_at: NumericDate(3), origin: Origin::INTERNAL, change };
        let mut bytes = Vec::new();
        encode(&event, &mut bytes);
        bytes[1] = kind::KEY_REVOKED_WITHOUT_REASON;
        bytes.truncate(bytes.len() - 2);
        assert_eq!(decode(&bytes).unwrap(), event);
    }

    #[test]
    fn an_unknown_version_is_named() {
        assert_eq!(Event::decode(&[9, 1, 0]), Err(DecodeError::Version(9)));
    }
}
