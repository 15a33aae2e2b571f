//! Hands the requests of one connection to the service, and notes when they begin and when they are answered.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::{Body as _, Incoming};
use pin_project_lite::pin_project;

use super::Peer;
use super::activity::Activity;
use super::answer::AnswerBody;
use super::body::TimedBody;

/// The service as one connection sees it.
pub(super) struct ConnectionService<S> {
    service: S,
    peer: Peer,
    activity: Arc<Activity>,
    body_timeout: Duration,
}

impl<S> ConnectionService<S> {
    pub(super) const fn new(service: S, peer: Peer, activity: Arc<Activity>, body_timeout: Duration) -> Self {
        Self { service, peer, activity, body_timeout }
    }

    /// An empty body (that of nearly every check) costs neither an allocation nor a timer.
    fn timed(&self, body: Incoming) -> Body {
        if body.is_end_stream() { Body::empty() } else { Body::new(TimedBody::new(body, self.body_timeout)) }
    }
}

impl<S, F, B> hyper::service::Service<Request<Incoming>> for ConnectionService<S>
where
    S: Fn(Peer, Request<Body>) -> F,
    F: Future<Output = Response<B>>,
{
    type Response = Response<AnswerBody<B>>;
    type Error = Infallible;
    type Future = Answering<F>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let request = request.map(|body| self.timed(body));
        self.activity.begin_request();
        let begun = Begun { activity: Arc::clone(&self.activity), is_open: true };
        Answering { answer: (self.service)(self.peer.clone(), request), begun }
    }
}

/// A request that has begun; ended when dropped, so also when the connection goes before the answer comes.
struct Begun {
    activity: Arc<Activity>,
    is_open: bool,
}

impl Begun {
    fn end(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.activity.end_request();
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.end();
    }
}

pin_project! {
    /// An answer that is being made.
    pub(super) struct Answering<F> {
        #[pin]
        answer: F,
        begun: Begun,
    }
}

impl<F: Future<Output = Response<B>>, B> Future for Answering<F> {
    type Output = Result<Response<AnswerBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = std::task::ready!(this.answer.poll(cx));
        let answer = answer.map(|body| AnswerBody::new(body, Arc::clone(&this.begun.activity)));
        this.begun.end();
        Poll::Ready(Ok(answer))
    }
}
