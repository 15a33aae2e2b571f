//! `POST /purge`.

use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use super::support::{Mode, mode};
use super::test_app::{LEEWAY_S, START, TestApp};

#[tokio::test]
async fn a_purge_drops_what_has_ended_and_changes_no_answer() {
    let app = TestApp::new();
    for (jti, lifetime_s) in [("short", 60), ("long", 86_400)] {
        app.post_json("/revoke", &json!({"jti": jti, "exp": START.0 + lifetime_s})).await.ok();
    }
    let answers = async || {
        (app.get("/check/short").await.ok()["revoked"].clone(), app.get("/check/long").await.ok()["revoked"].clone())
    };
    let none = json!({"buckets": 0, "entries": 0, "segments": 0});
    assert_eq!(app.request(Method::POST, "/purge", None, Body::empty()).await.ok(), none);
    app.time.pass(60 + LEEWAY_S + 7_200 + 240);
    let before = answers().await;
    assert_eq!(before, (json!(false), json!(true)));
    // Where the suite purges before every request, there may be nothing left to report.
    let purged = app.post_json("/purge", &json!({})).await.ok()["entries"].as_u64();
    assert_eq!(app.denylist.status().purged_entries, 1);
    assert_eq!(purged, Some(u64::from(mode() != Mode::PurgeAlways)));
    assert_eq!(answers().await, before);
}

#[tokio::test]
async fn a_purge_ends_doubt_in_the_clock_only_when_told_to() {
    let app = TestApp::new();
    app.time.jump(86_400);
    assert!(app.denylist.clock().now().doubted);
    for body in [json!({}), json!({"trust_clock": false})] {
        app.post_json("/purge", &body).await.ok();
        assert!(app.denylist.clock().now().doubted);
    }
    app.post_json("/purge", &json!({"trust_clock": 1})).await.refuses(422, "trust_clock");
    assert!(app.denylist.clock().now().doubted);
    let before = app.denylist.status().last_seq;
    app.post_json("/purge", &json!({"trust_clock": true})).await.ok();
    assert!(!app.denylist.clock().now().doubted);
    assert_eq!(app.denylist.status().last_seq, before + 1, "who trusted the clock, and when, is in the history");
}
