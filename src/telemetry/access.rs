//! The access log: one line per request, target `revokd::access`.

use std::time::Duration;

/// What is logged of one request. The route is its template, never the path, which may hold a `jti` (promise 12).
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// The method.
    pub method: &'a str,
    /// The route's template, such as `/check/{jti}`; empty where no route matched.
    pub route: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// From the head's arrival to the answer's head.
    pub duration: Duration,
    /// The request id.
    pub request_id: &'a str,
    /// The public id of the key that asked; empty for none.
    pub key_id: &'a str,
    /// Whether this was a check: there are too many of them for `info`.
    pub is_check: bool,
}

impl Access<'_> {
    /// Logs the request: checks at `debug`, everything else at `info`. Costs one atomic read where the level is off, as
    /// it is for checks unless `log.level` says `revokd::access=debug`.
    pub fn log(&self) {
        if self.is_check {
            tracing::debug!(
                target: "revokd::access",
                method = self.method,
                route = self.route,
                status = self.status,
                duration_us = self.duration_us(),
                request_id = self.request_id,
                key_id = self.key_id,
                "request"
            );
        } else {
            tracing::info!(
                target: "revokd::access",
                method = self.method,
                route = self.route,
                status = self.status,
                duration_us = self.duration_us(),
                request_id = self.request_id,
                key_id = self.key_id,
                "request"
            );
        }
    }

    /// Whether [`log`](Self::log) would write a line for a check, or for another request: lets a caller skip what only
    /// the line needs.
    #[must_use]
    pub fn is_enabled(is_check: bool) -> bool {
        if is_check {
            tracing::enabled!(target: "revokd::access", tracing::Level::DEBUG)
        } else {
            tracing::enabled!(target: "revokd::access", tracing::Level::INFO)
        }
    }

    fn duration_us(&self) -> u64 {
        u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX)
    }
}
