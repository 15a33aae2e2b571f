//! `GET /revocations` and `GET /revocations/{id}`: what the denylist holds, newest first.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::http::header::ETAG;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::ApiError;
use super::extract::Query;
use super::openapi::Guarded;
use super::{Http, bound};
use crate::denylist::{self, ListFilter, Listed, Page};
use crate::keys::Caller;
use crate::revocation::Target;
use crate::token::{Issuer, Key, Selector, Subject};
use crate::wire::{Entries, Entry, Problem};

/// Entries of a page whose size the caller leaves open.
const LIMIT_DEFAULT: usize = 100;

/// Most entries of one page.
const LIMIT_MAX: usize = 1_000;

/// List what is revoked, newest first.
///
/// A page may hold fewer entries than `limit`, even none, and still have a `next`: the list ends where `next` is absent.
#[utoipa::path(
    get, path = "/revocations", tag = "admin",
    params(
        ("sub" = Option<String>, Query, description = "Revocations of this subject's tokens and cutoffs on it only; needs `iss` where several issuers are configured"),
        ("iss" = Option<String>, Query, description = "Entries of this issuer only"),
        ("kind" = Option<String>, Query, description = "Entries of this selector only: jti, sid, family, sub, client_id, iss"),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Entries of a page, 1 to 1,000; 100 if absent"),
    ),
    responses((status = 200, description = "One page", body = Entries), Guarded),
)]
pub(crate) async fn list(
    State(http): State<Arc<Http>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Json<Entries>, ApiError> {
    let mut query = Query::parse(uri.query(), &["sub", "iss", "kind", "after", "limit"], &[])?;
    let kind = query.text("kind").map(|kind| Selector::from_name(&kind).ok_or_else(unknown_kind)).transpose()?;
    let filter = filter(&http, query.text("iss").as_deref(), query.text("sub"))?;
    if let Some(issuer) = &filter.issuer {
        bound::issuer(&http, &caller, issuer)?;
    }
    let filter = ListFilter { kind, bounds: caller.bounds.clone(), ..filter };
    let before = query.text("after").map(|after| after.parse().map_err(|_| unknown_cursor())).transpose()?;
    let limit = limit(query.text("limit").as_deref())?;
    let Page { entries, next } = http.denylist.list(filter, before, limit).await?;
    let revocations = entries.into_iter().map(to_wire).collect();
    Ok(Json(Entries { revocations, next: next.map(|seq| seq.to_string()) }))
}

/// Show one entry.
#[utoipa::path(
    get, path = "/revocations/{id}", tag = "admin",
    params(("id" = String, Path, description = "`id` of the entry")),
    responses(
        (
            status = 200, description = "The entry", body = Entry,
            headers(("ETag" = String, description = "Its `seq`, quoted, for `If-Match`")),
        ),
        (status = 404, description = "No live entry has this id", body = Problem, content_type = "application/problem+json"),
        Guarded,
    ),
)]
pub(crate) async fn show(
    State(http): State<Arc<Http>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<impl IntoResponse, ApiError> {
    Query::parse(uri.query(), &[], &[])?;
    let key = uri.path().strip_prefix("/revocations/").and_then(key_of);
    let entry = match key {
        Some(key) => http.denylist.entry(key).await?,
        None => None,
    };
    let entry = entry.filter(|listed| bound::shows(&caller, &listed.entry));
    let entry = entry.ok_or(ApiError::NotFound("no live entry has this id"))?;
    Ok(([(ETAG, format!("\"{}\"", entry.seq))], Json(to_wire(entry))))
}

/// Without `iss` and `sub` entries of every issuer are listed. A subject is somebody only together with its issuer, so
/// with `sub` an absent `iss` means what it means everywhere (promise 16).
fn filter(http: &Http, iss: Option<&str>, sub: Option<Cow<'_, str>>) -> Result<ListFilter, ApiError> {
    let sub = sub.map(Subject::parse).transpose()?.map(Subject::into_owned);
    if iss.is_none() && sub.is_none() {
        return Ok(ListFilter::default());
    }
    let issuer = http.denylist.issuers().resolve(iss)?.issuer.clone();
    Ok(ListFilter { issuer: Some(issuer), sub, ..ListFilter::default() })
}

fn limit(text: Option<&str>) -> Result<usize, ApiError> {
    let Some(text) = text else { return Ok(LIMIT_DEFAULT) };
    match text.parse() {
        Ok(limit @ 1..=LIMIT_MAX) => Ok(limit),
        _ => {
            Err(ApiError::beyond("limit", LIMIT_MAX as u64, format!("`limit` must be a number from 1 to {LIMIT_MAX}")))
        }
    }
}

fn unknown_kind() -> ApiError {
    ApiError::invalid("kind", "`kind` must be one of jti, sid, family, sub, client_id, iss")
}

fn unknown_cursor() -> ApiError {
    ApiError::invalid("after", "`after` must be the `next` of an earlier page")
}

/// The `id` of an entry on the wire.
pub(crate) fn id_of(key: &Key) -> String {
    URL_SAFE_NO_PAD.encode(key.0)
}

/// The key whose `id` this is; ids are URL-safe, so nothing in them is percent-encoded.
pub(crate) fn key_of(id: &str) -> Option<Key> {
    Some(Key(URL_SAFE_NO_PAD.decode(id).ok()?.try_into().ok()?))
}

/// An entry as it is said on the wire.
pub(crate) fn to_wire(listed: Listed) -> Entry {
    let kind = listed.entry.selector().as_str().to_owned();
    let iss = Some(listed.entry.issuer()).filter(|issuer| **issuer != Issuer::NAMELESS);
    let iss = iss.map(|issuer| issuer.as_str().to_owned());
    let (value, sub, reason, issued_before) = match listed.entry {
        denylist::Entry::Revocation(revocation) => {
            (revocation.jti.as_str().to_owned(), revocation.sub, revocation.reason, None)
        }
        denylist::Entry::Cutoff(cutoff) => {
            let value = if let Target::All = cutoff.target { cutoff.issuer.as_str() } else { cutoff.target.value() };
            (value.to_owned(), None, cutoff.reason, Some(cutoff.issued_before.0))
        }
    };
    Entry {
        id: id_of(&listed.key),
        seq: listed.seq,
        kind,
        iss,
        value,
        sub: sub.map(|sub| sub.as_str().to_owned()),
        reason: reason.map(|reason| reason.as_str().to_owned()),
        issued_before,
        revoked_at: listed.revoked_at.0,
        expires_at: listed.ends_at.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_key_in_22_url_safe_characters_and_nothing_else_is() {
        let key = Key([0xfb; 16]);
        let id = URL_SAFE_NO_PAD.encode(key.0);
        assert_eq!(id.len(), 22);
        assert_eq!(key_of(&id), Some(key));
        for wrong in ["", "a", &id[1..], &format!("{id}A"), &format!("{id}=="), "%2B"] {
            assert_eq!(key_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_page_has_1_to_1000_entries() {
        assert_eq!(limit(None).unwrap(), 100);
        assert_eq!(limit(Some("1000")).unwrap(), 1_000);
        for wrong in ["0", "1001", "-1", "a", "99999999999999999999"] {
            assert!(limit(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
