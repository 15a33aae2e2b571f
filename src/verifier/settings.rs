//! What the operator writes under `[[issuers]]`: who may sign tokens, with which keys, and how its tokens are judged.

mod backchannel;
mod claims;
mod refresh;

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

pub use self::backchannel::BackchannelSettings;
pub use self::claims::ClaimSettings;
pub use self::refresh::RefreshSettings;
use super::algorithm::Algorithm;
use super::secret::{Secret, SecretEncoding};
use crate::issuers::CLOCK_SKEW_S;
use crate::token::{CLAIM_BYTES_MAX, Naming, WithoutJti};

/// Most keys of one issuer, in the config or in one JWKS.
pub const KEYS_MAX: usize = 100;

const REFRESH_S: std::ops::RangeInclusive<u64> = 30..=86_400;
const STALE_S_MAX: u64 = 2_592_000;
const LEEWAY_S_MAX: i64 = 86_400;
const CLOCK_SKEW_S_MAX: i64 = 3_600;
const REQUIRED_CLAIMS_MAX: usize = 100;

/// One `[[issuers]]` section. Unknown keys are refused by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    /// The issuer's name: exactly the `iss` of its tokens, 1 to 1,024 bytes. Required, each name once.
    pub iss: String,
    /// `[[issuers.keys]]`: keys given one by one, at most 100. They and those of `jwks_file` and `jwks_url` add up.
    #[serde(default)]
    pub keys: Vec<KeySettings>,
    /// A file with a JSON Web Key Set (RFC 7517), read once at start. A relative path starts at the config file's
    /// directory. An `oct` key in it needs an `alg`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
    /// Where the issuer publishes its key set: `https` (trusted are the system's certificates, or those that the
    /// environment's `SSL_CERT_FILE` names), or `http` on 127.0.0.0/8, `::1` and `localhost`. Redirects are refused,
    /// and so is an answer beyond 1 MiB or 5 seconds. `oct` keys in it are ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// Seconds between two fetches of `jwks_url`; 30 to 86,400, default 300. An unknown `kid` brings the next one
    /// forward, at most once in 30 seconds.
    #[serde(default = "default_refresh_s")]
    pub jwks_refresh_s: u64,
    /// Seconds for which the last good set of `jwks_url` serves while it cannot be fetched; from `jwks_refresh_s` to
    /// 2,592,000, default 86,400. After that, tokens of this issuer cannot be judged (503).
    #[serde(default = "default_stale_max_s")]
    pub jwks_stale_max_s: u64,
    /// The algorithms that this issuer uses, of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256,
    /// ES384, `EdDSA`. Default: what its keys permit. A key set's key without `alg` is pinned to those of this list that
    /// its type permits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithms: Option<Vec<Algorithm>>,
    /// Longest lifetime of this issuer's tokens, seconds, at least 1. Default: `tokens.lifetime_max_s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_max_s: Option<i64>,
    /// Largest leeway of any validator of this issuer's tokens, seconds, 0 to 86,400. Default: `tokens.leeway_s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leeway_s: Option<i64>,
    /// How far this issuer's clock may run ahead, seconds, 0 to 3,600, default 2: a cutoff also takes tokens whose
    /// `iat` is that much later.
    #[serde(default = "default_clock_skew_s")]
    pub clock_skew_s: i64,
    /// Audience or audiences of this service's tokens; a string or a list. An introspection calls no other token active;
    /// revoking and checking by token do not look at it, since a token for somebody else can be revoked as well.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<String>,
    /// What becomes of a token without the claim that `claims.jti` names: `signing_input` (the default), which takes the
    /// SHA-256 of its signing input for it, or `refuse`. Not to be changed while entries of the issuer live.
    #[serde(default)]
    pub without_jti: WithoutJti,
    /// Claims that every token must have, with another value than `null`, or it is unverifiable; at most 100. It can be
    /// revoked all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_claims: Vec<String>,
    /// `[issuers.claims]`: the claims that name a token, its subject, session and client. Not to be changed while entries
    /// of the issuer live.
    #[serde(default, skip_serializing_if = "ClaimSettings::is_default")]
    pub claims: ClaimSettings,
    /// `[issuers.backchannel]`: which of its logout tokens are taken. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel: Option<BackchannelSettings>,
    /// `[issuers.refresh]`: what a refresh token takes with it when it is revoked. Without it, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<RefreshSettings>,
}

/// One `[[issuers.keys]]` section: `alg` and exactly one of `secret`, `secret_file` and `pem_file`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// The key's name, as in the `kid` of the tokens signed with it. A key without one is tried for any `kid` that no
    /// other key has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The one algorithm that this key is for. Required.
    pub alg: Algorithm,
    /// A shared secret, for HS256 (at least 32 bytes), HS384 (48) and HS512 (64). Prefer `secret_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// A file with the shared secret; one newline at its end is not part of it. Relative to the config file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// How `secret` or `secret_file` is written: `utf8` (the bytes as they are; the default) or `base64url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_encoding: Option<SecretEncoding>,
    /// A file with one public key in PEM (`PUBLIC KEY` or `RSA PUBLIC KEY`): RSA of 2,048 to 8,192 bits for RS* and
    /// PS*, P-256 for ES256, P-384 for ES384, Ed25519 for `EdDSA`. Relative to the config file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pem_file: Option<PathBuf>,
}

const fn default_refresh_s() -> u64 {
    300
}

const fn default_stale_max_s() -> u64 {
    86_400
}

const fn default_clock_skew_s() -> i64 {
    CLOCK_SKEW_S
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a string or a list of strings")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(audience) => vec![audience],
        OneOrMany::Many(audiences) => audiences,
    })
}

/// Why the `[[issuers]]` sections cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Something about one issuer.
    #[error("[[issuers]] `{iss}`: {fault}")]
    Issuer {
        /// The issuer's name.
        iss: String,
        /// What is wrong.
        fault: String,
    },
    /// Something about one key of one issuer.
    #[error("[[issuers]] `{iss}`, {key}: {fault}")]
    Key {
        /// The issuer's name.
        iss: String,
        /// Which key: its `kid`, else its place.
        key: String,
        /// What is wrong.
        fault: String,
    },
}

impl KeySettings {
    /// A key for that algorithm, with everything else left out.
    #[must_use]
    pub fn new(alg: Algorithm) -> Self {
        Self { kid: None, alg, secret: None, secret_file: None, secret_encoding: None, pem_file: None }
    }
}

impl IssuerSettings {
    /// An issuer of that name with everything else left out.
    #[must_use]
    pub fn named(iss: impl Into<String>) -> Self {
        Self {
            iss: iss.into(),
            keys: Vec::new(),
            jwks_file: None,
            jwks_url: None,
            jwks_refresh_s: default_refresh_s(),
            jwks_stale_max_s: default_stale_max_s(),
            algorithms: None,
            lifetime_max_s: None,
            leeway_s: None,
            clock_skew_s: default_clock_skew_s(),
            audience: Vec::new(),
            without_jti: WithoutJti::default(),
            required_claims: Vec::new(),
            claims: ClaimSettings::default(),
            backchannel: None,
            refresh: None,
        }
    }

    /// What decides the keys of this issuer's entries, beside its name.
    #[must_use]
    pub fn naming(&self) -> Naming<'static> {
        let family = self.refresh.as_ref().map(|refresh| refresh.family_claim.clone().into());
        Naming { family, ..self.claims.naming(self.without_jti) }
    }

    /// Checks what can be checked without reading a file.
    ///
    /// # Errors
    /// [`SettingsError`] naming the issuer, the key and the limit.
    pub fn validate(&self) -> Result<(), SettingsError> {
        match self.fault() {
            None => Ok(()),
            Some(fault) => Err(SettingsError::Issuer { iss: self.iss.clone(), fault }),
        }
    }

    fn fault(&self) -> Option<String> {
        let outside = |name: &str, value: i64, min: i64, max: i64| {
            (value < min || value > max).then(|| format!("`{name}` is {value}; it must be {min} to {max}"))
        };
        if self.iss.is_empty() || self.iss.len() > CLAIM_BYTES_MAX {
            return Some(format!("`iss` has {} bytes; it must have 1 to {CLAIM_BYTES_MAX}", self.iss.len()));
        }
        if self.keys.len() > KEYS_MAX {
            return Some(format!("`keys` has {} entries; the limit is {KEYS_MAX}", self.keys.len()));
        }
        if !REFRESH_S.contains(&self.jwks_refresh_s) {
            let (min, max) = (REFRESH_S.start(), REFRESH_S.end());
            return Some(format!("`jwks_refresh_s` is {}; it must be {min} to {max}", self.jwks_refresh_s));
        }
        if !(self.jwks_refresh_s..=STALE_S_MAX).contains(&self.jwks_stale_max_s) {
            let (is, min) = (self.jwks_stale_max_s, self.jwks_refresh_s);
            return Some(format!("`jwks_stale_max_s` is {is}; it must be `jwks_refresh_s` ({min}) to {STALE_S_MAX}"));
        }
        if self.algorithms.as_ref().is_some_and(Vec::is_empty) {
            return Some("`algorithms` is empty; leave it out or name at least one".to_owned());
        }
        if self.audience.iter().any(String::is_empty) {
            return Some("`audience` has an empty entry".to_owned());
        }
        if self.required_claims.len() > REQUIRED_CLAIMS_MAX {
            let is = self.required_claims.len();
            return Some(format!("`required_claims` has {is} entries; the limit is {REQUIRED_CLAIMS_MAX}"));
        }
        if self.required_claims.iter().any(String::is_empty) {
            return Some("`required_claims` has an empty entry".to_owned());
        }
        self.lifetime_max_s
            .and_then(|value| outside("lifetime_max_s", value, 1, i64::MAX))
            .or_else(|| self.leeway_s.and_then(|value| outside("leeway_s", value, 0, LEEWAY_S_MAX)))
            .or_else(|| outside("clock_skew_s", self.clock_skew_s, 0, CLOCK_SKEW_S_MAX))
            .or_else(|| self.claims.fault())
            .or_else(|| self.backchannel.as_ref().and_then(BackchannelSettings::fault))
            .or_else(|| self.refresh.as_ref().and_then(|refresh| refresh.fault(&self.claims)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<IssuerSettings, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn an_issuer_needs_no_more_than_its_name() {
        assert_eq!(parse(r#"{"iss":"a"}"#).unwrap(), IssuerSettings::named("a"));
        IssuerSettings::named("a").validate().unwrap();
    }

    #[test]
    fn unknown_keys_and_algorithms_are_refused_by_name() {
        let error = parse(r#"{"iss":"a","jwks_uri":"x"}"#).unwrap_err().to_string();
        assert!(error.contains("jwks_uri") && error.contains("jwks_url"), "{error}");
        let error = parse(r#"{"iss":"a","keys":[{"alg":"HS256","secrt":"x"}]}"#).unwrap_err().to_string();
        assert!(error.contains("secrt"), "{error}");
        let error = parse(r#"{"iss":"a","algorithms":["none"]}"#).unwrap_err().to_string();
        assert!(error.contains("none") && error.contains("ES384"), "{error}");
        let error = parse(r#"{"keys":[]}"#).unwrap_err().to_string();
        assert!(error.contains("iss"), "{error}");
    }

    #[test]
    fn an_audience_may_be_one_or_many() {
        assert_eq!(parse(r#"{"iss":"a","audience":"x"}"#).unwrap().audience, ["x"]);
        assert_eq!(parse(r#"{"iss":"a","audience":["x","y"]}"#).unwrap().audience, ["x", "y"]);
        assert!(parse(r#"{"iss":"a","audience":1}"#).unwrap_err().to_string().contains("list of strings"));
    }

    #[test]
    fn each_limit_is_named_with_its_issuer() {
        type Spoil = fn(&mut IssuerSettings);
        let cases: [(&str, Spoil); 16] = [
            ("`iss`", |issuer| issuer.iss.clear()),
            ("`iss`", |issuer| issuer.iss = "x".repeat(1_025)),
            ("`jwks_refresh_s`", |issuer| issuer.jwks_refresh_s = 29),
            ("`jwks_refresh_s`", |issuer| issuer.jwks_refresh_s = 86_401),
            ("`jwks_stale_max_s`", |issuer| issuer.jwks_stale_max_s = 299),
            ("`jwks_stale_max_s`", |issuer| issuer.jwks_stale_max_s = 2_592_001),
            ("`algorithms`", |issuer| issuer.algorithms = Some(Vec::new())),
            ("`audience`", |issuer| issuer.audience = vec![String::new()]),
            ("`lifetime_max_s`", |issuer| issuer.lifetime_max_s = Some(0)),
            ("`leeway_s`", |issuer| issuer.leeway_s = Some(-1)),
            ("`leeway_s`", |issuer| issuer.leeway_s = Some(86_401)),
            ("`clock_skew_s`", |issuer| issuer.clock_skew_s = -1),
            ("`clock_skew_s`", |issuer| issuer.clock_skew_s = 3_601),
            ("`required_claims`", |issuer| issuer.required_claims = vec![String::new()]),
            ("`required_claims`", |issuer| issuer.required_claims = vec!["x".to_owned(); 101]),
            ("`claims.jti`", |issuer| issuer.claims.jti.clear()),
        ];
        for (named, spoil) in cases {
            let mut issuer = IssuerSettings::named("https://a.example");
            spoil(&mut issuer);
            let error = issuer.validate().unwrap_err().to_string();
            assert!(error.contains(named) && error.contains(&issuer.iss), "{error}");
        }
    }
}
