//! How HTTP is spoken: the limits that hyper keeps for us.

use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;

/// Longest head of a request over HTTP/1.1, in bytes; 431 beyond.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Most header fields of a request; 431 beyond.
const HEADERS_MAX: usize = 100;
/// Longest list of header fields of a request over HTTP/2, in bytes (RFC 9113 section 6.5.2).
const H2_HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;
/// Most requests at once over one HTTP/2 connection, and so most answers that it holds in memory: a stream is open until
/// its answer has been taken.
const H2_STREAMS_MAX: u32 = 128;
/// Most streams that a client may open and reset before anybody looked at them (CVE-2023-44487).
const H2_PENDING_RESETS_MAX: usize = 20;
/// Most streams that we reset because of the client's errors before the connection is ended.
const H2_ERROR_RESETS_MAX: usize = 64;
/// How often an HTTP/2 client must prove that it is still there, and how long it may take.
const H2_PING_INTERVAL: Duration = Duration::from_secs(20);
const H2_PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Speaks HTTP/1.1 or HTTP/2, whichever the client begins with. It times nothing but pings: that is the registry's work.
pub(super) fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .header_read_timeout(None)
        // Answers are small: one buffer and one plain write cost an eighth less CPU than a gathered one.
        .writev(false)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS_MAX)
        .max_header_list_size(H2_HEADER_LIST_BYTES_MAX)
        .max_pending_accept_reset_streams(H2_PENDING_RESETS_MAX)
        .max_local_error_reset_streams(H2_ERROR_RESETS_MAX)
        .keep_alive_interval(H2_PING_INTERVAL)
        .keep_alive_timeout(H2_PING_TIMEOUT);
    builder
}
