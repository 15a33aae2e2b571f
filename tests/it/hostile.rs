//! Hostile requests to the real binary, byte for byte over TCP: a table of more than 200, each with the status of the
//! contract and the words that help. None stores anything, none gets back or leaves in the log what it planted, and
//! after each the server serves on. Each group of the table is a file; each has a server of its own.

mod batches;
mod bodies;
mod callers;
mod forms;
mod keys;
mod logouts;
mod messages;
mod server;
mod targets;
mod tokens;

use server::Server;

/// What is planted in every request that can hold it, and must never come back. No name may have it in full: an unknown
/// name of letters and digits is quoted, which helps whoever has mistyped it.
const MARKER: &str = "hush-4711!";

/// One row of the table.
struct Case {
    what: String,
    bytes: Vec<u8>,
    answer: Answer,
}

/// How a request must be answered.
#[derive(Clone, Copy)]
enum Answer {
    /// A problem (RFC 9457) of this status that holds these words.
    Problem(u16, &'static str),
    /// An OAuth error (RFC 6749 section 5.2) of this status, with this code.
    OAuth(u16, &'static str),
    /// A body of this status that holds these words.
    Says(u16, &'static str),
    /// A status without a body: what came was no request, and the connection ends.
    Status(u16),
}

use Answer::{OAuth, Problem, Says, Status};

/// A request under construction. It has the admin key and ends its connection, unless told otherwise.
#[derive(Clone)]
struct Asked {
    method: &'static str,
    target: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

/// Stands for the admin key, which a table does not know. As long as it, for it may be part of a body.
const KEY: &str = "@the-admin-key---------------------------------------------key@";

fn asked(method: &'static str, target: impl Into<String>) -> Asked {
    let headers = vec![format!("X-Api-Key: {KEY}")];
    Asked { method, target: target.into(), headers, body: Vec::new() }
}

fn get(target: impl Into<String>) -> Asked {
    asked("GET", target)
}

/// A body of JSON, or of what is said to be JSON.
fn post(target: impl Into<String>, body: impl Into<Vec<u8>>) -> Asked {
    asked("POST", target).typed("application/json", body)
}

impl Asked {
    fn header(mut self, line: impl Into<String>) -> Self {
        self.headers.push(line.into());
        self
    }

    fn typed(self, media: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let asked = self.header(format!("Content-Type: {media}")).header(format!("Content-Length: {}", body.len()));
        Self { body, ..asked }
    }

    /// With these headers and no other.
    fn only(mut self, headers: &[&str]) -> Self {
        self.headers = headers.iter().map(ToString::to_string).collect();
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let head = format!("{} {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", self.method, self.target);
        let headers: String = self.headers.iter().flat_map(|line| [line, "\r\n"]).collect();
        [head.as_bytes(), headers.as_bytes(), b"\r\n", &self.body].concat()
    }

    /// A row of the table.
    fn is(&self, what: impl Into<String>, answer: Answer) -> Case {
        Case { what: what.into(), bytes: self.bytes(), answer }
    }
}

/// A group of the table.
type Group = fn() -> Vec<Case>;

const GROUPS: [Group; 9] = [
    bodies::cases,
    tokens::cases,
    targets::cases,
    messages::cases,
    callers::cases,
    batches::cases,
    keys::cases,
    forms::cases,
    logouts::cases,
];

#[test]
fn the_table_has_at_least_200_different_requests() {
    let all: Vec<_> = GROUPS.iter().flat_map(|group| group()).collect();
    let different: std::collections::BTreeSet<_> = all.iter().map(|case| &case.bytes).collect();
    let named: std::collections::BTreeSet<_> = all.iter().map(|case| &case.what).collect();
    assert!(different.len() >= 200, "{}", different.len());
    assert_eq!((different.len(), named.len()), (all.len(), all.len()), "each is there once");
}

/// Sends every request of a group.
async fn send_all(group: Group) {
    let server = Server::start().await;
    let mut faults = Vec::new();
    for case in group() {
        if let Err(fault) = server.send(&case).await {
            faults.push(format!("{}: {fault}", case.what));
        }
    }
    assert!(faults.is_empty(), "{} of them:\n{}", faults.len(), faults.join("\n\n"));
    server.kept_silent_and_stored_nothing().await;
}

#[tokio::test]
async fn bodies_that_are_not_what_they_should_be() {
    send_all(bodies::cases).await;
}

#[tokio::test]
async fn tokens_that_prove_nothing() {
    send_all(tokens::cases).await;
}

#[tokio::test]
async fn paths_and_queries_that_are_not_what_they_should_be() {
    send_all(targets::cases).await;
}

#[tokio::test]
async fn messages_that_are_no_http() {
    send_all(messages::cases).await;
}

#[tokio::test]
async fn callers_who_are_not_who_they_say() {
    send_all(callers::cases).await;
}

#[tokio::test]
async fn forms_of_oauth_that_ask_for_nothing_or_come_from_nobody() {
    send_all(forms::cases).await;
}

#[tokio::test]
async fn logout_tokens_that_log_nobody_out() {
    send_all(logouts::cases).await;
}

#[tokio::test]
async fn keys_that_may_not_be_made() {
    send_all(keys::cases).await;
}

#[tokio::test]
async fn batches_of_which_nothing_may_be_done() {
    send_all(batches::cases).await;
}

#[tokio::test]
async fn line_breaks_in_what_is_stored_stay_data() {
    let server = Server::start().await;
    let text = "\r\nSet-Cookie: a=b\r\n\r\n{\"level\":\"ERROR\"}\n\0\u{7f}\u{202e}";
    server.stores_and_gives_back(text).await;
}
