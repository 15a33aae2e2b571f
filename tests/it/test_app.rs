//! [`TestApp`]: the whole service in one process, with a clock that the test moves and no port.

mod answer;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::body::Body;
use axum::http::{Method, Request, Response};
use http_body_util::BodyExt;
use revokd::clock::{Clock, ClockSettings, ManualTime, NumericDate};
use revokd::denylist::{self, Denylist, Opened, Settings, Sources};
use revokd::event::{ApiKeyRecord, Change, Event, Origin};
use revokd::grpc::Grpc;
use revokd::http::listener::Peer;
use revokd::http::{Door, Gate, Http, HttpSettings};
use revokd::index::Index;
use revokd::issuers::{IssuerLimits, Issuers, LIFETIME_MAX};
use revokd::journal::StoreDir;
use revokd::keys::{Scope, Scopes, generate};
use revokd::metrics::Metrics;
use revokd::readiness::{Condition, Readiness};
use revokd::token::Issuer;
use revokd::verifier::{Algorithm, IssuerSettings, KeySettings, Verifier};
use serde_json::Value;

pub(crate) use answer::Answer;

pub(crate) use super::support::{LEEWAY_S, LIFETIME_MAX_S, START};
use super::support::{Mode, journal_options, mode, opener, settings};

/// An issuer whose keys cannot be had.
pub(crate) const AWAY: &str = "https://away";

/// An issuer whose tokens must be for `api` or `web`.
pub(crate) const FOR_US: &str = "https://for-us";

/// What the issuers of every test sign with.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A service, its clock and a key for everything.
pub(crate) struct TestApp {
    pub(crate) time: Arc<ManualTime>,
    pub(crate) denylist: Denylist,
    pub(crate) readiness: Readiness,
    door: Grpc,
    /// A key with every scope.
    pub(crate) key: String,
    threads: Vec<JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.denylist.stop();
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

impl TestApp {
    /// One nameless issuer, default settings.
    pub(crate) fn new() -> Self {
        Self::with(HttpSettings::default(), &[])
    }

    /// Issuers of these names, each with [`SECRET`] for HS256.
    pub(crate) fn with(http: HttpSettings, issuers: &[&str]) -> Self {
        Self::with_store(http, issuers, settings())
    }

    /// Issuers whose clocks run ahead by so many seconds.
    pub(crate) fn with_skews(issuers: &[(&str, i64)]) -> Self {
        let skewed = |&(name, clock_skew_s): &(&str, _)| IssuerSettings { clock_skew_s, ..trusted(name) };
        Self::with_issuers(issuers.iter().map(skewed).collect())
    }

    /// Issuers of these settings.
    pub(crate) fn with_issuers(issuers: Vec<IssuerSettings>) -> Self {
        Self::assemble(HttpSettings::default(), issuers, settings())
    }

    /// The same on a denylist with settings of its own.
    pub(crate) fn with_store(http: HttpSettings, issuers: &[&str], settings: Settings) -> Self {
        Self::assemble(http, issuers.iter().map(|name| trusted(name)).collect(), settings)
    }

    /// Everything as it is told.
    pub(crate) fn assemble(http: HttpSettings, issuers: Vec<IssuerSettings>, settings: Settings) -> Self {
        let time = ManualTime::starting_at(START);
        let clock = Clock::manual(Arc::clone(&time), ClockSettings { step_max_s: 3_600, hold_s: 86_400 });
        let limits = |settings: &IssuerSettings| IssuerLimits {
            issuer: Issuer::parse(settings.iss.clone()).unwrap(),
            lifetime_max_s: LIFETIME_MAX_S,
            lifetime_max_name: LIFETIME_MAX,
            leeway_s: LEEWAY_S,
            clock_skew_s: settings.clock_skew_s,
            naming: settings.naming(),
        };
        let list = Issuers::named(issuers.iter().map(limits).collect());
        let list = list.unwrap_or_else(|| Issuers::nameless(LIFETIME_MAX_S, LEEWAY_S));
        let dir = tempfile::tempdir().unwrap();
        let metrics = Metrics::new();
        let (denylist, threads) = open(dir.path(), settings, clock, list, &metrics);
        let verifier = Arc::new(Verifier::new(issuers, Path::new("/")).unwrap());
        let readiness = Readiness::new();
        for condition in Condition::ALL {
            readiness.set(condition, true);
        }
        let gate = Gate::new(readiness.clone(), metrics.clone());
        gate.open(Door::new(Http::new(denylist.clone(), verifier, readiness.clone(), metrics, http)));
        let door = Grpc::new(gate, readiness.clone()).unwrap();
        let mut app = Self { time, denylist, readiness, door, key: String::new(), threads, _dir: dir };
        app.key = app.key_with(&Scope::ALL);
        app
    }

    /// A new key with these scopes.
    pub(crate) fn key_with(&self, scopes: &[Scope]) -> String {
        self.key_made(scopes, |_| ())
    }

    /// A new key with these scopes, and what `set` sets.
    pub(crate) fn key_made(&self, scopes: &[Scope], set: impl FnOnce(&mut ApiKeyRecord<'static>)) -> String {
        let mut new = generate("test", Scopes::of(scopes)).unwrap();
        set(&mut new.record);
        let change = Change::KeyCreated(new.record);
        let (recorded_at, ends_at) = (START, NumericDate::NEVER);
        self.denylist.keys().apply(&Event { seq: 0, recorded_at, ends_at, origin: Origin::INTERNAL, change });
        new.text
    }

    /// Sends a request with this key.
    pub(crate) async fn request_as(&self, key: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("x-api-key", key);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        self.send(request.body(body.map_or_else(Body::empty, |body| body.to_string().into())).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        self.send_from(Peer::Unix, request).await
    }

    /// The same from somebody in particular.
    pub(crate) async fn send_from(&self, peer: Peer, request: Request<Body>) -> Answer {
        let (parts, body) = self.answer(peer, request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// The same, with the answer's body yet to be read.
    pub(crate) async fn answer(&self, peer: Peer, request: Request<Body>) -> Response<Body> {
        if mode() == Mode::PurgeAlways {
            let _ = self.denylist.purge().await;
        }
        self.door.answer(peer, request).await
    }

    /// Sends a request with the key for everything.
    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        media: Option<&str>,
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("x-api-key", &self.key);
        if let Some(media) = media {
            request = request.header("content-type", media);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, None, Body::empty()).await
    }

    /// Posts text as JSON, whatever it is.
    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.request(Method::POST, path, Some("application/json"), body).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.post(path, body.to_string()).await
    }

    /// How many changes were journaled: all that the audit tells of but refused attempts, which are no changes.
    pub(crate) async fn changes(&self) -> usize {
        let page = self.get("/audit?limit=1000").await.ok();
        let is_change = |record: &&Value| record["what"] != "refused" && record["what"] != "strangers";
        page["records"].as_array().unwrap().iter().filter(is_change).count()
    }

    /// The value of one line of `/metrics`, 0 if it is not there.
    pub(crate) async fn metric(&self, line: &str) -> u64 {
        let text = String::from_utf8(self.get("/metrics").await.body.to_vec()).unwrap();
        text.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(' ')?.parse().ok()).unwrap_or(0)
    }
}

/// A new denylist in `dir`, with its threads.
fn open(
    dir: &Path,
    settings: Settings,
    clock: Clock,
    issuers: Issuers,
    metrics: &Metrics,
) -> (Denylist, Vec<JoinHandle<()>>) {
    let sources = Sources {
        disk: Arc::new(StoreDir::open(dir).unwrap()),
        journal: journal_options(),
        index_path: dir.join("index"),
        open_index: opener(|path| Index::open(path, 16 << 20)),
    };
    let Opened { denylist, writer, indexer, refiller, .. } =
        denylist::open(&sources, settings, clock, issuers, metrics).unwrap();
    let threads = vec![
        std::thread::spawn(move || writer.run()),
        std::thread::spawn(move || indexer.run()),
        std::thread::spawn(move || refiller.run()),
    ];
    (denylist, threads)
}

/// The settings of an issuer whose tokens [`token`] makes.
pub(crate) fn trusted(iss: &str) -> IssuerSettings {
    let mut settings = IssuerSettings::named(iss);
    if iss == AWAY {
        // Nobody listens there.
        settings.jwks_url = Some("http://127.0.0.1:1/jwks".to_owned());
        return settings;
    }
    if iss == FOR_US {
        settings.audience = vec!["api".to_owned(), "web".to_owned()];
    }
    settings.keys = vec![KeySettings {
        kid: None,
        alg: Algorithm::HS256,
        secret: Some(SECRET.to_owned().into()),
        secret_file: None,
        secret_encoding: None,
        pem_file: None,
    }];
    settings
}

/// A token of these claims that the issuers of every test have signed.
pub(crate) fn token(claims: &Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).unwrap()
}

/// The same claims, signed by somebody else.
pub(crate) fn forged(claims: &Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(b"ffffffffffffffffffffffffffffffff");
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).unwrap()
}
