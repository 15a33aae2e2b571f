//! `POST /revoke` as NDJSON.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Method;
use hyper::body::Frame;
use revokd::http::HttpSettings;
use serde_json::{Value, json};

use super::test_app::{AWAY, Answer, LIFETIME_MAX_S, START, TestApp, forged, token};

async fn post(app: &TestApp, body: impl Into<Body>) -> Answer {
    app.request(Method::POST, "/revoke", Some("application/x-ndjson"), body).await
}

fn line(jti: &str) -> String {
    format!("{}\n", json!({"jti": jti, "exp": START.0 + 900}))
}

/// A body in pieces, each made when its time has come.
struct Pieces<I>(I);

fn pieces(pieces: Vec<io::Result<Bytes>>) -> Body {
    Body::new(Pieces(pieces.into_iter()))
}

impl<I: Iterator<Item = io::Result<Bytes>> + Unpin> HttpBody for Pieces<I> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(self.0.next().map(|piece| piece.map(Frame::data)))
    }
}

async fn is_revoked(app: &TestApp, jti: &str) -> bool {
    app.get(&format!("/check/{jti}")).await.ok()["revoked"] == true
}

#[tokio::test]
async fn all_lines_accepted_is_200() {
    let app = TestApp::new();
    let body = (0..1_500).map(|n| line(&n.to_string())).collect::<String>();
    let answer = post(&app, body.trim_end().to_owned()).await.ok();
    assert_eq!(answer, json!({"accepted": 1_500, "rejected": [], "seq": answer["seq"]}));
    assert_eq!(answer["seq"], 1_500);
    for jti in ["0", "511", "512", "1023", "1024", "1499"] {
        assert!(is_revoked(&app, jti).await, "{jti}");
    }
}

/// A body whose pieces come through a channel.
struct Trickle(tokio::sync::mpsc::UnboundedReceiver<Bytes>);

impl HttpBody for Trickle {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

#[tokio::test]
async fn lines_that_have_arrived_do_not_wait_for_those_to_come() {
    let app = TestApp::new();
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let feed = async {
        for jti in ["a", "b"] {
            sender.send(line(jti).into()).unwrap();
            while !is_revoked(&app, jti).await {
                tokio::task::yield_now().await;
            }
        }
        drop(sender);
    };
    let (answer, ()) = tokio::join!(post(&app, Body::new(Trickle(receiver))), feed);
    assert_eq!(answer.ok()["accepted"], 2);
}

#[tokio::test]
async fn each_line_stands_on_its_own_and_the_rejected_are_207() {
    let app = TestApp::with(HttpSettings::default(), &["https://a"]);
    let claims = |jti: &str| json!({"iss": "https://a", "jti": jti, "exp": START.0 + 900});
    let lines = [
        line("a").trim_end().to_owned(),
        "not json".to_owned(),
        String::new(),
        r#"{"jti":"","exp":5}"#.to_owned(),
        r#"{"jti":"x"}"#.to_owned(),
        json!({"jti": "y", "exp": START.0 + LIFETIME_MAX_S + 1}).to_string(),
        json!({"token": token(&claims("b"))}).to_string(),
        json!({"token": forged(&claims("c"))}).to_string(),
        r#"{"jti":"a","jti":"a","exp":5}"#.to_owned(),
        r#"{"jti":"expired","exp":5}"#.to_owned(),
        line("d").trim_end().to_owned(),
    ];
    let answer = post(&app, lines.join("\r\n")).await;
    assert_eq!(answer.status, 207);
    let answer = answer.json();
    assert_eq!(answer["accepted"], 4);
    let rejected: Vec<u64> =
        answer["rejected"].as_array().unwrap().iter().map(|rejected| rejected["line"].as_u64().unwrap()).collect();
    assert_eq!(rejected, [2, 4, 5, 6, 8, 9]);
    let error = |line: u64| {
        let rejected = answer["rejected"].as_array().unwrap().iter().find(|rejected| rejected["line"] == line);
        rejected.unwrap()["error"].as_str().unwrap().to_owned()
    };
    for (line, named) in [(4, "`jti`"), (5, "`exp`"), (6, "tokens.lifetime_max_s"), (8, "`token`"), (9, "`jti`")] {
        assert!(error(line).contains(named), "{}", error(line));
    }
    for (jti, revoked) in [("a", true), ("b", true), ("c", false), ("d", true), ("y", false)] {
        assert_eq!(is_revoked(&app, jti).await, revoked, "{jti}");
    }
}

#[tokio::test]
async fn an_empty_body_is_a_revoke_of_none() {
    let app = TestApp::new();
    for body in ["", "\n\n", " \r\n"] {
        assert_eq!(post(&app, body).await.ok(), json!({"accepted": 0, "rejected": []}));
    }
}

#[tokio::test]
async fn lines_may_be_cut_anywhere_on_their_way() {
    let app = TestApp::new();
    let body = (0..20).map(|n| line(&n.to_string())).collect::<String>();
    for size in [1, 7, 36, 37, 100] {
        let cut = body.as_bytes().chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        assert_eq!(post(&app, pieces(cut)).await.ok()["accepted"], 20, "{size}");
    }
}

#[tokio::test]
async fn a_line_beyond_its_limit_is_rejected_and_the_next_is_not() {
    let app = TestApp::with(HttpSettings { line_bytes_max: 100, ..HttpSettings::default() }, &[]);
    let long = format!("{{\"jti\":\"{}\"}}\n", "x".repeat(1_000));
    let answer = post(&app, [long, line("a")].concat()).await;
    assert_eq!(answer.status, 207);
    assert_eq!(answer.json()["accepted"], 1);
    let error = answer.json()["rejected"][0].clone();
    assert_eq!(error["line"], 1);
    assert!(error["error"].as_str().unwrap().contains("limits.line_bytes_max is 100"));
}

#[tokio::test]
async fn a_body_beyond_its_limit_is_413_and_says_how_many_lines_are_durable() {
    let app = TestApp::with(HttpSettings { ndjson_bytes_max: 40_000, ..HttpSettings::default() }, &[]);
    let body = (0..2_000).map(|n| line(&n.to_string())).collect::<String>();
    let problem = post(&app, body.clone()).await.problem(413);
    assert!(problem["detail"].as_str().unwrap().contains("limits.ndjson_bytes_max"), "{problem}");
    let cut = body.as_bytes().chunks(1_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let problem = post(&app, pieces(cut)).await.problem(413);
    assert_eq!((&problem["durable"], &problem["limit"]), (&json!(1_284), &json!(40_000)));
    assert!(is_revoked(&app, "1283").await && !is_revoked(&app, "1284").await);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_400_and_its_last_line_is_not_guessed() {
    let app = TestApp::new();
    let body = (0..600).map(|n| line(&n.to_string())).collect::<String>();
    let broken = Err(io::Error::other("gone"));
    let problem = post(&app, pieces(vec![Ok(body.into()), Ok(line("last").trim_end().to_owned().into()), broken]))
        .await
        .problem(400);
    assert_eq!(problem["durable"], 600);
    assert!(is_revoked(&app, "599").await && !is_revoked(&app, "last").await);
}

#[tokio::test]
async fn only_the_first_thousand_rejected_lines_are_listed() {
    let app = TestApp::new();
    let answer = post(&app, "x\n".repeat(2_500)).await;
    assert_eq!(answer.status, 207);
    let answer: Value = answer.json();
    assert_eq!(answer["rejected"].as_array().unwrap().len(), 1_000);
    assert_eq!((&answer["accepted"], &answer["rejected_unlisted"]), (&json!(0), &json!(1_500)));
}

#[tokio::test]
async fn a_storage_failure_midway_is_503_and_says_how_many_lines_are_durable() {
    let app = TestApp::new();
    let denylist = app.denylist.clone();
    // The second piece arrives when the writer has just been told to end.
    let first = (0..600).map(|n| line(&n.to_string())).collect::<String>();
    let second = (600..1_200).map(|n| line(&n.to_string())).collect::<String>();
    let mut stop = Some(denylist);
    let arriving = [first, second].into_iter().enumerate().map(move |(at, piece)| {
        if at == 1 {
            stop.take().unwrap().stop();
        }
        Ok(Bytes::from(piece))
    });
    let problem = post(&app, Body::new(Pieces(arriving))).await.problem(503);
    assert_eq!(problem["durable"], 512);
    assert!(is_revoked(&app, "511").await && !is_revoked(&app, "512").await);
}

#[tokio::test]
async fn a_line_whose_keys_cannot_be_had_is_rejected_alone() {
    let app = TestApp::with(HttpSettings::default(), &["https://a", AWAY]);
    let away = json!({"token": token(&json!({"iss": AWAY, "jti": "x", "exp": START.0 + 900}))});
    let good = json!({"jti": "a", "iss": "https://a", "exp": START.0 + 900});
    let answer = post(&app, format!("{away}\n{good}\n")).await;
    assert_eq!(answer.status, 207);
    assert_eq!(answer.json()["accepted"], 1);
    assert!(answer.json()["rejected"][0]["error"].as_str().unwrap().contains("cannot be had at the moment"));
}
