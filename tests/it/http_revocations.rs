//! `GET /revocations` and `GET /revocations/{id}`.

use revokd::http::HttpSettings;
use serde_json::{Value, json};

use super::http_restore::restore;
use super::test_app::{LEEWAY_S, START, TestApp};

async fn revoke(app: &TestApp, body: &Value) {
    app.post_json("/revoke", body).await.ok();
}

fn values(page: &Value) -> Vec<&str> {
    page["revocations"].as_array().unwrap().iter().map(|entry| entry["value"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_entry_shows_all_that_is_known_of_it_and_nothing_else() {
    let app = TestApp::with(HttpSettings::default(), &["https://a"]);
    let exp = START.0 + 900;
    revoke(&app, &json!({"jti": "a", "exp": exp, "sub": "s", "reason": "r", "iss": "https://a"})).await;
    let list = app.get("/revocations").await.ok();
    let entry = list["revocations"][0].clone();
    assert_eq!(list, json!({"revocations": [entry]}));
    let expected = json!({
        "id": entry["id"], "seq": 1, "kind": "jti", "iss": "https://a", "value": "a", "sub": "s", "reason": "r",
        "revoked_at": START.0, "expires_at": exp + LEEWAY_S,
    });
    assert_eq!(entry, expected);
    assert_eq!(app.get(&format!("/revocations/{}", entry["id"].as_str().unwrap())).await.ok(), entry);
    let nameless = TestApp::new();
    revoke(&nameless, &json!({"jti": "a", "exp": exp})).await;
    let entry = nameless.get("/revocations").await.ok()["revocations"][0].clone();
    assert!(entry.get("iss").is_none() && entry.get("sub").is_none() && entry.get("reason").is_none());
}

#[tokio::test]
async fn an_id_is_url_safe_and_stays_when_its_entry_is_extended() {
    let app = TestApp::new();
    for jti in (0..64).map(|n| n.to_string()) {
        revoke(&app, &json!({"jti": jti, "exp": START.0 + 9})).await;
    }
    let before = app.get("/revocations").await.ok();
    let id = before["revocations"][63]["id"].as_str().unwrap();
    assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    revoke(&app, &json!({"jti": "0", "exp": START.0 + 90})).await;
    let entry = app.get(&format!("/revocations/{id}")).await.ok();
    assert_eq!((&entry["value"], &entry["expires_at"]), (&json!("0"), &json!(START.0 + 90 + LEEWAY_S)));
}

#[tokio::test]
async fn an_extension_keeps_what_it_does_not_say() {
    let app = TestApp::new();
    let revoke_until = async |exp: i64, more: Value| {
        let mut body = json!({"jti": "a", "exp": START.0 + exp});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        revoke(&app, &body).await;
        let listed = app.get("/revocations").await.ok();
        assert_eq!(listed["revocations"].as_array().unwrap().len(), 1);
        let entry = &listed["revocations"][0];
        [entry["sub"].clone(), entry["reason"].clone()]
    };
    assert_eq!(revoke_until(9, json!({"sub": "s", "reason": "r"})).await, [json!("s"), json!("r")]);
    assert_eq!(revoke_until(90_000, json!({})).await, [json!("s"), json!("r")]);
    assert_eq!(app.get("/revocations?sub=s").await.ok()["revocations"].as_array().unwrap().len(), 1);
    assert_eq!(revoke_until(900_000, json!({"reason": "q"})).await, [json!("s"), json!("q")]);
    assert_eq!(revoke_until(1_900_000, json!({"sub": "t"})).await, [json!("t"), json!("q")]);
    assert_eq!(app.get("/revocations?sub=s").await.ok(), json!({"revocations": []}));
    // What was taken back says nothing any more.
    let entry = app.get("/revocations").await.ok()["revocations"][0].clone();
    restore(&app, entry["id"].as_str().unwrap(), "?reason=x", &entry["seq"].to_string()).await.ok();
    assert_eq!(revoke_until(1_900_000, json!({})).await, [Value::Null, Value::Null]);
}

#[tokio::test]
async fn an_id_that_names_no_live_entry_is_404() {
    let app = TestApp::new();
    for id in ["a", "AAAAAAAAAAAAAAAAAAAAAA", "%00", "..", &"A".repeat(5_000)] {
        app.get(&format!("/revocations/{id}")).await.problem(404);
    }
    revoke(&app, &json!({"jti": "a", "exp": START.0 + 9})).await;
    let id = app.get("/revocations").await.ok()["revocations"][0]["id"].as_str().unwrap().to_owned();
    app.time.pass(9 + LEEWAY_S + 1);
    app.get(&format!("/revocations/{id}")).await.problem(404);
    assert_eq!(app.get("/revocations").await.ok(), json!({"revocations": []}));
}

#[tokio::test]
async fn pages_go_from_the_newest_to_the_oldest_without_gap_or_repeat() {
    let app = TestApp::new();
    for n in 0..25 {
        revoke(&app, &json!({"jti": n.to_string(), "exp": START.0 + 900})).await;
    }
    let mut found: Vec<String> = Vec::new();
    let mut path = "/revocations?limit=10".to_owned();
    loop {
        let page = app.get(&path).await.ok();
        found.extend(values(&page).into_iter().map(str::to_owned));
        let Some(next) = page.get("next") else { break };
        path = format!("/revocations?limit=10&after={}", next.as_str().unwrap());
    }
    assert_eq!(found, (0..25).rev().map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_list_is_narrowed_by_subject_issuer_and_kind() {
    let app = TestApp::with(HttpSettings::default(), &["https://a", "https://b"]);
    for (jti, sub, iss) in [("1", "x", "https://a"), ("2", "y", "https://a"), ("3", "x", "https://b")] {
        revoke(&app, &json!({"jti": jti, "exp": START.0 + 900, "sub": sub, "iss": iss})).await;
    }
    for (query, expected) in [
        ("sub=x&iss=https://a", vec!["1"]),
        ("iss=https://a", vec!["2", "1"]),
        ("sub=x&iss=https://b", vec!["3"]),
        ("kind=jti", vec!["3", "2", "1"]),
        ("kind=sub", vec![]),
        ("sub=z&iss=https://a", vec![]),
    ] {
        assert_eq!(values(&app.get(&format!("/revocations?{query}")).await.ok()), expected, "{query}");
    }
    app.get("/revocations?sub=x").await.refuses(422, "iss");
    let nameless = TestApp::new();
    revoke(&nameless, &json!({"jti": "1", "exp": START.0 + 900, "sub": "x"})).await;
    for (sub, expected) in [("x", vec!["1"]), ("y", vec![])] {
        assert_eq!(values(&nameless.get(&format!("/revocations?sub={sub}")).await.ok()), expected);
    }
}

#[tokio::test]
async fn cutoffs_are_listed_among_revocations_newest_first() {
    let app = TestApp::with(HttpSettings::default(), &["https://a", "https://b"]);
    let mut ids = Vec::new();
    for n in 0..6 {
        revoke(&app, &json!({"jti": format!("t{n}"), "exp": START.0 + 900, "sub": "x", "iss": "https://a"})).await;
        let (name, iss) = (["sub", "sid", "client_id"][n % 3], ["https://a", "https://b"][n / 3]);
        let body = json!({name: "x", "iss": iss, "reason": n.to_string()});
        ids.push(app.post_json("/force-logout", &body).await.ok()["id"].clone());
    }
    app.post_json("/force-logout", &json!({"all": true, "iss": "https://b"})).await.ok();
    let seqs = async |query: &str| -> Vec<u64> {
        let mut seqs = Vec::new();
        let mut after = String::new();
        loop {
            let page = app.get(&format!("/revocations?limit=2{query}{after}")).await.ok();
            seqs.extend(page["revocations"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()));
            let Some(next) = page.get("next") else { return seqs };
            after = format!("&after={}", next.as_str().unwrap());
        }
    };
    for (query, expected) in [
        ("", (1..=13).rev().collect::<Vec<u64>>()),
        ("&kind=jti", vec![11, 9, 7, 5, 3, 1]),
        ("&kind=sub", vec![8, 2]),
        ("&kind=sid", vec![10, 4]),
        ("&kind=client_id", vec![12, 6]),
        ("&kind=iss", vec![13]),
        ("&kind=sub&iss=https://a", vec![2]),
        ("&kind=iss&iss=https://a", vec![]),
        ("&iss=https://b", vec![13, 12, 10, 8]),
        ("&sub=x&iss=https://a", vec![11, 9, 7, 5, 3, 2, 1]),
        ("&sub=x&iss=https://a&kind=sub", vec![2]),
        ("&sub=x&iss=https://b", vec![8]),
        ("&sub=x&iss=https://a&kind=sid", vec![]),
    ] {
        assert_eq!(seqs(query).await, expected, "{query}");
    }
    let shown = app.get(&format!("/revocations/{}", ids[1].as_str().unwrap())).await.ok();
    let expected = json!({
        "id": ids[1], "seq": 4, "kind": "sid", "iss": "https://a", "value": "x", "reason": "1",
        "issued_before": START.0, "revoked_at": START.0, "expires_at": shown["expires_at"],
    });
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn what_a_list_cannot_be_narrowed_by_is_refused_by_name() {
    let app = TestApp::new();
    for (query, field) in [
        ("kind=nothing", "kind"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=a", "limit"),
        ("after=a", "after"),
        ("after=-1", "after"),
        ("iss=https://a", "iss"),
        (&format!("sub={}", "x".repeat(1_025)), "sub"),
    ] {
        app.get(&format!("/revocations?{query}")).await.refuses(422, field);
    }
    app.get("/revocations?limit=1000&kind=jti").await.ok();
}
