//! Our own accept loop: a server is a function of listeners and a stop (`axum::serve` has neither timeouts nor a cap).
//!
//! HTTP/1.1 and HTTP/2 with prior knowledge share every listener. No request and no connection carries a timer of its
//! own: connections note in a few atomics what they are doing, and one supervisor looks at all of them at a slow beat
//! and closes what stays in one state past its limit (promise 11). A limit is therefore kept to within half of itself.
//! Only a request body that makes its reader wait starts a timer.
//!
//! A request with both `Content-Length` and `Transfer-Encoding` is read by the latter and ends its connection (RFC 9112
//! section 6.1), so nothing behind it is ever taken for a request.

mod activity;
mod answer;
mod bind;
mod body;
mod handshake;
mod peer;
mod protocol;
mod registry;
mod server;
mod service;
mod stream;

use std::error::Error as StdError;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::JoinSet;

pub use self::bind::{Address, AddressError, BindError, Bound};
pub use self::body::BodyTimeout;
pub use self::peer::Peer;

use self::server::Server;
use crate::metrics::ConnectionMetrics;
use crate::shutdown::{Phase, Stop};

/// What a connection may take. [`Default`] gives the values of the shipped configuration.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// Most connections at once. A tenth is left to callers on this machine: Unix sockets and loopback
    /// (decision 0006).
    pub connections_max: usize,
    /// Longest time that a TLS handshake may take. At most half of all connections are within theirs.
    pub handshake_timeout: Duration,
    /// Longest time from the first byte of a request to the end of its head, and from the opening of a connection to
    /// its first byte.
    pub header_timeout: Duration,
    /// Longest time in all that reading one request's body may wait for the client; a second more for every
    /// 64 KiB received.
    pub body_timeout: Duration,
    /// Longest time that a connection may lie open between requests.
    pub idle_timeout: Duration,
    /// Longest time that answers may wait for the client to take some of them. Over HTTP/2 a connection holds at most as
    /// many answers in memory as it may open streams, 128.
    pub write_timeout: Duration,
    /// Longest time for requests under way to finish when the server stops.
    pub grace: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(1),
            write_timeout: Duration::from_secs(10),
            grace: Duration::from_secs(30),
        }
    }
}

impl ConnectionLimits {
    /// How often the supervisor looks: a quarter of the shortest limit that it keeps.
    fn beat(&self) -> Duration {
        let shortest = self.handshake_timeout.min(self.header_timeout).min(self.idle_timeout).min(self.write_timeout);
        (shortest / 4).max(Duration::from_millis(1))
    }
}

/// Raises this process's soft limit of open files to the hard one, and returns it. A limit that leaves no room beside
/// `connections_max` for the store's files is worth a warning.
#[must_use]
pub fn raise_open_files_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let in_force = if raised.is_ok() { limit.maximum } else { limit.current };
    in_force.unwrap_or(u64::MAX)
}

/// How [`serve`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Connections that were still busy at the end of the grace period, and were cut.
    pub cut: usize,
    /// Whether an accept loop died, which stopped the server.
    pub went_deaf: bool,
}

/// Serves until `stop` reaches [`Phase::Closing`], which it begins itself if an accept loop dies; then closes the listeners, lets every connection finish the requests
/// it has begun, and cuts those that take longer than `limits.grace`.
///
/// `service` is cloned for each connection, and must bound the time it takes to answer: only reading and writing are
/// timed here. Bodies of its answers are taken to be there: one that is still being made counts as not taken.
pub async fn serve<S, F, B>(
    listeners: Vec<Bound>,
    service: S,
    limits: ConnectionLimits,
    metrics: ConnectionMetrics,
    stop: Stop,
) -> Served
where
    S: Fn(Peer, Request<Body>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let grace = limits.grace;
    let server = Arc::new(Server::new(service, limits, metrics));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(Arc::clone(&server).accept_until_closing(listener, stop.clone()));
    }
    let mut supervision = pin!(server.supervise());
    let mut went_deaf = false;
    tokio::select! {
        never = &mut supervision => match never {},
        // A loop that ends well ends because of the stop.
        Some(Err(panic)) = accepting.join_next() => {
            tracing::error!(%panic, "a listener accepts no more connections: stopping");
            went_deaf = true;
            stop.advance(Phase::Closing);
        }
        () = stop.reached(Phase::Closing) => {}
    }
    while accepting.join_next().await.is_some() {}
    server.registry.finish_all();
    server.connections.close();
    let finished = tokio::select! {
        never = &mut supervision => match never {},
        () = server.connections.wait() => true,
        () = tokio::time::sleep(grace) => false,
    };
    let cut = if finished { 0 } else { server.registry.drop_all() };
    server.connections.wait().await;
    if cut > 0 {
        tracing::warn!(cut, grace_ms = grace.as_millis(), "connections were still busy after the grace period");
    }
    Served { cut, went_deaf }
}
