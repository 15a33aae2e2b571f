//! `POST /revoke` of one token, by claims or raw.

use revokd::http::HttpSettings;
use serde_json::json;

use super::test_app::{AWAY, LEEWAY_S, LIFETIME_MAX_S, START, TestApp, forged, token};

const ISS: &str = "https://a";

#[tokio::test]
async fn a_revoke_is_idempotent_and_a_later_exp_extends() {
    let app = TestApp::new();
    let revoke = async |exp: i64| app.post_json("/revoke", &json!({"jti": "a", "exp": exp})).await.ok();
    let first = revoke(START.0 + 900).await;
    let ends_at = START.0 + 900 + LEEWAY_S;
    assert_eq!(first, json!({"seq": first["seq"], "stored": true, "expires_at": ends_at}));
    assert_eq!(revoke(START.0 + 900).await, first);
    assert_eq!(revoke(START.0 + 5).await["expires_at"], ends_at);
    let later = revoke(START.0 + 901).await;
    assert_eq!(later["expires_at"], ends_at + 1);
    assert!(later["seq"].as_u64() > first["seq"].as_u64());
}

#[tokio::test]
async fn a_token_that_has_expired_by_itself_is_not_stored() {
    let app = TestApp::new();
    for exp in ["-1", "0", "1.5", "-9223372036854775808", "-1e999", &(START.0 - LEEWAY_S - 1).to_string()] {
        let answer = app.post("/revoke", format!(r#"{{"jti":"a","exp":{exp}}}"#)).await.ok();
        assert_eq!(answer, json!({"stored": false, "because": "expired"}), "{exp}");
    }
    let answer = app.post_json("/revoke", &json!({"jti": "a", "exp": START.0 - LEEWAY_S})).await.ok();
    assert_eq!(answer["stored"], true);
}

#[tokio::test]
async fn a_fraction_of_exp_is_rounded_up() {
    let app = TestApp::new();
    let answer = app.post("/revoke", format!(r#"{{"jti":"a","exp":{}.25}}"#, START.0)).await.ok();
    assert_eq!(answer["expires_at"], START.0 + 1 + LEEWAY_S);
}

#[tokio::test]
async fn exp_must_be_there_be_a_number_and_lie_within_its_limits() {
    let app = TestApp::new();
    app.post_json("/revoke", &json!({"jti": "a"})).await.refuses(422, "exp");
    for exp in ["9007199254740992", "9223372036854775807", "18446744073709551616", "1e999"] {
        let problem = app.post("/revoke", format!(r#"{{"jti":"a","exp":{exp}}}"#)).await.refuses(422, "exp");
        assert_eq!(problem["limit"], 9_007_199_254_740_991_u64);
    }
    for exp in ["null", "\"1800000900\"", "true", "[]", "{}"] {
        app.post("/revoke", format!(r#"{{"jti":"a","exp":{exp}}}"#)).await.refuses(422, "exp");
    }
    let exp = START.0 + LIFETIME_MAX_S;
    app.post_json("/revoke", &json!({"jti": "a", "exp": exp})).await.ok();
    let problem = app.post_json("/revoke", &json!({"jti": "b", "exp": exp + 1})).await.refuses(422, "exp");
    assert_eq!(problem["limit"], LIFETIME_MAX_S);
    assert!(problem["detail"].as_str().unwrap().contains("tokens.lifetime_max_s"));
    assert_eq!(app.get("/check/b").await.ok()["revoked"], false);
}

#[tokio::test]
async fn claims_and_reason_have_their_limits_and_no_other() {
    let app = TestApp::new();
    let with = |name: &str, value: serde_json::Value| {
        let mut body = json!({"jti": "a", "exp": START.0 + 9});
        body[name] = value;
        body
    };
    for (name, limit) in [("jti", 1_024), ("sub", 1_024), ("reason", 256)] {
        app.post_json("/revoke", &with(name, json!("x".repeat(limit)))).await.ok();
        for long in ["x".repeat(limit + 1), "é".repeat(limit / 2 + 1), "x".repeat(10_000)] {
            assert_eq!(app.post_json("/revoke", &with(name, json!(long))).await.refuses(422, name)["limit"], limit);
        }
        for wrong in [json!(5), json!(null), json!(["a"]), json!({"a": "b"}), json!(true)] {
            app.post_json("/revoke", &with(name, wrong)).await.refuses(422, name);
        }
        app.post_json("/revoke", &with(name, json!("\u{0}\u{7f}\r\n☂\u{202e}"))).await.ok();
    }
    app.post_json("/revoke", &with("jti", json!(""))).await.refuses(422, "jti");
    app.post_json("/revoke", &with("sub", json!(""))).await.refuses(422, "sub");
    app.post_json("/revoke", &json!({"exp": START.0 + 9})).await.refuses(422, "jti");
    app.post_json("/revoke", &with("iss", json!("x"))).await.refuses(422, "iss");
}

#[tokio::test]
async fn a_genuine_token_is_revoked_by_what_it_says() {
    let app = TestApp::with(HttpSettings::default(), &[ISS]);
    let claims = json!({"iss": ISS, "jti": "a", "sub": "s", "exp": START.0 + 900, "iat": START.0 - 5});
    let answer = app.post_json("/revoke", &json!({"token": token(&claims), "reason": "stolen"})).await.ok();
    assert_eq!(answer["expires_at"], START.0 + 900 + LEEWAY_S);
    let check = app.get("/check/a").await.ok();
    assert_eq!((&check["revoked"], &check["reason"]), (&json!(true), &json!("stolen")));
    let listed = app.get("/revocations?sub=s").await.ok();
    assert_eq!(listed["revocations"][0]["iss"], ISS);
    let expired = token(&json!({"iss": ISS, "jti": "b", "exp": 5}));
    assert_eq!(app.post_json("/revoke", &json!({"token": expired})).await.ok()["because"], "expired");
}

#[tokio::test]
async fn a_token_that_proves_nothing_revokes_nothing() {
    let app = TestApp::with(HttpSettings::default(), &[ISS]);
    let claims = json!({"iss": ISS, "jti": "a", "exp": START.0 + 900});
    for bad in [forged(&claims), String::new(), "a.b.c".to_owned(), token(&json!({"iss": "https://b", "jti": "a"}))] {
        let answer = app.post_json("/revoke", &json!({"token": bad})).await;
        let problem = answer.refuses(422, "token");
        assert!(!problem["detail"].as_str().unwrap().contains("eyJ"));
    }
    assert_eq!(app.get("/check/a").await.ok()["revoked"], false);
    let token = token(&claims);
    app.post_json("/revoke", &json!({"token": token, "jti": "a"})).await.problem(400);
    app.post_json("/revoke", &json!({"token": token, "exp": 5})).await.problem(400);
}

#[tokio::test]
async fn a_token_without_exp_is_refused_by_name_unless_the_config_allows() {
    // Issued long ago: kept from now on, for it never expires by itself.
    let without_exp = json!({"token": token(&json!({"iss": ISS, "jti": "a", "iat": START.0 - 10 * LIFETIME_MAX_S}))});
    let strict = TestApp::with(HttpSettings::default(), &[ISS]);
    let problem = strict.post_json("/revoke", &without_exp).await.refuses(422, "exp");
    assert!(problem["detail"].as_str().unwrap().contains("tokens.allow_without_exp"));
    let lax = TestApp::with(HttpSettings { allow_without_exp: true, ..HttpSettings::default() }, &[ISS]);
    let answer = lax.post_json("/revoke", &without_exp).await.ok();
    assert_eq!(answer["expires_at"], START.0 + LIFETIME_MAX_S + LEEWAY_S);
    assert_eq!(lax.get("/check/a").await.ok()["revoked"], true);
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_503_and_not_the_tokens_fault() {
    let app = TestApp::with(HttpSettings::default(), &[AWAY]);
    let token = token(&json!({"iss": AWAY, "jti": "a", "exp": START.0 + 900}));
    app.post_json("/revoke", &json!({"token": token})).await.problem(503);
    app.post_json("/check", &json!({"token": token})).await.problem(503);
    let problem = app.post_json("/check", &json!({"tokens": [token, token]})).await.problem(503);
    assert!(problem.get("index").is_none());
    assert_eq!(app.metric("revokd_checks_total{face=\"api\",result=\"unavailable\"}").await, 3);
}

#[tokio::test]
async fn a_revoke_that_may_not_be_durable_is_503() {
    let app = TestApp::new();
    app.denylist.stop();
    app.post_json("/revoke", &json!({"jti": "a", "exp": START.0 + 9})).await.problem(503);
    app.post_json("/purge", &json!({})).await.problem(503);
}

#[tokio::test]
async fn a_verified_token_that_outlives_the_limit_is_stored_and_counted() {
    let app = TestApp::with(HttpSettings::default(), &[ISS]);
    for (jti, lifetime_s) in [("a", LIFETIME_MAX_S), ("b", LIFETIME_MAX_S + 1), ("c", LIFETIME_MAX_S + 1)] {
        let claims = json!({"iss": ISS, "jti": jti, "iat": START.0, "exp": START.0 + lifetime_s});
        app.post_json("/revoke", &json!({"token": token(&claims)})).await.ok();
    }
    assert_eq!(app.metric("revokd_tokens_overlong_total").await, 2);
}
