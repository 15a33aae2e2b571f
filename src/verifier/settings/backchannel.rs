//! `[issuers.backchannel]`: whose logout tokens log somebody out (OpenID Connect Back-Channel Logout 1.0).

use serde::{Deserialize, Serialize};

use super::one_or_many;
use crate::token::CLAIM_BYTES_MAX;

const AGE_S: std::ops::RangeInclusive<i64> = 1..=86_400;

/// One `[issuers.backchannel]` section. Without it no logout token of the issuer is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackchannelSettings {
    /// The clients in whose place revokd is told, by their `client_id` at the issuer; a string or a list, at least one. A
    /// logout token must be for one of them. Required.
    #[serde(deserialize_with = "one_or_many")]
    pub audience: Vec<String>,
    /// Whether a logout token may be signed with a shared secret; default `false`: whoever can check such a signature can
    /// make one.
    #[serde(default)]
    pub allow_hmac: bool,
    /// How long ago a logout token may have been issued, seconds; 1 to 86,400, default 300. Who has seen one can send it
    /// again as long, which changes nothing unless somebody has taken the logout back meanwhile.
    #[serde(default = "default_iat_max_age_s")]
    pub iat_max_age_s: i64,
    /// Whether a logout token must have an `exp`, as section 2.4 requires; default `true`. Older providers send none.
    #[serde(default = "default_require_exp")]
    pub require_exp: bool,
    /// Whether a logout token that names a session and its subject logs out the subject everywhere; default `false`. Tokens
    /// without a session (`sid`) are not reached otherwise.
    #[serde(default)]
    pub subject_too: bool,
}

const fn default_iat_max_age_s() -> i64 {
    300
}

const fn default_require_exp() -> bool {
    true
}

impl BackchannelSettings {
    /// For logout tokens to one of `audience`, with everything else left out.
    #[must_use]
    pub fn for_audience(audience: Vec<String>) -> Self {
        Self {
            audience,
            allow_hmac: false,
            iat_max_age_s: default_iat_max_age_s(),
            require_exp: default_require_exp(),
            subject_too: false,
        }
    }

    /// What is wrong with it, if something is.
    pub(super) fn fault(&self) -> Option<String> {
        if self.audience.is_empty() {
            return Some("`backchannel.audience` is empty; leave the section out or name at least one".to_owned());
        }
        if self.audience.iter().any(|name| name.is_empty() || name.len() > CLAIM_BYTES_MAX) {
            return Some(format!("`backchannel.audience` has an entry that is not of 1 to {CLAIM_BYTES_MAX} bytes"));
        }
        if !AGE_S.contains(&self.iat_max_age_s) {
            let (is, min, max) = (self.iat_max_age_s, AGE_S.start(), AGE_S.end());
            return Some(format!("`backchannel.iat_max_age_s` is {is}; it must be {min} to {max}"));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<BackchannelSettings, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn an_audience_is_needed_and_enough() {
        let settings = parse(r#"{"audience":"shop"}"#).unwrap();
        assert_eq!(settings, BackchannelSettings::for_audience(vec!["shop".to_owned()]));
        assert_eq!(settings.fault(), None);
        assert!(parse("{}").unwrap_err().to_string().contains("audience"));
        assert!(parse(r#"{"audience":"a","audiences":1}"#).unwrap_err().to_string().contains("audiences"));
    }

    #[test]
    fn each_limit_is_named() {
        for (json, named) in [
            (r#"{"audience":[]}"#, "`backchannel.audience`"),
            (r#"{"audience":["a",""]}"#, "`backchannel.audience`"),
            (r#"{"audience":"a","iat_max_age_s":0}"#, "`backchannel.iat_max_age_s` is 0"),
            (r#"{"audience":"a","iat_max_age_s":86401}"#, "1 to 86400"),
        ] {
            let said = parse(json).unwrap().fault().unwrap();
            assert!(said.contains(named), "{said}");
        }
    }
}
