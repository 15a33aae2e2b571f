//! `DELETE /revocations/{id}`: take one entry back, and no other.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::IF_MATCH;
use axum::http::{HeaderMap, Uri};
use axum::{Extension, Json};

use super::error::ApiError;
use super::extract::Query;
use super::openapi::{Guarded, Stored};
use super::revocations::{id_of, key_of, to_wire};
use super::revoke::origin;
use super::trace::Trace;
use super::{Http, bound};
use crate::denylist::{RestoreOutcome, RestoreRequest};
use crate::event::Seq;
use crate::keys::Caller;
use crate::revocation::Reason;
use crate::wire::{Problem, RestoreAnswer};

/// Most entries that the answer lists.
const STILL_MATCHING_MAX: usize = 100;

/// Take one entry back.
///
/// Verdicts follow at once. Any other entry that matches the same tokens stays in force: the answer lists the cutoffs among
/// them, newest first, 100 at the most. `If-Match` is the entry's `seq`, so that nothing is taken back that has changed
/// unseen.
#[utoipa::path(
    delete, path = "/revocations/{id}", tag = "admin",
    params(
        ("id" = String, Path, description = "`id` of the entry"),
        ("If-Match" = u64, Header, description = "`seq` of the entry"),
        ("reason" = Option<String>, Query, description = "Why, at most 256 bytes"),
    ),
    responses(
        (status = 200, description = "Durable; which others still match", body = RestoreAnswer),
        (status = 404, description = "No live entry has this id", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "The entry has changed", body = Problem, content_type = "application/problem+json"),
        Guarded, Stored,
    ),
)]
pub(crate) async fn restore(
    State(http): State<Arc<Http>>,
    Extension(caller): Extension<Caller>,
    Extension(trace): Extension<Trace>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<RestoreAnswer>, ApiError> {
    let mut query = Query::parse(uri.query(), &["reason"], &[])?;
    let reason = query.text("reason").map(Reason::parse).transpose()?.map(Reason::into_owned);
    let seq = expected(&headers)?;
    let not_found = || ApiError::NotFound("no live entry has this id");
    let key = uri.path().strip_prefix("/revocations/").and_then(key_of).ok_or_else(not_found)?;
    // An id is that of one issuer and one value for ever, so what is looked at now is what is taken back then.
    if !caller.bounds.is_empty() {
        let entry = http.denylist.entry(key).await?;
        entry.filter(|listed| bound::shows(&caller, &listed.entry)).ok_or_else(not_found)?;
    }
    let request = RestoreRequest { key, seq, reason };
    match http.denylist.restore(request, origin(&caller, &trace)).await? {
        RestoreOutcome::Restored { seq, targets } => {
            let (still, more) = http.denylist.standing(targets, STILL_MATCHING_MAX).await?;
            let still = still.into_iter().filter(|listed| bound::shows(&caller, &listed.entry));
            let still_matching = still.map(to_wire).collect();
            Ok(Json(RestoreAnswer { seq, id: id_of(&key), still_matching, more }))
        }
        RestoreOutcome::NotFound => Err(not_found()),
        RestoreOutcome::Moved { seq } => Err(ApiError::Moved { seq }),
        RestoreOutcome::Refused(refusal) => Err(refusal.into()),
    }
}

/// The `seq` that the caller knows the entry by, plain or as the entity tag that a show gives (RFC 9110 section 13.1.1).
fn expected(headers: &HeaderMap) -> Result<Seq, ApiError> {
    let mut values = headers.get_all(IF_MATCH).iter();
    let Some(value) = values.next() else {
        let detail =
            "`If-Match` is missing: send the entry's `seq`, so that nothing is taken back that has changed unseen";
        return Err(ApiError::malformed_field("If-Match", detail));
    };
    let tag = value.to_str().ok().filter(|_| values.next().is_none());
    let seq = tag.map(|tag| tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag));
    let digits = seq.filter(|seq| seq.bytes().all(|byte| byte.is_ascii_digit()));
    let malformed = || ApiError::malformed_field("If-Match", "`If-Match` must be the `seq` of the entry, and one only");
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_is_one_seq_plain_or_quoted() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IF_MATCH, value.parse().unwrap());
            }
            expected(&headers).ok()
        };
        assert_eq!((of(&["17"]), of(&["\"17\""])), (Some(17), Some(17)));
        for wrong in [
            &[][..],
            &[""],
            &["*"],
            &["W/\"17\""],
            &["\"17"],
            &["+17"],
            &["17", "17"],
            &["17, 18"],
            &["18446744073709551616"],
        ] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
    }
}
