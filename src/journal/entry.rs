//! What the manifest says of one segment.

use super::HistoryId;
use super::chain::Head;
use super::frame::{Checksum, seed};
use crate::clock::NumericDate;
use crate::event::Seq;

/// Ends the name of every segment's file.
pub(super) const SUFFIX: &str = ".segment";

/// One segment, as far as it is known to be on disk. For the one that is still written to, all but `id` and
/// `generation` are what it had at least: it may have grown since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Never given twice in a history.
    pub(super) id: u64,
    /// How often the events have been copied; 0 where they were first written.
    pub(super) generation: u32,
    /// Whether nothing will follow.
    pub(super) sealed: bool,
    /// First and last `seq`; 0 where there are no events.
    pub(super) first_seq: Seq,
    pub(super) last_seq: Seq,
    pub(super) frames: u64,
    /// Length of the frames, and of the file once it is sealed.
    pub(super) bytes: u64,
    /// Checksum of the last frame; the seed where there is none.
    pub(super) checksum: Checksum,
    /// The chain before the first event; [`Head::NONE`] where the events were copied.
    pub(super) head_before: Head,
    /// When the last of its events is settled; the smallest instant where there are none.
    pub(super) settled_at: NumericDate,
}

impl Entry {
    pub(super) fn new(history: HistoryId, id: u64, generation: u32, head_before: Head) -> Self {
        Self {
            id,
            generation,
            sealed: false,
            first_seq: 0,
            last_seq: 0,
            frames: 0,
            bytes: 0,
            checksum: seed(history, id),
            head_before,
            settled_at: NumericDate(i64::MIN),
        }
    }

    /// Whether its events are where they were first written, chained: then it is a part of the audit.
    pub(super) fn is_original(&self) -> bool {
        self.generation == 0
    }

    /// Whether it holds a record that the audit is to have.
    pub(super) fn is_record_from(&self, audit_from: Seq) -> bool {
        self.is_original() && self.last_seq > 0 && self.last_seq >= audit_from
    }

    /// Takes note of a frame that follows.
    pub(super) fn grow(
        &mut self,
        seqs: Option<(Seq, Seq)>,
        settled_at: NumericDate,
        frame_bytes: u64,
        checksum: Checksum,
    ) {
        if let Some((first, last)) = seqs {
            if self.first_seq == 0 {
                self.first_seq = first;
            }
            self.last_seq = last;
        }
        self.settled_at = self.settled_at.max(settled_at);
        self.frames += 1;
        self.bytes += frame_bytes;
        self.checksum = checksum;
    }

    /// The segment's file in the journal directory `dir`.
    pub(super) fn path(&self, dir: &str) -> String {
        format!("{dir}/{:016x}{SUFFIX}", self.id)
    }
}
