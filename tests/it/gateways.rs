//! Real gateways with the files of `deploy/gateways`, in front of a backend, and the real binary behind them. Of the files a
//! test replaces the addresses and the key, and no more.
//!
//! What must hold for every gateway is in `trials`; what differs between them, one file each.

/// Every trial on one gateway.
macro_rules! stands_every_trial {
    ($gateway:expr) => {
        #[tokio::test]
        async fn the_good_pass_and_nobody_else() {
            crate::gateways::trials::the_good_pass_and_nobody_else(&$gateway).await;
        }

        #[tokio::test]
        async fn what_is_revoked_is_refused_from_the_next_request_on() {
            crate::gateways::trials::what_is_revoked_is_refused_from_the_next_request_on(&$gateway).await;
        }

        #[tokio::test]
        async fn connections_are_kept_in_http_1_and_http_2() {
            crate::gateways::trials::connections_are_kept_in_http_1_and_http_2(&$gateway).await;
        }

        #[tokio::test]
        async fn no_request_of_a_burst_passes_once_its_token_is_revoked() {
            crate::gateways::trials::no_request_of_a_burst_passes_once_its_token_is_revoked(&$gateway).await;
        }

        #[tokio::test]
        async fn what_clients_smuggle_changes_nothing_and_ends_here() {
            crate::gateways::smuggling::what_clients_smuggle_changes_nothing_and_ends_here(&$gateway).await;
        }

        #[tokio::test]
        async fn no_client_takes_away_what_revokd_has_said() {
            crate::gateways::smuggling::no_client_takes_away_what_revokd_has_said(&$gateway).await;
        }

        #[tokio::test]
        async fn nobody_passes_while_revokd_is_down_or_slow() {
            crate::gateways::outages::nobody_passes_while_revokd_is_down_or_slow(&$gateway).await;
        }

        #[tokio::test]
        async fn nobody_passes_while_revokd_is_full() {
            crate::gateways::outages::nobody_passes_while_revokd_is_full(&$gateway).await;
        }

        #[test]
        fn the_page_is_of_the_tested_files() {
            crate::gateways::docs::the_page_is_of_the_tested_files(&$gateway);
        }

        #[tokio::test]
        async fn nobody_passes_a_gateway_that_revokd_does_not_know() {
            crate::gateways::outages::nobody_passes_a_gateway_that_revokd_does_not_know(&$gateway).await;
        }
    };
}

/// The trial of what exactly is asked, on a gateway that asks at `/auth`.
macro_rules! tells_revokd_by_http {
    ($gateway:expr) => {
        #[tokio::test]
        async fn revokd_is_told_nothing_that_a_client_could_forge() {
            crate::gateways::smuggling::revokd_is_told_nothing_that_a_client_could_forge(&$gateway).await;
        }
    };
}

mod backend;
mod caddy;
mod docs;
mod envoy;
mod haproxy;
mod nginx;
mod outages;
mod process;
mod smuggling;
mod traefik;
mod trials;
mod wire;

use serde_json::json;

use crate::clients::{key, until};
use crate::minting::Mint;
use crate::real_server::{Home, RealServer, now};
use backend::Backend;
use process::{Addresses, Gateway, Process, free_port};
use wire::{Answer, Connection, Protocol};

const ISS: &str = "https://issuer.example/";
const AUDIENCE: &str = "api";

/// A backend, a gateway before it, and a revokd that the gateway asks.
struct Guarded {
    mint: Mint,
    home: Home,
    server: RealServer,
    backend: Backend,
    process: Process,
    addresses: Addresses,
}

impl Guarded {
    async fn start(gateway: &'static Gateway, protocol: Protocol) -> Self {
        Self::with(gateway, protocol, Vec::new()).await
    }

    /// The same with these `KEY=VALUE` settings of revokd.
    async fn with(gateway: &'static Gateway, protocol: Protocol, settings: Vec<String>) -> Self {
        Plan { settings, ..Plan::new() }.carry_out(gateway, protocol).await
    }

    /// A token of this subject that is good.
    fn token_of(&mut self, jti: &str, sub: &str) -> String {
        self.minted(&json!({ "jti": jti, "sub": sub }))
    }

    /// A token that is good.
    fn token(&mut self, jti: &str) -> String {
        self.token_of(jti, "älice")
    }

    /// A good token, but for these claims.
    fn minted(&mut self, other: &serde_json::Value) -> String {
        let mut claims = json!({
            "iss": ISS, "aud": AUDIENCE, "sub": "älice", "client_id": "shop", "iat": now(), "exp": now() + 3_600,
        });
        let other = other.as_object().unwrap().clone();
        claims.as_object_mut().unwrap().extend(other);
        self.mint.python("ES256", &claims)
    }

    /// What a client is told that sends these headers.
    async fn get(&self, headers: &[(&str, &str)]) -> Answer {
        wire::get(&self.server.http, self.process.port, headers).await
    }

    /// The same, but for a machine so busy that revokd did not answer in time: then it is asked again.
    async fn verdict(&self, headers: &[(&str, &str)]) -> Answer {
        let mut last = None;
        until("a verdict", async || {
            let answer = self.get(headers).await;
            let is_verdict = !answer.is_unavailable();
            last = Some(answer);
            is_verdict
        })
        .await;
        last.unwrap()
    }

    /// The same for the bearer of a token.
    async fn verdict_on(&self, token: &str) -> Answer {
        self.verdict(&[("authorization", &bearer(token))]).await
    }

    async fn assert_passes(&self, token: &str) {
        let answer = self.verdict_on(token).await;
        assert_eq!(answer.status, 200, "{answer:?}\n{}", self.process.log());
    }

    async fn assert_is_refused(&self, token: &str) {
        let answer = self.verdict_on(token).await;
        assert_eq!(answer.status, 401, "{answer:?}\n{}", self.process.log());
        assert_eq!(answer.challenge.as_deref(), Some("Bearer error=\"invalid_token\""));
    }

    async fn revoke(&self, token: &str) {
        self.server.ok("/revoke", &json!({ "token": token })).await;
    }
}

/// What is told otherwise of a gateway and its revokd.
struct Plan {
    mint: Mint,
    /// A port of revokd's own, for the one that comes after it must have the same.
    revokd: u16,
    /// More of its config.
    toml: String,
    /// And `KEY=VALUE` settings.
    settings: Vec<String>,
    /// Other ports of the gateway's files, each with the one in its place.
    others: Vec<(u16, u16)>,
}

impl Plan {
    fn new() -> Self {
        let (toml, settings, others) = (String::new(), Vec::new(), Vec::new());
        Self { mint: Mint::new(), revokd: free_port(), toml, settings, others }
    }

    async fn carry_out(self, gateway: &'static Gateway, protocol: Protocol) -> Guarded {
        let Self { mint, revokd, toml, mut settings, others } = self;
        let of_issuer = format!("clock_skew_s = 0\naudience = [{AUDIENCE:?}]\njwks_file");
        let toml = mint.issuers_toml(ISS).replacen("jwks_file", &of_issuer, 1) + &toml;
        settings.push(format!("server.listen=127.0.0.1:{revokd}"));
        let settings: Vec<_> = settings.iter().map(String::as_str).collect();
        let home = Home::with_config(&toml, &settings);
        let server = home.start().await;
        let backend = Backend::start().await;
        let addresses = Addresses { revokd, backend: backend.port, others, key: key(&server, &["check"]).await };
        let process = Process::start(gateway, protocol, &addresses).await;
        backend.forget();
        Guarded { mint, home, server, backend, process, addresses }
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}
