//! `envoy.service.auth.v3.Authorization/Check`: whether a request that Envoy describes may pass.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::auth::v3::authorization_server::{Authorization, AuthorizationServer};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::rpc;
use tonic::{Code, Status};
use tower::ServiceExt as _;

use super::asked::Asked;
use crate::gateway::{Passed, Reason, Ruling};
use crate::http::listener::Peer;
use crate::http::{Http, Trace, extract, forward_auth};
use crate::keys::Caller;

pub(super) const SERVICE: &str = "envoy.service.auth.v3.Authorization";

/// How the access log calls it.
pub(super) const ROUTE: &str = "/envoy.service.auth.v3.Authorization/Check";

/// Answers a call, once it is known whose it is; and gives the id of the caller.
pub(super) async fn answer(
    http: Option<Arc<Http>>,
    trace: &Trace,
    peer: &Peer,
    request: Request<Body>,
) -> (Response<Body>, Arc<str>) {
    let nobody = || Arc::from("");
    let Some(http) = http else { return (unavailable("not ready").into_http(), nobody()) };
    let (parts, body) = request.into_parts();
    let Some(caller) = forward_auth::admit(&http, trace, &parts.headers, peer) else {
        return (unavailable("the gateway is not known").into_http(), nobody());
    };
    let id = Arc::clone(&caller.id);
    // Read by the door's own means: within its limits, and counted among all the bodies that it holds.
    let (message, _held) = match extract::message(&http, &caller, &parts.headers, body).await {
        Ok(message) => message.into_parts(),
        Err(error) => return (unavailable(error.to_string()).into_http(), id),
    };
    let judge = Judge { http: Arc::clone(&http), trace: trace.clone(), caller };
    let Ok(response) = AuthorizationServer::new(judge).oneshot(Request::from_parts(parts, Body::from(message))).await;
    (response.map(Body::new), id)
}

/// Nobody can say. Envoy does then what its `failure_mode_allow` and `status_on_error` declare.
fn unavailable(why: impl Into<String>) -> Status {
    Status::unavailable(why)
}

/// Judges the one request of a call.
struct Judge {
    http: Arc<Http>,
    trace: Trace,
    caller: Caller,
}

#[tonic::async_trait]
impl Authorization for Judge {
    async fn check(&self, request: tonic::Request<CheckRequest>) -> Result<tonic::Response<CheckResponse>, Status> {
        let mut asked = Asked::of(request.into_inner());
        let payloads = asked.payloads();
        let (http, door) = (&self.http, &self.http.checks().grpc);
        match forward_auth::rule(http, door, &self.trace, &self.caller, &asked, &payloads).await {
            Ruling::Pass(passed) => Ok(tonic::Response::new(ok(&passed))),
            Ruling::Refuse(reason) => Ok(tonic::Response::new(denied(reason))),
            Ruling::Unavailable(doubt) => Err(unavailable(doubt.to_string())),
        }
    }
}

/// It may pass, with what the backend may want to know of it, and without what only revokd may say and has not said.
fn ok(passed: &Passed) -> CheckResponse {
    let claims = forward_auth::claims(passed);
    let unsaid = forward_auth::SAID.into_iter().filter(|name| !claims.contains_key(name));
    let response = OkHttpResponse {
        headers: headers(&claims),
        headers_to_remove: unsaid.map(|name| name.to_string()).collect(),
        ..OkHttpResponse::default()
    };
    answered(Code::Ok, HttpResponse::OkResponse(response))
}

/// It may not.
fn denied(reason: Reason) -> CheckResponse {
    let challenge = HeaderMap::from_iter([(WWW_AUTHENTICATE, forward_auth::challenge(reason))]);
    let response = DeniedHttpResponse {
        status: Some(HttpStatus { code: StatusCode::UNAUTHORIZED.as_u16().into() }),
        headers: headers(&challenge),
        body: String::new(),
    };
    answered(Code::Unauthenticated, HttpResponse::DeniedResponse(response))
}

fn answered(code: Code, response: HttpResponse) -> CheckResponse {
    let status = rpc::Status { code: code.into(), ..rpc::Status::default() };
    CheckResponse { status: Some(status), http_response: Some(response), dynamic_metadata: None }
}

/// Headers that replace any of their name.
fn headers(map: &HeaderMap) -> Vec<HeaderValueOption> {
    let option = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_string(),
            // All of them are ASCII.
            value: value.to_str().unwrap_or_default().to_owned(),
            raw_value: Vec::new(),
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    };
    map.iter().map(option).collect()
}
