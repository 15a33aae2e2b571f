//! The contenders: started on the server's core with an empty directory and a free port, ended by their process id.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::http;
use crate::support::process::Process;

/// The core that servers run on; clients have the other one to themselves.
const SERVER_CORE: &str = "0";
/// The core that clients run on.
pub(crate) const CLIENT_CORE: &str = "1";
/// How long a server may take to answer after its start: rebuilding ten million entries takes a while.
const START_MAX: Duration = Duration::from_mins(10);

/// What more a server's config holds.
const MORE: &str = "more.toml";

/// Which program a server is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Redis(Durability),
    Revokd,
    BareLoop,
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    kind: Kind,
    child: Child,
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    /// Its data, on the disk of the repository's `target`.
    pub(crate) directory: PathBuf,
    /// API key, where it has any.
    pub(crate) key: String,
    /// From its start until it answered.
    pub(crate) start: Duration,
}

/// When Redis makes writes durable.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Durability {
    /// Never: nothing is written.
    None,
    /// Before each answer: `appendfsync always`.
    Always,
}

impl Server {
    /// Redis from the system's packages, with one database and no snapshots.
    pub(crate) fn redis(durability: Durability) -> Self {
        Self::start(Kind::Redis(durability), new_directory("redis"))
    }

    /// revokd as it is shipped, with key check and metrics on and purging off.
    pub(crate) fn revokd() -> Self {
        Self::start(Kind::Revokd, new_directory("revokd"))
    }

    /// The same with more of `config.toml`, and with these files beside it.
    pub(crate) fn revokd_with(toml: &str, files: &[(&str, &str)]) -> Self {
        let directory = new_directory("revokd-more");
        for (name, text) in files.iter().chain([&(MORE, toml)]) {
            fs::write(directory.join(name), text).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        Self::start(Kind::Revokd, directory)
    }

    /// The readiness loop that answers a constant: this very program under another argument.
    pub(crate) fn bare_loop() -> Self {
        Self::start(Kind::BareLoop, new_directory("bare"))
    }

    /// Stops the server in order and starts it again on the same data.
    pub(crate) fn restart(mut self) -> Self {
        let pid = rustix::process::Pid::from_child(&self.child);
        let sent = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        assert!(sent.is_ok() && self.child.wait().is_ok(), "the server cannot be stopped");
        Self::start(self.kind, std::mem::take(&mut self.directory))
    }

    fn start(kind: Kind, directory: PathBuf) -> Self {
        let port = free_port();
        let mut command = command(kind, port, &directory);
        let log = || File::options().create(true).append(true).open(directory.join("log"));
        let (Ok(out), Ok(err)) = (log(), log()) else { panic!("no log can be written in {}", directory.display()) };
        let begun = Instant::now();
        let child = command.stdout(out).stderr(err).stdin(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}; run scripts/bench, which installs it"));
        let mut server = Self { kind, child, port, directory, key: String::new(), start: Duration::ZERO };
        while !server.is_ready() {
            let ended = server.child.try_wait().ok().flatten().is_some();
            assert!(!ended && begun.elapsed() < START_MAX, "{command:?} did not start:\n{}", server.log());
            sleep(Duration::from_millis(20));
        }
        server.start = begun.elapsed();
        if matches!(kind, Kind::Revokd) {
            let key = fs::read_to_string(server.directory.join("data/admin.key"));
            key.unwrap_or_else(|error| panic!("admin.key: {error}")).trim().clone_into(&mut server.key);
        }
        server
    }

    /// Whether it serves, which is more than listening: Redis listens while it loads.
    fn is_ready(&self) -> bool {
        match self.kind {
            Kind::Redis(_) => ping(self.port).is_ok_and(|answer| &answer == b"+PONG"),
            Kind::Revokd => matches!(http::request(self.port, "GET /readyz", "", "text/plain", b""), Ok((200, _))),
            Kind::BareLoop => TcpStream::connect(("127.0.0.1", self.port)).is_ok(),
        }
    }

    /// The process, for its memory and processor time. `taskset` has become the server by the time it answers.
    pub(crate) fn process(&self) -> Process {
        Process::Id(self.child.id())
    }

    /// What it said on standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !self.directory.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// The command line of a server, on the servers' core.
fn command(kind: Kind, port: u16, directory: &Path) -> Command {
    let port_text = port.to_string();
    let directory_text = directory.to_string_lossy();
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER_CORE]);
    match kind {
        Kind::Redis(durability) => {
            let appendonly = if matches!(durability, Durability::Always) { "yes" } else { "no" };
            command.args(["redis-server", "--port", &port_text, "--bind", "127.0.0.1", "--dir", &directory_text]);
            command.args(["--save", "", "--databases", "1", "--appendonly", appendonly, "--appendfsync", "always"]);
        }
        Kind::Revokd => {
            let config = directory.join("config.toml");
            let more = fs::read_to_string(directory.join(MORE)).unwrap_or_default();
            let text = format!(
                "[server]\nlisten = \"127.0.0.1:{port}\"\n[store]\npath = \"data\"\n[purge]\nschedule = \"off\"\n\
                 [log]\nlevel = \"warn\"\n{more}"
            );
            fs::write(&config, text).unwrap_or_else(|error| panic!("{}: {error}", config.display()));
            command.arg(env!("CARGO_BIN_EXE_revokd")).args(["serve", "--config", &config.to_string_lossy()]);
        }
        Kind::BareLoop => {
            let own = std::env::current_exe().unwrap_or_else(|error| panic!("own path: {error}"));
            command.arg(own).args(["bare-loop", &port_text]);
        }
    }
    command
}

/// The first bytes that Redis answers to a PING.
fn ping(port: u16) -> io::Result<[u8; 5]> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

pub(crate) fn free_port() -> u16 {
    let bound = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    bound.unwrap_or_else(|error| panic!("no free port: {error}")).port()
}

/// An empty directory below `target/bench`, on the disk that is to be measured.
fn new_directory(name: &str) -> PathBuf {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    let directory = parent.join(format!("{name}-{}-{}", std::process::id(), free_port()));
    fs::create_dir_all(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    directory
}
