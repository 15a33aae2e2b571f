//! HTTP/1.1: keep-alive, pipelining, and messages that two readers might take differently.

use super::{Client, Server, patient};

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let server = Server::start(patient()).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.get("/").await;
        let answer = client.read_until("ok").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    client.get("/local").await;
    client.read_until("true").await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(patient()).await;
    let mut client = server.connect().await;
    let request = |path| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    client.send([request("/"), request("/local"), request("/nowhere"), request("/")].concat()).await;
    let mut answers = client.read_until("ok").await;
    while answers.matches("HTTP/1.1 ").count() < 4 {
        answers += &client.read_until("ok").await;
    }
    let places: Vec<_> =
        ["\r\n\r\nok", "\r\n\r\ntrue", "404 Not Found"].iter().map(|part| answers.find(part)).collect();
    assert!(places.is_sorted() && places[0].is_some(), "{answers}");
    assert!(answers.rfind("ok") > places[2], "{answers}");
}

#[tokio::test]
async fn nothing_behind_a_body_of_two_lengths_is_taken_for_a_request() {
    let server = Server::start(patient()).await;
    let length = "Content-Length: 4\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    for headers in [[length, chunked], [chunked, length]] {
        let mut client = server.connect().await;
        let head = format!("POST /length HTTP/1.1\r\nHost: x\r\n{}\r\n", headers.concat());
        client.send(head + "0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let answers = client.read_to_end().await;
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
        assert!(answers.to_ascii_lowercase().contains("connection: close"), "{answers}");
    }
}

#[tokio::test]
async fn a_length_that_can_be_read_in_two_ways_is_refused_and_ends_the_connection() {
    let server = Server::start(patient()).await;
    for headers in [
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 4, 5\r\n",
        "Content-Length : 4\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked\r\n chunked\r\n",
    ] {
        let mut client = server.connect().await;
        client
            .send(format!("POST /length HTTP/1.1\r\nHost: x\r\n{headers}\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        let answers = client.read_to_end().await;
        assert!(answers.starts_with("HTTP/1.1 400 "), "{headers:?}: {answers}");
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{headers:?}: {answers}");
    }
}

#[tokio::test]
async fn bodies_arrive_whole_by_length_and_in_chunks() {
    let server = Server::start(patient()).await;
    let mut client: Client = server.connect().await;
    client.send("POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 12345\r\n\r\n").await;
    client.send("x".repeat(12_345)).await;
    client.read_until("\r\n\r\n12345").await;
    client.send("POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    client.send("5\r\nhello\r\n").await;
    client.send("2\r\n!!\r\n0\r\n\r\n").await;
    client.read_until("\r\n\r\n7").await;
}
