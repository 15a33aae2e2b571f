//! How OAuth clients say who they are, and what they get to hear where they do not.

use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use revokd::http::HttpSettings;
use revokd::http::listener::Peer;
use revokd::keys::{Caller, Scope, Scopes};
use serde_json::json;

use super::http_oauth::{BOTH, FORM, ISS, REVOKE, app, assert_done, basic, claims, parts, send, seq};
use super::test_app::{START, TestApp, token};

#[tokio::test]
async fn a_client_says_who_it_is_in_any_one_way() {
    let app = app();
    let key = app.key.clone();
    let (id, secret) = parts(&key);
    let encoded = key.replace('_', "%5F").replace('-', "%2D");
    let unpadded = format!("bAsIc {}", STANDARD_NO_PAD.encode(format!("{id}:{secret}")));
    let headers = [
        ("authorization", basic(id, &key)),
        ("authorization", basic(id, secret)),
        ("authorization", basic(id, &encoded)),
        ("authorization", unpadded),
        ("authorization", format!("Bearer {key}")),
        ("x-api-key", key.clone()),
    ];
    let token = token(&claims("a"));
    for path in BOTH {
        for (name, value) in &headers {
            for more in ["", &format!("&client_id={id}"), "&client_secret=", "&token_type_hint=nonsense&x=1"] {
                let answer = send(&app, path, &[(*name, value)], format!("token={token}{more}")).await;
                assert_eq!(answer.status, 200, "{path} {value} {more} {answer:?}");
            }
        }
        for secret in [&key, secret, &encoded] {
            let body = format!("token={token}&client_id={id}&client_secret={secret}");
            assert_eq!(send(&app, path, &[], body).await.status, 200, "{path}");
        }
        let charset = [("x-api-key", &*key), ("content-type", "application/x-www-form-urlencoded; charset=UTF-8")];
        assert_eq!(send(&app, path, &charset, format!("token={token}")).await.status, 200);
    }
    assert_eq!(seq(&app), 1);
}

#[tokio::test]
async fn whoever_is_not_known_is_told_so_in_oauths_words_and_changes_nothing() {
    let app = app();
    let expired = app.key_made(&Scope::ALL, |record| record.expires_at = Some(START));
    let key = app.key.clone();
    let (id, secret) = parts(&key);
    let other = app.key_with(&Scope::ALL);
    let wrong = format!("{}x", &key[..key.len() - 1]);
    let token = token(&claims("a"));
    let headers = [
        basic(id, ""),
        basic("", secret),
        basic(id, &wrong),
        basic(id, &other),
        basic(parts(&other).0, secret),
        basic(parts(&expired).0, &expired),
        "Basic".to_owned(),
        "Basic !".to_owned(),
        format!("Basic {}", STANDARD.encode(id)),
        format!("Basic {}", STANDARD.encode(b"\xff:\xff")),
        format!("Basic {}", STANDARD.encode(format!("{id}:%zz"))),
        format!("Bearer {wrong}"),
        format!("Bearer {expired}"),
        format!("Bearer {token}"),
        format!("Digest {key}"),
        key.clone(),
    ];
    for path in BOTH {
        for header in &headers {
            let answer = send(&app, path, &[("authorization", header)], format!("token={token}")).await;
            let said = answer.oauth(401, "invalid_client");
            assert!(!said.contains(secret) && !said.contains(id), "{said}");
        }
        for credentials in [
            String::new(),
            format!("&client_id={id}"),
            format!("&client_id={id}&client_secret="),
            format!("&client_secret={key}"),
            format!("&client_id=&client_secret={key}"),
            format!("&client_id={id}&client_secret={wrong}"),
            format!("&client_id={}&client_secret={key}", parts(&other).0),
            format!("&client_id={}&client_secret={expired}", parts(&expired).0),
        ] {
            send(&app, path, &[], format!("token={token}{credentials}")).await.oauth(401, "invalid_client");
        }
        // What is no form holds no credentials: nothing of it is read.
        let json = json!({"token": token, "client_id": id, "client_secret": key}).to_string();
        send(&app, path, &[("content-type", "application/json")], json).await.oauth(401, "invalid_client");
        let in_query = format!("{path}?token={token}&client_id={id}&client_secret={key}");
        send(&app, &in_query, &[], "").await.oauth(401, "invalid_client");
    }
    assert_eq!(seq(&app), 0);
}

#[tokio::test]
async fn two_ways_at_once_are_refused() {
    let app = app();
    let key = app.key.clone();
    let (id, secret) = parts(&key);
    let (basic, bearer) = (basic(id, secret), format!("Bearer {key}"));
    let token = token(&claims("a"));
    let post = format!("&client_id={id}&client_secret={key}");
    let none = String::new();
    for path in BOTH {
        for (headers, more) in [
            (&[("authorization", &*basic), ("x-api-key", &*key)][..], &none),
            (&[("authorization", &bearer), ("x-api-key", &key)], &none),
            (&[("authorization", &basic), ("authorization", &basic)], &none),
            (&[("x-api-key", &key), ("x-api-key", &key)], &none),
            (&[("authorization", &basic)], &post),
            (&[("authorization", &bearer)], &post),
            (&[("x-api-key", &key)], &post),
            (&[("x-api-key", &key)], &format!("&client_secret={key}")),
            (&[("authorization", &basic)], &"&client_id=0123456789ab".to_owned()),
            (&[], &format!("{post}{post}")),
            (&[], &format!("{post}&client_secret=")),
        ] {
            send(&app, path, headers, format!("token={token}{more}")).await.oauth(400, "invalid_request");
        }
    }
    assert_eq!(seq(&app), 0);
}

#[tokio::test]
async fn a_key_needs_the_scope_and_strangers_are_limited() {
    let app = TestApp::with(HttpSettings { strangers_per_s: 1, ..HttpSettings::default() }, &[ISS]);
    for (path, scope, others) in [
        (REVOKE, "`revoke`", [Scope::Check, Scope::Admin, Scope::Audit]),
        ("/oauth2/introspect", "`check`", [Scope::Revoke, Scope::Admin, Scope::Audit]),
    ] {
        let key = app.key_with(&others);
        let (id, _) = parts(&key);
        let token = token(&claims("a"));
        for (headers, more) in [
            (&[("x-api-key", &*key)][..], String::new()),
            (&[("authorization", &basic(id, &key))], String::new()),
            (&[], format!("&client_id={id}&client_secret={key}")),
        ] {
            let answer = send(&app, path, headers, format!("token={token}{more}")).await;
            let said = answer.oauth(400, "unauthorized_client");
            assert!(said.contains(scope), "{said}");
        }
        let mut statuses = Vec::new();
        for body in ["token=a", "a=1&a=1", "client_id=a&client_secret=b"].into_iter().cycle().take(60) {
            let answer = send(&app, path, &[], body).await;
            match answer.status.as_u16() {
                429 => assert!(answer.oauth(429, "temporarily_unavailable").contains("limits.strangers_per_s")),
                400 => _ = answer.oauth(400, "invalid_request"),
                _ => _ = answer.oauth(401, "invalid_client"),
            }
            statuses.push(answer.status.as_u16());
        }
        assert!(statuses.iter().rev().take(10).any(|status| *status == 429), "{statuses:?}");
    }
    assert_eq!(seq(&app), 0);
}

#[tokio::test]
async fn a_certificate_is_a_client_unless_the_request_says_another() {
    let app = app();
    let caller = Caller::new("cert:dns:gateway.internal", Scopes::of(&[Scope::Revoke]));
    let peer = |caller| Peer::Tls { address: "192.0.2.1:1".parse().unwrap(), caller };
    let ask = async |caller: Option<Caller>, body: String| {
        let request = Request::post(REVOKE).header("content-type", FORM).body(body.into()).unwrap();
        app.send_from(peer(caller), request).await
    };
    let token = token(&claims("a"));
    let (id, _) = parts(&app.key);
    for more in ["", "&client_id=cert:dns:gateway.internal", "&client_id=cert%3Adns%3Agateway.internal"] {
        assert_done(&ask(Some(caller.clone()), format!("token={token}{more}")).await, more);
    }
    let other = ask(Some(caller.clone()), format!("token={token}&client_id=gateway")).await;
    other.oauth(400, "invalid_request");
    let weak = app.key_with(&[Scope::Audit]);
    let with = |id: &str, key: &str| format!("token={token}&client_id={id}&client_secret={key}");
    ask(Some(caller.clone()), with(parts(&weak).0, &weak)).await.oauth(400, "unauthorized_client");
    assert_done(&ask(Some(caller), with(id, &app.key)).await, "a key");
    ask(None, format!("token={token}&client_id={id}")).await.oauth(401, "invalid_client");
}
