//! A key set over HTTPS: fetched from a server whose certificate is trusted, and from no other.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::process::Command;

use revokd::verifier::VerifyError;

use crate::minting::{HttpsServer, Mint};
use crate::verifier_server::{Running, token};

/// Tells this test, run again by itself, what to fetch and verify: the environment in which certificates are trusted
/// can be set for a new process only.
const AGAIN: &str = "REVOKD_TEST_HTTPS";

#[tokio::test]
async fn only_a_server_with_a_trusted_certificate_is_believed() {
    if let Ok(again) = std::env::var(AGAIN) {
        let (url, token) = again.split_once(' ').unwrap();
        assert_eq!(Running::with_url(url).verify(token).await, Ok(()));
        return;
    }
    let mut mint = Mint::new();
    let token = token(&mut mint, "p256");
    let server = HttpsServer::start(&mint);
    assert_eq!(Running::with_url(&server.url).verify(&token).await, Err(VerifyError::KeysUnavailable));
    let trusting = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "verifier_https::only_a_server_with_a_trusted_certificate_is_believed"])
        .env("SSL_CERT_FILE", &server.certificate)
        .env(AGAIN, format!("{} {token}", server.url))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&trusting.stdout);
    assert!(trusting.status.success() && said.contains("1 passed"), "{said}");
}
