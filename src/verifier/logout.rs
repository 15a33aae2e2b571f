//! A logout token → whom it logs out, or a refusal (OpenID Connect Back-Channel Logout 1.0 section 2.6). All of it but the
//! time, which is for whoever has a clock.

use serde::Deserialize;

use super::algorithm::KeyKind;
use super::claims::{Claims, issuer};
use super::compact::{Typ, Unverified};
use super::refusal::{Refusal, VerifyError};
use super::settings::BackchannelSettings;
use super::strict_json::{Object, Value};
use super::{Verifier, addresses};
use crate::clock::NumericDate;
use crate::token::{Issuer, Sid, Subject};

/// The member of `events` that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// What a genuine logout token says. Nothing here is judged against the time.
#[derive(Debug)]
pub struct LogoutToken<'v> {
    /// The configured issuer whose key signed it.
    pub issuer: &'v Issuer<'static>,
    /// Whose sessions have ended, where it says so; one of this and the next is always there.
    pub sub: Option<Subject<'static>>,
    /// The session that has ended.
    pub sid: Option<Sid<'static>>,
    /// When it was issued; a fraction is rounded down.
    pub iat: NumericDate,
    /// When it expires; a fraction is rounded up. There unless `backchannel.require_exp` is off.
    pub exp: Option<NumericDate>,
    /// What its issuer's section says.
    pub settings: &'v BackchannelSettings,
}

/// Why a logout token is refused. None quotes it (promise 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogoutRefusal {
    /// As any token may be.
    #[error(transparent)]
    Token(#[from] Refusal),
    /// Its issuer's are not taken.
    #[error("back-channel logout is off for this issuer; `audience` in its [issuers.backchannel] turns it on")]
    Off,
    /// It says that it is something else.
    #[error("the header's `typ` is neither `logout+jwt` nor `JWT`")]
    Typ,
    /// It is signed with a shared secret.
    #[error("the header's `alg` is that of a shared secret, and `backchannel.allow_hmac` of the issuer is off")]
    SharedSecret,
    /// It is for somebody else.
    #[error("the claim `aud` holds none of `backchannel.audience` of the issuer")]
    Audience,
    /// A claim that it must have is not there.
    #[error("the claim `{claim}` is missing")]
    Missing {
        /// Its name.
        claim: &'static str,
    },
    /// It names nobody.
    #[error(
        "neither a subject nor a session is named; the claims of the issuer's `claims.sub` and `claims.sid` name them"
    )]
    Nobody,
    /// No logout is among its events.
    #[error("the claim `events` is no object with an object at `{EVENT}`")]
    Events,
    /// It could be an ID token: section 2.4 forbids the claim so that neither is ever taken for the other.
    #[error("the claim `nonce` must not be in a logout token")]
    Nonce,
}

/// What comes of a logout token that is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogoutError {
    /// It is bad, and will stay so.
    #[error(transparent)]
    Refused(#[from] LogoutRefusal),
    /// Nobody can say: the issuer's keys cannot be had now (promise 3).
    #[error("the issuer's keys cannot be had at the moment")]
    KeysUnavailable,
}

impl From<Refusal> for LogoutError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<VerifyError> for LogoutError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Refused(refusal) => refusal.into(),
            VerifyError::KeysUnavailable => Self::KeysUnavailable,
        }
    }
}

impl Verifier {
    /// Judges a logout token: form, issuer, algorithm, signature, and then its claims. Subject and session are read by the
    /// names that the issuer's `claims` give them, as in its other tokens, whose they are. Costs and waits as
    /// [`Self::verify`].
    ///
    /// # Errors
    /// [`LogoutError::Refused`] that says what is wrong with it; [`LogoutError::KeysUnavailable`] when nobody can say.
    pub async fn verify_logout(&self, token: &str) -> Result<LogoutToken<'_>, LogoutError> {
        let token = Unverified::parse(token)?;
        let trusted = self.issuer_of(Some(named_issuer(&token)?.as_str()))?;
        let settings = trusted.backchannel.as_ref().ok_or(LogoutRefusal::Off)?;
        if token.typ == Typ::Other {
            return Err(LogoutRefusal::Typ.into());
        }
        if token.algorithm.key_kind() == KeyKind::Secret && !settings.allow_hmac {
            return Err(LogoutRefusal::SharedSecret.into());
        }
        trusted.judge(&token).await?;
        let payload = token.payload()?;
        let claims = Claims::read(&payload, &trusted.naming, None)?;
        if !claims.rest.aud.as_deref().is_some_and(|theirs| addresses(theirs, &settings.audience)) {
            return Err(LogoutRefusal::Audience.into());
        }
        let missing = |claim| LogoutRefusal::Missing { claim };
        let iat = claims.iat.ok_or(missing("iat"))?;
        if claims.exp.is_none() && settings.require_exp {
            return Err(missing("exp").into());
        }
        if !matches!(payload.get("jti"), Some(Value::String(jti)) if !jti.is_empty()) {
            return Err(missing("jti").into());
        }
        if claims.sub.is_none() && claims.sid.is_none() {
            return Err(LogoutRefusal::Nobody.into());
        }
        judge_events(&payload, token.payload_text())?;
        let Claims { sub, sid, exp, .. } = claims;
        Ok(LogoutToken { issuer: &trusted.name, sub, sid, iat, exp, settings })
    }
}

/// The issuer that it names: unlike an access token, it must.
fn named_issuer(token: &Unverified<'_>) -> Result<String, LogoutError> {
    let payload = token.payload()?;
    let issuer = issuer(&payload)?.ok_or(LogoutRefusal::Missing { claim: "iss" })?;
    Ok(issuer.into_owned())
}

/// Whether it is about a logout, and cannot be taken for an ID token.
fn judge_events(payload: &Object<'_>, text: &str) -> Result<(), LogoutRefusal> {
    /// No member is there twice: the strict reader has seen to it.
    #[derive(Deserialize)]
    struct Events {
        events: serde_json::Map<String, serde_json::Value>,
    }
    let parsed = serde_json::from_str::<Events>(text);
    let is_logout = parsed.is_ok_and(|parsed| parsed.events.get(EVENT).is_some_and(serde_json::Value::is_object));
    if !is_logout {
        return Err(LogoutRefusal::Events);
    }
    if payload.get("nonce").is_some() { Err(LogoutRefusal::Nonce) } else { Ok(()) }
}
