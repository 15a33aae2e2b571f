//! The server that hostile requests are sent to, and what must hold after each.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Answer, Case, KEY, MARKER};
use crate::real_server::{Home, RealServer, now};
use crate::verifier_forging::{ISS, SECRET};

/// Stands for the id of the admin key, which is its middle part.
pub(super) const ID: &str = "@the-key-id@";

/// Stands for both as Basic credentials have them (RFC 7617).
pub(super) const BASIC: &str =
    "@id-and-key-in-base64-----------------------------------------------------------------------------basic@";

/// How long an answer may take on a busy machine. A connection that is not ended within it is a failure too.
const PATIENCE: Duration = Duration::from_secs(30);

/// Limits low enough to be passed by a request that is still small.
const SETTINGS: [&str; 6] = [
    "limits.body_bytes_max=60000",
    "limits.ndjson_bytes_max=60000",
    "limits.line_bytes_max=30000",
    "limits.batch_ids_max=10",
    "limits.batch_tokens_max=4",
    // Each is judged by what is wrong with it, not by how many there were before.
    "limits.strangers_per_s=0",
];

/// The public key of the second key of the issuer, for those who take it for a secret.
pub(super) const PUBLIC_KEY: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8KgWiq7z3EkKK/98xSYiCeaC8IqL
Hn1kS1MK38TUNxJLBBt5maVmQNn6WRLqWg/b5epiKizXj9V36tJJtygw4g==
-----END PUBLIC KEY-----
";

pub(super) struct Server {
    real: RealServer,
    /// What is listed before anything hostile has come.
    listed: Value,
    /// The place in the history of the last thing that was done.
    seq: u64,
    _home: Home,
}

impl Server {
    /// Trusts one issuer, by an HS256 secret with the `kid` `k` and an ES256 key with the `kid` `e`, and takes logout tokens for `shop`,
    /// and has one entry.
    pub(super) async fn start() -> Self {
        let toml = format!(
            "[[issuers]]\niss = \"{ISS}\"\n[[issuers.keys]]\nkid = \"k\"\nalg = \"HS256\"\nsecret = \"{SECRET}\"\n\
             [[issuers.keys]]\nkid = \"e\"\nalg = \"ES256\"\npem_file = \"e.pem\"\n\
             [issuers.backchannel]\naudience = \"shop\"\nallow_hmac = true\n"
        );
        let home = Home::with_config(&toml, &SETTINGS);
        std::fs::write(home.path("e.pem"), PUBLIC_KEY).unwrap();
        let real = home.start().await;
        let seq = revoke(&real, "known").await;
        let (_, listed) = real.get("/revocations").await;
        assert_eq!(listed["revocations"][0]["seq"], seq, "{listed}");
        Self { real, listed, seq, _home: home }
    }

    /// Sends one request, and looks at everything that it must not have changed.
    ///
    /// # Errors
    /// What is wrong with the answer.
    pub(super) async fn send(&self, case: &Case) -> Result<(), String> {
        let what = &case.what;
        let judged = self.exchange(&case.bytes).await.and_then(|text| {
            assert!(!text.contains(&self.real.key), "{what}: the key comes back: {text}");
            judge(case, &text).map_err(|fault| format!("{fault}: {text}"))
        });
        assert_eq!(self.real.get("/livez").await.0, 200, "{what}: alive");
        let verdicts = self.real.ok("/check", &json!({ "ids": ["known", "unknown"] })).await;
        let verdicts = [0, 1].map(|at| verdicts["results"][at]["revoked"].as_bool().unwrap());
        assert_eq!(verdicts, [true, false], "{what}: still serving");
        assert_eq!(self.real.get("/revocations").await.1, self.listed, "{what}: nothing stored");
        judged
    }

    /// What comes back until the connection ends.
    async fn exchange(&self, bytes: &[u8]) -> Result<String, String> {
        let mut stream = TcpStream::connect(self.real.url.trim_start_matches("http://")).await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let request = with_key(bytes, &self.real.key);
        // A server that has heard enough may close while more is being sent.
        let sending = async { writer.write_all(&request).await };
        let mut answer = Vec::new();
        let (_, read) = timeout(PATIENCE, async { tokio::join!(sending, reader.read_to_end(&mut answer)) })
            .await
            .map_err(|_| "the connection does not end")?;
        let text = String::from_utf8_lossy(&answer).into_owned();
        // A reset after the answer has come is an end too.
        if text.is_empty() { Err(format!("no answer: {read:?}")) } else { Ok(text) }
    }

    /// Whatever a claim or reason holds comes back as it was and nowhere else.
    pub(super) async fn stores_and_gives_back(mut self, text: &str) {
        let body = json!({ "jti": text, "sub": text, "reason": text, "exp": now() + 3_600 });
        self.real.ok("/revoke", &body).await;
        let (_, listed) = self.real.get("/revocations").await;
        let entry = &listed["revocations"][0];
        assert_eq!((&entry["value"], &entry["sub"], &entry["reason"]), (&json!(text), &json!(text), &json!(text)));
        assert_eq!(self.real.ok("/check", &json!({ "jti": text })).await["revoked"], true);
        self.real.ok("/force-logout", &json!({ "sub": text, "reason": text })).await;
        assert_eq!(self.real.stop().code(), Some(0));
        assert_log(&self.real.log(), &["Set-Cookie"]);
    }

    /// Nothing of what was planted is in the log, and the history is where it was.
    pub(super) async fn kept_silent_and_stored_nothing(mut self) {
        assert_eq!(revoke(&self.real, "afterwards").await, self.seq + 1, "something was journaled meanwhile");
        assert_eq!(self.real.stop().code(), Some(0), "{}", self.real.log());
        assert_log(&self.real.log(), &[MARKER, "hush", "eyJ", &self.real.key]);
    }
}

/// Each line of the log is a record, and none holds what was planted.
fn assert_log(log: &str, planted: &[&str]) {
    for planted in planted {
        assert!(!log.contains(planted), "{planted} is in the log:\n{log}");
    }
    for line in log.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()), "no record: {line}");
    }
    assert!(!log.contains("panicked"), "{log}");
}

/// The bytes with the key where they have its place.
fn with_key(bytes: &[u8], key: &str) -> Vec<u8> {
    let id = key.split('_').nth(1).unwrap();
    let basic = STANDARD.encode(format!("{id}:{key}"));
    [(KEY, key), (ID, id), (BASIC, basic.as_str())].iter().fold(bytes.to_vec(), |mut bytes, (place, value)| {
        assert_eq!(place.len(), value.len(), "a length that is declared must be true");
        while let Some(at) = bytes.windows(place.len()).position(|found| found == place.as_bytes()) {
            bytes[at..at + place.len()].copy_from_slice(value.as_bytes());
        }
        bytes
    })
}

async fn revoke(real: &RealServer, jti: &str) -> u64 {
    let said = real.ok("/revoke", &json!({ "jti": jti, "exp": now() + 3_600 })).await;
    said["seq"].as_u64().unwrap()
}

/// Looks at an answer, which must be one and hold nothing that was sent.
fn judge(case: &Case, text: &str) -> Result<(), String> {
    ensure(text.matches("HTTP/1.1 ").count() == 1, "not one answer")?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no end of the head")?;
    let status = head.get(9..12).and_then(|status| status.parse().ok()).ok_or("no status")?;
    let (expected, words) = match case.answer {
        Answer::Status(expected) => (expected, ""),
        Answer::Says(expected, words) | Answer::Problem(expected, words) | Answer::OAuth(expected, words) => {
            (expected, words)
        }
    };
    ensure(status == expected, &format!("it is not {expected}"))?;
    match case.answer {
        Answer::Status(_) => ensure(body.is_empty(), "it has a body")?,
        Answer::Says(..) => {}
        Answer::Problem(..) => is_problem(status, head, body)?,
        Answer::OAuth(_, code) => is_oauth_error(code, head, body)?,
    }
    ensure(body.contains(words), &format!("it does not say {words:?}"))?;
    for planted in [MARKER, "hush", "eyJ", "Set-Cookie", "set-cookie"] {
        ensure(!text.contains(planted), &format!("{planted} comes back"))?;
    }
    Ok(())
}

/// All that every problem has (RFC 9457), and nothing of the server's inside.
fn is_problem(status: u16, head: &str, body: &str) -> Result<(), String> {
    let head = head.to_ascii_lowercase();
    ensure(head.contains("content-type: application/problem+json"), "no problem by its type")?;
    ensure(head.contains("cache-control: no-store"), "it may be stored")?;
    let problem: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let text = |name: &str| problem[name].as_str().unwrap_or_default();
    ensure(problem["status"] == status, "another status in the body")?;
    ensure(text("detail").len() >= 10 && !text("title").is_empty(), "it says nothing")?;
    ensure(head.contains(&format!("x-request-id: {}", text("request_id"))), "another id in the body")?;
    for inside in ["src/", ".rs", "serde", "panick", "Error(", "data/", "/tmp"] {
        ensure(!text("detail").contains(inside), &format!("{inside} is nobody's business"))?;
    }
    Ok(())
}

/// What an OAuth error has (RFC 6749 section 5.2), and words that help.
fn is_oauth_error(code: &str, head: &str, body: &str) -> Result<(), String> {
    let head = head.to_ascii_lowercase();
    ensure(head.contains("content-type: application/json"), "no OAuth error by its type")?;
    ensure(head.contains("cache-control: no-store"), "it may be stored")?;
    let error: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    ensure(error["error"] == code, &format!("its code is not {code}"))?;
    ensure(error["error_description"].as_str().is_some_and(|said| said.len() >= 10), "it says nothing")
}

fn ensure(holds: bool, else_fault: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(else_fault.to_owned()) }
}

/// What the table rests on: each of these must be noticed.
mod noticed {
    use super::super::{Problem, Status, get, post};
    use super::{MARKER, Server, json, judge, now};

    const PROBLEM: &str = r#"{"title":"Bad Request","status":400,"detail":"`sub` is empty","request_id":"r"}"#;

    fn judged(answer: &str) -> Result<(), String> {
        judge(&get("/").is("a case", Problem(400, "`sub`")), answer)
    }

    #[test]
    fn an_answer_that_is_not_what_it_must_be() {
        let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\nx-request-id: r";
        let good = format!("{head}\r\n\r\n{PROBLEM}");
        assert_eq!(judged(&good), Ok(()));
        for (from, to) in [
            ("400", "422"),
            ("problem+json", "json"),
            ("no-store", "private"),
            ("x-request-id: r", "x-request-id: s"),
            ("`sub` is empty", "`jti` is empty"),
            ("`sub` is empty", "`sub`"),
            ("is empty", MARKER),
            ("is empty", "at src/http.rs"),
            ("\"status\":400", "\"status\":401"),
            (PROBLEM, "{"),
            (PROBLEM, ""),
            ("\r\n\r\n", "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
            ("\r\n\r\n", "\r\nset-cookie: a\r\n\r\n"),
        ] {
            let bad = good.replace(from, to);
            assert!(bad != good && judged(&bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    #[should_panic(expected = "nothing stored")]
    async fn a_request_that_stores() {
        let body = json!({ "jti": "a", "exp": now() + 600 }).to_string();
        let _ = Server::start().await.send(&post("/revoke", body).is("a revoke", Status(200))).await;
    }

    #[tokio::test]
    #[should_panic(expected = "something was journaled meanwhile")]
    async fn a_request_that_leaves_the_list_alone_and_not_the_history() {
        let server = Server::start().await;
        server.real.ok("/revoke", &json!({ "jti": "known", "exp": now() + 3_700 })).await;
        server.kept_silent_and_stored_nothing().await;
    }
}
