//! Promise 11 under TLS: handshakes that do not come to an end, and what the limits of every connection mean here.

use std::sync::Arc;
use std::time::Instant;

use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::super::{Client, ConnectionLimits, LARGE_BYTES, LONG, SHORT, Server, patient};
use super::Secured;
use crate::certificates::Authority;

#[tokio::test]
async fn a_large_answer_arrives_whole_and_a_reader_that_goes_on_reading_gets_all() {
    let secured = Secured::start(ConnectionLimits { write_timeout: SHORT * 3, ..patient() }).await;
    let mut shaken = secured.connect().await;
    shaken.send("GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let (mut received, mut rested, mut chunk) = (0, 0, vec![0; 64 * 1024]);
    loop {
        match shaken.0.read(&mut chunk).await.unwrap() {
            0 => break,
            bytes => received += bytes,
        }
        if received / (4 * 1024 * 1024) > rested {
            rested += 1;
            tokio::time::sleep(SHORT / 2).await;
        }
    }
    assert!(received > LARGE_BYTES, "{received}");
}

#[tokio::test]
async fn an_answer_that_nobody_reads_does_not_hold_its_connection_over_tls_either() {
    let secured = Secured::start(ConnectionLimits { write_timeout: SHORT, ..patient() }).await;
    let mut shaken = secured.connect().await;
    shaken.get("/large").await;
    secured.server.until_metric("revokd_connections_timed_out_total", 1.0).await;
    secured.server.until_metric("revokd_connections_open", 0.0).await;
}

#[tokio::test]
async fn a_handshake_that_does_not_come_to_its_end_is_cut_off_and_others_go_on() {
    let limits = ConnectionLimits { handshake_timeout: SHORT * 10, ..patient() };
    let secured = Secured::start(limits).await;
    let mut good = secured.connect().await;
    let begun = Instant::now();
    let mut silent = secured.server.connect().await;
    let mut begins = secured.server.connect().await;
    begins.send([0x16, 3, 1, 2, 0]).await;
    let mut trickles = secured.server.connect().await;
    trickles.send([0x16, 3, 1, 0x10, 0]).await;
    let trickling = trickles.trickle(1);
    let others = async {
        for _ in 0..5 {
            assert_eq!(good.ask("/").await.unwrap(), "ok");
            assert_eq!(secured.connect().await.ask("/").await.unwrap(), "ok");
        }
    };
    tokio::join!(trickling, others);
    assert_eq!(silent.read_to_end().await, "");
    assert_eq!(begins.read_to_end().await, "");
    assert!(begun.elapsed() >= SHORT * 10 && begun.elapsed() < LONG / 2, "{:?}", begun.elapsed());
    secured.server.until_metric("revokd_connections_timed_out_total", 3.0).await;
    assert_eq!(good.ask("/").await.unwrap(), "ok");
}

#[tokio::test]
async fn a_connection_that_falls_silent_after_its_handshake_has_the_limits_of_every_other() {
    let limits = ConnectionLimits { header_timeout: SHORT, idle_timeout: SHORT * 2, ..patient() };
    let secured = Secured::start(limits).await;
    let mut silent = secured.connect().await;
    let mut slow = secured.connect().await;
    slow.send("GET / HT").await;
    let mut idle = secured.connect().await;
    assert_eq!(idle.ask("/").await.unwrap(), "ok");
    for shaken in [&mut silent, &mut slow, &mut idle] {
        shaken.until_closed().await;
    }
    secured.server.until_metric("revokd_connections_open", 0.0).await;
}

#[tokio::test]
async fn handshakes_under_way_count_as_connections() {
    let limits = ConnectionLimits { connections_max: 3, handshake_timeout: SHORT * 10, ..patient() };
    let secured = Secured::start(limits).await;
    let silent = [secured.server.connect().await, secured.server.connect().await, secured.server.connect().await];
    secured.server.until_metric("revokd_connections_open", 3.0).await;
    assert!(secured.shake(None, &[]).await.is_err());
    secured.server.until_metric("revokd_connections_refused_total", 1.0).await;
    secured.server.until_metric("revokd_connections_open", 0.0).await;
    assert_eq!(secured.connect().await.ask("/").await.unwrap(), "ok");
    drop(silent);
}

#[tokio::test]
async fn http_without_tls_is_told_so_and_anything_else_is_closed() {
    let secured = Secured::start(patient()).await;
    let mut plain = secured.server.connect().await;
    plain.get("/").await;
    let answer = plain.read_until("https://\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("speaks TLS"), "{answer}");
    drop(plain);
    secured.server.until_metric("revokd_tls_handshakes_total{result=\"plain\"}", 1.0).await;
    for garbage in
        [&b"\x00\x01\x02\x03\x04\x05"[..], b"\x16\x03\x01\xff\xff", b"\x16\x03\x01\x00\x05hello", &[0x80; 64]]
    {
        let mut client = secured.server.connect().await;
        client.send(garbage).await;
        let mut rest = Vec::new();
        let _alert = timeout(LONG, client.0.read_to_end(&mut rest)).await.expect("not closed");
        assert!(rest.len() < 16, "{rest:?}");
    }
    secured.server.until_metric("revokd_tls_handshakes_total{result=\"protocol\"}", 4.0).await;
    drop(secured.server.connect().await);
    secured.server.until_metric("revokd_tls_handshakes_total{result=\"closed\"}", 1.0).await;
    assert_eq!(secured.connect().await.ask("/").await.unwrap(), "ok");
}

#[tokio::test]
async fn tls_to_a_port_without_it_ends_at_once_and_others_go_on() {
    let server = Server::start(patient()).await;
    let mut good: Client = server.connect().await;
    let authority = Authority::new("ours");
    let connector = TlsConnector::from(authority.trusting(None, &["h2", "http/1.1"]));
    let stream = TcpStream::connect(server.address).await.unwrap();
    let shaking = connector.connect(ServerName::try_from("localhost").unwrap(), stream);
    assert!(timeout(LONG, shaking).await.expect("not closed").is_err());
    good.get("/").await;
    good.read_until("ok").await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_handshakes_but_for_requests_under_way() {
    let secured = Secured::start(patient()).await;
    let mut silent = secured.server.connect().await;
    let mut busy = secured.connect().await;
    busy.get("/gate").await;
    secured.server.until_waiting(1).await;
    let gate = Arc::clone(&secured.server.gate.open);
    let stopped = tokio::spawn(secured.server.stop());
    assert_eq!(silent.read_to_end().await, "");
    assert!(!stopped.is_finished());
    gate.add_permits(1);
    let mut answer = Vec::new();
    busy.0.read_to_end(&mut answer).await.unwrap();
    assert!(answer.ends_with(b"through"));
    assert_eq!(stopped.await.unwrap().cut, 0);
}
