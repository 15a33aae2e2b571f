//! What the core counts: filter, revocations, purges, journal and index.

use metrics::{Counter, Gauge, Histogram};

use super::registrar::Registrar;
use crate::event::{Change, Event, Source};
use crate::token::Selector;

/// The front filter.
#[derive(Clone)]
pub struct FilterMetrics {
    /// Lookups that it answered with no.
    pub negative: Counter,
    /// Lookups that it answered with maybe.
    pub positive: Counter,
    /// Maybes that proved to be no.
    pub false_positives: Counter,
    /// The configured rate of false positives.
    pub ratio_target: Gauge,
    /// The rate to be expected at the present load.
    pub ratio_estimated: Gauge,
    /// Keys held, stale ones included.
    pub items: Gauge,
    /// Keys planned for.
    pub capacity_items: Gauge,
    /// Bytes of memory, bucket filters included.
    pub size_bytes: Gauge,
    /// Seconds that refills took.
    pub rebuild_duration: Histogram,
}

impl FilterMetrics {
    pub(super) fn register(registrar: &Registrar) -> Self {
        let lookups = |result| {
            let labels = [("result", result)];
            registrar.counter("revokd_filter_lookups_total", "Lookups in the front filter, by its answer", &labels)
        };
        let gauge = |name, help| registrar.gauge(name, help, &[]);
        Self {
            negative: lookups("negative"),
            positive: lookups("positive"),
            false_positives: registrar.counter(
                "revokd_filter_false_positives_total",
                "Lookups that the front filter answered with maybe, and the index with no",
                &[],
            ),
            ratio_target: gauge(
                "revokd_filter_false_positive_ratio_target",
                "Share of false positives that is configured",
            ),
            ratio_estimated: gauge(
                "revokd_filter_estimated_false_positive_ratio",
                "Share of false positives to be expected at the present load",
            ),
            items: gauge("revokd_filter_items", "Keys in the front filter, stale ones included"),
            capacity_items: gauge("revokd_filter_capacity_items", "Keys that the front filter is planned for"),
            size_bytes: gauge("revokd_filter_size_bytes", "Memory of all filters"),
            rebuild_duration: registrar.histogram(
                "revokd_filter_rebuild_duration_seconds",
                "Time that a refill of the front filter took",
                &[],
            ),
        }
    }
}

/// What was revoked and what is held.
#[derive(Clone)]
pub struct RevocationMetrics {
    /// By the selector's number, then by source.
    stored: [[Counter; Source::ALL.len()]; Selector::ALL.len()],
    /// Revocations and cutoffs taken back.
    pub restored: Counter,
    /// Entries held, by the selector's number.
    pub active: [Gauge; Selector::ALL.len()],
    /// Raw tokens that were verified and live longer than their issuer's `lifetime_max_s`.
    pub overlong: Counter,
}

impl RevocationMetrics {
    /// Counts a durable event, if it revokes or restores something.
    pub fn count(&self, event: &Event<'_>) {
        let selector = match &event.change {
            Change::Revoked(_) => Selector::Jti,
            // That its end is put off makes no new one.
            Change::Cutoff(record) if record.first_seq == event.seq => record.cutoff.target.selector(),
            Change::Restored { .. } | Change::CutoffRestored { .. } => return self.restored.increment(1),
            _ => return,
        };
        self.stored[selector as usize][event.origin.source as usize].increment(1);
    }

    pub(super) fn register(registrar: &Registrar) -> Self {
        let by = |selector: Selector, source: Source| {
            let labels = [("kind", selector.as_str()), ("source", source.as_str())];
            registrar.counter("revokd_revocations_total", "Entries stored, by selector and door", &labels)
        };
        let active = |selector: Selector| {
            let labels = [("kind", selector.as_str())];
            registrar.gauge("revokd_revocations_active", "Entries held, by selector", &labels)
        };
        Self {
            stored: Selector::BY_NUMBER.map(|selector| Source::ALL.map(|source| by(selector, source))),
            restored: registrar.counter("revokd_restored_total", "Entries taken back", &[]),
            active: Selector::BY_NUMBER.map(active),
            overlong: registrar.counter(
                "revokd_tokens_overlong_total",
                "Verified tokens revoked that live longer than their issuer's lifetime_max_s",
                &[],
            ),
        }
    }
}

/// Purges.
#[derive(Clone)]
pub struct PurgeMetrics {
    /// Runs that did all they had to.
    pub ok: Counter,
    /// Runs that failed.
    pub failed: Counter,
    /// Entries purged.
    pub entries: Counter,
    /// Seconds that runs took.
    pub duration: Histogram,
    /// When the last good run ended, as the clock had it: seconds since 1970.
    pub last_success_timestamp: Gauge,
    /// Seconds since the last good run ended, by the clock's `earliest`.
    pub age: Gauge,
}

impl PurgeMetrics {
    pub(super) fn register(registrar: &Registrar) -> Self {
        let runs = |result| registrar.counter("revokd_purge_runs_total", "Purges, by result", &[("result", result)]);
        let gauge = |name, help| registrar.gauge(name, help, &[]);
        Self {
            ok: runs("ok"),
            failed: runs("failed"),
            entries: registrar.counter("revokd_purged_total", "Entries purged", &[]),
            duration: registrar.histogram("revokd_purge_duration_seconds", "Time that a purge took", &[]),
            last_success_timestamp: gauge(
                "revokd_purge_last_success_timestamp_seconds",
                "When the last good purge ended, seconds since 1970",
            ),
            age: gauge(
                "revokd_purge_age_seconds",
                "Seconds since the last good purge ended, by the clock's earliest time: while the wall clock is doubted, \
                 the lower of it and the time that goes on by the boot clock",
            ),
        }
    }
}

/// Journal and index.
#[derive(Clone)]
pub struct StoreMetrics {
    /// Bytes of all journal segments.
    pub journal_bytes: Gauge,
    /// Journal segments.
    pub journal_segments: Gauge,
    /// Bytes of the index's files.
    pub index_bytes: Gauge,
    /// How often the index was rebuilt from the journal.
    pub index_rebuilds: Counter,
    /// Seconds that one sync of the journal took.
    pub sync_duration: Histogram,
    /// Failures, by what was tried.
    pub errors: StoreErrors,
}

impl StoreMetrics {
    pub(super) fn register(registrar: &Registrar) -> Self {
        let gauge = |name, help| registrar.gauge(name, help, &[]);
        let error = |op| {
            registrar.counter("revokd_store_errors_total", "Failures of journal and index, by operation", &[("op", op)])
        };
        Self {
            journal_bytes: gauge("revokd_store_journal_bytes", "Size of all journal segments"),
            journal_segments: gauge("revokd_store_journal_segments", "Journal segments"),
            index_bytes: gauge("revokd_store_index_bytes", "Size of the index's files"),
            index_rebuilds: registrar.counter(
                "revokd_index_rebuilds_total",
                "Times that the index was rebuilt from the journal, at start or while running",
                &[],
            ),
            sync_duration: registrar.histogram(
                "revokd_store_sync_duration_seconds",
                "Time that one sync of the journal took",
                &[],
            ),
            errors: StoreErrors {
                write: error("write"),
                sync: error("sync"),
                read: error("read"),
                index: error("index"),
                purge: error("purge"),
            },
        }
    }
}

/// `revokd_store_errors_total`, by what was tried.
#[derive(Clone)]
pub struct StoreErrors {
    /// Writing to the journal, before its sync.
    pub write: Counter,
    /// Syncing the journal.
    pub sync: Counter,
    /// Reading the index.
    pub read: Counter,
    /// Taking events into the index, or rebuilding it.
    pub index: Counter,
    /// Dropping buckets or segments.
    pub purge: Counter,
}
