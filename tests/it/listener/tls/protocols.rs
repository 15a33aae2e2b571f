//! What is agreed upon in a handshake, and clients that no one here wrote.

use std::process::Command;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use revokd::http::listener::{Address, Bound};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::super::{Server, patient};
use super::{Secured, Shaken};
use crate::certificates::Authority;

#[tokio::test]
async fn http1_and_http2_are_agreed_upon_in_the_handshake() {
    let secured = Secured::start(patient()).await;
    for (offered, chosen) in
        [(&["h2", "http/1.1"][..], Some("h2")), (&["http/1.1"], Some("http/1.1")), (&[], None), (&["h2"], Some("h2"))]
    {
        let mut shaken = secured.shake(None, offered).await.unwrap();
        let alpn = shaken.0.get_ref().1.alpn_protocol();
        assert_eq!(alpn, chosen.map(str::as_bytes), "{offered:?}");
        if chosen == Some("h2") {
            let io = TokioIo::new(shaken.0);
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            let _connection = tokio::spawn(connection);
            let request = Request::get("https://localhost/local").body(Body::empty()).unwrap();
            let answer = sender.send_request(request).await.unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "true");
        } else {
            assert_eq!(shaken.ask("/local").await.unwrap(), "true");
            assert_eq!(shaken.ask("/").await.unwrap(), "ok");
        }
    }
    assert!(secured.shake(None, &["spdy/1"]).await.is_err());
    secured.server.until_metric("revokd_tls_handshakes_total{result=\"ok\"}", 4.0).await;
    secured.server.until_metric("revokd_tls_handshakes_total{result=\"protocol\"}", 1.0).await;
}

/// Another implementation of TLS and HTTP, over both versions of either.
#[tokio::test]
async fn curl_is_served_by_tls_1_2_and_1_3_over_http1_and_http2() {
    let secured = Secured::start(patient()).await;
    let (ca, port) = (secured.authority.write_ca(), secured.server.address.port());
    for arguments in [
        &["--http1.1", "--tlsv1.3"][..],
        &["--http1.1", "--tls-max", "1.2"],
        &["--http2", "--tlsv1.3"],
        &["--http2", "--tls-max", "1.2"],
    ] {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "10", "--noproxy", "*", "--cacert"]).arg(&ca);
        curl.args(arguments).args(["--write-out", " %{http_version}", "--resolve"]);
        curl.arg(format!("localhost:{port}:127.0.0.1")).arg(format!("https://localhost:{port}/"));
        let ran = tokio::task::spawn_blocking(move || curl.output()).await.unwrap();
        let ran = ran.expect("curl is missing: apt install curl");
        let version = if arguments[0] == "--http2" { "2" } else { "1.1" };
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert_eq!(said, format!("ok {version}"), "{arguments:?} {}", String::from_utf8_lossy(&ran.stderr));
    }
    let stranger = Authority::new("stranger");
    let other_ca = stranger.write_ca();
    let url = format!("https://localhost:{port}/");
    let curl = move || {
        Command::new("curl").args(["-s", "--noproxy", "*", "--cacert"]).arg(&other_ca).arg(url).status().unwrap()
    };
    assert_eq!(tokio::task::spawn_blocking(curl).await.unwrap().code(), Some(60), "the certificate is not trusted");
    secured.server.until_metric("revokd_tls_handshakes_total{result=\"alert\"}", 1.0).await;
}

#[tokio::test]
async fn plain_and_tls_listeners_stand_side_by_side() {
    let secured = Secured::start(patient()).await;
    let plain = Bound::bind(&Address::Tcp("127.0.0.1:0".to_owned())).await.unwrap();
    let plain_address = plain.tcp_address().unwrap();
    let tls = Bound::bind_tls("127.0.0.1:0", secured.tls.clone()).await.unwrap();
    assert!(tls.to_string().starts_with("tls://127.0.0.1:"));
    let tls_address = tls.tcp_address().unwrap();
    let server = Server::start_on(vec![plain, tls], plain_address, patient());
    let mut client = server.connect().await;
    client.get("/local").await;
    client.read_until("true").await;
    let connector = TlsConnector::from(secured.authority.trusting(None, &[]));
    let stream = TcpStream::connect(tls_address).await.unwrap();
    let mut shaken = Shaken(connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap());
    assert_eq!(shaken.ask("/local").await.unwrap(), "true");
    assert_eq!(server.stop().await.cut, 0);
}
