//! Tokens that are remembered for gateways: as long as the keys that vouched for them, and not a moment longer.

use std::sync::Arc;

use revokd::gateway::{Doubt, Gateway, GatewaySettings, Headers, Reason, Ruling};
use revokd::http::HttpSettings;
use revokd::keys::{Caller, Scope, Scopes};
use revokd::metrics::Metrics;
use revokd::readiness::Readiness;
use revokd::token::Issuer;
use revokd::verifier::Refusal;
use serde_json::json;

use crate::minting::Mint;
use crate::test_app::{START, TestApp};
use crate::verifier_server::{ISS, Running, Server, jwks, pass, set, status};

/// What a user sends.
struct Sent(String);

impl Headers for Sent {
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        (name == "authorization").then_some(self.0.as_bytes()).into_iter()
    }
}

struct World {
    server: Server,
    running: Running,
    gateway: Gateway,
    token: Sent,
    _app: TestApp,
}

impl World {
    async fn start(mint: &mut Mint, remembered_bytes_max: u64) -> Self {
        let server = Server::start(set(&jwks(mint, "same"))).await;
        let running = Running::with_url(&server.url);
        let app = TestApp::with(HttpSettings::default(), &[ISS]);
        let settings = GatewaySettings { remembered_bytes_max, ..GatewaySettings::default() };
        let verifier = Arc::clone(&running.verifier);
        let gateway = Gateway::new(app.denylist.clone(), verifier, Readiness::new(), &Metrics::new(), settings);
        let claims = json!({ "iss": ISS, "jti": "1", "iat": START.0, "exp": START.0 + 600 });
        let token = mint.python_with("ES256", &claims, &json!({ "kid": "same" }));
        let world = Self { server, running, gateway, token: Sent(format!("Bearer {token}")), _app: app };
        // A fetch may take longer than a gateway waits.
        while !matches!(world.ask().await, Ruling::Pass(_)) {
            tokio::task::yield_now().await;
        }
        world
    }

    async fn ask(&self) -> Ruling {
        self.gateway.rule(&Caller::new("0123456789ab", Scopes::of(&[Scope::Check])), &self.token, &[]).await
    }

    fn keys_version(&self) -> Option<u64> {
        self.running.verifier.keys_version(&Issuer::parse(ISS).unwrap())
    }
}

#[tokio::test]
async fn what_other_keys_vouched_for_is_forgotten_when_the_keys_change() {
    for remembered in [0, 1 << 20] {
        let (mut old, new) = (Mint::new(), Mint::new());
        let world = World::start(&mut old, remembered).await;
        let version = world.keys_version();
        // The same set, fetched again, is no change.
        pass(300).await;
        world.server.has_been_asked(2).await;
        assert!(matches!(world.ask().await, Ruling::Pass(_)));
        assert_eq!(world.keys_version(), version);
        world.server.now_says(set(&jwks(&new, "same")));
        pass(300).await;
        world.server.has_been_asked(3).await;
        // The answer has been sent but perhaps not been taken over.
        while world.keys_version() == version {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.ask().await, Ruling::Refuse(Reason::Token(Refusal::BadSignature)));
    }
}

#[tokio::test]
async fn what_is_remembered_serves_no_longer_than_the_last_good_keys() {
    let mut mint = Mint::new();
    let world = World::start(&mut mint, 1 << 20).await;
    world.server.now_says(status("503 Service Unavailable"));
    pass(86_390).await;
    assert!(matches!(world.ask().await, Ruling::Pass(_)));
    world.server.has_been_asked(2).await;
    pass(11).await;
    assert_eq!(world.keys_version(), None);
    assert!(matches!(world.ask().await, Ruling::Unavailable(Doubt::Keys | Doubt::Late)));
}
