//! Bytes that are no HTTP, or that two readers would take differently. What cannot be read as a request has no route, so
//! nobody answers but the listener, by a status and the end of the connection.

use super::{Case, KEY, MARKER, Problem, Status, asked, get};

fn raw(what: &str, bytes: impl Into<Vec<u8>>, answer: super::Answer) -> Case {
    Case { what: what.to_owned(), bytes: bytes.into(), answer }
}

/// The head of a revoke whose length is told by `headers`, and what follows it.
fn framed(headers: &str, rest: &str) -> String {
    format!(
        "POST /revoke HTTP/1.1\r\nHost: x\r\nX-Api-Key: {KEY}\r\nContent-Type: application/json\r\n{headers}\r\n{rest}"
    )
}

pub(super) fn cases() -> Vec<Case> {
    [lines(), headers(), lengths(), chunks()].into_iter().flatten().collect()
}

fn lines() -> Vec<Case> {
    vec![
        raw("a word", format!("{MARKER}\r\n\r\n"), Status(400)),
        raw("zeros", [0; 64], Status(400)),
        raw(
            "a TLS handshake",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03hello-hello-hello\r\n\r\n".to_vec(),
            Status(400),
        ),
        raw("no version", "GET /livez\r\n\r\n", Status(400)),
        raw("another protocol", "GET /livez RTSP/1.0\r\n\r\n", Status(400)),
        raw("HTTP/9.9", "GET /livez HTTP/9.9\r\nHost: x\r\n\r\n", Status(400)),
        raw("a space in the path", format!("GET /check/{MARKER} b HTTP/1.1\r\nHost: x\r\n\r\n"), Status(400)),
        raw(
            "a raw byte in the path",
            b"GET /check/\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(),
            Status(400),
        ),
        raw("a NUL in the path", "GET /check/\0 HTTP/1.1\r\nHost: x\r\n\r\n", Status(400)),
        raw("a method with a slash", "GE/T /livez HTTP/1.1\r\nHost: x\r\n\r\n", Status(400)),
        raw(
            "a path without a slash",
            "GET livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            Problem(404, "nothing at this path"),
        ),
        raw("HTTP/2 half begun", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", Status(400)),
    ]
}

fn headers() -> Vec<Case> {
    let line = |line: &[u8]| [b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", line, b"\r\n\r\n"].concat();
    let many = format!("X-A: {MARKER}\r\n").repeat(200);
    vec![
        raw("a header without a colon", line(MARKER.as_bytes()), Status(400)),
        raw("a header without a name", line(b": a"), Status(400)),
        raw("a space before the colon", line(b"X-A : b"), Status(400)),
        raw("a folded header", line(b"X-A: b\r\n c"), Status(400)),
        raw("a NUL in a header", line(b"X-A: b\0c"), Status(400)),
        raw("a bare CR in a header", line(b"X-A: b\rSet-Cookie: c"), Status(400)),
        raw("a header name that is no ASCII", line("X-Ä: b".as_bytes()), Status(400)),
        raw("two hundred headers", line(many.trim_end().as_bytes()), Status(431)),
        raw("a header of 600 kB", line(format!("X-A: {}", "a".repeat(600_000)).as_bytes()), Status(431)),
        raw("a header name of 100 kB", line(format!("{}: a", "a".repeat(100_000)).as_bytes()), Status(431)),
        get("/check/a")
            .only(&[&format!("X-Api-Key: {KEY}\u{e9}")])
            .is("a key with a raw byte", Problem(401, "no valid API key")),
        get("/nothing")
            .header("X-Request-Id: hush-4711!")
            .is("a request id of its own", Problem(404, "nothing at this path")),
        get("/nothing")
            .header(format!("X-Request-Id: {}", "a".repeat(65)))
            .is("a request id of 65 bytes", Problem(404, "nothing at this path")),
        asked("POST", "/check")
            .header("Expect: 200-ok")
            .typed("application/json", "[]")
            .is("an expectation that is none", Problem(400, "one JSON object is expected")),
    ]
}

fn lengths() -> Vec<Case> {
    let body = format!("{{\"jti\":\"{MARKER}\",\"exp\":1}}");
    let smuggled = format!("POST /revoke HTTP/1.1\r\nHost: x\r\nX-Api-Key: {KEY}\r\n\r\n");
    let two = |headers: &str| framed(headers, &(body.clone() + &smuggled));
    vec![
        raw("two lengths", two("Content-Length: 5\r\nContent-Length: 6\r\n"), Status(400)),
        raw("a list of lengths", two("Content-Length: 5, 5\r\n"), Status(400)),
        raw("a length with a sign", two("Content-Length: +5\r\n"), Status(400)),
        raw("a length below nothing", two("Content-Length: -5\r\n"), Status(400)),
        raw("a length in hex", two("Content-Length: 0x5\r\n"), Status(400)),
        raw("a length beyond numbers", two("Content-Length: 99999999999999999999\r\n"), Status(400)),
        raw("a length beyond counting", two("Content-Length: 18446744073709551614\r\n"), Status(431)),
        raw("a length with words", two("Content-Length: five\r\n"), Status(400)),
        raw("an empty length", two("Content-Length:\r\n"), Status(400)),
        raw("another coding", two("Transfer-Encoding: gzip\r\n"), Status(400)),
        raw("chunked, and then packed", two("Transfer-Encoding: chunked, gzip\r\n"), Status(400)),
        raw("a coding that is folded", two("Transfer-Encoding:\r\n chunked\r\n"), Status(400)),
        raw("a length with a tab in its name", two("Content\tLength: 5\r\n"), Status(400)),
    ]
}

fn chunks() -> Vec<Case> {
    let chunked = |rest: &str| framed("Connection: close\r\nTransfer-Encoding: chunked\r\n", rest);
    let broken = Problem(400, "the body broke off before its end");
    let size = |size: &str| chunked(&format!("{size}\r\n{MARKER}\r\n0\r\n\r\n"));
    vec![
        raw("a chunk that is garbage", chunked(&format!("{MARKER}\r\n")), broken),
        raw("a chunk size that is no hex", size("zz"), broken),
        raw("a chunk size with a sign", size("-a"), broken),
        raw("a chunk size in hex, twice", size("0xa"), broken),
        raw("a chunk size beyond 64 bits", size("fffffffffffffffff"), broken),
        raw("a chunk that is longer than it says", size("5"), broken),
        raw("a chunk that is empty where a size belongs", chunked("\r\n\r\n"), broken),
        raw("a chunk size of a line break", chunked("a\n\n"), broken),
        raw("a chunk extension of a line break", chunked(&format!("a;x=\n\r\n{MARKER}\r\n0\r\n\r\n")), broken),
        raw("a chunk of what is no JSON", size("a"), Problem(400, "not valid JSON")),
        raw(
            "chunks without end",
            chunked(&format!("ea60\r\n{}\r\n1\r\n1\r\n0\r\n\r\n", "1".repeat(60_000))),
            Problem(413, "limits.body_bytes_max is 60000"),
        ),
    ]
}
