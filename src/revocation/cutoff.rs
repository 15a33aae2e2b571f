//! Cutoffs: entries that kill every token of a subject, session, family, client or issuer that was issued up to an instant.

use super::Reason;
use crate::clock::NumericDate;
use crate::token::{ClientId, Family, Issuer, Key, Selector, Sid, Subject};

/// Whose tokens a cutoff kills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target<'a> {
    /// Those of one session.
    Sid(Sid<'a>),
    /// Those of one family.
    Family(Family<'a>),
    /// Those of one subject.
    Sub(Subject<'a>),
    /// Those of one OAuth client.
    ClientId(ClientId<'a>),
    /// All of the issuer.
    All,
}

impl Target<'_> {
    /// The claim that a token is matched by.
    #[must_use]
    pub const fn selector(&self) -> Selector {
        match self {
            Self::Sid(_) => Selector::Sid,
            Self::Family(_) => Selector::Family,
            Self::Sub(_) => Selector::Sub,
            Self::ClientId(_) => Selector::ClientId,
            Self::All => Selector::Iss,
        }
    }

    /// The value that the claim must have; empty where the issuer alone decides.
    #[must_use]
    pub fn value(&self) -> &str {
        match self {
            Self::Sid(sid) => sid.as_str(),
            Self::Family(family) => family.as_str(),
            Self::Sub(sub) => sub.as_str(),
            Self::ClientId(client_id) => client_id.as_str(),
            Self::All => "",
        }
    }

    /// What all cutoffs of `issuer` on this target have in common.
    #[must_use]
    pub fn key(&self, issuer: &Issuer<'_>) -> Key {
        Key::new(self.selector(), issuer, self.value())
    }

    /// The key of the one cutoff on this target whose first place in the history is `first_seq`.
    #[must_use]
    pub fn cutoff_key(&self, issuer: &Issuer<'_>, first_seq: u64) -> Key {
        Key::of_cutoff(self.selector(), issuer, self.value(), first_seq)
    }

    /// The same target, owning its bytes.
    #[must_use]
    pub fn into_owned(self) -> Target<'static> {
        match self {
            Self::Sid(sid) => Target::Sid(sid.into_owned()),
            Self::Family(family) => Target::Family(family.into_owned()),
            Self::Sub(sub) => Target::Sub(sub.into_owned()),
            Self::ClientId(client_id) => Target::ClientId(client_id.into_owned()),
            Self::All => Target::All,
        }
    }
}

/// Every token of a target issued at or before an instant is revoked (promise 15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cutoff<'a> {
    /// Whose tokens.
    pub issuer: Issuer<'a>,
    /// Which of them.
    pub target: Target<'a>,
    /// The last second whose tokens are revoked, by a true clock.
    pub issued_before: NumericDate,
    /// How far the issuer's clock may run ahead, seconds, as it was configured when the cutoff was made: what was promised
    /// to be good then stays good, and what was revoked stays revoked, whatever is configured later.
    pub skew_s: i64,
    /// Why.
    pub reason: Option<Reason<'a>>,
}

impl Cutoff<'_> {
    /// The first `iat` that is not revoked: a login from then on works.
    #[must_use]
    pub const fn good_from(&self) -> NumericDate {
        self.issued_before.plus(self.skew_s).plus(1)
    }

    /// Until when the cutoff lives, inclusive, where tokens live for `lifetime_s` and are accepted for `leeway_s` longer:
    /// whatever it kills was issued before [`Self::good_from`].
    #[must_use]
    pub const fn ends_at(&self, lifetime_s: i64, leeway_s: i64) -> NumericDate {
        self.good_from().plus(lifetime_s).plus(leeway_s)
    }

    /// The same cutoff, owning its bytes.
    #[must_use]
    pub fn into_owned(self) -> Cutoff<'static> {
        Cutoff {
            issuer: self.issuer.into_owned(),
            target: self.target.into_owned(),
            issued_before: self.issued_before,
            skew_s: self.skew_s,
            reason: self.reason.map(Reason::into_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cutoff_outlives_the_last_token_it_kills() {
        let cutoff = Cutoff {
            issuer: Issuer::NAMELESS,
            target: Target::All,
            issued_before: NumericDate(1_000),
            skew_s: 2,
            reason: None,
        };
        assert_eq!(cutoff.good_from(), NumericDate(1_003));
        // Issued within second 1,002, so it expires before second 1,903 and is accepted until 2,203 at the latest.
        assert_eq!(cutoff.ends_at(900, 300), NumericDate(2_203));
        assert_eq!(cutoff.ends_at(i64::MAX, 300), NumericDate::NEVER);
    }
}
