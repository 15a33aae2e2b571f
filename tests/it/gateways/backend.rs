//! What lies behind or beside a gateway: it answers 200 to everything, and remembers what it was asked.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A request as it arrived.
pub(super) struct Seen {
    pub(super) parts: Parts,
    pub(super) body: Bytes,
}

impl Seen {
    /// Every value of a header.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.parts.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }
}

type Requests = Arc<Mutex<Vec<Seen>>>;

/// It listens until it is dropped.
pub(super) struct Backend {
    pub(super) port: u16,
    requests: Requests,
    task: JoinHandle<()>,
}

impl Backend {
    pub(super) async fn start() -> Self {
        Self::saying(HeaderMap::new(), "").await
    }

    /// One that answers with these headers and this body.
    pub(super) async fn saying(headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Requests::default();
        let router = Router::new().fallback(answer).with_state((Arc::clone(&requests), headers, body.into()));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, requests, task }
    }

    /// What it was asked since it was last asked this.
    pub(super) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    pub(super) fn forget(&self) {
        self.requests.lock().unwrap().clear();
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Answers = (Requests, HeaderMap, Bytes);

async fn answer(State((requests, headers, said)): State<Answers>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1024).await.unwrap();
    requests.lock().unwrap().push(Seen { parts, body });
    let mut response = Response::new(said.into());
    *response.headers_mut() = headers;
    response
}
