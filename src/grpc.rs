//! The gRPC door: Envoy's `ext_authz` v3, the health of this server, and what can be asked of it (reflection). It is on every
//! listener, beside everything else: a gRPC call is a POST over HTTP/2 of its own media type.
//!
//! What a gateway asks is [`crate::gateway`]'s, as at `/auth`, and so is who asks: nothing of a call is read before that is
//! known. An answer of gRPC's own that is not OK says that nobody can say; Envoy does then what its config declares.

mod asked;
mod authorization;
mod described;
mod health;

use std::convert::Infallible;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, Request, Response, Version};
use tonic::Status;
use tonic_health::pb::health_server::HealthServer;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

use crate::http::listener::Peer;
use crate::http::{Gate, Reply, Seen, Trace};
use crate::readiness::Readiness;

pub use described::DescriptorError;

/// How the media types of gRPC begin.
const MEDIA_TYPE: &[u8] = b"application/grpc";

/// A service that is open to all.
type Open = BoxCloneSyncService<Request<Body>, Response<tonic::body::Body>, Infallible>;

/// The door as the listener serves it; what is no gRPC goes on to the gate.
pub struct Grpc {
    gate: Gate,
    health: Open,
    reflection: Open,
    /// The same for clients that do not know version 1 yet.
    reflection_alpha: Open,
}

impl Grpc {
    /// The door beside `gate`, which is well when `readiness` says so.
    ///
    /// # Errors
    /// [`DescriptorError`] where the services cannot be described.
    pub fn new(gate: Gate, readiness: Readiness) -> Result<Self, DescriptorError> {
        let health = HealthServer::new(health::Health::new(readiness));
        let [reflection, reflection_alpha] = described::reflection()?;
        Ok(Self { gate, health: BoxCloneSyncService::new(health), reflection, reflection_alpha })
    }

    /// Answers one request.
    pub fn answer(&self, peer: Peer, request: Request<Body>) -> Reply {
        if !is_grpc(request.version(), request.headers()) {
            return self.gate.answer(peer, request);
        }
        let trace = Trace::start(request.headers(), request.uri().path(), &peer);
        let open = match request.uri().path().split('/').nth(1) {
            Some(authorization::SERVICE) => {
                let http = self.gate.http().cloned();
                return Reply::Later(Box::pin(async move {
                    let (response, caller) = authorization::answer(http, &trace, &peer, request).await;
                    trace.complete(&Method::POST, Some(&Seen { route: authorization::ROUTE, caller }), response)
                }));
            }
            Some(health::SERVICE) => self.health.clone(),
            Some(described::REFLECTION) => self.reflection.clone(),
            Some(described::REFLECTION_ALPHA) => self.reflection_alpha.clone(),
            _ => {
                let response = Status::unimplemented("there is no such service").into_http();
                return Reply::Ready(Some(trace.finish(&Method::POST, response)));
            }
        };
        Reply::Later(Box::pin(async move {
            // It is always ready and cannot fail.
            let Ok(response) = open.oneshot(request).await;
            trace.finish(&Method::POST, response.map(Body::new))
        }))
    }
}

/// Whether a request is a call by gRPC, whose trailers need HTTP/2.
fn is_grpc(version: Version, headers: &HeaderMap) -> bool {
    let is_media_type = |value: &[u8]| value.starts_with(MEDIA_TYPE);
    version == Version::HTTP_2 && headers.get(CONTENT_TYPE).is_some_and(|value| is_media_type(value.as_bytes()))
}
