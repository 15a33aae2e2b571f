//! `/auth`: what gateways ask, by their profiles. Only ever 200, 401 and 503.

mod callers;

use axum::body::Body;
use axum::http::{Method, Request};
use revokd::gateway::{Mode, Profile, WithoutToken};
use revokd::http::HttpSettings;
use revokd::http::listener::Peer;
use revokd::keys::{Caller, Scope, Scopes};
use serde_json::{Value, json};

use super::support::settings;
use super::test_app::{Answer, FOR_US, START, TestApp, forged, token, trusted};

pub(crate) const ISS: &str = "https://a";
const INVALID: &str = "Bearer error=\"invalid_token\"";

/// A gateway on a listener of its own, so that what it sends says nothing of who it is.
const PEER: &str = "listen:unix:/run/gate.sock";

pub(crate) fn gateway() -> Peer {
    Peer::Gateway { address: None, caller: Caller::new(PEER, Scopes::of(&[Scope::Check])) }
}

pub(crate) fn profile(set: impl FnOnce(&mut Profile)) -> Profile {
    let mut profile = Profile { name: "gate".to_owned(), ..Profile::default() };
    profile.listen = vec!["unix:/run/gate.sock".to_owned()];
    set(&mut profile);
    profile
}

pub(crate) fn app_with(issuers: &[&str], set: impl FnOnce(&mut Profile)) -> TestApp {
    let http = HttpSettings { gateways: vec![profile(set)], ..HttpSettings::default() };
    TestApp::assemble(http, issuers.iter().map(|name| trusted(name)).collect(), settings())
}

pub(crate) fn app(set: impl FnOnce(&mut Profile)) -> TestApp {
    app_with(&[ISS], set)
}

/// A good token, but for what is told otherwise; `null` leaves a claim out.
pub(crate) fn claims(other: &Value) -> Value {
    let mut claims = json!({ "iss": ISS, "jti": "t-1", "sub": "alice", "sid": "s-1", "client_id": "shop",
                             "iat": START.0, "exp": START.0 + 600 });
    for (name, value) in other.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

pub(crate) fn good() -> String {
    token(&claims(&json!({})))
}

pub(crate) fn bearer(token: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {token}"))
}

/// Asks as the gateway, with these headers of its user's.
async fn ask(app: &TestApp, headers: &[(&'static str, String)]) -> Answer {
    ask_as(app, gateway(), Method::GET, "/auth", headers).await
}

async fn ask_as(app: &TestApp, peer: Peer, method: Method, path: &str, headers: &[(&'static str, String)]) -> Answer {
    let request = headers.iter().fold(Request::builder().method(method).uri(path), |request, (name, value)| {
        request.header(*name, value.as_str())
    });
    let answer = app.send_from(peer, request.body(Body::empty()).unwrap()).await;
    assert!([200, 401, 503].contains(&answer.status.as_u16()), "{answer:?}");
    assert!(answer.body.is_empty(), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.status == 401, answer.headers.contains_key("www-authenticate"));
    assert_eq!(answer.status == 503, answer.headers.contains_key("retry-after"));
    answer
}

#[track_caller]
fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, INVALID), "{what}");
}

#[tokio::test]
async fn a_good_token_passes_and_its_claims_are_said() {
    let app = app(|_| ());
    let answer = ask(&app, &[bearer(&good())]).await;
    assert_eq!(answer.status, 200);
    let said = ["x-auth-subject", "x-auth-issuer", "x-auth-client-id", "x-auth-jti"].map(|name| answer.header(name));
    assert_eq!(said, ["alice", ISS, "shop", "t-1"]);
    assert_eq!(answer.header("x-revocation-seq"), app.denylist.status().last_seq.to_string());
    let odd = token(&claims(&json!({ "jti": null, "client_id": null, "sub": "a\r\nX-Auth-Issuer: b" })));
    let answer = ask(&app, &[bearer(&odd)]).await;
    assert_eq!(answer.header("x-auth-subject"), "a%0D%0AX-Auth-Issuer:%20b");
    assert!(!answer.headers.contains_key("x-auth-jti"), "a derived one is no claim");
    let long = token(&claims(&json!({ "sub": "a".repeat(257) })));
    let answer = ask(&app, &[bearer(&long)]).await;
    assert!(answer.status == 200 && !answer.headers.contains_key("x-auth-subject"));
}

#[tokio::test]
async fn any_method_and_any_path_below_ask_the_same() {
    let app = app(|_| ());
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        for path in ["/auth", "/auth/", "/auth/api/v1?x=1&x=1&=", "/auth//..%2f%00", "/auth/check/a"] {
            let method: Method = method.parse().unwrap();
            let answer = ask_as(&app, gateway(), method.clone(), path, &[bearer(&good())]).await;
            assert_eq!(answer.status, 200, "{method} {path}");
            assert_refused(&ask_as(&app, gateway(), method.clone(), path, &[bearer("x")]).await, path);
        }
    }
    // A body is none of its business.
    let post =
        Request::builder().method(Method::POST).uri("/auth").header("authorization", format!("Bearer {}", good()));
    let post = post.header("content-type", "application/json").body(Body::from("{\"jti\":")).unwrap();
    assert_eq!(app.send_from(gateway(), post).await.status, 200);
}

#[tokio::test]
async fn a_revoked_token_and_every_kind_of_logout_are_seen_by_the_next_request() {
    for (path, body) in [
        ("/revoke", json!({ "jti": "t-1", "iss": ISS, "exp": START.0 + 600 })),
        ("/force-logout", json!({ "sub": "alice" })),
        ("/force-logout", json!({ "sid": "s-1" })),
        ("/force-logout", json!({ "client_id": "shop" })),
        ("/force-logout", json!({ "all": true })),
    ] {
        let app = app(|_| ());
        // Remembered by then.
        for _ in 0..2 {
            assert_eq!(ask(&app, &[bearer(&good())]).await.status, 200);
        }
        let seq = app.post_json(path, &body).await.ok()["seq"].as_u64().unwrap();
        assert_refused(&ask(&app, &[bearer(&good())]).await, path);
        app.time.pass(5);
        let other = token(&claims(&json!({ "jti": "t-2", "iat": START.0 + 5 })));
        let answer = ask(&app, &[bearer(&other)]).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-revocation-seq")), (200, &*seq.to_string()), "{path}");
    }
}

#[tokio::test]
async fn what_is_judged_of_a_token_is_all_of_it_and_anew_each_time() {
    let app = app_with(&[ISS, FOR_US], |_| ());
    for (what, token) in [
        ("forged", forged(&claims(&json!({})))),
        ("expired", token(&claims(&json!({ "exp": START.0 })))),
        ("early", token(&claims(&json!({ "nbf": START.0 + 60 })))),
        ("for somebody else", token(&claims(&json!({ "iss": FOR_US, "aud": "other" })))),
        ("of another issuer", token(&claims(&json!({ "iss": "https://c" })))),
        ("without exp", token(&claims(&json!({ "exp": null })))),
        ("nonsense", "a.b.c".to_owned()),
        ("empty", String::new()),
    ] {
        assert_refused(&ask(&app, &[bearer(&token)]).await, what);
    }
    let ours = token(&claims(&json!({ "iss": FOR_US, "aud": ["api"] })));
    assert_eq!(ask(&app, &[bearer(&ours)]).await.status, 200);
    // Remembered or not, its time ends.
    let short = token(&claims(&json!({ "exp": START.0 + 10 })));
    assert_eq!(ask(&app, &[bearer(&short)]).await.status, 200);
    app.time.pass(10);
    assert_refused(&ask(&app, &[bearer(&short)]).await, "its time is over");
    // A good token is remembered as a whole: another signature under the same claims does not ride on it.
    let (message, signature) = ours.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    assert_refused(&ask(&app, &[bearer(&format!("{message}.{flipped}{}", &signature[1..]))]).await, "forged");
}

#[tokio::test]
async fn without_a_token_a_request_is_refused_or_passes_as_the_profile_says() {
    let strict = app(|_| ());
    let answer = ask(&strict, &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, "Bearer"), "no error to speak of");
    let lax = app(|profile| profile.without_token = WithoutToken::Pass);
    let answer = ask(&lax, &[]).await;
    assert!(answer.status == 200 && !answer.headers.contains_key("x-auth-subject"));
    for (what, value) in [("Basic", "Basic YTpi".to_owned()), ("empty", String::new()), ("bad", "Bearer x".to_owned())]
    {
        assert_refused(&ask(&lax, &[("authorization", value)]).await, what);
    }
}

#[tokio::test]
async fn every_credential_is_judged() {
    let app = app(|profile| {
        profile.tokens_in = vec!["authorization".parse().unwrap(), "cookie:at".parse().unwrap()];
    });
    let other = token(&claims(&json!({ "jti": "t-2", "sub": "bob" })));
    let both = |first: &str, second: &str| vec![bearer(first), ("cookie", format!("x=1; at={second}"))];
    let answer = ask(&app, &both(&good(), &other)).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-auth-subject")), (200, "alice"));
    assert_eq!(ask(&app, &both(&good(), &other)[1..]).await.header("x-auth-subject"), "bob");
    app.post_json("/revoke", &json!({ "jti": "t-2", "iss": ISS, "exp": START.0 + 600 })).await.ok();
    assert_refused(&ask(&app, &both(&good(), &other)).await, "the second is revoked");
    assert_refused(&ask(&app, &both(&other, &good())).await, "the first is revoked");
    assert_refused(&ask(&app, &both(&good(), "x")).await, "the second is none");
    assert_refused(&ask(&app, &[bearer(&good()), bearer(&good())]).await, "twice");
    let twice = ("cookie", format!("at={}; at={}", good(), good()));
    assert_refused(&ask(&app, &[twice]).await, "two cookies of the name");
}

#[tokio::test]
async fn claim_headers_are_nothing_unless_the_profile_reads_them() {
    let header = |name: &'static str, value: &str| (name, value.to_owned());
    let off = app(|_| ());
    off.post_json("/revoke", &json!({ "jti": "gone", "iss": ISS, "exp": START.0 + 600 })).await.ok();
    let answer = ask(&off, &[bearer(&good()), header("x-jwt-jti", "gone")]).await;
    assert_eq!(answer.status, 200, "a header of the user's says nothing");
    assert_eq!(ask(&off, &[header("x-jwt-jti", "a")]).await.header("www-authenticate"), "Bearer", "and is no token");

    let on = app(|profile| profile.claim_headers = true);
    on.post_json("/revoke", &json!({ "jti": "gone", "iss": ISS, "exp": START.0 + 600 })).await.ok();
    on.post_json("/force-logout", &json!({ "sub": "mallory" })).await.ok();
    let iat = header("x-jwt-iat", &START.0.to_string());
    assert_eq!(ask(&on, &[header("x-jwt-jti", "a"), header("x-jwt-sub", "alice"), iat.clone()]).await.status, 200);
    assert_refused(&ask(&on, &[header("x-jwt-jti", "gone")]).await, "revoked");
    assert_refused(&ask(&on, &[header("x-jwt-jti", "a"), header("x-jwt-sub", "mallory"), iat]).await, "logged out");
    for (what, headers) in [
        ("twice", vec![header("x-jwt-jti", "a"), header("x-jwt-jti", "a")]),
        ("empty", vec![header("x-jwt-jti", "")]),
        ("another issuer", vec![header("x-jwt-jti", "a"), header("x-jwt-iss", "https://c")]),
        ("another jti", vec![bearer(&good()), header("x-jwt-jti", "a")]),
        ("another sub", vec![bearer(&good()), header("x-jwt-sub", "bob")]),
        ("a bad token", vec![bearer("x"), header("x-jwt-jti", "a")]),
    ] {
        assert_refused(&ask(&on, &headers).await, what);
    }
    assert_eq!(
        ask(&on, &[bearer(&good()), header("x-jwt-jti", "t-1"), header("x-jwt-sub", "alice")]).await.status,
        200
    );
    assert_eq!(ask(&on, &[]).await.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn a_gateway_that_verifies_by_itself_is_trusted_with_that_and_no_more() {
    let trusting = |issuers: &[&str]| app_with(issuers, |profile| profile.mode = Mode::Trust);
    let app = trusting(&[ISS]);
    assert_eq!(
        ask(&app, &[bearer(&forged(&claims(&json!({}))))]).await.status,
        200,
        "the signature is not its business"
    );
    let old = token(&claims(&json!({ "exp": START.0 - 60 })));
    assert_eq!(ask(&app, &[bearer(&old)]).await.status, 200, "nor is the time");
    assert_refused(&ask(&app, &[bearer(&token(&claims(&json!({ "iss": "https://c" }))))]).await, "an unknown issuer");
    assert_refused(&ask(&app, &[bearer("a.b.c")]).await, "it is read strictly");
    app.post_json("/revoke", &json!({ "jti": "t-1", "iss": ISS, "exp": START.0 + 600 })).await.ok();
    assert_refused(&ask(&app, &[bearer(&good())]).await, "revoked");

    // Without [[issuers]] ids belong to no issuer, whatever tokens say.
    let nameless = trusting(&[]);
    assert_eq!(ask(&nameless, &[bearer(&good())]).await.status, 200);
    nameless.post_json("/revoke", &json!({ "jti": "t-1", "exp": START.0 + 600 })).await.ok();
    assert_refused(&ask(&nameless, &[bearer(&good())]).await, "revoked");
}
