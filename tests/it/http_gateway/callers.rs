//! Which gateway asks, what its credential permits, and what it is told when nobody can say.

use axum::http::Method;
use revokd::gateway::{Mode, WhenUnavailable, WithoutToken};
use revokd::http::HttpSettings;
use revokd::http::listener::Peer;
use revokd::keys::{Caller, Scope, Scopes};
use revokd::readiness::Condition;
use revokd::token::{Issuer, Selector};
use serde_json::json;

use super::{ISS, app, app_with, ask, ask_as, assert_refused, bearer, claims, good, profile};
use crate::clients::until;
use crate::support::{Store, settings};
use crate::test_app::{AWAY, LIFETIME_MAX_S, START, TestApp, forged, token, trusted};

#[tokio::test]
async fn a_gateway_is_known_by_its_credential_and_503_tells_it_that_it_is_not() {
    let app = app(|_| ());
    let key = app.key_with(&[Scope::Check]);
    let with_key = |key: &str| vec![("x-api-key", key.to_owned()), bearer(&good())];
    let peer = || Peer::Tcp("192.0.2.1:1".parse().unwrap());
    let status = async |peer, headers: Vec<_>| ask_as(&app, peer, Method::GET, "/auth", &headers).await.status.as_u16();
    assert_eq!(status(peer(), with_key(&key)).await, 200, "the default profile");
    assert_eq!(status(peer(), vec![bearer(&good())]).await, 503, "no key");
    assert_eq!(status(peer(), vec![bearer(&key)]).await, 503, "Authorization is never a key here");
    assert_eq!(status(peer(), with_key("revokd_0123456789ab_x")).await, 503);
    assert_eq!(status(peer(), with_key(&app.key_with(&[Scope::Revoke, Scope::Admin]))).await, 503, "another scope");
    let two = vec![("x-api-key", key.clone()), ("x-api-key", key.clone()), bearer(&good())];
    assert_eq!(status(peer(), two).await, 503, "two keys are none");
    assert!(app.metric("revokd_auth_failures_total{reason=\"unknown\"}").await >= 2);

    // What its users send does not turn it into another: not a key of theirs, nor a wrong one.
    let lax = app_with(&[ISS], |profile| {
        profile.name = "lax".to_owned();
        profile.mode = Mode::Trust;
    });
    let own = lax.key_with(&[Scope::Check]);
    let forgery = forged(&claims(&json!({})));
    let as_key = vec![("x-api-key", own), bearer(&forgery)];
    assert_refused(&ask_as(&lax, peer(), Method::GET, "/auth", &as_key).await, "the default profile verifies");
    let wrong = vec![("x-api-key", "revokd_0123456789ab_x".to_owned()), bearer(&good())];
    assert_eq!(ask(&lax, &wrong).await.status, 200, "a user's header is nothing on the gateway's own listener");
}

#[tokio::test]
async fn a_key_that_is_bound_lets_only_its_own_tokens_pass() {
    let app = TestApp::with(HttpSettings::default(), &[ISS, "https://b"]);
    let bound = app.key_made(&[Scope::Check], |record| record.issuers = vec![Issuer::parse(ISS).unwrap()]);
    let ask = async |token: String| {
        let headers = [("x-api-key", bound.clone()), bearer(&token)];
        ask_as(&app, Peer::Unix, Method::GET, "/auth", &headers).await
    };
    assert_eq!(ask(good()).await.status, 200);
    assert_refused(&ask(token(&claims(&json!({ "iss": "https://b" })))).await, "another issuer's");
}

#[tokio::test]
async fn what_every_check_must_bring_a_token_must_have() {
    let http = HttpSettings {
        gateways: vec![profile(|_| ())],
        check_required: vec![Selector::Jti, Selector::Sid],
        ..HttpSettings::default()
    };
    let app = TestApp::assemble(http, vec![trusted(ISS)], settings());
    assert_eq!(ask(&app, &[bearer(&good())]).await.status, 200);
    assert_refused(&ask(&app, &[bearer(&token(&claims(&json!({ "sid": null }))))]).await, "no sid");
}

#[tokio::test]
async fn doubt_of_the_denylist_is_503_unless_the_profile_is_open_and_then_it_is_counted_and_shown() {
    // Without a `jti` no read says that all is known.
    let headers = [("x-jwt-sub", "alice".to_owned())];
    let app = |unavailable| {
        let app = app(|profile| (profile.claim_headers, profile.unavailable) = (true, unavailable));
        app.readiness.set(Condition::Filter, false);
        app
    };
    let closed = app(WhenUnavailable::Closed);
    assert_eq!(ask(&closed, &headers).await.status, 503);
    let verbose = closed.get("/readyz?verbose").await;
    assert!(!String::from_utf8_lossy(&verbose.body).contains("fails open"));

    let open = app(WhenUnavailable::Open);
    for _ in 0..3 {
        let answer = ask(&open, &headers).await;
        assert!(answer.status == 200 && !answer.headers.contains_key("x-auth-subject"), "{answer:?}");
    }
    assert_eq!(open.metric("revokd_gateway_requests_total{result=\"unjudged\",gateway=\"gate\"}").await, 3);
    let verbose = open.get("/readyz?verbose").await;
    let text = String::from_utf8_lossy(&verbose.body).into_owned();
    assert!(text.contains("[!]gateway gate fails open: 3 requests passed without a verdict"), "{text}");
    // Open is for doubt only, and a doubt about one thing presented is none about another.
    for bad in ["x", &forged(&claims(&json!({})))] {
        assert_refused(&ask(&open, &[bearer(bad)]).await, "no token");
        assert_refused(&ask(&open, &[headers[0].clone(), bearer(bad)]).await, "no token, beside a doubt");
    }
    open.post_json("/force-logout", &json!({ "sub": "alice", "iss": ISS })).await.ok();
    assert_refused(&ask(&open, &[bearer(&good())]).await, "revoked");
}

#[tokio::test]
async fn a_token_that_nobody_can_verify_never_passes_however_open_the_profile() {
    for (issuers, iss) in [(&[ISS, AWAY][..], AWAY), (&[], ISS)] {
        let open = app_with(issuers, |profile| profile.unavailable = WhenUnavailable::Open);
        // Whoever sends a token chooses its issuer and its key.
        let chosen = forged(&claims(&json!({ "iss": iss })));
        assert_eq!(ask(&open, &[bearer(&chosen)]).await.status, 503, "{iss}");
        assert_eq!(open.metric("revokd_gateway_requests_total{result=\"unjudged\",gateway=\"gate\"}").await, 0);
        assert_eq!(open.metric("revokd_gateway_requests_total{result=\"unavailable\",gateway=\"gate\"}").await, 1);
    }
}

#[tokio::test]
async fn a_caller_without_the_scope_is_no_stranger_to_the_audit() {
    let app = app(|_| ());
    let key = app.key_with(&[Scope::Revoke]);
    let headers = [("x-api-key", key.clone()), bearer(&good())];
    assert_eq!(ask_as(&app, Peer::Unix, Method::GET, "/auth", &headers).await.status, 503);
    let told = async |what: &str| {
        let page = app.get("/audit").await.ok();
        let records = page["records"].as_array().unwrap().iter().filter(|record| record["what"] == what);
        records.map(|record| record["actor"].clone()).collect::<Vec<_>>()
    };
    let id = key.split('_').nth(1).unwrap();
    until("it is told", async || told("refused").await == [json!(id)]).await;
    assert_eq!(told("strangers").await, [json!(null); 0]);
}

#[tokio::test]
async fn without_any_key_to_verify_by_nobody_is_told_that_their_token_is_bad() {
    let app = TestApp::new();
    let headers = [("x-api-key", app.key_with(&[Scope::Check])), bearer(&good())];
    assert_eq!(ask_as(&app, Peer::Unix, Method::GET, "/auth", &headers).await.status, 503);
}

#[tokio::test]
async fn claims_without_an_id_are_good_only_where_all_is_known() {
    let app = app(|profile| profile.claim_headers = true);
    let headers = [("x-jwt-sub", "alice".to_owned())];
    assert_eq!(ask(&app, &headers).await.status, 200);
    app.readiness.set(Condition::Filter, false);
    assert_eq!(ask(&app, &headers).await.status, 503);
}

#[tokio::test]
async fn what_gateways_ask_is_counted_by_result_and_seen_by_a_dry_run() {
    let app = app(|_| ());
    app.post_json("/revoke", &json!({ "jti": "gone", "iss": ISS, "exp": START.0 + 600 })).await.ok();
    for token in [good(), good(), token(&claims(&json!({ "jti": "gone" }))), "x".to_owned()] {
        ask(&app, &[bearer(&token)]).await;
    }
    for (result, count) in [("passed", 2), ("revoked", 1), ("refused", 1), ("unavailable", 0)] {
        let line = format!("revokd_gateway_requests_total{{result=\"{result}\",gateway=\"gate\"}}");
        assert_eq!(app.metric(&line).await, count, "{result}");
    }
    assert_eq!(app.metric("revokd_checks_total{face=\"gateway\",result=\"good\"}").await, 2);
    let foreseen = app.post_json("/force-logout", &json!({ "sub": "alice", "dry_run": true })).await.ok();
    assert_eq!(foreseen["checks"], 3, "{foreseen}");
}

#[test]
fn a_change_is_in_force_before_its_place_is_said() {
    let store = Store::new();
    assert_eq!(store.denylist().applied_seq(), 0);
    store.revoke("a", START.plus(600));
    assert_eq!(store.denylist().applied_seq(), 1);
}

#[tokio::test]
async fn a_certificate_is_a_credential_with_a_profile_of_its_own() {
    let app = app_with(&[ISS], |profile| {
        profile.listen = Vec::new();
        profile.certificates = vec!["dns:gate".to_owned()];
        profile.without_token = WithoutToken::Pass;
    });
    let peer = |id: &str, scope| Peer::Tls {
        address: "192.0.2.1:1".parse().unwrap(),
        caller: Some(Caller::new(id, Scopes::of(&[scope]))),
    };
    let ask = async |peer| ask_as(&app, peer, Method::GET, "/auth", &[]).await.status.as_u16();
    assert_eq!(ask(peer("cert:dns:gate", Scope::Check)).await, 200, "its profile lets it pass");
    assert_eq!(ask(peer("cert:dns:other", Scope::Check)).await, 401, "another one has the default profile");
    assert_eq!(ask(peer("cert:dns:gate", Scope::Revoke)).await, 503, "the scope is another");
}

#[tokio::test]
async fn a_longer_life_is_told_of_though_others_were_told_of_first_and_the_token_is_remembered() {
    let app = app(|_| ());
    let longer = |times: i64| {
        let exp = START.0 + times * LIFETIME_MAX_S + 1;
        token(&claims(&json!({ "jti": format!("t-{times}"), "exp": exp })))
    };
    // Of these, all within a second, the history is told of the first.
    for times in [1, 4, 16] {
        assert_eq!(ask(&app, &[bearer(&longer(times))]).await.status, 200);
    }
    app.time.pass(1);
    assert_eq!(ask(&app, &[bearer(&longer(16))]).await.status, 200);
    let now = app.denylist.clock().now().latest.0;
    let cutoff = app.post_json("/force-logout", &json!({ "sub": "bob" })).await.ok();
    let ends_at = cutoff["expires_at"].as_i64().unwrap();
    assert!(ends_at > now + 16 * LIFETIME_MAX_S, "a cutoff outlives every token that was seen: {cutoff}");
}
