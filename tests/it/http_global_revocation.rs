//! `POST /global-token-revocation`, and the metadata that names it.

use axum::http::Method;
use revokd::http::HttpSettings;
use revokd::keys::Scope;
use revokd::token::{ClientId, Issuer};
use serde_json::{Value, json};

use super::test_app::{START, TestApp};

const PATH: &str = "/global-token-revocation";
const METADATA: &str = "/.well-known/oauth-authorization-server";
const A: &str = "https://a";
const B: &str = "https://b";

fn iss_sub(iss: &str, sub: &str) -> Value {
    json!({"sub_id": {"format": "iss_sub", "iss": iss, "sub": sub}})
}

fn seq(app: &TestApp) -> u64 {
    app.denylist.status().last_seq
}

#[tokio::test]
async fn a_subject_is_logged_out_whether_anybody_has_heard_of_it_or_not() {
    let one = TestApp::with(HttpSettings::default(), &[A]);
    let opaque = json!({"sub_id": {"format": "opaque", "id": "alice"}});
    for (app, body, query) in [
        (&one, opaque.clone(), "sub=alice"),
        (&one, iss_sub(A, "bob"), "sub=bob"),
        (&TestApp::new(), opaque, "sub=alice"),
        (&TestApp::with(HttpSettings::default(), &[A, B]), iss_sub(B, "bob"), "sub=bob&iss=https://b"),
    ] {
        let answer = app.post_json(PATH, &body).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0), "{body} {answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        let verdict = app.get(&format!("/check?{query}&iat={}", START.0)).await.ok();
        assert_eq!((&verdict["revoked"], &verdict["by"]), (&json!(true), &json!("sub")));
        let later = app.get(&format!("/check?{query}&iat={}", START.0 + 60)).await.ok();
        assert_eq!(later["revoked"], false, "a new login works");
    }
}

#[tokio::test]
async fn other_formats_and_malformed_bodies_are_400_and_store_nothing() {
    let app = TestApp::with(HttpSettings::default(), &[A]);
    let of = |sub_id: Value| json!({ "sub_id": sub_id });
    for body in [
        json!({}),
        json!({"sub": "a"}),
        of(json!("a")),
        of(json!([])),
        of(json!(null)),
        of(json!({})),
        of(json!({"format": "email", "email": "a@b.example"})),
        of(json!({"format": "phone_number", "phone_number": "+1"})),
        of(json!({"format": "ISS_SUB", "iss": A, "sub": "a"})),
        of(json!({"format": 1, "id": "a"})),
        of(json!({"format": "iss_sub", "iss": A})),
        of(json!({"format": "iss_sub", "sub": "a"})),
        of(json!({"format": "iss_sub", "iss": A, "sub": 5})),
        of(json!({"format": "iss_sub", "iss": A, "sub": "a", "id": "a"})),
        of(json!({"format": "opaque", "id": "a", "iss": A})),
        of(json!({"format": "opaque"})),
        json!({"sub_id": {"format": "opaque", "id": "a"}, "reason": "x"}),
    ] {
        app.post_json(PATH, &body).await.problem(400);
    }
    for body in ["", "[]", r#"{"sub_id":{"format":"opaque","id":"a","id":"b"}}"#] {
        app.post(PATH, body).await.problem(400);
    }
    app.post_json(PATH, &iss_sub(B, "a")).await.refuses(422, "iss");
    app.post_json(PATH, &of(json!({"format": "opaque", "id": ""}))).await.refuses(422, "sub");
    app.post_json(PATH, &iss_sub(A, &"x".repeat(1_025))).await.refuses(422, "sub");
    TestApp::new().post_json(PATH, &iss_sub(A, "a")).await.refuses(422, "iss");
    let two = TestApp::with(HttpSettings::default(), &[A, B]);
    two.post_json(PATH, &of(json!({"format": "opaque", "id": "a"}))).await.refuses(422, "iss");
    assert_eq!((seq(&app), seq(&two)), (0, 0));
}

#[tokio::test]
async fn it_keeps_to_the_bounds_of_its_key_and_promises_nothing_that_is_not_durable() {
    let app = TestApp::with(HttpSettings::default(), &[A, B]);
    let of_a = app.key_made(&[Scope::Admin], |record| record.issuers = vec![Issuer::parse(A).unwrap()]);
    let of_shop = app.key_made(&[Scope::Admin], |record| record.client_ids = vec![ClientId::parse("shop").unwrap()]);
    for (key, iss, status) in [(&of_a, B, 403), (&of_shop, A, 403), (&of_a, A, 204)] {
        let before = seq(&app);
        let answer = app.request_as(key, Method::POST, PATH, Some(&iss_sub(iss, "a"))).await;
        assert_eq!((answer.status.as_u16(), seq(&app) > before), (status, status == 204), "{answer:?}");
    }
    app.denylist.stop();
    app.post_json(PATH, &iss_sub(A, "a")).await.problem(503);
}

#[tokio::test]
async fn the_metadata_says_what_is_there_and_is_not_there_without_a_public_url() {
    let url = "https://gw.example/revokd";
    let app = TestApp::with(HttpSettings { public_url: url.to_owned(), ..HttpSettings::default() }, &[]);
    let methods = json!(["client_secret_basic", "client_secret_post"]);
    let said = app.get(METADATA).await.ok();
    let expected = json!({
        "issuer": url,
        "response_types_supported": [],
        "revocation_endpoint": format!("{url}/oauth2/revoke"),
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint": format!("{url}/oauth2/introspect"),
        "introspection_endpoint_auth_methods_supported": methods,
        "global_token_revocation_endpoint": format!("{url}/global-token-revocation"),
    });
    assert_eq!(said, expected);
    // Where clients look for it (RFC 8414 section 3.1): the path of the issuer stands behind.
    assert_eq!(app.get(&format!("{METADATA}/revokd")).await.ok(), expected);
    for other in ["/", "/revok", "/revokd/", "/revokd/x", "//revokd", "/x/revokd"] {
        app.get(&format!("{METADATA}{other}")).await.problem(404);
    }
    let app =
        TestApp::with(HttpSettings { public_url: "https://gw.example".to_owned(), ..HttpSettings::default() }, &[]);
    assert_eq!(app.get(METADATA).await.ok()["issuer"], "https://gw.example");
    app.get(&format!("{METADATA}/revokd")).await.problem(404);
    let problem = TestApp::new().get(METADATA).await.problem(404);
    assert!(problem["detail"].as_str().unwrap().contains("server.public_url"));
}
