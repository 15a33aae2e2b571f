//! `POST /oauth2/revoke`: token revocation as RFC 7009 has it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::super::error::ApiError;
use super::super::revoke::{By, by_token};
use super::super::trace::Trace;
use super::super::{Http, Route, bound};
use super::client::{Admitted, admit};
use super::{FormRefusals, Refusals};
use crate::revocation::Reason;
use crate::verifier::VerifyError;
use crate::wire::TokenForm;

/// What is kept as the reason: the request has no place for one.
const REASON: &str = "OAuth token revocation";

/// Revoke a token, as OAuth clients do (RFC 7009).
///
/// The client is an API key: its id and the key by Basic or in the form, or the key as everywhere else. 200 says that the
/// token is of no use to anybody: durably revoked, expired, or signed by none of the keys that its issuer has now. What is no
/// signed JWT, or cannot be judged, is `unsupported_token_type`; a token beyond the key's bounds is `invalid_grant`. A refresh
/// token takes its family with it, where its issuer names one; what it is, it says itself, whatever the hint.
#[utoipa::path(
    post, path = "/oauth2/revoke", tag = "revoke",
    security(("basic" = []), ("bearer" = []), ("api_key" = []), ("certificate" = [])),
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "Durable, or there was nothing to revoke; the body is empty"), Refusals, FormRefusals),
)]
pub(crate) async fn revoke(
    State(http): State<Arc<Http>>,
    Extension(route): Extension<&'static Route>,
    Extension(trace): Extension<Trace>,
    request: Request,
) -> Response {
    match admit(&http, route, request).await {
        Ok(client) => client.answered(answer(&http, &client, &trace).await),
        Err(refusal) => refusal.into_response(),
    }
}

async fn answer(http: &Http, client: &Admitted<'_>, trace: &Trace) -> Result<Response, ApiError> {
    let done = StatusCode::OK.into_response();
    // Fetching keys makes it large.
    let token = match Box::pin(http.verifier.verify_to_revoke(client.form.required("token")?)).await {
        Err(VerifyError::Refused(refusal)) if refusal.proves_forgery() => return Ok(done),
        judged => judged?,
    };
    bound::proven(http, &client.caller, &token.issuer, token.client_id.as_ref())?;
    let one = by_token(http, token, Some(Reason::parse(REASON)?))?;
    By::new(&client.caller, trace).revoke_one(http, one).await.map(|_| done)
}
