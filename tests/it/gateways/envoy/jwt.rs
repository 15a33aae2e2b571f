//! Envoy that verifies tokens by itself, by its filter `jwt_authn`, and tells revokd what they say: over gRPC, by metadata.

use std::path::Path;
use std::process::Command;

use axum::http::HeaderMap;
use rustix::process::Signal;
use serde_json::json;

use super::super::backend::Backend;
use super::super::process::Gateway;
use super::super::wire::Protocol;
use super::super::{Guarded, Plan, bearer};
use crate::clients::{until, until_good};
use crate::real_server::now;

static ENVOY_JWT: Gateway = Gateway { files: &["envoy/envoy-jwt.yaml"], command: by_jwt, ..super::CLOSED };

/// Where the file says that the issuer publishes its keys.
const ISSUER: u16 = 8081;

fn by_jwt(_: &Path, _: Protocol) -> Command {
    super::command("envoy-jwt.yaml")
}

/// An Envoy that revokd trusts, and the place of the issuer's keys, which it fetches itself.
async fn start(protocol: Protocol) -> (Guarded, Backend) {
    let mut plan = Plan::new();
    let issuer = Backend::saying(HeaderMap::new(), plan.mint.jwks().to_string()).await;
    plan.others.push((ISSUER, issuer.port));
    // Whoever is on this listener is this gateway.
    let listen = format!("listen = [\"127.0.0.1:{}\"]", plan.revokd);
    plan.toml = format!("\n[[gateways]]\nname = \"envoy\"\nmode = \"trust\"\n{listen}\n");
    let guarded = plan.carry_out(&ENVOY_JWT, protocol).await;
    until("Envoy has the issuer's keys", async || !issuer.seen().is_empty()).await;
    (guarded, issuer)
}

#[tokio::test]
async fn what_envoy_has_verified_passes_unless_it_is_revoked() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let (mut guarded, _issuer) = start(protocol).await;
        let [one, other] = ["one", "other"].map(|jti| guarded.token(jti));
        let stranger = guarded.token_of("stranger", "bob");
        until("Envoy trusts the keys", async || guarded.get(&[("authorization", &bearer(&one))]).await.status == 200)
            .await;
        guarded.backend.forget();
        guarded.assert_passes(&one).await;
        let seen = guarded.backend.seen();
        assert_eq!(seen[0].all("x-auth-subject"), ["%C3%A4lice"], "all that revokd knows is the payload");
        assert_eq!((seen[0].all("x-auth-jti"), seen[0].all("authorization").len()), (vec!["one"], 0));
        for token in [&other, &stranger] {
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
        let by_trust = "revokd_gateway_requests_total{result=\"revoked\",gateway=\"envoy\"}";
        assert!(guarded.server.metric(by_trust).await.unwrap() >= 2.0);
    }
}

#[tokio::test]
async fn what_envoy_cannot_verify_does_not_pass() {
    let (mut guarded, _issuer) = start(Protocol::Http1).await;
    let good = guarded.token("good");
    until("Envoy trusts the keys", async || guarded.get(&[("authorization", &bearer(&good))]).await.status == 200)
        .await;
    guarded.backend.forget();
    let (signed, _) = good.rsplit_once('.').unwrap();
    let expired = guarded.minted(&json!({ "jti": "a", "exp": now() - 3_600 }));
    let elsewhere = guarded.minted(&json!({ "jti": "a", "aud": "another" }));
    let other = guarded.token("other");
    for headers in [
        vec![],
        vec![("authorization", bearer(&format!("{signed}.AAAA")))],
        vec![("authorization", bearer(&expired))],
        vec![("authorization", bearer(&elsewhere))],
        vec![("authorization", "Basic YQ==".to_owned())],
        vec![("authorization", bearer(&good)), ("authorization", bearer(&other))],
        // What Envoy says to revokd about tokens no client can say.
        vec![("x-jwt-jti", "good".to_owned()), ("x-envoy-filters-http-jwt-authn", "{}".to_owned())],
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
        let answer = guarded.verdict(&headers).await;
        // Of another audience, Envoy says 403.
        assert!([401, 403].contains(&answer.status), "{headers:?}: {answer:?}");
    }
    // A token that the issuer's tokens are not known by is no way around.
    let nameless = guarded.minted(&json!({ "jti": null }));
    assert_eq!(guarded.verdict_on(&nameless).await.status, 401);
    assert_eq!(guarded.backend.seen().len(), 0);
}

#[tokio::test]
async fn nobody_passes_while_revokd_is_down_or_slow() {
    let (mut guarded, _issuer) = start(Protocol::Http1).await;
    let good = guarded.token("good");
    until("Envoy trusts the keys", async || guarded.get(&[("authorization", &bearer(&good))]).await.status == 200)
        .await;
    guarded.backend.forget();
    guarded.server.halt().await;
    assert_eq!(guarded.get(&[("authorization", &bearer(&good))]).await.status, 503);
    guarded.server.signal(Signal::CONT);
    guarded.assert_passes(&good).await;
    guarded.backend.forget();
    guarded.server.kill();
    assert_eq!(guarded.get(&[("authorization", &bearer(&good))]).await.status, 503);
    assert_eq!(guarded.backend.seen().len(), 0);
    guarded.server = guarded.home.start().await;
    guarded.assert_passes(&good).await;
}

#[test]
fn the_page_is_of_the_tested_files() {
    crate::gateways::docs::the_page_is_of_the_tested_files(&ENVOY_JWT);
}
