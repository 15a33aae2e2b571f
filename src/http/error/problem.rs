//! How a refusal is said: an RFC 9457 problem that names the field and the limit.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;

use super::super::listener::BodyTimeout;
use super::ApiError;
use crate::denylist::Refusal;
use crate::revocation::REASON_BYTES_MAX;
use crate::token::CLAIM_BYTES_MAX;
use crate::wire::Problem;

/// How long a caller should wait after a 503; seconds.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

impl ApiError {
    /// The field that was refused, where it is one.
    pub(super) fn field(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Malformed(fault) | Self::Invalid(fault) => fault.field.clone(),
            Self::Claim(error) => Some(error.claim().into()),
            Self::Reason(_) => Some("reason".into()),
            Self::Issuer(_) => Some("iss".into()),
            Self::Refused(Refusal::LifetimeTooLong { .. }) => Some("exp".into()),
            Self::Refused(Refusal::InFuture { .. }) => Some("issued_before".into()),
            Self::Refused(Refusal::KeyEnded { .. }) => Some("expires_at".into()),
            Self::Bound(bound) => bound.field().map(Into::into),
            Self::Moved { .. } => Some("If-Match".into()),
            Self::Unverifiable(_) => Some("token".into()),
            Self::Element { error, .. } | Self::Stream { error, .. } => error.field(),
            Self::Refused(Refusal::TooManyChanges { .. } | Refusal::Full { .. } | Refusal::LastAdminKey)
            | Self::Unauthenticated
            | Self::Expired
            | Self::TooMany(_)
            | Self::Forbidden(..)
            | Self::NotFound(_)
            | Self::MethodNotAllowed { .. }
            | Self::TooLarge { .. }
            | Self::BodyTimeout(_)
            | Self::MediaType(_)
            | Self::KeysUnavailable
            | Self::Unavailable(_)
            | Self::Write(_)
            | Self::InFlight { .. } => None,
        }
    }

    /// The limit that was passed, where it is a number.
    pub(super) fn limit(&self) -> Option<u64> {
        match self {
            Self::Malformed(fault) | Self::Invalid(fault) => fault.limit,
            Self::Claim(_) => Some(CLAIM_BYTES_MAX as u64),
            Self::Reason(_) => Some(REASON_BYTES_MAX as u64),
            Self::Refused(Refusal::LifetimeTooLong { limit_s, .. }) => u64::try_from(*limit_s).ok(),
            Self::Refused(Refusal::InFuture { limit, .. } | Refusal::KeyEnded { limit }) => u64::try_from(limit.0).ok(),
            Self::TooMany(too_many) => Some(too_many.per_s.into()),
            Self::Refused(Refusal::TooManyChanges { limit }) => Some(u64::from(*limit)),
            Self::Refused(Refusal::Full { limit, .. })
            | Self::TooLarge { limit, .. }
            | Self::InFlight { limit, .. } => Some(*limit),
            Self::BodyTimeout(BodyTimeout { timeout }) => u64::try_from(timeout.as_millis()).ok(),
            Self::Element { error, .. } | Self::Stream { error, .. } => error.limit(),
            Self::Unverifiable(_)
            | Self::Refused(Refusal::LastAdminKey)
            | Self::Issuer(_)
            | Self::Unauthenticated
            | Self::Expired
            | Self::Bound(_)
            | Self::Forbidden(..)
            | Self::NotFound(_)
            | Self::Moved { .. }
            | Self::MethodNotAllowed { .. }
            | Self::MediaType(_)
            | Self::KeysUnavailable
            | Self::Unavailable(_)
            | Self::Write(_) => None,
        }
    }

    /// The whole answer, with the request's id in its body.
    pub(crate) fn render(&self, request_id: &str) -> Response {
        let status = self.status();
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
            field: self.field().map(Cow::into_owned),
            limit: self.limit(),
            index: if let Self::Element { index, .. } = self { Some(*index) } else { None },
            durable: if let Self::Stream { durable, .. } = self { Some(*durable) } else { None },
            request_id: Some(request_id.to_owned()),
        };
        let mut response = Response::new(Body::from(serde_json::to_vec(&problem).unwrap_or_default()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        self.add_headers(status, headers);
        if let Self::Unauthenticated | Self::Expired = self {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }

    /// The headers that an answer has in every form.
    pub(super) fn add_headers(&self, status: StatusCode, headers: &mut HeaderMap) {
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, RETRY_AFTER_S);
        }
        if status == StatusCode::REQUEST_TIMEOUT {
            // RFC 9110 section 15.5.9: the rest of the body is not waited for.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Self::TooMany(too_many) = self {
            headers.insert(RETRY_AFTER, too_many.retry_after_s.into());
        }
        if let Self::MethodNotAllowed { allow } = self
            && let Ok(allow) = HeaderValue::from_str(allow)
        {
            headers.insert(ALLOW, allow);
        }
    }
}
