//! Promise 11 at the door: heads, bodies, silence, blocked answers, and the number of connections.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::{Client, ConnectionLimits, LONG, SHORT, Server, patient};

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let server = Server::start(ConnectionLimits { header_timeout: SHORT, ..patient() }).await;
    let started = Instant::now();
    let mut client = server.connect().await;
    assert_eq!(client.read_to_end().await, "");
    assert!(started.elapsed() >= SHORT, "{:?}", started.elapsed());
    server.until_metric("revokd_connections_open", 0.0).await;
    server.until_metric("revokd_connections_timed_out_total", 1.0).await;
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_cut_off_also_on_a_later_request() {
    let server = Server::start(ConnectionLimits { header_timeout: SHORT, ..patient() }).await;
    for requests_before in [0, 1] {
        let mut client = server.connect().await;
        for _ in 0..requests_before {
            client.get("/").await;
            client.read_until("ok").await;
        }
        client.send("GET / HTTP/1.1\r\nX-Slow: ").await;
        client.trickle(b'x').await;
    }
}

#[tokio::test]
async fn the_preface_of_http2_alone_does_not_win_time_for_ever() {
    let limits = ConnectionLimits { header_timeout: SHORT, idle_timeout: SHORT, ..patient() };
    let server = Server::start(limits).await;
    for start in ["P", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut client = server.connect().await;
        client.send(start).await;
        let mut rest = Vec::new();
        let closed = tokio::io::AsyncReadExt::read_to_end(&mut client.0, &mut rest);
        let _reset = timeout(LONG, closed).await.expect("not closed");
    }
}

#[tokio::test]
async fn a_stalled_body_is_answered_with_408_and_the_end_of_the_connection() {
    let server = Server::start(ConnectionLimits { body_timeout: SHORT, ..patient() }).await;
    for part in ["", "x"] {
        let mut client = server.connect().await;
        client.send("POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n").await;
        client.send(part).await;
        let answer = client.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_is_cut_off() {
    let server = Server::start(ConnectionLimits { body_timeout: SHORT, ..patient() }).await;
    let mut client = server.connect().await;
    client.send("POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n").await;
    client.trickle(b'x').await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_or_used_one_is_not() {
    let server = Server::start(ConnectionLimits { idle_timeout: SHORT * 2, ..patient() }).await;
    let mut idle = server.connect().await;
    idle.get("/").await;
    idle.read_until("ok").await;
    let mut busy = server.connect().await;
    busy.get("/gate").await;
    let mut used = server.connect().await;
    for _ in 0..12 {
        used.get("/").await;
        used.read_until("ok").await;
        sleep(SHORT / 2).await;
    }
    assert_eq!(idle.read_to_end().await, "");
    server.gate.open.add_permits(1);
    busy.read_until("through").await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_does_not_hold_its_connection() {
    let server = Server::start(ConnectionLimits { write_timeout: SHORT, ..patient() }).await;
    let mut client = server.connect().await;
    client.get("/large").await;
    server.until_metric("revokd_connections_open", 1.0).await;
    server.until_metric("revokd_connections_timed_out_total", 1.0).await;
    server.until_metric("revokd_connections_open", 0.0).await;
}

#[tokio::test]
async fn a_slow_reader_that_goes_on_reading_gets_all() {
    use tokio::io::AsyncReadExt as _;
    let server = Server::start(ConnectionLimits { write_timeout: SHORT * 2, ..patient() }).await;
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let (mut received, mut chunk) = (0, vec![0; 4 * 1024 * 1024]);
    loop {
        match client.0.read(&mut chunk).await.unwrap() {
            0 => break,
            bytes => received += bytes,
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert!(received > super::LARGE_BYTES, "{received}");
}

#[tokio::test]
async fn connections_beyond_the_cap_are_closed_at_once_and_the_others_go_on() {
    let server = Server::start(ConnectionLimits { connections_max: 3, ..patient() }).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = server.connect().await;
        client.get("/").await;
        client.read_until("ok").await;
        clients.push(client);
    }
    let mut refused = server.connect().await;
    assert_eq!(refused.read_to_end().await, "");
    server.until_metric("revokd_connections_refused_total", 1.0).await;
    for client in &mut clients {
        client.get("/").await;
        client.read_until("ok").await;
    }
    clients.pop();
    server.until_metric("revokd_connections_open", 2.0).await;
    let mut client = server.connect().await;
    client.get("/").await;
    client.read_until("ok").await;
}

#[tokio::test]
async fn a_head_too_long_or_of_too_many_fields_is_431() {
    let server = Server::start(patient()).await;
    let long = format!("X-Long: {}\r\n", "x".repeat(40 * 1024));
    let many = "X-Many: x\r\n".repeat(120);
    for headers in [long, many] {
        let mut client = server.connect().await;
        client.send(format!("GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n")).await;
        let answer = client.read_until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[tokio::test]
async fn out_of_file_descriptors_the_accept_loop_counts_rests_and_goes_on() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let server = Server::start(patient()).await;
    let mut before: Client = server.connect().await;
    before.get("/").await;
    before.read_until("ok").await;
    let waiting = tokio::net::TcpSocket::new_v4().unwrap();
    // Every test has a process of its own, so nobody else is starved.
    let usual = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(200), ..usual }).unwrap();
    let fillers: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    let mut waiting = Client(waiting.connect(server.address).await.unwrap());
    sleep(SHORT * 3).await;
    drop(fillers);
    setrlimit(Resource::Nofile, usual).unwrap();
    waiting.get("/").await;
    waiting.read_until("ok").await;
    before.get("/").await;
    before.read_until("ok").await;
    let errors = server.metric("revokd_accept_errors_total");
    assert!((1.0..=10.0).contains(&errors), "{errors}");
}
