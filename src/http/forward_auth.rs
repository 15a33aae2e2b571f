//! `/auth` and everything below it: the door of gateways that ask about each request before they let it through (nginx
//! `auth_request`, Traefik `ForwardAuth`, Caddy `forward_auth`, Envoy `ext_authz` over HTTP). What is asked is
//! [`crate::gateway`]'s; how it is asked and answered is here.
//!
//! Answers have the few statuses that every gateway understands as they are meant: 200 and empty, 401, 503. A gateway that
//! is not known is told 503 and not 401, which it would pass on to a user whose token is good.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::auth::{Seen, X_API_KEY, permitted, turned_away};
use super::error::ApiError;
use super::listener::Peer;
use super::trace::Trace;
use super::{Http, Route, audit};
use crate::gateway::{Headers, Passed, Reason, Ruling};
use crate::keys::{Caller, KeyRefusal, Scope};
use crate::metrics::CheckMetrics;
use crate::token::{ClientId, Subject};

/// The door.
pub(crate) const PATH: &str = "/auth";

/// The same for gateways that append the path they were asked for.
pub(crate) const BELOW: &str = "/auth/{*path}";

/// Longest value of a header that says what a token says, bytes; a longer one is left out.
const CLAIM_HEADER_BYTES_MAX: usize = 256;

const SUBJECT: HeaderName = HeaderName::from_static("x-auth-subject");
const ISSUER: HeaderName = HeaderName::from_static("x-auth-issuer");
const CLIENT_ID: HeaderName = HeaderName::from_static("x-auth-client-id");
const JTI: HeaderName = HeaderName::from_static("x-auth-jti");
const SEQ: HeaderName = HeaderName::from_static("x-revocation-seq");

/// All that may be said of a request that passes; whatever of it is not said, no client may have said.
pub(crate) const SAID: [HeaderName; 5] = [SUBJECT, ISSUER, CLIENT_ID, JTI, SEQ];

/// RFC 6750 section 3.1, for whatever is wrong with a token.
const INVALID_TOKEN: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\"");

/// Without a token there is no error to speak of.
const BEARER: HeaderValue = HeaderValue::from_static("Bearer");

/// Whether a path is that of the door, whatever the method.
pub(crate) fn is_at(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Ask whether a request may pass.
///
/// Of any method. The gateway is known by its certificate, by the listener it connects to, or by `X-Api-Key`;
/// `Authorization` is the user's. Its `[[gateways]]` section says what is judged. Bodies are not read.
#[utoipa::path(
    get, path = "/auth", tag = "check",
    security(("api_key" = []), ("certificate" = [])),
    responses(
        (status = 200, description = "It may pass; the body is empty", headers(
            ("X-Auth-Subject" = String, description = "Subject of the token, percent-encoded; left out above 256 bytes, as the others"),
            ("X-Auth-Issuer" = String, description = "Its issuer"),
            ("X-Auth-Client-Id" = String, description = "Its client"),
            ("X-Auth-Jti" = String, description = "Its identifier"),
            ("X-Revocation-Seq" = u64, description = "Every change up to this place in the history was considered"),
        )),
        (status = 401, description = "It may not; `WWW-Authenticate` says whether it had a token"),
        (status = 503, description = "Nobody can say, or the gateway is not known"),
    ),
)]
#[expect(dead_code, reason = "only described: the door takes these paths before the router")]
pub(crate) fn at_path() {}

/// Ask whether a request may pass, with its path.
#[utoipa::path(
    get, path = "/auth/{path}", tag = "check",
    security(("api_key" = []), ("certificate" = [])),
    params(("path" = String, Path, description = "Anything, slashes included; it decides nothing")),
    responses(
        (status = 200, description = "As of `/auth`"),
        (status = 401, description = "As of `/auth`"),
        (status = 503, description = "As of `/auth`"),
    ),
)]
#[expect(dead_code, reason = "only described: the door takes these paths before the router")]
pub(crate) fn below() {}

/// Answers a row of the door. Also gives what the access log is to say.
pub(crate) async fn answer(
    http: &Http,
    route: &'static Route,
    trace: &Trace,
    peer: &Peer,
    request: &Parts,
) -> (Response, Seen) {
    let Some(caller) = admit(http, trace, &request.headers, peer) else {
        return (unavailable(), Seen { route: route.path, caller: Arc::clone(&http.anonymous.id) });
    };
    let ruling = rule(http, &http.metrics.checks.gateway, trace, &caller, &Values(&request.headers), &[]).await;
    (said(&ruling), Seen { route: route.path, caller: Arc::clone(&caller.id) })
}

/// The gateway that asks, if it is one; else what its users are told is that nobody can say, and the log says why.
pub(crate) fn admit(http: &Http, trace: &Trace, headers: &HeaderMap, peer: &Peer) -> Option<Caller> {
    let refusal = match gateway(http, headers, peer) {
        Ok(caller) => return Some(caller),
        Err(refusal) => refusal,
    };
    match &refusal {
        ApiError::Forbidden(_, id) => audit::refused::note_known(http, trace, id, PATH, StatusCode::FORBIDDEN),
        ApiError::TooMany(limit) if !limit.is_of_strangers() => {}
        _ => http.denylist.note_stranger(trace.from()),
    }
    // A flood of them does not fill the log.
    if !matches!(refusal, ApiError::TooMany(_)) {
        let (from, request_id) = (trace.from(), trace.id());
        tracing::error!(%refusal, %from, request_id, "a gateway is not known: its users are answered 503");
    }
    None
}

/// The answer to a gateway's question, counted as one through this door.
pub(crate) async fn rule(
    http: &Http,
    door: &CheckMetrics,
    trace: &Trace,
    caller: &Caller,
    headers: &impl Headers,
    payloads: &[String],
) -> Ruling {
    let ruling = http.gateway.rule(caller, headers, payloads).await;
    door.duration.record(trace.started.elapsed().as_secs_f64());
    let result = match &ruling {
        Ruling::Pass(Passed { is_unjudged: false, .. }) => &door.good,
        Ruling::Refuse(_) => &door.revoked,
        Ruling::Pass(_) | Ruling::Unavailable(_) => &door.unavailable,
    };
    result.increment(1);
    ruling
}

/// Which gateway asks: by its certificate or its listener, which its users cannot send; else by its key.
fn gateway(http: &Http, headers: &HeaderMap, peer: &Peer) -> Result<Caller, ApiError> {
    let caller = match peer.caller() {
        Some(caller) => caller.clone(),
        None => by_key(http, headers, peer)?,
    };
    permitted(http, caller, Scope::Check)
}

fn by_key(http: &Http, headers: &HeaderMap, peer: &Peer) -> Result<Caller, ApiError> {
    let mut keys = headers.get_all(X_API_KEY).iter();
    let key = match (keys.next(), keys.next()) {
        (None, _) if http.settings.check_keyless => return Ok(http.anonymous.clone()),
        // Two keys are none.
        (Some(key), None) => key.to_str().ok(),
        _ => None,
    };
    let known =
        key.ok_or(KeyRefusal::Unknown).and_then(|key| http.denylist.keys().authenticate(key, http.denylist.clock()));
    known.map_err(|refusal| turned_away(http, peer, !headers.contains_key(X_API_KEY), &refusal))
}

/// The answer that says it.
fn said(ruling: &Ruling) -> Response {
    match ruling {
        Ruling::Pass(passed) => (StatusCode::OK, claims(passed)).into_response(),
        Ruling::Refuse(reason) => (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge(*reason))]).into_response(),
        Ruling::Unavailable(_) => unavailable(),
    }
}

/// What a client is told that may not pass (RFC 6750 section 3).
pub(crate) fn challenge(reason: Reason) -> HeaderValue {
    if reason == Reason::NoToken { BEARER } else { INVALID_TOKEN }
}

pub(crate) fn unavailable() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, HeaderValue::from_static("1"))]).into_response()
}

/// What the backend may want to know of a request that passes: some of [`SAID`].
pub(crate) fn claims(passed: &Passed) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(SEQ, passed.seq.into())]);
    let Some(token) = &passed.token else { return headers };
    let claims = [
        (SUBJECT, token.sub.as_ref().map(Subject::as_str)),
        (ISSUER, Some(token.issuer.as_str())),
        (CLIENT_ID, token.client_id.as_ref().map(ClientId::as_str)),
        // One that is derived is no claim.
        (JTI, token.rest.has_jti.then(|| token.jti.as_str())),
    ];
    for (name, claim) in claims {
        if let Some(value) = claim.and_then(encoded) {
            headers.insert(name, value);
        }
    }
    headers
}

/// Percent-encoded but for what RFC 3986 section 2.3 leaves alone and what issuers and ids are made of, so that no claim can
/// end a header or begin another.
fn encoded(claim: &str) -> Option<HeaderValue> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/@".contains(&byte);
    let mut text = String::with_capacity(claim.len());
    for byte in claim.bytes() {
        if is_plain(byte) {
            text.push(byte.into());
        } else {
            // Writing into memory cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        if text.len() > CLAIM_HEADER_BYTES_MAX {
            return None;
        }
    }
    HeaderValue::try_from(text).ok().filter(|value| !value.is_empty())
}

/// The headers of a request, as they came.
struct Values<'a>(&'a HeaderMap);

impl Headers for Values<'_> {
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_is_one_path_and_all_below_it() {
        assert!(["/auth", "/auth/", "/auth/a/b", "/auth//"].into_iter().all(is_at));
        assert!(!["/", "/auths", "/authx/a", "/Auth", "/a/auth"].into_iter().any(is_at));
    }

    #[test]
    fn a_claim_stays_one_header_or_is_left_out() {
        let of = |claim: &str| encoded(claim).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(of("https://a.example/x_1@b").as_deref(), Some("https://a.example/x_1@b"));
        assert_eq!(of("a\r\nX-Auth-Subject: b").as_deref(), Some("a%0D%0AX-Auth-Subject:%20b"));
        assert_eq!(of("é,\"%").as_deref(), Some("%C3%A9%2C%22%25"));
        assert_eq!(of(&"a".repeat(256)).map(|value| value.len()), Some(256));
        assert_eq!((of(&"a".repeat(257)), of(&"é".repeat(43)), of("")), (None, None, None));
    }
}
