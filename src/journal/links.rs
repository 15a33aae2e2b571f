//! Whether the chain goes on from segment to segment, wherever they lie: so that none can be removed as a whole.

use super::HistoryId;
use super::chain::Head;
use super::entry::Entry;
use super::error::JournalError;
use super::segment::Segment;
use crate::event::Seq;

/// A part of the chain: one segment.
pub(super) struct Stretch {
    entry: Entry,
    path: String,
    /// The chain after it, where it was read.
    after: Option<Head>,
}

impl Stretch {
    pub(super) fn read(segment: &Segment, path: String) -> Self {
        Self { entry: segment.entry, path, after: Some(segment.head) }
    }

    pub(super) fn unread(entry: Entry, path: String) -> Self {
        Self { entry, path, after: None }
    }
}

/// Holds all records from `audit_from` on against each other, by the heads between segments. `tail` is the segment that is
/// written to; without one the chain must end with `listed`, the head of the manifest at that path.
///
/// # Errors
/// [`JournalError::Damaged`], naming the segment before which records are missing.
pub(super) fn check_links(
    history: HistoryId,
    audit_from: Seq,
    mut stretches: Vec<Stretch>,
    tail: Option<Stretch>,
    listed: (Head, &str),
) -> Result<(), JournalError> {
    stretches.retain(|stretch| stretch.entry.is_record_from(audit_from));
    stretches.sort_unstable_by_key(|stretch| stretch.entry.first_seq);
    // As long as nothing was dropped, the first record is the first of the history.
    let mut last = 0;
    let mut head = (audit_from <= 1).then(|| Head::genesis(history));
    let has_tail = tail.is_some();
    for stretch in stretches.into_iter().chain(tail) {
        if head.is_some_and(|head| head != stretch.entry.head_before) {
            let what = format!("the chain breaks before it: records behind event {last} were altered or removed");
            return Err(JournalError::damaged(&stretch.path, 0, what));
        }
        last = stretch.entry.last_seq.max(last);
        head = stretch.after;
    }
    let (listed, manifest) = listed;
    if !has_tail && head.is_some_and(|head| head != listed) {
        let what = format!("its head is not that of the chain after event {last}: records were altered or removed");
        return Err(JournalError::damaged(manifest, 0, what));
    }
    Ok(())
}
