//! `GET /.well-known/oauth-authorization-server`: where the OAuth endpoints are (RFC 8414).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;

use super::super::error::ApiError;
use super::super::extract::Query;
use super::super::{Http, global_revocation};
use super::{INTROSPECT, METADATA, REVOKE};
use crate::wire::{OAuthMetadata, Problem};

/// Where the OAuth endpoints are (RFC 8414).
///
/// There only where `server.public_url` says how clients reach this server.
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "probes", security(),
    responses(
        (status = 200, description = "What this server does for OAuth clients", body = OAuthMetadata),
        (status = 400, description = "Malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`server.public_url` is not set", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn metadata(State(http): State<Arc<Http>>, uri: Uri) -> Result<Json<OAuthMetadata>, ApiError> {
    Query::parse(uri.query(), &[], &[])?;
    said(&http)
}

/// Where the OAuth endpoints are, of a server behind a path.
///
/// Where `server.public_url` has a path, clients look for its metadata here (RFC 8414 section 3.1): `https://host/path` has it at
/// `https://host/.well-known/oauth-authorization-server/path`.
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server/{path}", tag = "probes", security(),
    params(("path" = String, Path, description = "The path of `server.public_url`")),
    responses(
        (status = 200, description = "What this server does for OAuth clients", body = OAuthMetadata),
        (status = 400, description = "Malformed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`server.public_url` has not this path", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn metadata_of_path(State(http): State<Arc<Http>>, uri: Uri) -> Result<Json<OAuthMetadata>, ApiError> {
    Query::parse(uri.query(), &[], &[])?;
    let asked = uri.path().strip_prefix(METADATA).unwrap_or_default();
    let rest = http.settings.public_url.split_once("://").map_or("", |(_, rest)| rest);
    if rest.find('/').is_none_or(|at| rest[at..] != *asked) {
        return Err(ApiError::NotFound("`server.public_url` has not this path"));
    }
    said(&http)
}

fn said(http: &Http) -> Result<Json<OAuthMetadata>, ApiError> {
    let issuer = &http.settings.public_url;
    if issuer.is_empty() {
        return Err(ApiError::NotFound("there is no metadata: `server.public_url` is not set"));
    }
    let at = |path: &str| format!("{issuer}{path}");
    let methods = || ["client_secret_basic", "client_secret_post"].map(str::to_owned).to_vec();
    Ok(Json(OAuthMetadata {
        issuer: issuer.clone(),
        response_types_supported: Vec::new(),
        revocation_endpoint: at(REVOKE),
        revocation_endpoint_auth_methods_supported: methods(),
        introspection_endpoint: at(INTROSPECT),
        introspection_endpoint_auth_methods_supported: methods(),
        global_token_revocation_endpoint: at(global_revocation::PATH),
    }))
}
