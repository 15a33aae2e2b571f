//! Keys that are none, are sent twice, or are sent as something else.

use super::{Case, KEY, MARKER, Problem, asked, get};

pub(super) fn cases() -> Vec<Case> {
    let forged = format!("revokd_0123456789ab_{}", "A".repeat(43));
    let user = "eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJ4In0.c2ln";
    let unknown = Problem(401, "no valid API key; send it as `Authorization: Bearer <key>`");
    let rows: Vec<(&str, Vec<String>)> = vec![
        ("no key", vec![]),
        ("an empty key", vec!["X-Api-Key:".to_owned()]),
        ("a key of somebody else", vec![format!("X-Api-Key: {forged}")]),
        ("a key that is a secret word", vec![format!("X-Api-Key: {MARKER}")]),
        ("a key of 20 kB", vec![format!("X-Api-Key: revokd_0123456789ab_{}", "A".repeat(20_000))]),
        ("a key and a space", vec![format!("X-Api-Key: {KEY} a")]),
        ("a key in quotes", vec![format!("X-Api-Key: \"{KEY}\"")]),
        ("a key in capitals", vec!["X-Api-Key: REVOKD_0123456789AB_AAAA".to_owned()]),
        ("a key cut short", vec!["X-Api-Key: revokd_".to_owned()]),
        ("a key with more behind", vec![format!("X-Api-Key: {KEY}A")]),
        ("the key twice", vec![format!("X-Api-Key: {KEY}"), format!("X-Api-Key: {KEY}")]),
        ("the key and another", vec![format!("X-Api-Key: {KEY}"), format!("X-Api-Key: {forged}")]),
        ("a wrong key before a good one", vec![format!("X-Api-Key: {forged}"), format!("Authorization: Bearer {KEY}")]),
        ("an empty one before a good one", vec!["X-Api-Key:".to_owned(), format!("Authorization: Bearer {KEY}")]),
        ("two authorizations", vec![format!("Authorization: Bearer {KEY}"), format!("Authorization: Bearer {KEY}")]),
        ("no scheme", vec![format!("Authorization: {KEY}")]),
        ("another scheme", vec![format!("Authorization: Token {KEY}")]),
        ("Basic", vec![format!("Authorization: Basic {KEY}")]),
        ("a scheme alone", vec!["Authorization: Bearer".to_owned()]),
        ("a user's token", vec![format!("Authorization: Bearer {user}")]),
        ("a key that is percent-encoded", vec!["X-Api-Key: revokd%5F0123456789ab%5FAAAA".to_owned()]),
        ("a key that is a path", vec!["X-Api-Key: ../../data/admin.key".to_owned()]),
        ("a cookie", vec![format!("Cookie: X-Api-Key={KEY}")]),
        ("the header of another product", vec![format!("Api-Key: {KEY}")]),
        (
            "a caller who says who they are",
            vec!["X-Forwarded-User: admin".to_owned(), "X-Forwarded-For: 127.0.0.1".to_owned()],
        ),
        ("a certificate in a header", vec!["X-Forwarded-Client-Cert: By=spiffe://admin;Hash=00".to_owned()]),
    ];
    let mut cases = Vec::new();
    for (what, headers) in rows {
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        // At a route of each scope, by a request that would be refused for more than its key.
        for (method, path) in
            [("GET", "/check/a?x=1"), ("POST", "/revoke?x=1"), ("DELETE", "/revocations/a?x=1"), ("POST", "/keys?x=1")]
        {
            let request = asked(method, path).only(&headers);
            cases.push(request.is(format!("{what} at {method} {path}"), unknown));
        }
    }
    cases.push(get(format!("/check/a?key={KEY}")).only(&[]).is("a key in the query", unknown));
    cases.push(get(format!("/check/a?access_token={KEY}")).only(&[]).is("a token in the query", unknown));
    cases
}
