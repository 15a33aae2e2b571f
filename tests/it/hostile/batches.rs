//! NDJSON of which no line can be revoked: 207 with what is wrong with each, and nothing stored.

use serde_json::json;

use super::{Case, MARKER, Problem, Says, asked};
use crate::verifier_forging::b64;
use crate::verifier_forging::{HEADER, PAYLOAD, sign_encoded, signed, with_claim, with_header};

const NDJSON: &str = "application/x-ndjson";

pub(super) fn cases() -> Vec<Case> {
    [lines(), tokens(), bodies()].into_iter().flatten().collect()
}

fn ndjson(body: impl Into<Vec<u8>>) -> super::Asked {
    asked("POST", "/revoke").typed(NDJSON, body)
}

/// Lines of which each is refused for itself.
fn lines() -> Vec<Case> {
    let deep = "[".repeat(20_000);
    let mut cases = Vec::new();
    for (what, line, words) in [
        ("a word", MARKER.as_bytes().to_vec(), "not valid JSON"),
        ("a list", b"[]".to_vec(), "one JSON object is expected"),
        ("an object cut short", format!("{{\"jti\":\"{MARKER}\"").into_bytes(), "not valid JSON"),
        ("two objects", b"{} {}".to_vec(), "not valid JSON"),
        ("no UTF-8", b"{\"jti\":\"\xff\"}".to_vec(), "is no UTF-8"),
        ("a NUL", b"\0".to_vec(), "not valid JSON"),
        ("an abyss", deep.into_bytes(), "one JSON object is expected"),
        ("a member twice", format!("{{\"jti\":\"{MARKER}\",\"jti\":\"b\"}}").into_bytes(), "`jti` is there twice"),
        ("an unknown member", format!("{{\"{MARKER}\":1}}").into_bytes(), "is unknown here"),
        ("no jti", b"{\"exp\":1}".to_vec(), "`jti` is missing"),
        ("a jti that is a number", b"{\"jti\":1,\"exp\":1}".to_vec(), "`jti` must be a string"),
        ("no exp", format!("{{\"jti\":\"{MARKER}\"}}").into_bytes(), "`exp` is missing"),
        ("an exp that is text", b"{\"jti\":\"a\",\"exp\":\"1\"}".to_vec(), "`exp` must be a number"),
        ("an exp too far ahead", b"{\"jti\":\"a\",\"exp\":4102444800}".to_vec(), "tokens.lifetime_max_s"),
        ("an issuer of its own", format!("{{\"jti\":\"a\",\"exp\":1,\"iss\":\"{MARKER}\"}}").into_bytes(), "`iss`"),
        ("a list of tokens", format!("{{\"tokens\":[\"{MARKER}\"]}}").into_bytes(), "`tokens` is unknown here"),
        (
            "a line that is too long",
            format!("{{\"jti\":\"{}\"}}", MARKER.repeat(3_500)).into_bytes(),
            "limits.line_bytes_max is 30000",
        ),
    ] {
        // Each alone, and behind another with Windows' line ends: the number is that of the line.
        cases.push(ndjson(line.clone()).is(format!("a line of {what}"), Says(207, words)));
        if line.len() < 20_000 {
            let second = [b"{\"exp\":2}\r\n", line.as_slice(), b"\r\n"].concat();
            cases.push(ndjson(second).is(format!("a second line of {what}"), Says(207, "\"line\":2")));
        }
    }
    cases
}

/// Lines of raw tokens that prove nothing.
fn tokens() -> Vec<Case> {
    let theirs = sign_encoded(b"another secret of thirty-two bytes", &b64(HEADER), &b64(PAYLOAD));
    let rows = [
        ("of somebody else", theirs, "the signature does not match"),
        ("without a signature", format!("{}.{}.", b64(r#"{"alg":"none"}"#), b64(PAYLOAD)), "`alg` is `none`"),
        ("of another issuer", with_claim(r#""iss":"https://stranger.example/""#), "an issuer that is not configured"),
        ("with a kid that is a path", with_header(r#"{"alg":"HS256","kid":"../k"}"#), "`kid` names no key"),
        ("with a dot too many", signed(HEADER, PAYLOAD) + ".", "has 4 parts"),
        ("without jti and exp", with_claim(r#""sub":"a""#), "tokens.allow_without_exp"),
        ("without exp", with_claim(r#""jti":"a""#), "tokens.allow_without_exp"),
        ("that outlives everybody", with_claim(r#""jti":"a","exp":99999999999"#), "`exp`"),
    ];
    let case = |(what, token, words): (&str, String, &'static str)| {
        ndjson(json!({ "token": token }).to_string()).is(format!("a line of a token {what}"), Says(207, words))
    };
    rows.map(case).into()
}

fn bodies() -> Vec<Case> {
    let line = "{\"exp\":1}\n";
    vec![
        ndjson(line.repeat(100))
            .is("a hundred lines without jti", Says(207, "\"accepted\":0,\"rejected\":[{\"line\":1,")),
        asked("POST", "/check").typed(NDJSON, line).is("lines to check", Problem(415, "application/json")),
        asked("POST", "/force-logout").typed(NDJSON, line).is("lines to log out", Problem(415, "application/json")),
        ndjson(line.repeat(7_000)).is("lines without end", Problem(413, "limits.ndjson_bytes_max is 60000")),
        asked("POST", "/revoke")
            .header(format!("Content-Type: {NDJSON}"))
            .header("Content-Length: 60001")
            .is("lines declared without end", Problem(413, "limits.ndjson_bytes_max is 60000")),
        asked("POST", "/revoke")
            .header(format!("Content-Type: {NDJSON}"))
            .header("Content-Encoding: gzip")
            .header("Content-Length: 0")
            .is("lines said to be packed", Problem(415, "Content-Encoding")),
    ]
}
