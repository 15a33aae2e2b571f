//! What the journal says about itself.

use super::HistoryId;
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
}
