//! What is served before the denylist has caught up: probes, and 503 for everything else (promise 10).

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::Request;
use axum::response::{IntoResponse, Response};
use tower::Service;

use super::error::ApiError;
use super::trace::Trace;
use crate::revocation::Unavailable;

/// A service that is shut until [`Gate::open`]. Costs one atomic read for each request afterwards.
pub struct Gate<S> {
    service: Arc<OnceLock<S>>,
}

impl<S> Clone for Gate<S> {
    fn clone(&self) -> Self {
        Self { service: self.service.clone() }
    }
}

impl<S> Default for Gate<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Gate<S> {
    /// A gate that is shut.
    #[must_use]
    pub fn new() -> Self {
        Self { service: Arc::new(OnceLock::new()) }
    }

    /// Lets requests through to `service`, for good.
    pub fn open(&self, service: S) {
        // A second opening changes nothing.
        let _ = self.service.set(service);
    }
}

impl<S> Service<Request<Body>> for Gate<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = GateFuture<S::Future>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.service.get() {
            Some(service) => GateFuture::Through { future: service.clone().call(request) },
            None => GateFuture::Shut { answer: Some(shut(&request)) },
        }
    }
}

fn shut(request: &Request<Body>) -> Response {
    let answer = match request.uri().path() {
        "/livez" => ().into_response(),
        _ => ApiError::from(Unavailable::NotReady).into_response(),
    };
    Trace::start(request.headers()).finish(request.method(), answer)
}

pin_project_lite::pin_project! {
    /// The answer of a [`Gate`].
    #[project = Projected]
    #[allow(missing_docs)]
    pub enum GateFuture<F> {
        /// Of the service behind it.
        Through { #[pin] future: F },
        /// Of the gate itself.
        Shut { answer: Option<Response> },
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for GateFuture<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projected::Through { future } => future.poll(context),
            Projected::Shut { answer } => answer.take().map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer))),
        }
    }
}
