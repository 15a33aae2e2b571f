//! `revokd revoke --file`: chunks, rejected lines, and going on after a failure.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli_server::{Answer, Recorded, Server};
use crate::cli_support::{Ran, run};

/// Rejects every line that holds the word "bad".
fn judge(request: &Recorded) -> Answer {
    let text = String::from_utf8(request.body.clone()).unwrap();
    let bad =
        |(index, line): (usize, &str)| line.contains("bad").then(|| json!({ "line": index + 1, "error": "bad line" }));
    let rejected: Vec<_> = text.lines().enumerate().filter_map(bad).collect();
    let accepted = text.lines().count() - rejected.len();
    let status = if rejected.is_empty() { 200 } else { 207 };
    Answer::json(status, &json!({ "accepted": accepted, "rejected": rejected, "seq": accepted }))
}

fn revoke(server: &Server, lines: &str, arguments: &[&str]) -> Ran {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("events.ndjson"), lines).unwrap();
    let url = format!("http://{}", server.address);
    let environment = [("REVOKD_URL", url.as_str()), ("REVOKD_API_KEY", "k")];
    run(dir.path(), &[&["revoke", "--file"], arguments].concat(), &environment, lines)
}

/// So many lines of 200 bytes, with a bad one at these numbers.
fn lines(count: usize, bad: &[usize]) -> String {
    let line = |number: usize| {
        let id = if bad.contains(&number) { "bad" } else { "ok" };
        format!("{:<199}\n", format!("{{\"jti\":\"{id}-{number}\",\"exp\":1}}"))
    };
    (1..=count).map(line).collect()
}

#[test]
fn a_file_goes_in_chunks_far_below_the_limit_and_whole() {
    let server = Server::start(judge);
    let text = lines(20_000, &[]);
    let ran = revoke(&server, &text, &["events.ndjson"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "20000 accepted, 0 rejected\n"), "{}", ran.stderr);
    let requests = server.requests();
    assert!(requests.len() > 1);
    assert!(requests.iter().all(|request| request.body.len() < 2_000_000 && request.uri == "/revoke"));
    assert!(requests.iter().all(|request| request.header("content-type") == "application/x-ndjson"));
    let sent: Vec<u8> = requests.iter().flat_map(|request| request.body.clone()).collect();
    assert!(sent == text.as_bytes());
}

#[test]
fn rejected_lines_are_named_by_their_place_in_the_file_and_exit_with_8() {
    let server = Server::start(judge);
    let text = lines(12_000, &[3, 11_111]);
    let ran = revoke(&server, &text, &["-"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (8, "11998 accepted, 2 rejected\n"));
    assert_eq!(ran.stderr, "line 3: bad line\nline 11111: bad line\n");
    let ran = revoke(&server, &text, &["events.ndjson", "--json"]);
    let written: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(written[1], json!({ "line": 11_111, "error": "bad line" }));
    assert_eq!((&written[2]["accepted"], &written[2]["rejected"]), (&json!(11_998), &json!(2)));
}

#[test]
fn a_failure_midway_says_what_is_durable_and_going_on_there_loses_nothing() {
    let failing = Server::start(|request| {
        if request.number == 0 {
            return judge(request);
        }
        let problem =
            json!({ "type": "about:blank", "title": "t", "status": 503, "detail": "disk full", "durable": 5 });
        Answer::json(503, &problem)
    });
    let text = lines(12_000, &[]);
    let ran = revoke(&failing, &text, &["events.ndjson"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (7, ""));
    let first = failing.requests()[0].body.len() / 200;
    let next = first + 1;
    assert!(ran.stderr.contains("disk full") && ran.stderr.contains("5 of those"), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("--file events.ndjson --from-line {next};")), "{}", ran.stderr);
    let server = Server::start(judge);
    let ran = revoke(&server, &text, &["events.ndjson", "--from-line", &next.to_string()]);
    assert_eq!((ran.code, ran.stdout), (0, format!("{} accepted, 0 rejected\n", 12_000 - next + 1)));
    assert!(server.requests()[0].body.starts_with(format!("{{\"jti\":\"ok-{next}\"").as_bytes()));
}

#[test]
fn a_line_that_is_no_line_stops_with_what_is_done_before_it() {
    let server = Server::start(judge);
    let text = format!("{}{}", lines(10_000, &[]), "x".repeat(1_100_000));
    let ran = revoke(&server, &text, &["events.ndjson", "--from-line", "2"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("line 10001 is longer than"), "{}", ran.stderr);
    let done: usize = server.requests().iter().map(|request| request.body.len() / 200).sum();
    assert!(ran.stderr.contains(&format!("--from-line {};", done + 2)), "{}", ran.stderr);
}

#[test]
fn lines_that_the_server_does_not_count_are_not_called_rejected_and_unlisted_ones_are() {
    let server = Server::start(|_| {
        let rejected: Vec<_> = (1..=2).map(|line| json!({ "line": line, "error": "bad line" })).collect();
        Answer::json(207, &json!({ "accepted": 4, "rejected": rejected, "rejected_unlisted": 3 }))
    });
    let ran = revoke(&server, &"\n".repeat(20), &["events.ndjson"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (8, "4 accepted, 5 rejected\n"));
    assert!(ran.stderr.ends_with("and 3 more of these lines were rejected\n"), "{}", ran.stderr);
}

#[test]
fn an_empty_file_is_nothing_to_do() {
    let server = Server::start(judge);
    let ran = revoke(&server, "", &["events.ndjson"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "0 accepted, 0 rejected\n"));
    assert!(server.requests().is_empty());
}
