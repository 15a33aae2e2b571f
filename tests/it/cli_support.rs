//! Runs the real binary, in a directory of its own and with no environment but what a test gives.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli_server::{Answer, Recorded, Server};

/// A working directory with a config and a key, and the server that the config names.
pub(crate) struct Case {
    pub(crate) dir: TempDir,
    pub(crate) server: Server,
}

impl Case {
    pub(crate) fn new(answer: impl Fn(&Recorded) -> Answer + Send + Sync + 'static) -> Self {
        let case = Self { dir: TempDir::new().unwrap(), server: Server::start(answer) };
        case.write("config.toml", &format!("[server]\nlisten = \"{}\"\n", case.server.address));
        fs::create_dir(case.path("data")).unwrap();
        case.write("data/admin.key", "revokd_admin_key\n");
        case
    }

    /// A server that gives everybody this answer.
    pub(crate) fn answering(status: u16, body: Value) -> Self {
        Self::new(move |_| Answer::json(status, &body))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run(self.dir.path(), arguments, &[], "")
    }
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

pub(crate) fn run(dir: &Path, arguments: &[&str], environment: &[(&str, &str)], stdin: &str) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_revokd"))
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
}

/// An address at which nothing listens.
pub(crate) fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

pub(crate) fn good() -> Value {
    json!({ "revoked": false, "judged": ["jti"] })
}
