//! Who is asking, and whether they may: judged before anything else of a request is looked at.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::listener::Peer;
use super::{Access, Http, Pace, Route};
use crate::keys::{Caller, KEY_PREFIX, KeyRefusal, Scope};

pub(crate) const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What the access log says of a request: the route as the table writes it, never the path that was asked.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) route: &'static str,
    pub(crate) caller: Arc<str>,
}

/// The layer around every row of the route table.
pub(crate) async fn guard(
    State((http, route)): State<(Arc<Http>, &'static Route)>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Access::Client(_) = route.access {
        request.extensions_mut().insert(route);
        return seen(next.run(request).await, route, Arc::clone(&http.anonymous.id));
    }
    // The door has put it there.
    let peer = request.extensions().get().unwrap_or(&Peer::Unix);
    let caller = authorise(&http, route.access, request.headers(), peer);
    let caller = match caller.and_then(|caller| paced(&http, route, caller)) {
        Ok(caller) => caller,
        Err(refusal) => return seen(refusal.into_response(), route, Arc::clone(&http.anonymous.id)),
    };
    let id = Arc::clone(&caller.id);
    request.extensions_mut().insert(caller);
    seen(next.run(request).await, route, id)
}

/// Notes for the access log which row of the table answered whom.
fn seen(mut response: Response, route: &'static Route, caller: Arc<str>) -> Response {
    // An endpoint that lets its callers in by itself knows better.
    response.extensions_mut().get_or_insert_with(|| Seen { route: route.path, caller });
    response
}

/// The caller, if the route is theirs to use: by the key that the headers present, else by the certificate of the
/// connection.
///
/// # Errors
/// [`ApiError::Unauthenticated`] for no key or none of ours, [`ApiError::Expired`], [`ApiError::Forbidden`] for one without
/// the scope; and [`ApiError::TooMany`] instead of each where there were too many of them.
pub(crate) fn authorise(http: &Http, access: Access, headers: &HeaderMap, peer: &Peer) -> Result<Caller, ApiError> {
    let scope = match access {
        Access::Open => return Ok(http.anonymous.clone()),
        Access::Needs(scope) | Access::Client(scope) => scope,
        Access::Gateway => Scope::Check,
    };
    if let Some(caller) = peer.caller().filter(|_| !presents_a_key(headers)) {
        return permitted(http, caller.clone(), scope);
    }
    let presented = presented(headers);
    let caller = match presented {
        // One that is presented is judged there as anywhere else.
        Presented::Nothing if scope == Scope::Check && http.settings.check_keyless => {
            return Ok(http.anonymous.clone());
        }
        Presented::Nothing | Presented::NoKey => Err(KeyRefusal::Unknown),
        Presented::Key(key) => http.denylist.keys().authenticate(key, http.denylist.clock()),
    };
    match caller {
        Ok(caller) => permitted(http, caller, scope),
        Err(refusal) => Err(turned_away(http, peer, presented == Presented::Nothing, &refusal)),
    }
}

/// Counts a caller without a valid key, which is looked for first: strangers never stand in its way.
pub(crate) fn turned_away(http: &Http, peer: &Peer, is_nothing_presented: bool, refusal: &KeyRefusal) -> ApiError {
    let failures = &http.metrics.auth_failures;
    let (failures, error) = match refusal {
        KeyRefusal::Unknown if is_nothing_presented => (&failures.missing, ApiError::Unauthenticated),
        KeyRefusal::Unknown => (&failures.unknown, ApiError::Unauthenticated),
        KeyRefusal::Expired { .. } => (&failures.expired, ApiError::Expired),
    };
    failures.increment(1);
    http.paces.stranger(peer, &http.metrics).err().unwrap_or(error)
}

/// The caller of a request that is let through, counted by the pace of its route.
///
/// # Errors
/// [`ApiError::TooMany`].
pub(crate) fn paced(http: &Http, route: &Route, caller: Caller) -> Result<Caller, ApiError> {
    http.paces.known(&caller, route.pace, &http.metrics)?;
    Ok(caller)
}

/// The caller, if it has the scope.
///
/// # Errors
/// [`ApiError::Forbidden`], or [`ApiError::TooMany`] where there were too many of them.
pub(crate) fn permitted(http: &Http, caller: Caller, scope: Scope) -> Result<Caller, ApiError> {
    if caller.scopes.contains(scope) {
        return Ok(caller);
    }
    http.metrics.auth_failures.scope.increment(1);
    http.paces.known(&caller, Pace::Common, &http.metrics)?;
    Err(ApiError::Forbidden(scope, caller.id.clone()))
}

/// Whether the headers say something that wins over a certificate: any `X-Api-Key`, or an `Authorization` that looks
/// like a key of ours. Another may be the user's, which a gateway passes on.
fn presents_a_key(headers: &HeaderMap) -> bool {
    let is_ours = |value| bearer(value).is_some_and(|key| key.starts_with(KEY_PREFIX));
    headers.contains_key(&X_API_KEY) || headers.get_all(AUTHORIZATION).iter().any(is_ours)
}

/// What the headers of a request say of its sender.
#[derive(Debug, PartialEq, Eq)]
enum Presented<'a> {
    /// Neither header is there.
    Nothing,
    /// Something that cannot be a key.
    NoKey,
    /// Perhaps a key of ours.
    Key(&'a str),
}

/// The key that the headers present. `X-Api-Key` wins, also when it is wrong. Two of one header are none: which of them
/// a proxy in front has looked at is not to be guessed.
fn presented(headers: &HeaderMap) -> Presented<'_> {
    let mut values = headers.get_all(&X_API_KEY).iter();
    if let Some(value) = values.next() {
        let key = value.to_str().ok().filter(|_| values.next().is_none());
        return key.map_or(Presented::NoKey, Presented::Key);
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Presented::Nothing };
    let key = bearer(value).filter(|_| values.next().is_none());
    key.map_or(Presented::NoKey, Presented::Key)
}

/// The credentials of `Authorization: Bearer …` (RFC 6750 section 2.1; the scheme's case does not matter).
pub(crate) fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        list.iter().map(pair).collect()
    }

    #[test]
    fn x_api_key_wins_and_two_keys_are_none() {
        let of = |list: &[(&'static str, &'static str)]| match presented(&headers(list)) {
            Presented::Nothing => None,
            Presented::NoKey => Some(String::new()),
            Presented::Key(key) => Some(key.to_owned()),
        };
        for (list, key) in [
            (&[][..], None),
            (&[("authorization", "Bearer a")], Some("a")),
            (&[("authorization", "bEARER a")], Some("a")),
            (&[("x-api-key", "b"), ("authorization", "Bearer a")], Some("b")),
            (&[("authorization", "Basic a")], Some("")),
            (&[("authorization", "a")], Some("")),
            (&[("authorization", "Bearer a"), ("authorization", "Bearer b")], Some("")),
            (&[("x-api-key", "a"), ("x-api-key", "a")], Some("")),
        ] {
            assert_eq!(of(list).as_deref(), key, "{list:?}");
        }
    }
}
