//! How a refusal is said to an OAuth client: the error JSON of RFC 6749 section 5.2, which RFC 7009 and RFC 7662 take over.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::ApiError;
use crate::denylist::Refusal;
use crate::wire::OAuthError;

/// RFC 9110 section 15.5.2 wants a challenge in every 401, RFC 6749 section 5.2 one that fits `Authorization`.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"revokd\"");

impl ApiError {
    /// The whole answer.
    pub(crate) fn render_oauth(&self) -> Response {
        let (status, error) = self.as_oauth();
        let description = match self {
            Self::Unauthenticated => {
                "no client authentication, or a wrong one: a client's id is that of an API key, its secret the key"
                    .to_owned()
            }
            other => other.to_string(),
        };
        let error = OAuthError { error: error.to_owned(), error_description: described(&description) };
        let mut response = Response::new(Body::from(serde_json::to_vec(&error).unwrap_or_default()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.add_headers(status, headers);
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, CHALLENGE);
        }
        response
    }

    /// Status and error code. A client that does not read on must take a token for one that still works unless it is told
    /// 200 (RFC 7009 section 2.2.1), so what has not been stored but might be is 503 too.
    fn as_oauth(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthenticated | Self::Expired => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::Forbidden(..) => (StatusCode::BAD_REQUEST, "unauthorized_client"),
            // "… or was issued to another client", as RFC 6749 section 5.2 has it.
            Self::Bound(_) => (StatusCode::BAD_REQUEST, "invalid_grant"),
            // About a token that is no JWT, or one that cannot be revoked here.
            Self::Unverifiable(_) | Self::Invalid(_) | Self::Refused(Refusal::LifetimeTooLong { .. }) => {
                (StatusCode::BAD_REQUEST, "unsupported_token_type")
            }
            Self::TooMany(_)
            | Self::KeysUnavailable
            | Self::InFlight { .. }
            | Self::Unavailable(_)
            | Self::Write(_)
            | Self::Refused(Refusal::Full { .. } | Refusal::TooManyChanges { .. }) => {
                let is_too_many = matches!(self, Self::TooMany(_));
                let status = if is_too_many { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::SERVICE_UNAVAILABLE };
                (status, "temporarily_unavailable")
            }
            Self::Malformed(_)
            | Self::NotFound(_)
            | Self::Moved { .. }
            | Self::MethodNotAllowed { .. }
            | Self::TooLarge { .. }
            | Self::BodyTimeout(_)
            | Self::MediaType(_)
            | Self::Claim(_)
            | Self::Reason(_)
            | Self::Issuer(_)
            | Self::Refused(Refusal::InFuture { .. } | Refusal::KeyEnded { .. } | Refusal::LastAdminKey)
            | Self::Element { .. } => (self.status(), "invalid_request"),
            Self::Stream { error, .. } => error.as_oauth(),
        }
    }
}

/// The characters that RFC 6749 section 5.2 permits.
fn described(description: &str) -> String {
    let permitted = |char: char| match char {
        '"' => '\'',
        ' '..='~' if char != '\\' => char,
        _ => '?',
    };
    description.chars().map(permitted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_has_only_the_characters_that_it_may_have() {
        assert_eq!(described("a \"b\" `c` \\ é\n~!"), "a 'b' `c` ? ??~!");
    }

    #[test]
    fn what_is_not_stored_and_may_be_later_is_503() {
        for error in [
            ApiError::from(Refusal::Full { what: "the key", name: "limits.x", limit: 5 }),
            ApiError::from(Refusal::TooManyChanges { limit: 5 }),
            ApiError::from(crate::denylist::WriteError::Failed),
            ApiError::KeysUnavailable,
        ] {
            let response = error.render_oauth();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(response.headers().contains_key("retry-after"), "{error}");
        }
    }
}
