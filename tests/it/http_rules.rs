//! What holds for every route: methods, paths, ids, caching, media types, sizes, strict parsing.

use axum::body::Body;
use axum::http::{Method, Request};
use revokd::http::{HttpSettings, ROUTES};
use serde_json::json;

use super::test_app::{START, TestApp};

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_405_and_says_which_it_has() {
    let app = TestApp::new();
    for route in &ROUTES {
        if route.access == revokd::http::Access::Gateway {
            // Of any method.
            continue;
        }
        let path = route.path.replace("{jti}", "a").replace("{id}", "a");
        let is_open = route.access == revokd::http::Access::Open && route.method == Method::GET;
        let rows = || ROUTES.iter().filter(|other| other.path == route.path).map(|other| other.method.as_str());
        let allowed = || rows().chain(is_open.then_some("HEAD"));
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            if allowed().any(|allowed| allowed == method) {
                continue;
            }
            let answer = app.request(method.parse().unwrap(), &path, None, Body::empty()).await;
            if method == "HEAD" {
                assert_eq!(answer.status, 405, "{path}");
                // Over HTTP/2 one would end the stream with an error.
                assert!(answer.body.is_empty(), "{path}");
            } else if matches!(route.access, revokd::http::Access::Client(_)) || path == "/backchannel-logout" {
                answer.oauth(405, "invalid_request");
            } else {
                answer.problem(405);
            }
            assert_eq!(answer.header("allow"), allowed().collect::<Vec<_>>().join(", "), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn an_open_route_refuses_an_unknown_parameter_too() {
    let app = TestApp::new();
    for path in ["/livez", "/readyz", "/metrics", "/openapi.json", "/.well-known/oauth-authorization-server"] {
        app.get(&format!("{path}?verbsoe=1")).await.problem(400);
    }
}

#[tokio::test]
async fn a_path_that_is_not_there_is_404() {
    let app = TestApp::new();
    for path in ["/", "/nothing", "/check/", "/check/a/b", "/revocations/a/b", "/Check/a", "/livez/", "/force-logout/a"]
    {
        app.get(path).await.problem(404);
    }
}

#[tokio::test]
async fn a_target_that_is_no_path_is_404_and_an_absolute_one_is_read_by_its_path() {
    let app = TestApp::new();
    for (method, target, status) in [
        ("OPTIONS", "*", 404),
        ("CONNECT", "example.com:80", 404),
        ("GET", "http://example.com", 404),
        ("GET", "http://example.com/check/a", 200),
        ("GET", "//check/a", 404),
    ] {
        let answer = app.request(method.parse().unwrap(), target, None, Body::empty()).await;
        assert_eq!(answer.status, status, "{method} {target}");
    }
}

#[tokio::test]
async fn every_answer_has_an_id_and_is_not_to_be_stored() {
    let app = TestApp::new();
    for path in ["/check/a", "/check?jti=a", "/nothing", "/livez", "/metrics", "/check?x=y", "/openapi.json"] {
        for (sent, kept) in [("my-id.1_A", true), ("", false), ("a b", false), (&"x".repeat(65), false)] {
            let request = Request::get(path).header("x-api-key", &app.key).header("x-request-id", sent);
            let answer = app.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.header("x-request-id") == sent, kept, "{path} {sent:?}");
            assert!(!answer.header("x-request-id").is_empty());
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        }
    }
}

#[tokio::test]
async fn a_body_of_another_media_type_or_encoding_is_415() {
    let app = TestApp::new();
    for path in ["/revoke", "/check", "/force-logout", "/global-token-revocation", "/purge"] {
        for media in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""] {
            app.request(Method::POST, path, Some(media), "{}").await.problem(415);
        }
        let request = Request::post(path)
            .header("x-api-key", &app.key)
            .header("content-type", "application/json")
            .header("content-encoding", "gzip");
        app.send(request.body("{}".into()).unwrap()).await.problem(415);
    }
    app.request(Method::POST, "/check", Some("application/x-ndjson"), "{}").await.problem(415);
    app.request(Method::POST, "/check", None, "{}").await.problem(415);
    let body = json!({"jti": "a", "exp": START.0}).to_string();
    let answer = app.request(Method::POST, "/revoke", Some("application/json; charset=UTF-8"), body).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_body_beyond_its_limit_is_413_and_names_it_with_or_without_a_declared_length() {
    let app = TestApp::with(HttpSettings { body_bytes_max: 100, ..HttpSettings::default() }, &[]);
    for path in ["/revoke", "/check", "/force-logout", "/global-token-revocation", "/purge"] {
        let body = format!("{{\"jti\":\"{}\"}}", "a".repeat(100));
        let problem = app.post(path, body.clone()).await.problem(413);
        assert!(problem["detail"].as_str().unwrap().contains("limits.body_bytes_max"));
        assert_eq!(problem["limit"], 100);
        let declared = Request::post(path)
            .header("x-api-key", &app.key)
            .header("content-type", "application/json")
            .header("content-length", body.len());
        app.send(declared.body(Body::empty()).unwrap()).await.problem(413);
    }
}

#[tokio::test]
async fn what_is_no_strict_json_is_400_everywhere_and_never_quoted() {
    let app = TestApp::new();
    let deep = format!("{{\"jti\":{}", "[".repeat(100_000));
    for path in ["/revoke", "/check", "/force-logout", "/global-token-revocation", "/purge"] {
        for body in [
            &b"secret"[..],
            b"",
            b"{",
            b"[]",
            b"\"secret\"",
            b"{\"secret\":\"secret\"}",
            b"{\"jti\":\"secret\",\"jti\":\"secret\"}",
            b"{\"trust_clock\":true,\"trust_clock\":true}",
            b"{\"jti\":\"\xff\"}",
            b"{\"jti\":\"secret\"}{}",
            b"{\"jti\":'secret'}",
            b"{\"jti\":NaN}",
            b"{\"ttl\":5}",
            deep.as_bytes(),
        ] {
            // A purge without a body is a purge.
            if path == "/purge" && body.is_empty() {
                continue;
            }
            let problem = app.post(path, body.to_vec()).await.problem(400);
            let detail = problem["detail"].as_str().unwrap().replace("`secret`", "");
            assert!(!detail.contains("secret"), "{path} {problem}");
        }
    }
    let problem = app.post("/revoke", r#"{"jti":"a","ttl":5}"#).await.problem(400);
    assert_eq!(problem["detail"], "`ttl` is unknown here; known are: jti, exp, iss, sub, reason");
    assert_eq!(problem["field"], "ttl");
}

#[tokio::test]
async fn an_empty_duplicate_or_unknown_query_parameter_is_400_everywhere() {
    let app = TestApp::new();
    for (path, body) in [
        ("/check/a", None),
        ("/check", None),
        ("/revocations", None),
        ("/revocations/a", None),
        ("/readyz", None),
        ("/revoke", Some(json!({"jti": "a", "exp": START.0}))),
        ("/check", Some(json!({"jti": "a"}))),
        ("/force-logout", Some(json!({"sub": "a"}))),
        ("/global-token-revocation", Some(json!({"sub_id": {"format": "opaque", "id": "a"}}))),
        ("/purge", Some(json!({}))),
    ] {
        for query in ["nothing=1", "sub", "sub=", "sub=a&sub=b", "&", "sub=%ff", "sub=%"] {
            let path = format!("{path}?{query}");
            let answer = match &body {
                None => app.get(&path).await,
                Some(body) => app.post_json(&path, body).await,
            };
            answer.problem(400);
        }
    }
}
