//! `GET /check/{jti}` and `GET /check?…`: one verdict. Nearly all traffic is the first of them.

mod answer;
mod asked;

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::auth::{Seen, authorise, paced};
use super::error::ApiError;
use super::extract::{Query, percent_decode};
use super::listener::Peer;
use super::openapi::Guarded;
use super::trace::Trace;
use super::{Http, Route};
use crate::keys::Caller;
use crate::readiness::Purpose;
use crate::revocation::{Unavailable, Verdict};
use crate::wire::CheckAnswer;

pub(crate) use answer::{Answer, Counts};
pub(crate) use asked::{Asked, Claims, Judged, priority};

/// The path of a check by `jti`.
pub(crate) const BY_PATH: &str = "/check/{jti}";

/// Whether a request is a GET of [`BY_PATH`] and of no other path.
pub(crate) fn is_by_path(request: &Parts) -> bool {
    let jti = request.uri.path().strip_prefix("/check/");
    request.method == Method::GET && jti.is_some_and(|jti| !jti.is_empty() && !jti.contains('/'))
}

/// Answers the row of [`BY_PATH`], guard included, unless the index must be read: then nothing has been counted, and
/// the router takes the request from its beginning. Also gives what the access log is to say.
pub(crate) fn inline(
    http: &Http,
    route: &'static Route,
    trace: &Trace,
    peer: &Peer,
    request: &mut Parts,
) -> Option<(Response, Seen)> {
    let seen = |caller| Seen { route: route.path, caller };
    let caller = match authorise(http, route.access, &request.headers, peer) {
        Ok(caller) => caller,
        Err(refusal) => return Some((refusal.into_response(), seen(Arc::clone(&http.anonymous.id)))),
    };
    let known = match known_by_path(http, &caller, &request.uri) {
        Ok(Some(answer)) => Ok(answer),
        // Counted by the router's guard.
        Ok(None) => return None,
        Err(error) => counted(http, 1, Err(error)),
    };
    let id = Arc::clone(&caller.id);
    let answer = match paced(http, route, caller).and(known) {
        Ok(answer) => answer,
        Err(error) => return Some((error.into_response(), seen(id))),
    };
    // The request's headers have been read; their map, emptied, spares the answer one of its own.
    let mut headers = std::mem::take(&mut request.headers);
    headers.clear();
    Some((respond(http, trace.started, &answer, headers), seen(id)))
}

/// The answer to a check by path that takes no read.
fn known_by_path(http: &Http, caller: &Caller, uri: &Uri) -> Result<Option<Answer>, ApiError> {
    let claims = claims_by_path(uri)?;
    let asked = Asked::new(http, caller, &claims)?;
    let Some(verdict) = asked.known(http)? else { return Ok(None) };
    asked.note_seen(http);
    Ok(Some(Answer::new(verdict, asked.judged)))
}

/// Ask for one token by its `jti`.
///
/// `jti` is percent-encoded UTF-8. What the check does not bring is not judged, and `judged` says so: a check by `jti`
/// alone does not see a force-logout. HEAD is refused.
#[utoipa::path(
    get, path = "/check/{jti}", tag = "check",
    params(
        ("jti" = String, Path, description = "Token id, percent-encoded, 1 to 1,024 bytes"),
        ("iss" = Option<String>, Query, description = "Issuer; may be left out where only one is configured"),
        ("iat" = Option<i64>, Query, description = "When the token was issued, NumericDate"),
        ("sub" = Option<String>, Query, description = "Subject"),
        ("sid" = Option<String>, Query, description = "Session"),
        ("client_id" = Option<String>, Query, description = "OAuth client"),
        ("family" = Option<String>, Query, description = "Family; where the issuer has session and client for it, they will do"),
    ),
    responses((status = 200, description = "The verdict", body = CheckAnswer), Guarded),
)]
pub(crate) async fn by_path(
    State(http): State<Arc<Http>>,
    Extension(caller): Extension<Caller>,
    Extension(trace): Extension<Trace>,
    uri: Uri,
) -> Result<Response, ApiError> {
    one(&http, &caller, trace.started, &claims_by_path(&uri)?).await
}

fn claims_by_path(uri: &Uri) -> Result<Claims<'_>, ApiError> {
    let mut query = Query::parse(uri.query(), &["iss", "iat", "sub", "sid", "client_id", "family"], &[])?;
    let jti = uri.path().strip_prefix("/check/").and_then(percent_decode);
    let jti = jti.ok_or_else(|| ApiError::malformed_field("jti", "the path is not percent-encoded UTF-8"))?;
    Claims::of_query(&mut query, Some(jti))
}

/// Ask for one token, or for a subject, session, client or family.
///
/// At least one of `jti`, `sub`, `sid`, `client_id` and `family` must be given.
#[utoipa::path(
    get, path = "/check", tag = "check",
    params(
        ("jti" = Option<String>, Query, description = "Token id, 1 to 1,024 bytes"),
        ("iss" = Option<String>, Query, description = "Issuer; may be left out where only one is configured"),
        ("iat" = Option<i64>, Query, description = "When the token was issued, NumericDate"),
        ("sub" = Option<String>, Query, description = "Subject"),
        ("sid" = Option<String>, Query, description = "Session"),
        ("client_id" = Option<String>, Query, description = "OAuth client"),
        ("family" = Option<String>, Query, description = "Family; where the issuer has session and client for it, they will do"),
    ),
    responses((status = 200, description = "The verdict", body = CheckAnswer), Guarded),
)]
pub(crate) async fn by_query(
    State(http): State<Arc<Http>>,
    Extension(caller): Extension<Caller>,
    Extension(trace): Extension<Trace>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut query = Query::parse(uri.query(), &["jti", "iss", "iat", "sub", "sid", "client_id", "family"], &[])?;
    let jti = query.text("jti");
    let claims = Claims::of_query(&mut query, jti)?;
    one(&http, &caller, trace.started, &claims).await
}

/// One verdict on what `claims` name, as an answer.
pub(crate) async fn one(
    http: &Http,
    caller: &Caller,
    started: Instant,
    claims: &Claims<'_>,
) -> Result<Response, ApiError> {
    let asked = Asked::new(http, caller, claims)?;
    let verdict = counted(http, 1, asked.verdict(http, caller).await)?;
    asked.note_seen(http);
    Ok(respond(http, started, &Answer::new(verdict, asked.judged), HeaderMap::new()))
}

/// One verdict as an answer, timed and counted; `headers` are empty.
fn respond(http: &Http, started: Instant, answer: &Answer, headers: HeaderMap) -> Response {
    http.metrics.checks.api.duration.record(started.elapsed().as_secs_f64());
    let mut counts = Counts::default();
    counts.add(answer);
    counts.record(http);
    with_headers(answer.body(), headers)
}

/// What became of a check of `ids`, counted if the answer is that we do not know.
pub(crate) fn counted<T>(http: &Http, ids: usize, result: Result<T, ApiError>) -> Result<T, ApiError> {
    result.inspect_err(|error| {
        if error.is_doubt() {
            http.metrics.checks.api.unavailable.increment(ids as u64);
        }
    })
}

/// The verdict on a check without `jti` that no cutoff hits: good, unless what is held is not known in full (promise 10).
pub(crate) fn no_entry(http: &Http) -> Result<Verdict, Unavailable> {
    if http.readiness.is_ready_for(Purpose::Checks) { Ok(Verdict::Good) } else { Err(Unavailable::NotReady) }
}

/// 200 with a JSON body.
pub(crate) fn json(body: Bytes) -> Response {
    with_headers(body, HeaderMap::new())
}

fn with_headers(body: Bytes, headers: HeaderMap) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.headers_mut() = headers;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
