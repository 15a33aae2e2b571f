//! Raw tokens that prove nothing: a revoke of one is refused and says why, a check of one reads as revoked.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::json;

use super::server::PUBLIC_KEY;
use super::{Case, MARKER, Problem, Says, post};
use crate::verifier_forging::{HEADER, ISS, SECRET, b64, sign_encoded, signed, with_claim, with_header, with_payload};

/// A good payload, but for what is planted.
fn payload() -> String {
    format!(r#"{{"iss":"{ISS}","jti":"{MARKER}","sub":"{MARKER}","exp":4102444800}}"#)
}

fn genuine() -> String {
    signed(HEADER, payload())
}

pub(super) fn cases() -> Vec<Case> {
    let rows = rows();
    let revokes = rows.iter().map(|(what, token, words)| {
        post("/revoke", json!({ "token": token }).to_string()).is(format!("revoke {what}"), Problem(422, words))
    });
    let unverifiable = Says(200, r#"{"revoked":true,"by":"unverifiable","judged":"#);
    let checks = rows.iter().map(|(what, token, _)| {
        post("/check", json!({ "token": token }).to_string()).is(format!("check {what}"), unverifiable)
    });
    revokes.chain(checks).collect()
}

/// What is wrong with a token, the token, and the words that say so.
type Row = (&'static str, String, &'static str);

pub(super) fn rows() -> Vec<Row> {
    [forms(), readings(), headers(), algorithms(), claims()].into_iter().flatten().collect()
}

fn forms() -> Vec<Row> {
    let good = genuine();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, body) = message.split_once('.').unwrap();
    let secret = SECRET.as_bytes();
    // The last character of 43 has two bits that are not used.
    let mut loose = signature.as_bytes().to_vec();
    let last = loose.last_mut().unwrap();
    *last = if *last == b'z' { b'y' } else { *last + 1 };
    let loose = String::from_utf8(loose).unwrap();
    assert!(URL_SAFE_NO_PAD.decode(&loose).is_err());
    let spaces = " ".repeat(4 - payload().len() % 3);
    let padded = URL_SAFE.encode(payload() + &spaces);
    assert!(padded.ends_with('='));
    vec![
        ("an empty token", String::new(), "has 1 parts"),
        ("a word", MARKER.to_owned(), "has 1 parts"),
        ("two dots", "..".to_owned(), "not one JSON text"),
        ("no signature part", message.to_owned(), "has 2 parts"),
        ("a dot too many", format!("{good}."), "has 4 parts"),
        ("a dot in front", format!(".{good}"), "has 4 parts"),
        ("dots without end", ".".repeat(16_000), "has 16001 parts"),
        ("an encrypted one", format!("{}.a.b.c.d", b64(r#"{"alg":"dir","enc":"A256GCM"}"#)), "encrypted"),
        ("one that is too long", format!("{good}{}", "A".repeat(16_384)), "the limit is 16384"),
        ("one with its scheme", format!("Bearer {good}"), "not canonical base64url"),
        ("one with a line break", format!("{header}.{body}\r\n.{signature}"), "not canonical base64url"),
        ("a line break and a header", format!("{good}\r\nSet-Cookie: a=b"), "not canonical base64url"),
        ("a padded signature", format!("{good}="), "not canonical base64url"),
        ("a padded payload", sign_encoded(secret, header, &padded), "not canonical base64url"),
        (
            "the other alphabet",
            sign_encoded(secret, header, &STANDARD.encode(r#"{"a":"???>>>"}"#)),
            "not canonical base64url",
        ),
        ("stray bits in the signature", format!("{message}.{loose}"), "the signature is not canonical base64url"),
        ("a length that no encoder gives", format!("{message}.AAAAA"), "not canonical base64url"),
        ("percent-encoding", format!("{header}%2E{body}%2E{signature}"), "has 1 parts"),
    ]
}

fn readings() -> Vec<Row> {
    let deep = format!(r#"{{"iss":"{ISS}","a":{}{}}}"#, "[".repeat(40), "]".repeat(40));
    vec![
        ("a payload twice", with_payload(&payload().repeat(2)), "the payload is not one JSON text"),
        ("a payload that is a list", with_payload(&format!("[{}]", payload())), "the payload is not a JSON object"),
        ("a payload that is no UTF-8", signed(HEADER, b"{\"iss\":\"\xff\"}"), "the payload is not UTF-8"),
        ("a payload of 40 levels", with_payload(&deep), "the payload is nested deeper than 32 levels"),
        ("a payload in a payload", with_payload(&genuine()), "the payload is not one JSON text"),
        ("jti twice", with_claim(r#""jti":"a","jti":"b""#), "two members of the same name"),
        ("jti twice, once escaped", with_claim(r#""jti":"a","\u006ati":"b""#), "two members of the same name"),
        ("alg twice", with_header(r#"{"alg":"none","alg":"HS256","kid":"k"}"#), "two members of the same name"),
        ("a byte order mark", with_payload(&format!("\u{feff}{}", payload())), "the payload is not one JSON text"),
    ]
}

fn headers() -> Vec<Row> {
    let theirs = |header: &str| sign_encoded(b"another secret of thirty-two bytes", &b64(header), &b64(payload()));
    let kid = |kid: &str| signed(json!({ "alg": "HS256", "kid": kid }).to_string(), payload());
    vec![
        ("a kid that is a path", kid("../../../../../../dev/null"), "`kid` names no key"),
        ("a kid that is a file of ours", kid("e.pem"), "`kid` names no key"),
        ("a kid that is an address", kid("http://127.0.0.1:9/key"), "`kid` names no key"),
        ("a kid that is a query", kid("k' OR '1'='1"), "`kid` names no key"),
        ("a kid with a NUL", kid("k\0"), "`kid` names no key"),
        ("a kid with a line break", kid("k\r\nSet-Cookie: a=b"), "`kid` names no key"),
        ("a kid of 2 kB", kid(&"k".repeat(2_048)), "`kid` is not a string of 1 to 1024 bytes"),
        ("a kid that is a number", with_header(r#"{"alg":"HS256","kid":0}"#), "`kid` is not a string"),
        (
            "a jku to nowhere",
            theirs(r#"{"alg":"HS256","kid":"k","jku":"http://127.0.0.1:9/keys"}"#),
            "the signature does not match",
        ),
        (
            "an x5u to nowhere",
            theirs(r#"{"alg":"HS256","kid":"k","x5u":"file:///dev/zero"}"#),
            "the signature does not match",
        ),
        (
            "a jwk of its own",
            theirs(r#"{"alg":"HS256","kid":"k","jwk":{"kty":"oct","k":"AAAA"}}"#),
            "the signature does not match",
        ),
        ("a crit", with_header(r#"{"alg":"HS256","kid":"k","crit":["exp"]}"#), "`crit`, which is not supported"),
        (
            "a payload that is not encoded",
            with_header(r#"{"alg":"HS256","kid":"k","b64":false}"#),
            "`b64`, which is not supported",
        ),
        ("a bomb", with_header(r#"{"alg":"HS256","kid":"k","zip":"DEF"}"#), "`zip`, which is not supported"),
    ]
}

fn algorithms() -> Vec<Row> {
    let unsigned = |alg: &str| format!("{}.{}.", b64(format!(r#"{{"alg":"{alg}","kid":"k"}}"#)), b64(payload()));
    let with_public = |secret: &[u8], kid: &str| {
        sign_encoded(secret, &b64(format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#)), &b64(payload()))
    };
    let (message, _) = genuine().rsplit_once('.').map(|(message, rest)| (message.to_owned(), rest.to_owned())).unwrap();
    let es256 = format!("{}.{}", b64(r#"{"alg":"ES256","kid":"e"}"#), b64(payload()));
    vec![
        ("none", unsigned("none"), "`alg` is `none`"),
        ("nOnE", unsigned("nOnE"), "`alg` is `none`"),
        ("none with a good HMAC", with_header(r#"{"alg":"none","kid":"k"}"#), "`alg` is `none`"),
        ("no alg", with_header(r#"{"kid":"k"}"#), "no `alg`"),
        ("an alg that is a list", with_header(r#"{"alg":["HS256"],"kid":"k"}"#), "no `alg`"),
        ("an alg with a NUL", with_header(r#"{"alg":"HS256\u0000","kid":"k"}"#), "`alg` is none of"),
        ("a public key for a secret", with_public(PUBLIC_KEY.as_bytes(), "e"), "not permitted"),
        ("a public key for a secret, trimmed", with_public(PUBLIC_KEY.trim().as_bytes(), "e"), "not permitted"),
        ("a public key for the secret of another", with_public(PUBLIC_KEY.as_bytes(), "k"), "does not match"),
        ("the empty secret", with_public(b"", "k"), "does not match"),
        ("a longer hash", with_header(r#"{"alg":"HS512","kid":"k"}"#), "not permitted"),
        ("RS256 with an HMAC", with_header(r#"{"alg":"RS256","kid":"k"}"#), "not permitted"),
        ("ES256 with an HMAC", with_header(r#"{"alg":"ES256","kid":"k"}"#), "not permitted"),
        ("an ECDSA signature of zeros", format!("{es256}.{}", b64([0; 64])), "does not match"),
        ("an ECDSA signature of ones", format!("{es256}.{}", b64([0xff; 64])), "does not match"),
        ("no signature", format!("{message}."), "does not match"),
        ("a signature of zeros", format!("{message}.{}", b64([0; 32])), "does not match"),
    ]
}

fn claims() -> Vec<Row> {
    vec![
        ("a jti that is a number", with_claim(r#""jti":4711"#), "`jti` is not a string"),
        ("a jti that is empty", with_claim(r#""jti":"""#), "`jti`"),
        ("a jti of 2 kB", with_claim(&format!(r#""jti":"{}""#, MARKER.repeat(205))), "`jti`"),
        ("a jti of half a character", with_claim(r#""jti":"\ud83d""#), "the payload is not one JSON text"),
        ("an exp that is text", with_claim(r#""jti":"a","exp":"4102444800""#), "`exp` is not a number"),
        ("an exp beyond all numbers", with_claim(r#""jti":"a","exp":1e300"#), "`exp` is out of range"),
        ("an iat that is a list", with_claim(r#""jti":"a","exp":1,"iat":[1]"#), "`iat` is not a number"),
        ("a sub that is an object", with_claim(r#""jti":"a","exp":1,"sub":{"a":1}"#), "`sub` is not a string"),
        (
            "an iss of a stranger",
            with_claim(&format!(r#""iss":"https://{MARKER}/""#)),
            "an issuer that is not configured",
        ),
        (
            "an iss with a line break",
            with_claim("\"iss\":\"https://issuer.example/\\r\\nSet-Cookie: a\""),
            "an issuer that is not configured",
        ),
        ("an iss that is a list", with_claim(&format!(r#""iss":["{ISS}"]"#)), "`iss` is not a string"),
    ]
}
