//! `[issuers.refresh]`: how the refresh tokens of an issuer are told from others, and what they have in common with what is
//! got by them (RFC 7009 section 2.1).

use serde::{Deserialize, Serialize};

use super::claims::{ClaimSettings, FIXED};
use super::one_or_many;
use crate::token::CLAIM_BYTES_MAX;

/// One `[issuers.refresh]` section. Each claim is one at the top level of the token, of 1 to 1,024 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshSettings {
    /// The claim that a refresh token and the access tokens got by it have in common. Where it is that of the session, which
    /// clients may share, session and client together are meant. Required. What is changed while entries of the issuer live is
    /// refused at start (promise 16).
    pub family_claim: String,
    /// The claim that says that a token is a refresh token; default `typ`. May change at any time, as the next.
    #[serde(default = "default_kind_claim")]
    pub kind_claim: String,
    /// What that claim says then, compared byte for byte; a string or a list, at least one, each of 1 to 1,024 bytes. Default:
    /// `Refresh` and `Offline`.
    #[serde(default = "default_kind", deserialize_with = "one_or_many")]
    pub kind: Vec<String>,
}

/// As Keycloak has it.
fn default_kind_claim() -> String {
    "typ".to_owned()
}

/// As Keycloak has it; the second is that of a refresh token which outlives its session.
fn default_kind() -> Vec<String> {
    ["Refresh", "Offline"].map(str::to_owned).to_vec()
}

impl RefreshSettings {
    /// That family claim, with everything else left out.
    #[must_use]
    pub fn by(family_claim: impl Into<String>) -> Self {
        Self { family_claim: family_claim.into(), kind_claim: default_kind_claim(), kind: default_kind() }
    }

    /// What is wrong with them, if something is. A family is more than one token and less than all of a subject or of a
    /// client, or a client that revokes its own refresh token would log out others.
    pub(super) fn fault(&self, claims: &ClaimSettings) -> Option<String> {
        let claims_named = [("family_claim", &*self.family_claim), ("kind_claim", &*self.kind_claim)];
        let mut all = claims_named.into_iter().chain(self.kind.iter().map(|kind| ("kind", &**kind)));
        if let Some((key, value)) = all.find(|(_, value)| !(1..=CLAIM_BYTES_MAX).contains(&value.len())) {
            return Some(format!("`refresh.{key}` has {} bytes; it must have 1 to {CLAIM_BYTES_MAX}", value.len()));
        }
        if self.kind.is_empty() {
            return Some("`refresh.kind` is empty; leave it out or name at least one".to_owned());
        }
        if let Some((key, name)) = claims_named.iter().find(|(_, name)| FIXED.contains(name)) {
            return Some(format!("`refresh.{key}` cannot be `{name}`, which has a meaning of its own"));
        }
        let (client_id, azp) = match &claims.client_id {
            Some(name) => (&**name, &**name),
            None => ("client_id", "azp"),
        };
        for (key, name) in [
            ("claims.jti", &*claims.jti),
            ("claims.sub", &*claims.sub),
            ("claims.client_id", client_id),
            ("claims.client_id", azp),
            ("refresh.kind_claim", &*self.kind_claim),
        ] {
            if self.family_claim == name {
                return Some(format!("`refresh.family_claim` and `{key}` are both {name:?}; they must differ"));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str, claims: &ClaimSettings) -> Option<String> {
        serde_json::from_str::<RefreshSettings>(json).unwrap().fault(claims)
    }

    #[test]
    fn the_family_claim_has_no_default_and_the_kind_is_that_of_keycloak() {
        let refresh: RefreshSettings = serde_json::from_str(r#"{"family_claim":"grant_id"}"#).unwrap();
        assert_eq!(refresh, RefreshSettings::by("grant_id"));
        assert_eq!((&*refresh.kind_claim, &*refresh.kind), ("typ", &["Refresh", "Offline"].map(str::to_owned)[..]));
        let missing = serde_json::from_str::<RefreshSettings>("{}").unwrap_err().to_string();
        assert!(missing.contains("family_claim"), "{missing}");
        let unknown = serde_json::from_str::<RefreshSettings>(r#"{"family_claim":"a","family":"b"}"#).unwrap_err();
        assert!(unknown.to_string().contains("kind_claim"), "{unknown}");
    }

    #[test]
    fn a_family_claim_means_nothing_else_unless_it_is_that_of_the_session() {
        let standard = ClaimSettings::default();
        for good in ["grant_id", "sid", "jtis"] {
            assert_eq!(RefreshSettings::by(good).fault(&standard), None, "{good}");
        }
        let appid = ClaimSettings { client_id: Some("appid".to_owned()), ..ClaimSettings::default() };
        assert_eq!(RefreshSettings::by("azp").fault(&appid), None);
        for (json, claims, named) in [
            (r#"{"family_claim":""}"#, &standard, ["refresh.family_claim", "0 bytes"]),
            (r#"{"family_claim":"a","kind_claim":""}"#, &standard, ["refresh.kind_claim", "0 bytes"]),
            (r#"{"family_claim":"a","kind":""}"#, &standard, ["refresh.kind`", "0 bytes"]),
            (r#"{"family_claim":"a","kind":["a",""]}"#, &standard, ["refresh.kind`", "0 bytes"]),
            (r#"{"family_claim":"a","kind":[]}"#, &standard, ["refresh.kind`", "is empty"]),
            (r#"{"family_claim":"iss"}"#, &standard, ["refresh.family_claim", "`iss`"]),
            (r#"{"family_claim":"a","kind_claim":"aud"}"#, &standard, ["refresh.kind_claim", "`aud`"]),
            (r#"{"family_claim":"jti"}"#, &standard, ["refresh.family_claim", "claims.jti"]),
            (r#"{"family_claim":"sub"}"#, &standard, ["refresh.family_claim", "claims.sub"]),
            (r#"{"family_claim":"client_id"}"#, &standard, ["refresh.family_claim", "claims.client_id"]),
            (r#"{"family_claim":"azp"}"#, &standard, ["refresh.family_claim", "claims.client_id"]),
            (r#"{"family_claim":"appid"}"#, &appid, ["refresh.family_claim", "claims.client_id"]),
            (r#"{"family_claim":"typ"}"#, &standard, ["refresh.family_claim", "refresh.kind_claim"]),
        ] {
            let said = fault(json, claims).unwrap();
            assert!(named.iter().all(|part| said.contains(part)), "{said}");
        }
        let long = fault(&format!(r#"{{"family_claim":"a","kind":"{}"}}"#, "x".repeat(1_025)), &standard).unwrap();
        assert!(long.contains("refresh.kind`") && long.contains("1025"), "{long}");
    }
}
