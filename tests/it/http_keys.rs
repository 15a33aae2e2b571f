//! `GET /keys`, `POST /keys`, `DELETE /keys/{id}`: keys at run time.

use axum::http::Method;
use revokd::http::HttpSettings;
use revokd::keys::Scope;
use serde_json::{Value, json};

use super::support::settings;
use super::test_app::{START, TestApp};

async fn create(app: &TestApp, body: &Value) -> Value {
    app.post_json("/keys", body).await.ok()
}

async fn list(app: &TestApp) -> Vec<Value> {
    app.get("/keys").await.ok()["keys"].as_array().unwrap().clone()
}

/// The status of a check with this key.
async fn check(app: &TestApp, key: &Value) -> u16 {
    app.request_as(key.as_str().unwrap(), Method::GET, "/check/a", None).await.status.as_u16()
}

async fn revoke(app: &TestApp, id: &Value) -> super::test_app::Answer {
    app.request_as(&app.key, Method::DELETE, &format!("/keys/{}", id.as_str().unwrap()), None).await
}

#[tokio::test]
async fn a_key_opens_doors_when_it_is_made_and_none_when_it_is_revoked() {
    let app = TestApp::new();
    let made = create(&app, &json!({"label": "gateway", "scopes": ["check"]})).await;
    assert_eq!((made["seq"].as_u64(), made.get("expires_at")), (Some(1), None));
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with(&format!("revokd_{}_", made["id"].as_str().unwrap())));
    assert!(key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
    assert_eq!(check(&app, &made["key"]).await, 200);
    app.request_as(key, Method::GET, "/keys", None).await.problem(403);
    let revoked = revoke(&app, &made["id"]).await.ok();
    assert_eq!(revoked, json!({"seq": revoked["seq"], "id": made["id"]}));
    assert_eq!(check(&app, &made["key"]).await, 401);
    revoke(&app, &made["id"]).await.problem(404);
    assert_eq!(app.changes().await, 2);
}

#[tokio::test]
async fn a_list_shows_all_of_a_key_but_what_opens_doors() {
    let app = TestApp::with(HttpSettings::default(), &["https://a", "https://b"]);
    let own = list(&app).await[0]["id"].clone();
    let body = json!({
        "label": "ci", "scopes": ["revoke", "check"], "issuers": ["https://b"], "client_ids": ["shop"], "expires_in_s": 60,
    });
    let made = create(&app, &body).await;
    let entry = json!({
        "id": made["id"], "seq": 1, "label": "ci", "scopes": ["revoke", "check"], "issuers": ["https://b"],
        "client_ids": ["shop"], "created_at": START.0, "created_by": own, "expires_at": START.0 + 60, "expired": false,
    });
    assert_eq!(list(&app).await[0], entry, "the newest is first");
    let shown = app.get("/keys").await;
    let secret = made["key"].as_str().unwrap().rsplit_once('_').unwrap().1;
    assert!(!String::from_utf8(shown.body.to_vec()).unwrap().contains(secret));
}

#[tokio::test]
async fn an_expired_key_is_told_so_and_forgotten_by_a_purge() {
    let app = TestApp::new();
    let made = create(&app, &json!({"label": "x", "scopes": ["check"], "expires_at": START.0 + 60})).await;
    app.time.pass(59);
    assert_eq!(check(&app, &made["key"]).await, 200);
    app.time.pass(1);
    let answer = app.request_as(made["key"].as_str().unwrap(), Method::GET, "/check?jti=a", None).await;
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    assert!(answer.problem(401)["detail"].as_str().unwrap().contains("expired"));
    assert_eq!(list(&app).await[0]["expired"], true);
    assert!(app.metric("revokd_auth_failures_total{reason=\"expired\"}").await > 0);
    app.time.pass(2 * 3_600 + 60);
    app.post("/purge", "{}").await.ok();
    assert_eq!(list(&app).await.len(), 1);
    assert_eq!(check(&app, &made["key"]).await, 401);
}

#[tokio::test]
async fn what_cannot_be_a_key_is_refused_by_its_field_and_nothing_is_done() {
    let app = TestApp::with(HttpSettings::default(), &["https://a"]);
    let long = "x".repeat(129);
    for (body, field) in [
        (json!({"scopes": ["check"]}), "label"),
        (json!({"label": "", "scopes": ["check"]}), "label"),
        (json!({"label": long, "scopes": ["check"]}), "label"),
        (json!({"label": "a"}), "scopes"),
        (json!({"label": "a", "scopes": []}), "scopes"),
        (json!({"label": "a", "scopes": "check"}), "scopes"),
        (json!({"label": "a", "scopes": ["root"]}), "scopes"),
        (json!({"label": "a", "scopes": ["check", "check"]}), "scopes"),
        (json!({"label": "a", "scopes": ["check"], "issuers": []}), "issuers"),
        (json!({"label": "a", "scopes": ["check"], "issuers": ["https://b"]}), "issuers"),
        (json!({"label": "a", "scopes": ["check"], "client_ids": [""]}), "client_ids"),
        (json!({"label": "a", "scopes": ["check"], "client_ids": vec!["x"; 65]}), "client_ids"),
        (json!({"label": "a", "scopes": ["check"], "client_ids": ["x".repeat(1_025)]}), "client_ids"),
        (json!({"label": "a", "scopes": ["check"], "expires_at": START.0}), "expires_at"),
        (json!({"label": "a", "scopes": ["check"], "expires_in_s": 0}), "expires_in_s"),
        (json!({"label": "a", "scopes": ["check"], "expires_in_s": 1, "expires_at": START.0 + 1}), "expires_in_s"),
    ] {
        app.post_json("/keys", &body).await.refuses(422, field);
    }
    app.post_json("/keys", &json!({"label": "a", "scopes": ["check"], "ttl": 1})).await.refuses(400, "ttl");
    assert_eq!((list(&app).await.len(), app.denylist.status().last_seq), (1, 0));
}

#[tokio::test]
async fn the_last_key_that_can_make_all_others_stays() {
    let app = TestApp::new();
    let first = create(&app, &json!({"label": "first", "scopes": ["admin"]})).await;
    // The key of the test is another.
    let own = list(&app).await[1]["id"].clone();
    revoke(&app, &own).await.ok();
    let key = first["key"].as_str().unwrap();
    let delete =
        async |id: &Value| app.request_as(key, Method::DELETE, &format!("/keys/{}", id.as_str().unwrap()), None).await;
    for body in [
        json!({"label": "temporary", "scopes": ["admin"], "expires_in_s": 3_600}),
        json!({"label": "bound", "scopes": ["admin"], "client_ids": ["shop"]}),
        json!({"label": "no admin", "scopes": ["revoke", "check", "audit"]}),
    ] {
        app.request_as(key, Method::POST, "/keys", Some(&body)).await.ok();
        let problem = delete(&first["id"]).await.problem(422);
        assert!(problem["detail"].as_str().unwrap().contains("create one first"), "{problem}");
    }
    let body = json!({"label": "second", "scopes": ["admin", "check"]});
    let second = app.request_as(key, Method::POST, "/keys", Some(&body)).await.ok();
    delete(&first["id"]).await.ok();
    delete(&first["id"]).await.problem(401);
    assert_eq!(check(&app, &second["key"]).await, 200);
}

#[tokio::test]
async fn keys_beyond_the_limit_are_refused_and_a_revoked_one_makes_room() {
    let mut settings = settings();
    settings.keys_max = 3;
    let app = TestApp::with_store(HttpSettings::default(), &[], settings);
    let body = json!({"label": "x", "scopes": ["check"]});
    let first = create(&app, &body).await;
    // All at once: the writer decides one after the other, within one group too.
    let (a, b) = tokio::join!(app.post_json("/keys", &body), app.post_json("/keys", &body));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 507]);
    let problem = app.post_json("/keys", &body).await.problem(507);
    assert!(problem["detail"].as_str().unwrap().contains("limits.keys_max is 3") && problem["limit"] == 3);
    revoke(&app, &first["id"]).await.ok();
    create(&app, &body).await;
}

#[tokio::test]
async fn ids_that_are_none_are_404() {
    let app = TestApp::new();
    for id in ["x", "0123456789ab", "%30123456789ab", "..", "revokd_0123456789ab_secret"] {
        let answer = app.request_as(&app.key, Method::DELETE, &format!("/keys/{id}"), None).await;
        assert!(!answer.problem(404).to_string().contains("secret"));
    }
    app.request_as(&app.key, Method::DELETE, "/keys/x?reason=y&reason=z", None).await.problem(400);
    app.request_as(&app.key, Method::DELETE, "/keys/x?why=y", None).await.problem(400);
    app.request_as(&app.key_with(&[Scope::Audit]), Method::DELETE, "/keys/x", None).await.problem(403);
}

#[tokio::test]
async fn why_a_key_was_revoked_is_in_the_audit() {
    let app = TestApp::new();
    let made = create(&app, &json!({ "label": "ci", "scopes": ["check"] })).await;
    let path = format!("/keys/{}", made["id"].as_str().unwrap());
    let long = format!("{path}?reason={}", "r".repeat(257));
    app.request_as(&app.key, Method::DELETE, &long, None).await.refuses(422, "reason");
    let with_reason = format!("{path}?reason=seen%20in%20a%20log");
    app.request_as(&app.key, Method::DELETE, &with_reason, None).await.ok();
    let record = &app.get("/audit").await.ok()["records"][0];
    assert_eq!((&record["what"], &record["reason"]), (&json!("key_revoked"), &json!("seen in a log")), "{record}");
}

#[tokio::test]
async fn what_a_key_may_do_and_until_when_is_in_the_audit() {
    let app = TestApp::with(HttpSettings::default(), &["https://a"]);
    let bound = json!({
        "label": "ci", "scopes": ["check", "revoke"], "issuers": ["https://a"], "client_ids": ["shop", "desk"],
        "expires_at": START.0 + 900,
    });
    create(&app, &bound).await;
    create(&app, &json!({ "label": "all", "scopes": ["check"] })).await;
    let page = app.get("/audit").await.ok();
    let [free, bound] = &page["records"].as_array().unwrap()[..] else { panic!("{page}") };
    assert_eq!(
        (&bound["reason"], &bound["expires_at"]),
        (&json!("ci (revoke check)"), &json!(START.0 + 900)),
        "{bound}"
    );
    assert_eq!((&bound["issuers"], &bound["client_ids"]), (&json!(["https://a"]), &json!(["shop", "desk"])));
    for absent in ["issuers", "client_ids", "expires_at"] {
        assert_eq!(free.get(absent), None, "{free}");
    }
}
