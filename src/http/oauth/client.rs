//! How an OAuth client says who it is (RFC 6749 section 2.3): in one way, in `Authorization`, in `X-Api-Key`, in the form, or
//! by the certificate of its connection.

use std::borrow::Cow;

use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::super::auth::{Seen, X_API_KEY, bearer, paced, permitted, turned_away};
use super::super::error::ApiError;
use super::super::extract::{Form, Media, Query, form, form_decode};
use super::super::listener::Peer;
use super::super::{Access, Http, Route};
use crate::keys::{Caller, KeyRefusal};

/// Base64 with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const TWO_WAYS: &str = "the client authenticates in two ways at once; one is to be used";

/// What somebody presents.
enum Credentials<'a> {
    Key(&'a str),
    Client {
        id: Cow<'a, str>,
        secret: Cow<'a, str>,
    },
    /// Something that cannot be a key.
    NoKey,
}

/// A client that may use the route, and what it asks.
pub(super) struct Admitted<'a> {
    pub(super) caller: Caller,
    pub(super) form: Form<'a>,
    route: &'static Route,
}

impl Admitted<'_> {
    /// An answer, or an error, for this client; notes for the access log whose it is.
    pub(super) fn answered(&self, answer: Result<Response, ApiError>) -> Response {
        let mut response = answer.into_response();
        response.extensions_mut().insert(Seen { route: self.route.path, caller: self.caller.id.clone() });
        response
    }
}

/// Lets a client in. What it presents in a header is judged before its body is read; what is in the body, before anything
/// else of it is looked at.
///
/// # Errors
/// [`ApiError::Unauthenticated`], [`ApiError::Expired`], [`ApiError::Forbidden`], [`ApiError::TooMany`];
/// [`ApiError::Malformed`] for two ways at once; and those of a form.
pub(super) async fn admit<'a>(
    http: &'a Http,
    route: &'static Route,
    request: Request,
) -> Result<Admitted<'a>, ApiError> {
    let (parts, body) = request.into_parts();
    // The door has put it there.
    let entrance = Entrance { http, route, peer: parts.extensions.get().unwrap_or(&Peer::Unix) };
    let in_headers = in_headers(&parts.headers).map_err(|error| entrance.stranger(error))?;
    let early = match in_headers {
        Some(credentials) => Some(entrance.let_in(&credentials)?),
        // What is no form holds no credentials.
        None if Media::of(&parts.headers) != Some(Media::Form) => Some(entrance.by_certificate()?),
        None => None,
    };
    let form = form(http, early.as_ref(), &parts.headers, body).await;
    let form = form.map_err(|error| if early.is_none() { entrance.stranger(error) } else { error })?;
    let caller = match (early, form.get("client_id"), form.get("client_secret")) {
        (Some(_), _, Some(_)) => return Err(ApiError::malformed(TWO_WAYS)),
        (Some(caller), _, None) => caller,
        (None, Some(id), Some(secret)) => {
            entrance.let_in(&Credentials::Client { id: id.into(), secret: secret.into() })?
        }
        (None, None, Some(_)) => entrance.let_in(&Credentials::NoKey)?,
        // A client without a secret may be anybody, unless its certificate says who it is.
        (None, _, None) => entrance.by_certificate()?,
    };
    // Of a certificate too (RFC 8705 section 2).
    if form.get("client_id").is_some_and(|id| *id != *caller.id) {
        let another = "`client_id` names another client than the one that asks";
        return Err(ApiError::malformed_field("client_id", another));
    }
    Query::parse(parts.uri.query(), &[], &[])?;
    Ok(Admitted { caller, form, route })
}

struct Entrance<'a> {
    http: &'a Http,
    route: &'static Route,
    peer: &'a Peer,
}

impl Entrance<'_> {
    fn let_in(&self, credentials: &Credentials<'_>) -> Result<Caller, ApiError> {
        let (keys, clock) = (self.http.denylist.keys(), self.http.denylist.clock());
        let caller = match credentials {
            Credentials::Key(key) => keys.authenticate(key, clock),
            Credentials::Client { id, secret } => keys.authenticate_client(id, secret, clock),
            Credentials::NoKey => Err(KeyRefusal::Unknown),
        };
        self.permit(caller.map_err(|refusal| turned_away(self.http, self.peer, false, &refusal))?)
    }

    fn by_certificate(&self) -> Result<Caller, ApiError> {
        let nobody = || turned_away(self.http, self.peer, true, &KeyRefusal::Unknown);
        self.permit(self.peer.caller().cloned().ok_or_else(nobody)?)
    }

    fn permit(&self, caller: Caller) -> Result<Caller, ApiError> {
        match self.route.access {
            Access::Open | Access::Gateway => Ok(caller),
            Access::Needs(scope) | Access::Client(scope) => {
                paced(self.http, self.route, permitted(self.http, caller, scope)?)
            }
        }
    }

    /// Counts a request that is refused before anybody knows whose it is.
    fn stranger(&self, error: ApiError) -> ApiError {
        self.http.paces.stranger(self.peer, &self.http.metrics).err().unwrap_or(error)
    }
}

/// What the headers present.
///
/// # Errors
/// [`ApiError::Malformed`] where that is more than one thing.
fn in_headers(headers: &HeaderMap) -> Result<Option<Credentials<'_>>, ApiError> {
    let by_key = headers.get_all(X_API_KEY).iter().map(|key| key.to_str().map_or(Credentials::NoKey, Credentials::Key));
    let mut all = by_key.chain(headers.get_all(AUTHORIZATION).iter().map(authorization));
    match (all.next(), all.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(ApiError::malformed(TWO_WAYS)),
    }
}

fn authorization(value: &HeaderValue) -> Credentials<'_> {
    bearer(value).map(Credentials::Key).or_else(|| basic(value)).unwrap_or(Credentials::NoKey)
}

/// The credentials of `Authorization: Basic …`. RFC 6749 section 2.3.1 has id and secret form-encoded before; those of clients
/// that forget it read the same, since no key has a character that is encoded.
fn basic(value: &HeaderValue) -> Option<Credentials<'static>> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(encoded.trim_matches(' ')).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |text| form_decode(text).map(|text| Cow::Owned(text.into_owned()));
    Some(Credentials::Client { id: decoded(id)?, secret: decoded(secret)? })
}
