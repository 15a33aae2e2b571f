//! Limits on how often somebody may ask: by key, and by address for whoever has none.

use std::time::Instant;

use axum::body::Body;
use axum::http::{Method, Request};
use revokd::http::listener::Peer;
use revokd::http::{HttpSettings, Pace, ROUTES};
use revokd::keys::Scope;
use serde_json::json;

use super::test_app::{Answer, START, TestApp};

/// Ten a second and ten at once: of them nine are for everything.
const PER_S: u32 = 10;

fn limited() -> TestApp {
    TestApp::with(HttpSettings { requests_per_s: PER_S, ..HttpSettings::default() }, &[])
}

/// How many of 60 are let through; whoever is not is told why.
async fn let_through(ask: impl AsyncFn() -> Answer) -> u32 {
    let mut let_through = 0;
    for _ in 0..60 {
        let answer = ask().await;
        if answer.status == 200 {
            let_through += 1;
        } else {
            let problem = answer.problem(429);
            assert!(problem["detail"].as_str().unwrap().contains("limits.requests_per_s is 10"), "{problem}");
            assert_eq!((&problem["limit"], answer.header("retry-after")), (&json!(PER_S), "1"));
        }
    }
    let_through
}

/// A burst, and what has been refilled since `began` at the most.
fn assert_burst(let_through: u32, burst: u32, began: Instant) {
    let refilled = began.elapsed().as_secs_f64() * f64::from(PER_S);
    assert!(let_through >= burst, "{let_through} of {burst} were let through");
    assert!(f64::from(let_through) <= f64::from(burst) + refilled + 1.0, "{let_through}, {refilled} refilled");
}

#[tokio::test]
async fn a_key_past_its_limit_is_refused_and_no_other_is() {
    let app = limited();
    let (busy, calm) = (app.key_with(&[Scope::Check]), app.key_with(&[Scope::Check]));
    app.post_json("/revoke", &json!({"jti": "revoked", "exp": START.0 + 900})).await.ok();
    // Answered from the filter, from the index, and by the router: each counts once.
    for path in ["/check/good", "/check/revoked", "/check?jti=good"] {
        let key = app.key_with(&[Scope::Check]);
        let began = Instant::now();
        assert_burst(let_through(async || app.request_as(&key, Method::GET, path, None).await).await, 9, began);
    }
    while app.request_as(&busy, Method::GET, "/check/a", None).await.status == 200 {}
    app.request_as(&calm, Method::GET, "/check/a", None).await.ok();
    assert!(app.metric("revokd_rate_limited_total{who=\"key\"}").await > 0);
}

#[tokio::test]
async fn a_flood_of_checks_and_revokes_does_not_stop_the_answer_to_it() {
    let app = limited();
    let key = app.key_with(&Scope::ALL);
    let revoke = json!({"jti": "a", "exp": START.0 + 900});
    while app.request_as(&key, Method::POST, "/revoke", Some(&revoke)).await.status == 200 {}
    while app.request_as(&key, Method::GET, "/check/a", None).await.status == 200 {}
    app.request_as(&key, Method::POST, "/force-logout", Some(&json!({"sub": "s"}))).await.ok();
    for path in ["/livez", "/metrics"] {
        for _ in 0..50 {
            assert_eq!(app.request_as(&key, Method::GET, path, None).await.status, 200);
        }
    }
}

#[tokio::test]
async fn a_key_without_the_scope_is_counted_too() {
    let app = limited();
    let key = app.key_with(&[Scope::Audit]);
    let mut refused = 0;
    for _ in 0..60 {
        refused += u32::from(app.request_as(&key, Method::GET, "/check/a", None).await.status == 429);
    }
    assert!(refused > 0);
}

async fn from(app: &TestApp, address: &str, key: Option<&str>) -> Answer {
    let mut request = Request::get("/check/a");
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    app.send_from(Peer::Tcp(address.parse().unwrap()), request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn strangers_are_limited_by_address_and_never_stand_in_the_way_of_a_good_key() {
    let app = TestApp::with(HttpSettings { strangers_per_s: 1, ..HttpSettings::default() }, &[]);
    let forged = format!("revokd_0123456789ab_{}", "A".repeat(43));
    let mut told = [0, 0];
    for turn in 0..100 {
        let answer = from(&app, "192.0.2.1:1", (turn % 2 == 0).then_some(&forged)).await;
        if answer.status == 401 {
            told[0] += 1;
        } else {
            let problem = answer.problem(429);
            assert!(problem["detail"].as_str().unwrap().contains("limits.strangers_per_s is 1"), "{problem}");
            assert!(!problem.to_string().contains("AAAA"));
            told[1] += 1;
        }
        assert_eq!(from(&app, "192.0.2.1:2", Some(&app.key)).await.status, 200, "a good key after {turn} wrong ones");
    }
    assert!(told[0] >= 10 && told[1] > 0, "{told:?}");
    assert_eq!(from(&app, "192.0.2.2:1", None).await.status, 401, "another address is another stranger");
    assert!(app.metric("revokd_rate_limited_total{who=\"stranger\"}").await > 0);
}

#[test]
fn only_probes_are_free_and_only_admins_reach_the_last_tenth() {
    use revokd::http::Access;
    for route in &ROUTES {
        let expected = match route.access {
            Access::Open | Access::Gateway => Pace::Free,
            Access::Needs(Scope::Admin) => Pace::Urgent,
            Access::Needs(_) | Access::Client(_) => Pace::Common,
        };
        assert_eq!(route.pace, expected, "{} {}", route.method, route.path);
    }
}
