//! Accepting, and one task for each connection.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::TaskTracker;

use super::activity::Activity;
use super::registry::{Order, Orders, Registry};
use super::service::ConnectionService;
use super::stream::Stream;
use super::{Bound, ConnectionLimits, Peer, bind, handshake, protocol};
use crate::metrics::ConnectionMetrics;
use crate::shutdown::{Phase, Stop};
use crate::tls::Tls;

/// How long an accept loop rests when the process or the system has run out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(75);

/// What all connections share.
pub(super) struct Server<S> {
    service: S,
    limits: ConnectionLimits,
    http: auto::Builder<TokioExecutor>,
    pub(super) registry: Registry,
    pub(super) connections: TaskTracker,
    /// Turns to shake hands.
    handshakes: Arc<Semaphore>,
    metrics: ConnectionMetrics,
}

impl<S, F, B> Server<S>
where
    S: Fn(Peer, Request<Body>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    pub(super) fn new(service: S, limits: ConnectionLimits, metrics: ConnectionMetrics) -> Self {
        Self {
            service,
            registry: Registry::new(limits.clone(), metrics.clone()),
            // Half of all connections: whoever shakes hands for ever keeps nobody out who is on other listeners.
            handshakes: Arc::new(Semaphore::new(limits.connections_max.div_ceil(2).min(Semaphore::MAX_PERMITS))),
            limits,
            http: protocol::builder(),
            connections: TaskTracker::new(),
            metrics,
        }
    }

    /// Closes, at a slow beat, what stays in one state past its limit.
    pub(super) async fn supervise(&self) -> Infallible {
        let mut beat = tokio::time::interval(self.limits.beat());
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let now = beat.tick().await;
            self.registry.judge(now);
        }
    }

    pub(super) async fn accept_until_closing(self: Arc<Self>, listener: Bound, stop: Stop) {
        let mut closing = pin!(stop.reached(Phase::Closing));
        let mut starving = false;
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut closing => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    starving = false;
                    self.admit(stream, peer);
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    self.metrics.accept_errors.increment(1);
                    if !starving {
                        tracing::error!(%error, listener = %listener, "cannot accept connections; trying again");
                        starving = true;
                    }
                    tokio::select! {
                        () = &mut closing => return,
                        () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                    }
                }
            }
        }
    }

    /// Takes a connection on, or closes it at once where a cap is reached.
    fn admit(self: &Arc<Self>, stream: bind::Stream, peer: Peer) {
        let shakes_hands = matches!(stream, bind::Stream::Tls(..));
        let activity = if shakes_hands { Activity::handshaking() } else { Activity::default() };
        let (Some(turn), Some(place)) = (self.turn(shakes_hands, &peer), self.place(activity, &peer)) else {
            self.metrics.refused.increment(1);
            return;
        };
        self.metrics.accepted.increment(1);
        let server = Arc::clone(self);
        match stream {
            bind::Stream::Tcp(stream) => {
                speak_at_once(&stream);
                self.connections.spawn(async move { server.drive(stream, peer, place).await });
            }
            bind::Stream::Tls(stream, tls) => {
                speak_at_once(&stream);
                self.connections.spawn(async move { server.drive_tls(stream, tls, peer, place, turn).await });
            }
            bind::Stream::Unix(stream) => {
                self.connections.spawn(async move { server.drive(stream, peer, place).await });
            }
        }
    }

    /// A turn to shake hands, where one is needed: callers on this machine have theirs always, as they have their tenth
    /// of the connections.
    fn turn(&self, shakes_hands: bool, peer: &Peer) -> Option<Turn> {
        let is_needed = shakes_hands && !peer.is_local();
        let take = || Arc::clone(&self.handshakes).try_acquire_owned().ok();
        if is_needed { take().map(Some) } else { Some(None) }
    }

    /// A place among the open connections, if there is one.
    fn place(&self, activity: Activity, peer: &Peer) -> Option<Place> {
        let activity = Arc::new(activity);
        let orders = self.registry.admit(&activity, peer, Instant::now())?;
        Some(Place { activity, orders })
    }

    /// Shakes hands, then serves.
    async fn drive_tls(&self, stream: TcpStream, tls: Tls, peer: Peer, mut place: Place, turn: Turn) {
        let shaken = tokio::select! {
            biased;
            shaken = handshake::shake(stream, &tls, &place.activity) => shaken,
            // Nothing has begun that could be finished.
            _order = place.orders.next() => return,
        };
        drop(turn);
        if let Some((stream, caller)) = shaken {
            place.activity.end_handshake();
            self.drive(stream, peer.known_as(caller), place).await;
        }
    }

    /// Serves one connection until it ends, or the registry orders its end.
    async fn drive(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        peer: Peer,
        Place { activity, mut orders }: Place,
    ) {
        let io = TokioIo::new(Stream::new(stream, Arc::clone(&activity)));
        let service = ConnectionService::new(self.service.clone(), peer, activity, self.limits.body_timeout);
        let mut connection = pin!(self.http.serve_connection(io, service));
        loop {
            tokio::select! {
                biased;
                // An error is the client's doing (a reset, a malformed head, already answered) and worth no line.
                _ended = connection.as_mut() => return,
                order = orders.next() => match order {
                    Order::Finish => connection.as_mut().graceful_shutdown(),
                    Order::Drop => return,
                },
            }
        }
    }
}

/// What holds one of the handshakes that may be under way.
type Turn = Option<OwnedSemaphorePermit>;

/// A place among the open connections.
struct Place {
    activity: Arc<Activity>,
    orders: Orders,
}

/// Answers are written whole, so there is nothing to wait for.
fn speak_at_once(stream: &TcpStream) {
    // Fails only on a connection that is already gone.
    let _ = stream.set_nodelay(true);
}

/// Whether an accept failed because of the connection that was to be accepted, so that the next may do well.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_all_connections_may_shake_hands_and_callers_on_this_machine_besides() {
        let limits = ConnectionLimits { connections_max: 5, ..ConnectionLimits::default() };
        let service = |_: Peer, _: Request<Body>| std::future::ready(Response::new(Body::empty()));
        let server = Server::new(service, limits, ConnectionMetrics::default());
        let peer = |address: &str| Peer::Tls { address: address.parse().unwrap(), caller: None };
        let (remote, local) = (peer("192.0.2.1:1"), peer("127.0.0.1:1"));
        let mut shaking: Vec<_> = std::iter::from_fn(|| server.turn(true, &remote)).collect();
        assert_eq!(shaking.len(), 3);
        assert!(server.turn(true, &local).is_some() && server.turn(false, &remote).is_some());
        shaking.pop();
        assert!(server.turn(true, &remote).is_some());
    }
}
