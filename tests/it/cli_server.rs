//! A server on loopback that records what it is asked and answers what a test wants.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::serve::Listener;
use serde_json::Value;
use tokio::sync::oneshot;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    /// How many came before it.
    pub(crate) number: usize,
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Recorded {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers[name].to_str().unwrap().to_owned()
    }

    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let url = reqwest::Url::parse(&format!("http://x{}", self.uri)).unwrap();
        url.query_pairs().find(|(candidate, _)| candidate == name).map(|(_, value)| value.into_owned())
    }
}

/// One answer.
pub(crate) struct Answer {
    status: u16,
    location: Option<String>,
    body: String,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { status, location: None, body: body.to_string() }
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self { status, location: None, body: body.to_owned() }
    }

    pub(crate) fn redirect(location: &str) -> Self {
        Self { status: 307, location: Some(location.to_owned()), body: String::new() }
    }
}

type Judge = dyn Fn(&Recorded) -> Answer + Send + Sync;

/// A running server; stops when dropped.
pub(crate) struct Server {
    /// `host:port`; empty on a socket.
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<Recorded>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Recorded) -> Answer + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Self::run(address, Arc::new(answer), || tokio::net::TcpListener::from_std(listener).unwrap())
    }

    pub(crate) fn start_on_socket(path: &Path, answer: impl Fn(&Recorded) -> Answer + Send + Sync + 'static) -> Self {
        let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self::run(String::new(), Arc::new(answer), || tokio::net::UnixListener::from_std(listener).unwrap())
    }

    fn run<L>(address: String, judge: Arc<Judge>, listen: impl FnOnce() -> L + Send + 'static) -> Self
    where
        L: Listener,
        L::Addr: std::fmt::Debug,
    {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel::<()>();
        let recorded = requests.clone();
        let app = Router::new().fallback(move |request: Request| respond(request, recorded.clone(), judge.clone()));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let serve = axum::serve(listen(), app).into_future();
                tokio::select! {
                    served = serve => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { address, requests, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn respond(request: Request, recorded: Arc<Mutex<Vec<Recorded>>>, judge: Arc<Judge>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 32 * 1_048_576).await.unwrap().to_vec();
    let number = recorded.lock().unwrap().len();
    let (method, uri) = (parts.method.to_string(), parts.uri.to_string());
    let request = Recorded { number, method, uri, headers: parts.headers, body };
    let answer = judge(&request);
    recorded.lock().unwrap().push(request);
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
    if let Some(location) = answer.location {
        response.headers_mut().insert("location", location.parse().unwrap());
    }
    response
}
