//! Forms at the OAuth endpoints (RFC 7009, RFC 7662): who asks, what is asked, and tokens that mean nothing.

use super::server::{BASIC, ID};
use super::{Answer, Asked, Case, KEY, MARKER, OAuth, Says, Status, asked, tokens};

const FORM: &str = "application/x-www-form-urlencoded";
const PATHS: [&str; 2] = ["/oauth2/revoke", "/oauth2/introspect"];

/// A form of one who is known.
fn form(path: &str, body: impl Into<Vec<u8>>) -> Asked {
    asked("POST", path).only(&[&format!("Authorization: Basic {BASIC}")]).typed(FORM, body)
}

pub(super) fn cases() -> Vec<Case> {
    [bodies(), callers(), meaningless()].into_iter().flatten().collect()
}

/// At both endpoints.
fn both(what: &str, asked: impl Fn(&str) -> Asked, answer: Answer) -> [Case; 2] {
    PATHS.map(|path| asked(path).is(format!("{what} at {path}"), answer))
}

fn bodies() -> Vec<Case> {
    let malformed = OAuth(400, "invalid_request");
    let mut cases = Vec::new();
    for (what, body) in [
        ("no token", b"".to_vec()),
        ("a token without a name", MARKER.as_bytes().to_vec()),
        ("an empty token", b"token=".to_vec()),
        ("a token twice", format!("token={MARKER}&token={MARKER}").into_bytes()),
        ("a token twice, once encoded", format!("token={MARKER}&%74oken={MARKER}").into_bytes()),
        ("a hint twice", format!("token={MARKER}&token_type_hint=a&token_type_hint=b").into_bytes()),
        ("a token in capitals", format!("TOKEN={MARKER}").into_bytes()),
        ("half an escape", b"token=a%4".to_vec()),
        ("an escape that is none", b"token=a%zz".to_vec()),
        ("invalid UTF-8", b"token=%ff%fe".to_vec()),
        ("raw bytes", b"token=\xff\xfe".to_vec()),
        ("JSON in a form", format!("{{\"token\":\"{MARKER}\"}}").into_bytes()),
        ("a semicolon between", format!("a=b;token={MARKER}").into_bytes()),
    ] {
        cases.extend(both(what, |path| form(path, body.clone()), malformed));
    }
    let token = || format!("token={MARKER}");
    for media in ["application/json", "text/plain", "multipart/form-data; boundary=x", ""] {
        let typed =
            |path: &str| asked("POST", path).only(&[&format!("Authorization: Basic {BASIC}")]).typed(media, token());
        cases.extend(both(&format!("a form called {media:?}"), typed, OAuth(415, "invalid_request")));
    }
    let in_query = |path: &str| form(&format!("{path}?token={MARKER}"), "");
    cases.extend(both("a token in the query", in_query, malformed));
    cases.extend(both(
        "a form without end",
        |path| form(path, format!("token={}", "a".repeat(60_000))),
        OAuth(413, "invalid_request"),
    ));
    cases.extend(both(
        "a GET",
        |path| asked("GET", path).only(&[&format!("Authorization: Basic {BASIC}")]),
        OAuth(405, "invalid_request"),
    ));
    cases
}

/// Whoever is not who they say gets 401, and learns nothing of the token.
fn callers() -> Vec<Case> {
    let nobody = OAuth(401, "invalid_client");
    let token = format!("token={MARKER}");
    let basic = |text: &str| {
        use base64::Engine as _;
        format!("Authorization: Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
    };
    let forged = format!("revokd_0123456789ab_{}", "A".repeat(43));
    let mut cases = Vec::new();
    for (what, headers) in [
        ("nobody", vec![]),
        ("Basic of nothing", vec!["Authorization: Basic".to_owned()]),
        ("Basic that is no base64", vec!["Authorization: Basic %%%%".to_owned()]),
        ("Basic without a colon", vec![basic("0123456789ab")]),
        ("Basic that is no UTF-8", vec!["Authorization: Basic //79/A==".to_owned()]),
        ("Basic of an unknown key", vec![basic(&format!("0123456789ab:{forged}"))]),
        ("Basic of an empty secret", vec![basic("0123456789ab:")]),
        ("Basic of half an escape", vec![basic("0123456789ab:%4")]),
        ("Basic with a line break", vec![basic("0123456789ab:a\r\nSet-Cookie: b")]),
        ("Basic of one name for the key of another", vec![basic(&format!("ffffffffffff:{forged}"))]),
        ("a user's token", vec!["Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJ4In0.c2ln".to_owned()]),
        ("a Digest", vec![format!("Authorization: Digest username=\"{MARKER}\"")]),
    ] {
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        cases.extend(both(what, |path| asked("POST", path).only(&headers).typed(FORM, token.clone()), nobody));
    }
    for (what, body) in [
        ("a posted name without a secret", format!("{token}&client_id={ID}")),
        ("a posted secret without a name", format!("{token}&client_secret={forged}")),
        ("a posted secret that is empty", format!("{token}&client_id={ID}&client_secret=")),
        ("a posted key that is unknown", format!("{token}&client_id=0123456789ab&client_secret={forged}")),
        ("a posted key under another name", format!("{token}&client_id=ffffffffffff&client_secret={KEY}")),
    ] {
        cases.extend(both(what, |path| asked("POST", path).only(&[]).typed(FORM, body.clone()), nobody));
    }
    // RFC 6749 section 2.3: a client must not use more than one way.
    let twice = format!("{token}&client_id={ID}&client_secret={KEY}");
    cases.extend(both("Basic and post", |path| form(path, twice.clone()), OAuth(400, "invalid_request")));
    let basic = format!("Authorization: Basic {BASIC}");
    let twice = |path: &str| asked("POST", path).only(&[&basic, &basic]).typed(FORM, token.clone());
    cases.extend(both("Basic twice", twice, OAuth(400, "invalid_request")));
    cases
}

/// What is said of tokens that nobody with the issuer's keys accepts. Others are refused for their form only, which a laxer
/// validator may not mind: to say that these are revoked would be a lie.
const FORGED: [&str; 5] = ["names no key", "does not match", "`alg` is `none`", "not permitted", "is not configured"];

/// Tokens that prove nothing: a revoke of a forged one is done already (RFC 7009 section 2.2), and none is active.
fn meaningless() -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, token, words) in tokens::rows().into_iter().filter(|(_, token, _)| token.split('.').count() == 3) {
        let is_forged = FORGED.iter().any(|forged| words.ends_with(forged)) || words.is_empty();
        let revoked = if is_forged { Status(200) } else { OAuth(400, "unsupported_token_type") };
        let encoded = token.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
        let body = format!("token={encoded}");
        cases.push(form(PATHS[0], body.clone()).is(format!("revoke {what} by a form"), revoked));
        cases.push(form(PATHS[1], body).is(format!("introspect {what}"), Says(200, r#"{"active":false}"#)));
    }
    for (what, token) in [("a word", MARKER), ("a number", "4711"), ("a JWE", "e30.a.b.c.d")] {
        let body = format!("token={token}");
        cases.push(
            form(PATHS[0], body.clone()).is(format!("revoke {what} by a form"), OAuth(400, "unsupported_token_type")),
        );
        cases.push(form(PATHS[1], body).is(format!("introspect {what}"), Says(200, r#"{"active":false}"#)));
    }
    cases
}
