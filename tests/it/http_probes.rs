//! `GET /livez`, `/readyz` and `/metrics`.

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use revokd::http::Gate;
use revokd::http::listener::Peer;
use revokd::metrics::Metrics;
use revokd::readiness::{Condition, Readiness};

use super::test_app::{Answer, TestApp};

fn text(answer: &Answer) -> String {
    assert!(answer.header("content-type").starts_with("text/plain"));
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test]
async fn ready_for_checks_and_ready_for_writes_are_two_things() {
    let app = TestApp::new();
    let statuses = async || {
        let mut statuses = Vec::new();
        for path in ["/livez", "/readyz", "/readyz?for=checks", "/readyz?for=writes"] {
            let answer = app.get(path).await;
            assert_eq!(answer.status == 503, answer.headers.contains_key("retry-after"));
            statuses.push(answer.status.as_u16());
        }
        statuses
    };
    assert_eq!(statuses().await, [200, 200, 200, 200]);
    app.readiness.set(Condition::Writable, false);
    assert_eq!(statuses().await, [200, 200, 200, 503]);
    app.readiness.set(Condition::Index, false);
    assert_eq!(statuses().await, [200, 503, 503, 503]);
    app.get("/readyz?for=nothing").await.refuses(422, "for");
}

#[tokio::test]
async fn verbose_says_why_and_names_clock_purge_and_seq() {
    let app = TestApp::new();
    app.readiness.set(Condition::Index, false);
    let answer = app.get("/readyz?verbose&for=writes").await;
    assert_eq!(answer.status, 503);
    let text = text(&answer);
    for part in ["[-]index", "[+]journal", "clock_doubted false", "last_purge", "last_seq 0", "not ready for writes"] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn verbose_is_of_this_moment_whatever_the_clock_does() {
    let app = TestApp::new();
    let verbose = async || text(&app.get("/readyz?verbose").await);
    app.post_json("/purge", &serde_json::json!({})).await.ok();
    app.time.pass(7);
    app.time.jump(-18_000);
    let said = verbose().await;
    assert!(said.contains("clock_doubted true") && !said.contains("last_purge -"), "{said}");
    app.post_json("/purge", &serde_json::json!({"trust_clock": true})).await.ok();
    let said = verbose().await;
    assert!(said.contains("clock_doubted false") && !said.contains("[i]clock "), "{said}");
    app.readiness.set(Condition::Running, false);
    assert!(verbose().await.contains("[-]running no longer"));
}

#[tokio::test]
async fn metrics_are_prometheus_text_without_any_id() {
    let app = TestApp::new();
    app.get("/check/very-secret").await.ok();
    let answer = app.get("/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = text(&answer);
    assert!(text.contains("# TYPE revokd_checks_total counter"));
    assert!(!text.contains("very-secret"));
}

#[tokio::test]
async fn what_is_open_is_answered_before_the_denylist_has_caught_up() {
    let (readiness, metrics) = (Readiness::new(), Metrics::new());
    readiness.set(Condition::Journal, true);
    let gate = Gate::new(readiness, metrics);
    let get = async |path: &str| {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let (parts, body) = gate.answer(Peer::Unix, request).await.into_parts();
        (parts.status.as_u16(), String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
    };
    for (path, status, part) in [
        ("/livez", 200, ""),
        ("/readyz", 503, "not ready\n"),
        ("/readyz?verbose", 503, "[+]journal"),
        ("/readyz?verbose&for=writes", 503, "[-]index"),
        ("/readyz?for=nothing", 422, "`for`"),
        ("/metrics", 200, "revokd_ready{for=\"checks\"} 0"),
        ("/openapi.json", 200, "\"openapi\""),
        ("/check/a", 503, "not ready"),
        ("/revoke", 503, "not ready"),
    ] {
        let (answered, text) = get(path).await;
        assert_eq!(answered, status, "{path}");
        assert!(text.contains(part), "{path}: {text}");
    }
}
