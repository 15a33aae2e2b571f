//! Paths, queries and methods that are not what they should be.

use super::{Case, MARKER, Problem, Says, Status, asked, get};

pub(super) fn cases() -> Vec<Case> {
    [paths(), parameters(), lists(), restores(), methods(), line_breaks()].into_iter().flatten().collect()
}

fn paths() -> Vec<Case> {
    let nothing = |target: String| get(&target).is(format!("at {target:.60}"), Problem(404, "nothing at this path"));
    let mut cases: Vec<_> = [
        "/".to_owned(),
        format!("/{MARKER}"),
        "/check/".to_owned(),
        format!("/check/{MARKER}/{MARKER}"),
        format!("/check//{MARKER}"),
        format!("//check/{MARKER}"),
        "/CHECK/a".to_owned(),
        "/livez/".to_owned(),
        "/livez/../metrics".to_owned(),
        "/%2e%2e/%2e%2e/etc/passwd".to_owned(),
        "/../../../../etc/passwd".to_owned(),
        "/revocations/a/b".to_owned(),
        "/revocations/../livez".to_owned(),
        "/admin.key".to_owned(),
        "/data/admin.key".to_owned(),
        "/.git/config".to_owned(),
        "/purge;a=b".to_owned(),
        "/livez%00".to_owned(),
        "/livez%2f".to_owned(),
    ]
    .into_iter()
    .map(nothing)
    .collect();
    for path in ["%ff", "%C3", "%", "%4", "%zz", "%ED%A0%80", "%c0%af"] {
        cases.push(get(format!("/check/{path}")).is(format!("a jti of {path}"), Problem(400, "\"field\":\"jti\"")));
    }
    let long = format!("/check/{}", MARKER.repeat(103));
    cases.push(get(long).is("a jti of 1030 bytes", Problem(422, "\"limit\":1024")));
    let encoded = format!("/check/{}", "%F0%9F%92%A9".repeat(257));
    cases.push(get(encoded).is("a jti of 1028 bytes, encoded", Problem(422, "\"limit\":1024")));
    cases.push(get(format!("/{}", "a".repeat(70_000))).is("a path of 70 kB", Status(431)));
    cases
}

fn parameters() -> Vec<Case> {
    let mut cases = Vec::new();
    for (query, words) in [
        (format!("sub={MARKER}&sub={MARKER}"), "`sub` is there twice"),
        (format!("sub={MARKER}&s%75b={MARKER}"), "`sub` is there twice"),
        ("sub=".to_owned(), "`sub` is empty"),
        ("sub".to_owned(), "`sub` is empty"),
        ("&".to_owned(), "is unknown here"),
        (format!("{MARKER}=1"), "is unknown here"),
        (format!("SUB={MARKER}"), "`SUB` is unknown here"),
        (format!("sub%00={MARKER}"), "is unknown here"),
        ("sub=%ff".to_owned(), "not percent-encoded UTF-8"),
        ("sub=%".to_owned(), "not percent-encoded UTF-8"),
        ("sub=a+b".to_owned(), "write %2B or %20"),
        (format!("sub[]={MARKER}"), "is unknown here"),
        (format!("iss=a;sub={MARKER}&x"), "is unknown here"),
    ] {
        let target = format!("/check/a?{query}");
        cases.push(get(target).is(format!("a check with ?{query}"), Problem(400, words)));
    }
    for (query, words) in [
        ("iat=1.5", "`iat` must be a whole number"),
        ("iat=0x10", "`iat` must be a whole number"),
        ("iat=1e9", "`iat` must be a whole number"),
        ("iat=%D9%A1", "`iat` must be a whole number"),
        ("iat=99999999999999999999", "`iat`"),
        ("iat=9007199254740992", "9007199254740991"),
        ("iss=https://stranger.example/", "\"field\":\"iss\""),
        ("iss=https://issuer.example/%0d%0aSet-Cookie:%20a", "\"field\":\"iss\""),
    ] {
        cases.push(get(format!("/check/a?{query}")).is(format!("a check with ?{query}"), Problem(422, words)));
    }
    let long = format!("/check?client_id={}", MARKER.repeat(103));
    cases.push(get(long).is("a client of 1030 bytes", Problem(422, "\"field\":\"client_id\"")));
    cases.push(get("/check").is("a check of nothing", Problem(422, "\"field\":\"jti\"")));
    for path in ["/livez", "/metrics", "/openapi.json", "/readyz"] {
        let what = format!("a parameter of {path}");
        cases.push(get(format!("{path}?{MARKER}=1")).is(what, Problem(400, "parameter")));
    }
    cases
}

fn lists() -> Vec<Case> {
    let mut cases = Vec::new();
    for (query, status, words) in [
        ("limit=0", 422, "a number from 1 to 1000"),
        ("limit=1001", 422, "a number from 1 to 1000"),
        ("limit=-1", 422, "a number from 1 to 1000"),
        ("limit=1e2", 422, "a number from 1 to 1000"),
        ("limit=18446744073709551617", 422, "a number from 1 to 1000"),
        ("limit=10&limit=20", 400, "`limit` is there twice"),
        ("kind=JTI", 422, "one of jti, sid, family, sub, client_id, iss"),
        ("kind=hush-4711!", 422, "one of jti, sid, family, sub, client_id, iss"),
        ("after=hush-4711!", 422, "the `next` of an earlier page"),
        ("after=-1", 422, "the `next` of an earlier page"),
        ("sub=%00%ff", 400, "not percent-encoded UTF-8"),
        ("iss=hush-4711!", 422, "\"field\":\"iss\""),
        ("offset=5", 400, "`offset` is unknown here"),
    ] {
        cases.push(get(format!("/revocations?{query}")).is(format!("a list with ?{query}"), Problem(status, words)));
    }
    for id in [
        "hush-4711!",
        "%00",
        "AAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAA==",
        &"A".repeat(5_000),
        "..%2f..%2fdata",
    ] {
        let what = format!("an entry called {id:.30}");
        cases.push(get(format!("/revocations/{id}")).is(what, Problem(404, "no live entry has this id")));
    }
    cases
}

fn restores() -> Vec<Case> {
    let id = "/revocations/AAAAAAAAAAAAAAAAAAAAAA";
    let delete = |target: &str| asked("DELETE", target);
    let mut cases = vec![
        delete(id).is("a restore without If-Match", Problem(400, "`If-Match` is missing")),
        delete(id).header("If-Match: 1").is("a restore of what is not there", Problem(404, "no live entry")),
        delete(id)
            .header("If-Match: 1")
            .header("If-Match: 1")
            .is("a restore with two", Problem(400, "`If-Match` must be")),
        delete("/revocations").is("a restore of everything", Problem(405, "this path answers to: GET")),
        delete(&format!("{id}?reason={}", MARKER.repeat(26)))
            .header("If-Match: 1")
            .is("a restore with a long reason", Problem(422, "\"limit\":256")),
        delete(&format!("{id}?why={MARKER}"))
            .header("If-Match: 1")
            .is("a restore with another parameter", Problem(400, "is unknown here")),
    ];
    for tag in ["*", "W/\"1\"", "\"1", "-1", "+1", "1, 2", "0x1", "18446744073709551616", MARKER] {
        let what = format!("a restore by If-Match: {tag}");
        cases.push(delete(id).header(format!("If-Match: {tag}")).is(what, Problem(400, "`If-Match` must be")));
    }
    cases
}

fn methods() -> Vec<Case> {
    let mut cases = Vec::new();
    for (method, path) in [
        ("DELETE", "/check/a"),
        ("PUT", "/revoke"),
        ("GET", "/revoke"),
        ("PATCH", "/force-logout"),
        ("OPTIONS", "/check/a"),
        ("TRACE", "/livez"),
        ("BREW", "/purge"),
        ("get", "/check/a"),
        ("PROPFIND", "/revocations"),
    ] {
        cases.push(asked(method, path).is(format!("{method} {path}"), Problem(405, "this path answers to: ")));
    }
    cases.push(asked("OPTIONS", "*").is("OPTIONS *", Problem(404, "nothing at this path")));
    cases.push(asked("CONNECT", "127.0.0.1:22").is("a tunnel", Problem(404, "nothing at this path")));
    cases.push(get("http://127.0.0.1:22/").is("a proxy", Problem(404, "nothing at this path")));
    cases
}

/// Line breaks in claims are data: they are judged as any other, and end no header.
fn line_breaks() -> Vec<Case> {
    let good = "{\"revoked\":false,\"judged\":[";
    let injected = "%0d%0aSet-Cookie:%20a=b%0d%0a%0d%0a";
    vec![
        get(format!("/check/{injected}")).is("a jti of line breaks", Says(200, good)),
        get(format!("/check/a?sub={injected}&sid={injected}")).is("a sub of line breaks", Says(200, good)),
        get(format!("/check?client_id={injected}")).is("a client of line breaks", Says(200, good)),
        get(format!("/revocations?sub={injected}")).is("a list of line breaks", Says(200, "{\"revocations\":[]")),
        get(format!("/{injected}")).is("a path of line breaks", Problem(404, "nothing at this path")),
        get(format!("/revocations/{injected}")).is("an id of line breaks", Problem(404, "no live entry")),
        get(format!("/livez?{injected}")).is("a parameter of line breaks", Problem(400, "takes no query parameters")),
    ]
}
