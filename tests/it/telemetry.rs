//! The log of the real server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::real_server::Home;

/// Each is a line of the log: more than pipe, batch and queue of the log hold together.
const REQUESTS: usize = 12_000;

/// A process that is killed when dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// All that is answered to a request for `path`, sent so many times.
fn ask(address: &str, path: &str, times: usize) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut sender = stream.try_clone().unwrap();
    let request = |connection: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n\r\n");
    let requests = request("keep-alive").repeat(times - 1) + &request("close");
    let sending = thread::spawn(move || sender.write_all(requests.as_bytes()).unwrap());
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    sending.join().unwrap();
    answers
}

#[test]
fn lines_that_nobody_reads_are_dropped_and_counted_and_hold_no_request_up() {
    let home = Home::new(&[]);
    let mut child = Killed(home.command("serve").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let mut log = BufReader::new(child.0.stderr.take().unwrap());
    let address = loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "ended");
        let line: Value = serde_json::from_str(&line).unwrap();
        if line["msg"] == "listening" {
            break line["address"].as_str().unwrap().to_owned();
        }
    };
    let answers = ask(&address, "/nothing", REQUESTS);
    assert_eq!(answers.matches("HTTP/1.1 ").count(), REQUESTS);
    let begun = Instant::now();
    let is_counted = || {
        let metrics = ask(&address, "/metrics", 1);
        let dropped = metrics.lines().find_map(|line| line.strip_prefix("revokd_log_lines_dropped_total "));
        dropped.is_some_and(|count| count != "0")
    };
    while !is_counted() {
        assert!(begun.elapsed() < Duration::from_secs(30), "not counted");
        thread::sleep(Duration::from_millis(100));
    }
}
