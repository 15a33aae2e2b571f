//! A raw JWT → its claims, or a refusal, or "the keys cannot be had".
//!
//! Judged are the form of the token, its issuer and its signature. Not judged are `exp`, `nbf` and `aud`: whoever asks
//! knows what an expired token means to it (a revoke of one is done already, a check of one still has a verdict, and only an
//! introspection judges the token as a whole).
//!
//! The order matters. `compact` reads the token strictly; its `iss`, still the caller's word, only chooses among the
//! configured issuers (RFC 8725 section 3.8), which say by what names the claims are read (`claims`); that issuer's keys,
//! each pinned to its algorithms, judge the signature (`key_set`, `signature`); only then are the claims believed. `jku`, `jwk`, `x5u` and `x5c` are never read, and
//! nothing of a token ever becomes part of a path or URL.

mod algorithm;
mod claims;
mod compact;
mod fetch;
mod issuer;
mod jwk;
mod jwks;
mod key_set;
mod logout;
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
use self::claims::Claims;
use self::compact::{Typ, Unverified};
pub(crate) use self::fetch::is_loopback;
use self::issuer::TrustedIssuer;
pub use self::logout::{LogoutError, LogoutRefusal, LogoutToken};
pub use self::refusal::{JSON_DEPTH_MAX, Part, Refusal, TOKEN_BYTES_MAX, VerifyError};
pub use self::secret::{Secret, SecretEncoding};
pub use self::settings::{
    BackchannelSettings, ClaimSettings, IssuerSettings, KEYS_MAX, KeySettings, RefreshSettings, SettingsError,
};
use crate::clock::NumericDate;
use crate::token::{ClientId, Family, Issuer, Jti, Sid, Subject, WithoutJti};

/// What a genuine token says. Nothing here is judged against the time.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The configured issuer whose key signed it.
    pub issuer: Issuer<'static>,
    /// Its identifier: the claim that the issuer's `claims.jti` names, else `sha-256:` and, in base64url without padding,
    /// the SHA-256 of header, dot and payload as they were sent.
    pub jti: Jti<'static>,
    /// Its subject.
    pub sub: Option<Subject<'static>>,
    /// Its session.
    pub sid: Option<Sid<'static>>,
    /// Its client: `client_id`, else `azp`.
    pub client_id: Option<ClientId<'static>>,
    /// What it has in common with the tokens of the same grant: the claim that the issuer's `refresh.family_claim` names, or
    /// session and client.
    pub family: Option<Family<'static>>,
    /// Whether it is a refresh token, by the issuer's `refresh.kind_claim`.
    pub is_refresh: bool,
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
    /// Whether the token's identifier is a claim of it.
    pub has_jti: bool,
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
            .field("has_family", &self.family.is_some())
            .field("is_refresh", &self.is_refresh)
            .field("exp", &self.exp)
            .field("iat", &self.iat)
            .finish_non_exhaustive()
    }
}

/// A token with a genuine signature.
struct Judged {
    token: VerifiedToken,
    typ: Typ,
    /// Whether it has every required claim.
    is_complete: bool,
}

/// Whether one of those whom a token is for is one of us.
fn addresses(theirs: &[String], ours: &[String]) -> bool {
    theirs.iter().any(|name| ours.contains(name))
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
    /// [`VerifyError::Refused`] when the token is bad, is a logout token, or lacks a claim that its issuer must put in;
    /// [`VerifyError::KeysUnavailable`] when nobody can say, which must never read as a verdict (promise 3).
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken, VerifyError> {
        match self.judge(token).await? {
            Judged { typ: Typ::Logout, .. } => Err(Refusal::LogoutToken.into()),
            Judged { is_complete: false, .. } => Err(Refusal::RequiredClaimMissing.into()),
            Judged { token, .. } => Ok(token),
        }
    }

    /// The same for a token that is to be revoked, which need not have the issuer's `required_claims`: whoever accepts
    /// such a token nevertheless is to be protected from it.
    ///
    /// # Errors
    /// As for [`Self::verify`], but for those claims.
    pub async fn verify_to_revoke(&self, token: &str) -> Result<VerifiedToken, VerifyError> {
        Ok(self.judge(token).await?.token)
    }

    async fn judge(&self, token: &str) -> Result<Judged, VerifyError> {
        let token = Unverified::parse(token)?;
        let (issuer, claims, is_complete) = self.read(&token)?;
        issuer.judge(&token).await?;
        let jti = match (claims.jti, issuer.naming.without_jti) {
            (Some(jti), _) => jti,
            (None, WithoutJti::SigningInput) => token.derived_jti()?,
            (None, WithoutJti::Refuse) => return Err(Refusal::JtiMissing.into()),
        };
        let verified = VerifiedToken {
            issuer: issuer.name.clone(),
            jti,
            sub: claims.sub,
            sid: claims.sid,
            client_id: claims.client_id,
            family: claims.family,
            is_refresh: claims.is_refresh,
            exp: claims.exp,
            iat: claims.iat,
            rest: claims.rest,
        };
        Ok(Judged { token: verified, typ: token.typ, is_complete })
    }

    /// Whose token it says to be, what it says, and whether it has every claim that its issuer requires.
    fn read(&self, token: &Unverified<'_>) -> Result<(&TrustedIssuer, Claims, bool), Refusal> {
        let payload = token.payload()?;
        let issuer = self.issuer_of(claims::issuer(&payload)?.as_deref())?;
        let is_complete = issuer.required_claims.iter().all(|name| claims::has(&payload, name));
        Ok((issuer, Claims::read(&payload, &issuer.naming, issuer.refresh_tokens.as_ref())?, is_complete))
    }

    /// Whether a token is for whoever relies on this server: its `aud` (RFC 7519 section 4.1.3) holds one of the issuer's
    /// `audience`, or none is configured.
    #[must_use]
    pub fn is_for_us(&self, token: &VerifiedToken) -> bool {
        let ours = self.issuers.iter().find(|issuer| issuer.name == token.issuer).map(|issuer| &issuer.audience);
        match (&token.rest.aud, ours) {
            (_, None) => false,
            (None, Some(ours)) => ours.is_empty(),
            (Some(theirs), Some(ours)) => !theirs.is_empty() && (ours.is_empty() || addresses(theirs, ours)),
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

    fn issuer_of(&self, iss: Option<&str>) -> Result<&TrustedIssuer, Refusal> {
        match (iss, self.issuers.as_slice()) {
            (_, []) => Err(Refusal::NoIssuers),
            (None, [only]) => Ok(only),
            (None, _) => Err(Refusal::IssuerMissing),
            (Some(name), issuers) => {
                issuers.iter().find(|issuer| issuer.name.as_str() == name).ok_or(Refusal::IssuerUnknown)
            }
        }
    }
}
