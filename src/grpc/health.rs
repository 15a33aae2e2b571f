//! `grpc.health.v1.Health`: what `/readyz` says, for those who ask by gRPC.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior};
use tonic::codegen::tokio_stream::Stream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{self, HealthCheckRequest, HealthCheckResponse};

use super::authorization;
use crate::readiness::{Condition, Purpose, Readiness};

pub(super) const SERVICE: &str = "grpc.health.v1.Health";

/// How often a watched status is looked at.
const BEAT: Duration = Duration::from_secs(1);

/// How often it is said again, so that whoever watches is seen to take what is sent.
const AGAIN: Duration = Duration::from_secs(5);

/// Answers by the server's readiness for checks.
pub(super) struct Health {
    readiness: Readiness,
}

impl Health {
    pub(super) const fn new(readiness: Readiness) -> Self {
        Self { readiness }
    }

    fn status(&self) -> ServingStatus {
        let is_ready = self.readiness.is_ready_for(Purpose::Checks);
        if is_ready { ServingStatus::Serving } else { ServingStatus::NotServing }
    }
}

/// Whether there is such a service; the empty name is that of the whole server.
fn is_known(request: &HealthCheckRequest) -> bool {
    ["", authorization::SERVICE].contains(&&*request.service)
}

#[tonic::async_trait]
impl pb::health_server::Health for Health {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        if !is_known(request.get_ref()) {
            return Err(Status::not_found("there is no such service"));
        }
        Ok(Response::new(HealthCheckResponse { status: self.status().into() }))
    }

    type WatchStream = Watch;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Watch>, Status> {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let health = is_known(request.get_ref()).then(|| Self::new(self.readiness.clone()));
        Ok(Response::new(Watch { health, beat, said: None }))
    }
}

/// What a watcher is told: the status, each change of it, and the same again now and then. Ends when the server stops.
pub(super) struct Watch {
    /// `None` for a service that there is not, and will not be.
    health: Option<Health>,
    beat: Interval,
    said: Option<(ServingStatus, Instant)>,
}

impl Watch {
    fn status(&self) -> ServingStatus {
        self.health.as_ref().map_or(ServingStatus::ServiceUnknown, Health::status)
    }

    /// Whether the last has been said: the server stops, and waits for nobody who watches it do so.
    fn is_over(&self) -> bool {
        let is_stopping = |health: &Health| health.readiness.has_ceased(Condition::Running);
        self.said.is_some_and(|(status, _)| status != ServingStatus::Serving)
            && self.health.as_ref().is_some_and(is_stopping)
    }
}

impl Stream for Watch {
    type Item = Result<HealthCheckResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.is_over() {
                return Poll::Ready(None);
            }
            let now = ready!(self.beat.poll_tick(context));
            let status = self.status();
            if self.said.is_none_or(|(said, at)| said != status || now.duration_since(at) >= AGAIN) {
                self.said = Some((status, now));
                return Poll::Ready(Some(Ok(HealthCheckResponse { status: status.into() })));
            }
        }
    }
}
