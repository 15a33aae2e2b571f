//! The endpoints that OAuth clients know: revocation (RFC 7009), introspection (RFC 7662), the metadata that names them
//! (RFC 8414), and the logout that an OpenID provider sends.
//!
//! A client is an API key: `client_id` is its id, `client_secret` the key. How it says so is `client`'s; what it gets to hear
//! when something is wrong, `error/oauth.rs`'s.

pub(crate) mod backchannel;
mod client;
pub(crate) mod introspect;
pub(crate) mod metadata;
pub(crate) mod revoke;

use utoipa::IntoResponses;

use crate::wire::OAuthError;

/// The path of RFC 7009.
pub(crate) const REVOKE: &str = "/oauth2/revoke";

/// The path of RFC 7662.
pub(crate) const INTROSPECT: &str = "/oauth2/introspect";

/// The path of OpenID Connect Back-Channel Logout.
pub(crate) const BACKCHANNEL: &str = "/backchannel-logout";

/// The path of RFC 8414.
pub(crate) const METADATA: &str = "/.well-known/oauth-authorization-server";

/// The same with the path of the issuer behind it (RFC 8414 section 3.1).
pub(crate) const METADATA_OF_PATH: &str = "/.well-known/oauth-authorization-server/{*path}";

/// Whether errors at this path are OAuth errors.
pub(crate) fn speaks(path: &str) -> bool {
    matches!(path, REVOKE | INTROSPECT | BACKCHANNEL)
}

/// The errors that may be given to clients.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described, never made")]
pub(crate) enum Refusals {
    /// `invalid_request`, `unauthorized_client` where the key lacks the scope, and what the endpoint says of a token
    #[response(status = 400)]
    Malformed(OAuthError),
    /// `invalid_client`: no API key, none of ours, or one that has expired
    #[response(status = 401)]
    Client(OAuthError),
}

/// The errors that may be given to whoever sends a form.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described, never made")]
pub(crate) enum FormRefusals {
    /// `invalid_request`: the body came too slowly; the connection ends
    #[response(status = 408)]
    TooSlow(OAuthError),
    /// `invalid_request`: the body is too large
    #[response(status = 413)]
    TooLarge(OAuthError),
    /// `invalid_request`: the body is no form
    #[response(status = 415)]
    MediaType(OAuthError),
    /// `temporarily_unavailable`: too many requests in so short a time
    #[response(status = 429)]
    TooMany(OAuthError),
    /// `temporarily_unavailable`: nothing is known, and nothing may be concluded
    #[response(status = 503)]
    Unavailable(OAuthError),
}
