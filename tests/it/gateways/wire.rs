//! How a client speaks with a gateway.

use std::net::Ipv4Addr;

use axum::body::Body;
use axum::http::request::Builder;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

/// In which protocol, without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    /// With prior knowledge (RFC 9113 section 3.3).
    Http2,
}

/// What a client is told.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// `WWW-Authenticate`.
    pub(super) challenge: Option<String>,
    pub(super) retry_after: Option<String>,
}

impl Answer {
    fn new(status: u16, headers: &HeaderMap) -> Self {
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        Self { status, challenge: header("www-authenticate"), retry_after: header("retry-after") }
    }

    /// Whether it says that nobody can say.
    pub(super) fn is_unavailable(&self) -> bool {
        [502, 503, 504].contains(&self.status)
    }
}

/// Asks by HTTP/1.1.
pub(super) async fn get(http: &reqwest::Client, port: u16, headers: &[(&str, &str)]) -> Answer {
    let request = http.get(format!("http://127.0.0.1:{port}/"));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = request.send().await.unwrap();
    Answer::new(answer.status().as_u16(), answer.headers())
}

/// One connection, kept.
pub(super) enum Connection {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Connection {
    /// `None` where the gateway does not listen yet.
    pub(super) async fn open(protocol: Protocol, port: u16) -> Option<Self> {
        let stream = TokioIo::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?);
        Some(match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(stream).await.ok()?;
                tokio::spawn(connection);
                Self::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.ok()?;
                tokio::spawn(connection);
                Self::Http2(sender)
            }
        })
    }

    /// `None` once the gateway has closed it.
    pub(super) async fn get(&mut self, headers: &[(&str, &str)]) -> Option<Answer> {
        let with = |request: Builder| {
            let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            request.body(Body::empty()).unwrap()
        };
        let answer = match self {
            Self::Http1(sender) => {
                sender.ready().await.ok()?;
                sender.send_request(with(Request::get("/").header("host", "127.0.0.1"))).await.ok()?
            }
            Self::Http2(sender) => {
                sender.ready().await.ok()?;
                sender.send_request(with(Request::get("http://127.0.0.1/"))).await.ok()?
            }
        };
        let (head, body) = answer.into_parts();
        body.collect().await.ok()?;
        Some(Answer::new(head.status.as_u16(), &head.headers))
    }
}
