//! What cannot be revoked, what has expired, what finds no room, and whose it is.

use axum::http::Method;
use revokd::denylist::Settings;
use revokd::http::HttpSettings;
use revokd::keys::Scope;
use revokd::token::ClientId;
use serde_json::{Value, json};

use super::{access, app, by, changes, check, listed, oauth, of, refresh, with_families};
use crate::http_oauth::{REVOKE, assert_done, send};
use crate::support::settings;
use crate::test_app::{START, TestApp, token};

#[tokio::test]
async fn an_expired_one_takes_what_may_outlive_it() {
    let app = app();
    app.time.pass(3_600);
    let (answer, own) = (oauth(&app, &refresh()).await, access("shop", "s1", 3_000));
    assert_done(&answer, "expired");
    assert_eq!(by(&app, &own).await, "family");
    assert_eq!(changes(&app).await, 1, "it is not stored itself");
    let said = app.post_json("/revoke", &json!({ "token": token(&refresh()) })).await.ok();
    assert_eq!(said, json!({"stored": false, "because": "expired"}));
}

#[tokio::test]
async fn what_cannot_be_revoked_takes_nothing_with_it() {
    let app = app();
    let mut endless = refresh();
    endless.as_object_mut().unwrap().remove("exp");
    let mut far = refresh();
    far["exp"] = json!(START.0 + 11 * 31_622_400);
    for claims in [endless, far] {
        oauth(&app, &claims).await.oauth(400, "unsupported_token_type");
        app.post_json("/revoke", &json!({ "token": token(&claims) })).await.refuses(422, "exp");
    }
    assert_eq!(changes(&app).await, 0);
}

#[tokio::test]
async fn one_without_exp_is_revoked_once_too() {
    let http = HttpSettings { allow_without_exp: true, ..HttpSettings::default() };
    let app = TestApp::assemble(http, vec![with_families("sid")], settings());
    let mut endless = refresh();
    endless.as_object_mut().unwrap().remove("exp");
    assert_done(&oauth(&app, &endless).await, "first");
    let first = changes(&app).await;
    app.time.pass(60);
    let login = access("shop", "s1", 30);
    for _ in 0..3 {
        assert_done(&oauth(&app, &endless).await, "again");
        app.time.pass(60);
    }
    assert_eq!((changes(&app).await, check(&app, &login).await["revoked"].clone()), (first, json!(false)));
}

#[tokio::test]
async fn where_the_family_finds_no_room_nothing_says_that_it_is_done() {
    let mut small = settings();
    small.shares.cutoffs_max = 1;
    let app = TestApp::assemble(HttpSettings::default(), vec![with_families("sid")], small);
    app.post_json("/force-logout", &json!({"sub": "somebody"})).await.ok();
    oauth(&app, &refresh()).await.oauth(503, "temporarily_unavailable");
    app.post_json("/revoke", &json!({ "token": token(&refresh()) })).await.problem(507);
    let lines = [json!({ "token": token(&refresh()) }), json!({"jti": "x", "exp": START.0 + 900})];
    let lines = lines.map(|line| line.to_string()).join("\n");
    let many = app.request(Method::POST, "/revoke", Some("application/x-ndjson"), lines).await;
    assert_eq!((many.status.as_u16(), &many.json()["rejected"][0]["line"]), (207, &json!(1)));
    assert_eq!(app.get("/check/r").await.ok()["revoked"], false);
    assert_eq!(app.get("/check/x").await.ok()["revoked"], true);
    app.denylist.stop();
    oauth(&app, &refresh()).await.oauth(503, "temporarily_unavailable");
}

#[tokio::test]
async fn a_key_of_a_client_takes_its_own_families_and_sees_none() {
    for family_claim in ["sid", "grant_id"] {
        let app = TestApp::with_issuers(vec![with_families(family_claim)]);
        let key = app.key_made(&Scope::ALL, |record| record.client_ids = vec![ClientId::parse("shop").unwrap()]);
        let as_client =
            async |claims: &Value| send(&app, REVOKE, &[("x-api-key", &key)], format!("token={}", token(claims))).await;
        let of_another = of("r", "Refresh", "mail", "s1", -60);
        as_client(&of_another).await.oauth(400, "invalid_grant");
        let body = json!({ "token": token(&of_another) });
        app.request_as(&key, Method::POST, "/revoke", Some(&body)).await.problem(403);
        assert_eq!(changes(&app).await, 0);
        assert_done(&as_client(&refresh()).await, "its own");
        assert_eq!(by(&app, &access("shop", "s1", -5)).await, "family");
        let entry = listed(&app, "family").await[0].clone();
        let path = format!("/revocations/{}", entry["id"].as_str().unwrap());
        app.request_as(&key, Method::GET, &path, None).await.problem(404);
        let body = json!({"sid": "s1"});
        app.request_as(&key, Method::POST, "/force-logout", Some(&body)).await.problem(403);
    }
}

#[tokio::test]
async fn many_families_find_room_where_few_writes_may_wait() {
    let few = Settings { waiting_writes_max: 10, ..settings() };
    let app = TestApp::assemble(HttpSettings::default(), vec![with_families("sid")], few);
    let lines = (0..100).map(|n| {
        let claims = of(&format!("r{n}"), "Refresh", "shop", &format!("s{n}"), -60);
        json!({ "token": token(&claims) }).to_string()
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    let many = app.request(Method::POST, "/revoke", Some("application/x-ndjson"), lines).await.ok();
    assert_eq!((&many["accepted"], listed(&app, "family").await.len()), (&json!(100), 100));
}
