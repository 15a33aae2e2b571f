//! API keys that may not be made, and none that may be revoked: whoever makes keys makes callers.

use super::{Case, MARKER, Problem, asked, get, post};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = bodies();
    for id in [MARKER, "..", "%00", "0123456789AB", "0123456789ab", "0123456789ab%0d%0aSet-Cookie:%20a", "admin.key"] {
        cases.push(
            asked("DELETE", format!("/keys/{id}")).is(format!("a key called {id}"), Problem(404, "no key has this id")),
        );
    }
    cases.extend([
        asked("DELETE", "/keys/").is("a key without a name", Problem(404, "nothing at this path")),
        asked("DELETE", "/keys").is("every key", Problem(405, "this path answers to: GET, POST")),
        asked("DELETE", "/keys/0123456789ab?all=true").is("a key and more", Problem(400, "`all`")),
        get("/keys?secret=true").is("the secrets of the keys", Problem(400, "takes no query parameters")),
        get("/keys/0123456789ab").is("one key", Problem(405, "this path answers to: DELETE")),
    ]);
    cases
}

fn bodies() -> Vec<Case> {
    let with = |rest: &str| format!(r#"{{"label":"{MARKER}",{rest}}}"#);
    let long = MARKER.repeat(103);
    let many = vec![format!("\"{MARKER}\""); 65].join(",");
    let rows = [
        ("{}".to_owned(), 422, "`label` is missing"),
        (r#"{"scopes":["admin"]}"#.to_owned(), 422, "`label` is missing"),
        (r#"{"label":"","scopes":["check"]}"#.to_owned(), 422, "`label` has 0 bytes"),
        (format!(r#"{{"label":"{long}","scopes":["check"]}}"#), 422, "\"limit\":128"),
        (r#"{"label":7,"scopes":["check"]}"#.to_owned(), 422, "`label` must be a string"),
        (format!(r#"{{"label":"{MARKER}"}}"#), 422, "`scopes` is missing"),
        (with(r#""scopes":[]"#), 422, "`scopes` is empty"),
        (with(r#""scopes":"admin""#), 422, "`scopes` must be an array"),
        (with(r#""scopes":["*"]"#), 422, "one of revoke, check, admin, audit"),
        (with(r#""scopes":["Admin"]"#), 422, "one of revoke, check, admin, audit"),
        (with(r#""scopes":["check admin"]"#), 422, "one of revoke, check, admin, audit"),
        (with(r#""scopes":["admin\u0000"]"#), 422, "one of revoke, check, admin, audit"),
        (with(r#""scopes":["check","check"]"#), 422, "`scopes` names one twice"),
        (with(r#""scopes":[["admin"]]"#), 422, "`scopes` must be a string"),
        (with(r#""scopes":["revoke","check","admin","audit","root"]"#), 422, "more than 4 elements"),
        (with(r#""scopes":["check"],"scopes":["admin"]"#), 400, "`scopes` is there twice"),
        (with(r#""scopes":["check"],"issuers":[]"#), 422, "`issuers` is empty"),
        (with(r#""scopes":["check"],"issuers":null"#), 422, "`issuers` must be an array"),
        (
            with(&format!(r#""scopes":["check"],"issuers":["https://{MARKER}/"]"#)),
            422,
            "names one that is not configured",
        ),
        (
            with(r#""scopes":["check"],"issuers":["https://issuer.example/","https://issuer.example/"]"#),
            422,
            "`issuers` names one twice",
        ),
        (with(r#""scopes":["check"],"client_ids":[""]"#), 422, "\"field\":\"client_ids\""),
        (with(&format!(r#""scopes":["check"],"client_ids":["{long}"]"#)), 422, "\"limit\":1024"),
        (with(&format!(r#""scopes":["check"],"client_ids":[{many}]"#)), 422, "more than 64 elements"),
        (with(r#""scopes":["check"],"expires_at":1"#), 422, "\"field\":\"expires_at\""),
        (with(r#""scopes":["check"],"expires_at":"never""#), 422, "`expires_at` must be a whole number"),
        (with(r#""scopes":["check"],"expires_in_s":0"#), 422, "`expires_in_s` must be at least 1"),
        (with(r#""scopes":["check"],"expires_in_s":-1"#), 422, "`expires_in_s` must be at least 1"),
        (with(r#""scopes":["check"],"expires_in_s":9007199254740992"#), 422, "9007199254740991"),
        (with(r#""scopes":["check"],"expires_in_s":60,"expires_at":4102444800"#), 422, "cannot stand beside"),
        (with(r#""scopes":["check"],"id":"0123456789ab""#), 400, "`id` is unknown here"),
        (with(r#""scopes":["check"],"key":"revokd_0123456789ab_AAAA""#), 400, "`key` is unknown here"),
    ];
    let case = |(at, (body, status, words)): (usize, (String, u16, &'static str))| {
        post("/keys", body).is(format!("/keys, row {at}"), Problem(status, words))
    };
    rows.into_iter().enumerate().map(case).collect()
}
