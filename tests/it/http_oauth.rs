//! `POST /oauth2/revoke`, and what holds for every request of an OAuth client.

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use revokd::http::HttpSettings;
use revokd::keys::Scope;
use revokd::token::{ClientId, Issuer};
use serde_json::{Value, json};

use super::test_app::{AWAY, Answer, LEEWAY_S, START, TestApp, forged, token};

pub(crate) const REVOKE: &str = "/oauth2/revoke";
pub(crate) const BOTH: [&str; 2] = [REVOKE, "/oauth2/introspect"];
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const ISS: &str = "https://a";
const OTHER: &str = "https://b";

pub(crate) fn app() -> TestApp {
    TestApp::with(HttpSettings::default(), &[ISS])
}

pub(crate) fn claims(jti: &str) -> Value {
    json!({"iss": ISS, "jti": jti, "sub": "s", "client_id": "shop", "iat": START.0, "exp": START.0 + 900})
}

impl Answer {
    /// What an OAuth error of this status and code says, with all that every one has.
    #[track_caller]
    pub(crate) fn oauth(&self, status: u16, error: &str) -> String {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!((self.header("content-type"), self.header("cache-control")), ("application/json", "no-store"));
        assert_eq!(matches!(status, 429 | 503), self.headers.contains_key("retry-after"));
        assert_eq!(self.header("www-authenticate"), if status == 401 { "Basic realm=\"revokd\"" } else { "" });
        let said = self.json();
        assert_eq!((said.as_object().unwrap().len(), &said["error"]), (2, &Value::from(error)), "{said}");
        let description = said["error_description"].as_str().unwrap();
        assert!(
            !description.is_empty()
                && description.bytes().all(|byte| matches!(byte, b' '..=b'~' if byte != b'"' && byte != b'\\'))
        );
        description.to_owned()
    }
}

/// Id and secret of a key.
pub(crate) fn parts(key: &str) -> (&str, &str) {
    key["revokd_".len()..].split_once('_').unwrap()
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

pub(crate) async fn send(app: &TestApp, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let mut request = Request::post(path);
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", FORM);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(body.into()).unwrap()).await
}

/// The token, by the key for everything.
async fn revoke(app: &TestApp, token: &str) -> Answer {
    send(app, REVOKE, &[("x-api-key", &app.key)], format!("token={token}")).await
}

#[track_caller]
pub(crate) fn assert_done(answer: &Answer, what: &str) {
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0), "{what} {answer:?}");
    assert_eq!((answer.header("content-type"), answer.header("cache-control")), ("", "no-store"), "{what}");
}

pub(crate) fn seq(app: &TestApp) -> u64 {
    app.denylist.status().last_seq
}

#[tokio::test]
async fn what_is_no_proper_form_is_refused_and_changes_nothing() {
    let app = app();
    let token = token(&claims("a"));
    let key = [("x-api-key", &*app.key)];
    for path in BOTH {
        for body in [
            String::new(),
            "token=".to_owned(),
            "token".to_owned(),
            "Token=x".to_owned(),
            format!("token={token}&token={token}"),
            format!("token={token}&%74oken={token}"),
            format!("token={token}&token="),
            format!("token={token}&token_type_hint=a&token_type_hint=b"),
            format!("token={token}&x=1&x=2"),
            format!("token={token}&x=%"),
            format!("token={token}&x=%ff"),
            json!({ "token": token }).to_string(),
        ] {
            let said = send(&app, path, &key, body.clone()).await.oauth(400, "invalid_request");
            assert!(!said.contains("eyJ"), "{said}");
        }
        for media in ["application/json", "text/plain", "multipart/form-data; boundary=x", ""] {
            let headers = [key[0], ("content-type", media)];
            send(&app, path, &headers, format!("token={token}")).await.oauth(415, "invalid_request");
        }
        let zipped = [key[0], ("content-encoding", "gzip")];
        send(&app, path, &zipped, format!("token={token}")).await.oauth(415, "invalid_request");
        for query in [format!("token={token}"), "x=1".to_owned(), "access_token=x".to_owned()] {
            let answer = send(&app, &format!("{path}?{query}"), &key, format!("token={token}")).await;
            answer.oauth(400, "invalid_request");
        }
        let long = send(&app, path, &key, format!("token={}", "a".repeat(65_536))).await;
        assert!(long.oauth(413, "invalid_request").contains("65536"));
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let request = Request::builder().method(method).uri(format!("{path}?token={token}"));
            let answer = app.send(request.header("x-api-key", &app.key).body(Body::empty()).unwrap()).await;
            answer.oauth(405, "invalid_request");
            assert_eq!(answer.header("allow"), "POST");
        }
    }
    assert_eq!(seq(&app), 0);
    let small = TestApp::with(HttpSettings { body_bytes_max: 100, ..HttpSettings::default() }, &[ISS]);
    let answer = revoke(&small, &"a".repeat(101)).await;
    assert!(answer.oauth(413, "invalid_request").contains("limits.body_bytes_max"));
}

#[tokio::test]
async fn a_token_is_revoked_once_and_every_later_time_is_200_too() {
    let app = app();
    let genuine = token(&claims("a"));
    for turn in 0..3 {
        assert_done(&revoke(&app, &genuine).await, "genuine");
        assert_eq!(seq(&app), 1, "{turn}");
    }
    let entry = app.get("/revocations").await.ok()["revocations"][0].clone();
    let expected = (&json!("a"), &json!("s"), &json!(START.0 + 900 + LEEWAY_S));
    assert_eq!((&entry["value"], &entry["sub"], &entry["expires_at"]), expected);
    assert_eq!(app.get("/check/a").await.ok()["revoked"], true);
}

/// A token of this header and these claims, whose signature is this.
fn made(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

#[tokio::test]
async fn what_is_of_no_use_to_anybody_is_200_and_stored_nowhere() {
    let app = app();
    let mut expired = claims("a");
    expired["exp"] = json!(START.0 - LEEWAY_S - 1);
    let mut foreign = claims("a");
    foreign["iss"] = json!(OTHER);
    let (signed, _) = token(&claims("a")).rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    for (what, useless) in [
        ("expired", token(&expired)),
        ("forged", forged(&claims("a"))),
        ("of an unknown issuer", token(&foreign)),
        ("unsigned", made(&json!({"alg": "none"}), &claims("a"), "")),
        ("unsigned, said otherwise", made(&json!({"alg": "NonE"}), &claims("a"), "c2ln")),
        ("its signature cut off", format!("{signed}.")),
        ("of another algorithm", made(&json!({"alg": "HS512"}), &claims("a"), "c2ln")),
    ] {
        assert_done(&revoke(&app, &useless).await, what);
    }
    assert_eq!(seq(&app), 0);
}

#[tokio::test]
async fn what_cannot_be_judged_is_never_said_to_be_revoked() {
    let app = app();
    let genuine = token(&claims("a"));
    let (head, rest) = genuine.split_once('.').unwrap();
    let without = |claim: &str| {
        let mut claims = claims("a");
        claims.as_object_mut().unwrap().remove(claim);
        token(&claims)
    };
    let mut far = claims("a");
    far["exp"] = json!(START.0 + 11 * 31_622_400);
    for (what, token) in [
        ("opaque", "2YotnFZFEjr1zCsicMWpAA".to_owned()),
        ("a space in it", format!("+{genuine}")),
        ("two parts", "a.b".to_owned()),
        ("no JSON", "a.b.c".to_owned()),
        ("encrypted", "a.b.c.d.e".to_owned()),
        ("padded", format!("{head}%3D.{rest}")),
        ("an algorithm we do not know", made(&json!({"alg": "ES512"}), &claims("a"), "c2ln")),
        ("critical extensions", made(&json!({"alg": "HS256", "crit": ["x"]}), &claims("a"), "c2ln")),
        ("too long", "a".repeat(16_385)),
        ("without exp", without("exp")),
        ("an exp too far away", token(&far)),
    ] {
        let said = revoke(&app, &token).await.oauth(400, "unsupported_token_type");
        assert!(!said.contains("eyJ"), "{what} {said}");
    }
    let nameless = TestApp::new();
    revoke(&nameless, &genuine).await.oauth(400, "unsupported_token_type");
    let away = TestApp::with(HttpSettings::default(), &[AWAY]);
    let mut unknown = claims("a");
    unknown["iss"] = json!(AWAY);
    revoke(&away, &token(&unknown)).await.oauth(503, "temporarily_unavailable");
    assert_eq!((seq(&app), seq(&nameless), seq(&away)), (0, 0, 0));
    app.denylist.stop();
    revoke(&app, &genuine).await.oauth(503, "temporarily_unavailable");
}

#[tokio::test]
async fn a_bound_key_revokes_nothing_of_others() {
    let app = TestApp::with(HttpSettings::default(), &[ISS, OTHER]);
    let of_shop = app.key_made(&[Scope::Revoke], |record| record.client_ids = vec![ClientId::parse("shop").unwrap()]);
    let of_issuer = app.key_made(&[Scope::Revoke], |record| record.issuers = vec![Issuer::parse(ISS).unwrap()]);
    let with = |name: &str, value: Value| {
        let mut claims = claims("a");
        claims[name] = value;
        token(&claims)
    };
    for (key, token) in [
        (&of_shop, with("client_id", json!("other"))),
        (&of_shop, with("client_id", json!(null))),
        (&of_issuer, with("iss", json!(OTHER))),
    ] {
        let (id, _) = parts(key);
        let answer = send(&app, REVOKE, &[("authorization", &basic(id, key))], format!("token={token}")).await;
        answer.oauth(400, "invalid_grant");
    }
    assert_eq!(app.changes().await, 0);
    for key in [&of_shop, &of_issuer] {
        assert_done(&send(&app, REVOKE, &[("x-api-key", key)], format!("token={}", token(&claims("a")))).await, "own");
    }
    assert_eq!(app.changes().await, 1);
}

#[tokio::test]
async fn why_a_token_was_revoked_is_in_the_audit() {
    let app = app();
    assert_done(&revoke(&app, &token(&claims("a"))).await, "a");
    let record = &app.get("/audit").await.ok()["records"][0];
    assert_eq!((&record["what"], &record["reason"]), (&json!("revoked"), &json!("OAuth token revocation")), "{record}");
}
