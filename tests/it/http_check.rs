//! `GET /check/{jti}` and `GET /check?…`.

use revokd::http::HttpSettings;
use revokd::readiness::Condition;
use revokd::token::Selector;
use serde_json::json;

use super::test_app::{LEEWAY_S, START, TestApp};

#[tokio::test]
async fn a_check_by_jti_says_what_was_judged_and_no_more() {
    let app = TestApp::new();
    let answer = app.get("/check/a").await;
    assert_eq!(&answer.body[..], br#"{"revoked":false,"judged":["jti"]}"#);
    assert_eq!(app.get("/check?jti=a").await.body, answer.body);
    let all = json!({"revoked": false, "judged": ["jti", "sid", "sub", "client_id"]});
    assert_eq!(app.get("/check/a?iat=5&client_id=c&sub=s&sid=x").await.ok(), all);
    assert_eq!(app.get("/check?iat=5&client_id=c&sub=s&sid=x&jti=a").await.ok(), all);
}

#[tokio::test]
async fn a_revoked_token_reads_as_revoked_until_its_exp_and_leeway_have_passed() {
    let app = TestApp::new();
    let body = json!({"jti": "a", "exp": START.0 + 900, "reason": "lost \"phone\""});
    app.post_json("/revoke", &body).await.ok();
    app.time.pass(5);
    let revoked = json!({
        "revoked": true, "by": "jti", "reason": "lost \"phone\"", "revoked_at": START.0, "judged": ["jti", "sub"],
    });
    assert_eq!(app.get("/check/a?sub=anybody").await.ok(), revoked);
    app.time.pass(900 + LEEWAY_S - 5);
    assert_eq!(app.get("/check/a").await.ok()["revoked"], true);
    app.time.pass(1);
    assert_eq!(app.get("/check/a").await.ok()["revoked"], false);
    assert_eq!(app.metric("revokd_checks_total{face=\"api\",result=\"revoked\"}").await, 2);
    assert_eq!(app.metric("revokd_checks_total{face=\"api\",result=\"good\"}").await, 1);
    assert_eq!(app.metric("revokd_check_duration_seconds_count{face=\"api\"}").await, 3);
}

#[tokio::test]
async fn a_jti_is_compared_byte_for_byte_however_the_path_encodes_it() {
    let app = TestApp::new();
    for (jti, path) in [
        ("a/b", "a%2Fb"),
        ("\0\r\n", "%00%0d%0A"),
        ("☂️", "%E2%98%82%EF%B8%8F"),
        ("a+b c", "a+b%20c"),
        ("..", ".."),
        ("%", "%25"),
        ("a?b#c", "a%3Fb%23c"),
        ("é", "%C3%A9"),
    ] {
        assert_eq!(app.get(&format!("/check/{path}")).await.ok()["revoked"], false, "{path}");
        app.post_json("/revoke", &json!({"jti": jti, "exp": START.0 + 900})).await.ok();
        assert_eq!(app.get(&format!("/check/{path}")).await.ok()["revoked"], true, "{path}");
    }
    for other in ["A%2Fb", "e%CC%81", "%C3%89", "a%20b%20c"] {
        assert_eq!(app.get(&format!("/check/{other}")).await.ok()["revoked"], false, "{other}");
    }
    for broken in ["%ff", "%C3", "%", "%4", "%zz", "%ED%A0%80"] {
        app.get(&format!("/check/{broken}")).await.refuses_malformed_path();
    }
}

impl super::test_app::Answer {
    #[track_caller]
    fn refuses_malformed_path(&self) {
        assert_eq!(self.problem(400)["field"], "jti");
    }
}

#[tokio::test]
async fn each_claim_has_1_to_1024_bytes() {
    let app = TestApp::new();
    for claim in ["jti", "sub", "sid", "client_id"] {
        let longest = "x".repeat(1_024);
        assert_eq!(app.get(&format!("/check?{claim}={longest}")).await.ok()["judged"], json!([claim]));
        let problem = app.get(&format!("/check?{claim}={longest}y")).await.refuses(422, claim);
        assert_eq!(problem["limit"], 1_024);
        app.post_json("/check", &json!({claim: ""})).await.refuses(422, claim);
        app.post_json("/check", &json!({claim: 5})).await.refuses(422, claim);
    }
    let long = "%C3%A9".repeat(5_000);
    assert_eq!(app.get(&format!("/check/{long}")).await.refuses(422, "jti")["limit"], 1_024);
}

#[tokio::test]
async fn a_check_needs_at_least_one_selector_and_iss_is_none() {
    let app = TestApp::with(HttpSettings::default(), &["https://a"]);
    app.get("/check").await.refuses(422, "jti");
    app.get("/check?iss=https://a&iat=5").await.refuses(422, "jti");
    let answer = app.get("/check?sub=s&iss=https://a").await.ok();
    assert_eq!(answer, json!({"revoked": false, "judged": ["sub", "iss"]}));
}

#[tokio::test]
async fn iat_is_a_whole_number_of_seconds() {
    let app = TestApp::new();
    for iat in ["0", "-5", "1800000000", "9007199254740991"] {
        app.get(&format!("/check/a?iat={iat}")).await.ok();
    }
    for iat in ["a", "1.5", "9007199254740992", "99999999999999999999", "1e3", "%2B", "0x1"] {
        app.get(&format!("/check/a?iat={iat}")).await.refuses(422, "iat");
    }
}

#[tokio::test]
async fn the_issuer_is_resolved_by_the_closed_list() {
    let nameless = TestApp::new();
    let detail = nameless.get("/check/a?iss=x").await.refuses(422, "iss")["detail"].to_string();
    assert!(detail.contains("[[issuers]]"), "{detail}");
    let one = TestApp::with(HttpSettings::default(), &["https://a"]);
    one.post_json("/revoke", &json!({"jti": "t", "exp": START.0 + 9})).await.ok();
    for path in ["/check/t", "/check/t?iss=https://a", "/check/t?iss=https%3A%2F%2Fa"] {
        assert_eq!(one.get(path).await.ok()["revoked"], true);
    }
    one.get("/check/t?iss=https://b").await.refuses(422, "iss");
    let two = TestApp::with(HttpSettings::default(), &["https://a", "https://b"]);
    two.get("/check/t").await.refuses(422, "iss");
    two.post_json("/revoke", &json!({"jti": "t", "exp": START.0 + 9, "iss": "https://a"})).await.ok();
    assert_eq!(two.get("/check/t?iss=https://a").await.ok()["revoked"], true);
    assert_eq!(two.get("/check/t?iss=https://b").await.ok()["revoked"], false);
}

#[tokio::test]
async fn what_every_check_must_bring_can_be_required() {
    let check_required = vec![Selector::Jti, Selector::Sub];
    let app = TestApp::with(HttpSettings { check_required, ..HttpSettings::default() }, &[]);
    let problem = app.get("/check/a").await.refuses(422, "sub");
    assert!(problem["detail"].as_str().unwrap().contains("check.required"));
    app.get("/check?sub=a").await.refuses(422, "jti");
    app.get("/check/a?sub=b").await.ok();
    let problem = app.post_json("/check", &json!({"ids": [{"jti": "a", "sub": "b"}, "a"]})).await.refuses(422, "sub");
    assert_eq!(problem["index"], 1);
}

#[tokio::test]
async fn a_check_without_jti_or_sub_is_counted_as_partial() {
    let app = TestApp::new();
    for path in ["/check/a?sub=s", "/check/a?sub=s&sid=x", "/check/a", "/check?sub=s", "/check?sid=x"] {
        app.get(path).await.ok();
    }
    assert_eq!(app.metric("revokd_checks_partial_total").await, 3);
}

#[tokio::test]
async fn a_check_by_sub_alone_is_good_only_once_all_entries_are_known() {
    let app = TestApp::new();
    assert_eq!(app.get("/check?sub=s").await.ok()["revoked"], false);
    app.readiness.set(Condition::Filter, false);
    app.get("/check?sub=s").await.problem(503);
    app.post_json("/check", &json!({"ids": [{"sub": "s"}]})).await.problem(503);
    assert_eq!(app.metric("revokd_checks_total{face=\"api\",result=\"unavailable\"}").await, 2);
}

#[tokio::test]
async fn the_short_cut_and_the_router_answer_alike() {
    let app = TestApp::new();
    app.post_json("/revoke", &json!({"jti": "a", "exp": START.0 + 9})).await.ok();
    for jti in ["a", "b"] {
        for query in ["", "sub=s", "iat=x", "nothing=1", "sub=a&sub=b"] {
            // The query form has no short cut.
            let path = app.get(&format!("/check/{jti}?{query}")).await;
            let routed = app.get(format!("/check?jti={jti}&{query}").trim_end_matches('&')).await;
            assert_eq!(path.status, routed.status, "{query}");
            if path.status == 200 {
                assert_eq!(path.body, routed.body, "{query}");
            }
        }
    }
}
