//! Clients that no one here wrote, run against the real binary: guards of APIs, an OpenID provider, OAuth clients and
//! Apache. Around each lies a thin script or config in `clients/`, which doubles as an example of how to use revokd.

mod apache;
mod envoy;
mod guards;
mod oauth;
mod provider;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::minting::tool;
use crate::real_server::{RealServer, now};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A script of `clients/` that runs; killed when dropped.
struct Program {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    /// Where the script lies beside its packages.
    _dir: Option<TempDir>,
}

impl Program {
    /// Runs a script of Node's, with these variables and no others but `PATH`.
    fn node(script: &str, environment: &[(&str, &str)]) -> Self {
        // Node looks for packages beside the script, which is where they lie for whoever copies it.
        let dir = TempDir::new().unwrap();
        let copy = dir.path().join(script);
        fs::copy(scripts().join(script), &copy).unwrap();
        symlink(tool("clients-node/node_modules"), dir.path().join("node_modules")).unwrap();
        Self::start(Command::new("node").arg(copy), environment, Some(dir))
    }

    /// Runs a script of Python's, likewise.
    fn python(script: &str, environment: &[(&str, &str)]) -> Self {
        let python = tool("clients-venv/bin/python");
        Self::start(Command::new(python).arg(scripts().join(script)), environment, None)
    }

    fn start(command: &mut Command, environment: &[(&str, &str)], dir: Option<TempDir>) -> Self {
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).envs(environment.iter().copied());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("node 20 or python 3.11 is missing; see CONTRIBUTING.md");
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            // Ends with the program, or with whoever waits for its lines.
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, input, lines, _dir: dir }
    }

    /// The next line that it prints.
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the program is silent or dead; what it said is above")
    }

    /// The next line, which is JSON.
    fn json(&self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Sends a line of JSON, and waits for one.
    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.input, "{request}").unwrap();
        self.json()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients")
}

/// Waits until `reached` is true.
pub(crate) async fn until(what: &str, mut reached: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !reached().await {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until logins count again after the force-logout that gave this answer.
pub(crate) async fn until_good(logged_out: &Value) {
    let good_from = logged_out["good_from"].as_i64().unwrap();
    until("`good_from`", async || now() >= good_from).await;
}

/// A new key that may do this and no more.
pub(crate) async fn key(server: &RealServer, scopes: &[&str]) -> String {
    let made = server.ok("/keys", &json!({ "label": "a client", "scopes": scopes })).await;
    made["key"].as_str().unwrap().to_owned()
}
