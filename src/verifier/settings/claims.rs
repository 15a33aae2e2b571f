//! `[issuers.claims]`: which claims of an issuer's tokens are meant by `jti`, `sub`, `sid` and `client_id`.

use serde::{Deserialize, Serialize};

use crate::token::{CLAIM_BYTES_MAX, Naming, WithoutJti};

/// Claims that mean the same in every token (RFC 7519 section 4.1), and so can stand for no other.
pub(super) const FIXED: [&str; 5] = ["iss", "aud", "exp", "nbf", "iat"];

/// One `[issuers.claims]` section. Each names a claim at the top level of the token, of 1 to 1,024 bytes; no two may be
/// the same. What is changed while entries of the issuer live is refused at start (promise 16).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimSettings {
    /// The claim that tells a token from all others of its issuer; default `jti`.
    pub jti: String,
    /// The claim that names the subject; default `sub`.
    pub sub: String,
    /// The claim that names the session; default `sid`.
    pub sid: String,
    /// The claim that names the client; default: `client_id`, and where that is not there, `azp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

impl Default for ClaimSettings {
    fn default() -> Self {
        Self { jti: "jti".to_owned(), sub: "sub".to_owned(), sid: "sid".to_owned(), client_id: None }
    }
}

impl ClaimSettings {
    /// Whether every claim is the standard one.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The same as what decides keys.
    pub(super) fn naming(&self, without_jti: WithoutJti) -> Naming<'static> {
        Naming {
            jti: self.jti.clone().into(),
            sub: self.sub.clone().into(),
            sid: self.sid.clone().into(),
            client_id: self.client_id.clone().map(Into::into),
            family: None,
            without_jti,
        }
    }

    /// What is wrong with them, if something is.
    pub(super) fn fault(&self) -> Option<String> {
        let client_id = self.client_id.as_deref().unwrap_or("client_id");
        let all = [("jti", &*self.jti), ("sub", &*self.sub), ("sid", &*self.sid), ("client_id", client_id)];
        for (at, (key, name)) in all.into_iter().enumerate() {
            if name.is_empty() || name.len() > CLAIM_BYTES_MAX {
                return Some(format!("`claims.{key}` has {} bytes; it must have 1 to {CLAIM_BYTES_MAX}", name.len()));
            }
            if FIXED.contains(&name) {
                return Some(format!("`claims.{key}` cannot be `{name}`, which has a meaning of its own"));
            }
            if let Some((other, _)) = all[..at].iter().find(|(_, other)| *other == name) {
                return Some(format!("`claims.{key}` and `claims.{other}` are both {name:?}; they must differ"));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Option<String> {
        serde_json::from_str::<ClaimSettings>(json).unwrap().fault()
    }

    #[test]
    fn a_name_that_is_left_out_is_the_standard_one() {
        let claims: ClaimSettings = serde_json::from_str(r#"{"jti":"uti"}"#).unwrap();
        assert_eq!(claims, ClaimSettings { jti: "uti".to_owned(), ..ClaimSettings::default() });
        assert_eq!(claims.fault(), None);
        assert_eq!(ClaimSettings::default().naming(WithoutJti::default()), Naming::default());
        let error = serde_json::from_str::<ClaimSettings>(r#"{"uti":"x"}"#).unwrap_err().to_string();
        assert!(error.contains("uti") && error.contains("jti"), "{error}");
    }

    #[test]
    fn names_differ_and_mean_nothing_else() {
        for (json, named) in [
            (r#"{"jti":""}"#, ["claims.jti", "0 bytes"]),
            (r#"{"sub":"exp"}"#, ["claims.sub", "`exp`"]),
            (r#"{"sub":"jti"}"#, ["claims.sub", "claims.jti"]),
            (r#"{"client_id":"sid"}"#, ["claims.client_id", "claims.sid"]),
            (r#"{"jti":"client_id"}"#, ["claims.client_id", "claims.jti"]),
        ] {
            let said = fault(json).unwrap();
            assert!(named.iter().all(|part| said.contains(part)), "{said}");
        }
        let long = fault(&format!(r#"{{"sid":"{}"}}"#, "x".repeat(1_025))).unwrap();
        assert!(long.contains("claims.sid") && long.contains("1025"), "{long}");
    }
}
