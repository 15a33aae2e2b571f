//! The graceful stop: what has begun is finished, what comes later is refused, and nobody waits for ever.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{Counter, CounterFn};
use revokd::http::listener::{Address, Bound, serve};
use revokd::metrics::ConnectionMetrics;
use revokd::shutdown::{Phase, Stop};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{ConnectionLimits, Gate, LONG, SHORT, Server, patient, service};

#[tokio::test]
async fn a_request_under_way_is_answered_and_new_connections_are_refused() {
    let server = Server::start(patient()).await;
    let (address, gate) = (server.address, Arc::clone(&server.gate.open));
    let mut busy = server.connect().await;
    busy.get("/").await;
    busy.read_until("ok").await;
    busy.get("/gate").await;
    server.until_waiting(1).await;
    let mut idle = server.connect().await;
    idle.get("/").await;
    idle.read_until("ok").await;
    let stopped = tokio::spawn(server.stop());
    // An idle connection is closed at once, which also shows that the stop has begun.
    assert_eq!(idle.read_to_end().await, "");
    assert!(TcpStream::connect(address).await.is_err());
    assert!(!stopped.is_finished());
    gate.add_permits(1);
    let answer = busy.read_to_end().await;
    assert!(answer.ends_with("through"), "{answer}");
    assert_eq!(stopped.await.unwrap().cut, 0);
}

#[tokio::test]
async fn a_request_that_outlasts_the_grace_period_is_cut() {
    let server = Server::start(ConnectionLimits { grace: SHORT, ..patient() }).await;
    let mut busy = server.connect().await;
    busy.get("/").await;
    busy.read_until("ok").await;
    busy.get("/gate").await;
    server.until_waiting(1).await;
    let started = Instant::now();
    assert_eq!(server.stop().await.cut, 1);
    assert!(started.elapsed() >= SHORT && started.elapsed() < Duration::from_secs(5));
    assert_eq!(busy.read_to_end().await, "");
}

#[tokio::test]
async fn silent_connections_do_not_hold_a_stop_up() {
    let server = Server::start(patient()).await;
    let mut silent = server.connect().await;
    server.until_metric("revokd_connections_open", 1.0).await;
    let started = Instant::now();
    assert_eq!(server.stop().await.cut, 0);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(silent.read_to_end().await, "");
}

#[tokio::test]
async fn a_stop_before_the_first_connection_ends_at_once() {
    let server = Server::start(patient()).await;
    let address = server.address;
    assert_eq!(server.stop().await.cut, 0);
    assert!(TcpStream::connect(address).await.is_err());
}

/// Panics where a connection is counted: in the accept loop.
struct Panics;

impl CounterFn for Panics {
    fn increment(&self, _: u64) {
        panic!("on purpose");
    }

    fn absolute(&self, _: u64) {}
}

#[tokio::test]
async fn a_listener_that_dies_stops_the_server_rather_than_leaving_it_deaf() {
    let bound = Bound::bind(&Address::Tcp("127.0.0.1:0".to_owned())).await.unwrap();
    let address = bound.tcp_address().unwrap();
    let metrics = ConnectionMetrics { accepted: Counter::from_arc(Arc::new(Panics)), ..ConnectionMetrics::default() };
    let gate = Gate { open: Arc::new(Semaphore::new(0)), come: Arc::default() };
    let stop = Stop::new();
    let served = tokio::spawn(serve(vec![bound], service(gate), patient(), metrics, stop.clone()));
    let _client = TcpStream::connect(address).await.unwrap();
    let served = timeout(LONG, served).await.expect("does not stop").unwrap();
    assert!(served.went_deaf && stop.has_reached(Phase::Closing));
}
