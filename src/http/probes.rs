//! `GET /livez`, `/readyz` and `/metrics`: open to all, and saying nothing of any entry.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::Http;
use super::error::ApiError;
use super::extract::Query;
use crate::metrics::Metrics;
use crate::readiness::{Purpose, Readiness};
use crate::wire::Problem;

/// The text format that every Prometheus reads.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether the process is up.
#[utoipa::path(
    get, path = "/livez", tag = "probes", security(),
    responses(
        (status = 200, description = "It is up"),
        (status = 400, description = "Malformed", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn livez(uri: Uri) -> Result<StatusCode, ApiError> {
    Query::parse(uri.query(), &[], &[])?;
    Ok(StatusCode::OK)
}

/// Whether the server may serve checks, or with `for=writes` also writes.
#[utoipa::path(
    get, path = "/readyz", tag = "probes", security(),
    params(
        ("for" = Option<String>, Query, description = "`checks` (the default) or `writes`"),
        ("verbose" = Option<bool>, Query, description = "A flag without value: say why"),
    ),
    responses(
        (status = 200, description = "It may", body = String, content_type = "text/plain"),
        (status = 400, description = "Malformed", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Unknown value", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It may not", body = String, content_type = "text/plain"),
    ),
)]
pub(crate) async fn readyz(State(http): State<Arc<Http>>, uri: Uri) -> Result<Response, ApiError> {
    ready(&http.readiness, &uri, || report(&http))
}

/// The answer of `/readyz`, also while there is no denylist yet; `more` is what only the denylist knows.
pub(crate) fn ready(readiness: &Readiness, uri: &Uri, more: impl FnOnce() -> String) -> Result<Response, ApiError> {
    let mut query = Query::parse(uri.query(), &["for"], &["verbose"])?;
    let purpose = match query.text("for").as_deref() {
        None | Some("checks") => Purpose::Checks,
        Some("writes") => Purpose::Writes,
        Some(_) => return Err(ApiError::invalid("for", "`for` must be `checks` or `writes`")),
    };
    let is_ready = readiness.is_ready_for(purpose);
    let text = match (query.has("verbose"), is_ready) {
        (true, _) => readiness.verbose(purpose) + &more(),
        (false, true) => "ready\n".to_owned(),
        (false, false) => "not ready\n".to_owned(),
    };
    Ok(if is_ready {
        text.into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], text).into_response()
    })
}

/// What decides nothing but is good to know in an incident.
fn report(http: &Http) -> String {
    let status = http.denylist.status();
    let purged = status.last_purge_age_s.map_or("never".to_owned(), |age_s| format!("{age_s} s ago"));
    let doubt = if status.now.doubted { "true: nothing live ends early, and nobody needs to act" } else { "false" };
    let (seq, head) = (status.last_seq, status.journal.head);
    let mut report =
        format!("[i]last_seq {seq}\n[i]audit_head {head}\n[i]clock_doubted {doubt}\n[i]last_purge {purged}\n");
    for (gateway, unjudged) in http.gateway.unjudged() {
        // Writing into memory cannot fail.
        let _ = writeln!(report, "[!]gateway {gateway} fails open: {unjudged} requests passed without a verdict");
    }
    report
}

/// Metrics for Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "probes", security(),
    responses(
        (status = 200, description = "All metrics", body = String, content_type = "text/plain"),
        (status = 400, description = "Malformed", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn metrics(State(http): State<Arc<Http>>, uri: Uri) -> Result<Response, ApiError> {
    exposition(&http.metrics, &http.readiness, &uri)
}

/// The answer of `/metrics`, also while there is no denylist yet.
pub(crate) fn exposition(metrics: &Metrics, readiness: &Readiness, uri: &Uri) -> Result<Response, ApiError> {
    Query::parse(uri.query(), &[], &[])?;
    Ok(([(CONTENT_TYPE, PROMETHEUS_TEXT)], metrics.render(readiness)).into_response())
}
