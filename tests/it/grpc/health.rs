//! What is said of the server's health by gRPC: that of `/readyz`.

use http_body_util::BodyExt as _;
use prost::Message as _;
use revokd::grpc::Grpc;
use revokd::http::Gate;
use revokd::http::listener::Peer;
use revokd::metrics::Metrics;
use revokd::readiness::{Condition, Readiness};
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::{CHECK, call, described, framed, request};
use crate::http_gateway::{app, gateway};

#[tokio::test]
async fn health_is_readiness_for_checks() {
    let app = app(|_| ());
    let check = async |service: &str| {
        let message = HealthCheckRequest { service: service.to_owned() }.encode_to_vec();
        let peer = Peer::Tcp("192.0.2.1:1".parse().unwrap());
        let called = call(&app, peer, request("/grpc.health.v1.Health/Check", &[], framed(&message))).await;
        let answer = called.messages.first().map(|message| HealthCheckResponse::decode(&message[..]).unwrap().status());
        (called.code, answer)
    };
    for service in ["", "envoy.service.auth.v3.Authorization"] {
        assert_eq!(check(service).await, (Code::Ok, Some(ServingStatus::Serving)));
    }
    assert_eq!(check("another").await, (Code::NotFound, None));
    app.readiness.set(Condition::Writable, false);
    assert_eq!(check("").await.1, Some(ServingStatus::Serving), "a node that cannot write goes on checking");
    app.readiness.set(Condition::Index, false);
    assert_eq!(check("").await.1, Some(ServingStatus::NotServing));
}

#[tokio::test(start_paused = true)]
async fn whoever_watches_is_told_each_change_and_the_end() {
    let readiness = Readiness::new();
    let grpc = Grpc::new(Gate::new(readiness.clone(), Metrics::new()), readiness.clone()).unwrap();
    let message = HealthCheckRequest { service: String::new() }.encode_to_vec();
    let watch = request("/grpc.health.v1.Health/Watch", &[], framed(&message));
    let mut body = grpc.answer(Peer::Unix, watch).await.into_body();
    let mut next = async || loop {
        let frame = body.frame().await?.unwrap();
        if let Ok(data) = frame.into_data() {
            return Some(HealthCheckResponse::decode(&data[5..]).unwrap().status());
        }
    };
    assert_eq!(next().await, Some(ServingStatus::NotServing), "before the start");
    for condition in Condition::ALL {
        readiness.set(condition, true);
    }
    let begun = tokio::time::Instant::now();
    assert_eq!(next().await, Some(ServingStatus::Serving));
    assert!(begun.elapsed().as_secs() <= 1);
    assert_eq!(next().await, Some(ServingStatus::Serving), "and again, so that it is seen who listens");
    assert!(begun.elapsed().as_secs() >= 5);
    readiness.set(Condition::Running, false);
    assert_eq!(next().await, Some(ServingStatus::NotServing));
    assert_eq!(next().await, None, "nobody holds up the stop");
}

#[tokio::test]
async fn before_it_is_ready_a_gate_says_so_by_grpc_too() {
    let readiness = Readiness::new();
    let grpc = Grpc::new(Gate::new(readiness.clone(), Metrics::new()), readiness).unwrap();
    let asked = request(CHECK, &[], framed(&described(&[]).encode_to_vec()));
    let response = grpc.answer(gateway(), asked).await;
    assert_eq!((response.status().as_u16(), &response.headers()["grpc-status"]), (200, &"14".parse().unwrap()));
}
