//! Checks that bring the family, and those that bring what it is made of.

use revokd::http::HttpSettings;
use revokd::token::Selector;
use serde_json::{Value, json};

use super::{ISS, access, app, check, listed, oauth, refresh, with_families};
use crate::http_oauth::assert_done;
use crate::support::settings;
use crate::test_app::{START, TestApp, trusted};

#[tokio::test]
async fn checks_by_ids_see_it_by_the_family_or_by_session_and_client() {
    let app = app();
    assert_done(&oauth(&app, &refresh()).await, "refresh");
    let value = listed(&app, "family").await[0]["value"].as_str().unwrap().to_owned();
    let iat = START.0 - 5;
    for (query, revoked, judged) in [
        (format!("family={value}&iat={iat}"), true, json!(["family"])),
        (format!("jti=t&family={value}&iat={}", START.0 + 3), false, json!(["jti", "family"])),
        (format!("sid=s1&client_id=shop&iat={iat}"), true, json!(["sid", "family", "client_id"])),
        (format!("sid=s1&client_id=mail&iat={iat}"), false, json!(["sid", "family", "client_id"])),
        (format!("sid=s1&iat={iat}"), false, json!(["sid"])),
        (format!("client_id=shop&iat={iat}"), false, json!(["client_id"])),
        // What is said goes before what would follow.
        (format!("family=x&sid=s1&client_id=shop&iat={iat}"), false, json!(["sid", "family", "client_id"])),
    ] {
        let verdict = app.get(&format!("/check?{query}")).await.ok();
        assert_eq!((&verdict["revoked"], &verdict["judged"]), (&json!(revoked), &judged), "{query}");
    }
    let by_path = app.get(&format!("/check/t?sid=s1&client_id=shop&iat={iat}")).await.ok();
    assert_eq!((&by_path["by"], &by_path["judged"]), (&json!("family"), &json!(["jti", "sid", "family", "client_id"])));
    let claims = json!({"jti": "t", "family": value, "iat": iat});
    assert_eq!(app.post_json("/check", &claims).await.ok()["by"], "family");
    let ids = json!({"ids": ["t", claims, {"jti": "t", "sid": "s1", "client_id": "shop", "iat": iat}]});
    let many = app.post_json("/check", &ids).await.ok();
    let by: Vec<_> = many["results"].as_array().unwrap().iter().map(|verdict| verdict["by"].clone()).collect();
    assert_eq!(by, [Value::Null, json!("family"), json!("family")]);
    for wrong in [json!({"family": ""}), json!({"family": "x".repeat(1_025)}), json!({"family": 5})] {
        app.post_json("/check", &wrong).await.refuses(422, "family");
    }
    app.post_json("/force-logout", &json!({"family": value})).await.refuses(400, "family");
}

#[tokio::test]
async fn an_issuer_without_families_derives_none() {
    for issuers in [vec![trusted(ISS)], vec![with_families("grant_id")]] {
        let app = TestApp::with_issuers(issuers);
        let verdict = app.get("/check/t?sid=s1&client_id=shop").await.ok();
        assert_eq!(verdict, json!({"revoked": false, "judged": ["jti", "sid", "client_id"]}));
    }
}

#[tokio::test]
async fn a_check_may_have_to_bring_the_family() {
    let http = HttpSettings { check_required: vec![Selector::Family], ..HttpSettings::default() };
    let app = TestApp::assemble(http, vec![with_families("sid")], settings());
    app.get("/check/t").await.refuses(422, "family");
    app.get("/check/t?sid=s1").await.refuses(422, "family");
    app.get("/check/t?sid=s1&client_id=shop").await.ok();
    app.get("/check/t?family=x").await.ok();
    assert_eq!(check(&app, &access("shop", "s1", -5)).await["revoked"], false);
}
