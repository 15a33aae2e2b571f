//! What is said of the audit, for an outsider to hold against it later.

use metrics::{Counter, Gauge};

use super::registrar::Registrar;

/// The audit's chain and archive.
#[derive(Clone)]
pub struct AuditMetrics {
    /// Highest `seq`.
    pub seq: Gauge,
    /// The first 48 bits of the chain's head after it, as a number: a value and not a label, for it changes with every
    /// write, and a number of 48 bits is exact in a gauge.
    pub head_prefix: Gauge,
    /// The first `seq` that every record is kept from.
    pub from_seq: Gauge,
    /// Size of the archive.
    pub archive_bytes: Gauge,
    /// Files of the archive.
    pub archive_files: Gauge,
    /// Files of the archive dropped before their time.
    pub dropped_early: Counter,
}

impl AuditMetrics {
    pub(super) fn register(registrar: &Registrar) -> Self {
        let gauge = |name, help| registrar.gauge(name, help, &[]);
        Self {
            seq: gauge("revokd_audit_seq", "Highest seq of the history"),
            head_prefix: gauge(
                "revokd_audit_head_prefix",
                "First 48 bits of the chain's head after revokd_audit_seq, as a number",
            ),
            from_seq: gauge("revokd_audit_from_seq", "First seq from which on every audit record is kept"),
            archive_bytes: gauge("revokd_audit_archive_bytes", "Size of the audit's archive"),
            archive_files: gauge("revokd_audit_archive_files", "Files of the audit's archive"),
            dropped_early: registrar.counter(
                "revokd_audit_files_dropped_early_total",
                "Files of the audit's archive dropped before their time, since it was larger than audit.bytes_max",
                &[],
            ),
        }
    }
}
