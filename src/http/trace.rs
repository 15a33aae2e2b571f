//! What every request passes through on its way in and out: request id, time, headers of the answer, access log.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::body::Body;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::Response;

use super::auth::Seen;
use super::error::ApiError;
use super::listener::Peer;
use super::oauth;
use crate::telemetry;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How the routes begin that are asked thousands of times a second.
const CHECKS: [&str; 3] = ["/check", "/auth", "/envoy.service.auth."];

/// Longest request id that is taken over from a caller, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// One request, from its arrival to its answer. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    /// When the request's head had been read.
    pub(crate) started: Instant,
    id: HeaderValue,
    /// The address at the other end; `None` for a Unix socket.
    from: Option<IpAddr>,
    /// Whether errors are said as OAuth clients expect them.
    speaks_oauth: bool,
}

impl Trace {
    /// Takes over the caller's `X-Request-Id` if it is harmless (promise 12 forbids to log what is not), else makes one.
    pub(crate) fn start(headers: &HeaderMap, path: &str, peer: &Peer) -> Self {
        let id = headers.get(&REQUEST_ID).filter(|id| is_harmless(id)).cloned();
        let from = peer.address().map(|address| address.ip());
        Self { started: Instant::now(), id: id.unwrap_or_else(new_id), from, speaks_oauth: oauth::speaks(path) }
    }

    /// Where the request came from: the address at the other end of the connection, or `unix`. What a proxy says of its
    /// callers is not believed.
    pub(crate) fn from(&self) -> Cow<'static, str> {
        self.from.map_or(Cow::Borrowed("unix"), |address| address.to_string().into())
    }

    /// The request's id.
    pub(crate) fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// Completes an answer that has come through the router, or that never got there.
    pub(crate) fn finish(self, method: &Method, mut response: Response) -> Response {
        let seen = response.extensions_mut().remove::<Seen>();
        self.complete(method, seen.as_ref(), response)
    }

    /// Completes an answer: problems get their body, all get the headers that all have.
    pub(crate) fn complete(self, method: &Method, seen: Option<&Seen>, mut response: Response) -> Response {
        if let Some(error) = response.extensions_mut().remove::<ApiError>() {
            response = if self.speaks_oauth { error.render_oauth() } else { error.render(self.id()) };
        }
        // HTTP/1.1 drops it by itself; over HTTP/2 a body here ends the stream with an error (RFC 9110 section 9.3.2).
        if method == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
        self.log(method, seen, &response);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REQUEST_ID, self.id);
        response
    }

    /// The access log: one line a request, at `info` but for checks, of which there are thousands a second.
    fn log(&self, method: &Method, seen: Option<&Seen>, response: &Response) {
        let (route, key_id) = seen.map_or(("", ""), |seen| (seen.route, &seen.caller));
        let is_check = CHECKS.iter().any(|check| route.starts_with(check));
        if !telemetry::Access::is_enabled(is_check) {
            return;
        }
        let line = telemetry::Access {
            method: name_of(method),
            route,
            status: response.status().as_u16(),
            duration: self.started.elapsed(),
            request_id: self.id(),
            key_id,
            is_check,
        };
        line.log();
    }
}

/// The method as it is logged: one that nobody has defined could carry anything (promise 12).
fn name_of(method: &Method) -> &str {
    const DEFINED: [Method; 9] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::CONNECT,
        Method::OPTIONS,
        Method::TRACE,
        Method::PATCH,
    ];
    if DEFINED.contains(method) { method.as_str() } else { "OTHER" }
}

fn is_harmless(id: &HeaderValue) -> bool {
    let bytes = id.as_bytes();
    (1..=REQUEST_ID_BYTES_MAX).contains(&bytes.len())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

/// A number of this process behind a random prefix that tells processes apart; one small allocation.
fn new_id() -> HeaderValue {
    static PREFIX: OnceLock<u32> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let prefix = *PREFIX.get_or_init(|| {
        let mut random = [0; 4];
        // Without randomness ids still differ within the process, which is what they are for.
        let _ = getrandom::fill(&mut random);
        u32::from_be_bytes(random)
    });
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut id = *b"00000000-0000000000000000";
    write_hex(u64::from(prefix), &mut id[..8]);
    write_hex(number, &mut id[9..]);
    HeaderValue::from_bytes(&id).unwrap_or(HeaderValue::from_static("-"))
}

/// Fills `out` with the last digits of `number`.
fn write_hex(mut number: u64, out: &mut [u8]) {
    for digit in out.iter_mut().rev() {
        *digit = b"0123456789abcdef"[usize::from(number.to_le_bytes()[0] & 15)];
        number >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_after(inbound: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, inbound.parse().unwrap());
        Trace::start(&headers, "/", &Peer::Unix).id().to_owned()
    }

    #[test]
    fn a_harmless_request_id_is_taken_over_and_no_other() {
        for kept in ["a", "A.b_c-9", &"x".repeat(64)] {
            assert_eq!(id_after(kept), kept);
        }
        for replaced in ["", "a b", "a\tb", "a;b", "é", &"x".repeat(65)] {
            assert_ne!(id_after(replaced), replaced);
        }
    }

    #[test]
    fn made_ids_differ_and_are_harmless() {
        let (a, b) = (new_id(), new_id());
        assert_ne!(a, b);
        assert_eq!(a.as_bytes()[..9], b.as_bytes()[..9]);
        assert!(is_harmless(&a) && is_harmless(&b));
    }
}
