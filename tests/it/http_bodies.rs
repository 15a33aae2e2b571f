//! Promise 11 for bodies: so many bytes of them are held at one moment, a tenth is left to admins, and none may take too
//! long.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use hyper::body::Frame;
use revokd::http::HttpSettings;
use revokd::keys::Scope;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::real_server::{Home, now};
use super::test_app::{START, TestApp};

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

fn app(bodies_bytes_max: usize) -> TestApp {
    TestApp::with(HttpSettings { bodies_bytes_max, ..HttpSettings::default() }, &[])
}

fn revoke(key: &str, media: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/revoke").header("x-api-key", key).header("content-type", media);
    request.body(body.into()).unwrap()
}

/// A revoke of so many bytes.
fn text(bytes: usize) -> String {
    let text = json!({"jti": "a", "exp": START.0 + 900}).to_string();
    format!("{text:bytes$}")
}

/// A body of what is sent until the sender goes.
struct Sent {
    pieces: UnboundedReceiver<Bytes>,
    /// Told when all that was sent has been read, and more is wanted.
    wanting: Arc<Notify>,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.poll_recv(cx);
        if piece.is_pending() {
            self.wanting.notify_one();
        }
        piece.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

fn sent() -> (UnboundedSender<Bytes>, Arc<Notify>, Body) {
    let (sender, pieces) = unbounded_channel();
    let wanting = Arc::new(Notify::new());
    (sender, Arc::clone(&wanting), Body::new(Sent { pieces, wanting }))
}

#[tokio::test]
async fn a_body_beyond_what_may_be_held_is_503_and_a_tenth_is_left_to_admins() {
    let app = app(1_000);
    let user = app.key_with(&[Scope::Revoke]);
    for declared in [false, true] {
        let request = |key: &str, bytes: usize| {
            let mut request = revoke(key, JSON, text(bytes));
            if declared {
                request.headers_mut().insert("content-length", bytes.into());
            }
            request
        };
        // More often than they fit together: each gives back what it held.
        for _ in 0..3 {
            app.send(request(&user, 900)).await.ok();
            let problem = app.send(request(&user, 901)).await.problem(503);
            let said = problem["detail"].as_str().unwrap();
            assert!(said.ends_with("limits.bodies_bytes_max is 1000, of which 100 are reserved for admins"), "{said}");
            assert_eq!(problem["limit"], 900);
            app.send(request(&app.key, 1_000)).await.ok();
            assert_eq!(app.send(request(&app.key, 1_001)).await.problem(503)["limit"], 1_000);
        }
    }
}

#[tokio::test]
async fn what_has_arrived_of_a_body_is_held_until_its_request_ends() {
    let app = app(1_000);
    let user = app.key_with(&[Scope::Revoke]);
    let (sender, wanting, body) = sent();
    sender.send(text(800).into()).unwrap();
    let slow = app.send(revoke(&user, JSON, body));
    let meanwhile = async {
        wanting.notified().await;
        app.send(revoke(&user, JSON, text(101))).await.problem(503);
        app.send(revoke(&user, JSON, text(100))).await.ok();
        drop(sender);
    };
    let (slow, ()) = tokio::join!(slow, meanwhile);
    slow.ok();
    app.send(revoke(&user, JSON, text(900))).await.ok();
}

#[tokio::test]
async fn strangers_hold_a_quarter_besides_and_take_nothing_from_those_who_are_known() {
    let app = app(400_000);
    let user = app.key_with(&[Scope::Revoke]);
    let (form, piece) = ("application/x-www-form-urlencoded", format!("token={}", "a".repeat(60_000)));
    let paths = ["/oauth2/introspect", "/oauth2/revoke"];
    let (sender, wanting, body) = sent();
    sender.send(piece.clone().into()).unwrap();
    let request = |path, body| Request::post(path).header("content-type", form).body(body).unwrap();
    let slow = app.send(request(paths[0], body));
    let meanwhile = async {
        wanting.notified().await;
        for path in paths {
            let answer = app.send(request(path, piece.clone().into())).await;
            assert_eq!(answer.status, 503, "{path}: more than strangers may hold: {answer:?}");
        }
        app.send(revoke(&user, JSON, text(100) + &" ".repeat(359_900))).await.ok();
        drop(sender);
    };
    let (slow, ()) = tokio::join!(slow, meanwhile);
    assert_eq!(slow.status, 401);
    assert_eq!(app.send(request(paths[0], piece.into())).await.status, 401, "it was given back");
}

#[tokio::test]
async fn an_ndjson_body_holds_what_has_not_been_revoked_yet_and_no_more() {
    let app = app(60_000);
    let user = app.key_with(&[Scope::Revoke]);
    let line = |n: u32| json!({"jti": format!("t{n}"), "exp": START.0 + 900}).to_string() + "\n";
    let lines: String = (0..5_000).map(line).collect();
    assert!(lines.len() > 2 * 60_000);
    let (sender, _, body) = sent();
    for piece in lines.as_bytes().chunks(1_000) {
        sender.send(Bytes::copy_from_slice(piece)).unwrap();
    }
    drop(sender);
    assert_eq!(app.send(revoke(&user, NDJSON, body)).await.ok()["accepted"], 5_000);

    let (sender, _, body) = sent();
    sender.send(lines.as_bytes()[..40_000].to_vec().into()).unwrap();
    sender.send(lines.into()).unwrap();
    drop(sender);
    let problem = app.send(revoke(&user, NDJSON, body)).await.problem(503);
    assert_eq!(problem["limit"], 54_000);
    assert!(problem["durable"].as_u64().unwrap() >= 512, "{problem}");
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_408_and_ends_the_connection() {
    let server = Home::new(&["server.body_timeout_ms=100"]).start().await;
    let line = json!({"jti": "a", "exp": now() + 900}).to_string() + "\n";
    for (media, sent) in [(JSON, ""), (JSON, "{"), (NDJSON, ""), (NDJSON, line.as_str())] {
        let mut client = TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap();
        let head = format!("POST /revoke HTTP/1.1\r\nHost: x\r\nX-Api-Key: {}\r\nContent-Type: {media}", server.key);
        client.write_all(format!("{head}\r\nContent-Length: 1000\r\n\r\n{sent}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert!(answer.contains("server.body_timeout_ms is 100 ms"), "{answer}");
        assert_eq!(answer.contains("\"durable\":"), media == NDJSON, "{answer}");
    }
}
