//! What a caller may do that about: the one place where the bounds of keys and certificates are honoured.
//!
//! | bound by | revoke, log out, restore, show, list | check |
//! | --- | --- | --- |
//! | `issuers` | of these issuers only | of these issuers only |
//! | `client_ids` | tokens whose signature names one of these clients, a refresh token with its family; cutoffs on one of them; nothing else | tokens whose signature, or whose `client_id` in the check, names one of them |
//!
//! Of a family only this: who revokes a refresh token that is proven to be its client's cuts off the grant that it stands for,
//! which is that client's too. Where the family is session and client, that is so by its making.
//!
//! What concerns the whole server (keys, purge) is for callers without bounds. An entry beyond the bounds is not there:
//! to say that it is would be a check of it.

use super::Http;
use super::error::ApiError;
use crate::denylist::Entry;
use crate::keys::Caller;
use crate::revocation::{Target, TokenClaims};
use crate::token::{ClientId, Issuer};

/// The bound that a request is beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Bound {
    /// It is about another issuer.
    #[error("the API key or certificate is bound by `issuers`, and this is about another issuer")]
    Issuers,
    /// It is about another client, or says of none.
    #[error("the API key or certificate is bound by `client_ids`, and this is about another client, or about none")]
    ClientIds,
    /// It says of a token by claims that nothing proves.
    #[error(
        "the API key or certificate is bound by `client_ids`, and so may revoke by `token` only, which proves its client"
    )]
    Unproven,
    /// It is about everything.
    #[error("the API key or certificate is bound by `issuers` or `client_ids`, and this concerns the whole server")]
    WholeServer,
}

impl Bound {
    /// The field that says what the request is about.
    pub(crate) const fn field(self) -> Option<&'static str> {
        match self {
            Self::Issuers => Some("iss"),
            Self::ClientIds => Some("client_id"),
            Self::Unproven => Some("jti"),
            Self::WholeServer => None,
        }
    }
}

/// A token that somebody names by claims is to be revoked.
///
/// # Errors
/// [`ApiError::Bound`], as of every function here.
pub(crate) fn asserted(http: &Http, caller: &Caller, issuer: &Issuer<'_>) -> Result<(), ApiError> {
    judge(http, caller.bounds.allow_issuer(issuer), Bound::Issuers)?;
    judge(http, caller.bounds.client_ids.is_empty(), Bound::Unproven)
}

/// A token whose signature proves issuer and client is to be revoked.
pub(crate) fn proven(
    http: &Http,
    caller: &Caller,
    issuer: &Issuer<'_>,
    client_id: Option<&ClientId<'_>>,
) -> Result<(), ApiError> {
    judge(http, caller.bounds.allow_issuer(issuer), Bound::Issuers)?;
    judge(http, caller.bounds.allow_client(client_id), Bound::ClientIds)
}

/// A check that brings these claims.
pub(crate) fn check(http: &Http, caller: &Caller, claims: &TokenClaims<'_>) -> Result<(), ApiError> {
    proven(http, caller, claims.issuer, claims.client_id.as_ref())
}

/// A cutoff on this target.
pub(crate) fn cutoff(http: &Http, caller: &Caller, issuer: &Issuer<'_>, target: &Target<'_>) -> Result<(), ApiError> {
    let client_id = if let Target::ClientId(client_id) = target { Some(client_id) } else { None };
    proven(http, caller, issuer, client_id)
}

/// A list of the entries of this issuer.
pub(crate) fn issuer(http: &Http, caller: &Caller, issuer: &Issuer<'_>) -> Result<(), ApiError> {
    judge(http, caller.bounds.allow_issuer(issuer), Bound::Issuers)
}

/// Something that concerns the whole server.
pub(crate) fn whole_server(http: &Http, caller: &Caller) -> Result<(), ApiError> {
    judge(http, caller.bounds.is_empty(), Bound::WholeServer)
}

/// Whether an entry is there for the caller.
pub(crate) fn shows(caller: &Caller, entry: &Entry) -> bool {
    caller.bounds.allow(entry.issuer(), entry.client_id())
}

fn judge(http: &Http, allowed: bool, bound: Bound) -> Result<(), ApiError> {
    if allowed {
        return Ok(());
    }
    http.metrics.auth_failures.bound.increment(1);
    Err(ApiError::Bound(bound))
}
