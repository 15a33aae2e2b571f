//! `GET /livez`, `/readyz` and `/metrics`.

use revokd::readiness::Condition;

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
async fn metrics_are_prometheus_text_without_any_id() {
    let app = TestApp::new();
    app.get("/check/very-secret").await.ok();
    let answer = app.get("/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = text(&answer);
    assert!(text.contains("# TYPE revokd_checks_total counter"));
    assert!(!text.contains("very-secret"));
}
