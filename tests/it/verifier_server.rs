//! A server of key sets on loopback that counts who asks and answers as a test wants, and a verifier that uses it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use revokd::verifier::{IssuerSettings, Verifier, VerifyError};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::minting::Mint;

/// The issuer of every token.
pub(crate) const ISS: &str = "https://issuer.example/";

/// What the server says to each request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// Nothing, for ever.
    Silence,
    /// A good head, then a byte of body each second.
    Drip,
}

pub(crate) fn ok(body: &[u8]) -> Reply {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    Reply::Bytes([head.as_bytes(), body].concat())
}

pub(crate) fn set(jwks: &Value) -> Reply {
    ok(jwks.to_string().as_bytes())
}

pub(crate) fn status(line: &str) -> Reply {
    Reply::Bytes(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into_bytes())
}

pub(crate) struct Server {
    pub(crate) url: String,
    reply: Arc<Mutex<Reply>>,
    hits: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let reply = Arc::new(Mutex::new(reply));
        let (counter, hits) = watch::channel(0);
        let replies = Arc::clone(&reply);
        let task = tokio::spawn(async move {
            let mut answers = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let reply = replies.lock().unwrap().clone();
                counter.send_modify(|hits| *hits += 1);
                answers.spawn(answer(stream, reply));
            }
        });
        Self { url, reply, hits, task }
    }

    pub(crate) fn now_says(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    pub(crate) fn hits(&self) -> usize {
        *self.hits.borrow()
    }

    pub(crate) async fn has_been_asked(&self, times: usize) {
        self.hits.clone().wait_for(|hits| *hits >= times).await.unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream, reply: Reply) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    match reply {
        Reply::Bytes(bytes) => {
            // A client that has read enough hangs up on us.
            let _refused = stream.write_all(&bytes).await;
            let _closed = stream.shutdown().await;
        }
        Reply::Silence => std::future::pending().await,
        Reply::Drip => {
            let _sent = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// A verifier whose refresh loop runs until the end of the test.
pub(crate) struct Running {
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) stop: CancellationToken,
    pub(crate) refresh: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(issuer: IssuerSettings) -> Self {
        let verifier = Arc::new(Verifier::new(vec![issuer], Path::new("/")).unwrap());
        let stop = CancellationToken::new();
        let refresh = {
            let (verifier, stop) = (Arc::clone(&verifier), stop.clone());
            tokio::spawn(async move { verifier.refresh(stop).await })
        };
        Self { verifier, stop, refresh }
    }

    pub(crate) fn with_url(url: &str) -> Self {
        let mut issuer = IssuerSettings::named(ISS);
        issuer.jwks_url = Some(url.to_owned());
        Self::start(issuer)
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<(), VerifyError> {
        self.verifier.verify(token).await.map(|_| ())
    }

    /// The answers to `count` verifications at the same time, which must all be the same.
    pub(crate) async fn verify_at_once(&self, token: &str, count: usize) -> Result<(), VerifyError> {
        let mut all = JoinSet::new();
        for _ in 0..count {
            let (verifier, token) = (Arc::clone(&self.verifier), token.to_owned());
            all.spawn(async move { verifier.verify(&token).await.map(|_| ()) });
        }
        let answers = all.join_all().await;
        assert_eq!(answers.len(), count);
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
        answers[0]
    }
}

/// Moves the clock of intervals without moving that of sockets.
pub(crate) async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

pub(crate) fn token(mint: &mut Mint, kid: &str) -> String {
    mint.python_with("ES256", &json!({ "iss": ISS, "jti": "1" }), &json!({ "kid": kid }))
}

/// The mint's P-256 key alone, under that name.
pub(crate) fn jwks(mint: &Mint, kid: &str) -> Value {
    let mut key = mint.jwks()["keys"][1].clone();
    assert_eq!(key["crv"], "P-256");
    key["kid"] = json!(kid);
    json!({ "keys": [key] })
}
