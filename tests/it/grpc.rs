//! The gRPC door: what Envoy asks by `ext_authz` v3, health and reflection. An answer of gRPC's own that is not OK is how Envoy
//! learns that nobody can say.

mod health;
mod payloads;

use std::collections::HashMap;
use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, Version};
use envoy_types::pb::envoy::config::core::v3::{HeaderMap as RawHeaders, HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request as Described};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use prost::Message as _;
use revokd::gateway::WhenUnavailable;
use revokd::http::listener::Peer;
use revokd::keys::Scope;
use revokd::readiness::Condition;
use serde_json::json;
use tonic::Code;
use tonic::codegen::tokio_stream;

use super::http_gateway::{ISS, app, claims, gateway, good};
use super::test_app::{TestApp, forged, token};

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// What a call is answered: gRPC's own code and message, and the messages in the body.
struct Called {
    code: Code,
    message: String,
    headers: HeaderMap,
    messages: Vec<Vec<u8>>,
}

/// A message as it stands in a body: a byte for "not compressed", and the length.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat()
}

fn request(path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let request = Request::post(path).version(Version::HTTP_2).header("content-type", "application/grpc");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(body.into()).unwrap()
}

async fn call(app: &TestApp, peer: Peer, request: Request<Body>) -> Called {
    let (parts, body) = app.answer(peer, request).await.into_parts();
    assert_eq!(parts.status, 200, "gRPC says its own");
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let text = |name| trailers.get(name).or(parts.headers.get(name)).map(|value| value.to_str().unwrap().to_owned());
    let code = text("grpc-status").unwrap().parse::<i32>().unwrap();
    let mut bytes = &collected.to_bytes()[..];
    let mut messages = Vec::new();
    while let [_, a, b, c, d, rest @ ..] = bytes {
        let (message, rest) = rest.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        messages.push(message.to_vec());
        bytes = rest;
    }
    let message = text("grpc-message").unwrap_or_default();
    Called { code: code.into(), message, headers: parts.headers, messages }
}

/// A request that Envoy describes by these headers of its client's.
fn described(headers: &[(&str, &str)]) -> CheckRequest {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    of_http(HttpRequest { headers, ..HttpRequest::default() })
}

fn of_http(http: HttpRequest) -> CheckRequest {
    let request = Some(Described { http: Some(http), time: None });
    CheckRequest { attributes: Some(AttributeContext { request, ..AttributeContext::default() }) }
}

/// What Envoy is told to do.
#[derive(Debug, PartialEq)]
enum Told {
    /// Let it pass with these headers, and without those.
    Pass(HashMap<String, String>, Vec<String>),
    /// Answer 401 with this challenge.
    Deny(String),
    /// Nobody can say.
    Nothing,
}

async fn ask(app: &TestApp, asked: &CheckRequest) -> Told {
    ask_as(app, gateway(), &[], asked).await
}

async fn ask_as(app: &TestApp, peer: Peer, headers: &[(&str, &str)], asked: &CheckRequest) -> Told {
    let called = call(app, peer, request(CHECK, headers, framed(&asked.encode_to_vec()))).await;
    assert_eq!(called.headers["cache-control"], "no-store");
    if called.code == Code::Unavailable {
        assert!(called.messages.is_empty() && !called.message.is_empty());
        return Told::Nothing;
    }
    assert_eq!((called.code, called.messages.len()), (Code::Ok, 1), "{}", called.message);
    let answer = CheckResponse::decode(&called.messages[0][..]).unwrap();
    let pairs = |options: Vec<HeaderValueOption>| {
        const OVERWRITE: i32 = 2;
        assert!(options.iter().all(|option| option.append_action == OVERWRITE), "{options:?}");
        let headers = options.into_iter().map(|option| option.header.unwrap());
        headers.map(|header| (header.key, header.value)).collect::<HashMap<_, _>>()
    };
    match (answer.status.unwrap().code, answer.http_response.unwrap()) {
        (0, HttpResponse::OkResponse(ok)) => Told::Pass(pairs(ok.headers), ok.headers_to_remove),
        (16, HttpResponse::DeniedResponse(denied)) => {
            assert_eq!((denied.status.unwrap().code, &*denied.body), (401, ""));
            let mut headers = pairs(denied.headers);
            assert_eq!(headers.len(), 1);
            Told::Deny(headers.remove("www-authenticate").unwrap())
        }
        other => panic!("{other:?}"),
    }
}

fn refused() -> Told {
    Told::Deny("Bearer error=\"invalid_token\"".to_owned())
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

async fn passes(app: &TestApp, asked: &CheckRequest) -> bool {
    match ask(app, asked).await {
        Told::Pass(..) => true,
        Told::Deny(_) => false,
        Told::Nothing => panic!("nobody can say"),
    }
}

#[tokio::test]
async fn a_good_token_passes_and_its_claims_are_said_and_nobody_elses() {
    let app = app(|_| ());
    let Told::Pass(said, removed) = ask(&app, &described(&[("authorization", &bearer(&good()))])).await else {
        panic!()
    };
    let seq = app.denylist.status().last_seq.to_string();
    let expected = [
        ("x-auth-subject", "alice"),
        ("x-auth-issuer", ISS),
        ("x-auth-client-id", "shop"),
        ("x-auth-jti", "t-1"),
        ("x-revocation-seq", &seq),
    ];
    assert_eq!(said, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(removed, [""; 0]);
    let bare = token(&claims(&json!({ "jti": null, "sub": null, "client_id": null })));
    let Told::Pass(said, removed) = ask(&app, &described(&[("authorization", &bearer(&bare))])).await else { panic!() };
    assert_eq!(said.len(), 2);
    assert_eq!(removed, ["x-auth-subject", "x-auth-client-id", "x-auth-jti"], "what is not said nobody may have said");
    assert_eq!(app.metric("revokd_checks_total{face=\"grpc\",result=\"good\"}").await, 2);
    assert_eq!(app.metric("revokd_gateway_requests_total{result=\"passed\",gateway=\"gate\"}").await, 2);
}

#[tokio::test]
async fn what_is_revoked_forged_or_ambiguous_is_refused() {
    let app = app(|_| ());
    let asked = described(&[("authorization", &bearer(&good()))]);
    assert!(passes(&app, &asked).await);
    app.post_json("/revoke", &json!({ "token": good() })).await.ok();
    assert_eq!(ask(&app, &asked).await, refused());
    let other = claims(&json!({ "jti": "t-2" }));
    let (good, forged) = (bearer(&token(&other)), bearer(&forged(&other)));
    for headers in [&[("authorization", &*forged)][..], &[("authorization", "Basic YQ==")], &[("authorization", "")]] {
        assert_eq!(ask(&app, &described(headers)).await, refused(), "{headers:?}");
    }
    let joined = format!("{good},{good}");
    assert_eq!(ask(&app, &described(&[("authorization", &joined)])).await, refused(), "Envoy joins what is repeated");
    let raw = |value: &str| HeaderValue {
        key: "authorization".to_owned(),
        raw_value: value.into(),
        ..HeaderValue::default()
    };
    let raw = |values: &[&str]| {
        let header_map = Some(RawHeaders { headers: values.iter().map(|value| raw(value)).collect() });
        of_http(HttpRequest { header_map, ..HttpRequest::default() })
    };
    assert!(passes(&app, &raw(&[&good])).await);
    assert_eq!(ask(&app, &raw(&[&good, &good])).await, refused());
    let nothing = Told::Deny("Bearer".to_owned());
    for asked in [described(&[]), CheckRequest::default(), described(&[("Authorization", &good)])] {
        assert_eq!(ask(&app, &asked).await, nothing);
    }
    assert_eq!(app.metric("revokd_checks_total{face=\"grpc\",result=\"revoked\"}").await, 9);
}

#[tokio::test]
async fn a_caller_that_is_no_gateway_of_ours_is_told_that_nobody_can_say() {
    let app = app(|_| ());
    let key = app.key_with(&[Scope::Check]);
    let asked = described(&[("authorization", &bearer(&good())), ("x-api-key", &key)]);
    let peer = || Peer::Tcp("192.0.2.1:1".parse().unwrap());
    assert!(matches!(ask_as(&app, peer(), &[("x-api-key", &key)], &asked).await, Told::Pass(..)));
    let wrong = app.key_with(&[Scope::Revoke]);
    let own = bearer(&key);
    for headers in [
        &[][..],
        &[("x-api-key", "revokd_0123456789ab_x")],
        &[("x-api-key", &*wrong)],
        &[("x-api-key", &*key), ("x-api-key", &*key)],
        &[("authorization", &*own)],
    ] {
        assert_eq!(ask_as(&app, peer(), headers, &asked).await, Told::Nothing, "{headers:?}");
    }
    // Before a byte of it is read.
    let endless = Body::new(StreamBody::new(tokio_stream::pending::<Result<Frame<Bytes>, Infallible>>()));
    assert_eq!(call(&app, peer(), request(CHECK, &[], endless)).await.code, Code::Unavailable);
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_an_error_of_grpc() {
    let app = app(|_| ());
    let large = described(&[("authorization", &"x".repeat(256 << 10))]).encode_to_vec();
    let compressed = [&[1][..], &framed(&described(&[]).encode_to_vec())[1..]].concat();
    let short = &framed(&described(&[]).encode_to_vec())[..7];
    let cases = [
        framed(b"\xff\xff\xff"),
        framed(&large),
        compressed,
        short.to_vec(),
        b"\0".to_vec(),
        Vec::new(),
        b"{}".repeat(9),
    ];
    for body in cases {
        let called = call(&app, gateway(), request(CHECK, &[], body.clone())).await;
        assert!(called.code != Code::Ok && called.messages.is_empty(), "{body:?}");
    }
    for path in
        ["/envoy.service.auth.v3.Authorization/Else", "/envoy.service.auth.v2.Authorization/Check", "/check", "/"]
    {
        let called = call(&app, gateway(), request(path, &[], framed(b""))).await;
        assert_eq!((called.code, called.messages.len()), (Code::Unimplemented, 0), "{path}");
    }
    assert!(passes(&app, &described(&[("authorization", &bearer(&good()))])).await);
}

#[tokio::test]
async fn doubt_is_an_error_of_grpc_unless_the_profile_is_open() {
    // Without a jti no read says that all is known.
    let asked = described(&[("x-jwt-sub", "alice")]);
    let ask = async |unavailable| {
        let app = app(|profile| (profile.claim_headers, profile.unavailable) = (true, unavailable));
        app.readiness.set(Condition::Filter, false);
        let told = ask(&app, &asked).await;
        assert_eq!(app.metric("revokd_checks_total{face=\"grpc\",result=\"unavailable\"}").await, 1);
        told
    };
    assert_eq!(ask(WhenUnavailable::Closed).await, Told::Nothing);
    let Told::Pass(said, removed) = ask(WhenUnavailable::Open).await else { panic!() };
    assert_eq!((said.len(), removed.len()), (1, 4), "nothing is said of a token that nobody has judged");
}

#[tokio::test]
async fn only_a_call_over_http_2_of_grpcs_own_media_type_is_one() {
    let app = app(|_| ());
    let mut over_1 = request(CHECK, &[], framed(b""));
    *over_1.version_mut() = Version::HTTP_11;
    assert_eq!(app.send_from(gateway(), over_1).await.status, 404);
    let mut json = request("/livez", &[], Vec::new());
    json.headers_mut().insert("content-type", "application/json".parse().unwrap());
    *json.method_mut() = Method::GET;
    assert_eq!(app.send_from(gateway(), json).await.status, 200);
}
