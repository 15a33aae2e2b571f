//! HTTP to the server: one request at a time, and errors that say what to do next.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH};
use reqwest::{Certificate, Method, RequestBuilder, Response, StatusCode, Url, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::{Builder, Runtime};

use super::Context;
use super::exit::{Exit, Failure};
use super::output::printable;
use super::target::{ApiKey, Place, Target, TargetArgs};
use crate::wire::Problem;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an export may take.
const LINES_TIMEOUT: Duration = Duration::from_hours(24);

/// A client of one server.
pub(super) struct Client {
    http: reqwest::Client,
    runtime: Runtime,
    place: Place,
    base: String,
    key: ApiKey,
}

/// An error that the server answered with, or that kept it from answering.
#[derive(Debug)]
pub(super) struct Refused {
    /// What to say and how to leave.
    pub(super) failure: Failure,
    /// Lines of a revoke of many that are durable in spite of it.
    pub(super) durable: u64,
}

impl From<Refused> for anyhow::Error {
    fn from(refused: Refused) -> Self {
        refused.failure.into()
    }
}

impl Client {
    /// A client of the server that arguments, environment and config name. Connects to nothing yet.
    pub(super) fn new(args: &TargetArgs, context: &Context<'_>) -> anyhow::Result<Self> {
        let Target { place, ca_file, key } = Target::find(args, context)?;
        let mut headers = HeaderMap::new();
        if let Some(text) = &key.text {
            let bearer = format!("Bearer {text}");
            let mut value = HeaderValue::try_from(bearer)
                .map_err(|_| Failure::new(Exit::Auth, format!("what {} holds is no API key", key.source)))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut http = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(Duration::from_secs(args.timeout_s))
            // A key must not follow a redirect, nor pass through whatever HTTP_PROXY names.
            .redirect(redirect::Policy::none())
            .no_proxy();
        if let Some(path) = &ca_file {
            http = http.tls_certs_only(certificates(path)?);
        }
        let base = match &place {
            Place::Http(_) => place.to_string(),
            Place::OwnTls(own) => {
                if ca_file.is_none() {
                    http = http.tls_certs_merge(certificates(&own.certificate_file)?);
                }
                if let Some((name, address)) = &own.address {
                    http = http.resolve(name, *address);
                }
                place.to_string()
            }
            Place::Unix(path) => {
                http = http.unix_socket(path.as_path());
                "http://localhost".to_owned()
            }
        };
        let http = http.build().context("cannot set up HTTP")?;
        let runtime = Builder::new_current_thread().enable_all().build().context("cannot set up the runtime")?;
        Ok(Self { http, runtime, place, base, key })
    }

    /// Asks with query parameters.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, Refused> {
        self.send(self.http.request(Method::GET, self.url(path, query)))
    }

    /// Asks for lines, however many, and hands over what comes as it comes.
    pub(super) fn get_lines(
        &self,
        path: &str,
        query: &[(&str, &str)],
        mut take: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let request = self.http.request(Method::GET, self.url(path, query)).header(ACCEPT, "application/x-ndjson");
        self.runtime.block_on(async {
            // It takes as long as there are lines.
            let sent = request.timeout(LINES_TIMEOUT).send().await;
            let mut response = sent.map_err(|error| self.unreachable(&error))?;
            if !response.status().is_success() {
                return Err(self.refused(response).await.into());
            }
            while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
                take(&chunk)?;
            }
            Ok(())
        })
    }

    /// Removes what is at `path`, if its `seq` is still this one.
    pub(super) fn delete<T>(&self, path: &str, query: &[(&str, &str)], seq: u64) -> Result<T, Refused>
    where
        T: DeserializeOwned,
    {
        self.send(self.http.request(Method::DELETE, self.url(path, query)).header(IF_MATCH, seq))
    }

    /// Removes what is at `path` and never changes.
    pub(super) fn remove<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, Refused> {
        self.send(self.http.request(Method::DELETE, self.url(path, query)))
    }

    /// Posts JSON.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Refused> {
        let body = serde_json::to_vec(body).map_err(|error| self.unreadable(&error))?;
        self.post_bytes(path, "application/json", body)
    }

    /// Posts lines of JSON.
    pub(super) fn post_lines<T: DeserializeOwned>(&self, path: &str, lines: Vec<u8>) -> Result<T, Refused> {
        self.post_bytes(path, "application/x-ndjson", lines)
    }

    fn post_bytes<T: DeserializeOwned>(&self, path: &str, kind: &str, body: Vec<u8>) -> Result<T, Refused> {
        self.send(self.http.request(Method::POST, self.url(path, &[])).header(CONTENT_TYPE, kind).body(body))
    }

    /// A space is written `%20`: what the forms of web pages write for it, a `+`, the server refuses, since it may mean either.
    fn url(&self, path: &str, query: &[(&str, &str)]) -> String {
        let url = format!("{}{path}", self.base);
        match Url::parse_with_params(&url, query) {
            Ok(mut with) if !query.is_empty() => {
                let spaced = with.query().map(|query| query.replace('+', "%20"));
                with.set_query(spaced.as_deref());
                with.into()
            }
            _ => url,
        }
    }

    fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Refused> {
        self.runtime.block_on(async {
            let response = request.send().await.map_err(|error| self.unreachable(&error))?;
            if !response.status().is_success() {
                return Err(self.refused(response).await);
            }
            let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
            serde_json::from_slice(&body).map_err(|error| self.unreadable(&error))
        })
    }

    /// No answer.
    fn unreachable(&self, error: &reqwest::Error) -> Refused {
        let place = &self.place;
        let message = if error.is_timeout() && !error.is_connect() {
            format!("revokd at {place} did not answer in time; look at its log, or give it longer with --timeout-s")
        } else {
            let cause = root(error);
            let next = if cause.contains("CaUsedAsEndEntity") {
                "its certificate is an authority's own (CA:TRUE), which cannot be a server's too"
            } else if cause.contains("certificate") {
                "call it by a name of its certificate with --url, and say whom to trust with --ca-file or REVOKD_CA_FILE"
            } else {
                "start it with `revokd serve`, or name another server with --url or REVOKD_URL"
            };
            format!("cannot reach revokd at {place}: {cause}; {next}")
        };
        Refused { failure: Failure::new(Exit::Unavailable, message), durable: 0 }
    }

    /// An answer that is none of ours.
    fn unreadable(&self, error: &serde_json::Error) -> Refused {
        let message = format!("what answers at {} is not revokd, or another version of it: {error}", self.place);
        Refused { failure: Failure::new(Exit::Error, message), durable: 0 }
    }

    /// An answer that says no.
    async fn refused(&self, response: Response) -> Refused {
        let status = response.status();
        let problem = response.bytes().await.ok().and_then(|body| serde_json::from_slice::<Problem>(&body).ok());
        let durable = problem.as_ref().and_then(|problem| problem.durable).unwrap_or(0);
        let said = match problem {
            Some(problem) => printable(&problem.detail),
            None => format!("{} answered {status}", self.place),
        };
        let (exit, next) = self.judge(status);
        let message = if next.is_empty() { said } else { format!("{said}; {next}") };
        Refused { failure: Failure::new(exit, message), durable }
    }

    /// What a status means to a script, and what a person can do about it.
    fn judge(&self, status: StatusCode) -> (Exit, String) {
        match status {
            StatusCode::UNAUTHORIZED if self.key.text.is_none() => {
                let start = "the first `revokd serve` writes one";
                (Exit::Auth, format!("no API key was found: {} ({start})", self.key.source))
            }
            StatusCode::UNAUTHORIZED => {
                (Exit::Auth, format!("the key from {} is not one of this server's", self.key.source))
            }
            StatusCode::FORBIDDEN => (Exit::Auth, format!("the key from {} may not do this", self.key.source)),
            StatusCode::NOT_FOUND => (Exit::NotFound, String::new()),
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => (Exit::Conflict, String::new()),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::GATEWAY_TIMEOUT => {
                (Exit::Unavailable, "try again later, and see /readyz?verbose".to_owned())
            }
            status if status.is_redirection() => {
                (Exit::Error, "this is a redirect, which is not followed; give --url the final address".to_owned())
            }
            _ => (Exit::Error, String::new()),
        }
    }
}

/// Every certificate of a file.
fn certificates(path: &Path) -> Result<Vec<Certificate>, Failure> {
    let refused = |why: &str| Failure::new(Exit::Usage, format!("cannot trust {}: {why}", path.display()));
    let pem = std::fs::read(path).map_err(|error| refused(&error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| refused(&root(&error)))?;
    if certificates.is_empty() { Err(refused("it holds no certificate in PEM")) } else { Ok(certificates) }
}

/// The innermost cause, which is the one that says something.
fn root(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}
