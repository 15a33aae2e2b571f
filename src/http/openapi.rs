//! `GET /openapi.json`: the description of this API, generated from the code that serves it.

use std::sync::OnceLock;

use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{RefOr, Required};
use utoipa::{IntoResponses, Modify, OpenApi};

use super::error::ApiError;
use super::extract::Query;
use super::{
    audit, check, check_many, force_logout, forward_auth, global_revocation, keys, oauth, probes, purge, restore,
    revocations, revoke,
};
use crate::wire::Problem;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "revokd",
        description = "The revocation layer that stateless JWTs lack. All times are NumericDate seconds (RFC 7519 \
                       section 2); errors are RFC 9457 problems; no answer may be cached. A path that is not \
                       described is 404 and a method that is not is 405 with `Allow`, with or without a key; a head \
                       that cannot be read or is too large is 400 or 431 without a body.",
    ),
    paths(
        revoke::revoke, check::by_path, check::by_query, check_many::check, forward_auth::at_path, forward_auth::below, force_logout::force_logout,
        revocations::list, revocations::show, restore::restore, keys::list, keys::create, keys::revoke, audit::audit, purge::purge, probes::livez, probes::readyz, probes::metrics, description,
        global_revocation::revoke, oauth::revoke::revoke, oauth::introspect::introspect, oauth::metadata::metadata, oauth::metadata::metadata_of_path,
        oauth::backchannel::log_out,
    ),
    components(schemas(crate::wire::RevokeManyAnswer, crate::wire::OAuthError)),
    modifiers(&ApiKeys, &OptionalBodies),
    security(("bearer" = []), ("api_key" = []), ("certificate" = [])),
    tags(
        (name = "revoke", description = "Scope `revoke`"),
        (name = "check", description = "Scope `check`"),
        (name = "admin", description = "Scope `admin`"),
        (name = "audit", description = "Scope `audit`"),
        (name = "logout", description = "Open: the logout token is the authentication"),
        (name = "probes", description = "Open"),
    ),
)]
struct Api;

/// Describes the ways in which a caller says who it is.
struct ApiKeys;

impl Modify for ApiKeys {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("revokd_<id>_<secret>");
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
        let basic =
            HttpBuilder::new().scheme(HttpAuthScheme::Basic).description(Some("Id of an API key, and the key."));
        components.add_security_scheme("basic", SecurityScheme::Http(basic.build()));
        let header = ApiKeyValue::with_description("X-Api-Key", "Wins over `Authorization`.");
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(header)));
        let description = "Over TLS, where no key is sent: a certificate that a row of `[[tls.clients]]` names.";
        let certificate =
            SecurityScheme::MutualTls { description: Some(description.to_owned()), deprecated: None, extensions: None };
        components.add_security_scheme("certificate", certificate);
    }
}

/// Says of `POST /purge` that its body may be left out, which is not to say that it may be `null`.
struct OptionalBodies;

impl Modify for OptionalBodies {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let purge = api.paths.paths.get_mut("/purge").and_then(|path| path.post.as_mut());
        if let Some(RefOr::T(body)) = purge.and_then(|purge| purge.request_body.as_mut()) {
            body.required = Some(Required::False);
        }
    }
}

/// The answers that every route with a scope may give instead of its own.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described, never made")]
pub(crate) enum Guarded {
    /// Malformed
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(Problem),
    /// No API key, or none of ours, and no certificate of a known client
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(Problem),
    /// The API key or certificate lacks the scope, or is bound to other issuers or clients
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// Well-formed but refused; `field` and `limit` say why
    #[response(status = 422, content_type = "application/problem+json")]
    Refused(Problem),
    /// Too many requests in so short a time; `detail` names the limit
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(Problem),
    /// Unavailable: nothing is known, and nothing may be concluded
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

/// The answers that routes which read a body may give besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described, never made")]
pub(crate) enum Reading {
    /// The body came too slowly; the connection ends
    #[response(status = 408, content_type = "application/problem+json")]
    TooSlow(Problem),
    /// The body is too large; `detail` names the limit
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The body is of another media type
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(Problem),
}

/// The answers that routes which store something may give besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described, never made")]
pub(crate) enum Stored {
    /// Full; `detail` names the limit
    #[response(status = 507, content_type = "application/problem+json")]
    Full(Problem),
}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", tag = "probes", security(),
    responses(
        (status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object),
        (status = 400, description = "Malformed", content_type = "application/problem+json", body = Problem),
    ),
)]
pub(crate) async fn description(uri: Uri) -> Result<Response, ApiError> {
    served(&uri)
}

/// The answer of `/openapi.json`, also while there is no denylist yet.
pub(crate) fn served(uri: &Uri) -> Result<Response, ApiError> {
    static JSON: OnceLock<Bytes> = OnceLock::new();
    Query::parse(uri.query(), &[], &[])?;
    let json = JSON.get_or_init(|| serde_json::to_vec(&document()).unwrap_or_default().into());
    Ok(([(CONTENT_TYPE, "application/json")], json.clone()).into_response())
}

/// The whole description.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    Api::openapi()
}
