//! A denylist with its three threads in a directory of its own, set up as `config.toml` ships it, on a clock that is
//! moved by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use revokd::clock::{Clock, ClockSettings, ManualTime, NumericDate};
use revokd::denylist::{
    self, Denylist, Opened, Outcome, Proof, RevokeRequest, Settings, ShareLimits, Sources, WriteError,
};
use revokd::event::{Change, Event, Origin};
use revokd::index::Index;
use revokd::issuers::Issuers;
use revokd::journal::{self, StoreDir};
use revokd::metrics::Metrics;
use revokd::revocation::Revocation;
use revokd::token::{Issuer, Jti};
use tokio::runtime::Runtime;

use crate::support::argument;
use crate::support::ids::Ids;

/// When every program begins.
pub(crate) const START: NumericDate = NumericDate(1_800_000_000);

/// The leeway that is shipped, seconds.
pub(crate) const LEEWAY_S: i64 = 300;

/// The longest lifetime that is shipped, seconds.
pub(crate) const LIFETIME_MAX_S: i64 = 31 * DAY_S;

/// One day, seconds.
pub(crate) const DAY_S: i64 = 86_400;

/// Requests in one call while loading, and calls under way at a time.
const CALL: u64 = 1_000;
const CALLS: u64 = 4;

/// How the store is cut; the rest is as shipped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Length of a journal segment, bytes.
    pub(crate) segment_bytes: u64,
    /// sled's cache, bytes.
    pub(crate) cache_bytes: u64,
    /// Largest jump of the clock that is believed, seconds: what has ended is held for twice as long.
    pub(crate) step_max_s: i64,
}

impl Default for Shape {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, cache_bytes: argument("--cache-mib", 16) << 20, step_max_s: 3_600 }
    }
}

/// The denylist under measurement.
pub(crate) struct Store {
    pub(crate) denylist: Denylist,
    pub(crate) time: Arc<ManualTime>,
    pub(crate) metrics: Metrics,
    /// From the call of `open` until the denylist may serve.
    pub(crate) start: Duration,
    /// Whether the start had to rebuild the index.
    pub(crate) rebuilt: bool,
    threads: Vec<JoinHandle<()>>,
    runtime: Runtime,
}

impl Store {
    /// Opens what lies in `directory`, or begins it there, for one nameless issuer.
    ///
    /// # Panics
    /// If it cannot be opened.
    pub(crate) fn open(directory: &Path, shape: Shape) -> Self {
        Self::open_for(Issuers::nameless(LIFETIME_MAX_S, LEEWAY_S), directory, shape)
    }

    /// The same for these issuers.
    ///
    /// # Panics
    /// If it cannot be opened.
    pub(crate) fn open_for(issuers: Issuers, directory: &Path, shape: Shape) -> Self {
        let time = ManualTime::starting_at(START);
        let metrics = Metrics::new();
        let clock = Clock::manual(time.clone(), ClockSettings { step_max_s: shape.step_max_s, hold_s: DAY_S });
        let begun = Instant::now();
        let sources = Sources {
            disk: Arc::new(
                StoreDir::open(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())),
            ),
            journal: journal::Options { segment_bytes: shape.segment_bytes, ..journal::Options::default() },
            index_path: directory.join("index"),
            open_index: Arc::new(move |path: &Path| Index::open(path, shape.cache_bytes)),
        };
        let opened = denylist::open(&sources, settings(), clock, issuers, &metrics);
        let Opened { denylist, writer, indexer, refiller, index_rebuilt, .. } =
            opened.unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        let start = begun.elapsed();
        let threads = vec![
            std::thread::spawn(move || writer.run()),
            std::thread::spawn(move || indexer.run()),
            std::thread::spawn(move || refiller.run()),
        ];
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap_or_else(|error| panic!("runtime: {error}"));
        Self { denylist, time, metrics, start, rebuilt: index_rebuilt, threads, runtime }
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Revokes the ids `from..to` of `ids`, each with the lifetime that `lifetime_s` gives for its number; waits until
    /// the index has taken them in.
    ///
    /// # Panics
    /// If one is not stored.
    pub(crate) fn load(&self, ids: Ids, from: u64, to: u64, lifetime_s: impl Fn(u64) -> i64) {
        let now = self.denylist.clock().now().earliest;
        self.load_all(from, to, |number| request(ids.at(number), now.plus(lifetime_s(number))));
    }

    /// Makes the requests `from..to`; waits until the index has taken them in.
    ///
    /// # Panics
    /// If one is not stored.
    pub(crate) fn load_all(&self, from: u64, to: u64, request: impl Fn(u64) -> RevokeRequest) {
        let mut next = from;
        while next < to {
            let begins: Vec<_> = (0..CALLS).map(|n| next + n * CALL).filter(|begin| *begin < to).collect();
            next += CALLS * CALL;
            self.block_on(async {
                let mut calls = tokio::task::JoinSet::new();
                for begin in begins {
                    let denylist = self.denylist.clone();
                    let end = to.min(begin + CALL);
                    let requests: Vec<_> = (begin..end).map(&request).collect();
                    calls.spawn(async move { revoke_all(&denylist, requests).await });
                }
                for outcomes in calls.join_all().await {
                    let outcomes = outcomes.unwrap_or_else(|error| panic!("revoke: {error}"));
                    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Stored { .. })), "all are stored");
                }
            });
        }
        self.settle();
    }

    /// Waits until the index has taken everything in.
    pub(crate) fn settle(&self) {
        while self.denylist.status().behind > 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the threads in order.
    ///
    /// # Panics
    /// If one of them did.
    pub(crate) fn stop(self) {
        self.denylist.stop();
        drop(self.denylist);
        for thread in self.threads {
            thread.join().unwrap_or_else(|_| panic!("a thread of the store panicked"));
        }
    }
}

/// One token to revoke.
pub(crate) fn request(jti: String, exp: NumericDate) -> RevokeRequest {
    let jti = Jti::parse(jti).unwrap_or_else(|error| panic!("{error}"));
    let revocation = Revocation { issuer: Issuer::NAMELESS, jti, sub: None, exp, reason: None };
    RevokeRequest { revocation, proof: Proof::Asserted }
}

/// What such a request takes up in the journal, its length field included; bytes.
pub(crate) fn event_bytes() -> u64 {
    let revocation = request(Ids::new(0).at(0), START).revocation;
    let change = Change::Revoked(revocation);
    let event = Event { seq: 1, recorded_at: START, ends_at: START, origin: Origin::INTERNAL, change };
    let mut bytes = Vec::new();
    event.encode(&mut bytes);
    bytes.len() as u64 + 4
}

/// An empty directory below `target/bench/in-process`, on the disk that is to be measured.
///
/// # Panics
/// If it cannot be made.
pub(crate) fn new_directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/in-process").join(name);
    if path.exists() {
        fs::remove_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path
}

/// Revokes all of `requests`, again and again while the index is too far behind, as a client does that is told 503.
async fn revoke_all(denylist: &Denylist, requests: Vec<RevokeRequest>) -> Result<Vec<Outcome>, WriteError> {
    loop {
        match denylist.revoke(requests.clone(), Origin::INTERNAL, false).await {
            Err(WriteError::Busy) => {}
            done => return done,
        }
    }
}

fn settings() -> Settings {
    Settings {
        false_positive_rate: 1e-4,
        capacity_min: 1_000_000,
        filter_on: true,
        overlay_entries_max: 65_536,
        index_timeout_ms: 60_000,
        index_retry_ms: 1_000,
        waiting_writes_max: 32_768,
        reads_max: 64,
        read_timeout_ms: 250,
        shares: ShareLimits { entries_max: 50_000_000, journal_bytes_max: 16 << 30, cutoffs_max: 1_000_000 },
        changes_per_entry_max: 64,
        keys_max: 1_000,
        heartbeat_s: 600,
    }
}
