//! `POST /revoke`: one token by its claims or raw; many are read by `revoke_many.rs`.

mod family;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::auth::{Seen, authorise, paced};
use super::error::ApiError;
use super::extract::{Media, Members, Query, whole};
use super::listener::Peer;
use super::openapi::{Guarded, Reading, Stored};
use super::trace::Trace;
use super::{Http, Route, bound, revoke_many};
use crate::clock::NumericDate;
use crate::denylist::{Outcome, Proof, RevokeRequest, WriteError};
use crate::event::{Origin, Source};
use crate::keys::{Caller, Scope};
use crate::revocation::{Reason, Revocation};
use crate::token::{Jti, Subject};
use crate::verifier::VerifiedToken;
use crate::wire::{NotStoredAnswer, RevokeAnswer, RevokeAnswers, RevokeBody, RevokeManyAnswer, StoredAnswer};

pub(crate) use family::ToRevoke;

/// The path of a revoke.
pub(crate) const PATH: &str = "/revoke";

/// Revoke one token, or many.
///
/// Idempotent: revoking again changes nothing, a later `exp` extends. A token that has expired by itself is not stored. A raw
/// token that is a refresh token takes its family with it, where its issuer names one.
/// As `application/x-ndjson` each line is such a body and stands on its own; empty lines are skipped. Where that ends
/// early (400, 408, 413, 503), `durable` says how many lines are durable.
#[utoipa::path(
    post, path = "/revoke", tag = "revoke",
    request_body(content((RevokeBody = "application/json"), (String = "application/x-ndjson"))),
    responses(
        (status = 200, description = "Durable, or expired; for many, when no line was rejected", body = RevokeAnswers),
        (status = 207, description = "Many, of which some lines were rejected", body = RevokeManyAnswer),
        Guarded, Reading, Stored,
    ),
)]
pub(crate) async fn revoke(
    State(http): State<Arc<Http>>,
    Extension(caller): Extension<Caller>,
    Extension(trace): Extension<Trace>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    answer(&http, &caller, &trace, &uri, &headers, body).await
}

/// Answers the row of [`PATH`], guard included. Also gives what the access log is to say.
pub(crate) async fn guarded(
    http: &Http,
    route: &'static Route,
    trace: &Trace,
    peer: &Peer,
    request: &Parts,
    body: Body,
) -> (Response, Seen) {
    let caller = authorise(http, route.access, &request.headers, peer);
    let (caller, answer) = match caller.and_then(|caller| paced(http, route, caller)) {
        Ok(caller) => {
            let answer = answer(http, &caller, trace, &request.uri, &request.headers, body).await;
            (Arc::clone(&caller.id), answer)
        }
        Err(refusal) => (Arc::clone(&http.anonymous.id), Err(refusal)),
    };
    (answer.into_response(), Seen { route: route.path, caller })
}

async fn answer(
    http: &Http,
    caller: &Caller,
    trace: &Trace,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    Query::parse(uri.query(), &[], &[])?;
    let by = By::new(caller, trace);
    match Media::of(headers) {
        Some(Media::Json) => {
            let body = whole(http, caller, headers, body).await?;
            one(http, &by, &body).await.map(|answer| Json(answer).into_response())
        }
        // Rare, and much larger: not to be moved about with every revoke of one.
        Some(Media::Ndjson) => Box::pin(revoke_many::stream(http, caller, &by, headers, body)).await,
        Some(Media::Form) | None => Err(ApiError::MediaType("application/json or application/x-ndjson")),
    }
}

async fn one(http: &Http, by: &By, body: &[u8]) -> Result<RevokeAnswer, ApiError> {
    let one = read(http, &by.caller, body).await?;
    by.revoke_one(http, one).await
}

/// Who asks for a change, as the history keeps it.
pub(crate) fn origin(caller: &Caller, trace: &Trace) -> Origin<'static> {
    Origin {
        actor: caller.id.as_ref().to_owned().into(),
        source: Source::Api,
        from: trace.from(),
        request_id: trace.id().to_owned().into(),
    }
}

/// On whose behalf something is revoked.
pub(crate) struct By {
    pub(crate) caller: Caller,
    origin: Origin<'static>,
    is_admin: bool,
}

impl By {
    pub(crate) fn new(caller: &Caller, trace: &Trace) -> Self {
        let is_admin = caller.scopes.contains(Scope::Admin);
        Self { caller: caller.clone(), origin: origin(caller, trace), is_admin }
    }

    /// Revokes all of them, and the families of refresh tokens; returns after what is stored is durable (promise 1).
    pub(crate) async fn revoke(&self, http: &Http, all: Vec<ToRevoke>) -> Result<Vec<Outcome>, WriteError> {
        family::revoke(http, self, all).await
    }

    /// Revokes one token; returns after that is durable.
    pub(crate) async fn revoke_one(&self, http: &Http, one: ToRevoke) -> Result<RevokeAnswer, ApiError> {
        let outcomes = self.revoke(http, vec![one]).await?;
        match outcomes.into_iter().next() {
            Some(Outcome::Stored { seq, ends_at }) => {
                Ok(RevokeAnswer::Stored(StoredAnswer { seq, stored: true, expires_at: ends_at.0 }))
            }
            Some(Outcome::Expired) => {
                Ok(RevokeAnswer::NotStored(NotStoredAnswer { stored: false, because: "expired".to_owned() }))
            }
            Some(Outcome::Refused(refusal)) => Err(refusal.into()),
            // Nobody knows what became of it (promise 3).
            None => Err(WriteError::Failed.into()),
        }
    }
}

/// What one body, or one line, asks to revoke. A raw token is verified here.
///
/// # Errors
/// [`ApiError`] that names the member and the limit, or the caller's bound, or says why the token is refused.
pub(crate) async fn read(http: &Http, caller: &Caller, json: &[u8]) -> Result<ToRevoke, ApiError> {
    let members = Members::parse(json)?;
    let reason = members.text("reason")?.map(Reason::parse).transpose()?.map(Reason::into_owned);
    if !members.has("token") {
        return by_claims(http, caller, &members, reason);
    }
    members.only(&["token", "reason"])?;
    let token = members.text("token")?.unwrap_or_default();
    // As above: fetching keys makes it large.
    let token = Box::pin(http.verifier.verify_to_revoke(&token)).await?;
    bound::proven(http, caller, &token.issuer, token.client_id.as_ref())?;
    by_token(http, token, reason)
}

fn by_claims(
    http: &Http,
    caller: &Caller,
    members: &Members<'_>,
    reason: Option<Reason<'static>>,
) -> Result<ToRevoke, ApiError> {
    members.only(&["jti", "exp", "iss", "sub", "reason"])?;
    let missing = |name: &'static str| ApiError::invalid(name, format!("`{name}` is missing"));
    let jti = members.text("jti")?.ok_or_else(|| missing("jti"))?;
    let exp = members.date_rounded_up("exp")?.ok_or_else(|| missing("exp"))?;
    let sub = members.text("sub")?.map(Subject::parse).transpose()?;
    let revocation = Revocation {
        issuer: http.denylist.issuers().resolve(members.text("iss")?.as_deref())?.issuer.clone(),
        jti: Jti::parse(jti)?.into_owned(),
        sub: sub.map(Subject::into_owned),
        exp,
        reason,
    };
    bound::asserted(http, caller, &revocation.issuer)?;
    let request = RevokeRequest { revocation, proof: Proof::Asserted };
    Ok(ToRevoke { request, family: None, has_exp: true })
}

/// What revokes a verified token, and with a refresh token its family. What kind it is, it says itself: nobody else is asked.
///
/// # Errors
/// [`ApiError::Invalid`] for one that cannot be revoked, having no `exp`.
pub(crate) fn by_token(
    http: &Http,
    token: VerifiedToken,
    reason: Option<Reason<'static>>,
) -> Result<ToRevoke, ApiError> {
    let has_exp = token.exp.is_some();
    let exp = match token.exp {
        Some(exp) => exp,
        None if http.settings.allow_without_exp => retention_without_exp(http, &token.issuer)?,
        None => {
            let detail = "the token has no `exp`; set tokens.allow_without_exp to revoke such tokens all the same";
            return Err(ApiError::invalid("exp", detail));
        }
    };
    let revocation = Revocation { issuer: token.issuer, jti: token.jti, sub: token.sub, exp, reason };
    let request = RevokeRequest { revocation, proof: Proof::Verified { iat: token.iat } };
    Ok(ToRevoke { request, family: token.family.filter(|_| token.is_refresh), has_exp })
}

/// The `exp` by which a token without one is kept: the issuer's longest lifetime from now, never from its `iat`, which
/// would let an old token read as expired although it never does.
fn retention_without_exp(http: &Http, issuer: &crate::token::Issuer<'_>) -> Result<NumericDate, ApiError> {
    let name = Some(issuer.as_str()).filter(|name| !name.is_empty());
    let limits = http.denylist.issuers().resolve(name)?;
    Ok(http.denylist.clock().now().latest.plus(limits.lifetime_max_s))
}
