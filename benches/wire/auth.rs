//! What gateways ask: a good token at `/auth`, its signature remembered or verified each time, beside a check by its `jti`.

use std::fmt::Write as _;

use super::contests::{compare, now};
use super::load::{wrk, wrk_with};
use super::servers::Server;
use crate::support::ids::Ids;
use crate::support::{argument, print_heading};

const ISS: &str = "https://auth.example";

/// The tokens of a busy hour, which all are remembered.
const TOKENS: u64 = 10_000;

/// As many as a check has.
const CONNECTIONS: u64 = 50;

/// Where a server that judges them keeps the tokens, one a line.
pub(crate) const TOKENS_FILE: &str = "tokens";

/// A server that verifies the tokens beside its data, and remembers so many bytes of them.
///
/// # Panics
/// If they cannot be made.
pub(crate) fn judging(remembered_bytes: u64) -> Server {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap_or_else(|error| panic!("{error}"));
    let key = jsonwebtoken::EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes());
    let key = key.unwrap_or_else(|error| panic!("{error}"));
    let mut tokens = String::new();
    for number in 0..TOKENS {
        let claims = serde_json::json!({
            "iss": ISS, "aud": "api", "sub": format!("subject-{number}"), "client_id": "shop", "sid": Ids::new(4).at(number),
            "jti": Ids::new(5).at(number), "iat": now(), "exp": now() + 86_400, "scope": "read write",
        });
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
        let token = jsonwebtoken::encode(&header, &claims, &key).unwrap_or_else(|error| panic!("{error}"));
        let _ = writeln!(tokens, "{token}");
    }
    let public = pair.public_key_pem();
    let toml = format!(
        "[check]\nremembered_bytes_max = {remembered_bytes}\n[[issuers]]\niss = \"{ISS}\"\naudience = \"api\"\n\
         [[issuers.keys]]\nalg = \"ES256\"\npem_file = \"key.pem\"\n"
    );
    Server::revokd_with(&toml, &[("key.pem", &public), (TOKENS_FILE, &tokens)])
}

/// `/auth` against `GET /check/{jti}`, and against the bare loop.
pub(crate) fn auth() {
    let (remembering, forgetful, bare) = (judging(16 << 20), judging(0), Server::bare_loop());
    let seconds = argument("--seconds", 5);
    let asked = |server: &Server, run| {
        let tokens = server.directory.join(TOKENS_FILE);
        wrk_with(server, "auth.lua", CONNECTIONS, seconds, run, &[&tokens.to_string_lossy()])
    };
    print_heading(&format!("Good ES256 tokens at /auth, {TOKENS} of them, {CONNECTIONS} connections"));
    compare(&mut [
        ("revokd `/auth`, signature remembered", &mut |run| asked(&remembering, run)),
        ("revokd `GET /check/{jti}`", &mut |run| wrk(&remembering, "check.lua", CONNECTIONS, seconds, run, 1.0)),
        ("bare loop, constant", &mut |run| wrk(&bare, "check.lua", CONNECTIONS, seconds, run, 1.0)),
        ("revokd `/auth`, signature verified each time", &mut |run| asked(&forgetful, run)),
    ]);
}
