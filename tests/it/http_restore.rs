//! `DELETE /revocations/{id}`.

use axum::body::Body;
use axum::http::Request;
use revokd::http::HttpSettings;
use serde_json::{Value, json};

use super::support::settings;
use super::test_app::{Answer, LEEWAY_S, START, TestApp};

pub(super) async fn restore(app: &TestApp, id: &str, query: &str, if_match: &str) -> Answer {
    let request = Request::delete(format!("/revocations/{id}{query}")).header("x-api-key", &app.key);
    app.send(request.header("if-match", if_match).body(Body::empty()).unwrap()).await
}

/// The newest entry.
async fn newest(app: &TestApp) -> Value {
    app.get("/revocations?limit=1").await.ok()["revocations"][0].clone()
}

fn id(entry: &Value) -> &str {
    entry["id"].as_str().unwrap()
}

#[tokio::test]
async fn a_revocation_is_taken_back_at_once_and_may_be_made_again() {
    let app = TestApp::new();
    let body = json!({"jti": "a", "exp": START.0 + 900});
    app.post_json("/revoke", &body).await.ok();
    let entry = newest(&app).await;
    let answer = restore(&app, id(&entry), "?reason=found%20again", "1").await.ok();
    assert_eq!(answer, json!({"seq": 2, "id": entry["id"], "still_matching": []}));
    assert_eq!(app.get("/check/a").await.ok(), json!({"revoked": false, "judged": ["jti"]}));
    app.get(&format!("/revocations/{}", id(&entry))).await.problem(404);
    assert_eq!(app.get("/revocations").await.ok(), json!({"revocations": []}));
    let again = app.post_json("/revoke", &body).await.ok();
    assert_eq!(again, json!({"seq": 3, "stored": true, "expires_at": START.0 + 900 + LEEWAY_S}));
    assert_eq!(app.get("/check/a").await.ok()["revoked"], true);
    assert_eq!(newest(&app).await["id"], entry["id"], "the id is the same");
    assert_eq!(app.metric("revokd_restored_total").await, 1);
    assert_eq!(app.metric("revokd_revocations_total{kind=\"jti\",source=\"api\"}").await, 2);
}

#[tokio::test]
async fn one_entry_is_taken_back_and_the_answer_says_which_others_still_match() {
    let app = TestApp::with(HttpSettings::default(), &["https://a"]);
    app.post_json("/revoke", &json!({"jti": "t", "exp": START.0 + 900, "sub": "s"})).await.ok();
    let mut cutoffs = Vec::new();
    for body in [json!({"sub": "s"}), json!({"all": true, "reason": "breach"}), json!({"sub": "other"})] {
        cutoffs.push(app.post_json("/force-logout", &body).await.ok());
    }
    app.time.pass(10);
    cutoffs.push(app.post_json("/force-logout", &json!({"sub": "s"})).await.ok());
    let list = app.get("/revocations?kind=jti").await.ok();
    let revocation = &list["revocations"][0];
    let answer = restore(&app, id(revocation), "", "1").await.ok();
    let seqs = |answer: &Value| -> Vec<u64> {
        answer["still_matching"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(seqs(&answer), [5, 3, 2], "newest first");
    let everybody = json!({
        "id": cutoffs[1]["id"], "seq": 3, "kind": "iss", "iss": "https://a", "value": "https://a", "reason": "breach",
        "issued_before": START.0, "revoked_at": START.0, "expires_at": cutoffs[1]["expires_at"],
    });
    assert_eq!(answer["still_matching"][1], everybody);
    let answer = restore(&app, id(&cutoffs[3]), "", "5").await.ok();
    assert_eq!(seqs(&answer), [3, 2]);
    assert_eq!(app.get("/check/t?sub=s").await.ok()["by"], "sub", "the other one on the same subject is in force");
    let answer = restore(&app, id(&cutoffs[1]), "", "3").await.ok();
    assert_eq!(seqs(&answer), Vec::<u64>::new(), "on everybody there is no other");
    assert_eq!(seqs(&restore(&app, id(&cutoffs[0]), "", "2").await.ok()), Vec::<u64>::new());
    assert_eq!(app.get("/check/t?sub=s").await.ok()["revoked"], false);
    assert_eq!(app.get("/check/t?sub=other").await.ok()["revoked"], true);
}

#[tokio::test]
async fn what_has_moved_is_412_and_says_where_it_is() {
    let app = TestApp::new();
    app.post_json("/revoke", &json!({"jti": "a", "exp": START.0 + 900})).await.ok();
    app.post_json("/revoke", &json!({"jti": "a", "exp": START.0 + 9_000})).await.ok();
    let entry = newest(&app).await;
    let problem = restore(&app, id(&entry), "", "1").await.problem(412);
    assert!(problem["detail"].as_str().unwrap().contains("`seq` is 2 now"), "{problem}");
    assert_eq!(app.get("/check/a").await.ok()["revoked"], true);
    let shown = app.get(&format!("/revocations/{}", id(&entry))).await;
    assert_eq!(shown.header("etag"), "\"2\"");
    restore(&app, id(&entry), "", shown.header("etag")).await.ok();
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_cannot_be_read_is_400() {
    let app = TestApp::new();
    app.post_json("/revoke", &json!({"jti": "a", "exp": START.0 + 9})).await.ok();
    let entry = newest(&app).await;
    for missing in ["AAAAAAAAAAAAAAAAAAAAAA", "a", ".."] {
        restore(&app, missing, "", "1").await.problem(404);
    }
    for (query, if_match) in [("?reason=", "1"), ("?why=a", "1"), ("?reason=a&reason=b", "1"), ("", "x"), ("", "*")] {
        restore(&app, id(&entry), query, if_match).await.problem(400);
    }
    let request = Request::delete(format!("/revocations/{}", id(&entry))).header("x-api-key", &app.key);
    let problem = app.send(request.body(Body::empty()).unwrap()).await.refuses(400, "If-Match");
    assert!(problem["detail"].as_str().unwrap().contains("missing"));
    let long = format!("?reason={}", "x".repeat(257));
    restore(&app, id(&entry), &long, "1").await.refuses(422, "reason");
    assert_eq!(app.get("/check/a").await.ok()["revoked"], true);
    app.time.pass(9 + LEEWAY_S + 1);
    restore(&app, id(&entry), "", "1").await.problem(404);
    assert_eq!(app.denylist.status().last_seq, 1, "nothing of this was stored");
}

#[tokio::test]
async fn an_entry_that_was_changed_too_often_is_422_and_names_the_limit() {
    let mut settings = settings();
    settings.changes_per_entry_max = 2;
    let app = TestApp::with_store(HttpSettings::default(), &[], settings);
    for exp in [900, 901] {
        app.post_json("/revoke", &json!({"jti": "a", "exp": START.0 + exp})).await.ok();
    }
    let entry = newest(&app).await;
    let problem = restore(&app, id(&entry), "", "2").await.problem(422);
    assert!(problem["detail"].as_str().unwrap().contains("limits.changes_per_entry_max"));
    assert_eq!(problem["limit"], 2);
}

#[tokio::test]
async fn of_very_many_that_still_match_the_newest_are_listed() {
    let app = TestApp::new();
    let mut last = Value::Null;
    for n in 0..102 {
        last = app.post_json("/force-logout", &json!({"sub": "s", "issued_before": START.0 - n})).await.ok();
    }
    let answer = restore(&app, id(&last), "", "102").await.ok();
    assert_eq!((answer["still_matching"].as_array().unwrap().len(), &answer["more"]), (100, &json!(true)));
    assert_eq!(answer["still_matching"][0]["seq"], 101);
}
