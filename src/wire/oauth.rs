//! What OAuth clients send and get (RFC 6749, RFC 7009, RFC 7662, RFC 8414, Global Token Revocation).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A form about one token. Unknown parameters are ignored, none may be there twice.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenForm {
    /// A signed JWT.
    pub token: String,
    /// Ignored: a JWT says by itself what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub token_type_hint: Option<String>,
    /// Id of an API key, where the client says in the form who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub client_id: Option<String>,
    /// That key, or what follows the id in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub client_secret: Option<String>,
}

/// A form that logs somebody out. Unknown parameters are ignored, none may be there twice.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogoutForm {
    /// A logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4).
    pub logout_token: String,
}

/// An error for OAuth clients (RFC 6749 section 5.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OAuthError {
    /// `invalid_request`, `invalid_client`, `unauthorized_client`, `invalid_grant`, `unsupported_token_type` or
    /// `temporarily_unavailable`.
    pub error: String,
    /// What is wrong, for people.
    pub error_description: String,
}

/// What an introspection says. Of a token that is not active, nothing else.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct IntrospectAnswer {
    /// Whether the token is genuine, for whoever relies on this server, in its time, and not revoked.
    pub active: bool,
    /// Its issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub iss: Option<String>,
    /// Its subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sub: Option<String>,
    /// Whom it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub aud: Option<Audience>,
    /// When it expires; a fraction is rounded down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub exp: Option<i64>,
    /// When it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub iat: Option<i64>,
    /// When it began; a fraction is rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub nbf: Option<i64>,
    /// Its identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub jti: Option<String>,
    /// Its client: `client_id`, else `azp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub client_id: Option<String>,
    /// What it permits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub scope: Option<String>,
}

/// One audience or many.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Many.
    Many(Vec<String>),
}

/// Where the OAuth endpoints are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OAuthMetadata {
    /// `server.public_url`.
    pub issuer: String,
    /// Empty: nothing is authorised here. RFC 8414 section 2 requires it all the same, and clients look for it.
    pub response_types_supported: Vec<String>,
    /// RFC 7009.
    pub revocation_endpoint: String,
    /// How clients may say there who they are, of the ways that have a name.
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    /// RFC 7662.
    pub introspection_endpoint: String,
    /// As of the other endpoint.
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    /// Global Token Revocation.
    pub global_token_revocation_endpoint: String,
}

/// Whose tokens are to be revoked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GlobalRevocationBody {
    /// The subject.
    pub sub_id: SubjectId,
}

/// A subject identifier (RFC 9493).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "format", rename_all = "snake_case", deny_unknown_fields)]
pub enum SubjectId {
    /// A subject of an issuer.
    IssSub {
        /// The issuer.
        iss: String,
        /// The subject, 1 to 1,024 bytes.
        #[schema(min_length = 1, max_length = 1024)]
        sub: String,
    },
    /// A subject of the only issuer.
    Opaque {
        /// The subject, 1 to 1,024 bytes.
        #[schema(min_length = 1, max_length = 1024)]
        id: String,
    },
}
