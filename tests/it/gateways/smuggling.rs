//! Headers that a client sends in the name of the gateway or of revokd.

use axum::http::{HeaderMap, HeaderValue};
use serde_json::json;

use super::{Addresses, Backend, Gateway, Guarded, Process, Protocol, bearer, wire};

/// What neither revokd nor the backend may believe of a client; some backends take an underscore for a hyphen.
const SMUGGLED: [(&str, &str); 21] = [
    ("x-jwt-jti", "smuggled"),
    ("x-jwt-iss", "smuggled"),
    ("x-jwt-sub", "smuggled"),
    ("x-jwt-sid", "smuggled"),
    ("x-jwt-client-id", "smuggled"),
    ("x-jwt-iat", "1"),
    ("x-jwt-iat", "2"),
    ("x-auth-subject", "smuggled"),
    ("x-auth-subject", "smuggled again"),
    ("x-auth-issuer", "smuggled"),
    ("x-auth-client-id", "smuggled"),
    ("x-auth-jti", "smuggled"),
    ("x-revocation-seq", "18446744073709551615"),
    ("x-api-key", "smuggled"),
    ("x_auth_subject", "smuggled"),
    ("x_auth-subject", "smuggled"),
    ("x-auth_subject", "smuggled"),
    ("x_auth_client_id", "smuggled"),
    ("x_revocation_seq", "smuggled"),
    ("x_jwt_jti", "smuggled"),
    ("x-jwt_jti", "smuggled"),
];

pub(super) fn with(token: &str) -> Vec<(&str, &str)> {
    SMUGGLED.into_iter().chain([("authorization", token)]).collect()
}

/// Whether a name is one that only gateway and revokd may use.
fn is_ours(name: &str) -> bool {
    let name = name.replace('_', "-");
    name == "x-api-key" || ["x-auth-", "x-jwt-", "x-revocation-"].iter().any(|begun| name.starts_with(begun))
}

pub(super) fn ours(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    let mut ours: Vec<_> = headers.filter(|(name, _)| is_ours(name)).collect();
    ours.sort_unstable();
    ours
}

pub(super) async fn what_clients_smuggle_changes_nothing_and_ends_here(gateway: &'static Gateway) {
    let mut guarded = Guarded::start(gateway, Protocol::Http1).await;
    let (good, revoked) = (guarded.token("good"), guarded.token("revoked"));
    let nobody =
        guarded.minted(&json!({ "jti": "x".repeat(257), "sub": "y".repeat(257), "client_id": "z".repeat(257) }));
    guarded.revoke(&revoked).await;
    guarded.backend.forget();

    let (good, nobody, revoked) = (bearer(&good), bearer(&nobody), bearer(&revoked));
    for (token, named) in [
        (&good, &[("x-auth-client-id", "shop"), ("x-auth-jti", "good"), ("x-auth-subject", "%C3%A4lice")][..]),
        // What revokd leaves out, nobody else puts in.
        (&nobody, &[]),
    ] {
        let answer = guarded.verdict(&with(token)).await;
        assert_eq!(answer.status, 200, "{answer:?}\n{}", guarded.process.log());
        let seen = guarded.backend.seen();
        let mut expected = [named, &[("x-auth-issuer", super::ISS)]].concat();
        let seq = seen[0].all("x-revocation-seq");
        expected.extend(seq.iter().filter(|seq| seq.len() < 10).map(|seq| ("x-revocation-seq", *seq)));
        expected.sort_unstable();
        assert_eq!((seen.len(), expected.len()), (1, named.len() + 2));
        assert_eq!(ours(&seen[0].parts.headers), expected);
    }
    assert_eq!(guarded.verdict(&with(&revoked)).await.status, 401);
    assert_eq!(guarded.verdict(&SMUGGLED).await.status, 401, "without a token");
}

/// A client may name headers that end at the gateway (RFC 9110 section 7.6.1), among them those that the gateway puts in.
pub(super) async fn no_client_takes_away_what_revokd_has_said(gateway: &'static Gateway) {
    let mut guarded = Guarded::start(gateway, Protocol::Http1).await;
    let (good, revoked) = (guarded.token("good"), guarded.token("revoked"));
    guarded.revoke(&revoked).await;
    guarded.backend.forget();
    let (good, revoked) = (bearer(&good), bearer(&revoked));
    for named in ["Authorization", "X-Api-Key", "close, X-Auth-Subject,x-auth-jti", "x-revocation-seq"] {
        let answer = guarded.verdict(&[("connection", named), ("authorization", &revoked)]).await;
        assert!([400, 401].contains(&answer.status), "{named}: {answer:?}");
        assert_eq!(guarded.backend.seen().len(), 0, "{named}");

        let answer = guarded.verdict(&[("connection", named), ("authorization", &good)]).await;
        let seen = guarded.backend.seen();
        assert_eq!(seen.len(), usize::from(answer.status == 200), "{named}: {answer:?}");
        // Either it is refused as a whole, or nothing is missing, and no later one is told to take it away.
        assert!([200, 400, 401].contains(&answer.status), "{named}: {answer:?}");
        for seen in seen {
            assert_eq!(seen.all("x-auth-subject"), ["%C3%A4lice"], "{named}");
            assert_eq!((seen.all("x-auth-jti").len(), seen.all("x-revocation-seq").len()), (1, 1), "{named}");
            let connection = seen.all("connection").concat().to_lowercase();
            assert!(!connection.contains("x-auth") && !connection.contains("x-revocation"), "{named}: {connection}");
        }
    }
}

pub(super) async fn revokd_is_told_nothing_that_a_client_could_forge(gateway: &'static Gateway) {
    // In the place of revokd: it lets everybody pass, and remembers what it was told.
    let says = HeaderMap::from_iter([("x-auth-subject".parse().unwrap(), HeaderValue::from_static("alice"))]);
    let (revokd, backend) = (Backend::saying(says, "").await, Backend::start().await);
    let addresses = Addresses {
        revokd: revokd.port,
        backend: backend.port,
        others: Vec::new(),
        key: "the-gateways-own".to_owned(),
    };
    let process = Process::start(gateway, Protocol::Http1, &addresses).await;
    revokd.forget();
    backend.forget();
    let http = reqwest::Client::new();
    let answer = wire::get(&http, process.port, &with("Bearer a")).await;
    assert_eq!(answer.status, 200, "{answer:?}\n{}", process.log());
    let (told, seen) = (revokd.seen(), backend.seen());
    assert_eq!((told.len(), seen.len()), (1, 1));
    assert_eq!(told[0].all("x-api-key"), ["the-gateways-own"]);
    assert_eq!(told[0].all("authorization"), ["Bearer a"]);
    let claims: Vec<_> = told[0].parts.headers.keys().filter(|name| name.as_str().starts_with("x-jwt-")).collect();
    assert!(claims.is_empty(), "{claims:?}");
    assert_eq!((told[0].parts.uri.path(), told[0].body.len()), ("/auth", 0));
    assert_eq!(ours(&seen[0].parts.headers), [("x-auth-subject", "alice")]);
}
