//! The real binary as a server: on a free loopback port, in a directory that outlives it, ended by its own pid.
//!
//! It runs in the mode of the suite (`REVOKD_SUITE`, see `support`): with the filters off, or with a purge each second.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Mode, mode};

/// The purge schedule that leaves nothing lying about.
pub(crate) const EACH_SECOND: &str = "purge.schedule=* * * * * *";

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A directory with a config file, for one server after the other.
pub(crate) struct Home {
    dir: TempDir,
    settings: Vec<String>,
    /// One for all servers: to make one takes longer than to start a server.
    http: reqwest::Client,
}

impl Home {
    /// A home with these `KEY=VALUE` settings on top of the mode's.
    pub(crate) fn new(settings: &[&str]) -> Self {
        Self::with_config("", settings)
    }

    /// The same with a piece of `config.toml`.
    pub(crate) fn with_config(toml: &str, settings: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("config.toml"), toml).unwrap();
        let of_mode: &[&str] = match mode() {
            Mode::Plain => &["purge.schedule=off"],
            Mode::FilterOff => &["purge.schedule=off", "filter.mode=off"],
            Mode::PurgeAlways => &[EACH_SECOND],
        };
        let always = &["server.listen=127.0.0.1:0", "log.format=json"];
        let settings = always.iter().chain(of_mode).chain(settings).map(ToString::to_string).collect();
        Self { dir, settings, http: reqwest::Client::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The arguments of `revokd VERB` for this home.
    pub(crate) fn arguments(&self, verb: &str) -> Vec<String> {
        let settings = self.settings.iter().flat_map(|setting| ["--set".to_owned(), setting.clone()]);
        [verb.to_owned()].into_iter().chain(settings).collect()
    }

    /// A command of revokd, to be run here.
    pub(crate) fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_revokd"));
        command.args(self.arguments(verb)).current_dir(self.dir.path()).env_clear().stdin(Stdio::null());
        command
    }

    /// Starts a server and waits for nothing.
    pub(crate) fn spawn(&self) -> RealServer {
        self.spawn_as(self.command("serve"))
    }

    /// The same by a command of the caller's, whose process is the server or ends with it.
    pub(crate) fn spawn_as(&self, mut command: Command) -> RealServer {
        let log = self.path("server.log");
        let output = File::create(&log).unwrap();
        let child = command.current_dir(self.dir.path()).stdout(Stdio::null()).stderr(output).spawn().unwrap();
        RealServer { child, log, url: String::new(), key: String::new(), http: self.http.clone() }
    }

    /// Starts a server that is ready for checks and writes.
    pub(crate) async fn start(&self) -> RealServer {
        self.spawn().ready(self).await.unwrap_or_else(|refused| panic!("{refused}"))
    }
}

/// A running server; killed when dropped.
pub(crate) struct RealServer {
    child: Child,
    log: PathBuf,
    /// `http://127.0.0.1:port`, once it is ready.
    pub(crate) url: String,
    /// The admin key, once it is ready.
    pub(crate) key: String,
    pub(crate) http: reqwest::Client,
}

impl RealServer {
    /// Waits until it is ready; an `Err` is its log, where it ended instead.
    pub(crate) async fn ready(mut self, home: &Home) -> Result<Self, String> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Err(format!("the server ended with {status}:\n{}", self.log()));
            }
            if let Some(address) = self.address() {
                self.url = format!("http://{address}");
                let ready = self.http.get(format!("{}/readyz?for=writes", self.url)).send().await;
                if ready.is_ok_and(|answer| answer.status() == 200) {
                    break;
                }
            }
            assert!(begun.elapsed() < PATIENCE, "not ready after {PATIENCE:?}:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        fs::read_to_string(home.path("data/admin.key")).unwrap().trim().clone_into(&mut self.key);
        Ok(self)
    }

    /// The address that its log names.
    fn address(&self) -> Option<String> {
        let log = self.log();
        let line = log.lines().find(|line| line.contains("\"msg\":\"listening\""))?;
        serde_json::from_str::<Value>(line).ok()?["address"].as_str().map(ToOwned::to_owned)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What is sent with the admin key; a media type other than JSON can be set on it.
    pub(crate) fn post_text(&self, path: &str, media: &str, body: String) -> reqwest::RequestBuilder {
        let request = self.http.post(format!("{}{path}", self.url));
        request.header("x-api-key", &self.key).header("content-type", media).body(body)
    }

    /// Posts JSON; an `Err` is a server that is gone.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> reqwest::Result<(u16, Value)> {
        answer(self.post_text(path, "application/json", body.to_string())).await
    }

    /// Posts JSON to a server that answers 200.
    pub(crate) async fn ok(&self, path: &str, body: &Value) -> Value {
        let (status, said) = self.post(path, body).await.unwrap();
        assert_eq!(status, 200, "{said}");
        said
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.http.get(format!("{}{path}", self.url)).header("x-api-key", &self.key);
        answer(request).await.unwrap()
    }

    /// The value of one line of `/metrics`.
    pub(crate) async fn metric(&self, line: &str) -> Option<f64> {
        let text = self.http.get(format!("{}/metrics", self.url)).send().await.unwrap().text().await.unwrap();
        text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' ')?.parse().ok())
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Lets it hang (SIGSTOP): on return none of its threads runs.
    pub(crate) async fn halt(&self) {
        self.signal(Signal::STOP);
        let tasks = format!("/proc/{}/task", self.pid());
        let begun = Instant::now();
        loop {
            let mut tasks = fs::read_dir(&tasks).unwrap().map(|task| task.unwrap().path().join("stat"));
            // `pid (name) state …`; the name may hold anything.
            let state = |stat: &str| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'));
            if tasks.all(|stat| fs::read_to_string(stat).is_ok_and(|stat| state(&stat))) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "its threads do not stop");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Stops it (SIGTERM to `pid`) and waits until it is gone.
    pub(crate) fn stop_by(&mut self, pid: u32) -> ExitStatus {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }

    /// Stops it (SIGTERM) and waits until it is gone.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.stop_by(self.pid())
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Status and body of what comes back.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> reqwest::Result<(u16, Value)> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let body = response.bytes().await?;
    Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

/// Seconds since 1970 by this machine's clock.
#[expect(clippy::disallowed_methods, reason = "the real server reads the real clock, and so must its tests")]
pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// The journal's segments, oldest first.
pub(crate) fn segments(data: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(data.join("journal")).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> = listed.filter(|path| path.extension().is_some_and(|end| end == "segment")).collect();
    segments.sort();
    segments
}
