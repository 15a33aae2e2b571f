//! `POST /oauth2/introspect`: token introspection as RFC 7662 has it. The only door that judges a token as a whole.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::super::check::{Answer, Asked, Counts, counted};
use super::super::error::ApiError;
use super::super::trace::Trace;
use super::super::{Http, Route};
use super::client::{Admitted, admit};
use super::{FormRefusals, Refusals};
use crate::keys::Caller;
use crate::revocation::Verdict;
use crate::verifier::{VerifiedToken, VerifyError};
use crate::wire::{Audience, IntrospectAnswer, TokenForm};

/// Ask for a token as a whole (RFC 7662).
///
/// The client is an API key: its id and the key by Basic or in the form, or the key as everywhere else. Active is a token whose
/// signature, `exp`, `nbf` and `aud` are right and that nothing has revoked; its claims are those that the signature vouches
/// for. Of any other, also of one beyond the key's bounds, nothing is said but `{"active":false}`.
#[utoipa::path(
    post, path = "/oauth2/introspect", tag = "check",
    security(("basic" = []), ("bearer" = []), ("api_key" = []), ("certificate" = [])),
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "Whether it is active", body = IntrospectAnswer), Refusals, FormRefusals),
)]
pub(crate) async fn introspect(
    State(http): State<Arc<Http>>,
    Extension(route): Extension<&'static Route>,
    Extension(trace): Extension<Trace>,
    request: Request,
) -> Response {
    match admit(&http, route, request).await {
        Ok(client) => {
            let answer = answer(&http, &client, &trace).await.map(|answer| Json(answer).into_response());
            client.answered(answer)
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn answer(http: &Http, client: &Admitted<'_>, trace: &Trace) -> Result<IntrospectAnswer, ApiError> {
    // Fetching keys makes it large.
    let judged = match Box::pin(http.verifier.verify(client.form.required("token")?)).await {
        Ok(token) if is_in_force(http, &token) => {
            verdict(http, &client.caller, &token).await.map(|is_good| is_good.then_some(token))
        }
        Ok(_) | Err(VerifyError::Refused(_)) => Ok(None),
        Err(unavailable) => Err(unavailable.into()),
    };
    let token = counted(http, 1, judged)?;
    http.metrics.checks.api.duration.record(trace.started.elapsed().as_secs_f64());
    Ok(token.map_or_else(IntrospectAnswer::default, active))
}

/// Whether a genuine token is for us and its time is now.
fn is_in_force(http: &Http, token: &VerifiedToken) -> bool {
    let now = http.denylist.clock().now();
    let Ok(limits) = http.denylist.issuers().limits_of(&token.issuer) else { return false };
    http.verifier.is_for_us(token) && token.is_in_force(now, limits.clock_skew_s, http.settings.allow_without_exp)
}

/// Whether nothing has revoked a token that is within the caller's bounds.
async fn verdict(http: &Http, caller: &Caller, token: &VerifiedToken) -> Result<bool, ApiError> {
    let asked = match Asked::of_token(http, caller, token) {
        // Beyond the bounds, or without a claim that every check must bring: nobody here may say that it is good.
        Err(ApiError::Bound(_) | ApiError::Invalid(_)) => return Ok(false),
        asked => asked?,
    };
    let verdict = asked.verdict(http, caller).await?;
    asked.note_seen(http);
    let is_good = verdict == Verdict::Good;
    let mut counts = Counts::default();
    counts.add(&Answer::new(verdict, asked.judged));
    counts.record(http);
    Ok(is_good)
}

fn active(token: VerifiedToken) -> IntrospectAnswer {
    let rest = token.rest;
    let audience = |mut names: Vec<String>| match names.len() {
        1 => names.pop().map(Audience::One),
        _ => Some(Audience::Many(names)),
    };
    IntrospectAnswer {
        active: true,
        iss: Some(token.issuer.as_str().to_owned()),
        sub: token.sub.map(|sub| sub.as_str().to_owned()),
        aud: rest.aud.and_then(audience),
        exp: rest.exp_floor.map(|exp| exp.0),
        iat: token.iat.map(|iat| iat.0),
        nbf: rest.nbf.map(|nbf| nbf.0),
        // One that is derived is no claim.
        jti: rest.has_jti.then(|| token.jti.as_str().to_owned()),
        client_id: token.client_id.map(|client_id| client_id.as_str().to_owned()),
        scope: rest.scope,
    }
}
