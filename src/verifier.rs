//! A raw JWT → its claims, or a refusal, or "the keys cannot be had".
//!
//! Judged are the form of the token, its issuer and its signature. Not judged are `exp`, `nbf` and `aud`: whoever asks
//! knows what an expired token means to it (a revoke of one is done already, a check of one still has a verdict, and only an
//! introspection judges the token as a whole).
//!
//! The order matters. `compact` reads the token strictly; its `iss`, still the caller's word, only chooses among the
//! configured issuers (RFC 8725 section 3.8); that issuer's keys, each pinned to its algorithms, judge the signature
//! (`key_set`, `signature`); only then are the claims believed. `jku`, `jwk`, `x5u` and `x5c` are never read, and
//! nothing of a token ever becomes part of a path or URL.

mod algorithm;
mod claims;
mod compact;
mod fetch;
mod issuer;
mod jwk;
mod jwks;
mod key_set;
mod refusal;
mod secret;
mod settings;
mod signature;
mod strict_json;

use std::fmt;
use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::Pin;
use std::task::Poll;

use tokio_util::sync::CancellationToken;

pub use self::algorithm::Algorithm;
use self::compact::Unverified;
use self::issuer::TrustedIssuer;
pub use self::refusal::{JSON_DEPTH_MAX, Part, Refusal, TOKEN_BYTES_MAX, VerifyError};
pub use self::secret::{Secret, SecretEncoding};
pub use self::settings::{IssuerSettings, KEYS_MAX, KeySettings, SettingsError};
use crate::clock::NumericDate;
use crate::token::{ClientId, Issuer, Jti, Sid, Subject};

/// What a genuine token says. Nothing here is judged against the time.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The configured issuer whose key signed it.
    pub issuer: Issuer<'static>,
    /// Its identifier.
    pub jti: Option<Jti<'static>>,
    /// Its subject.
    pub sub: Option<Subject<'static>>,
    /// Its session.
    pub sid: Option<Sid<'static>>,
    /// Its client: `client_id`, else `azp`.
    pub client_id: Option<ClientId<'static>>,
    /// When it expires; a fraction is rounded up.
    pub exp: Option<NumericDate>,
    /// When it was issued; a fraction is rounded down.
    pub iat: Option<NumericDate>,
    /// What only those look at who judge a token as a whole.
    pub rest: Rest,
}

/// The claims that decide nothing here and are not held against a token: whoever judges it as a whole looks at them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Rest {
    /// `exp` with a fraction rounded down: by it an expired token is never called active.
    pub exp_floor: Option<NumericDate>,
    /// Before when it must not be accepted; a fraction is rounded up. [`NumericDate::NEVER`] for what is no time: such a
    /// token never begins.
    pub nbf: Option<NumericDate>,
    /// Whom it is for; nobody where the claim is neither a string nor a list of strings.
    pub aud: Option<Vec<String>>,
    /// What it permits (RFC 8693 section 4.2), where that is a string.
    pub scope: Option<String>,
}

impl fmt::Debug for VerifiedToken {
    /// Prints the times and which claims there are: raw claim values stay out of logs (promise 12).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken")
            .field("issuer", &self.issuer)
            .field("jti", &self.jti)
            .field("sub", &self.sub)
            .field("has_sid", &self.sid.is_some())
            .field("has_client_id", &self.client_id.is_some())
            .field("exp", &self.exp)
            .field("iat", &self.iat)
            .finish_non_exhaustive()
    }
}

/// Judges raw tokens by the keys of the configured issuers.
#[derive(Debug)]
pub struct Verifier {
    issuers: Vec<TrustedIssuer>,
}

impl Verifier {
    /// Loads every key that is given in the settings or in a file; relative paths start at `base`. Fetches nothing:
    /// until [`Self::refresh`] has fetched a `jwks_url`, its issuer's tokens cannot be judged.
    ///
    /// # Errors
    /// [`SettingsError`] naming the issuer and the key, when a setting is out of its limits, an issuer is named twice,
    /// or a key cannot be read or does not fit its `alg`.
    pub fn new(issuers: Vec<IssuerSettings>, base: &Path) -> Result<Self, SettingsError> {
        let mut trusted: Vec<TrustedIssuer> = Vec::with_capacity(issuers.len());
        for settings in issuers {
            if trusted.iter().any(|other| other.name.as_str() == settings.iss) {
                return Err(SettingsError::Issuer { iss: settings.iss, fault: "it is configured twice".to_owned() });
            }
            trusted.push(TrustedIssuer::load(settings, base)?);
        }
        Ok(Self { issuers: trusted })
    }

    /// Judges a token in the compact form. Costs one strict parse and, as a rule, one signature check; waits, for at
    /// most 6 s, only where the issuer's published keys have to be fetched first. May be dropped at any time.
    ///
    /// A token without `iss` means the only issuer, where there is one (promise 16).
    ///
    /// # Errors
    /// [`VerifyError::Refused`] when the token is bad; [`VerifyError::KeysUnavailable`] when nobody can say, which must
    /// never read as a verdict (promise 3).
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken, VerifyError> {
        let token = Unverified::parse(token)?;
        let issuer = self.issuer_of(&token)?;
        issuer.judge(&token).await?;
        let claims = token.claims;
        Ok(VerifiedToken {
            issuer: issuer.name.clone(),
            jti: claims.jti,
            sub: claims.sub,
            sid: claims.sid,
            client_id: claims.client_id,
            exp: claims.exp,
            iat: claims.iat,
            rest: claims.rest,
        })
    }

    /// Whether a token is for whoever relies on this server: its `aud` (RFC 7519 section 4.1.3) holds one of the issuer's
    /// `audience`, or none is configured.
    #[must_use]
    pub fn is_for_us(&self, token: &VerifiedToken) -> bool {
        let ours = self.issuers.iter().find(|issuer| issuer.name == token.issuer).map(|issuer| &issuer.audience);
        match (&token.rest.aud, ours) {
            (_, None) => false,
            (None, Some(ours)) => ours.is_empty(),
            (Some(theirs), Some(ours)) => {
                !theirs.is_empty() && (ours.is_empty() || theirs.iter().any(|name| ours.contains(name)))
            }
        }
    }

    /// Keeps every published key set fresh until `stop` is cancelled. To be awaited once, beside the server, and only
    /// after it has stopped serving should it be stopped: without it nothing is fetched, and a verification that needs
    /// a fetch waits in vain.
    pub async fn refresh(&self, stop: CancellationToken) {
        let mut loops: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = Vec::new();
        for source in self.issuers.iter().filter_map(|issuer| issuer.source.as_ref()) {
            loops.push(Box::pin(source.run()));
        }
        // The loops never end by themselves: `stop` ends them all.
        let all = poll_fn(|context| {
            for each in &mut loops {
                let _pending = each.as_mut().poll(context);
            }
            Poll::<()>::Pending
        });
        stop.run_until_cancelled(all).await;
    }

    fn issuer_of(&self, token: &Unverified<'_>) -> Result<&TrustedIssuer, Refusal> {
        match (&token.claims.iss, self.issuers.as_slice()) {
            (_, []) => Err(Refusal::NoIssuers),
            (None, [only]) => Ok(only),
            (None, _) => Err(Refusal::IssuerMissing),
            (Some(name), issuers) => {
                issuers.iter().find(|issuer| issuer.name.as_str() == name).ok_or(Refusal::IssuerUnknown)
            }
        }
    }
}
