//! Load, from the clients' core: `wrk` against HTTP, `redis-benchmark` against Redis; and filling both with entries.

use std::fmt::Write as _;
use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::http;
use super::servers::{CLIENT_CORE, Server};
use crate::support::ids::Ids;

/// Lines of one NDJSON request: about 1 MiB, far below the limit of 16.
const LINES: u64 = 10_000;

/// What one run under load measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// Operations per second: requests times what each carries.
    pub(crate) per_s: f64,
    /// Processor time of the server per request, microseconds.
    pub(crate) cpu_us: f64,
}

/// Drives an HTTP server for `seconds` with the requests that a Lua script of this directory makes.
///
/// # Panics
/// If any answer is not a 2xx, or a connection fails: a run with errors measures nothing.
pub(crate) fn wrk(server: &Server, script: &str, connections: u64, seconds: u64, run: u64, each: f64) -> Rate {
    let rate = wrk_with(server, script, connections, seconds, run, &[]);
    Rate { per_s: rate.per_s * each, ..rate }
}

/// The same with more arguments for the script.
///
/// # Panics
/// As [`wrk`].
pub(crate) fn wrk_with(server: &Server, script: &str, connections: u64, seconds: u64, run: u64, more: &[&str]) -> Rate {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/wire").join(script);
    let (connections, duration) = (connections.to_string(), format!("{seconds}s"));
    let url = format!("http://127.0.0.1:{}", server.port);
    let (script, run) = (script.to_string_lossy().into_owned(), run.to_string());
    let mut args = vec!["-t1", "-c", &connections, "-d", &duration, "-s", &script, &url, "--", &server.key, &run];
    args.extend(more);
    let (said, cpu) = drive(server, "wrk", &args);
    assert!(!said.contains("Non-2xx") && !said.contains("Socket errors"), "{said}\n{}", server.log());
    let figure =
        |label: &str| said.lines().find_map(|line| line.trim().strip_prefix(label)?.trim().parse::<f64>().ok());
    let requests_per_s = figure("Requests/sec:").unwrap_or_else(|| panic!("wrk said:\n{said}"));
    let requests = said.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse::<f64>().ok());
    let requests = requests.unwrap_or_else(|| panic!("wrk said:\n{said}"));
    Rate { per_s: requests_per_s, cpu_us: cpu.as_secs_f64() * 1e6 / requests }
}

/// How long requests took, one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    /// Of half of them, microseconds.
    pub(crate) p50_us: f64,
    /// Of all but one in a hundred, microseconds.
    pub(crate) p99_us: f64,
}

/// Sends requests to a port for `seconds`, each after the answer to the one before.
///
/// # Panics
/// As [`wrk`].
pub(crate) fn wrk_latency(port: u16, script: &str, seconds: u64, run: u64, tokens: &str) -> Latency {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/wire").join(script);
    let (duration, url) = (format!("{seconds}s"), format!("http://127.0.0.1:{port}"));
    let (script, run) = (script.to_string_lossy().into_owned(), run.to_string());
    let output = Command::new("wrk")
        .args(["-t1", "-c1", "--latency", "-d", &duration, "-s", &script, &url, "--", "", &run, tokens])
        .output()
        .unwrap_or_else(|error| panic!("wrk: {error}; run scripts/bench, which installs it"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && !said.contains("Non-2xx") && !said.contains("Socket errors"), "{said}");
    let at = |share: &str| {
        let text = said.lines().find_map(|line| line.trim().strip_prefix(share)).map(str::trim);
        let (number, unit) = text.and_then(|text| Some(text.split_at(text.find(|c: char| c.is_alphabetic())?)))?;
        let scale = match unit {
            "us" => 1.0,
            "ms" => 1e3,
            _ => 1e6,
        };
        Some(number.parse::<f64>().ok()? * scale)
    };
    let figure = |share| at(share).unwrap_or_else(|| panic!("wrk said:\n{said}"));
    Latency { p50_us: figure("50%"), p99_us: figure("99%") }
}

/// Drives Redis with `requests` commands, `pipelined` of them in each round trip.
///
/// # Panics
/// If `redis-benchmark` does not give a rate.
pub(crate) fn redis_benchmark(server: &Server, clients: u64, requests: u64, pipelined: u64, command: &[&str]) -> Rate {
    let texts = [server.port, 0].map(|port| port.to_string());
    let (clients, total, pipelined_text) = (clients.to_string(), requests.to_string(), pipelined.to_string());
    let mut args =
        vec!["-p", &texts[0], "-c", &clients, "-n", &total, "-P", &pipelined_text, "-r", "1000000000", "--csv"];
    args.extend(command);
    let (said, cpu) = drive(server, "redis-benchmark", &args);
    let rate = said.lines().last().and_then(|line| line.split("\",\"").nth(1)?.parse::<f64>().ok());
    let per_s = rate.unwrap_or_else(|| panic!("redis-benchmark said:\n{said}"));
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let round_trips = (requests / pipelined) as f64;
    Rate { per_s, cpu_us: cpu.as_secs_f64() * 1e6 / round_trips }
}

/// Runs a client on its core; gives what it said and the processor time that the server spent meanwhile.
fn drive(server: &Server, program: &str, args: &[&str]) -> (String, Duration) {
    let before = server.process().cpu_time();
    let output = Command::new("taskset").args(["-c", CLIENT_CORE, program]).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; run scripts/bench, which installs it"));
    let cpu = server.process().cpu_time().saturating_sub(before);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program} failed:\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    (said, cpu)
}

/// Revokes the first `count` ids, `LINES` in each request; their `exp`s lie between one hour and one day after `now`.
///
/// # Panics
/// If any line is refused.
pub(crate) fn fill_revokd(server: &Server, ids: Ids, count: u64, now: i64) {
    let mut id = String::new();
    for first in (0..count).step_by(usize::try_from(LINES).unwrap_or(1)) {
        let mut body = String::new();
        for index in first..count.min(first + LINES) {
            ids.write(index, &mut id);
            let _ = writeln!(body, "{{\"jti\":\"{id}\",\"exp\":{}}}", now + lifetime_s(index));
        }
        let answer = http::request(server.port, "POST /revoke", &server.key, "application/x-ndjson", body.as_bytes());
        assert!(matches!(answer, Ok((200, _))), "{answer:?}");
    }
}

/// Puts the same ids into Redis with the same ends.
///
/// # Panics
/// If Redis answers anything but OK.
pub(crate) fn fill_redis(server: &Server, ids: Ids, count: u64) {
    let connect = || TcpStream::connect(("127.0.0.1", server.port)).unwrap_or_else(|error| panic!("Redis: {error}"));
    let mut stream = connect();
    let mut answers = BufReader::new(stream.try_clone().unwrap_or_else(|error| panic!("Redis: {error}")));
    let (mut id, mut ok) = (String::new(), [0; 5]);
    for first in (0..count).step_by(usize::try_from(LINES).unwrap_or(1)) {
        let (mut commands, last) = (String::new(), count.min(first + LINES));
        for index in first..last {
            ids.write(index, &mut id);
            let ttl = lifetime_s(index).to_string();
            let _ = write!(
                commands,
                "*5\r\n$3\r\nSET\r\n$36\r\n{id}\r\n$1\r\n1\r\n$2\r\nEX\r\n${}\r\n{ttl}\r\n",
                ttl.len()
            );
        }
        stream.write_all(commands.as_bytes()).unwrap_or_else(|error| panic!("Redis: {error}"));
        for _ in first..last {
            answers.read_exact(&mut ok).unwrap_or_else(|error| panic!("Redis: {error}"));
            assert_eq!(&ok, b"+OK\r\n");
        }
    }
}

/// How long the token at `index` has to live: one hour to one day, spread evenly.
fn lifetime_s(index: u64) -> i64 {
    3_600 + i64::try_from(index.wrapping_mul(7_919) % 82_800).unwrap_or(0)
}
