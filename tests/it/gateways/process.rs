//! A gateway as a process, with the shipped files.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::wire::{Connection, Protocol};
use crate::minting::tool;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where the shipped files say that things are.
const REVOKD: u16 = 7009;
const BACKEND: u16 = 8080;
const FRONT: u16 = 8000;

/// The key that the shipped files have.
const KEY: &str = "revokd_000000000000_replace-this-with-the-key-of-this-gateway";

/// What differs from gateway to gateway.
pub(super) struct Gateway {
    /// The shipped files, in `deploy/gateways`.
    pub(super) files: &'static [&'static str],
    /// Ports besides those of all, that only the gateway itself needs.
    pub(super) own_ports: &'static [u16],
    /// Puts beside the files what else it needs, and says how it is started there.
    pub(super) command: fn(&Path, Protocol) -> Command,
    /// What a client is told while revokd cannot be reached.
    pub(super) status_down: u16,
    /// And while it does not answer in time.
    pub(super) status_slow: u16,
    /// Whether both come with `Retry-After`.
    pub(super) has_retry_after: bool,
}

/// What a test puts into the files.
pub(super) struct Addresses {
    pub(super) revokd: u16,
    pub(super) backend: u16,
    /// Other ports of the files, each with the one in its place.
    pub(super) others: Vec<(u16, u16)>,
    pub(super) key: String,
}

/// A gateway that runs; killed when dropped. It is one process.
pub(super) struct Process {
    child: Child,
    pub(super) port: u16,
    dir: TempDir,
}

impl Process {
    /// Starts it and waits until it answers.
    pub(super) async fn start(gateway: &Gateway, protocol: Protocol, addresses: &Addresses) -> Self {
        let mut logs = String::new();
        // It must be told its ports, which others may take meanwhile.
        for _ in 0..5 {
            let (dir, port) = (TempDir::new().unwrap(), free_port());
            let mut ports = vec![(REVOKD, addresses.revokd), (BACKEND, addresses.backend), (FRONT, port)];
            ports.extend(&addresses.others);
            ports.extend(gateway.own_ports.iter().map(|&own| (own, free_port())));
            write(gateway, dir.path(), &ports, &addresses.key);
            let log = File::create(dir.path().join("gateway.log")).unwrap();
            let mut command = (gateway.command)(dir.path(), protocol);
            command.current_dir(dir.path()).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
            let child = command.spawn().unwrap();
            let mut process = Self { child, port, dir };
            if process.answers(protocol).await {
                return process;
            }
            logs.push_str(&process.log());
        }
        panic!("the gateway does not start:\n{logs}");
    }

    /// Whether it answers; `false` once it has ended.
    async fn answers(&mut self, protocol: Protocol) -> bool {
        let begun = Instant::now();
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if let Some(mut connection) = Connection::open(protocol, self.port).await
                // Traefik listens before it knows its routes.
                && connection.get(&[]).await.is_some_and(|answer| answer.status != 404)
            {
                return true;
            }
            assert!(begun.elapsed() < PATIENCE, "the gateway does not answer:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("gateway.log")).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Where the shipped files are.
pub(super) fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/gateways")
}

/// Where the packages of `PyPI` have those gateways that are no program of their own.
pub(super) fn packages() -> PathBuf {
    let versions = fs::read_dir(tool("gateways/lib")).unwrap().map(|entry| entry.unwrap().path());
    let mut versions = versions.map(|python| python.join("site-packages"));
    versions.find(|packages| packages.join("envoy").exists()).expect("run scripts/test once: it fetches the gateways")
}

/// Writes the shipped files with other ports and another key. What is not in any of them is a mistake of the test.
fn write(gateway: &Gateway, dir: &Path, ports: &[(u16, u16)], key: &str) {
    let (mut forms, mut replaced) = (vec![(KEY.to_owned(), key.to_owned())], vec![false]);
    // From address to address, so that no new port is taken for an old one.
    for (old, new) in ports {
        for (form, end) in [("127.0.0.1:", ""), ("port_value: ", " ")] {
            forms.push((format!("{form}{old}{end}"), format!("{form}@{new}{end}")));
        }
        replaced.push(false);
    }
    for file in gateway.files {
        let mut text = fs::read_to_string(shipped().join(file)).unwrap();
        for (at, (old, new)) in forms.iter().enumerate() {
            replaced[at.div_ceil(2)] |= text.contains(old);
            text = text.replace(old, new);
        }
        let name = Path::new(file).file_name().unwrap();
        fs::write(dir.join(name), text.replace(":@", ":").replace(": @", ": ")).unwrap();
    }
    assert!(replaced.iter().all(|&found| found), "not in the files: {replaced:?} of the key and {ports:?}");
}

/// A port on loopback that nobody has, from those that systems do not give to outgoing connections.
pub(super) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Tests are processes side by side: each begins elsewhere.
        let at = std::process::id().wrapping_mul(37).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(10_000 + at % 22_000).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
