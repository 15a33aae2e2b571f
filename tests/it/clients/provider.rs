//! npm oidc-provider issues the tokens, npm openid-client logs in with it.

use serde_json::{Value, json};

use super::{Program, key, until, until_good};
use crate::real_server::{Home, RealServer, now};

/// A provider that posts to revokd, revokd that trusts the provider, and a shop whose customers log in.
struct World {
    _provider: Program,
    shop: Program,
    issuer: String,
    server: RealServer,
    _home: Home,
}

impl World {
    async fn start() -> Self {
        let mut provider = Program::node("provider.mjs", &[]);
        let issuer = provider.json()["issuer"].as_str().unwrap().to_owned();
        let home = Home::with_config(
            &format!(
                "[[issuers]]\niss = \"{issuer}\"\njwks_url = \"{issuer}/jwks\"\n\
                 [issuers.backchannel]\naudience = \"shop\"\n"
            ),
            &[],
        );
        let server = home.start().await;
        let key = key(&server, &["revoke"]).await;
        assert_eq!(provider.ask(&json!({ "revokd": server.url, "key": key })), json!({}));
        let shop = Program::node("shop.mjs", &[]);
        Self { _provider: provider, shop, issuer, server, _home: home }
    }

    /// Does something at the provider.
    fn shop(&mut self, verb: &str, mut what: Value) -> Value {
        what["do"] = json!(verb);
        what["issuer"] = json!(self.issuer);
        self.shop.ask(&what)
    }

    /// Logs somebody in by authorization code with PKCE.
    fn login(&mut self, sub: &str, offline: bool) -> Login {
        let said = self.shop("login", json!({ "sub": sub, "offline": offline }));
        assert_eq!(said["claims"]["sub"], sub, "{said}");
        let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        Login { access_token: text("access_token"), refresh_token: text("refresh_token") }
    }

    async fn check(&self, login: &Login) -> Value {
        self.server.ok("/check", &json!({ "token": login.access_token })).await
    }

    async fn is_revoked(&self, login: &Login) -> bool {
        self.check(login).await["revoked"].as_bool().unwrap()
    }
}

struct Login {
    access_token: String,
    refresh_token: String,
}

#[tokio::test]
async fn a_force_logout_ends_what_the_provider_itself_cannot_and_a_fresh_login_passes() {
    let mut world = World::start().await;
    let (alice, bob) = (world.login("alice", false), world.login("bob", false));
    for login in [&alice, &bob] {
        let verdict = world.check(login).await;
        assert_eq!(verdict["revoked"], false, "{verdict}");
        assert_eq!(verdict["judged"], json!(["jti", "sid", "sub", "client_id", "iss"]), "{verdict}");
    }
    // Why revokd exists.
    let refused = world.shop("revoke_at_provider", json!({ "token": alice.access_token }));
    assert_eq!((&refused["refused"], &refused["status"]), (&json!("unsupported_token_type"), &json!(400)), "{refused}");
    assert!(!world.is_revoked(&alice).await);

    let logged_out = world.server.ok("/force-logout", &json!({ "sub": "alice", "reason": "stolen laptop" })).await;
    let verdict = world.check(&alice).await;
    assert_eq!((&verdict["revoked"], &verdict["by"]), (&json!(true), &json!("sub")), "{verdict}");
    assert!(!world.is_revoked(&bob).await);

    until_good(&logged_out).await;
    let fresh = world.login("alice", false);
    assert!(!world.is_revoked(&fresh).await, "a fresh login");
    assert!(world.is_revoked(&alice).await, "the old token stays out");
}

#[tokio::test]
async fn what_the_provider_revokes_reaches_revokd_by_its_events() {
    let mut world = World::start().await;
    let (alice, other) = (world.login("alice", true), world.login("alice", true));
    // An opaque one, which the provider does revoke, and with it the grant of the access token.
    let done = world.shop("revoke_at_provider", json!({ "token": alice.refresh_token }));
    assert_eq!(done, json!({}));
    until("the provider's event", async || world.is_revoked(&alice).await).await;
    assert_eq!(world.check(&alice).await["reason"], "grant revoked");
    assert!(!world.is_revoked(&other).await, "another grant");
}

#[tokio::test]
async fn a_logout_at_the_provider_reaches_revokd_by_its_events() {
    let mut world = World::start().await;
    let (bob, other) = (world.login("bob", false), world.login("alice", false));
    assert_eq!(world.shop("logout", json!({ "sub": "bob" })), json!({}));
    until("the token is listed", async || {
        let (_, listed) = world.server.get("/revocations?kind=jti&sub=bob").await;
        listed["revocations"][0]["reason"] == "grant revoked"
    })
    .await;
    assert!(world.is_revoked(&bob).await);
    assert!(!world.is_revoked(&other).await, "another session");
}

#[tokio::test]
async fn a_logout_at_the_provider_reaches_revokd_by_the_back_channel() {
    let mut world = World::start().await;
    let (other, ended) = (world.login("bob", false), world.login("bob", false));
    assert_eq!(world.shop("logout", json!({ "sub": "bob" })), json!({}));
    let mut sid = String::new();
    until("the session is listed", async || {
        let (_, listed) = world.server.get("/revocations?kind=sid").await;
        let entry = &listed["revocations"][0];
        sid = entry["value"].as_str().unwrap_or_default().to_owned();
        entry["reason"] == "back-channel logout"
    })
    .await;
    let (status, verdict) = world.server.get(&format!("/check?sid={sid}&iat={}", now())).await;
    assert_eq!((status, &verdict["by"]), (200, &json!("sid")), "whatever the session has got: {verdict}");
    assert!(world.is_revoked(&ended).await);
    assert!(!world.is_revoked(&other).await, "another session of the same subject");
    let (_, audit) = world.server.get("/audit?limit=1000").await;
    let record = audit["records"].as_array().unwrap().iter().find(|record| record["source"] == "backchannel");
    assert!(record.is_some(), "{audit}");
}
