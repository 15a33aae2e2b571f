//! `POST /check`.

use revokd::http::HttpSettings;
use revokd::token::Selector;
use serde_json::{Value, json};

use super::test_app::{START, TestApp, forged, token};

const ISS: &str = "https://a";

fn app() -> TestApp {
    TestApp::with(HttpSettings::default(), &[ISS])
}

async fn revoke(app: &TestApp, jti: &str) {
    app.post_json("/revoke", &json!({"jti": jti, "exp": START.0 + 900})).await.ok();
}

#[tokio::test]
async fn one_is_asked_by_the_same_claims_as_in_a_query() {
    let app = app();
    revoke(&app, "a").await;
    let claims = json!({"jti": "a", "iss": ISS, "iat": 5, "sub": "s", "sid": "x", "client_id": "c"});
    let answer = app.post_json("/check", &claims).await.ok();
    assert_eq!(answer["judged"], json!(["jti", "sid", "sub", "client_id", "iss"]));
    assert_eq!(answer["by"], "jti");
    assert_eq!(app.post_json("/check", &json!({"sub": "s"})).await.ok(), json!({"revoked": false, "judged": ["sub"]}));
    app.post_json("/check", &json!({})).await.refuses(422, "jti");
    app.post_json("/check", &json!({"jti": "a", "iat": 1.5})).await.refuses(422, "iat");
    app.post_json("/check", &json!({"jti": null})).await.refuses(422, "jti");
}

#[tokio::test]
async fn many_ids_are_answered_in_order_as_strings_or_as_claims() {
    let app = app();
    revoke(&app, "b").await;
    let ids = json!({"ids": ["a", "b", {"jti": "b", "sub": "s"}, {"sub": "s"}, "a", {"jti": "b", "iss": ISS}]});
    let results = app.post_json("/check", &ids).await.ok()["results"].clone();
    let revoked: Vec<bool> = results.as_array().unwrap().iter().map(|r| r["revoked"].as_bool().unwrap()).collect();
    assert_eq!(revoked, [false, true, true, false, false, true]);
    let judged: Vec<&Value> = results.as_array().unwrap().iter().map(|result| &result["judged"]).collect();
    assert_eq!(json!(judged), json!([["jti"], ["jti"], ["jti", "sub"], ["sub"], ["jti"], ["jti", "iss"]]));
    assert_eq!(app.metric("revokd_checks_total{face=\"api\",result=\"good\"}").await, 3);
    assert_eq!(app.metric("revokd_checks_total{face=\"api\",result=\"revoked\"}").await, 3);
}

#[tokio::test]
async fn the_issuer_of_the_request_holds_for_elements_without_their_own() {
    let app = TestApp::with(HttpSettings::default(), &["https://a", "https://b"]);
    app.post_json("/revoke", &json!({"jti": "t", "exp": START.0 + 9, "iss": "https://b"})).await.ok();
    let ids = json!({"ids": ["t", {"jti": "t", "iss": "https://a"}], "iss": "https://b"});
    let results = app.post_json("/check", &ids).await.ok()["results"].clone();
    assert_eq!((&results[0]["revoked"], &results[1]["revoked"]), (&json!(true), &json!(false)));
    assert_eq!(app.post_json("/check", &json!({"ids": ["t"]})).await.refuses(422, "iss")["index"], 0);
}

#[tokio::test]
async fn ten_thousand_ids_are_answered_and_one_more_is_refused() {
    let app = app();
    revoke(&app, "9999").await;
    let ids = |count: usize| json!({"ids": (0..count).map(|n| n.to_string()).collect::<Vec<_>>()});
    let results = app.post_json("/check", &ids(10_000)).await.ok()["results"].clone();
    let results = results.as_array().unwrap();
    assert_eq!(results.len(), 10_000);
    assert!(results[9_999]["revoked"] == true && results[9_998]["revoked"] == false);
    assert_eq!(app.post_json("/check", &ids(10_001)).await.refuses(422, "ids")["limit"], 10_000);
    app.post_json("/check", &ids(0)).await.refuses(422, "ids");
    let tokens = json!({"tokens": vec!["x"; 1_001]});
    assert_eq!(app.post_json("/check", &tokens).await.refuses(422, "tokens")["limit"], 1_000);
}

#[tokio::test]
async fn a_malformed_element_refuses_the_request_and_names_its_index() {
    let app = app();
    let long = "x".repeat(2_000);
    for (element, field) in [
        (json!(""), "jti"),
        (json!(long), "jti"),
        (json!(5), "ids"),
        (json!(null), "ids"),
        (json!(["a"]), "ids"),
        (json!({}), "jti"),
        (json!({"jti": 5}), "jti"),
        (json!({"jti": "a", "iss": "https://b"}), "iss"),
        (json!({"jti": "a", "exp": 5}), "exp"),
    ] {
        let problem = app.post_json("/check", &json!({"ids": ["a", "b", element]})).await.refuses(422, field);
        assert_eq!(problem["index"], 2, "{element}");
    }
    let problem = app.post("/check", r#"{"ids":["a",{"jti":"a","jti":"a"}]}"#).await.refuses(422, "jti");
    assert_eq!(problem["index"], 1);
    let problem = app.post("/check", r#"{"ids":["a","\ud800"]}"#).await.refuses(422, "ids");
    assert_eq!(problem["index"], 1);
    let problem = app.post_json("/check", &json!({"tokens": ["a", 5]})).await.refuses(422, "tokens");
    assert_eq!(problem["index"], 1);
}

#[tokio::test]
async fn forms_are_not_mixed() {
    let app = app();
    for body in [
        json!({"ids": ["a"], "tokens": ["a"]}),
        json!({"ids": ["a"], "jti": "a"}),
        json!({"tokens": ["a"], "iss": ISS}),
        json!({"token": "a", "jti": "a"}),
        json!({"tokens": ["a"], "token": "a"}),
    ] {
        app.post_json("/check", &body).await.problem(400);
    }
    for body in [json!({"ids": "a"}), json!({"ids": {}})] {
        app.post_json("/check", &body).await.refuses(422, "ids");
    }
    app.post_json("/check", &json!({"token": 5})).await.refuses(422, "token");
}

#[tokio::test]
async fn a_token_is_verified_and_judged_by_all_it_names() {
    let app = app();
    revoke(&app, "b").await;
    let claims =
        |jti: &str| json!({"iss": ISS, "jti": jti, "sub": "s", "sid": "x", "client_id": "c", "exp": START.0 + 9});
    let judged = json!(["jti", "sid", "sub", "client_id", "iss"]);
    let one = app.post_json("/check", &json!({"token": token(&claims("a"))})).await.ok();
    assert_eq!(one, json!({"revoked": false, "judged": judged}));
    let one = app.post_json("/check", &json!({"token": token(&claims("b"))})).await.ok();
    assert_eq!((&one["by"], &one["judged"]), (&json!("jti"), &judged));
    let tokens = json!({"tokens": [token(&claims("a")), forged(&claims("a")), "nonsense", token(&claims("b")), ""]});
    let results = app.post_json("/check", &tokens).await.ok()["results"].clone();
    let by: Vec<&Value> = results.as_array().unwrap().iter().map(|result| &result["by"]).collect();
    assert_eq!(json!(by), json!([null, "unverifiable", "unverifiable", "jti", "unverifiable"]));
    assert_eq!(results[1], json!({"revoked": true, "by": "unverifiable", "judged": []}));
}

#[tokio::test]
async fn a_token_without_what_every_check_must_bring_is_refused_not_good() {
    let settings = HttpSettings { check_required: vec![Selector::Sub], ..HttpSettings::default() };
    let app = TestApp::with(settings, &[ISS]);
    let bare = token(&json!({"iss": ISS, "exp": START.0 + 9}));
    app.post_json("/check", &json!({"token": bare})).await.refuses(422, "sub");
    let problem = app.post_json("/check", &json!({"tokens": [bare]})).await.refuses(422, "sub");
    assert_eq!(problem["index"], 0);
}

#[tokio::test]
async fn more_ids_than_may_be_in_flight_are_unavailable_not_good() {
    let settings = HttpSettings { in_flight_ids_max: 10, ..HttpSettings::default() };
    let app = TestApp::with(settings, &[]);
    let key = app.key_with(&[revokd::keys::Scope::Check]);
    let ask = async |key: &str, count: usize| {
        let body = json!({"ids": vec!["a"; count]}).to_string();
        let request =
            axum::http::Request::post("/check").header("x-api-key", key).header("content-type", "application/json");
        app.send(request.body(body.into()).unwrap()).await
    };
    assert_eq!(ask(&key, 9).await.status, 200);
    let problem = ask(&key, 10).await.problem(503);
    assert_eq!(problem["limit"], 9);
    assert!(problem["detail"].as_str().unwrap().contains("server.in_flight_ids_max"));
    assert_eq!(ask(&app.key, 10).await.status, 200);
    ask(&app.key, 11).await.problem(503);
}

#[tokio::test]
async fn an_element_that_is_neither_string_nor_object_is_told_that_it_may_be_either() {
    let app = TestApp::new();
    let problem = app.post_json("/check", &json!({"ids": ["a", 5]})).await.problem(422);
    assert_eq!(problem["detail"], "element 1: each of `ids` must be a string, the `jti`, or an object of claims");
}
