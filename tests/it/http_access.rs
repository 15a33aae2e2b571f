//! Who may do what, walked through the description that callers are given: what is not open is refused without a key, and
//! with every key that is not one for it, before it does anything.

use axum::body::Body;
use axum::http::{Method, Request};
use revokd::event::{Change, Event, Origin};
use revokd::http::HttpSettings;
use revokd::keys::Scope;
use serde_json::json;

use super::test_app::{Answer, START, TestApp, token};

/// What everybody may ask. Whatever is added here is open to the world.
const OPEN: [(&str, &str); 7] = [
    ("get", "/livez"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("get", "/openapi.json"),
    ("get", "/.well-known/oauth-authorization-server"),
    ("get", "/.well-known/oauth-authorization-server/{path}"),
    // Its token is the authentication.
    ("post", "/backchannel-logout"),
];

const ISS: &str = "https://a";

/// Raw tokens can be verified, and the metadata is there.
fn app() -> TestApp {
    let public_url = "https://revokd.example/{path}".to_owned();
    TestApp::with(HttpSettings { public_url, ..HttpSettings::default() }, &[ISS])
}

/// One described route, and a request to it that does something.
struct Case {
    name: String,
    method: Method,
    path: String,
    /// The scope that its tag stands for.
    needed: Scope,
    body: Option<String>,
    if_match: Option<u64>,
}

impl Case {
    fn is_oauth(&self) -> bool {
        self.path.starts_with("/oauth2/")
    }

    fn is_of_gateways(&self) -> bool {
        self.path.starts_with("/auth")
    }

    /// The refusal of a request without a key, or with one that has not the scope.
    fn assert_refused(&self, answer: &Answer, status: u16, what: &str) {
        let name = &self.name;
        if self.is_of_gateways() {
            // 401 would tell a gateway's user that the token is bad.
            assert_eq!((answer.status.as_u16(), answer.body.len()), (503, 0), "{name} {what}");
        } else if self.is_oauth() {
            let (status, error) = if status == 401 { (401, "invalid_client") } else { (400, "unauthorized_client") };
            assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (status, &json!(error)), "{name} {what}");
        } else {
            assert_eq!(answer.status, status, "{name} {what}");
            answer.problem(status);
        }
    }
}

/// The scope of the routes under a tag, as the description says it.
fn scope_of(tag: &str) -> Scope {
    Scope::from_name(tag).unwrap_or_else(|| panic!("say here which scope routes of the tag {tag:?} need"))
}

/// Every route that the description has and the list above has not.
async fn guarded(app: &TestApp) -> Vec<Case> {
    let revoked = app.post_json("/revoke", &json!({"jti": "known", "exp": START.0 + 900})).await.ok();
    let id = app.get("/revocations").await.ok()["revocations"][0]["id"].as_str().unwrap().to_owned();
    let key = app.post_json("/keys", &json!({"label": "victim", "scopes": ["check"]})).await.ok();
    let document = app.get("/openapi.json").await.ok();
    let form = format!("token={}", token(&json!({"iss": ISS, "jti": "raw", "exp": START.0 + 900})));
    let global = json!({"sub_id": {"format": "opaque", "id": "bob"}});
    let mut cases = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if OPEN.contains(&(method, path)) {
                continue;
            }
            let (body, if_match) = match (method.as_str(), path.as_str()) {
                ("post", "/revoke") => (Some(json!({"jti": "new", "exp": START.0 + 900}).to_string()), None),
                ("post", "/oauth2/revoke" | "/oauth2/introspect") => (Some(form.clone()), None),
                ("post", "/global-token-revocation") => (Some(global.to_string()), None),
                ("post", "/check") => (Some(json!({"jti": "known"}).to_string()), None),
                ("post", "/force-logout") => (Some(json!({"sub": "alice"}).to_string()), None),
                ("post", "/keys") => (Some(json!({"label": "mine", "scopes": ["admin"]}).to_string()), None),
                ("post", "/purge") => (Some(json!({"trust_clock": true}).to_string()), None),
                ("delete", "/revocations/{id}") => (None, revoked["seq"].as_u64()),
                _ => (None, None),
            };
            let own_id = if path.starts_with("/keys") { key["id"].as_str().unwrap() } else { &id };
            let asked = path.replace("{jti}", "known").replace("{id}", own_id);
            cases.push(Case {
                name: format!("{method} {path}"),
                method: method.to_uppercase().parse().unwrap(),
                path: if (method.as_str(), path.as_str()) == ("get", "/check") {
                    "/check?jti=known".to_owned()
                } else {
                    asked
                },
                needed: scope_of(operation["tags"][0].as_str().unwrap()),
                body,
                if_match,
            });
        }
    }
    cases
}

async fn ask(app: &TestApp, case: &Case, key: Option<&str>) -> Answer {
    let mut request = Request::builder().method(&case.method).uri(&case.path);
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    if case.is_of_gateways() {
        let user = token(&json!({"iss": ISS, "jti": "user", "exp": START.0 + 900}));
        request = request.header("authorization", format!("Bearer {user}"));
    }
    if let Some(seq) = case.if_match {
        request = request.header("if-match", seq);
    }
    let body = match &case.body {
        Some(body) => {
            let media = if case.is_oauth() { "application/x-www-form-urlencoded" } else { "application/json" };
            request = request.header("content-type", media);
            Body::from(body.clone())
        }
        None => Body::empty(),
    };
    app.send(request.body(body).unwrap()).await
}

/// Keys that once were good for everything.
fn spent(app: &TestApp) -> [(&'static str, String); 3] {
    let expired = app.key_made(&Scope::ALL, |record| record.expires_at = Some(START));
    let revoked = app.key_with(&Scope::ALL);
    let id = revoked["revokd_".len()..][..12].to_owned();
    let change = Change::KeyRevoked { id: id.into(), reason: None };
    app.denylist.keys().apply(&Event { seq: 0, recorded_at: START, ends_at: START, origin: Origin::INTERNAL, change });
    let mut wrong = app.key.clone();
    let last = if wrong.pop() == Some('A') { 'E' } else { 'A' };
    wrong.push(last);
    [("expired", expired), ("revoked", revoked), ("wrong in its last character", wrong)]
}

#[tokio::test]
async fn no_route_but_the_open_ones_does_anything_without_a_good_key() {
    let app = app();
    let cases = guarded(&app).await;
    assert!(cases.len() >= 12, "the description is not what it was");
    let spent = spent(&app);
    let before = (app.denylist.status().last_seq, app.denylist.keys().list().len());
    for case in &cases {
        case.assert_refused(&ask(&app, case, None).await, 401, "without a key");
        for (what, key) in &spent {
            let answer = ask(&app, case, Some(key)).await;
            case.assert_refused(&answer, 401, what);
        }
        for scope in Scope::ALL.into_iter().filter(|scope| *scope != case.needed) {
            let answer = ask(&app, case, Some(&app.key_with(&[scope]))).await;
            case.assert_refused(&answer, 403, scope.as_str());
            if case.is_of_gateways() {
                continue;
            }
            let said = if case.is_oauth() { "error_description" } else { "detail" };
            let detail = answer.json()[said].as_str().unwrap().to_owned();
            assert!(detail.contains(&format!("`{}`", case.needed.as_str())), "{}: {detail}", case.name);
        }
        let all_but: Vec<_> = Scope::ALL.into_iter().filter(|scope| *scope != case.needed).collect();
        case.assert_refused(&ask(&app, case, Some(&app.key_with(&all_but))).await, 403, "all others");
    }
    let made = app.denylist.keys().list().len() - cases.len() * Scope::ALL.len();
    assert_eq!((app.denylist.status().last_seq, made), before, "something was done");
    // The same requests do something, or give something away, where the key is good for them: deletions last.
    let (deletions, others): (Vec<_>, Vec<_>) = cases.iter().partition(|case| case.method == Method::DELETE);
    for case in others.into_iter().chain(deletions) {
        let before = app.denylist.status().last_seq;
        let answer = ask(&app, case, Some(&app.key_with(&[case.needed]))).await;
        let done = if case.path == "/global-token-revocation" { 204 } else { 200 };
        assert_eq!(answer.status, done, "{} {answer:?}", case.name);
        let changes =
            !matches!(case.name.as_str(), "post /check" | "post /oauth2/introspect") && case.method != Method::GET;
        assert_eq!(app.denylist.status().last_seq > before, changes, "{}", case.name);
    }
}

#[tokio::test]
async fn what_is_open_is_described_and_answers_everybody() {
    let app = app();
    let document = app.get("/openapi.json").await.ok();
    for (method, path) in OPEN {
        assert_eq!(document["paths"][path][method]["security"], json!([]), "{method} {path}");
        let request = Request::builder().method(method.to_uppercase().as_str()).uri(path).body(Body::empty()).unwrap();
        // What needs a body says so, to everybody.
        let status = if method == "get" { 200 } else { 415 };
        assert_eq!(app.send(request).await.status, status, "{path}");
    }
}
