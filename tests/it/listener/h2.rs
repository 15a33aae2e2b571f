//! HTTP/2 with prior knowledge (RFC 9113 section 3.3) on the same port.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode, Version};
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{ConnectionLimits, LONG, SHORT, Server, patient};

async fn connect(server: &Server) -> (SendRequest<Body>, JoinHandle<hyper::Result<()>>) {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
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
