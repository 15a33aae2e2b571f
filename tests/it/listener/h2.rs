//! HTTP/2 with prior knowledge (RFC 9113 section 3.3) on the same port.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode, Version};
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{ConnectionLimits, LARGE_BYTES, LONG, SHORT, Server, patient};

async fn connect(server: &Server) -> (SendRequest<Body>, JoinHandle<hyper::Result<()>>) {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    (sender, tokio::spawn(connection))
}

/// A client that takes `window` bytes of each answer and no more, and proves by pings that it is there.
async fn connect_taking(server: &Server, window: u32) -> (SendRequest<Body>, JoinHandle<hyper::Result<()>>) {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(window)
        .keep_alive_interval(SHORT / 10)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    (sender, tokio::spawn(connection))
}

/// A body that never comes.
struct Stalled;

impl hyper::body::Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

fn get(path: &str) -> Request<Body> {
    Request::get(format!("http://x{path}")).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn many_requests_share_one_connection_and_none_waits_for_another() {
    let server = Server::start(patient()).await;
    let (mut sender, _connection) = connect(&server).await;
    let held = sender.send_request(get("/gate"));
    for _ in 0..20 {
        let answer = sender.send_request(get("/")).await.unwrap();
        assert_eq!((answer.version(), answer.status()), (Version::HTTP_2, StatusCode::OK));
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    }
    server.gate.open.add_permits(1);
    assert_eq!(held.await.unwrap().into_body().collect().await.unwrap().to_bytes(), "through");
    assert!((server.metric("revokd_connections_accepted_total") - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_one_with_an_open_stream_is_not() {
    let server = Server::start(ConnectionLimits { idle_timeout: SHORT, ..patient() }).await;
    let (mut idle, closed) = connect(&server).await;
    idle.send_request(get("/")).await.unwrap();
    let (mut busy, _connection) = connect(&server).await;
    let held = busy.send_request(get("/gate"));
    let held = tokio::spawn(held);
    timeout(LONG, closed).await.expect("not closed").unwrap().unwrap();
    server.gate.open.add_permits(1);
    assert_eq!(held.await.unwrap().unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_stalled_body_is_408_and_the_other_streams_go_on() {
    let server = Server::start(ConnectionLimits { body_timeout: SHORT, ..patient() }).await;
    let (mut sender, _connection) = connect(&server).await;
    let stalled = Request::post("http://x/length").body(Body::new(Stalled)).unwrap();
    assert_eq!(sender.send_request(stalled).await.unwrap().status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(sender.send_request(get("/")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn an_answer_that_is_never_taken_ends_the_connection_whatever_else_the_client_says() {
    let server = Server::start(ConnectionLimits { write_timeout: SHORT * 3, ..patient() }).await;
    for (window, path) in [(0, "/"), (1, "/"), (64 * 1024, "/large")] {
        let (mut sender, closed) = connect_taking(&server, window).await;
        let begun = Instant::now();
        let answer = sender.send_request(get(path)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let _ended = timeout(LONG / 2, closed).await.expect("not closed");
        assert!(begun.elapsed() >= SHORT * 3, "{window}: {:?}", begun.elapsed());
        drop(answer);
    }
    server.until_metric("revokd_connections_timed_out_total", 3.0).await;
}

#[tokio::test]
async fn a_large_answer_that_is_taken_slowly_goes_on() {
    let server = Server::start(ConnectionLimits { write_timeout: SHORT * 2, ..patient() }).await;
    let (mut sender, _connection) = connect_taking(&server, 8 * 1024 * 1024).await;
    let mut body = sender.send_request(get("/large")).await.unwrap().into_body();
    let (mut bytes, mut rested) = (0, 0);
    while let Some(frame) = body.frame().await {
        bytes += frame.unwrap().into_data().unwrap().len();
        if bytes / (4 * 1024 * 1024) > rested {
            rested += 1;
            tokio::time::sleep(SHORT / 2).await;
        }
    }
    assert_eq!(bytes, LARGE_BYTES);
}

/// The bound on what a connection's answers hold in memory: the streams it may open, an answer each.
#[tokio::test]
async fn a_connection_holds_no_more_answers_than_it_may_open_streams() {
    let server = Server::start(ConnectionLimits { write_timeout: SHORT * 3, ..patient() }).await;
    server.gate.open.add_permits(200);
    let (sender, closed) = connect_taking(&server, 0).await;
    let asking: Vec<_> = (0..200).map(|_| tokio::spawn(sender.clone().send_request(get("/gate")))).collect();
    server.until_waiting(128).await;
    let _ended = timeout(LONG / 2, closed).await.expect("not closed");
    assert_eq!(server.gate.come.load(Ordering::SeqCst), 128);
    drop(asking);
}

#[tokio::test]
async fn a_header_list_too_long_is_refused_and_nothing_else() {
    let server = Server::start(patient()).await;
    let (mut sender, _connection) = connect(&server).await;
    let mut request = get("/");
    request.headers_mut().insert("x-long", "x".repeat(20 * 1024).parse().unwrap());
    match sender.send_request(request).await {
        Ok(answer) => assert_eq!(answer.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        Err(error) => assert!(!error.is_timeout(), "{error}"),
    }
    let (mut sender, _connection) = connect(&server).await;
    assert_eq!(sender.send_request(get("/")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_stop_finishes_open_streams() {
    let server = Server::start(patient()).await;
    let (mut sender, closed) = connect(&server).await;
    let held = tokio::spawn(sender.send_request(get("/gate")));
    server.until_waiting(1).await;
    let (address, gate) = (server.address, Arc::clone(&server.gate.open));
    let stopped = tokio::spawn(server.stop());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!stopped.is_finished());
    gate.add_permits(1);
    let answer = held.await.unwrap().unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "through");
    assert_eq!(stopped.await.unwrap().cut, 0);
    timeout(LONG, closed).await.expect("not closed").unwrap().unwrap();
}
