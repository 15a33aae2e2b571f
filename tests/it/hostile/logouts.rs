//! Logout tokens at an open door: forged, replayed in another's place, or ID tokens in disguise.

use serde_json::{Value, json};

use super::server::PUBLIC_KEY;
use super::{Asked, Case, MARKER, OAuth, Problem, asked, tokens};
use crate::real_server::now;
use crate::verifier_forging::{HEADER, ISS, b64, sign_encoded, signed};

const FORM: &str = "application/x-www-form-urlencoded";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Nobody shows a key here.
fn form(body: impl Into<Vec<u8>>) -> Asked {
    asked("POST", "/backchannel-logout").only(&[]).typed(FORM, body)
}

/// What would log somebody out.
fn claims() -> Value {
    json!({
        "iss": ISS, "aud": "shop", "iat": now(), "exp": now() + 120, "jti": MARKER, "sub": MARKER, "sid": MARKER,
        "events": { EVENT: {} },
    })
}

pub(super) fn cases() -> Vec<Case> {
    let malformed = OAuth(400, "invalid_request");
    let mut cases = Vec::new();
    // Whatever is wrong with any token is wrong with this one.
    for (what, token, _) in tokens::rows() {
        let encoded = token.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
        // Three bytes for one: the longest pass the limit of a form.
        let answer = if encoded.len() > 60_000 - 13 { OAuth(413, "invalid_request") } else { malformed };
        cases.push(form(format!("logout_token={encoded}")).is(format!("log out by {what}"), answer));
    }
    for (what, token) in wrong_claims().into_iter().chain(wrong_headers()) {
        cases.push(form(format!("logout_token={token}")).is(what, malformed));
    }
    let good = signed(HEADER, claims().to_string());
    for (what, body) in [
        ("two logout tokens", format!("logout_token={good}&logout_token={good}")),
        ("two, once encoded", format!("logout_token={good}&logout%5Ftoken={good}")),
        ("a logout token by another name", format!("token={good}")),
        ("a logout token in capitals", format!("LOGOUT_TOKEN={good}")),
        ("a logout token in a fragment", format!("#logout_token={good}")),
        ("a logout token without a name", good.clone()),
        ("a logout token and half an escape", format!("logout_token={good}&a=%4")),
        ("a logout token with a space", format!("logout_token=+{good}")),
        ("a logout token with a line break", format!("logout_token={good}%0d%0aSet-Cookie:+a=b")),
        ("a logout token that is padded", format!("logout_token={good}%3D")),
        (
            "65 parameters",
            format!("logout_token={good}&{}", (0..64).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&")),
        ),
    ] {
        cases.push(form(body).is(what, malformed));
    }
    let body = format!("logout_token={good}");
    for media in ["application/json", "application/jwt", "text/plain", "multipart/form-data; boundary=x", ""] {
        let sent = asked("POST", "/backchannel-logout").only(&[]).typed(media, body.clone());
        cases.push(sent.is(format!("a logout called {media:?}"), OAuth(415, "invalid_request")));
    }
    let in_query = asked("POST", format!("/backchannel-logout?{body}")).only(&[]).typed(FORM, "");
    cases.push(in_query.is("a logout token in the query", malformed));
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let status = asked(method, format!("/backchannel-logout?{body}")).only(&[]);
        let answer = if method == "HEAD" { super::Status(405) } else { OAuth(405, "invalid_request") };
        cases.push(status.is(format!("a logout by {method}"), answer));
    }
    let beside = asked("POST", format!("/backchannel-logout/{MARKER}")).only(&[]).typed(FORM, body);
    cases.push(beside.is("a logout beside the path", Problem(404, "")));
    cases
}

/// Genuine signatures under claims that log nobody out.
fn wrong_claims() -> Vec<(String, String)> {
    let with = |what: &str, name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        (format!("a logout token with {what}"), signed(HEADER, claims.to_string()))
    };
    let without = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        (format!("a logout token without {name}"), signed(HEADER, claims.to_string()))
    };
    let mut rows = vec![
        with("a nonce", "nonce", json!(MARKER)),
        with("a nonce of null", "nonce", json!(null)),
        with("another audience", "aud", json!(MARKER)),
        with("no audience in the list", "aud", json!([])),
        with("a prefix of the audience", "aud", json!("sho")),
        with("a number for an audience", "aud", json!(1)),
        with("an iat in a minute", "iat", json!(now() + 60)),
        with("an iat in a million years", "iat", json!(i64::MAX)),
        with("an iat of long ago", "iat", json!(now() - 100_000)),
        with("an iat before all time", "iat", json!(i64::MIN)),
        with("an iat of 1e300", "iat", json!(1e300)),
        with("an iat that is a string", "iat", json!("1")),
        with("an exp of long ago", "exp", json!(now() - 100_000)),
        with("an exp that is null", "exp", json!(null)),
        with("a jti that is a number", "jti", json!(1)),
        with("a jti of nothing", "jti", json!("")),
        with("a sub of nothing", "sub", json!("")),
        with("a sub that is a list", "sub", json!([MARKER])),
        with("a sid that is an object", "sid", json!({})),
        with("a sid of 2 kB", "sid", json!("s".repeat(2_048))),
        with("events that are a list", "events", json!([EVENT])),
        with("events that are a word", "events", json!(EVENT)),
        with("no logout among its events", "events", json!({ MARKER: {} })),
        with("a logout that is true", "events", json!({ EVENT: true })),
        with("a logout that is null", "events", json!({ EVENT: null })),
        with("a logout that is a list", "events", json!({ EVENT: [] })),
        with("a logout in other letters", "events", json!({ EVENT.to_uppercase(): {} })),
        with("another issuer", "iss", json!(MARKER)),
    ];
    rows.extend(["iss", "aud", "iat", "exp", "jti", "events"].map(without));
    let both = format!(r#"{{"events":{{"{EVENT}":true,"{EVENT}":{{}}}},"iss":"{ISS}"}}"#);
    rows.push(("a logout token with the logout twice".to_owned(), signed(HEADER, both)));
    let mut nobody = claims();
    nobody.as_object_mut().unwrap().retain(|name, _| name != "sub" && name != "sid");
    rows.push(("a logout token of nobody".to_owned(), signed(HEADER, nobody.to_string())));
    rows
}

/// Good claims under headers that must not carry them.
fn wrong_headers() -> Vec<(String, String)> {
    let good = || claims().to_string();
    let typ = |typ: Value| signed(json!({ "alg": "HS256", "kid": "k", "typ": typ }).to_string(), good());
    let public = |kid: &str| {
        let header = json!({ "alg": "HS256", "kid": kid, "typ": "logout+jwt" }).to_string();
        sign_encoded(PUBLIC_KEY.as_bytes(), &b64(header), &b64(good()))
    };
    let unsigned = |alg: &str| format!("{}.{}.", b64(json!({ "alg": alg }).to_string()), b64(good()));
    vec![
        ("an access token by its typ".to_owned(), typ(json!("at+jwt"))),
        ("a typ that is a number".to_owned(), typ(json!(1))),
        ("a typ of another tree".to_owned(), typ(json!("text/logout+jwt"))),
        ("a logout signed with a public key".to_owned(), public("e")),
        ("a logout signed with another's public key".to_owned(), public("k")),
        ("a logout that is not signed".to_owned(), unsigned("none")),
        ("a logout that is not signed, in capitals".to_owned(), unsigned("NONE")),
    ]
}
