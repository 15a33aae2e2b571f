//! Gateways whose revokd is down, hangs, is new, or does not know them: they pass nobody.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Addresses, Gateway, Guarded, Process, Protocol, bearer};
use crate::clients::until;

/// The shipped timeouts are one second each; this is as long as a busy machine may make of two.
const TIMEOUT_MAX: Duration = Duration::from_secs(10);

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
    for token in tokens {
        let begun = Instant::now();
        let answer = guarded.get(&[("authorization", &bearer(token))]).await;
        assert_eq!(answer.status, status, "{answer:?}\n{}", guarded.process.log());
        assert_eq!(answer.retry_after.is_some(), gateway.has_retry_after, "{answer:?}");
        assert!(begun.elapsed() < TIMEOUT_MAX, "after {:?}", begun.elapsed());
    }
    assert_eq!(guarded.backend.seen().len(), 0);
}

pub(super) async fn nobody_passes_a_gateway_that_revokd_does_not_know(gateway: &'static Gateway) {
    let mut guarded = Guarded::start(gateway, Protocol::Http1).await;
    let good = guarded.token("good");
    let wrong = Addresses { key: format!("revokd_0123456789ab_{}", "A".repeat(43)), ..guarded.addresses };
    guarded.process = Process::start(gateway, Protocol::Http1, &wrong).await;
    // Not 401: the token is good.
    until("revokd answers in time", async || {
        let answer = guarded.get(&[("authorization", &bearer(&good))]).await;
        assert!(answer.is_unavailable(), "{answer:?}");
        answer.status == 503
    })
    .await;
    assert_eq!(guarded.backend.seen().len(), 0);
}
