//! Refused attempts, told to the audit after they were answered.

use axum::http::StatusCode;
use axum::response::Response;

use super::super::Http;
use super::super::auth::Seen;
use super::super::error::ApiError;
use super::super::trace::Trace;
use crate::event::{Origin, Source};

/// Takes note of an answer that refused: 401, or 429 for too many of these, to somebody without a valid key; 403 to a known
/// caller, or what says the same to an OAuth client. Any other costs one comparison or two.
pub(in super::super) fn note(http: &Http, trace: &Trace, seen: Option<&Seen>, response: &Response) {
    let (status, error) = (response.status(), response.extensions().get());
    let Some(seen) = seen else { return };
    let actor = match (status, error) {
        (StatusCode::UNAUTHORIZED, _) => return http.denylist.note_stranger(trace.from()),
        (StatusCode::TOO_MANY_REQUESTS, Some(ApiError::TooMany(limit))) if limit.is_of_strangers() => {
            return http.denylist.note_stranger(trace.from());
        }
        // Turned away before it became the caller of anything.
        (_, Some(ApiError::Forbidden(_, id))) => id,
        // To an OAuth client both are 400.
        (StatusCode::FORBIDDEN, _) | (_, Some(ApiError::Bound(_))) => &seen.caller,
        _ => return,
    };
    note_known(http, trace, actor, seen.route, status);
}

/// The same of a known caller.
pub(in super::super) fn note_known(http: &Http, trace: &Trace, actor: &str, route: &'static str, status: StatusCode) {
    let origin = Origin {
        actor: actor.to_owned().into(),
        source: Source::Api,
        from: trace.from(),
        request_id: trace.id().to_owned().into(),
    };
    http.denylist.note_refused(origin, route, status.as_u16());
}
