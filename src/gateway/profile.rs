//! What a gateway may ask, by its credential: the `[[gateways]]` sections of the config.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest name of a gateway, and of a cookie, bytes.
const NAME_BYTES_MAX: usize = 64;

/// One `[[gateways]]` section. Unknown keys are refused by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// What metrics, log and `/readyz?verbose` call it: 1 to 64 of `A-Z a-z 0-9 _ -`. Required, each name once.
    pub name: String,
    /// Whose it is: ids of API keys with the scope `check`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// And names of `[[tls.clients]]` with that scope.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<String>,
    /// And whoever connects to one of these addresses of `server.listen`, without showing anything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listen: Vec<String>,
    /// What is done with tokens; default `verify`.
    pub mode: Mode,
    /// Where tokens are looked for; default `["authorization"]`.
    pub tokens_in: Vec<TokenSource>,
    /// What becomes of a request that presents nothing; default `refuse`.
    pub without_token: WithoutToken,
    /// Whether `X-Jwt-*` headers are read, which the gateway must set or unset on every request; default `false`.
    pub claim_headers: bool,
    /// What becomes of a request when nobody can say; default `closed`.
    pub unavailable: WhenUnavailable,
}

impl Default for Profile {
    /// What a gateway without a section may ask.
    fn default() -> Self {
        Self {
            name: String::new(),
            keys: Vec::new(),
            certificates: Vec::new(),
            listen: Vec::new(),
            mode: Mode::Verify,
            tokens_in: vec![TokenSource::Authorization],
            without_token: WithoutToken::Refuse,
            claim_headers: false,
            unavailable: WhenUnavailable::Closed,
        }
    }
}

/// What is done with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All of it is judged: signature, times, audience, and then whether it is revoked.
    Verify,
    /// The gateway has verified it: it is read strictly, or its payload is where the gateway sends that instead, and judged is
    /// only whether it is revoked.
    Trust,
}

/// What becomes of a request that presents nothing at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithoutToken {
    /// It is refused.
    Refuse,
    /// It passes: what is behind the gateway is for everybody.
    Pass,
}

/// What becomes of a request when nobody can say whether it may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenUnavailable {
    /// It is refused, as unavailable.
    Closed,
    /// It passes where its token is genuine and the denylist cannot say whether it is revoked; each is counted and logged.
    Open,
}

/// Where a token is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// `Authorization: Bearer …`.
    Authorization,
    /// The cookie of this name.
    Cookie(String),
}

/// A text that names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is neither \"authorization\" nor \"cookie:NAME\", with a name of 1 to {NAME_BYTES_MAX} of A-Z a-z 0-9 _ . -"
)]
pub struct SourceError(String);

impl FromStr for TokenSource {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Fewer characters than RFC 6265 permits, and more than anybody uses.
        let is_name = |name: &str| is_plain(name, b"_.-");
        match text.strip_prefix("cookie:") {
            Some(name) if is_name(name) => Ok(Self::Cookie(name.to_owned())),
            None if text == "authorization" => Ok(Self::Authorization),
            _ => Err(SourceError(text.to_owned())),
        }
    }
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorization => f.write_str("authorization"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

impl Serialize for TokenSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a `[[gateways]]` section cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[[gateways]] {name:?}: {fault}")]
pub struct ProfileError {
    /// Its name.
    pub name: String,
    /// What is wrong.
    pub fault: String,
}

impl Profile {
    /// Checks what can be checked by itself.
    ///
    /// # Errors
    /// [`ProfileError`] naming the key and the limit.
    pub fn validate(&self) -> Result<(), ProfileError> {
        self.fault().map_or(Ok(()), |fault| Err(ProfileError { name: self.name.clone(), fault }))
    }

    fn fault(&self) -> Option<String> {
        if !is_plain(&self.name, b"_-") {
            return Some(format!("`name` must have 1 to {NAME_BYTES_MAX} of A-Z a-z 0-9 _ -"));
        }
        if self.keys.is_empty() && self.certificates.is_empty() && self.listen.is_empty() {
            return Some("it is nobody's: name its credential by `keys`, `certificates` or `listen`".to_owned());
        }
        let is_id = |id: &String| id.len() == 12 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !self.keys.iter().all(is_id) {
            // What is none may be a whole key.
            return Some("`keys` holds what is no id of a key, which is the part of it between the two `_`".to_owned());
        }
        if self.tokens_in.is_empty() && !self.claim_headers {
            return Some("`tokens_in` is empty and `claim_headers` off, so nothing would ever be judged".to_owned());
        }
        let twice = (1..self.tokens_in.len()).find(|at| self.tokens_in[..*at].contains(&self.tokens_in[*at]));
        twice.map(|at| format!("`tokens_in` names {} twice", self.tokens_in[at]))
    }

    /// The id of whoever connects to this address, where it stands for a gateway.
    #[must_use]
    pub fn caller_on(address: &str) -> String {
        format!("listen:{address}")
    }

    /// The ids of the callers that it is for.
    pub fn callers(&self) -> impl Iterator<Item = String> + '_ {
        let certificates = self.certificates.iter().map(|name| format!("cert:{name}"));
        let listen = self.listen.iter().map(|address| Self::caller_on(address));
        self.keys.iter().cloned().chain(certificates).chain(listen)
    }
}

fn is_plain(name: &str, besides: &[u8]) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || besides.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Profile, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_section_needs_a_name_and_a_credential() {
        let profile = parse(r#"{"name":"edge","keys":["0123456789ab"]}"#).unwrap();
        profile.validate().unwrap();
        assert_eq!((profile.mode, profile.without_token), (Mode::Verify, WithoutToken::Refuse));
        assert_eq!((profile.unavailable, profile.claim_headers), (WhenUnavailable::Closed, false));
        for (json, named) in [
            (r#"{"keys":["0123456789ab"]}"#, "`name`"),
            (r#"{"name":"a b","keys":["0123456789ab"]}"#, "`name`"),
            (r#"{"name":"a"}"#, "`keys`, `certificates` or `listen`"),
            (r#"{"name":"a","keys":["revokd_0123456789ab_secret"]}"#, "`keys`"),
            (r#"{"name":"a","keys":["0123456789ab"],"tokens_in":[]}"#, "`tokens_in`"),
            (r#"{"name":"a","keys":["0123456789ab"],"tokens_in":["cookie:a","cookie:a"]}"#, "cookie:a twice"),
        ] {
            let said = parse(json).unwrap().validate().unwrap_err().to_string();
            assert!(said.contains(named) && !said.contains("secret"), "{said}");
        }
        for (json, named) in [
            (r#"{"tokens_in":["header:x"]}"#, "header:x"),
            (r#"{"tokens_in":["cookie:"]}"#, "cookie:"),
            (r#"{"tokens_in":["cookie:a=b"]}"#, "cookie:a=b"),
            (r#"{"mode":"believe"}"#, "believe"),
            (r#"{"fail":"open"}"#, "fail"),
        ] {
            assert!(parse(json).unwrap_err().to_string().contains(named), "{json}");
        }
    }
}
