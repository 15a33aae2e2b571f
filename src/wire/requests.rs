//! What callers ask.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a revoke is asked: one token by its claims, or raw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum RevokeBody {
    /// By claims, as the caller knows them.
    Claims(RevokeClaims),
    /// Raw, to be verified.
    Token(RevokeToken),
}

/// One token to revoke, by its claims; also one line of a revoke of many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeClaims {
    /// Token id, 1 to 1,024 bytes.
    #[schema(min_length = 1, max_length = 1024)]
    pub jti: String,
    /// When the token expires by itself; a fraction is rounded up.
    #[schema(value_type = f64)]
    pub exp: i64,
    /// Issuer; may be left out where only one is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub iss: Option<String>,
    /// Whose token, for listings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 1024)]
    pub sub: Option<String>,
    /// Why, at most 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 256)]
    pub reason: Option<String>,
}

/// One raw token to revoke; also one line of a revoke of many.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeToken {
    /// The signed token (JWS compact serialisation).
    pub token: String,
    /// Why, at most 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 256)]
    pub reason: Option<String>,
}

impl std::fmt::Debug for RevokeToken {
    /// Leaves the token out (promise 12).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RevokeToken").finish_non_exhaustive()
    }
}

/// What a check is asked: one token or many, by claims or raw.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum CheckBody {
    /// Many, by claims.
    Ids {
        /// Up to 10,000.
        #[schema(min_items = 1, max_items = 10000)]
        ids: Vec<CheckId>,
        /// Issuer of all elements that name none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        iss: Option<String>,
    },
    /// Many, raw.
    Tokens {
        /// Up to 1,000.
        #[schema(min_items = 1, max_items = 1000)]
        tokens: Vec<String>,
    },
    /// One, raw.
    Token {
        /// The signed token (JWS compact serialisation).
        token: String,
    },
    /// One, by claims.
    Claims(CheckClaims),
}

/// One element of a check of many: a `jti`, or claims.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum CheckId {
    /// Token id, 1 to 1,024 bytes.
    Jti(String),
    /// Claims.
    Claims(CheckClaims),
}

/// The claims that a check brings: at least one of `jti`, `sub`, `sid`, `client_id` and `family`.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckClaims {
    /// Token id, 1 to 1,024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 1024)]
    pub jti: Option<String>,
    /// Issuer; may be left out where only one is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub iss: Option<String>,
    /// When the token was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub iat: Option<i64>,
    /// Subject, 1 to 1,024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 1024)]
    pub sub: Option<String>,
    /// Session, 1 to 1,024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 1024)]
    pub sid: Option<String>,
    /// OAuth client, 1 to 1,024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 1024)]
    pub client_id: Option<String>,
    /// Family, 1 to 1,024 bytes. Where the issuer has session and client for it, they will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 1024)]
    pub family: Option<String>,
}

/// Whom to log out: exactly one of `sub`, `sid`, `client_id`, and `"all":true`.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogOutBody {
    /// A subject, 1 to 1,024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 1024)]
    pub sub: Option<String>,
    /// A session, 1 to 1,024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 1024)]
    pub sid: Option<String>,
    /// An OAuth client, 1 to 1,024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 1024)]
    pub client_id: Option<String>,
    /// Everybody: every token of the issuer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Issuer; may be left out where only one is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub iss: Option<String>,
    /// The last second whose tokens are revoked; now if absent. May lie in the past, not in the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub issued_before: Option<i64>,
    /// Why, at most 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 256)]
    pub reason: Option<String>,
    /// Write nothing; say what would happen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// What a purge is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PurgeBody {
    /// The caller vouches for the wall clock: doubt in it ends before the purge begins.
    #[serde(default)]
    pub trust_clock: bool,
}
