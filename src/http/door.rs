//! The door as the listener serves it: what every request passes through on its way to its row of the table.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{Method, Request};
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use tower::Service as _;

use super::error::ApiError;
use super::listener::Peer;
use super::trace::Trace;
use super::{
    Access, Http, ROUTES, Route, audit, auth, check, forward_auth, method_not_allowed, openapi, probes, revoke,
};
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::revocation::Unavailable;

/// What every connection is served by.
pub struct Door {
    http: Arc<Http>,
    router: Router,
    /// The row of nearly all traffic.
    check: Option<&'static Route>,
    /// The row of most of what else there is.
    revoke: Option<&'static Route>,
    /// The row of gateways, for all that they ask.
    gateway: Option<&'static Route>,
}

impl Door {
    /// The door to `http`.
    #[must_use]
    pub fn new(http: Arc<Http>) -> Self {
        let router = router(&http);
        let row = |path| ROUTES.iter().find(|route| route.path == path);
        Self { http, router, check: row(check::BY_PATH), revoke: row(revoke::PATH), gateway: row(forward_auth::PATH) }
    }

    /// Answers one request.
    ///
    /// A check by path that the front filter can answer, which is nearly all traffic, skips the router: it is guarded by
    /// the same row of [`ROUTES`] and answered by the same functions, at once, without the future and the allocations in
    /// between. So does a revoke, but for the future.
    pub fn answer(&self, peer: Peer, request: Request<Body>) -> Reply {
        let (mut parts, body) = request.into_parts();
        let trace = Trace::start(&parts.headers, parts.uri.path(), &peer);
        if let Some(route) = self.check.filter(|_| check::is_by_path(&parts))
            && let Some((response, seen)) = check::inline(&self.http, route, &trace, &peer, &mut parts)
        {
            audit::refused::note(&self.http, &trace, Some(&seen), &response);
            return Reply::Ready(Some(trace.complete(&parts.method, Some(&seen), response)));
        }
        if let Some(route) = self.revoke.filter(|route| route.path == parts.uri.path() && route.method == parts.method)
        {
            let http = Arc::clone(&self.http);
            return Reply::Later(Box::pin(async move {
                let (response, seen) = revoke::guarded(&http, route, &trace, &peer, &parts, body).await;
                audit::refused::note(&http, &trace, Some(&seen), &response);
                trace.complete(&parts.method, Some(&seen), response)
            }));
        }
        if let Some(route) = self.gateway.filter(|_| forward_auth::is_at(parts.uri.path())) {
            let http = Arc::clone(&self.http);
            return Reply::Later(Box::pin(async move {
                let (response, seen) = forward_auth::answer(&http, route, &trace, &peer, &parts).await;
                trace.complete(&parts.method, Some(&seen), response)
            }));
        }
        let mut router = self.router.clone();
        let http = Arc::clone(&self.http);
        Reply::Later(Box::pin(async move {
            let method = parts.method.clone();
            parts.extensions.insert(peer);
            parts.extensions.insert(trace.clone());
            // A router is always ready and cannot fail.
            let Ok(response) = router.call(Request::from_parts(parts, body)).await;
            audit::refused::note(&http, &trace, response.extensions().get(), &response);
            trace.finish(&method, response)
        }))
    }
}

fn router(http: &Arc<Http>) -> Router {
    let rows = ROUTES.iter().filter(|route| route.access != Access::Gateway).fold(Router::new(), |router, route| {
        let guard = middleware::from_fn_with_state((Arc::clone(http), route), auth::guard);
        let endpoint = (route.endpoint)();
        let is_guarded_get = route.access != Access::Open && route.method == Method::GET;
        // axum would answer HEAD by doing all the work of GET.
        let endpoint = if is_guarded_get { endpoint.head(method_not_allowed) } else { endpoint };
        router.route(route.path, endpoint.route_layer(guard))
    });
    let refuse = async || ApiError::NotFound("there is nothing at this path");
    rows.method_not_allowed_fallback(method_not_allowed).fallback(refuse).with_state(Arc::clone(http))
}

/// An answer that is there, or being made.
pub enum Reply {
    /// There; taken by the first poll.
    Ready(Option<Response>),
    /// Being made.
    Later(Pin<Box<dyn Future<Output = Response> + Send>>),
}

impl Future for Reply {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        match &mut *self {
            Self::Ready(response) => response.take().map_or(Poll::Pending, Poll::Ready),
            Self::Later(response) => response.as_mut().poll(context),
        }
    }
}

/// What is served before the denylist has caught up: what is open to all, and 503 for everything else (promise 10).
/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Gate {
    door: Arc<OnceLock<Door>>,
    readiness: Readiness,
    metrics: Metrics,
}

impl Gate {
    /// A gate that is shut, which says by `readiness` why.
    #[must_use]
    pub fn new(readiness: Readiness, metrics: Metrics) -> Self {
        Self { door: Arc::default(), readiness, metrics }
    }

    /// Lets requests through to `door`, for good. A second opening changes nothing.
    pub fn open(&self, door: Door) {
        let _ = self.door.set(door);
    }

    /// What the door works with, once it is open.
    pub(crate) fn http(&self) -> Option<&Arc<Http>> {
        self.door.get().map(|door| &door.http)
    }

    /// Answers one request. Costs one atomic read more than the door behind it.
    pub fn answer(&self, peer: Peer, request: Request<Body>) -> Reply {
        match self.door.get() {
            Some(door) => door.answer(peer, request),
            None => Reply::Ready(Some(self.shut(&peer, &request))),
        }
    }

    fn shut(&self, peer: &Peer, request: &Request<Body>) -> Response {
        let answer = match request.uri().path() {
            "/livez" => ().into_response(),
            "/readyz" => probes::ready(&self.readiness, request.uri(), String::new).into_response(),
            "/metrics" => probes::exposition(&self.metrics, &self.readiness, request.uri()).into_response(),
            "/openapi.json" => openapi::served(request.uri()).into_response(),
            path if forward_auth::is_at(path) => forward_auth::unavailable(),
            _ => ApiError::from(Unavailable::NotReady).into_response(),
        };
        Trace::start(request.headers(), request.uri().path(), peer).finish(request.method(), answer)
    }
}
