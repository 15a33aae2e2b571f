//! What the journal says about itself.

use super::HistoryId;
use super::chain::Head;
use crate::clock::NumericDate;
use crate::event::Seq;

/// What [`Journal::open`](super::Journal::open) has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The history.
    pub history: HistoryId,
    /// Whether no event was ever recorded: this is a first start.
    pub new: bool,
    /// Highest `seq` ever given; 0 if none was.
    pub last_seq: Seq,
    /// Recorded time of the last frame.
    pub last_recorded: Option<NumericDate>,
    /// Events read, ended ones included.
    pub events: u64,
    /// Segments read.
    pub segments: usize,
    /// Bytes of a torn last frame that were cut off; worth a line in the log.
    pub torn_bytes: u64,
    /// Archived files that are missing or cut short: records are lost, though no entry is.
    pub audit_lost: Vec<String>,
}

/// What [`verify`](super::verify) has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// The history.
    pub history: HistoryId,
    /// Highest `seq` ever given.
    pub last_seq: Seq,
    /// Recorded time of the last frame.
    pub last_recorded: Option<NumericDate>,
    /// Events, ended ones included.
    pub events: u64,
    /// Segments.
    pub segments: usize,
    /// Length of all frames.
    pub bytes: u64,
    /// Bytes of a torn last frame, which the next start will cut off.
    pub torn_bytes: u64,
    /// Files that the next start will remove.
    pub leftovers: Vec<String>,
    /// The chain after the last event.
    pub head: Head,
    /// The archive of the audit.
    pub archived: AuditReport,
}

/// What [`verify`](super::verify) has found of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditReport {
    /// The first `seq` from which on every record is there.
    pub from: Seq,
    /// Files.
    pub files: usize,
    /// Their length.
    pub bytes: u64,
    /// Records in them.
    pub records: u64,
    /// Files in its directory that are of no use to this history; those of an earlier one are yours to keep.
    pub unlisted: Vec<String>,
}

/// How large the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Length of all its segments, zeros in advance included.
    pub bytes_total: u64,
    /// Event bytes that must still be kept at the instant asked for.
    pub bytes_live: u64,
    /// Segments.
    pub segments: usize,
    /// Highest `seq` ever given.
    pub last_seq: Seq,
    /// Length of the archive's files.
    pub audit_bytes: u64,
    /// Files of the archive.
    pub audit_files: usize,
    /// The first `seq` from which on the audit has every record.
    pub audit_from: Seq,
    /// The chain after the last event.
    pub head: Head,
}
