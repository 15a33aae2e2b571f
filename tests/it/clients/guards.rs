//! APIs behind express-jwt and Flask-JWT-Extended, which ask revokd by `isRevoked` and `token_in_blocklist_loader`.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Program, key, until, until_good};
use crate::minting::Mint;
use crate::real_server::{Home, RealServer, answer, now};

const ISS: &str = "https://issuer.example/";
const AUDIENCE: &str = "api";

/// Longer than an answer takes on a busy machine.
const LONG: &str = "30000";

/// What a test waits for in vain.
const SHORT: &str = "1000";

/// How an API is started that asks revokd.
type Start = fn(&[(&str, &str)]) -> Program;

fn express(environment: &[(&str, &str)]) -> Program {
    Program::node("guard.mjs", environment)
}

fn flask(environment: &[(&str, &str)]) -> Program {
    Program::python("guard.py", environment)
}

struct Guarded {
    mint: Mint,
    home: Home,
    server: RealServer,
    start: Start,
    key: String,
    guard: Guard,
}

/// An API that asks revokd about every token.
struct Guard {
    _program: Program,
    url: String,
}

impl Guarded {
    async fn start(start: Start, timeout_ms: &'static str) -> Self {
        let mint = Mint::new();
        let toml = mint.issuers_toml(ISS).replacen("jwks_file", "clock_skew_s = 0\njwks_file", 1);
        let home = Home::with_config(&toml, &[]);
        let server = home.start().await;
        let key = key(&server, &["check"]).await;
        let guard = guard(start, &mint, &server, &key, timeout_ms);
        Self { mint, home, server, start, key, guard }
    }

    fn token(&mut self, jti: &str) -> String {
        let claims = json!({
            "iss": ISS, "aud": AUDIENCE, "jti": jti, "sub": "älice", "sid": "s1", "client_id": "shop",
            "iat": now(), "exp": now() + 3_600,
        });
        self.mint.python("ES256", &claims)
    }

    async fn get(&self, token: &str) -> (u16, Value) {
        self.get_from(&self.guard, token).await
    }

    /// What an API says to a bearer of this token.
    async fn get_from(&self, guard: &Guard, token: &str) -> (u16, Value) {
        let request = self.server.http.get(&guard.url).bearer_auth(token).timeout(Duration::from_secs(30));
        answer(request).await.unwrap()
    }
}

fn guard(start: Start, mint: &Mint, server: &RealServer, key: &str, timeout_ms: &str) -> Guard {
    let key_file = mint.dir().join("p256.pem");
    let program = start(&[
        ("REVOKD_URL", &server.url),
        ("REVOKD_API_KEY", key),
        ("REVOKD_TIMEOUT_MS", timeout_ms),
        ("ISSUER", ISS),
        ("AUDIENCE", AUDIENCE),
        ("KEY_FILE", key_file.to_str().unwrap()),
    ]);
    let url = program.line();
    Guard { _program: program, url }
}

#[tokio::test]
async fn express_jwt_refuses_a_revoked_token_at_once_and_no_other() {
    refuses_the_revoked_at_once(express).await;
}

#[tokio::test]
async fn flask_jwt_extended_refuses_a_revoked_token_at_once_and_no_other() {
    refuses_the_revoked_at_once(flask).await;
}

async fn refuses_the_revoked_at_once(start: Start) {
    let mut guarded = Guarded::start(start, LONG).await;
    let (token, other) = (guarded.token("tökén"), guarded.token("other"));
    for token in [&token, &other] {
        assert_eq!(guarded.get(token).await, (200, json!({ "hello": "älice" })));
    }
    guarded.server.ok("/revoke", &json!({ "token": token })).await;
    assert_eq!(guarded.get(&token).await, (401, json!({ "error": "revoked_token" })));
    assert_eq!(guarded.get(&other).await.0, 200, "another token of the same subject");

    let logged_out = guarded.server.ok("/force-logout", &json!({ "sub": "älice" })).await;
    assert_eq!(guarded.get(&other).await, (401, json!({ "error": "revoked_token" })));
    until_good(&logged_out).await;
    let fresh = guarded.token("fresh");
    assert_eq!(guarded.get(&fresh).await.0, 200, "a fresh login");
    assert_eq!(guarded.get(&other).await.0, 401);
}

#[tokio::test]
async fn express_jwt_lets_nobody_through_while_revokd_cannot_be_asked() {
    is_closed_in_doubt(express).await;
}

#[tokio::test]
async fn flask_jwt_extended_lets_nobody_through_while_revokd_cannot_be_asked() {
    is_closed_in_doubt(flask).await;
}

async fn is_closed_in_doubt(start: Start) {
    let mut guarded = Guarded::start(start, SHORT).await;
    let (good, revoked) = (guarded.token("good"), guarded.token("revoked"));
    guarded.server.ok("/revoke", &json!({ "token": revoked })).await;
    passes_and_refuses(&guarded, &good, &revoked).await;
    let unavailable = (503, json!({ "error": "unavailable" }));

    guarded.server.halt().await;
    for token in [&good, &revoked] {
        assert_eq!(guarded.get(token).await, unavailable, "revokd hangs");
    }
    guarded.server.signal(Signal::CONT);
    passes_and_refuses(&guarded, &good, &revoked).await;

    let stranger = format!("revokd_0123456789ab_{}", "A".repeat(43));
    for wrong in [stranger, key(&guarded.server, &["revoke"]).await] {
        let misconfigured = guard(guarded.start, &guarded.mint, &guarded.server, &wrong, LONG);
        for token in [&good, &revoked] {
            assert_eq!(guarded.get_from(&misconfigured, token).await, unavailable, "revokd does not know the API");
        }
    }

    guarded.server.kill();
    for token in [&good, &revoked] {
        assert_eq!(guarded.get(token).await, unavailable, "revokd is gone");
    }

    // What was revoked is still known to the next one.
    guarded.server = guarded.home.start().await;
    guarded.guard = guard(guarded.start, &guarded.mint, &guarded.server, &guarded.key, SHORT);
    passes_and_refuses(&guarded, &good, &revoked).await;
}

/// As soon as revokd answers in time, which on a busy machine it may not at once.
async fn passes_and_refuses(guarded: &Guarded, good: &str, revoked: &str) {
    for (token, expected) in [(good, 200), (revoked, 401)] {
        until("a verdict", async || {
            let (status, said) = guarded.get(token).await;
            assert!([expected, 503].contains(&status), "{status} {said}");
            status == expected
        })
        .await;
    }
}
