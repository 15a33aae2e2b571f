//! Gateways whose revokd is down, hangs, is new, or does not know them: they pass nobody.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::net::TcpStream;

use super::{Gateway, Guarded, Process, Protocol, bearer};
use crate::clients::until;

/// Longest that the quickest of a few answers may take: the shipped timeouts are one second, and half of it to connect.
const TIMEOUT_MAX: Duration = Duration::from_millis(2_500);

/// Most connections of a revokd that is soon full.
const CONNECTIONS_MAX: usize = 32;

pub(super) async fn nobody_passes_while_revokd_is_down_or_slow(gateway: &'static Gateway) {
    let mut guarded = Guarded::start(gateway, Protocol::Http1).await;
    let (good, revoked) = (guarded.token("good"), guarded.token("revoked"));
    guarded.revoke(&revoked).await;
    guarded.assert_passes(&good).await;
    guarded.backend.forget();

    guarded.server.halt().await;
    assert_nobody_passes(&guarded, gateway, gateway.status_slow, [&good, &revoked]).await;
    guarded.server.signal(Signal::CONT);
    guarded.assert_passes(&good).await;
    guarded.assert_is_refused(&revoked).await;
    guarded.backend.forget();

    guarded.server.kill();
    assert_nobody_passes(&guarded, gateway, gateway.status_down, [&good, &revoked]).await;

    // What was revoked is still known to the next one, at the same address.
    guarded.server = guarded.home.start().await;
    guarded.assert_passes(&good).await;
    guarded.assert_is_refused(&revoked).await;
}

async fn assert_nobody_passes(guarded: &Guarded, gateway: &Gateway, status: u16, tokens: [&String; 2]) {
    let mut quickest = Duration::MAX;
    for token in tokens {
        let begun = Instant::now();
        let answer = guarded.get(&[("authorization", &bearer(token))]).await;
        assert_eq!(answer.status, status, "{answer:?}\n{}", guarded.process.log());
        assert_eq!(answer.retry_after.is_some(), gateway.has_retry_after, "{answer:?}");
        quickest = quickest.min(begun.elapsed());
    }
    assert!(quickest < TIMEOUT_MAX, "after {quickest:?}");
    assert_eq!(guarded.backend.seen().len(), 0);
}

pub(super) async fn nobody_passes_while_revokd_is_full(gateway: &'static Gateway) {
    let settings = [format!("server.connections_max={CONNECTIONS_MAX}"), "server.header_timeout_ms=600000".to_owned()];
    let mut guarded = Guarded::with(gateway, Protocol::Http1, settings.to_vec()).await;
    let good = guarded.token("good");
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        held.push(TcpStream::connect((Ipv4Addr::LOCALHOST, guarded.addresses.revokd)).await.unwrap());
    }
    let refused = "revokd_connections_refused_total";
    until("it has taken in what it can", async || {
        guarded.server.metric(refused).await.is_some_and(|count| count > 0.0)
    })
    .await;
    // Another gateway, which has no connection yet; the first one keeps its own.
    let another = Process::start(gateway, Protocol::Http1, &guarded.addresses).await;
    let _first = std::mem::replace(&mut guarded.process, another);
    for _ in 0..5 {
        let answer = guarded.get(&[("authorization", &bearer(&good))]).await;
        assert_eq!(answer.status, gateway.status_down, "{answer:?}\n{}", guarded.process.log());
    }
    assert_eq!(guarded.backend.seen().len(), 0);
    drop(held);
    guarded.assert_passes(&good).await;
}

pub(super) async fn nobody_passes_a_gateway_that_revokd_does_not_know(gateway: &'static Gateway) {
    let mut guarded = Guarded::start(gateway, Protocol::Http1).await;
    let good = guarded.token("good");
    guarded.addresses.key = format!("revokd_0123456789ab_{}", "A".repeat(43));
    guarded.process = Process::start(gateway, Protocol::Http1, &guarded.addresses).await;
    // Not 401: the token is good.
    until("revokd answers in time", async || {
        let answer = guarded.get(&[("authorization", &bearer(&good))]).await;
        assert!(answer.is_unavailable(), "{answer:?}");
        answer.status == 503
    })
    .await;
    assert_eq!(guarded.backend.seen().len(), 0);
}
