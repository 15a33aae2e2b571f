//! npm openid-client and Authlib revoke by RFC 7009 and introspect by RFC 7662, with both ways to prove who they are.
//! They encode Basic credentials differently: openid-client form-encodes them first, Authlib does not.

use serde_json::{Value, json};

use super::Program;
use crate::minting::Mint;
use crate::real_server::{Home, RealServer, now};

const ISS: &str = "https://issuer.example/";

/// One library, with one way to prove who it is.
struct Client {
    program: Program,
    auth: &'static str,
    url: String,
    id: String,
    secret: String,
}

impl Client {
    fn new(program: Program, auth: &'static str, server: &RealServer) -> Self {
        let (url, secret) = (server.url.clone(), server.key.clone());
        let id = secret.split('_').nth(1).unwrap().to_owned();
        Self { program, auth, url, id, secret }
    }

    fn ask(&mut self, verb: &str, token: &str, hint: Option<&str>) -> Value {
        let Self { program, auth, url, id, secret } = self;
        let mut request = json!({ "do": verb, "url": url, "id": id, "secret": secret, "auth": auth, "token": token });
        if let Some(hint) = hint {
            request["hint"] = json!(hint);
        }
        program.ask(&request)
    }
}

fn token(mint: &mut Mint, jti: &str) -> String {
    let claims = json!({
        "iss": ISS, "jti": jti, "sub": "älice", "client_id": "shop", "scope": "buy", "iat": now(), "exp": now() + 3_600,
    });
    mint.python("ES256", &claims)
}

/// The same claims under a signature of somebody else's.
fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{signed}.{first}{}", &signature[1..])
}

#[tokio::test]
async fn openid_client_revokes_and_introspects_with_basic_and_with_post() {
    serves(|| Program::node("shop.mjs", &[])).await;
}

#[tokio::test]
async fn authlib_revokes_and_introspects_with_basic_and_with_post() {
    serves(|| Program::python("oauth.py", &[])).await;
}

async fn serves(start: fn() -> Program) {
    let mut mint = Mint::new();
    let home = Home::with_config(&mint.issuers_toml(ISS), &[]);
    let server = home.start().await;
    for auth in ["basic", "post"] {
        let mut client = Client::new(start(), auth, &server);
        let (own, other) = (token(&mut mint, &format!("{auth}-1")), token(&mut mint, &format!("{auth}-2")));
        let said = client.ask("introspect", &own, Some("access_token"));
        assert_eq!((&said["active"], &said["sub"]), (&json!(true), &json!("älice")), "{auth}: {said}");
        assert_eq!((&said["client_id"], &said["iss"]), (&json!("shop"), &json!(ISS)), "{auth}: {said}");

        for hint in [Some("access_token"), Some("refresh_token"), Some("nonsense"), None] {
            assert_eq!(client.ask("revoke", &own, hint), json!({}), "{auth} {hint:?}: done, or done already");
            assert_eq!(client.ask("introspect", &own, hint), json!({ "active": false }), "{auth} {hint:?}");
        }
        assert_eq!(server.ok("/check", &json!({ "token": own })).await["revoked"], true);
        assert_eq!(client.ask("introspect", &other, None)["active"], true, "{auth}: another good token");
        refuses(&mut client, &other);
        assert_eq!(server.ok("/check", &json!({ "token": other })).await["revoked"], false, "{auth}");
    }
}

fn refuses(client: &mut Client, good: &str) {
    assert_eq!(client.ask("introspect", &forged(good), None), json!({ "active": false }));
    assert_eq!(client.ask("revoke", &forged(good), None), json!({}), "a forged one means nothing, and revokes nothing");
    assert_eq!(client.ask("introspect", "opaque", None), json!({ "active": false }));
    let refused = client.ask("revoke", "opaque", None);
    assert_eq!((&refused["refused"], &refused["status"]), (&json!("unsupported_token_type"), &json!(400)), "{refused}");

    let key = client.secret.clone();
    client.secret = format!("revokd_{}_{}", client.id, "A".repeat(43));
    for verb in ["revoke", "introspect"] {
        assert_eq!(client.ask(verb, good, None)["status"], 401, "{verb} with a wrong secret");
    }
    client.secret = key;
}
