//! `GET /audit`: who did what, when, why and from where; as pages, newest first, or as an export, oldest first.

mod export;
mod record;
pub(super) mod refused;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::check::priority;
use super::error::ApiError;
use super::extract::Query;
use super::openapi::Guarded;
use super::{Http, bound};
use crate::audit::{AuditFilter, AuditPage};
use crate::event::Seq;
use crate::keys::Caller;
use crate::wire::{AuditHead, AuditRecords};

/// Records of a page whose size the caller leaves open.
const LIMIT_DEFAULT: usize = 100;

/// Most records of one page.
const LIMIT_MAX: usize = 1_000;

/// The media type of an export.
const NDJSON: &str = "application/x-ndjson";

/// Read the audit.
///
/// Newest first, in pages; one may hold fewer records than `limit`, even none, and still have a `next`: the audit ends where
/// `next` is absent. With `Accept: application/x-ndjson` all records are sent as lines, oldest first, and `after` is the
/// `seq` behind which to go on.
#[utoipa::path(
    get, path = "/audit", tag = "audit",
    params(
        ("sub" = Option<String>, Query, description = "Only records about this subject"),
        ("actor" = Option<String>, Query, description = "Only what the API key of this id, or this certificate, has asked for"),
        ("iss" = Option<String>, Query, description = "Only records about this issuer"),
        ("after" = Option<String>, Query, description = "`next` of the page before; of an export, the last `seq` that you have"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Records of a page, 1 to 1,000; 100 if absent"),
    ),
    responses(
        (
            status = 200, description = "One page, or every record",
            content((AuditRecords = "application/json"), (String = "application/x-ndjson")),
        ),
        Guarded,
    ),
)]
pub(crate) async fn audit(
    State(http): State<Arc<Http>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    // It tells of everybody.
    bound::whole_server(&http, &caller)?;
    let mut query = Query::parse(uri.query(), &["sub", "actor", "iss", "after", "limit"], &[])?;
    let mut text = |name| query.text(name).map(std::borrow::Cow::into_owned);
    let filter = AuditFilter { sub: text("sub"), actor: text("actor"), iss: text("iss") };
    let after = text("after").map(|after| cursor(&after)).transpose()?;
    let limit = text("limit");
    if wants_lines(&headers) {
        if limit.is_some() {
            return Err(ApiError::invalid("limit", "`limit` is for pages; an export has all records"));
        }
        return export::answer(http.denylist.clone(), priority(&caller), filter, after.unwrap_or(0)).await;
    }
    let limit = limit_of(limit.as_deref())?;
    let AuditPage { records, next, from, head: (seq, hash) } =
        http.denylist.audit(filter, after, limit, priority(&caller)).await?;
    let records = records.iter().map(record::to_wire).collect::<Result<_, _>>()?;
    let head = AuditHead { seq, hash: hash.to_string() };
    Ok(Json(AuditRecords { records, next: next.map(|seq| seq.to_string()), from, head }).into_response())
}

fn wants_lines(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = accepted.flat_map(|value| value.split(',')).map(|kind| kind.split(';').next().unwrap_or(""));
    kinds.any(|kind| kind.trim().eq_ignore_ascii_case(NDJSON))
}

fn cursor(text: &str) -> Result<Seq, ApiError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let seq = text.parse().ok().filter(|_| digits);
    seq.ok_or_else(|| ApiError::invalid("after", "`after` must be the `next` of an earlier page, or a `seq`"))
}

fn limit_of(text: Option<&str>) -> Result<usize, ApiError> {
    let Some(text) = text else { return Ok(LIMIT_DEFAULT) };
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| {
        ApiError::beyond("limit", LIMIT_MAX as u64, format!("`limit` must be a number from 1 to {LIMIT_MAX}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_sent_to_whoever_accepts_them_by_name() {
        for (accept, lines) in [
            ("application/x-ndjson", true),
            ("text/html, Application/X-NDJSON;q=0.5", true),
            ("*/*", false),
            ("application/json", false),
        ] {
            let headers = [(ACCEPT, accept.parse().unwrap())].into_iter().collect();
            assert_eq!(wants_lines(&headers), lines, "{accept}");
        }
    }
}
