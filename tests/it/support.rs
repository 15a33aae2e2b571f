//! What every test stands on: a denylist in a temporary directory with a clock that is moved by hand.
//!
//! The suite runs in several modes (see `scripts/test`), chosen by the environment variable `REVOKD_SUITE`: `plain`,
//! `filter-off` (every check reads the index) and `purge-always` (a purge before every check). Answers are the same in
//! all of them (promises 4 and 6).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use revokd::clock::{Clock, ClockSettings, ManualTime, NumericDate};
use revokd::denylist::{
    self, Denylist, LogOutOutcome, LogOutRequest, OpenError, OpenIndex, Opened, Outcome, Priority, Proof, PurgeReport,
    RestoreOutcome, RestoreRequest, RevokeRequest, Settings, ShareLimits, Sources, WriteError,
};
use revokd::event::{Origin, Seq};
use revokd::index::{Index, IndexError};
use revokd::issuers::{CLOCK_SKEW_S, IssuerLimits, Issuers, LIFETIME_MAX};
use revokd::journal::{self, Disk};
use revokd::metrics::Metrics;
use revokd::revocation::{Reason, Revocation, Target, TokenClaims, Unavailable, Verdict};
use revokd::token::{Issuer, Jti, Key, Naming, Subject};

mod index;

pub use index::{open_index, opener};

/// When every test begins.
pub const START: NumericDate = NumericDate(1_800_000_000);

/// Leeway of the nameless issuer in tests, seconds.
pub const LEEWAY_S: i64 = 300;

/// Longest asserted lifetime in tests, seconds.
pub const LIFETIME_MAX_S: i64 = 2_678_400;

/// How the suite runs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Mode {
    Plain,
    FilterOff,
    PurgeAlways,
}

pub fn mode() -> Mode {
    match std::env::var("REVOKD_SUITE").as_deref() {
        Err(_) | Ok("plain") => Mode::Plain,
        Ok("filter-off") => Mode::FilterOff,
        Ok("purge-always") => Mode::PurgeAlways,
        Ok(other) => panic!("REVOKD_SUITE={other} is none of plain, filter-off, purge-always"),
    }
}

pub fn settings() -> Settings {
    Settings {
        false_positive_rate: 1e-3,
        capacity_min: 1_000,
        filter_on: mode() != Mode::FilterOff,
        overlay_entries_max: 10_000,
        index_timeout_ms: 60_000,
        index_retry_ms: 10,
        waiting_writes_max: 4_096,
        reads_max: 64,
        read_timeout_ms: 30_000,
        shares: ShareLimits { entries_max: 1_000_000, journal_bytes_max: 1_000_000_000, cutoffs_max: 10_000 },
        changes_per_entry_max: 64,
        keys_max: 1_000,
        heartbeat_s: 600,
    }
}

pub fn journal_options() -> journal::Options {
    journal::Options { segment_bytes: 64 * 1024, ..journal::Options::default() }
}

/// A denylist and its threads, in a directory that outlives restarts.
pub struct Store {
    dir: Arc<tempfile::TempDir>,
    pub time: Arc<ManualTime>,
    pub settings: Settings,
    pub issuers: Issuers,
    /// In place of the real directory, for the journal.
    disk: Option<Arc<dyn Disk>>,
    /// The generation of the index that was opened last.
    index: Arc<Mutex<Option<Index>>>,
    running: Option<Running>,
    runtime: tokio::runtime::Runtime,
}

struct Running {
    denylist: Denylist,
    threads: Vec<JoinHandle<()>>,
    rebuilt: bool,
    replayed: u64,
}

impl Store {
    /// A new, empty denylist.
    pub fn new() -> Self {
        Self::with(settings())
    }

    pub fn with(settings: Settings) -> Self {
        Self::on(settings, None)
    }

    /// A denylist whose journal lies on `disk`.
    pub fn on(settings: Settings, disk: Option<Arc<dyn Disk>>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let issuers = Issuers::nameless(LIFETIME_MAX_S, LEEWAY_S);
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let (time, index) = (ManualTime::starting_at(START), Arc::default());
        let mut store = Self { dir, time, settings, issuers, disk, index, running: None, runtime };
        store.start().unwrap();
        store
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn journal_path(&self) -> PathBuf {
        self.path().join("journal")
    }

    pub fn index_path(&self) -> PathBuf {
        self.path().join("index")
    }

    /// Opens what lies in the directory.
    pub fn start(&mut self) -> Result<(), OpenError> {
        self.start_with(|path| open_index(path, 16 << 20))
    }

    pub fn start_with(
        &mut self,
        open_index: impl Fn(&Path) -> Result<Index, IndexError> + Send + Sync + 'static,
    ) -> Result<(), OpenError> {
        assert!(self.running.is_none(), "stop it first");
        let clock = Clock::manual(self.time.clone(), ClockSettings { step_max_s: 3_600, hold_s: 86_400 });
        let issuers = self.issuers.clone();
        let kept = self.index.clone();
        let open_index = move |path: &Path| {
            let index = open_index(path)?;
            *kept.lock().unwrap() = Some(index.clone());
            Ok(index)
        };
        let sources = self.sources(opener(open_index));
        let opened = denylist::open(&sources, self.settings.clone(), clock, issuers, &Metrics::new());
        let Opened { denylist, writer, indexer, refiller, index_rebuilt, replayed, .. } =
            opened.inspect_err(|_| *self.index.lock().unwrap() = None)?;
        let threads = vec![
            std::thread::spawn(move || writer.run()),
            std::thread::spawn(move || indexer.run()),
            std::thread::spawn(move || refiller.run()),
        ];
        self.running = Some(Running { denylist, threads, rebuilt: index_rebuilt, replayed });
        Ok(())
    }

    pub fn sources(&self, open_index: OpenIndex) -> Sources {
        Sources {
            disk: self.disk.clone().unwrap_or_else(|| Arc::new(journal::StoreDir::open(self.path()).unwrap())),
            journal: journal::Options { create: !self.index_path().exists(), ..journal_options() },
            index_path: self.index_path(),
            open_index,
        }
    }

    /// Ends all threads in order.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.denylist.stop();
            drop(running.denylist);
            for thread in running.threads {
                thread.join().unwrap();
            }
        }
        // It can be opened once at a time.
        *self.index.lock().unwrap() = None;
    }

    pub fn restart(&mut self) {
        self.stop();
        self.start().unwrap();
    }

    pub fn denylist(&self) -> &Denylist {
        &self.running.as_ref().unwrap().denylist
    }

    /// Whether the last start had to rebuild the index.
    pub fn rebuilt(&self) -> bool {
        self.running.as_ref().unwrap().rebuilt
    }

    /// How many events the index lacked at the last start.
    pub fn replayed(&self) -> u64 {
        self.running.as_ref().unwrap().replayed
    }

    pub fn try_revoke_all(&self, requests: Vec<RevokeRequest>) -> Result<Vec<Outcome>, WriteError> {
        self.runtime.block_on(self.denylist().revoke(requests, Origin::INTERNAL, false))
    }

    pub fn try_revoke(&self, jti: &str, exp: NumericDate) -> Result<Outcome, WriteError> {
        self.try_revoke_all(vec![request(jti, exp)]).map(|mut outcomes| outcomes.remove(0))
    }

    pub fn revoke(&self, jti: &str, exp: NumericDate) -> Outcome {
        self.try_revoke(jti, exp).unwrap()
    }

    pub fn try_check(&self, jti: &str) -> Result<Verdict, Unavailable> {
        self.try_check_claims(&TokenClaims::of_jti(&Issuer::NAMELESS, Jti::parse(jti).unwrap()))
    }

    pub fn try_check_claims(&self, claims: &TokenClaims<'_>) -> Result<Verdict, Unavailable> {
        if mode() == Mode::PurgeAlways {
            let _ = self.runtime.block_on(self.denylist().purge());
        }
        self.runtime.block_on(self.denylist().check(claims, Priority::Ordinary))
    }

    pub fn try_log_out(
        &self,
        target: Target<'static>,
        issued_before: Option<NumericDate>,
    ) -> Result<LogOutOutcome, WriteError> {
        let (issuer, by_issuers_clock, reason) = (Issuer::NAMELESS, false, None);
        let request = LogOutRequest { issuer, target, issued_before, by_issuers_clock, reason };
        self.runtime.block_on(self.denylist().log_out(request, Origin::INTERNAL, true))
    }

    pub fn try_restore(&self, key: Key, seq: Seq) -> Result<RestoreOutcome, WriteError> {
        self.runtime.block_on(self.denylist().restore(RestoreRequest { key, seq, reason: None }, Origin::INTERNAL))
    }

    pub fn is_revoked(&self, jti: &str) -> bool {
        matches!(self.try_check(jti).unwrap(), Verdict::Revoked(_))
    }

    pub fn purge(&self) -> PurgeReport {
        self.runtime.block_on(self.denylist().purge()).unwrap()
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Waits until the index has taken everything in.
    pub fn settle(&self) {
        while self.denylist().status().behind > 0 {
            std::thread::yield_now();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Issuers of these names, with the limits of the nameless one.
pub fn named_issuers(names: &[&str]) -> Issuers {
    let limits = |name: &&str| IssuerLimits {
        issuer: Issuer::parse((*name).to_owned()).unwrap(),
        lifetime_max_s: LIFETIME_MAX_S,
        lifetime_max_name: LIFETIME_MAX,
        leeway_s: LEEWAY_S,
        clock_skew_s: CLOCK_SKEW_S,
        naming: Naming::default(),
    };
    Issuers::named(names.iter().map(limits).collect()).unwrap()
}

pub fn request(jti: &str, exp: NumericDate) -> RevokeRequest {
    RevokeRequest {
        revocation: Revocation {
            issuer: Issuer::NAMELESS,
            jti: Jti::parse(jti.to_owned()).unwrap(),
            sub: None,
            exp,
            reason: None,
        },
        proof: Proof::Asserted,
    }
}

pub fn request_of(jti: &str, exp: NumericDate, sub: &str, reason: &str) -> RevokeRequest {
    let mut request = request(jti, exp);
    request.revocation.sub = Some(Subject::parse(sub.to_owned()).unwrap());
    request.revocation.reason = Some(Reason::parse(reason.to_owned()).unwrap());
    request
}

pub fn key(jti: &str) -> Key {
    Key::of_token(&Issuer::NAMELESS, &Jti::parse(jti).unwrap())
}
