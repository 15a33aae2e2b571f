//! What is set once a second rather than at every event: gauges, and readiness for writes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::clock::Now;
use crate::denylist::{Denylist, Status};
use crate::metrics::Metrics;
use crate::readiness::{Condition, Readiness};
use crate::telemetry::LogGuard;
use crate::token::Selector;

/// How often the log tells the audit's head, for whoever keeps the log elsewhere.
const HEAD_EVERY: Duration = Duration::from_hours(1);

/// What is told when it changes, or now and then.
#[derive(Debug, Default)]
pub(super) struct Watches {
    clock: ClockWatch,
    head: HeadWatch,
}

/// When the audit's head was last told.
#[derive(Debug, Default)]
struct HeadWatch(Mutex<Option<Instant>>);

impl HeadWatch {
    fn look(&self, status: &Status) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= HEAD_EVERY) {
            *told = Some(Instant::now());
            tracing::info!(seq = status.journal.last_seq, head = %status.journal.head, "the audit's head");
        }
    }
}

/// Whether the wall clock was doubted when it was last looked at.
#[derive(Debug, Default)]
struct ClockWatch(AtomicBool);

impl ClockWatch {
    /// Says when doubt begins and when it ends.
    fn look(&self, now: Now) {
        if self.0.swap(now.doubted, Ordering::Relaxed) == now.doubted {
            return;
        }
        if now.doubted {
            tracing::warn!(
                earliest = now.earliest.0,
                latest = now.latest.0,
                "the wall clock is doubted: nothing live ends before both times have passed it; if the clock is right, \
                 `revokd purge --trust-clock` says so"
            );
        } else {
            tracing::info!(now = now.latest.0, "the wall clock is trusted again");
        }
    }
}

/// Brings gauges and readiness up to date.
pub(super) fn refresh(
    denylist: &Denylist,
    metrics: &Metrics,
    readiness: &Readiness,
    threads: &[JoinHandle<()>],
    log: &LogGuard,
    watches: &Watches,
) {
    let status = denylist.status();
    watches.clock.look(status.now);
    watches.head.look(&status);
    let alive = threads.iter().all(|thread| !thread.is_finished());
    readiness.set(Condition::Writable, alive && status.writes.is_ok() && !status.index_failed);
    // A poisoned filter answers no check any more, and nothing but a restart heals it.
    readiness.set(Condition::Filter, status.filter.is_some());
    if !alive {
        readiness.note("threads", "a thread of the core died; checks go on, writes need a restart");
    }
    set_gauges(&status, metrics);
    metrics.log_lines_dropped.absolute(log.dropped_lines());
    metrics.filter.ratio_target.set(denylist.false_positive_rate());
    if status.index_failed {
        readiness.note("index", "the index failed; checks go on as far as they can, and it is rebuilt by itself");
    } else {
        readiness.clear_note("index");
    }
    if let Err(error) = &status.writes {
        readiness.note("writes", error.to_string());
    } else {
        readiness.clear_note("writes");
    }
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers by their format")]
fn set_gauges(status: &Status, metrics: &Metrics) {
    let filter = &metrics.filter;
    if let Some(front) = status.filter {
        filter.items.set(front.load as f64);
        filter.capacity_items.set(front.capacity as f64);
        filter.size_bytes.set((front.bytes + status.bucket_filter_bytes) as f64);
        filter.ratio_estimated.set(front.estimated_rate());
    }
    filter.negative.absolute(status.surely_good);
    filter.positive.absolute(status.maybes);
    filter.false_positives.absolute(status.false_positives);
    let cutoffs = metrics.revocations.active.iter().zip(status.cutoffs);
    cutoffs.for_each(|(gauge, held)| gauge.set(held as f64));
    let tokens = status.records.saturating_sub(status.cutoff_records);
    metrics.revocations.active[Selector::Jti as usize].set(tokens as f64);
    let audit = &metrics.audit;
    audit.seq.set(status.journal.last_seq as f64);
    audit.head_prefix.set(status.journal.head.prefix() as f64);
    audit.from_seq.set(status.journal.audit_from.max(1) as f64);
    audit.archive_bytes.set(status.journal.audit_bytes as f64);
    audit.archive_files.set(status.journal.audit_files as f64);
    metrics.store.journal_bytes.set(status.journal.bytes_total as f64);
    metrics.store.journal_segments.set(status.journal.segments as f64);
    metrics.store.index_rebuilds.absolute(status.index_rebuilds);
    metrics.store.index_bytes.set(status.index_bytes as f64);
    metrics.clock_doubted.set(if status.now.doubted { 1.0 } else { 0.0 });
    if let Some(age_s) = status.last_purge_age_s {
        metrics.purge.age.set(age_s as f64);
        metrics.purge.last_success_timestamp.set(status.now.earliest.plus(-age_s).0 as f64);
    }
}
