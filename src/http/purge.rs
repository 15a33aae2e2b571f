//! `POST /purge`: drop what has ended now, without waiting for the scheduler.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Uri};
use axum::{Extension, Json};

use super::error::ApiError;
use super::extract::{Media, Members, Query, whole};
use super::openapi::{Guarded, Reading, Stored};
use super::revoke::origin;
use super::trace::Trace;
use super::{Http, bound};
use crate::keys::Caller;
use crate::wire::{PurgeAnswer, PurgeBody};

/// Drop everything that has expired.
///
/// Changes no answer to any check. The body may be left out; `{"trust_clock":true}` first ends the doubt in the clock.
#[utoipa::path(
    post, path = "/purge", tag = "admin",
    request_body = PurgeBody,
    responses((status = 200, description = "What was dropped", body = PurgeAnswer), Guarded, Reading, Stored),
)]
pub(crate) async fn purge(
    State(http): State<Arc<Http>>,
    Extension(caller): Extension<Caller>,
    Extension(trace): Extension<Trace>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<PurgeAnswer>, ApiError> {
    Query::parse(uri.query(), &[], &[])?;
    bound::whole_server(&http, &caller)?;
    if headers.contains_key(CONTENT_TYPE) && Media::of(&headers) != Some(Media::Json) {
        return Err(ApiError::MediaType("application/json"));
    }
    let body = whole(&http, &caller, &headers, body).await?;
    if vouches_for_clock(&body)? {
        http.denylist.trust_clock(origin(&caller, &trace)).await?;
    }
    let report = http.denylist.purge().await?;
    Ok(Json(PurgeAnswer { buckets: report.buckets, entries: report.entries, segments: report.segments }))
}

fn vouches_for_clock(body: &[u8]) -> Result<bool, ApiError> {
    if body.is_empty() {
        return Ok(false);
    }
    let members = Members::parse(body)?;
    members.only(&["trust_clock"])?;
    members.flag("trust_clock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_true_vouches_for_the_clock() {
        for (body, vouches) in [("", false), ("{}", false), (r#"{"trust_clock":false}"#, false)] {
            assert_eq!(vouches_for_clock(body.as_bytes()).unwrap(), vouches, "{body}");
        }
        assert!(vouches_for_clock(br#"{"trust_clock":true}"#).unwrap());
        for wrong in [" ", "null", r#"{"trust_clock":1}"#, r#"{"trust-clock":true}"#] {
            assert!(vouches_for_clock(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
