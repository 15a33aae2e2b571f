//! By which of its claims a token is known: beside the issuer's name all that decides keys (promise 16).

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

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

/// The claims of an issuer's tokens that stand for `jti`, `sub`, `sid` and `client_id`.
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
            without_jti: self.without_jti,
        }
    }

    /// Each config key of an issuer that decides, with its value.
    fn settings(&self) -> [(&'static str, &str); 5] {
        [
            ("claims.jti", &*self.jti),
            ("claims.sub", &*self.sub),
            ("claims.sid", &*self.sid),
            ("claims.client_id", self.client_id.as_deref().unwrap_or("client_id, else azp")),
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
    }
}
