//! `POST /oauth2/introspect`: what is called active, and what never is.

use axum::http::Request;
use revokd::http::HttpSettings;
use revokd::keys::Scope;
use revokd::token::{ClientId, Issuer, Selector};
use serde_json::{Value, json};

use super::test_app::{AWAY, Answer, FOR_US, LIFETIME_MAX_S, START, TestApp, forged, token};

const INTROSPECT: &str = "/oauth2/introspect";
const ISS: &str = "https://a";
const EXP: i64 = START.0 + 900;

fn app() -> TestApp {
    TestApp::with(HttpSettings::default(), &[ISS, FOR_US])
}

fn claims(iss: &str) -> Value {
    json!({
        "iss": iss, "jti": "a", "sub": "alice", "sid": "s", "client_id": "shop", "aud": ["api", "x"], "scope": "read write",
        "iat": START.0 - 10, "nbf": START.0 - 10, "exp": EXP, "email": "alice@a.example",
    })
}

fn with(iss: &str, name: &str, value: Value) -> Value {
    let mut claims = claims(iss);
    claims[name] = value;
    claims
}

fn without(iss: &str, name: &str) -> Value {
    let mut claims = claims(iss);
    claims.as_object_mut().unwrap().remove(name);
    claims
}

async fn ask_as(app: &TestApp, key: &str, token: &str) -> Answer {
    let request = Request::post(INTROSPECT).header("content-type", "application/x-www-form-urlencoded");
    app.send(request.header("x-api-key", key).body(format!("token={token}").into()).unwrap()).await
}

async fn ask(app: &TestApp, token: &str) -> Answer {
    ask_as(app, &app.key, token).await
}

#[track_caller]
fn assert_inactive(answer: &Answer, what: &str) {
    answer.ok();
    assert_eq!(answer.body, &br#"{"active":false}"#[..], "{what}");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn of_an_active_token_the_verified_claims_are_said_and_no_others() {
    let app = app();
    let said = ask(&app, &token(&claims(ISS))).await.ok();
    let expected = json!({
        "active": true, "iss": ISS, "sub": "alice", "aud": ["api", "x"], "exp": EXP, "iat": START.0 - 10,
        "nbf": START.0 - 10, "jti": "a", "client_id": "shop", "scope": "read write",
    });
    assert_eq!(said, expected);
    let least = json!({"iss": ISS, "jti": "b", "aud": "api", "azp": "web", "exp": EXP});
    let said = ask(&app, &token(&least)).await.ok();
    let expected = json!({"active": true, "iss": ISS, "jti": "b", "aud": "api", "client_id": "web", "exp": EXP});
    assert_eq!(said, expected);
    assert_eq!(ask(&app, &token(&with(ISS, "scope", json!(["read"])))).await.ok().get("scope"), None);
    assert_eq!(app.denylist.status().last_seq, 0);
}

#[tokio::test]
async fn whatever_is_wrong_with_a_token_nothing_else_is_said_of_it() {
    let app = app();
    let genuine = token(&claims(ISS));
    for (what, token) in [
        ("opaque", "2YotnFZFEjr1zCsicMWpAA".to_owned()),
        ("too long", "a".repeat(20_000)),
        ("forged", forged(&claims(ISS))),
        ("cut", genuine[..genuine.len() - 1].to_owned()),
        ("padded", format!("{genuine}%3D")),
        ("unsigned", format!("eyJhbGciOiJub25lIn0.{}.", genuine.split('.').nth(1).unwrap())),
        ("of an unknown issuer", token(&claims("https://b"))),
        ("of no issuer", token(&without(ISS, "iss"))),
        ("expired this second", token(&with(ISS, "exp", json!(START.0)))),
        ("expired", token(&with(ISS, "exp", json!(START.0 - 1)))),
        ("expired within this second", token(&with(ISS, "exp", json!(1_800_000_000.5)))),
        ("without exp", token(&without(ISS, "exp"))),
        ("not yet valid", token(&with(ISS, "nbf", json!(START.0 + 3)))),
        ("never valid", token(&with(ISS, "nbf", json!("soon")))),
        ("for nobody", token(&with(ISS, "aud", json!([])))),
        ("for nonsense", token(&with(ISS, "aud", json!(5)))),
        ("for others", token(&with(FOR_US, "aud", json!("apis")))),
        ("for many others", token(&with(FOR_US, "aud", json!(["x", "API"])))),
        ("for whom it does not say", token(&without(FOR_US, "aud"))),
    ] {
        assert_inactive(&ask(&app, &token).await, what);
    }
    for (what, token) in [
        ("within its last second", token(&with(ISS, "exp", json!(START.0 + 1)))),
        ("a clock that runs ahead", token(&with(ISS, "nbf", json!(START.0 + 2)))),
        ("for us", token(&claims(FOR_US))),
        ("for us alone", token(&with(FOR_US, "aud", json!("web")))),
        ("for whom does not matter", token(&without(ISS, "aud"))),
    ] {
        assert_eq!(ask(&app, &token).await.ok()["active"], true, "{what}");
    }
    assert_eq!(app.denylist.status().last_seq, 0);
}

#[tokio::test]
async fn what_is_revoked_by_anything_is_not_active() {
    let genuine = token(&claims(ISS));
    for (path, body) in [
        ("/revoke", json!({"jti": "a", "exp": EXP, "iss": ISS})),
        ("/force-logout", json!({"sub": "alice", "iss": ISS})),
        ("/force-logout", json!({"sid": "s", "iss": ISS})),
        ("/force-logout", json!({"client_id": "shop", "iss": ISS})),
        ("/force-logout", json!({"all": true, "iss": ISS})),
        ("/global-token-revocation", json!({"sub_id": {"format": "iss_sub", "iss": ISS, "sub": "alice"}})),
    ] {
        let app = app();
        assert_eq!(ask(&app, &genuine).await.ok()["active"], true);
        assert!(app.post_json(path, &body).await.status.is_success());
        assert_inactive(&ask(&app, &genuine).await, path);
        let later = with(ISS, "iat", json!(START.0 + 60));
        let is_active = ask(&app, &token(&later)).await.ok()["active"] == true;
        assert_eq!(is_active, path != "/revoke", "a new login, {path} {body}");
        assert_eq!(ask(&app, &token(&claims(FOR_US))).await.ok()["active"], true, "another issuer");
    }
}

#[tokio::test]
async fn what_is_beyond_the_bounds_of_a_key_is_not_active_for_it() {
    let app = app();
    let of_shop = app.key_made(&[Scope::Check], |record| record.client_ids = vec![ClientId::parse("shop").unwrap()]);
    let of_iss = app.key_made(&[Scope::Check], |record| record.issuers = vec![Issuer::parse(ISS).unwrap()]);
    for (key, claims, is_active) in [
        (&of_shop, claims(ISS), true),
        (&of_shop, claims(FOR_US), true),
        (&of_shop, with(ISS, "client_id", json!("other")), false),
        (&of_shop, without(ISS, "client_id"), false),
        (&of_iss, claims(ISS), true),
        (&of_iss, claims(FOR_US), false),
    ] {
        let answer = ask_as(&app, key, &token(&claims)).await;
        if is_active {
            assert_eq!(answer.ok()["active"], true, "{claims}");
        } else {
            assert_inactive(&answer, &claims.to_string());
        }
    }
}

#[tokio::test]
async fn what_every_check_must_bring_an_active_token_must_have() {
    let settings = HttpSettings { check_required: vec![Selector::Sub], ..HttpSettings::default() };
    let app = TestApp::with(settings, &[ISS]);
    assert_eq!(ask(&app, &token(&claims(ISS))).await.ok()["active"], true);
    assert_inactive(&ask(&app, &token(&without(ISS, "sub"))).await, "no `sub`");
}

#[tokio::test]
async fn doubt_is_503_and_keyless_checks_are_not_for_clients() {
    let app = TestApp::with(HttpSettings { check_keyless: true, ..HttpSettings::default() }, &[AWAY]);
    ask(&app, &token(&claims(AWAY))).await.oauth(503, "temporarily_unavailable");
    let request = Request::post(INTROSPECT).header("content-type", "application/x-www-form-urlencoded");
    let answer = app.send(request.body(format!("token={}", token(&claims(AWAY))).into()).unwrap()).await;
    answer.oauth(401, "invalid_client");
    assert_eq!(app.metric("revokd_checks_total{face=\"api\",result=\"unavailable\"}").await, 1);
}

#[tokio::test]
async fn a_doubted_clock_calls_nothing_active_that_may_have_expired_or_not_begun() {
    let app = app();
    let short = token(&with(ISS, "exp", json!(START.0 + 100)));
    app.time.pass(200);
    assert_inactive(&ask(&app, &short).await, "expired");
    // The wall clock falls back by a day: that is not believed.
    app.time.jump(-86_400);
    assert!(app.denylist.clock().now().doubted);
    assert_inactive(&ask(&app, &short).await, "expired, and the clock says otherwise");
    // What was issued before says that its time had come; what says nothing of the kind may come from the future.
    assert_eq!(ask(&app, &token(&claims(ISS))).await.ok()["active"], true);
    assert_inactive(&ask(&app, &token(&without(ISS, "iat"))).await, "begun, by one of two clocks");
}

#[tokio::test]
async fn a_wall_clock_that_leaps_ahead_makes_no_token_begin() {
    let app = app();
    app.time.jump(86_400);
    assert!(app.denylist.clock().now().doubted);
    let mut future = with(ISS, "nbf", json!(START.0 + 50_000));
    future["exp"] = json!(START.0 + 900_000);
    assert_inactive(&ask(&app, &token(&future)).await, "not yet valid");
    assert_inactive(&ask(&app, &token(&claims(ISS))).await, "it may have expired");
}

#[tokio::test]
async fn a_token_without_exp_is_active_only_where_such_tokens_can_be_revoked() {
    let lax = TestApp::with(HttpSettings { allow_without_exp: true, ..HttpSettings::default() }, &[ISS]);
    let said = ask(&lax, &token(&without(ISS, "exp"))).await.ok();
    assert_eq!((&said["active"], said.get("exp")), (&json!(true), None));
}

#[tokio::test]
async fn a_token_without_jti_is_known_and_no_jti_is_made_up_for_it() {
    let app = app();
    let nameless = token(&without(ISS, "jti"));
    let said = ask(&app, &nameless).await.ok();
    assert_eq!((&said["active"], said.get("jti")), (&json!(true), None));
    app.post_json("/revoke", &json!({ "token": nameless })).await.ok();
    assert_inactive(&ask(&app, &nameless).await, "revoked by what is signed");
}

#[tokio::test]
async fn an_introspection_that_sees_a_token_of_a_longer_life_puts_off_the_ends_of_cutoffs() {
    let app = app();
    let exp = START.0 + 10 * LIFETIME_MAX_S;
    assert_eq!(ask(&app, &token(&with(ISS, "exp", json!(exp)))).await.ok()["active"], true);
    let cutoff = app.post_json("/force-logout", &json!({ "iss": ISS, "sub": "bob" })).await.ok();
    assert!(cutoff["expires_at"].as_i64().unwrap() > exp, "{cutoff}");
}
