//! By which of its claims a token is known: beside the issuer's name all that decides keys (promise 16).

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ClientId, Family, Sid};

/// What becomes of a token without a `jti`. The numbers are part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum WithoutJti {
    /// It is known by the SHA-256 of its signing input (RFC 7515 section 2), and so can be revoked.
    #[default]
    SigningInput = 0,
    /// It is refused.
    Refuse = 1,
}

impl WithoutJti {
    /// Every value, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::SigningInput, Self::Refuse];

    /// The value as the config writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SigningInput => "signing_input",
            Self::Refuse => "refuse",
        }
    }
}

/// The claims of an issuer's tokens that stand for `jti`, `sub`, `sid`, `client_id` and `family`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming<'a> {
    /// The claim that is the `jti`.
    pub jti: Cow<'a, str>,
    /// The claim that is the `sub`.
    pub sub: Cow<'a, str>,
    /// The claim that is the `sid`.
    pub sid: Cow<'a, str>,
    /// The claim that is the `client_id`; absent: `client_id`, else `azp`.
    pub client_id: Option<Cow<'a, str>>,
    /// The claim that is the family; absent: tokens have none. Where it is that of `sid`, session and client together are.
    pub family: Option<Cow<'a, str>>,
    /// What becomes of a token without the first.
    pub without_jti: WithoutJti,
}

impl Default for Naming<'_> {
    /// The standard claims.
    fn default() -> Self {
        Self {
            jti: Cow::Borrowed("jti"),
            sub: Cow::Borrowed("sub"),
            sid: Cow::Borrowed("sid"),
            client_id: None,
            family: None,
            without_jti: WithoutJti::default(),
        }
    }
}

impl Naming<'_> {
    /// The same, owning its bytes.
    #[must_use]
    pub fn into_owned(self) -> Naming<'static> {
        Naming {
            jti: Cow::Owned(self.jti.into_owned()),
            sub: Cow::Owned(self.sub.into_owned()),
            sid: Cow::Owned(self.sid.into_owned()),
            client_id: self.client_id.map(|name| Cow::Owned(name.into_owned())),
            family: self.family.map(|name| Cow::Owned(name.into_owned())),
            without_jti: self.without_jti,
        }
    }

    /// Whether the family is made of session and client.
    #[must_use]
    pub fn is_family_of_session(&self) -> bool {
        self.family.as_ref().is_some_and(|family| *family == self.sid)
    }

    /// The family that session and client make, where it is made of them and both are known.
    #[must_use]
    pub fn family_of_session(
        &self,
        client_id: Option<&ClientId<'_>>,
        sid: Option<&Sid<'_>>,
    ) -> Option<Family<'static>> {
        let (client_id, sid) = client_id.zip(sid).filter(|_| self.is_family_of_session())?;
        Some(Family::of_session(client_id, sid))
    }

    /// Each config key of an issuer that decides, with its value.
    fn settings(&self) -> [(&'static str, &str); 6] {
        [
            ("claims.jti", &*self.jti),
            ("claims.sub", &*self.sub),
            ("claims.sid", &*self.sid),
            ("claims.client_id", self.client_id.as_deref().unwrap_or("client_id, else azp")),
            ("refresh.family_claim", self.family.as_deref().unwrap_or("none")),
            ("without_jti", self.without_jti.as_str()),
        ]
    }
}

/// How one naming differs from another, key by key.
#[derive(Debug)]
pub struct NamingDifference {
    /// What is recorded.
    pub was: Naming<'static>,
    /// What is configured.
    pub is: Naming<'static>,
}

impl fmt::Display for NamingDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let both = self.was.settings().into_iter().zip(self.is.settings());
        for (at, ((key, was), (_, is))) in both.filter(|(was, is)| was != is).enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}`{key}` was {was:?} and is {is:?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_each_key_that_differs_and_no_other() {
        let is = Naming { jti: "uti".into(), without_jti: WithoutJti::Refuse, ..Naming::default() };
        let said = NamingDifference { was: Naming::default(), is }.to_string();
        assert_eq!(
            said,
            "`claims.jti` was \"jti\" and is \"uti\", `without_jti` was \"signing_input\" and is \"refuse\""
        );
        let is = Naming { client_id: Some("azp".into()), ..Naming::default() };
        let said = NamingDifference { was: Naming::default(), is }.to_string();
        assert_eq!(said, "`claims.client_id` was \"client_id, else azp\" and is \"azp\"");
        let is = Naming { family: Some("grant_id".into()), ..Naming::default() };
        let said = NamingDifference { was: Naming::default(), is }.to_string();
        assert_eq!(said, "`refresh.family_claim` was \"none\" and is \"grant_id\"");
    }

    #[test]
    fn session_and_client_are_the_family_only_where_its_claim_is_that_of_the_session() {
        let (client_id, sid) = (ClientId::parse("shop").unwrap(), Sid::parse("s").unwrap());
        let named = |family: Option<&'static str>, sid: &'static str| Naming {
            family: family.map(Cow::Borrowed),
            sid: sid.into(),
            ..Naming::default()
        };
        let of = |naming: Naming<'_>| naming.family_of_session(Some(&client_id), Some(&sid));
        let family = Some(Family::of_session(&client_id, &sid));
        assert_eq!((of(named(Some("sid"), "sid")), of(named(Some("session"), "session"))), (family.clone(), family));
        for other in [named(None, "sid"), named(Some("grant_id"), "sid"), named(Some("sid"), "session")] {
            assert_eq!(of(other), None);
        }
        let naming = named(Some("sid"), "sid");
        assert_eq!(
            (naming.family_of_session(None, Some(&sid)), naming.family_of_session(Some(&client_id), None)),
            (None, None)
        );
    }
}
