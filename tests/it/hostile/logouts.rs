//! Logout tokens (OpenID Connect Back-Channel Logout 1.0 section 2.6) and Global Token Revocation requests that log
//! nobody out. A logout token is all that is known of its sender, so each of these is signed with the issuer's key where
//! it does not say otherwise: what stops it is the rule and nothing else.

use serde_json::{Value, json};

use super::{Asked, Case, KEY, MARKER, OAuth, asked, post};
use crate::real_server::now;
use crate::verifier_forging::{HEADER, ISS, b64, sign_encoded, signed};

const PATH: &str = "/backchannel-logout";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

pub(super) fn cases() -> Vec<Case> {
    [forged(), claims(), bodies(), global()].into_iter().flatten().collect()
}

/// A good logout token's claims.
fn good() -> Value {
    json!({
        "iss": ISS, "aud": "shop", "iat": now(), "exp": now() + 120, "jti": "logout-1", "sub": MARKER, "sid": MARKER,
        "events": { EVENT: {} },
    })
}

/// The same with other members; `null` leaves one out.
fn with(members: &Value) -> String {
    let mut claims = good();
    for (name, value) in members.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    signed(r#"{"alg":"HS256","kid":"k","typ":"logout+jwt"}"#, claims.to_string())
}

fn form(body: impl Into<Vec<u8>>) -> Asked {
    asked("POST", PATH).only(&[]).typed("application/x-www-form-urlencoded", body)
}

fn refused(what: &str, token: &str) -> Case {
    form(format!("logout_token={token}")).is(format!("a logout token {what}"), OAuth(400, "invalid_request"))
}

fn forged() -> Vec<Case> {
    let payload = good().to_string();
    let under = |header: &str| signed(header, &payload);
    let good = under(HEADER);
    let (message, _) = good.rsplit_once('.').unwrap();
    vec![
        refused("of somebody else", &sign_encoded(b"another secret of thirty-two bytes", &b64(HEADER), &b64(&payload))),
        refused("of nobody", &format!("{}.{}.", b64(r#"{"alg":"none"}"#), b64(&payload))),
        refused("without its signature", &format!("{message}.")),
        refused("of another algorithm", &under(r#"{"alg":"HS512","kid":"k"}"#)),
        refused("with a kid that is a path", &under(r#"{"alg":"HS256","kid":"../../k"}"#)),
        refused(
            "with a jku to nowhere",
            &sign_encoded(
                b"another secret of thirty-two bytes",
                &b64(r#"{"alg":"HS256","jku":"http://127.0.0.1:9/"}"#),
                &b64(&payload),
            ),
        ),
        refused("that is an access token by its typ", &under(r#"{"alg":"HS256","kid":"k","typ":"at+jwt"}"#)),
        refused("that is a security event by its typ", &under(r#"{"alg":"HS256","kid":"k","typ":"secevent+jwt"}"#)),
        refused("with a crit", &under(r#"{"alg":"HS256","kid":"k","crit":["exp"]}"#)),
        refused("with a dot too many", &format!("{good}.")),
        refused("with padding", &format!("{good}%3D")),
        refused("that is a word", MARKER),
    ]
}

fn claims() -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, members) in [
        ("with a nonce", json!({ "nonce": MARKER })),
        ("with an empty nonce", json!({ "nonce": "" })),
        ("with a nonce that is a number", json!({ "nonce": 0 })),
        ("without events", json!({ "events": null })),
        ("with events that are a list", json!({ "events": [EVENT] })),
        ("with events that are text", json!({ "events": EVENT })),
        ("without any event", json!({ "events": {} })),
        ("with another event", json!({ "events": { "https://schemas.openid.net/event/backchannel-logout": {} } })),
        ("with an event that is text", json!({ "events": { EVENT: MARKER } })),
        ("with an event that is true", json!({ "events": { EVENT: true } })),
        ("of nobody and no session", json!({ "sub": null, "sid": null })),
        ("with a sub that is a number", json!({ "sub": 4711 })),
        ("with a sub that is empty", json!({ "sub": "" })),
        ("with a sub of 2 kB", json!({ "sub": MARKER.repeat(205) })),
        ("with a sid that is a list", json!({ "sid": [MARKER] })),
        ("without jti", json!({ "jti": null })),
        ("with a jti that is a number", json!({ "jti": 1 })),
        ("without iat", json!({ "iat": null })),
        ("with an iat that is text", json!({ "iat": "1" })),
        ("of next week", json!({ "iat": now() + 604_800, "exp": now() + 605_000 })),
        ("that has expired", json!({ "iat": now() - 7_200, "exp": now() - 3_600 })),
        ("with an exp that is text", json!({ "exp": "4102444800" })),
        ("without aud", json!({ "aud": null })),
        ("for somebody else", json!({ "aud": "stranger" })),
        ("for a list of others", json!({ "aud": ["stranger", "another"] })),
        ("for a number", json!({ "aud": 1 })),
        ("of another issuer", json!({ "iss": format!("https://{MARKER}/") })),
        ("of an issuer with a line break", json!({ "iss": format!("{ISS}\r\nSet-Cookie: a=b") })),
        ("of no issuer that is text", json!({ "iss": [ISS] })),
    ] {
        cases.push(refused(what, &with(&members)));
    }
    let text = good().to_string();
    let twice = text.replacen('{', "{\"nonce\":1,\"nonce\":1,", 1);
    cases.push(refused("with a nonce twice", &signed(HEADER, twice)));
    let twice = text.replacen('{', &format!("{{\"sub\":\"{MARKER}\","), 1);
    cases.push(refused("with a sub twice", &signed(HEADER, twice)));
    cases
}

fn bodies() -> Vec<Case> {
    let malformed = OAuth(400, "invalid_request");
    let token = with(&json!({}));
    vec![
        form("").is("a logout of nothing", malformed),
        form("logout_token=").is("a logout by an empty token", malformed),
        form(format!("token={token}")).is("a logout by a token of another name", malformed),
        form(format!("logout_token={token}&logout_token={token}")).is("a logout twice", malformed),
        form("logout_token=%ff").is("a logout in no UTF-8", malformed),
        form("logout_token=%4").is("a logout with half an escape", malformed),
        asked("POST", PATH)
            .only(&[])
            .typed("application/json", json!({ "logout_token": token }).to_string())
            .is("a logout in JSON", OAuth(415, "invalid_request")),
        asked("POST", PATH)
            .only(&[])
            .typed("application/logout+jwt", token.clone())
            .is("a logout as it is", OAuth(415, "invalid_request")),
        asked("GET", format!("{PATH}?logout_token={token}"))
            .only(&[])
            .is("a logout by GET", OAuth(405, "invalid_request")),
        form(format!("logout_token={}", "a".repeat(60_000))).is("a logout without end", OAuth(413, "invalid_request")),
    ]
}

fn global() -> Vec<Case> {
    let path = "/global-token-revocation";
    let mut cases = Vec::new();
    for (what, body) in [
        ("nobody", "{}".to_owned()),
        ("a sub_id that is text", format!("{{\"sub_id\":\"{MARKER}\"}}")),
        ("a sub_id that is a list", format!("{{\"sub_id\":[\"{MARKER}\"]}}")),
        ("a sub_id of no format", format!("{{\"sub_id\":{{\"sub\":\"{MARKER}\"}}}}")),
        ("a format that is a number", "{\"sub_id\":{\"format\":1}}".to_owned()),
        ("a format that is unknown", format!("{{\"sub_id\":{{\"format\":\"{MARKER}\",\"id\":\"a\"}}}}")),
        ("iss_sub without sub", format!("{{\"sub_id\":{{\"format\":\"iss_sub\",\"iss\":\"{ISS}\"}}}}")),
        ("iss_sub without iss", format!("{{\"sub_id\":{{\"format\":\"iss_sub\",\"sub\":\"{MARKER}\"}}}}")),
        ("a sub_id twice", format!("{{\"sub_id\":{{\"format\":\"opaque\",\"id\":\"{MARKER}\"}},\"sub_id\":{{}}}}")),
        (
            "a format twice",
            format!("{{\"sub_id\":{{\"format\":\"opaque\",\"format\":\"opaque\",\"id\":\"{MARKER}\"}}}}"),
        ),
        ("more than a sub_id", format!("{{\"sub_id\":{{\"format\":\"opaque\",\"id\":\"{MARKER}\"}},\"all\":true}}")),
        ("an abyss", format!("{{\"sub_id\":{}1{}}}", "{\"a\":".repeat(5_000), "}".repeat(5_000))),
        ("a word", MARKER.to_owned()),
    ] {
        cases.push(post(path, body).is(format!("a global revocation of {what}"), OAuth(400, "invalid_request")));
    }
    let good = format!("{{\"sub_id\":{{\"format\":\"iss_sub\",\"iss\":\"{ISS}\",\"sub\":\"{MARKER}\"}}}}");
    let by = |headers: &[&str]| asked("POST", path).only(headers).typed("application/json", good.clone());
    cases.push(by(&[]).is("a global revocation by nobody", OAuth(401, "invalid_client")));
    cases.push(
        by(&[&format!("X-Api-Key: {KEY}A")]).is("a global revocation by a stranger", OAuth(401, "invalid_client")),
    );
    cases
}
