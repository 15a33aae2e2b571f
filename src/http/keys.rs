//! `GET /keys`, `POST /keys` and `DELETE /keys/{id}`: API keys at run time. They concern the whole server, so a caller
//! with bounds may do none of it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::{Extension, Json};
use serde_json::value::RawValue;

use super::error::ApiError;
use super::extract::{Lists, Members, Query, json, text_of};
use super::openapi::{Guarded, Reading, Stored};
use super::revoke::origin;
use super::trace::Trace;
use super::{Http, bound};
use crate::denylist::{KeyEndRequest, KeyOutcome, WriteError};
use crate::event::KEY_BOUNDS_MAX;
use crate::keys::{Caller, NewKey, Scope};
use crate::revocation::Reason;
use crate::wire::{KeyAnswer, KeyBody, KeyEntries, KeyEntry, KeyRevokedAnswer, NewKeyError, Problem};

/// List the API keys, newest first.
///
/// Revoked ones are not listed; expired ones are until a purge forgets them.
#[utoipa::path(
    get, path = "/keys", tag = "admin",
    responses((status = 200, description = "Every key, without what opens doors", body = KeyEntries), Guarded),
)]
pub(crate) async fn list(
    State(http): State<Arc<Http>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Json<KeyEntries>, ApiError> {
    Query::parse(uri.query(), &[], &[])?;
    bound::whole_server(&http, &caller)?;
    let now = http.denylist.clock().now().latest;
    let keys = http.denylist.keys().list().into_iter().map(|key| KeyEntry::of(key, now)).collect();
    Ok(Json(KeyEntries { keys }))
}

/// Make an API key.
///
/// The answer is the only place where the key is ever shown. It opens doors at once.
#[utoipa::path(
    post, path = "/keys", tag = "admin",
    request_body = KeyBody,
    responses((status = 200, description = "Durable, and in force", body = KeyAnswer), Guarded, Reading, Stored),
)]
pub(crate) async fn create(
    State(http): State<Arc<Http>>,
    Extension(caller): Extension<Caller>,
    Extension(trace): Extension<Trace>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<KeyAnswer>, ApiError> {
    Query::parse(uri.query(), &[], &[])?;
    bound::whole_server(&http, &caller)?;
    let body = json(&http, &caller, &headers, body).await?;
    let NewKey { text, record } = read(&http, &body)?;
    let (id, expires_at) = (record.id.as_ref().to_owned(), record.expires_at.map(|end| end.0));
    match http.denylist.create_key(record, origin(&caller, &trace)).await? {
        KeyOutcome::Done { seq } => Ok(Json(KeyAnswer { seq, id, key: text, expires_at })),
        KeyOutcome::Refused(refusal) => Err(refusal.into()),
        // Nobody knows what became of it (promise 3).
        KeyOutcome::NotFound => Err(WriteError::Failed.into()),
    }
}

/// Revoke an API key.
///
/// It is refused at once, also on connections that are open. The last key with the scope `admin` that has neither bounds
/// nor an end is not revoked: make another one first.
#[utoipa::path(
    delete, path = "/keys/{id}", tag = "admin",
    params(
        ("id" = String, Path, description = "`id` of the key"),
        ("reason" = Option<String>, Query, description = "Why, at most 256 bytes"),
    ),
    responses(
        (status = 200, description = "Durable, and in force", body = KeyRevokedAnswer),
        (status = 404, description = "No key has this id", body = Problem, content_type = "application/problem+json"),
        Guarded,
    ),
)]
pub(crate) async fn revoke(
    State(http): State<Arc<Http>>,
    Extension(caller): Extension<Caller>,
    Extension(trace): Extension<Trace>,
    uri: Uri,
) -> Result<Json<KeyRevokedAnswer>, ApiError> {
    let mut query = Query::parse(uri.query(), &["reason"], &[])?;
    let reason = query.text("reason").map(Reason::parse).transpose()?.map(Reason::into_owned);
    bound::whole_server(&http, &caller)?;
    // Ids are plain hexadecimal digits: what is percent-encoded is none.
    let id = uri.path().strip_prefix("/keys/").unwrap_or_default().to_owned();
    let request = KeyEndRequest { id: id.clone(), reason };
    match http.denylist.revoke_key(request, origin(&caller, &trace)).await? {
        KeyOutcome::Done { seq } => Ok(Json(KeyRevokedAnswer { seq, id })),
        KeyOutcome::NotFound => Err(ApiError::NotFound("no key has this id")),
        KeyOutcome::Refused(refusal) => Err(refusal.into()),
    }
}

/// The key that a body asks for.
fn read(http: &Http, body: &[u8]) -> Result<NewKey, ApiError> {
    let lists = [("scopes", Scope::ALL.len()), ("issuers", KEY_BOUNDS_MAX), ("client_ids", KEY_BOUNDS_MAX)];
    let (members, lists) = Members::parse_with_lists(body, &lists)?;
    members.only(&["label", "scopes", "issuers", "client_ids", "expires_at", "expires_in_s"])?;
    let missing = |name, what| move || ApiError::invalid(name, format!("`{name}` is missing; {what}"));
    let body = KeyBody {
        label: members.text("label")?.ok_or_else(missing("label", "say what the key is for"))?.into_owned(),
        scopes: texts("scopes", &lists)?.ok_or_else(missing("scopes", "name one of revoke, check, admin, audit"))?,
        issuers: texts("issuers", &lists)?,
        client_ids: texts("client_ids", &lists)?,
        expires_at: members.date("expires_at")?.map(|date| date.0),
        expires_in_s: members.date("expires_in_s")?.map(|date| date.0),
    };
    body.make(http.denylist.issuers(), http.denylist.clock().now().latest).map_err(|error| match error {
        NewKeyError::Fault(fault) => fault.into(),
        NewKeyError::Randomness(error) => {
            tracing::error!(%error, "no API key can be made");
            WriteError::Refused.into()
        }
    })
}

/// The strings of a list, if it is there.
fn texts(name: &'static str, lists: &Lists<'_>) -> Result<Option<Vec<String>>, ApiError> {
    let text = |element: &&RawValue| Ok(text_of(name, element)?.into_owned());
    lists.get(name).map(|list| list.iter().map(text).collect()).transpose()
}
