//! Published key sets: what is fetched, how often, and what holds while it cannot be.
//!
//! Sockets need real time to pass and intervals must not: a test moves the clock by hand between its steps.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::path::Path;
use std::time::Duration;

use revokd::verifier::{IssuerSettings, Refusal, Verifier, VerifyError};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::minting::Mint;
use crate::verifier_server::{ISS, Reply, Running, Server, jwks, ok, pass, set, status, token};

const UNKNOWN: Result<(), VerifyError> = Err(VerifyError::Refused(Refusal::KeyUnknown));
const UNAVAILABLE: Result<(), VerifyError> = Err(VerifyError::KeysUnavailable);

#[tokio::test]
async fn a_published_set_is_fetched_once_and_serves_all() {
    let mut mint = Mint::new();
    let server = Server::start(set(&mint.jwks())).await;
    let running = Running::with_url(&server.url);
    for alg in ["RS256", "PS512", "ES256", "ES384", "EdDSA"] {
        let token = mint.python(alg, &json!({ "iss": ISS }));
        assert_eq!(running.verify_at_once(&token, 20).await, Ok(()), "{alg}");
    }
    let secret = mint.python("HS256", &json!({ "iss": ISS }));
    assert_eq!(running.verify(&secret).await, UNKNOWN);
    assert_eq!(server.hits(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut mint = Mint::new();
    let target = Server::start(set(&mint.jwks())).await;
    let redirect = status(&format!("302 Found\r\nlocation: {}", target.url));
    let server = Server::start(redirect).await;
    let running = Running::with_url(&server.url);
    assert_eq!(running.verify(&token(&mut mint, "p256")).await, UNAVAILABLE);
    assert_eq!((server.hits(), target.hits()), (1, 0));
}

#[tokio::test]
async fn an_answer_may_have_a_mebibyte_and_no_more() {
    let mut mint = Mint::new();
    let token = token(&mut mint, "p256");
    let padded = |bytes: usize| {
        let mut body = mint.jwks().to_string().into_bytes();
        body.resize(bytes, b' ');
        body
    };
    let endless = |body: &[u8]| Reply::Bytes([b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", body].concat());
    for (reply, expected) in [
        (ok(&padded(1 << 20)), Ok(())),
        (endless(&padded(1 << 20)), Ok(())),
        (ok(&padded((1 << 20) + 1)), UNAVAILABLE),
        (endless(&padded((1 << 20) + 1)), UNAVAILABLE),
        (endless(&padded(20 << 20)), UNAVAILABLE),
    ] {
        let server = Server::start(reply).await;
        assert_eq!(Running::with_url(&server.url).verify(&token).await, expected);
    }
}

#[tokio::test]
async fn an_answer_has_five_seconds_from_first_to_last_byte() {
    let mut mint = Mint::new();
    let token = token(&mut mint, "p256");
    for reply in [Reply::Silence, Reply::Drip] {
        let server = Server::start(reply).await;
        let began = Instant::now();
        let running = Running::with_url(&server.url);
        server.has_been_asked(1).await;
        // From here nothing but timers can happen, and a paused clock leaps from one to the next.
        tokio::time::pause();
        let paused = Instant::now();
        assert_eq!(running.verify(&token).await, UNAVAILABLE);
        tokio::time::resume();
        assert!(began.elapsed() >= Duration::from_secs(5), "{:?}", began.elapsed());
        assert!(paused.elapsed() < Duration::from_millis(5_100), "{:?}", paused.elapsed());
    }
}

#[tokio::test]
async fn an_unknown_kid_brings_one_fetch_in_thirty_seconds_however_many_ask() {
    let mut mint = Mint::new();
    let server = Server::start(set(&mint.jwks())).await;
    let running = Running::with_url(&server.url);
    let known = token(&mut mint, "p256");
    assert_eq!(running.verify(&known).await, Ok(()));
    let unknown = token(&mut mint, "unheard of");
    for fetches in 2..5 {
        assert_eq!(running.verify_at_once(&unknown, 100).await, UNKNOWN);
        assert_eq!(server.hits(), fetches - 1, "the last fetch is not 30 s ago");
        pass(20).await;
        assert_eq!(running.verify_at_once(&unknown, 100).await, UNKNOWN);
        assert_eq!(server.hits(), fetches - 1, "the last fetch is not 30 s ago");
        pass(10).await;
        assert_eq!(running.verify_at_once(&unknown, 100).await, UNKNOWN);
        assert_eq!(server.hits(), fetches);
        assert_eq!(running.verify(&known).await, Ok(()));
    }
}

#[tokio::test]
async fn a_new_key_is_found_by_its_kid_and_a_withdrawn_one_is_forgotten() {
    let (mut old, mut new) = (Mint::new(), Mint::new());
    let server = Server::start(set(&jwks(&old, "old"))).await;
    let running = Running::with_url(&server.url);
    let (old_token, new_token) = (token(&mut old, "old"), token(&mut new, "new"));
    assert_eq!(running.verify(&old_token).await, Ok(()));
    server.now_says(set(&jwks(&new, "new")));
    assert_eq!(running.verify(&new_token).await, UNKNOWN);
    pass(30).await;
    assert_eq!(running.verify(&old_token).await, Ok(()), "nobody has asked for the new set yet");
    assert_eq!(running.verify(&new_token).await, Ok(()));
    assert_eq!(running.verify(&old_token).await, UNKNOWN);
    assert_eq!(server.hits(), 2);
}

#[tokio::test]
async fn a_set_is_refreshed_without_being_asked_for() {
    let (mut old, new) = (Mint::new(), Mint::new());
    let server = Server::start(set(&jwks(&old, "same"))).await;
    let running = Running::with_url(&server.url);
    let old_token = token(&mut old, "same");
    assert_eq!(running.verify(&old_token).await, Ok(()));
    server.now_says(set(&jwks(&new, "same")));
    pass(300).await;
    server.has_been_asked(2).await;
    // The answer has been sent but perhaps not been taken over.
    while running.verify(&old_token).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.verify(&old_token).await, Err(VerifyError::Refused(Refusal::BadSignature)));
}

#[tokio::test]
async fn a_bad_set_does_not_replace_a_good_one() {
    let mut mint = Mint::new();
    let server = Server::start(set(&mint.jwks())).await;
    let running = Running::with_url(&server.url);
    let (known, unknown) = (token(&mut mint, "p256"), token(&mut mint, "unheard of"));
    assert_eq!(running.verify(&known).await, Ok(()));
    let secrets_only = json!({ "keys": [{ "kty": "oct", "k": "A".repeat(43), "alg": "HS256", "kid": "p256" }] });
    let bad = [
        ok(b""),
        ok(b"<html>maintenance</html>"),
        ok(b"{\"keys\":[]}"),
        ok(b"{\"keys\":[{\"kty\":\"RSA\"}]}"),
        set(&secrets_only),
        status("500 Internal Server Error"),
        status("204 No Content"),
        status("304 Not Modified"),
        Reply::Bytes(b"nonsense".to_vec()),
        Reply::Bytes(Vec::new()),
    ];
    for (fetches, reply) in (2..).zip(bad) {
        server.now_says(reply);
        pass(30).await;
        assert_eq!(running.verify(&unknown).await, UNAVAILABLE, "a newer key may exist: nobody can say");
        assert!(server.hits() >= fetches);
        assert_eq!(running.verify(&known).await, Ok(()));
    }
    server.now_says(set(&mint.jwks()));
    pass(30).await;
    assert_eq!(running.verify(&unknown).await, UNKNOWN);
}

#[tokio::test]
async fn the_last_good_set_serves_for_its_time_and_no_longer() {
    let mut mint = Mint::new();
    let server = Server::start(set(&mint.jwks())).await;
    let running = Running::with_url(&server.url);
    let known = token(&mut mint, "p256");
    assert_eq!(running.verify(&known).await, Ok(()));
    server.now_says(status("503 Service Unavailable"));
    pass(86_390).await;
    assert_eq!(running.verify(&known).await, Ok(()));
    server.has_been_asked(2).await;
    pass(11).await;
    assert_eq!(running.verify(&known).await, UNAVAILABLE);
    server.now_says(set(&mint.jwks()));
    pass(30).await;
    assert_eq!(running.verify(&known).await, Ok(()), "the first to ask waits for the fetch");
}

#[tokio::test]
async fn a_server_that_is_down_at_start_is_waited_for() {
    let mut mint = Mint::new();
    let server = Server::start(status("502 Bad Gateway")).await;
    let running = Running::with_url(&server.url);
    let known = token(&mut mint, "p256");
    assert_eq!(running.verify_at_once(&known, 100).await, UNAVAILABLE);
    assert_eq!(running.verify_at_once(&known, 100).await, UNAVAILABLE);
    assert_eq!(server.hits(), 1, "at most one fetch in 30 s while the server is down");
    server.now_says(set(&mint.jwks()));
    pass(30).await;
    assert_eq!(running.verify(&known).await, Ok(()));
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_no_more_than_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    drop(listener);
    let mut mint = Mint::new();
    assert_eq!(Running::with_url(&url).verify(&token(&mut mint, "p256")).await, UNAVAILABLE);
}

#[tokio::test]
async fn keys_of_the_config_serve_while_the_published_ones_cannot_be_had() {
    let mut mint = Mint::new();
    let server = Server::start(status("502 Bad Gateway")).await;
    let mut issuer = mint.issuer(ISS);
    issuer.jwks_url = Some(server.url.clone());
    let running = Running::start(issuer);
    for alg in ["HS256", "ES256", "RS256"] {
        let token = mint.python(alg, &json!({ "iss": ISS }));
        assert_eq!(running.verify(&token).await, Ok(()), "{alg}");
    }
    assert_eq!(running.verify(&token(&mut mint, "unheard of")).await, UNAVAILABLE);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_take_the_fetch_with_it() {
    let mut mint = Mint::new();
    let server = Server::start(set(&mint.jwks())).await;
    let running = Running::with_url(&server.url);
    let known = token(&mut mint, "p256");
    let gone = tokio::time::timeout(Duration::ZERO, running.verify(&known)).await;
    assert!(gone.is_err(), "the fetch cannot have ended yet");
    assert_eq!(running.verify(&known).await, Ok(()));
    assert_eq!(server.hits(), 1);
}

#[tokio::test]
async fn one_silent_issuer_does_not_hold_up_another() {
    let (mut mint, silent) = (Mint::new(), Server::start(Reply::Silence).await);
    let server = Server::start(set(&mint.jwks())).await;
    let issuer = |iss: &str, url: &str| {
        let mut issuer = IssuerSettings::named(iss);
        issuer.jwks_url = Some(url.to_owned());
        issuer
    };
    let both = vec![issuer("https://silent.example/", &silent.url), issuer(ISS, &server.url)];
    let verifier = Verifier::new(both, Path::new("/")).unwrap();
    let stop = CancellationToken::new();
    let known = token(&mut mint, "p256");
    let began = Instant::now();
    tokio::select! {
        () = verifier.refresh(stop) => panic!("nobody stopped it"),
        answer = verifier.verify(&known) => assert_eq!(answer.unwrap().issuer.as_str(), ISS),
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_a_token_says_about_keys_is_never_fetched() {
    let mut mint = Mint::new();
    let server = Server::start(set(&mint.jwks())).await;
    let theirs = Server::start(set(&mint.jwks())).await;
    let running = Running::with_url(&server.url);
    for kid in ["p256", "unheard of"] {
        let headers = json!({ "kid": kid, "jku": theirs.url, "x5u": theirs.url });
        let token = mint.python_with("ES256", &json!({ "iss": ISS }), &headers);
        let expected = if kid == "p256" { Ok(()) } else { UNKNOWN };
        assert_eq!(running.verify(&token).await, expected);
    }
    assert_eq!((server.hits(), theirs.hits()), (1, 0));
}

#[tokio::test]
async fn the_refresh_ends_when_it_is_told_to_even_in_the_midst_of_a_fetch() {
    let server = Server::start(Reply::Silence).await;
    let running = Running::with_url(&server.url);
    server.has_been_asked(1).await;
    running.stop.cancel();
    tokio::time::timeout(Duration::from_secs(1), running.refresh).await.expect("it ends at once").unwrap();
}
