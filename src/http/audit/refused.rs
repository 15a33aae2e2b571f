//! Refused attempts, told to the audit after they were answered.

use axum::http::StatusCode;
use axum::response::Response;

use super::super::Http;
use super::super::auth::Seen;
use super::super::error::ApiError;
use super::super::trace::Trace;
use crate::event::{Origin, Source};

/// Takes note of an answer that refused: 401 to somebody without a valid key, 403 and 429 to a known caller. Any other costs
/// one comparison.
pub(in super::super) fn note(http: &Http, trace: &Trace, seen: Option<&Seen>, response: &Response) {
    let status = response.status();
    let refuses = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS];
    if !refuses.contains(&status) {
        return;
    }
    let Some(seen) = seen else { return };
    let actor = match response.extensions().get() {
        // Turned away before it became the caller of anything.
        Some(ApiError::Forbidden(_, id)) => id,
        _ => &seen.caller,
    };
    if actor.is_empty() {
        return http.denylist.note_stranger(trace.from());
    }
    let origin = Origin {
        actor: actor.as_ref().to_owned().into(),
        source: Source::Api,
        from: trace.from(),
        request_id: trace.id().to_owned().into(),
    };
    http.denylist.note_refused(origin, seen.route, status.as_u16());
}
