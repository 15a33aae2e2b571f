//! What every gateway must do with good tokens, with bad ones, and with revoked ones.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::json;

use super::{Connection, Gateway, Guarded, Protocol, bearer};
use crate::clients::{until, until_good};
use crate::real_server::now;

/// The same token with one bit of its signature turned.
fn spoiled(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{signed}.{first}{}", &signature[1..])
}

pub(super) async fn the_good_pass_and_nobody_else(gateway: &'static Gateway) {
    let mut guarded = Guarded::start(gateway, Protocol::Http1).await;
    let (good, other) = (guarded.token("good"), guarded.token("other"));
    guarded.assert_passes(&good).await;
    guarded.backend.forget();

    let url = format!("http://127.0.0.1:{}/orders/7?a=1", guarded.process.port);
    until("it passes", async || {
        let request = guarded.server.http.post(&url).bearer_auth(&good).body("a pound of tea");
        request.send().await.unwrap().status() == 200
    })
    .await;
    let seen = guarded.backend.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].parts.method.as_str(), seen[0].parts.uri.to_string().as_str()), ("POST", "/orders/7?a=1"));
    assert_eq!(seen[0].body, "a pound of tea");
    assert_eq!(seen[0].all("authorization"), [bearer(&good)]);
    assert_eq!(seen[0].all("x-auth-subject"), ["%C3%A4lice"]);
    assert_eq!(seen[0].all("x-auth-issuer"), [super::ISS]);
    assert_eq!(seen[0].all("x-auth-client-id"), ["shop"]);
    assert_eq!(seen[0].all("x-auth-jti"), ["good"]);
    assert_eq!(seen[0].all("x-revocation-seq").len(), 1);
    assert_eq!(seen[0].all("x-api-key"), [""; 0]);

    let answer = guarded.verdict(&[]).await;
    assert_eq!((answer.status, answer.challenge.as_deref()), (401, Some("Bearer")), "no token");
    for token in [
        spoiled(&good),
        guarded.minted(&json!({ "jti": "a", "exp": now() - 3_600 })),
        guarded.minted(&json!({ "jti": "a", "nbf": now() + 3_600 })),
        guarded.minted(&json!({ "jti": "a", "aud": "another" })),
        "opaque".to_owned(),
    ] {
        guarded.assert_is_refused(&token).await;
    }
    // nginx itself refuses two of them, as 400.
    let (good, other) = (bearer(&good), bearer(&other));
    let two = guarded.verdict(&[("authorization", &good), ("authorization", &other)]).await;
    assert!([400, 401].contains(&two.status), "{two:?}");
    assert_eq!(guarded.backend.seen().len(), 0, "what is refused is not passed on as well");
}

pub(super) async fn what_is_revoked_is_refused_from_the_next_request_on(gateway: &'static Gateway) {
    let mut guarded = Guarded::start(gateway, Protocol::Http1).await;
    let [one, other] = ["one", "other"].map(|jti| guarded.token(jti));
    let stranger = guarded.token_of("stranger", "bob");
    for token in [&one, &other, &stranger] {
        guarded.assert_passes(token).await;
    }
    guarded.revoke(&one).await;
    guarded.assert_is_refused(&one).await;
    guarded.assert_passes(&other).await;

    let logged_out = guarded.server.ok("/force-logout", &json!({ "sub": "älice" })).await;
    guarded.assert_is_refused(&other).await;
    guarded.assert_passes(&stranger).await;
    until_good(&logged_out).await;
    let fresh = guarded.token("fresh");
    guarded.assert_passes(&fresh).await;
}

pub(super) async fn connections_are_kept_in_http_1_and_http_2(gateway: &'static Gateway) {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut guarded = Guarded::start(gateway, protocol).await;
        let mut round = 0;
        until("a connection on which revokd always answered in time", async || {
            round += 1;
            is_kept(&mut guarded, protocol, round).await
        })
        .await;
    }
}

/// Whether no answer on one connection was that revokd is not to be had, as on a busy machine.
async fn is_kept(guarded: &mut Guarded, protocol: Protocol, round: usize) -> bool {
    const REQUESTS: usize = 20;
    let [one, other] = ["one", "other"].map(|jti| guarded.token(&format!("{jti}-{round}")));
    let accepted = "revokd_connections_accepted_total";
    let before = guarded.server.metric(accepted).await.unwrap();
    let mut connection = Connection::open(protocol, guarded.process.port).await.unwrap();
    for at in 0..2 * REQUESTS {
        if at == REQUESTS {
            guarded.revoke(&one).await;
        }
        for (token, expected) in [(&one, if at < REQUESTS { 200 } else { 401 }), (&other, 200)] {
            let answer = connection.get(&[("authorization", &bearer(token))]).await;
            let Some(answer) = answer.filter(|answer| !answer.is_unavailable()) else { return false };
            assert_eq!(answer.status, expected, "{protocol:?} {at}: {answer:?}");
        }
    }
    let opened = guarded.server.metric(accepted).await.unwrap() - before;
    assert!(opened < 10.0, "{protocol:?}: {opened} connections to revokd for {} questions", 4 * REQUESTS);
    true
}

pub(super) async fn no_request_of_a_burst_passes_once_its_token_is_revoked(gateway: &'static Gateway) {
    const CLIENTS: usize = 8;
    let mut guarded = Guarded::start(gateway, Protocol::Http1).await;
    let [one, other] = ["one", "other"].map(|jti| guarded.token(jti));
    let acknowledged = Mutex::new(None::<Instant>);
    let (is_over, passed) = (AtomicBool::new(false), AtomicUsize::new(0));
    // Requests begun after the acknowledgement, by token and status.
    let later = Mutex::new(BTreeMap::<(bool, u16), usize>::new());
    let client = async |token: &str| {
        while !is_over.load(Ordering::SeqCst) {
            let was_acknowledged = acknowledged.lock().unwrap().is_some();
            let answer = guarded.get(&[("authorization", &bearer(token))]).await;
            if was_acknowledged {
                *later.lock().unwrap().entry((token == one, answer.status)).or_default() += 1;
            } else if answer.status == 200 {
                passed.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    let count = |of_one, status| later.lock().unwrap().get(&(of_one, status)).copied().unwrap_or_default();
    let revoking = async {
        until("the burst is under way", async || passed.load(Ordering::SeqCst) >= 100).await;
        guarded.revoke(&one).await;
        *acknowledged.lock().unwrap() = Some(Instant::now());
        until("it goes on", async || count(true, 401) >= 100 && count(false, 200) >= 20).await;
        is_over.store(true, Ordering::SeqCst);
    };
    // Three in four bear the token that is revoked.
    let clients = (0..CLIENTS).map(|at| client(if at % 4 == 0 { &other } else { &one }));
    tokio::join!(revoking, all(clients));
    let unavailable = |status: u16| [502, 503, 504].contains(&status);
    for (&(of_one, status), count) in &*later.lock().unwrap() {
        let expected = if of_one { 401 } else { 200 };
        assert!(status == expected || unavailable(status), "{count} times {status}, not {expected}");
    }
}

/// Runs them side by side.
async fn all(futures: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        futures.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if futures.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
