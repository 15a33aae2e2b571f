//! Every refusal that the REST door can give, and the only place that picks status codes.
//!
//! Bodies are RFC 9457 problems, or OAuth errors for OAuth clients (`oauth.rs`). They name the field and the limit, and never quote a claim value, token or key
//! (promise 12).

mod oauth;
mod problem;

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::bound::Bound;
use super::listener::BodyTimeout;
use super::pace::TooMany;
use crate::denylist::{Refusal, WriteError};
use crate::issuers::IssuerError;
use crate::keys::Scope;
use crate::revocation::{ReasonTooLong, Unavailable};
use crate::token::ClaimError;
use crate::verifier::VerifyError;
use crate::wire::KeyFault;

/// What is wrong with a request, in words.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    detail: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    limit: Option<u64>,
}

/// Why a request is not answered with what it asked for.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ApiError {
    /// The request cannot be read.
    #[error("{}", .0.detail)]
    Malformed(Fault),
    /// The request can be read, but not be granted.
    #[error("{}", .0.detail)]
    Invalid(Fault),
    /// No key, or none of ours, and no certificate that a row of `[[tls.clients]]` names.
    #[error("no valid API key; send it as `Authorization: Bearer <key>` or as `X-Api-Key: <key>`")]
    Unauthenticated,
    /// A key or certificate without the scope; of the caller of this id.
    #[error("the API key or certificate lacks the scope `{}`", .0.as_str())]
    Forbidden(Scope, Arc<str>),
    /// A key whose time is over.
    #[error("the API key has expired; use another")]
    Expired,
    /// A key or certificate that is bound to other issuers or clients.
    #[error(transparent)]
    Bound(#[from] Bound),
    /// More requests than may be in so short a time.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// No such route or entry.
    #[error("{0}")]
    NotFound(&'static str),
    /// The entry is at another place in the history than the caller says.
    #[error("the entry has moved: its `seq` is {seq} now; look at it again")]
    Moved {
        /// Its place now.
        seq: u64,
    },
    /// The route has other methods.
    #[error("this path answers to: {allow}")]
    MethodNotAllowed {
        /// The methods, as `Allow` lists them.
        allow: String,
    },
    /// The body is longer than the limit of this name.
    #[error("the body is too large; the limit {name} is {limit} bytes")]
    TooLarge {
        /// The config key of the limit.
        name: &'static str,
        /// Its value, bytes.
        limit: u64,
    },
    /// The body came too slowly.
    #[error(transparent)]
    BodyTimeout(BodyTimeout),
    /// The body is of a kind that the route does not read.
    #[error("the body must be sent as {0}, without Content-Encoding")]
    MediaType(&'static str),
    /// A claim is empty or too long.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The reason is too long.
    #[error(transparent)]
    Reason(#[from] ReasonTooLong),
    /// The issuer cannot be resolved.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// A limit of the denylist was passed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A raw token proves nothing.
    #[error("`token` cannot be verified: {0}")]
    Unverifiable(String),
    /// A raw token cannot be judged now.
    #[error("the issuer's keys cannot be had at the moment")]
    KeysUnavailable,
    /// We do not know.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// Nothing was written, or nobody knows.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Too much is under way at this moment.
    #[error("too much is under way; the limit {name} is {}{}", .limit + .reserved, for_admins(*.reserved))]
    InFlight {
        /// The config key of the limit.
        name: &'static str,
        /// How much of it this caller may hold together with all others.
        limit: u64,
        /// The rest, which is kept for admins where this caller is none.
        reserved: u64,
    },
    /// One element of a check of many is refused, and with it the request.
    #[error("element {index}: {error}")]
    Element {
        /// Its index, from 0.
        index: u64,
        /// What is wrong with it.
        error: Box<ApiError>,
    },
    /// A revoke of many ended before its last line.
    #[error("{error}; {durable} lines are durable, send the others again")]
    Stream {
        /// Lines that are durable.
        durable: u64,
        /// What ended it.
        error: Box<ApiError>,
    },
}

impl ApiError {
    /// 400, about the request as a whole.
    pub(crate) fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed(Fault { detail: detail.into(), field: None, limit: None })
    }

    /// 400, about one parameter or member.
    pub(crate) fn malformed_field(field: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed(Fault { detail: detail.into(), field: Some(field.into()), limit: None })
    }

    /// 422, about one field.
    pub(crate) fn invalid(field: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(Fault { detail: detail.into(), field: Some(field.into()), limit: None })
    }

    /// 422, about one field that passes a limit.
    pub(crate) fn beyond(field: &'static str, limit: u64, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(Fault { detail: detail.into(), field: Some(field.into()), limit: Some(limit) })
    }

    /// This error, told of the element that it is about.
    pub(crate) fn at(self, index: usize) -> Self {
        // Doubt is about all of a request, never about one element of it (promise 3).
        if self.is_doubt() { self } else { Self::Element { index: index as u64, error: Box::new(self) } }
    }

    /// This error, told of how much was done before it.
    pub(crate) fn after(self, durable: u64) -> Self {
        Self::Stream { durable, error: Box::new(self) }
    }

    /// Whether this says that we do not know.
    pub(crate) fn is_doubt(&self) -> bool {
        self.status() == StatusCode::SERVICE_UNAVAILABLE
    }

    /// The status of each error. No wildcard: whoever adds an error decides here what callers see.
    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated | Self::Expired => StatusCode::UNAUTHORIZED,
            Self::Forbidden(..) | Self::Bound(_) => StatusCode::FORBIDDEN,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            // The key may not do what one element asks.
            Self::Element { error, .. } if matches!(**error, Self::Bound(_)) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Moved { .. } => StatusCode::PRECONDITION_FAILED,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout(_) => StatusCode::REQUEST_TIMEOUT,
            Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_)
            | Self::Unverifiable(_)
            | Self::Claim(ClaimError::Empty { .. } | ClaimError::TooLong { .. })
            | Self::Reason(ReasonTooLong { .. })
            | Self::Issuer(IssuerError::NoneConfigured | IssuerError::Missing | IssuerError::Unknown)
            | Self::Refused(
                Refusal::LifetimeTooLong { .. }
                | Refusal::InFuture { .. }
                | Refusal::TooManyChanges { .. }
                | Refusal::KeyEnded { .. }
                | Refusal::LastAdminKey,
            )
            // The request was read; that one element cannot be is a refusal of what it asks.
            | Self::Element { .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Refused(Refusal::Full { .. }) => StatusCode::INSUFFICIENT_STORAGE,
            Self::KeysUnavailable
            | Self::InFlight { .. }
            | Self::Unavailable(
                Unavailable::Index
                | Unavailable::Late
                | Unavailable::Busy
                | Unavailable::Poisoned
                | Unavailable::NotReady
                | Unavailable::Audit,
            )
            | Self::Write(
                WriteError::Refused
                | WriteError::Failed
                | WriteError::Busy
                | WriteError::Late
                | WriteError::Stopping
                | WriteError::Unavailable(_),
            ) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Stream { error, .. } => error.status(),
        }
    }
}

/// Why a caller may hold less than what is configured.
fn for_admins(reserved: u64) -> String {
    if reserved == 0 { String::new() } else { format!(", of which {reserved} are reserved for admins") }
}

impl From<KeyFault> for ApiError {
    fn from(KeyFault { field, limit, detail }: KeyFault) -> Self {
        Self::Invalid(Fault { detail, field: Some(field.into()), limit })
    }
}

impl From<VerifyError> for ApiError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Refused(refusal) => Self::Unverifiable(refusal.to_string()),
            VerifyError::KeysUnavailable => Self::KeysUnavailable,
        }
    }
}

impl IntoResponse for ApiError {
    /// Hands the error on to [`Trace::finish`](super::trace::Trace::finish), which knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::RETRY_AFTER;

    use super::*;

    #[test]
    fn doubt_is_503_with_retry_after_and_never_blames_one_element() {
        for error in [
            ApiError::from(Unavailable::Late),
            ApiError::from(WriteError::Failed),
            ApiError::KeysUnavailable,
            ApiError::InFlight { name: "x", limit: 1, reserved: 0 },
        ] {
            let response = error.clone().at(3).render("r");
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(response.headers().contains_key(RETRY_AFTER));
            assert!(!matches!(error.at(3), ApiError::Element { .. }));
        }
    }

    #[test]
    fn a_refused_element_is_422_and_keeps_the_field_and_limit_of_its_error() {
        assert_eq!(ApiError::malformed("x").at(7).status(), StatusCode::UNPROCESSABLE_ENTITY);
        let error = ApiError::from(ClaimError::TooLong { claim: "jti", bytes: 2_000 }).at(7);
        assert_eq!(error.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(error.field().as_deref(), Some("jti"));
        assert_eq!(error.limit(), Some(1_024));
    }

    #[test]
    fn full_is_507_and_too_long_a_lifetime_names_exp_and_its_limit() {
        let full = ApiError::from(Refusal::Full { what: "the key", name: "limits.x", limit: 5 });
        assert_eq!(full.status(), StatusCode::INSUFFICIENT_STORAGE);
        let long = ApiError::from(Refusal::LifetimeTooLong { lifetime_s: 10, name: "x", limit_s: 5 });
        assert_eq!((long.status().as_u16(), long.field().as_deref(), long.limit()), (422, Some("exp"), Some(5)));
    }
}
