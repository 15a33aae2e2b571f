//! What the threads of the core share, and how it looks from outside.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::bucket::Buckets;
use super::cutoffs::{Cutoffs, Register};
use super::filter::{FilterLoad, FrontFilter};
use super::places::Places;
use super::recover::fold::raise;
use super::request::{PurgeReport, WriteError};
use super::seen::Seen;
use super::usage::ShareLimits;
use super::writes::Writes;
use crate::audit::refusals::Refusals;
use crate::clock::{Clock, Now};
use crate::event::{Change, Event, Seq};
use crate::issuers::Issuers;
use crate::journal::{self, Trail};
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::revocation::{Unavailable, Verdict};
use crate::token::{Issuer, Key, Selector};

/// What the core is told by the config.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Share of never-revoked ids for which the front filter says maybe, at its planned load.
    pub false_positive_rate: f64,
    /// Keys that the front filter is planned for at least.
    pub capacity_min: usize,
    /// Off: every check reads the index, with the same answers (promise 4).
    pub filter_on: bool,
    /// Entries that the index may be behind before writes wait for it.
    pub overlay_entries_max: usize,
    /// How long the index may stand still before it is given up and built anew, milliseconds.
    pub index_timeout_ms: u64,
    /// How long the first pause between two tries to build a failed index anew is, milliseconds; each is twice as long as
    /// the one before, up to sixty times this.
    pub index_retry_ms: u64,
    /// Changes that may wait for the writer.
    pub waiting_writes_max: usize,
    /// Reads of the index at a time.
    pub reads_max: usize,
    /// Deadline of a read of the index, milliseconds.
    pub read_timeout_ms: u64,
    /// Largest shares of one issuer or API key.
    pub shares: ShareLimits,
    /// How often one entry may be extended or restored.
    pub changes_per_entry_max: u32,
    /// Most API keys.
    pub keys_max: usize,
    /// The time is recorded at least this often, seconds, so that a restart finds a short gap.
    pub heartbeat_s: i64,
}

/// How the core is, for probes and gauges.
#[derive(Debug, Clone)]
pub struct Status {
    /// Highest durable place in the history.
    pub last_seq: Seq,
    /// Records held, ended ones not yet purged included.
    pub records: u64,
    /// Records of cutoffs among them.
    pub cutoff_records: u64,
    /// Cutoffs that stand, by selector, ended ones not yet purged included; none names a `jti`.
    pub cutoffs: [u64; Selector::ALL.len()],
    /// Records that the index has not taken in yet.
    pub behind: usize,
    /// Buckets held.
    pub buckets: usize,
    /// What the clock vouches for.
    pub now: Now,
    /// Age of the last purge, seconds by the boot clock, which nobody sets; `None` before the first.
    pub last_purge_age_s: Option<i64>,
    /// Buckets dropped since start.
    pub purged_buckets: u64,
    /// Entries dropped since start.
    pub purged_entries: u64,
    /// Whether writes are taken, and if not, why.
    pub writes: Result<(), WriteError>,
    /// Whether the index has failed and is being built anew.
    pub index_failed: bool,
    /// How often the index was built anew from the journal, the start included.
    pub index_rebuilds: u64,
    /// Bytes of the index on disk, where it can say.
    pub index_bytes: u64,
    /// Journal figures after the last write.
    pub journal: journal::Stats,
    /// Load of the front filter; `None` where a thread died while it changed the filter.
    pub filter: Option<FilterLoad>,
    /// Memory of all bucket filters, bytes.
    pub bucket_filter_bytes: u64,
    /// The front filter said maybe and the index held nothing, since start.
    pub false_positives: u64,
    /// The front filter said no, since start.
    pub surely_good: u64,
    /// The front filter said maybe, since start.
    pub maybes: u64,
    /// Refills finished since start.
    pub refills: u64,
}

/// Shared by the doors and the three threads.
pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) issuers: Issuers,
    pub(super) keys: Keys,
    pub(super) front: FrontFilter,
    pub(super) buckets: Buckets,
    pub(super) cutoffs: Cutoffs,
    pub(super) writes: Writes,
    pub(super) metrics: Metrics,
    /// What waits for the writer.
    pub(super) places: Places,
    /// What checks brought in the last hour.
    pub(super) seen: Seen,
    /// Refused attempts that are not journaled yet.
    pub(super) refusals: Refusals,
    /// Where the audit is to be read.
    pub(super) trail: RwLock<Trail>,
    lifetimes: RwLock<HashMap<Issuer<'static>, i64>>,
    pub(super) journal: RwLock<journal::Stats>,
    /// Set when the denylist is to stop: a rebuild of the index is then given up.
    pub(super) ending: Arc<AtomicBool>,
    pub(super) index_rebuilds: AtomicU64,
    /// Every event up to this place is in force.
    pub(super) applied_seq: AtomicU64,
    refill_forced: AtomicBool,
    /// By the boot clock; `i64::MIN` before the first.
    last_purge: AtomicI64,
    purged_buckets: AtomicU64,
    purged_entries: AtomicU64,
    false_positives: AtomicU64,
    surely_good: AtomicU64,
    maybes: AtomicU64,
    refills: AtomicU64,
}

/// What recovery has built when the state begins.
pub(super) struct Parts {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) issuers: Issuers,
    pub(super) keys: Keys,
    pub(super) front: FrontFilter,
    pub(super) buckets: Buckets,
    pub(super) index_rebuilt: bool,
    pub(super) cutoffs: Register,
    pub(super) lifetimes: HashMap<Issuer<'static>, i64>,
    pub(super) journal: journal::Stats,
    pub(super) trail: Trail,
    pub(super) metrics: Metrics,
}

impl State {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            places: Places::new(parts.settings.waiting_writes_max),
            seen: Seen::new(&parts.issuers, parts.clock.boot_s()),
            settings: parts.settings,
            clock: parts.clock,
            issuers: parts.issuers,
            keys: parts.keys,
            front: parts.front,
            buckets: parts.buckets,
            cutoffs: Cutoffs::new(parts.cutoffs),
            writes: Writes::default(),
            metrics: parts.metrics,
            refusals: Refusals::default(),
            trail: RwLock::new(parts.trail),
            lifetimes: RwLock::new(parts.lifetimes),
            applied_seq: AtomicU64::new(parts.journal.last_seq),
            journal: RwLock::new(parts.journal),
            ending: Arc::default(),
            index_rebuilds: AtomicU64::new(parts.index_rebuilt.into()),
            refill_forced: AtomicBool::new(false),
            last_purge: AtomicI64::new(i64::MIN),
            purged_buckets: AtomicU64::new(0),
            purged_entries: AtomicU64::new(0),
            false_positives: AtomicU64::new(0),
            surely_good: AtomicU64::new(0),
            maybes: AtomicU64::new(0),
            refills: AtomicU64::new(0),
        }
    }

    /// Whether the front filter knows that `key` was never revoked. One probe, no I/O.
    #[inline]
    pub(super) fn surely_good(&self, key: &Key) -> Result<bool, Unavailable> {
        if !self.settings.filter_on || self.front.maybe(key).map_err(|_| Unavailable::Poisoned)? {
            return Ok(false);
        }
        self.surely_good.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    }

    /// Hands over the place of each of `keys` that the front filter does not know to be good. No I/O.
    pub(super) fn maybes_among(&self, keys: &[Key], mut each: impl FnMut(usize)) -> Result<(), Unavailable> {
        if !self.settings.filter_on {
            (0..keys.len()).for_each(each);
            return Ok(());
        }
        let mut maybes = 0;
        let count = |at| {
            maybes += 1;
            each(at);
        };
        self.front.maybes_among(keys, count).map_err(|_| Unavailable::Poisoned)?;
        self.surely_good.fetch_add(keys.len() as u64 - maybes, Ordering::Relaxed);
        Ok(())
    }

    /// The verdict from overlay and index. Blocks on I/O.
    pub(super) fn read(&self, key: &Key) -> Result<Verdict, Unavailable> {
        self.maybes.fetch_add(1, Ordering::Relaxed);
        let Some(found) = self.reading(|| self.buckets.latest(key, self.settings.filter_on))? else {
            self.false_positives.fetch_add(1, Ordering::Relaxed);
            return Ok(Verdict::Good);
        };
        Ok(found.verdict(self.clock.now().earliest))
    }

    /// Folds in what is neither entry nor cutoff: keys, lifetimes, trust in the clock.
    pub(super) fn apply(&self, event: &Event<'_>) {
        self.keys.apply(event);
        match &event.change {
            Change::LifetimeRaised { issuer, lifetime_s } => {
                raise(&mut self.lifetimes.write().unwrap_or_else(PoisonError::into_inner), issuer, *lifetime_s);
            }
            Change::ClockTrusted => self.clock.trust(),
            _ => {}
        }
    }

    /// Longest lifetime seen in a verified token of `issuer`, seconds; 0 if none was longer than configured.
    pub(super) fn lifetime_of(&self, issuer: &Issuer<'static>) -> i64 {
        self.lifetimes.read().unwrap_or_else(PoisonError::into_inner).get(issuer).copied().unwrap_or(0)
    }

    pub(super) fn force_refill(&self) {
        self.refill_forced.store(true, Ordering::Release);
    }

    pub(super) fn take_forced_refill(&self) -> bool {
        self.refill_forced.swap(false, Ordering::AcqRel)
    }

    pub(super) fn note_refill(&self, took: Duration) {
        self.refills.fetch_add(1, Ordering::Relaxed);
        self.metrics.filter.rebuild_duration.record(took);
    }

    /// Highest durable place in the history.
    pub(super) fn last_seq(&self) -> Seq {
        self.journal.read().unwrap_or_else(PoisonError::into_inner).last_seq
    }

    pub(super) fn note_purge(&self, report: &PurgeReport) {
        self.last_purge.store(self.clock.boot_s(), Ordering::Relaxed);
        self.purged_buckets.fetch_add(report.buckets, Ordering::Relaxed);
        self.purged_entries.fetch_add(report.entries, Ordering::Relaxed);
        self.metrics.purge.entries.increment(report.entries);
    }

    pub(super) fn status(&self) -> Status {
        let journal = self.journal.read().unwrap_or_else(PoisonError::into_inner).to_owned();
        let now = self.clock.now();
        let last_purge = self.last_purge.load(Ordering::Relaxed);
        let list = self.buckets.all();
        let (cutoff_records, cutoffs) =
            self.cutoffs.register().map(|register| (register.records(), register.counts())).unwrap_or_default();
        Status {
            last_seq: journal.last_seq,
            records: self.buckets.records(),
            cutoff_records,
            cutoffs,
            behind: self.buckets.behind(),
            buckets: list.buckets.len(),
            now,
            last_purge_age_s: (last_purge != i64::MIN).then(|| self.clock.boot_s().saturating_sub(last_purge)),
            purged_buckets: self.purged_buckets.load(Ordering::Relaxed),
            purged_entries: self.purged_entries.load(Ordering::Relaxed),
            writes: self.writes.check(),
            index_failed: list.generation.is_failed(),
            index_rebuilds: self.index_rebuilds.load(Ordering::Relaxed),
            index_bytes: list.generation.index.size_bytes().unwrap_or(0),
            journal,
            filter: self.front.load(),
            bucket_filter_bytes: list.buckets.iter().map(|bucket| bucket.filter_bytes()).sum(),
            false_positives: self.false_positives.load(Ordering::Relaxed),
            surely_good: self.surely_good.load(Ordering::Relaxed),
            maybes: self.maybes.load(Ordering::Relaxed),
            refills: self.refills.load(Ordering::Relaxed),
        }
    }
}
