//! Envoy, by `ext_authz` over gRPC.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::auth::v3::authorization_server::{Authorization, AuthorizationServer};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse, OkHttpResponse};
use envoy_types::pb::google::rpc;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

use super::super::backend::Backend;
use super::super::process::{Addresses, Gateway, Process};
use super::super::smuggling::{ours, with};
use super::super::wire::{self, Protocol};

static ENVOY_GRPC: Gateway = Gateway { files: &["envoy/envoy-grpc.yaml"], command: by_grpc, ..super::CLOSED };

fn by_grpc(_: &Path, _: Protocol) -> Command {
    super::command("envoy-grpc.yaml")
}

stands_every_trial!(ENVOY_GRPC);

/// In the place of revokd: it lets everybody pass, and remembers what it was told.
#[derive(Default)]
struct Anybody(Mutex<Vec<Request<CheckRequest>>>);

#[tonic::async_trait]
impl Authorization for Anybody {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        self.0.lock().unwrap().push(request);
        let (key, value) = ("x-auth-subject".to_owned(), "alice".to_owned());
        let header = Some(HeaderValue { key, value, raw_value: Vec::new() });
        let ok = OkHttpResponse {
            headers: vec![HeaderValueOption { header, append_action: 2, ..HeaderValueOption::default() }],
            ..OkHttpResponse::default()
        };
        let http_response = Some(HttpResponse::OkResponse(ok));
        let status = Some(rpc::Status::default());
        Ok(Response::new(CheckResponse { status, http_response, dynamic_metadata: None }))
    }
}

#[tokio::test]
async fn revokd_is_told_nothing_that_a_client_could_forge() {
    let (anybody, backend) = (Arc::new(Anybody::default()), Backend::start().await);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let revokd = listener.local_addr().unwrap().port();
    let service = Router::new().fallback_service(AuthorizationServer::from_arc(Arc::clone(&anybody)));
    let serving = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    let key = "the-gateways-own".to_owned();
    let addresses = Addresses { revokd, backend: backend.port, others: Vec::new(), key };
    let process = Process::start(&ENVOY_GRPC, Protocol::Http1, &addresses).await;
    anybody.0.lock().unwrap().clear();
    backend.forget();
    let answer = wire::get(&reqwest::Client::new(), process.port, &with("Bearer a")).await;
    assert_eq!(answer.status, 200, "{answer:?}\n{}", process.log());
    serving.abort();
    let told = std::mem::take(&mut *anybody.0.lock().unwrap());
    assert_eq!(told.len(), 1);
    let keys: Vec<_> = told[0].metadata().get_all("x-api-key").iter().collect();
    assert_eq!(keys, ["the-gateways-own"]);
    let attributes = told[0].get_ref().attributes.clone().unwrap();
    assert!(attributes.metadata_context.unwrap_or_default().filter_metadata.is_empty());
    let http = attributes.request.unwrap().http.unwrap();
    assert!(http.headers.is_empty() && http.body.is_empty() && http.raw_body.is_empty());
    let headers = http.header_map.unwrap().headers;
    let headers: Vec<_> = headers.iter().map(|header| (&*header.key, &header.raw_value[..])).collect();
    let named =
        |wanted: &str| headers.iter().filter(|(name, _)| *name == wanted).map(|(_, value)| *value).collect::<Vec<_>>();
    assert_eq!(named("authorization"), [b"Bearer a"]);
    let is_ours = |name: &str| name == "x-api-key" || name.starts_with("x-jwt-") || name.starts_with("x-auth-");
    assert!(!headers.iter().any(|(name, _)| is_ours(&name.replace('_', "-"))), "{headers:?}");
    assert_eq!(ours(&backend.seen()[0].parts.headers), [("x-auth-subject", "alice")]);
}
