//! Tokens that Envoy says it has verified: what becomes of their payloads.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::Metadata;
use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{ListValue, Struct, Value};
use prost::Message as _;
use revokd::gateway::{Mode, WithoutToken};
use serde_json::json;
use tonic::Code;

use super::{CHECK, Told, ask, bearer, call, described, framed, passes, refused, request};
use crate::http_gateway::{app, claims, gateway, good};
use crate::test_app::{START, forged, token};

/// The same, with the payload of a token that Envoy has verified.
fn with_payload(mut asked: CheckRequest, payload: &serde_json::Value) -> CheckRequest {
    let said = Struct { fields: HashMap::from([("jwt_payload".to_owned(), value(payload))]) };
    let filter_metadata = HashMap::from([("envoy.filters.http.jwt_authn".to_owned(), said)]);
    let metadata = Metadata { filter_metadata, ..Metadata::default() };
    asked.attributes.as_mut().unwrap().metadata_context = Some(metadata);
    asked
}

/// JSON as protobuf says it.
fn value(json: &serde_json::Value) -> Value {
    let kind = match json {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(it) => Kind::BoolValue(*it),
        serde_json::Value::Number(it) => Kind::NumberValue(it.as_f64().unwrap()),
        serde_json::Value::String(it) => Kind::StringValue(it.clone()),
        serde_json::Value::Array(list) => Kind::ListValue(ListValue { values: list.iter().map(value).collect() }),
        serde_json::Value::Object(object) => {
            Kind::StructValue(Struct { fields: object.iter().map(|(name, it)| (name.clone(), value(it))).collect() })
        }
    };
    Value { kind: Some(kind) }
}

#[tokio::test]
async fn a_token_that_envoy_has_verified_is_judged_by_its_payload() {
    let trusting = app(|profile| profile.mode = Mode::Trust);
    let asked = with_payload(described(&[]), &claims(&json!({ "iat": START.0, "aud": ["a", "b"], "odd": 1.5 })));
    let Told::Pass(said, _) = ask(&trusting, &asked).await else { panic!() };
    assert_eq!((&*said["x-auth-subject"], &*said["x-auth-jti"]), ("alice", "t-1"));
    trusting.post_json("/force-logout", &json!({ "sub": "alice" })).await.ok();
    assert_eq!(ask(&trusting, &asked).await, refused(), "by its subject and its time");
    let later = claims(&json!({ "jti": "t-3", "iat": START.0 + 10 }));
    assert!(passes(&trusting, &with_payload(described(&[]), &later)).await, "a login from then on");
    trusting.post_json("/revoke", &json!({ "jti": "t-3", "exp": START.0 + 600 })).await.ok();
    assert_eq!(ask(&trusting, &with_payload(described(&[]), &later)).await, refused(), "by its jti");

    // Both are judged where there are both.
    let other = claims(&json!({ "jti": "t-4", "sub": "bob" }));
    let both = with_payload(described(&[("authorization", &bearer(&token(&later)))]), &other);
    assert_eq!(ask(&trusting, &both).await, refused());
    let both = with_payload(described(&[("authorization", &bearer(&token(&other)))]), &later);
    assert_eq!(ask(&trusting, &both).await, refused());
    let both = with_payload(described(&[("authorization", &bearer(&token(&other)))]), &other);
    assert!(passes(&trusting, &both).await);
}

#[tokio::test]
async fn a_payload_that_names_no_token_is_refused() {
    let trusting = app(|profile| {
        profile.mode = Mode::Trust;
        profile.without_token = WithoutToken::Pass;
    });
    assert!(passes(&trusting, &described(&[])).await);
    let without_jti = claims(&json!({ "jti": null }));
    assert!(passes(&trusting, &described(&[("authorization", &bearer(&token(&without_jti)))])).await);
    for payload in [
        // What such a token is known by cannot be made of its payload.
        without_jti,
        claims(&json!({ "iss": "https://another" })),
        claims(&json!({ "sub": 7 })),
        claims(&json!({ "exp": 1e300 })),
        json!(null),
        json!("payload"),
        json!([]),
        json!({}),
    ] {
        assert_eq!(ask(&trusting, &with_payload(described(&[]), &payload)).await, refused(), "{payload}");
    }
}

#[tokio::test]
async fn a_gateway_that_is_not_trusted_cannot_vouch_for_a_token() {
    let app = app(|profile| profile.without_token = WithoutToken::Pass);
    let payload = claims(&json!({}));
    assert_eq!(ask(&app, &with_payload(described(&[]), &payload)).await, refused());
    let headers = &[("authorization", &*bearer(&good()))];
    assert!(passes(&app, &with_payload(described(headers), &payload)).await);
    let forgery = bearer(&forged(&payload));
    assert_eq!(ask(&app, &with_payload(described(&[("authorization", &forgery)]), &payload)).await, refused());
    let other = claims(&json!({ "jti": "t-2" }));
    app.post_json("/revoke", &json!({ "jti": "t-2", "exp": START.0 + 600 })).await.ok();
    assert_eq!(ask(&app, &with_payload(described(headers), &other)).await, refused(), "yet it can accuse one");
}

#[tokio::test]
async fn a_payload_too_deep_is_an_error_of_grpc_or_refused() {
    let app = app(|profile| profile.mode = Mode::Trust);
    let code = async |depth| {
        let nested = (0..depth).fold(json!({ "a": 1 }), |inner, _| json!({ "a": inner }));
        let asked = with_payload(described(&[]), &nested).encode_to_vec();
        call(&app, gateway(), request(CHECK, &[], framed(&asked))).await.code
    };
    assert_eq!(code(20).await, Code::Ok);
    assert_ne!(code(200).await, Code::Ok);
}
