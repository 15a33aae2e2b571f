//! Keys that are bound to issuers or clients: what is beyond their bounds they neither change nor see.

use axum::body::Body;
use axum::http::{Method, Request};
use revokd::http::HttpSettings;
use revokd::http::listener::Peer;
use revokd::keys::{Bounds, Caller, Scope, Scopes};
use revokd::token::{ClientId, Issuer};
use serde_json::{Value, json};

use super::test_app::{Answer, START, TestApp, token};

const A: &str = "https://a";
const B: &str = "https://b";
const EXP: i64 = START.0 + 900;

fn app() -> TestApp {
    TestApp::with(HttpSettings::default(), &[A, B])
}

/// A key with every scope for issuer A.
fn of_issuer(app: &TestApp) -> String {
    app.key_made(&Scope::ALL, |record| record.issuers = vec![Issuer::parse(A).unwrap()])
}

/// A key with every scope for the client `shop`.
fn of_client(app: &TestApp) -> String {
    app.key_made(&Scope::ALL, |record| record.client_ids = vec![ClientId::parse("shop").unwrap()])
}

fn shop_token(iss: &str, jti: &str, client: &Value) -> String {
    let mut claims = json!({"iss": iss, "jti": jti, "exp": EXP, "iat": START.0});
    claims.as_object_mut().unwrap().extend(client.as_object().unwrap().clone());
    token(&claims)
}

async fn post(app: &TestApp, key: &str, path: &str, body: Value) -> Answer {
    app.request_as(key, Method::POST, path, Some(&body)).await
}

#[track_caller]
fn beyond(answer: &Answer, bound: &str) {
    let problem = answer.problem(403);
    assert!(problem["detail"].as_str().unwrap().contains(&format!("`{bound}`")), "{problem}");
}

fn seq(app: &TestApp) -> u64 {
    app.denylist.status().last_seq
}

#[tokio::test]
async fn a_key_of_an_issuer_changes_nothing_of_another() {
    let app = app();
    let key = of_issuer(&app);
    for (path, body) in [
        ("/revoke", json!({"jti": "x", "exp": EXP, "iss": B})),
        ("/revoke", json!({"token": shop_token(B, "x", &json!({}))})),
        ("/force-logout", json!({"sub": "s", "iss": B})),
        ("/force-logout", json!({"all": true, "iss": B})),
        ("/force-logout", json!({"sub": "s", "iss": B, "dry_run": true})),
    ] {
        beyond(&post(&app, &key, path, body).await, "issuers");
    }
    assert_eq!(seq(&app), 0);
    for (path, body) in [
        ("/revoke", json!({"jti": "x", "exp": EXP, "iss": A})),
        ("/revoke", json!({"token": shop_token(A, "y", &json!({}))})),
        ("/force-logout", json!({"sub": "s", "iss": A})),
    ] {
        post(&app, &key, path, body).await.ok();
    }
    assert_eq!(seq(&app), 3);
    assert!(app.metric("revokd_auth_failures_total{reason=\"bound\"}").await >= 5);
}

#[tokio::test]
async fn every_kind_of_check_keeps_to_the_issuers_of_its_key() {
    let app = app();
    let key = of_issuer(&app);
    for path in ["/check/x?iss=https://b", "/check?jti=x&iss=https://b", "/check?sub=x&iss=https://b"] {
        let answer = app.request_as(&key, Method::GET, path, None).await;
        beyond(&answer, "issuers");
        assert_eq!(answer.json()["field"], "iss");
    }
    let (own, other) = (shop_token(A, "x", &json!({})), shop_token(B, "x", &json!({})));
    for body in [json!({"jti": "x", "iss": B}), json!({"token": other})] {
        beyond(&post(&app, &key, "/check", body).await, "issuers");
    }
    for body in [
        json!({"ids": ["x", "y"], "iss": B}),
        json!({"ids": [{"jti": "x", "iss": A}, {"jti": "x", "iss": B}]}),
        json!({"tokens": [own, other]}),
    ] {
        let answer = post(&app, &key, "/check", body).await;
        beyond(&answer, "issuers");
        assert!(answer.json()["index"].is_number(), "{answer:?}");
    }
    for body in [json!({"jti": "x", "iss": A}), json!({"ids": ["x"], "iss": A}), json!({"token": own})] {
        post(&app, &key, "/check", body).await.ok();
    }
    app.request_as(&key, Method::GET, "/check/x?iss=https://a", None).await.ok();
}

#[tokio::test]
async fn lines_are_judged_one_by_one() {
    let app = app();
    let key = of_issuer(&app);
    let lines: String =
        [A, B, A].iter().map(|iss| json!({"jti": "x", "exp": EXP, "iss": iss}).to_string() + "\n").collect();
    let request = Request::post("/revoke").header("x-api-key", &key).header("content-type", "application/x-ndjson");
    let answer = app.send(request.body(lines.into()).unwrap()).await;
    assert_eq!(answer.status, 207);
    let said = answer.json();
    assert_eq!((&said["accepted"], &said["rejected"][0]["line"]), (&json!(2), &json!(2)));
    assert!(said["rejected"][0]["error"].as_str().unwrap().contains("`issuers`"), "{said}");
    let verdict = async |iss| app.get(&format!("/check/x?iss={iss}")).await.ok()["revoked"].clone();
    assert_eq!((verdict(A).await, verdict(B).await), (json!(true), json!(false)));
}

#[tokio::test]
async fn lists_show_what_is_within_and_entries_beyond_are_not_there() {
    let app = app();
    let (of_a, of_shop) = (of_issuer(&app), of_client(&app));
    for iss in [A, B] {
        app.post_json("/revoke", &json!({"jti": format!("j-{iss}"), "exp": EXP, "iss": iss})).await.ok();
        app.post_json("/force-logout", &json!({"client_id": "shop", "iss": iss})).await.ok();
        app.post_json("/force-logout", &json!({"client_id": "other", "iss": iss})).await.ok();
    }
    let all = app.get("/revocations").await.ok()["revocations"].as_array().unwrap().clone();
    let is_of_a = |entry: &Value| entry["iss"] == A;
    let is_of_shop = |entry: &Value| entry["kind"] == "client_id" && entry["value"] == "shop";
    for (key, is_within) in [(&of_a, &is_of_a as &dyn Fn(&Value) -> bool), (&of_shop, &is_of_shop)] {
        let listed = app.request_as(key, Method::GET, "/revocations", None).await.ok();
        let within: Vec<_> = all.iter().filter(|entry| is_within(entry)).cloned().collect();
        assert!(!within.is_empty() && within.len() < all.len());
        assert_eq!(listed["revocations"], json!(within));
        for entry in &all {
            let path = format!("/revocations/{}", entry["id"].as_str().unwrap());
            let shown = app.request_as(key, Method::GET, &path, None).await;
            let request = Request::delete(&path).header("x-api-key", key).header("if-match", entry["seq"].to_string());
            let before = seq(&app);
            if is_within(entry) {
                assert_eq!(shown.ok(), *entry);
            } else {
                shown.problem(404);
                app.send(request.body(Body::empty()).unwrap()).await.problem(404);
                assert_eq!(seq(&app), before);
            }
        }
    }
    beyond(&app.request_as(&of_a, Method::GET, "/revocations?iss=https://b", None).await, "issuers");
    let mine = all.iter().find(|entry| is_of_a(entry) && is_of_shop(entry)).unwrap();
    let path = format!("/revocations/{}", mine["id"].as_str().unwrap());
    let request = Request::delete(&path).header("x-api-key", &of_shop).header("if-match", mine["seq"].to_string());
    app.send(request.body(Body::empty()).unwrap()).await.ok();
}

#[tokio::test]
async fn a_key_of_a_client_revokes_what_a_signature_says_is_that_clients() {
    let app = app();
    let key = of_client(&app);
    beyond(&post(&app, &key, "/revoke", json!({"jti": "x", "exp": EXP, "iss": A})).await, "client_ids");
    for client in [
        json!({}),
        json!({"client_id": "other"}),
        json!({"azp": "other"}),
        json!({"client_id": "other", "azp": "shop"}),
    ] {
        let token = shop_token(A, "x", &client);
        beyond(&post(&app, &key, "/revoke", json!({"token": token})).await, "client_ids");
        beyond(&post(&app, &key, "/check", json!({"token": token})).await, "client_ids");
    }
    assert_eq!(seq(&app), 0);
    for (jti, client) in [("x", json!({"client_id": "shop"})), ("y", json!({"azp": "shop"}))] {
        let token = shop_token(A, jti, &client);
        post(&app, &key, "/revoke", json!({"token": token})).await.ok();
        assert_eq!(post(&app, &key, "/check", json!({"token": token})).await.ok()["revoked"], true);
    }
}

#[tokio::test]
async fn a_key_of_a_client_logs_out_that_client_and_checks_what_is_said_to_be_its() {
    let app = app();
    let key = of_client(&app);
    for body in [
        json!({"client_id": "other", "iss": A}),
        json!({"sub": "shop", "iss": A}),
        json!({"sid": "shop", "iss": A}),
        json!({"all": true, "iss": A}),
    ] {
        beyond(&post(&app, &key, "/force-logout", body).await, "client_ids");
    }
    for body in [
        json!({"jti": "x", "iss": A}),
        json!({"ids": ["x"], "iss": A}),
        json!({"sub": "x", "client_id": "other", "iss": A}),
    ] {
        beyond(&post(&app, &key, "/check", body).await, "client_ids");
    }
    beyond(&app.request_as(&key, Method::GET, "/check/x?iss=https://a", None).await, "client_ids");
    assert_eq!(seq(&app), 0);
    post(&app, &key, "/force-logout", json!({"client_id": "shop", "iss": A})).await.ok();
    let verdict = app.request_as(&key, Method::GET, "/check/x?iss=https://a&client_id=shop", None).await.ok();
    assert_eq!(verdict["by"], "client_id");
}

#[tokio::test]
async fn what_concerns_the_whole_server_is_for_callers_without_bounds() {
    let app = app();
    for key in [of_issuer(&app), of_client(&app)] {
        for (method, path, body) in [
            (Method::GET, "/keys", None),
            (Method::POST, "/keys", Some(json!({"label": "x", "scopes": ["admin"]}))),
            (Method::DELETE, "/keys/0123456789ab", None),
            (Method::POST, "/purge", Some(json!({"trust_clock": true}))),
        ] {
            beyond(&app.request_as(&key, method, path, body.as_ref()).await, "issuers");
        }
    }
    assert_eq!((seq(&app), app.denylist.keys().list().len()), (0, 3));
}

#[tokio::test]
async fn a_certificate_is_bound_as_a_key_is() {
    let app = app();
    let bounds = Bounds { issuers: vec![Issuer::parse(A).unwrap()], client_ids: Vec::new() };
    let caller = Caller::bound("cert:dns:gateway.internal", Scopes::ALL, bounds);
    let peer = Peer::Tls { address: "192.0.2.1:1".parse().unwrap(), caller: Some(caller) };
    let get = async |path: &str| app.send_from(peer.clone(), Request::get(path).body(Body::empty()).unwrap()).await;
    get("/check/x?iss=https://a").await.ok();
    beyond(&get("/check/x?iss=https://b").await, "issuers");
    beyond(&get("/keys").await, "issuers");
}
