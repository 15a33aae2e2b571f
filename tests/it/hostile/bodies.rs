//! JSON that is none, is read in two ways, or says what the contract does not have.

use super::{Answer, Case, MARKER, Problem, asked, post};

/// Deep enough to break a reader that recurses, and shorter than the limit of a body.
fn deep(open: &str, close: &str, times: usize) -> String {
    open.repeat(times) + &close.repeat(times)
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = everywhere();
    cases.extend(revokes());
    cases.extend(checks());
    cases.extend(force_logouts());
    cases.extend(purges());
    cases.extend(media());
    cases
}

/// What no route that reads JSON takes.
fn everywhere() -> Vec<Case> {
    let text = |text: &str| text.as_bytes().to_vec();
    let rows = [
        ("nothing at all", text(""), "there is nothing to read"),
        ("white space", text(" \r\n\t "), "there is nothing to read"),
        ("a byte order mark", text("\u{feff}{}"), "not valid JSON"),
        ("a list", format!("[\"{MARKER}\"]").into_bytes(), "one JSON object is expected"),
        ("a string", format!("\"{MARKER}\"").into_bytes(), "one JSON object is expected"),
        ("a number", text("4711"), "one JSON object is expected"),
        ("null", text("null"), "one JSON object is expected"),
        ("an open object", format!("{{\"jti\":\"{MARKER}\"").into_bytes(), "not valid JSON"),
        ("a trailing comma", format!("{{\"jti\":\"{MARKER}\",}}").into_bytes(), "not valid JSON"),
        ("two objects", format!("{{\"reason\":\"{MARKER}\"}}{{}}").into_bytes(), "not valid JSON"),
        ("a NUL behind", text("{}\0"), "not valid JSON"),
        ("a comment", format!("{{/*{MARKER}*/}}").into_bytes(), "not valid JSON"),
        ("single quotes", format!("{{'jti':'{MARKER}'}}").into_bytes(), "not valid JSON"),
        ("a name without quotes", format!("{{jti:\"{MARKER}\"}}").into_bytes(), "not valid JSON"),
        ("NaN", text("{\"exp\":NaN}"), "not valid JSON"),
        ("an endless number", text("{\"exp\":Infinity}"), "not valid JSON"),
        ("hex", text("{\"exp\":0x7fffffff}"), "not valid JSON"),
        ("leading zeros", text("{\"exp\":007}"), "not valid JSON"),
        ("a plus sign", text("{\"exp\":+7}"), "not valid JSON"),
        ("a raw line break in a string", format!("{{\"jti\":\"\r\n{MARKER}\"}}").into_bytes(), "not valid JSON"),
        ("an escape that is none", format!("{{\"jti\":\"\\x41{MARKER}\"}}").into_bytes(), "not valid JSON"),
        ("invalid UTF-8", [b"{\"jti\":\"", MARKER.as_bytes(), b"\xff\"}"].concat(), "is no UTF-8"),
        ("an overlong slash", b"{\"jti\":\"\xc0\xaf\"}".to_vec(), "byte 8 is no UTF-8"),
        ("a surrogate in UTF-8", b"{\"jti\":\"\xed\xa0\x80\"}".to_vec(), "is no UTF-8"),
        ("UTF-16", b"\xff\xfe{\0}\0".to_vec(), "byte 0 is no UTF-8"),
        ("an abyss of lists", format!("{{\"jti\":{}}}", deep("[", "]", 20_000)).into_bytes(), ""),
        ("an abyss of objects", format!("{}1{}", "{\"a\":".repeat(9_000), "}".repeat(9_000)).into_bytes(), ""),
        ("an abyss with no ground", "[".repeat(50_000).into_bytes(), "one JSON object is expected"),
        ("a member twice", format!("{{\"iss\":\"{MARKER}\",\"iss\":\"b\"}}").into_bytes(), "`iss` is there twice"),
        ("a member twice, once escaped", text(r#"{"iss":"a","\u0069ss":"b"}"#), "`iss` is there twice"),
        ("a secret for a name", format!("{{\"{MARKER}\":1}}").into_bytes(), "a name of 10 bytes is unknown here"),
        ("an unknown name", text(r#"{"__proto__":{"admin":true}}"#), "`__proto__` is unknown here"),
        ("a known name in capitals", format!("{{\"SUB\":\"{MARKER}\"}}").into_bytes(), "`SUB` is unknown here"),
        ("a name and a NUL", text(r#"{"sub\u0000":"a"}"#), "a name of 4 bytes is unknown here"),
        ("seventeen members", many_members(17), "more than 16 members"),
        ("a name of line breaks", text(r#"{"a\r\nSet-Cookie: b=c":1}"#), "is unknown here"),
    ];
    let routes = ["/revoke", "/check", "/force-logout", "/purge"];
    let mut cases = Vec::new();
    for (at, (what, body, words)) in rows.into_iter().enumerate() {
        // Each at two routes of the four, so that each meets each kind.
        for path in [routes[at % 4], routes[(at + 1 + at / 4 % 3) % 4]] {
            // A purge without a body is a purge, and a nesting is refused where its value is read.
            if path == "/purge" && body.is_empty() {
                continue;
            }
            let answer = answer_to(what, path, words);
            cases.push(post(path, body.clone()).is(format!("{what} at {path}"), answer));
        }
    }
    cases
}

/// Where the object itself is sound, what is wrong may be its value.
fn answer_to(what: &str, path: &str, words: &'static str) -> Answer {
    match (what, path) {
        ("an abyss of lists", "/revoke" | "/check") => Problem(422, "`jti` must be a string"),
        ("an abyss of lists", _) => Problem(400, "`jti` is unknown here"),
        ("an abyss of objects", _) => Problem(400, "`a` is unknown here"),
        _ => Problem(400, words),
    }
}

fn many_members(count: usize) -> Vec<u8> {
    let members: Vec<_> = (0..count).map(|n| format!("\"m{n}\":\"{MARKER}\"")).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

fn revokes() -> Vec<Case> {
    let long = MARKER.repeat(103);
    let rows = [
        (r#"{"exp":4102444800}"#.to_owned(), 422, "`jti` is missing"),
        (r#"{"jti":"","exp":4102444800}"#.to_owned(), 422, "`jti`"),
        (format!(r#"{{"jti":"{long}","exp":4102444800}}"#), 422, "\"limit\":1024"),
        (r#"{"jti":4711,"exp":4102444800}"#.to_owned(), 422, "`jti` must be a string"),
        (r#"{"jti":null,"exp":4102444800}"#.to_owned(), 422, "`jti` must be a string"),
        (format!(r#"{{"jti":["{MARKER}"],"exp":4102444800}}"#), 422, "`jti` must be a string"),
        (r#"{"jti":"\ud800","exp":4102444800}"#.to_owned(), 422, "Unicode"),
        (format!(r#"{{"jti":"{MARKER}"}}"#), 422, "`exp` is missing"),
        (format!(r#"{{"jti":"{MARKER}","exp":"4102444800"}}"#), 422, "`exp` must be a number"),
        (format!(r#"{{"jti":"{MARKER}","exp":true}}"#), 422, "`exp` must be a number"),
        (format!(r#"{{"jti":"{MARKER}","exp":{{}}}}"#), 422, "`exp` must be a number"),
        (format!(r#"{{"jti":"{MARKER}","exp":4102444800}}"#), 422, "tokens.lifetime_max_s"),
        (format!(r#"{{"jti":"{MARKER}","exp":9007199254740992}}"#), 422, "9007199254740991"),
        (format!(r#"{{"jti":"{MARKER}","exp":1e308}}"#), 422, "9007199254740991"),
        (format!(r#"{{"jti":"{MARKER}","exp":1e999}}"#), 422, "9007199254740991"),
        (format!(r#"{{"jti":"{MARKER}","exp":18446744073709551616}}"#), 422, "9007199254740991"),
        (format!(r#"{{"jti":"a","exp":1,"sub":"{long}"}}"#), 422, "\"field\":\"sub\""),
        (r#"{"jti":"a","exp":1,"sub":""}"#.to_owned(), 422, "\"field\":\"sub\""),
        (format!(r#"{{"jti":"a","exp":1,"sub":{{"{MARKER}":1}}}}"#), 422, "`sub` must be a string"),
        (format!(r#"{{"jti":"a","exp":1,"reason":"{}"}}"#, MARKER.repeat(26)), 422, "\"limit\":256"),
        (r#"{"jti":"a","exp":1,"reason":7}"#.to_owned(), 422, "`reason` must be a string"),
        (format!(r#"{{"jti":"a","exp":1,"iss":"https://{MARKER}/"}}"#), 422, "\"field\":\"iss\""),
        (
            r#"{"jti":"a","exp":1,"iss":"https://issuer.example/\r\nSet-Cookie: a"}"#.to_owned(),
            422,
            "\"field\":\"iss\"",
        ),
        (r#"{"jti":"a","exp":1,"iss":"https://issuer.example"}"#.to_owned(), 422, "\"field\":\"iss\""),
        (format!(r#"{{"jti":"{MARKER}","exp":4102444800,"ttl":5}}"#), 400, "`ttl` is unknown here"),
        (format!(r#"{{"jti":"{MARKER}","exp":1,"exp":4102444800}}"#), 400, "`exp` is there twice"),
    ];
    table("/revoke", rows)
}

fn checks() -> Vec<Case> {
    let long = MARKER.repeat(103);
    let ids = |count: usize| vec![format!("\"{MARKER}\""); count].join(",");
    let rows = [
        (r#"{"iss":"https://issuer.example/"}"#.to_owned(), 422, "\"field\":\"jti\""),
        (format!(r#"{{"sub":"{long}"}}"#), 422, "\"limit\":1024"),
        (format!(r#"{{"jti":"{MARKER}","iat":"1"}}"#), 422, "`iat` must be a whole number"),
        (format!(r#"{{"jti":"{MARKER}","iat":1.5}}"#), 422, "`iat` must be a whole number"),
        (format!(r#"{{"jti":"{MARKER}","iat":9007199254740992}}"#), 422, "9007199254740991"),
        (format!(r#"{{"jti":"{MARKER}","iss":"{MARKER}"}}"#), 422, "\"field\":\"iss\""),
        (format!(r#"{{"jti":"{MARKER}","token":"{MARKER}"}}"#), 400, "is unknown here; known are: token"),
        (format!(r#"{{"ids":"{MARKER}"}}"#), 422, "`ids` must be an array"),
        (r#"{"ids":[]}"#.to_owned(), 422, "`ids` is empty"),
        (format!(r#"{{"ids":[{}]}}"#, ids(11)), 422, "`ids` has more than 10 elements"),
        (format!(r#"{{"tokens":[{}]}}"#, ids(5)), 422, "`tokens` has more than 4 elements"),
        (format!(r#"{{"ids":["{MARKER}",7]}}"#), 422, "\"index\":1"),
        (format!(r#"{{"ids":["{MARKER}",{{"jti":"a","jti":"b"}}]}}"#), 422, "\"index\":1"),
        (format!(r#"{{"ids":["{MARKER}",{{"{MARKER}":"b"}}]}}"#), 422, "\"index\":1"),
        (format!(r#"{{"ids":[{{"jti":"{long}"}}]}}"#), 422, "\"index\":0"),
        (format!(r#"{{"ids":["a",{}]}}"#, deep("[", "]", 10_000)), 422, "\"index\":1"),
        (r#"{"ids":["a","\udfff"]}"#.to_owned(), 422, "\"index\":1"),
        (r#"{"tokens":["a",null]}"#.to_owned(), 422, "\"index\":1"),
        (r#"{"tokens":["a",{"token":"b"}]}"#.to_owned(), 422, "\"index\":1"),
        (format!(r#"{{"ids":["a"],"tokens":["{MARKER}"]}}"#), 400, "is unknown here"),
        (r#"{"ids":["a"],"ids":["b"]}"#.to_owned(), 400, "`ids` is there twice"),
        (format!(r#"{{"token":["{MARKER}"]}}"#), 422, "`token` must be a string"),
    ];
    table("/check", rows)
}

fn force_logouts() -> Vec<Case> {
    let long = MARKER.repeat(103);
    let rows = [
        ("{}".to_owned(), 422, "nobody is named"),
        (r#"{"all":false}"#.to_owned(), 422, "nobody is named"),
        (r#"{"all":"true"}"#.to_owned(), 422, "`all` must be true or false"),
        (r#"{"all":1}"#.to_owned(), 422, "`all` must be true or false"),
        (format!(r#"{{"all":true,"sub":"{MARKER}"}}"#), 422, "`all` is one target too many"),
        (format!(r#"{{"sub":"{MARKER}","sid":"{MARKER}"}}"#), 422, "is one target too many"),
        (r#"{"sub":""}"#.to_owned(), 422, "\"field\":\"sub\""),
        (format!(r#"{{"sub":"{long}"}}"#), 422, "\"limit\":1024"),
        (format!(r#"{{"sub":["{MARKER}"]}}"#), 422, "`sub` must be a string"),
        (format!(r#"{{"sub":"{MARKER}","issued_before":99999999999}}"#), 422, "\"field\":\"issued_before\""),
        (format!(r#"{{"sub":"{MARKER}","issued_before":1}}"#), 422, "\"field\":\"issued_before\""),
        (format!(r#"{{"sub":"{MARKER}","issued_before":1.5}}"#), 422, "`issued_before` must be a whole number"),
        (format!(r#"{{"sub":"{MARKER}","issued_before":-1e400}}"#), 422, "`issued_before` must be a whole number"),
        (format!(r#"{{"sub":"{MARKER}","dry_run":"yes"}}"#), 422, "`dry_run` must be true or false"),
        (format!(r#"{{"sub":"{MARKER}","iss":"{MARKER}"}}"#), 422, "\"field\":\"iss\""),
        (format!(r#"{{"sub":"{MARKER}","reason":"{}"}}"#, MARKER.repeat(26)), 422, "\"limit\":256"),
        (format!(r#"{{"sub":"{MARKER}","user":"{MARKER}"}}"#), 400, "`user` is unknown here"),
        (format!(r#"{{"jti":"{MARKER}"}}"#), 400, "`jti` is unknown here"),
        (format!(r#"{{"sub":"a","sub":"{MARKER}"}}"#), 400, "`sub` is there twice"),
    ];
    table("/force-logout", rows)
}

fn purges() -> Vec<Case> {
    let rows = [
        (r#"{"trust_clock":"true"}"#.to_owned(), 422, "`trust_clock` must be true or false"),
        (r#"{"trust_clock":1}"#.to_owned(), 422, "`trust_clock` must be true or false"),
        (r#"{"trust_clock":null}"#.to_owned(), 422, "`trust_clock` must be true or false"),
        (r#"{"trust-clock":true}"#.to_owned(), 400, "a name of 11 bytes is unknown here"),
        (r#"{"trust_clock":true,"trust_clock":true}"#.to_owned(), 400, "`trust_clock` is there twice"),
    ];
    table("/purge", rows)
}

fn table<const ROWS: usize>(path: &str, rows: [(String, u16, &'static str); ROWS]) -> Vec<Case> {
    let case = |(at, (body, status, words)): (usize, (String, u16, &'static str))| {
        post(path, body).is(format!("{path}, row {at}"), Problem(status, words))
    };
    rows.into_iter().enumerate().map(case).collect()
}

/// Bodies that are called what they are not, or are too long.
fn media() -> Vec<Case> {
    let good = format!(r#"{{"jti":"{MARKER}","exp":1}}"#);
    let as_media = |media: &str| asked("POST", "/revoke").typed(media, good.clone());
    let called =
        |media: &'static str| as_media(media).is(format!("called {media:?}"), Problem(415, "application/json"));
    let header = |line: &str| post("/revoke", good.clone()).header(line);
    let too_long = format!(r#"{{"jti":"{}"}}"#, MARKER.repeat(6_000));
    let declared = |length: &str| {
        asked("POST", "/check").header("Content-Type: application/json").header(format!("Content-Length: {length}"))
    };
    let mut cases = vec![
        asked("POST", "/revoke")
            .header(format!("Content-Length: {}", good.len()))
            .is("called nothing", Problem(415, "application/json")),
        header("Content-Encoding: gzip").is("said to be packed", Problem(415, "Content-Encoding")),
        header("Content-Encoding: identity").is("said not to be packed", Problem(415, "Content-Encoding")),
        post("/force-logout", too_long).is("a byte too long and more", Problem(413, "limits.body_bytes_max is 60000")),
        declared("60001").is("declared a byte too long", Problem(413, "limits.body_bytes_max is 60000")),
        declared("9223372036854775807").is("declared endless", Problem(413, "limits.body_bytes_max is 60000")),
    ];
    cases.extend(
        [
            "text/plain",
            "text/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json, text/plain",
            "application/json; charset=utf-7",
            "application/json; charset=utf-8; x=y",
            "application/jwt",
            "application/merge-patch+json",
            "*/*",
        ]
        .map(called),
    );
    cases
}
