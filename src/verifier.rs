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
mod verified;

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
use self::strict_json::Object;
pub use self::verified::{Rest, VerifiedToken};
use crate::token::{Issuer, Naming, WithoutJti};

/// A token with a genuine signature.
struct Judged {
    token: VerifiedToken,
    typ: Typ,
    /// Whether it has every required claim.
    is_complete: bool,
}

/// What a token says, with the identifier that its issuer's tokens have without one, where its token is there to make it of.
fn complete(
    token: Option<&Unverified<'_>>,
    issuer: &Issuer<'static>,
    naming: &Naming<'_>,
    claims: Claims,
) -> Result<VerifiedToken, Refusal> {
    let jti = match (claims.jti, naming.without_jti, token) {
        (Some(jti), ..) => jti,
        (None, WithoutJti::SigningInput, Some(token)) => token.derived_jti()?,
        (None, ..) => return Err(Refusal::JtiMissing),
    };
    Ok(VerifiedToken {
        issuer: issuer.clone(),
        jti,
        sub: claims.sub,
        sid: claims.sid,
        client_id: claims.client_id,
        family: claims.family,
        is_refresh: claims.is_refresh,
        exp: claims.exp,
        iat: claims.iat,
        keys_version: None,
        rest: claims.rest,
    })
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

    /// Reads a token that somebody else has verified: as strictly, and without a look at its signature. Without issuers in the
    /// config it is one of the nameless issuer, whatever it says itself.
    ///
    /// # Errors
    /// [`Refusal`] as for [`Self::verify`], but for the signature.
    pub fn read(&self, token: &str) -> Result<VerifiedToken, Refusal> {
        let token = Unverified::parse(token)?;
        if token.typ == Typ::Logout {
            return Err(Refusal::LogoutToken);
        }
        self.trust(&token.payload()?, Some(&token))
    }

    /// Reads the payload of a token that somebody else has verified, as JSON text, where the token itself is not there to be
    /// read.
    ///
    /// # Errors
    /// [`Refusal`] as for [`Self::read`]; and without a `jti`, whatever the issuer's `without_jti`: what such a token is
    /// known by cannot be made of its payload.
    pub fn read_payload(&self, payload: &str) -> Result<VerifiedToken, Refusal> {
        self.trust(&Object::parse(payload, Part::Payload)?, None)
    }

    /// What a payload says that somebody else vouches for.
    fn trust(&self, payload: &Object<'_>, token: Option<&Unverified<'_>>) -> Result<VerifiedToken, Refusal> {
        if self.issuers.is_empty() {
            let (issuer, naming) = (Issuer::NAMELESS, Naming::default());
            return complete(token, &issuer, &naming, Claims::read(payload, &naming, None)?);
        }
        let (issuer, claims, is_complete) = self.read_claims(payload)?;
        if !is_complete {
            return Err(Refusal::RequiredClaimMissing);
        }
        complete(token, &issuer.name, &issuer.naming, claims)
    }

    /// Which keys judge an issuer's tokens now, while they may be used: another number for every change. `None` where they
    /// may not, and for an issuer that is not configured.
    #[must_use]
    pub fn keys_version(&self, issuer: &Issuer<'_>) -> Option<u64> {
        self.issuers.iter().find(|known| known.name == *issuer).and_then(TrustedIssuer::keys_version)
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
        let (issuer, claims, is_complete) = self.read_claims(&token.payload()?)?;
        let keys_version = Some(issuer.judge(&token).await?);
        let verified = complete(Some(&token), &issuer.name, &issuer.naming, claims)?;
        Ok(Judged { token: VerifiedToken { keys_version, ..verified }, typ: token.typ, is_complete })
    }

    /// Whose token it says to be, what it says, and whether it has every claim that its issuer requires.
    fn read_claims(&self, payload: &Object<'_>) -> Result<(&TrustedIssuer, Claims, bool), Refusal> {
        let issuer = self.issuer_of(claims::issuer(payload)?.as_deref())?;
        let is_complete = issuer.required_claims.iter().all(|name| claims::has(payload, name));
        Ok((issuer, Claims::read(payload, &issuer.naming, issuer.refresh_tokens.as_ref())?, is_complete))
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
