//! `POST /global-token-revocation`: a force-logout of a subject, as identity providers send it
//! (draft-parecki-oauth-global-token-revocation).

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};

use super::error::ApiError;
use super::extract::{Members, Query, json};
use super::force_logout::refusal;
use super::openapi::{Guarded, Reading, Stored};
use super::revoke::origin;
use super::trace::Trace;
use super::{Http, bound};
use crate::denylist::{LogOutOutcome, LogOutRequest};
use crate::keys::{Caller, Scope};
use crate::revocation::{Reason, Target};
use crate::token::Subject;
use crate::wire::GlobalRevocationBody;

/// What is kept as the reason.
const REASON: &str = "global token revocation";

/// The path of the draft.
pub(crate) const PATH: &str = "/global-token-revocation";

/// Revoke every token of a subject (Global Token Revocation).
///
/// The same as a force-logout of the subject, now. Of the formats of RFC 9493, `iss_sub` and `opaque` are read; `opaque`
/// means a subject of the only issuer. That nobody has heard of a subject is never an error.
#[utoipa::path(
    post, path = "/global-token-revocation", tag = "admin",
    request_body = GlobalRevocationBody,
    responses((status = 204, description = "Durable"), Guarded, Reading, Stored),
)]
pub(crate) async fn revoke(
    State(http): State<Arc<Http>>,
    Extension(caller): Extension<Caller>,
    Extension(trace): Extension<Trace>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, ApiError> {
    Query::parse(uri.query(), &[], &[])?;
    let body = json(&http, &caller, &headers, body).await?;
    let request = read(&http, &body)?;
    bound::cutoff(&http, &caller, &request.issuer, &request.target)?;
    let is_admin = caller.scopes.contains(Scope::Admin);
    match http.denylist.log_out(request, origin(&caller, &trace), is_admin).await? {
        LogOutOutcome::Stored { .. } => Ok(StatusCode::NO_CONTENT),
        other => Err(refusal(other)),
    }
}

fn read(http: &Http, body: &[u8]) -> Result<LogOutRequest, ApiError> {
    let members = Members::parse(body)?;
    members.only(&["sub_id"])?;
    let sub_id = members.raw("sub_id").ok_or_else(|| missing("sub_id"))?;
    let sub_id = Members::parse(sub_id.get().as_bytes())?;
    // What is no string is malformed here, as the draft has it.
    let text = |name: &'static str| match sub_id.text(name) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(missing(name)),
        Err(_) => Err(ApiError::malformed_field(name, format!("`{name}` must be a string of Unicode characters"))),
    };
    let (iss, sub) = match text("format")?.as_ref() {
        "iss_sub" => {
            sub_id.only(&["format", "iss", "sub"])?;
            (Some(text("iss")?), text("sub")?)
        }
        "opaque" => {
            sub_id.only(&["format", "id"])?;
            (None, text("id")?)
        }
        _ => return Err(ApiError::malformed_field("format", "`format` must be `iss_sub` or `opaque`")),
    };
    Ok(LogOutRequest {
        target: Target::Sub(Subject::parse(sub)?.into_owned()),
        issuer: http.denylist.issuers().resolve(iss.as_deref())?.issuer.clone(),
        issued_before: None,
        by_issuers_clock: false,
        reason: Some(Reason::parse(REASON)?),
    })
}

fn missing(name: &'static str) -> ApiError {
    ApiError::malformed_field(name, format!("`{name}` is missing"))
}
