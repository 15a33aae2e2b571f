//! The certificate of a connection at the door: a second way to say who is asking, on every route.

use axum::body::Body;
use axum::http::Request;
use revokd::http::listener::Peer;
use revokd::http::{Access, HttpSettings, ROUTES};
use revokd::keys::{Caller, Scope, Scopes};

use super::test_app::{Answer, TestApp};

/// A peer over TLS whose certificate has this scope, or who has shown none that is known.
fn peer(scope: Option<Scope>) -> Peer {
    let caller = |scope| Caller::new("cert:dns:gateway.internal", Scopes::of(&[scope]));
    Peer::Tls { address: "192.0.2.1:1".parse().unwrap(), caller: scope.map(caller) }
}

/// Sends a request of which nothing but its sender is right.
async fn hostile(app: &TestApp, from: Peer, method: &str, path: &str) -> Answer {
    let path = path.replace("{jti}", "x").replace("{id}", "x");
    let request = Request::builder().method(method).uri(format!("{path}?unknown=1&unknown=1"));
    app.send_from(from, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_guarded_route_takes_a_certificate_of_its_scope_and_no_other() {
    let app = TestApp::new();
    let mut guarded = 0;
    for route in &ROUTES {
        let (needed, is_oauth) = match route.access {
            // `http_gateway` has its own.
            Access::Open | Access::Gateway => continue,
            Access::Needs(scope) => (scope, false),
            Access::Client(scope) => (scope, true),
        };
        guarded += 1;
        let (method, path) = (route.method.as_str(), route.path);
        let unknown = hostile(&app, peer(None), method, path).await;
        if is_oauth {
            unknown.oauth(401, "invalid_client");
        } else {
            unknown.problem(401);
        }
        for scope in Scope::ALL {
            let answer = hostile(&app, peer(Some(scope)), method, path).await;
            if is_oauth && scope == needed {
                answer.oauth(415, "invalid_request");
            } else if is_oauth {
                let said = answer.oauth(400, "unauthorized_client");
                assert!(said.contains(needed.as_str()), "{method} {path} {said}");
            } else if scope == needed {
                // Past the guard the unknown parameter is the first thing to be wrong.
                answer.problem(400);
            } else {
                let problem = answer.problem(403);
                assert!(problem["detail"].as_str().unwrap().contains(needed.as_str()), "{method} {path} {problem}");
            }
        }
    }
    assert!(guarded >= 7);
}

#[tokio::test]
async fn where_checks_are_keyless_a_known_certificate_is_judged_all_the_same() {
    let app = TestApp::with(HttpSettings { check_keyless: true, ..HttpSettings::default() }, &[]);
    for (from, status) in [(peer(None), 200), (peer(Some(Scope::Check)), 200), (peer(Some(Scope::Revoke)), 403)] {
        for path in ["/check/a", "/check?jti=a"] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            assert_eq!(app.send_from(from.clone(), request).await.status, status, "{from:?} {path}");
        }
    }
}
