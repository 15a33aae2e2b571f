//! The listener on real sockets: well-behaved clients are served, the others do not last.

mod h2;
mod http1;
mod limits;
mod stop;
mod tls;
mod unix;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Router, body};
use revokd::http::listener::{Address, BodyTimeout, Bound, ConnectionLimits, Peer, Served, serve};
use revokd::metrics::Metrics;
use revokd::readiness::Readiness;
use revokd::shutdown::{Phase, Stop};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower::Service as _;

/// Longer than anything that is expected to happen.
const LONG: Duration = Duration::from_secs(10);
/// A limit that a test means to pass.
const SHORT: Duration = Duration::from_millis(100);
/// Bytes of `/large`: more than sockets' buffers hold.
const LARGE_BYTES: usize = 32 * 1024 * 1024;

/// Limits that no test passes by accident; each sets the one that it is about.
fn patient() -> ConnectionLimits {
    ConnectionLimits {
        connections_max: 100,
        handshake_timeout: LONG,
        header_timeout: LONG,
        body_timeout: LONG,
        idle_timeout: LONG,
        write_timeout: LONG,
        grace: LONG,
    }
}

/// What holds requests to `/gate` back.
#[derive(Clone)]
struct Gate {
    /// A permit lets one request through.
    open: Arc<Semaphore>,
    /// Requests that have come to the gate.
    come: Arc<AtomicUsize>,
}

struct Server {
    address: SocketAddr,
    stop: Stop,
    metrics: Metrics,
    gate: Gate,
    served: JoinHandle<Served>,
}

impl Server {
    async fn start(limits: ConnectionLimits) -> Self {
        let bound = Bound::bind(&Address::Tcp("127.0.0.1:0".to_owned())).await.unwrap();
        let address = bound.tcp_address().unwrap();
        Self::start_on(vec![bound], address, limits)
    }

    fn start_on(listeners: Vec<Bound>, address: SocketAddr, limits: ConnectionLimits) -> Self {
        Self::start_counting(listeners, address, limits, Metrics::new())
    }

    fn start_counting(listeners: Vec<Bound>, address: SocketAddr, limits: ConnectionLimits, metrics: Metrics) -> Self {
        let stop = Stop::new();
        let gate = Gate { open: Arc::new(Semaphore::new(0)), come: Arc::default() };
        let connections = metrics.connections.clone();
        let served = tokio::spawn(serve(listeners, service(gate.clone()), limits, connections, stop.clone()));
        Self { address, stop, metrics, gate, served }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// Stops the server and waits for its end.
    async fn stop(self) -> Served {
        self.stop.advance(Phase::Closing);
        timeout(LONG, self.served).await.expect("does not stop").unwrap()
    }

    fn metric(&self, name: &str) -> f64 {
        let text = self.metrics.render(&Readiness::new());
        let line = text.lines().find(|line| line.split(' ').next() == Some(name)).expect("no such metric");
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    }

    /// Waits until `count` requests have come to the gate.
    async fn until_waiting(&self, count: usize) {
        let come = async {
            while self.gate.come.load(Ordering::SeqCst) < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, come).await.expect("no request came to the gate");
    }

    /// Waits until `metric` has `value`.
    async fn until_metric(&self, name: &str, value: f64) {
        let reached = async {
            while (self.metric(name) - value).abs() > f64::EPSILON {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(LONG, reached).await.is_ok(), "{name} is {}, not {value}", self.metric(name));
    }
}

fn service(gate: Gate) -> impl Fn(Peer, Request<Body>) -> Pin<Box<dyn Future<Output = Response> + Send>> + Clone {
    let router = router(gate);
    move |peer, mut request| {
        request.extensions_mut().insert(peer);
        let mut router = router.clone();
        Box::pin(async move { router.call(request).await.unwrap() })
    }
}

fn router(gate: Gate) -> Router {
    Router::new()
        .route("/", get(|| async { "ok" }))
        .route("/local", get(|Extension(peer): Extension<Peer>| async move { peer.is_local().to_string() }))
        .route("/caller", get(|Extension(peer): Extension<Peer>| async move { caller(&peer) }))
        .route("/large", get(|| async { Body::from(vec![b'x'; LARGE_BYTES]) }))
        .route("/gate", get(through_gate))
        .route("/length", post(length))
        .with_state(gate)
}

/// Who the peer is by its certificate.
fn caller(peer: &Peer) -> String {
    peer.caller().map(|caller| caller.id.to_string()).unwrap_or_default()
}

async fn through_gate(State(gate): State<Gate>) -> &'static str {
    gate.come.fetch_add(1, Ordering::SeqCst);
    gate.open.acquire().await.unwrap().forget();
    "through"
}

async fn length(request: Body) -> (StatusCode, String) {
    let whole: Result<Bytes, _> = body::to_bytes(request, usize::MAX).await;
    match whole {
        Ok(bytes) => (StatusCode::OK, bytes.len().to_string()),
        Err(error) => {
            let mut causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            let timed_out = causes.any(<dyn std::error::Error>::is::<BodyTimeout>);
            (if timed_out { StatusCode::REQUEST_TIMEOUT } else { StatusCode::BAD_REQUEST }, error.to_string())
        }
    }
}

/// A client that speaks bytes.
struct Client(TcpStream);

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    async fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    }

    /// Reads until `end` has come.
    async fn read_until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        let read = async {
            while !text.ends_with(end.as_bytes()) {
                let mut chunk = [0; 4096];
                let bytes = self.0.read(&mut chunk).await.unwrap();
                assert!(bytes > 0, "closed after {:?}", String::from_utf8_lossy(&text));
                text.extend_from_slice(&chunk[..bytes]);
            }
        };
        assert!(timeout(LONG, read).await.is_ok(), "no {end:?}");
        String::from_utf8(text).unwrap()
    }

    /// Reads until the server closes. A reset is an end too.
    async fn read_to_end(&mut self) -> String {
        let mut text = Vec::new();
        let _reset = timeout(LONG, self.0.read_to_end(&mut text)).await.expect("not closed");
        String::from_utf8(text).unwrap()
    }

    /// Sends `byte` again and again until the server closes.
    async fn trickle(&mut self, byte: u8) {
        let (mut reader, mut writer) = self.0.split();
        let sending = async {
            while writer.write_all(&[byte]).await.is_ok() {
                tokio::time::sleep(SHORT / 5).await;
            }
        };
        let closed = async {
            let mut sink = [0; 4096];
            while reader.read(&mut sink).await.is_ok_and(|bytes| bytes > 0) {}
        };
        let end = async {
            tokio::select! { () = sending => {} () = closed => {} }
        };
        timeout(LONG, end).await.expect("not closed");
    }
}
