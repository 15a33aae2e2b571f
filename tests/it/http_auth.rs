//! Keys and scopes: judged before anything else of a request is looked at.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Method, Request};
use hyper::body::Frame;
use revokd::http::{Access, HttpSettings, ROUTES};
use revokd::keys::Scope;

use super::test_app::{Answer, TestApp};

/// A body that nobody may read.
struct Untouchable;

impl HttpBody for Untouchable {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("the body was read");
    }
}

/// Sends a request of which everything but the key is wrong.
async fn hostile(app: &TestApp, method: &Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let path = path.replace("{jti}", "x").replace("{id}", "x");
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{path}?unknown=1&unknown=1"))
        .header("content-type", "text/plain")
        .header("content-length", u64::MAX.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(Body::new(Untouchable)).unwrap()).await
}

fn guarded() -> impl Iterator<Item = (&'static Method, &'static str, Scope)> {
    ROUTES.iter().filter_map(|route| match route.access {
        // `http_oauth` and `http_gateway` have their own.
        Access::Open | Access::Client(_) | Access::Gateway => None,
        Access::Needs(scope) => Some((&route.method, route.path, scope)),
    })
}

#[tokio::test]
async fn every_guarded_route_refuses_without_a_key_before_it_looks_at_anything_else() {
    let app = TestApp::new();
    let forged = format!("revokd_0123456789ab_{}", "A".repeat(43));
    for (method, path, _) in guarded() {
        for headers in [
            &[][..],
            &[("authorization", "Basic abc")],
            &[("authorization", "Bearer ")],
            &[("authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJ4In0.c2ln")],
            &[("x-api-key", &forged)],
        ] {
            let answer = hostile(&app, method, path, headers).await;
            let problem = answer.problem(401);
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{method} {path}");
            assert!(!problem.to_string().contains("AAAA") && !problem.to_string().contains("eyJ"));
        }
    }
    assert!(guarded().count() >= 7);
    assert!(app.metric("revokd_auth_failures_total{reason=\"missing\"}").await >= 7);
    assert!(app.metric("revokd_auth_failures_total{reason=\"unknown\"}").await >= 28);
}

#[tokio::test]
async fn every_guarded_route_refuses_each_wrong_scope_before_it_looks_at_anything_else() {
    let app = TestApp::new();
    for (method, path, needed) in guarded() {
        for scope in Scope::ALL.into_iter().filter(|scope| *scope != needed) {
            let key = app.key_with(&[scope]);
            let problem = hostile(&app, method, path, &[("x-api-key", &key)]).await.problem(403);
            assert!(problem["detail"].as_str().unwrap().contains(needed.as_str()), "{method} {path} {problem}");
        }
        let key = app.key_with(&[needed]);
        let bearer = format!("Bearer {key}");
        for headers in [&[("x-api-key", key.as_str())], &[("authorization", bearer.as_str())]] {
            // Past the guard the unknown parameter is the first thing to be wrong.
            hostile(&app, method, path, headers).await.problem(400);
        }
    }
}

#[tokio::test]
async fn x_api_key_wins_over_authorization_also_when_it_is_wrong() {
    let app = TestApp::new();
    let (good, wrong) = (app.key.clone(), "revokd_0123456789ab_x".to_owned());
    for (x_api_key, bearer, status) in [(&good, &wrong, 200), (&wrong, &good, 401)] {
        let request = Request::get("/check/a")
            .header("x-api-key", x_api_key)
            .header("authorization", format!("Bearer {bearer}"))
            .body(Body::empty());
        assert_eq!(app.send(request.unwrap()).await.status, status);
    }
}

#[tokio::test]
async fn where_checks_are_keyless_a_key_that_is_presented_is_judged_all_the_same() {
    let app = TestApp::with(HttpSettings { check_keyless: true, ..HttpSettings::default() }, &[]);
    let (check, revoke) = (app.key_with(&[Scope::Check]), app.key_with(&[Scope::Revoke]));
    for (key, status) in [(None, 200), (Some(&check), 200), (Some(&revoke), 403), (Some(&"a".to_owned()), 401)] {
        let mut request = Request::get("/check?jti=a");
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        assert_eq!(app.send(request.body(Body::empty()).unwrap()).await.status, status, "{key:?}");
    }
    let answer = app.send(Request::get("/revocations").body(Body::empty()).unwrap()).await;
    answer.problem(401);
}

#[tokio::test]
async fn open_routes_answer_without_a_key() {
    let public_url = "https://revokd.example/{*path}".to_owned();
    let app = TestApp::with(HttpSettings { public_url, ..HttpSettings::default() }, &[]);
    for route in ROUTES.iter().filter(|route| route.access == Access::Open && route.method == Method::GET) {
        for method in [Method::GET, Method::HEAD] {
            let request = Request::builder().method(&method).uri(route.path).body(Body::empty()).unwrap();
            assert_eq!(app.send(request).await.status, 200, "{method} {}", route.path);
        }
    }
}
