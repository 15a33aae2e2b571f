//! `POST /backchannel-logout`: an `OpenID` provider says that a session has ended (OpenID Connect Back-Channel Logout 1.0).
//!
//! Nobody shows a key here: the logout token is the authentication. One that is refused counts as a stranger's request, but
//! only after it was judged, for behind a proxy forger and provider come from one address, and a logout must not be lost
//! because somebody else has sent nonsense.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use utoipa::IntoResponses;

use super::super::Http;
use super::super::error::ApiError;
use super::super::extract::{Query, form};
use super::super::listener::Peer;
use super::super::trace::Trace;
use super::FormRefusals;
use crate::clock::NumericDate;
use crate::denylist::{LogOutOutcome, LogOutRequest};
use crate::event::{Origin, Source};
use crate::revocation::{Reason, Target};
use crate::token::Selector;
use crate::verifier::{LogoutError, LogoutToken};
use crate::wire::{LogoutForm, OAuthError};

/// What is kept as the reason.
const REASON: &str = "back-channel logout";

/// Why a token is not taken.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described, never made")]
pub(crate) enum Refused {
    /// `invalid_request`: no form with a logout token that logs somebody out
    #[response(status = 400)]
    Malformed(OAuthError),
}

/// Take the logout of a session or a subject (`OpenID` Connect Back-Channel Logout).
///
/// Off until `audience` in the issuer's `[issuers.backchannel]` turns it on. The session (`sid`) is logged out that the token
/// names, or where it names none the subject, as of the token's `iat`: every token of theirs that was issued until then.
/// Sending it again changes nothing.
#[utoipa::path(
    post, path = "/backchannel-logout", tag = "logout", security(),
    request_body(content = LogoutForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "Durable; the body is empty"), Refused, FormRefusals),
)]
pub(crate) async fn log_out(
    State(http): State<Arc<Http>>,
    Extension(peer): Extension<Peer>,
    Extension(trace): Extension<Trace>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, ApiError> {
    Query::parse(uri.query(), &[], &[])?;
    let form = form(&http, None, &headers, body).await?;
    // Fetching keys makes it large.
    let judged = Box::pin(http.verifier.verify_logout(form.required("logout_token")?)).await;
    let token = match judged {
        Ok(token) => token,
        Err(LogoutError::Refused(refusal)) => return Err(turned_away(&http, &peer, &trace, &refusal.to_string())),
        Err(LogoutError::KeysUnavailable) => return Err(ApiError::KeysUnavailable),
    };
    let issued_before = issued_before(&http, &token).map_err(|fault| turned_away(&http, &peer, &trace, &fault))?;
    for target in targets(&token) {
        cut_off(&http, &trace, &token, target, issued_before).await?;
    }
    Ok(StatusCode::OK)
}

/// Counts a token that proves nothing.
fn turned_away(http: &Http, peer: &Peer, trace: &Trace, fault: &str) -> ApiError {
    http.metrics.auth_failures.logout_token.increment(1);
    // Who is told this is noted as everywhere.
    if let Err(too_many) = http.paces.stranger(peer, &http.metrics) {
        return too_many;
    }
    http.denylist.note_stranger(trace.from());
    tracing::warn!(fault, request_id = trace.id(), "a logout token was refused");
    ApiError::malformed_field("logout_token", format!("`logout_token` is refused: {fault}"))
}

/// The last second whose tokens are logged out: the token's `iat`, so that sending it again says the same. Where the clock is
/// doubted, the one of the two times decides that lets the token in: what it does is bounded by its `iat` either way.
fn issued_before(http: &Http, token: &LogoutToken<'_>) -> Result<NumericDate, String> {
    let now = http.denylist.clock().now();
    let limits = http.denylist.issuers().limits_of(token.issuer).map_err(|error| error.to_string())?;
    if token.iat > now.latest.plus(limits.clock_skew_s) {
        return Err("the claim `iat` lies in the future, by more than `clock_skew_s` of the issuer".to_owned());
    }
    let max_s = token.settings.iat_max_age_s;
    if now.earliest.since(token.iat) > max_s {
        return Err(format!("it was issued too long ago; the limit backchannel.iat_max_age_s is {max_s} s"));
    }
    if token.exp.is_some_and(|exp| exp.plus(limits.leeway_s) < now.earliest) {
        return Err("it has expired".to_owned());
    }
    Ok(token.iat)
}

/// Who is logged out. A session's tokens without `sid` are not reached by it, so where the issuer's section says so, the
/// subject is logged out too.
fn targets(token: &LogoutToken<'_>) -> impl Iterator<Item = Target<'static>> {
    let session = token.sid.clone().map(Target::Sid);
    let subject = token.sub.clone().map(Target::Sub).filter(|_| session.is_none() || token.settings.subject_too);
    session.into_iter().chain(subject)
}

async fn cut_off(
    http: &Http,
    trace: &Trace,
    token: &LogoutToken<'_>,
    target: Target<'static>,
    issued_before: NumericDate,
) -> Result<(), ApiError> {
    let selector = target.selector();
    let request = LogOutRequest {
        issuer: token.issuer.clone(),
        target,
        issued_before: Some(issued_before),
        by_issuers_clock: true,
        reason: Some(Reason::parse(REASON)?),
    };
    let origin = Origin {
        source: Source::Backchannel,
        from: trace.from(),
        request_id: trace.id().to_owned().into(),
        ..Origin::INTERNAL
    };
    match http.denylist.log_out(request, origin, false).await? {
        LogOutOutcome::Stored { .. } => {
            warn_of_blind_checks(http, token, selector);
            Ok(())
        }
        // Every token that it would reach has ended by itself.
        LogOutOutcome::Expired { .. } => Ok(()),
        LogOutOutcome::Refused(refusal) => Err(refusal.into()),
    }
}

/// Tells whoever reads the log of checks that do not notice: a provider is answered 200 for what it has said, and nobody else
/// would know that gateways ask without the claim.
fn warn_of_blind_checks(http: &Http, token: &LogoutToken<'_>, selector: Selector) {
    let seen = http.denylist.seen_of(token.issuer, selector);
    if seen.without_claim > 0 {
        tracing::warn!(
            claim = selector.as_str(),
            checks = seen.checks,
            without_claim = seen.without_claim,
            "a back-channel logout does not reach the checks that do not bring the claim it names"
        );
    }
}
