//! `POST /backchannel-logout`: what a logout token must be, whom it logs out, and that sending it again changes nothing.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{Method, Request};
use revokd::http::HttpSettings;
use revokd::http::listener::Peer;
use revokd::verifier::{BackchannelSettings, IssuerSettings};
use serde_json::{Value, json};

use super::support::{LEEWAY_S, settings};
use super::test_app::{AWAY, Answer, START, TestApp, forged, token, trusted};

const PATH: &str = "/backchannel-logout";
const ISS: &str = "https://a";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// An issuer whose logout tokens for `shop` are taken, signed with the secret that its tokens are signed with.
fn provider(iss: &str, set: impl FnOnce(&mut BackchannelSettings)) -> IssuerSettings {
    let mut backchannel = BackchannelSettings::for_audience(vec!["shop".to_owned(), "desk".to_owned()]);
    backchannel.allow_hmac = true;
    set(&mut backchannel);
    IssuerSettings { backchannel: Some(backchannel), ..trusted(iss) }
}

fn app() -> TestApp {
    TestApp::with_issuers(vec![provider(ISS, |_| ())])
}

/// What a provider says of a session of alice's, but for what is told otherwise; `null` leaves a claim out.
fn claims(other: &Value) -> Value {
    let mut claims = json!({
        "iss": ISS, "aud": "shop", "iat": START.0, "exp": START.0 + 120, "jti": "l-1",
        "sub": "alice", "sid": "s-1", "events": { EVENT: {} },
    });
    for (name, value) in other.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

async fn send(app: &TestApp, token: &str) -> Answer {
    send_from(app, Peer::Unix, token).await
}

async fn send_from(app: &TestApp, peer: Peer, token: &str) -> Answer {
    let request = Request::builder().method(Method::POST).uri(PATH);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    app.send_from(peer, request.body(Body::from(format!("logout_token={token}"))).unwrap()).await
}

async fn log_out(app: &TestApp, other: Value) {
    let answer = send(app, &token(&claims(&other))).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0), "{other} {answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
}

/// The words of a refusal, which stores nothing.
async fn refused(app: &TestApp, token: &str) -> String {
    let before = app.denylist.status().last_seq;
    let answer = send(app, token).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_request")), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(app.denylist.status().last_seq, before, "nothing is stored");
    answer.json()["error_description"].as_str().unwrap().to_owned()
}

async fn verdict(app: &TestApp, query: &str) -> Option<String> {
    let said = app.get(&format!("/check?{query}")).await.ok();
    said["by"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_session_is_logged_out_as_of_the_tokens_iat_and_no_other_session_is() {
    let app = app();
    let iat = START.0 - 100;
    log_out(&app, json!({ "iat": iat })).await;
    let of = |sid: &str, iat: i64| format!("jti=t&sid={sid}&sub=alice&iat={iat}");
    assert_eq!(verdict(&app, &of("s-1", iat)).await.as_deref(), Some("sid"));
    // Up to `clock_skew_s` later, which is 2.
    assert_eq!(verdict(&app, &of("s-1", iat + 2)).await.as_deref(), Some("sid"));
    assert_eq!(verdict(&app, &of("s-1", iat + 3)).await, None, "a login since");
    assert_eq!(verdict(&app, &of("s-2", iat)).await, None, "another session");
    assert_eq!(verdict(&app, &format!("jti=t&sub=alice&iat={iat}")).await, None, "a token without sid");
    let entry = &app.get("/revocations").await.ok()["revocations"][0];
    assert_eq!((&entry["kind"], &entry["value"]), (&json!("sid"), &json!("s-1")));
    assert_eq!(entry["reason"], "back-channel logout");
    let record = &app.get("/audit").await.ok()["records"][0];
    assert_eq!((&record["source"], record.get("actor")), (&json!("backchannel"), None), "{record}");
}

#[tokio::test]
async fn without_a_session_the_subject_is_logged_out() {
    let app = app();
    log_out(&app, json!({ "sid": null })).await;
    assert_eq!(verdict(&app, &format!("sub=alice&sid=any&iat={}", START.0)).await.as_deref(), Some("sub"));
    assert_eq!(verdict(&app, &format!("sub=bob&sid=any&iat={}", START.0)).await, None);
    log_out(&app, json!({ "sub": null, "sid": "s-9" })).await;
    assert_eq!(verdict(&app, &format!("sub=bob&sid=s-9&iat={}", START.0)).await.as_deref(), Some("sid"));
}

#[tokio::test]
async fn where_it_is_configured_the_subject_of_the_session_is_logged_out_too() {
    let app = TestApp::with_issuers(vec![provider(ISS, |settings| settings.subject_too = true)]);
    log_out(&app, json!({})).await;
    assert_eq!(verdict(&app, &format!("sub=alice&iat={}", START.0)).await.as_deref(), Some("sub"), "no sid is brought");
    assert_eq!(verdict(&app, &format!("sid=s-1&iat={}", START.0)).await.as_deref(), Some("sid"), "no sub is brought");
}

#[tokio::test]
async fn an_honest_retry_is_a_no_op_and_a_replay_gains_nothing() {
    let app = app();
    log_out(&app, json!({})).await;
    let changes = app.changes().await;
    // The client logs in again, and somebody who has seen the logout token sends it once more.
    app.time.pass(60);
    for _ in 0..3 {
        log_out(&app, json!({})).await;
    }
    // Also while the issuer's clock is ahead of ours.
    let ahead = json!({ "iat": START.0 + 62, "sid": "ahead", "jti": "l-2" });
    log_out(&app, ahead.clone()).await;
    let changes = changes + 1;
    for _ in 0..3 {
        app.time.pass(1);
        log_out(&app, ahead.clone()).await;
    }
    assert_eq!(app.changes().await, changes, "nothing is written again");
    assert_eq!(verdict(&app, &format!("sid=s-1&iat={}", START.0 + 30)).await, None, "the new login is not touched");
    app.time.pass(241);
    assert!(
        refused(&app, &token(&claims(&json!({ "exp": START.0 + 900 })))).await.contains("backchannel.iat_max_age_s")
    );
}

#[tokio::test]
async fn its_times_are_judged() {
    let app = app();
    let of = |other: Value| token(&claims(&other));
    // The issuer's clock may run ahead by 2 s; nobody is locked out by it for longer.
    log_out(&app, json!({ "iat": START.0 + 2, "sid": "ahead" })).await;
    assert_eq!(verdict(&app, &format!("sid=ahead&iat={}", START.0 + 4)).await.as_deref(), Some("sid"));
    assert_eq!(verdict(&app, &format!("sid=ahead&iat={}", START.0 + 5)).await, None, "as of its iat, and no later");
    assert!(refused(&app, &of(json!({ "iat": START.0 + 3 }))).await.contains("`iat` lies in the future"));
    log_out(&app, json!({ "iat": START.0 - 300, "sid": "old" })).await;
    assert!(
        refused(&app, &of(json!({ "iat": START.0 - 301 })))
            .await
            .contains("the limit backchannel.iat_max_age_s is 300 s")
    );
    log_out(&app, json!({ "exp": START.0 - LEEWAY_S, "sid": "ended" })).await;
    assert!(refused(&app, &of(json!({ "exp": START.0 - LEEWAY_S - 1 }))).await.contains("it has expired"));
    assert!(refused(&app, &of(json!({ "iat": null }))).await.contains("the claim `iat` is missing"));
    assert!(refused(&app, &of(json!({ "exp": null }))).await.contains("the claim `exp` is missing"));
    let lax = TestApp::with_issuers(vec![provider(ISS, |settings| settings.require_exp = false)]);
    log_out(&lax, json!({ "exp": null })).await;
}

#[tokio::test]
async fn its_claims_are_judged() {
    let app = app();
    for (other, words) in [
        (json!({ "aud": "other" }), "`aud` holds none of `backchannel.audience`"),
        (json!({ "aud": [] }), "`aud` holds none"),
        (json!({ "aud": null }), "`aud` holds none"),
        (json!({ "aud": ["shop", 1] }), "`aud` holds none"),
        (json!({ "jti": null }), "the claim `jti` is missing"),
        (json!({ "sub": null, "sid": null }), "neither a subject nor a session is named"),
        (json!({ "events": null }), "the claim `events` is no object"),
        (json!({ "events": {} }), "the claim `events` is no object"),
        (json!({ "events": [EVENT] }), "the claim `events` is no object"),
        (json!({ "events": { EVENT: true } }), "the claim `events` is no object"),
        (json!({ "events": { EVENT: [] } }), "the claim `events` is no object"),
        (json!({ "events": { "https://schemas.openid.net/event/backchannel-logout": {} } }), "`events` is no object"),
        (json!({ "nonce": "n" }), "`nonce` must not be"),
        (json!({ "iss": null }), "the claim `iss` is missing"),
        (json!({ "iss": "https://b" }), "not configured"),
        (json!({ "sid": 5 }), "`sid` is not a string"),
    ] {
        let said = refused(&app, &token(&claims(&other))).await;
        assert!(said.contains(&words.replace('"', "'")), "{other}: {said}");
    }
    assert!(refused(&app, &forged(&claims(&json!({})))).await.contains("the signature does not match"));
    for fine in [json!({ "aud": ["else", "desk"] }), json!({ "events": { EVENT: {}, "x": 1 } })] {
        log_out(&app, fine).await;
    }
    let mut nonce = claims(&json!({}));
    nonce["nonce"] = Value::Null;
    assert!(refused(&app, &token(&nonce)).await.contains("`nonce` must not be"), "not even as null");
}

#[tokio::test]
async fn its_type_and_algorithm_are_judged() {
    let with_typ = |typ: Option<&str>| {
        let header = jsonwebtoken::Header { typ: typ.map(str::to_owned), ..jsonwebtoken::Header::default() };
        let key = jsonwebtoken::EncodingKey::from_secret(super::test_app::SECRET.as_bytes());
        jsonwebtoken::encode(&header, &claims(&json!({})), &key).unwrap()
    };
    let app = app();
    for typ in [Some("at+jwt"), Some("secevent+jwt"), Some("JOSE")] {
        assert!(refused(&app, &with_typ(typ)).await.contains("`typ` is neither"), "{typ:?}");
    }
    for typ in [None, Some("JWT"), Some("logout+jwt"), Some("application/Logout+JWT")] {
        assert_eq!(send(&app, &with_typ(typ)).await.status, 200, "{typ:?}");
    }
    let strict = TestApp::with_issuers(vec![provider(ISS, |settings| settings.allow_hmac = false)]);
    assert!(refused(&strict, &with_typ(None)).await.contains("`backchannel.allow_hmac`"));

    // And what says that it is a logout token opens no door.
    let api = app.post_json("/check", &json!({ "token": with_typ(Some("logout+jwt")) })).await.ok();
    assert_eq!(api["by"], "unverifiable", "{api}");
    let form = Some("application/x-www-form-urlencoded");
    let body = format!("token={}", with_typ(Some("logout+jwt")));
    let introspected = app.request(Method::POST, "/oauth2/introspect", form, body).await.ok();
    assert_eq!(introspected, json!({ "active": false }));
}

#[tokio::test]
async fn it_is_off_until_the_issuer_has_an_audience() {
    let app = TestApp::with_issuers(vec![trusted(ISS), provider("https://b", |_| ())]);
    assert!(refused(&app, &token(&claims(&json!({})))).await.contains("back-channel logout is off for this issuer"));
    log_out(&app, json!({ "iss": "https://b" })).await;
    let nameless = TestApp::new();
    assert!(refused(&nameless, &token(&claims(&json!({})))).await.contains("no issuer keys are configured"));
}

#[tokio::test]
async fn subject_and_session_are_read_by_the_names_that_the_issuer_gives_them() {
    let mut settings = provider(ISS, |_| ());
    settings.claims.sub = "oid".to_owned();
    let app = TestApp::with_issuers(vec![settings]);
    log_out(&app, json!({ "oid": "7", "sid": null })).await;
    assert_eq!(verdict(&app, &format!("sub=7&iat={}", START.0)).await.as_deref(), Some("sub"));
    assert!(refused(&app, &token(&claims(&json!({ "sid": null })))).await.contains("`claims.sub`"));
}

#[tokio::test]
async fn doubt_is_503_with_retry_after() {
    let app =
        TestApp::with_issuers(vec![IssuerSettings { backchannel: provider(ISS, |_| ()).backchannel, ..trusted(AWAY) }]);
    let away = send(&app, &token(&claims(&json!({ "iss": AWAY })))).await;
    assert_eq!((away.status.as_u16(), &away.json()["error"]), (503, &json!("temporarily_unavailable")), "{away:?}");
    assert!(!away.header("retry-after").is_empty());

    let mut small = settings();
    small.shares.cutoffs_max = 10;
    let full = TestApp::assemble(HttpSettings::default(), vec![provider(ISS, |_| ())], small);
    for n in 0..9 {
        log_out(&full, json!({ "sid": format!("s{n}") })).await;
    }
    let answer = send(&full, &token(&claims(&json!({ "sid": "one too many" })))).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after").is_empty()), (503, false), "{answer:?}");
    full.post_json("/force-logout", &json!({ "sub": "mallory" })).await.ok();
}

#[tokio::test]
async fn forgers_are_counted_slowed_down_and_do_not_stop_the_provider() {
    let http = HttpSettings { strangers_per_s: 5, ..HttpSettings::default() };
    let app = TestApp::assemble(http, vec![provider(ISS, |_| ())], settings());
    let peer = || Peer::Tcp(SocketAddr::from(([192, 0, 2, 1], 1)));
    let forgery = forged(&claims(&json!({})));
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(send_from(&app, peer(), &forgery).await.status.as_u16());
    }
    assert!(statuses[0] == 400 && statuses.contains(&429), "{statuses:?}");
    assert_eq!(app.metric("revokd_auth_failures_total{reason=\"logout_token\"}").await, 40);
    assert_eq!(send_from(&app, peer(), &token(&claims(&json!({})))).await.status, 200, "as behind a proxy");
    app.time.pass(61);
    log_out(&app, json!({ "iat": START.0 + 60, "jti": "l-2" })).await;
    let page = app.get("/audit").await.ok();
    let told = page["records"].as_array().unwrap().iter().find(|record| record["what"] == "strangers").unwrap();
    assert_eq!(told["count"], 40, "each once: {told}");
}

#[tokio::test]
async fn only_a_form_with_one_logout_token_is_read() {
    let app = app();
    let form = "application/x-www-form-urlencoded";
    let good = token(&claims(&json!({})));
    let send = async |media: &str, path: &str, body: String| {
        let request = Request::builder().method(Method::POST).uri(path).header("content-type", media);
        app.send(request.body(Body::from(body)).unwrap()).await.status.as_u16()
    };
    assert_eq!(send("application/json", PATH, json!({ "logout_token": good }).to_string()).await, 415);
    assert_eq!(send(form, PATH, format!("logout_token={good}&logout_token={good}")).await, 400);
    assert_eq!(send(form, PATH, format!("token={good}")).await, 400);
    assert_eq!(send(form, &format!("{PATH}?logout_token={good}"), String::new()).await, 400);
    assert_eq!(
        send(form, PATH, format!("logout_token={good}&state=x")).await,
        200,
        "what is unknown is nobody's business"
    );
    let get = app.get(PATH).await;
    assert_eq!((get.status.as_u16(), get.header("allow")), (405, "POST"));
}
