//! Reading the audit beside the journal's owner: archive and journal are one sequence of files, in order of `seq`.
//!
//! No file of it ever changes, but for the active segment, which grows; so a stretch of records can be found by its place
//! and read without the owner. A frame can be found from any byte on (see `frame`), which makes reading backwards, and
//! looking for a `seq`, a matter of a few short reads.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::chain::Head;
use super::disk::Disk;
use super::entry::Entry;
use super::error::JournalError;
use super::frame::{FRAME_BYTES_MAX, Frame};
use super::reader::{FrameReader, Link};
use super::{DIR, HistoryId, Journal, archive};
use crate::event::{Event, Seq};

/// Bytes that are read to find a frame, and the distance at which looking closer is of no use.
const STEP_BYTES: u64 = 128 << 10;

/// Called with each event's bytes, what they say, and the chain after it.
type Visit<'a> = &'a mut dyn FnMut(&[u8], &Event<'_>, Head) -> ControlFlow<()>;

/// Why records cannot be read.
pub type TrailError = JournalError;

/// The audit as it was at one instant. Cheap to clone. What is dropped later is missing then.
#[derive(Clone)]
pub struct Trail {
    disk: Arc<dyn Disk>,
    history: HistoryId,
    sealed: Arc<[Entry]>,
    active: Option<Entry>,
    from: Seq,
    last_seq: Seq,
    head: Head,
}

impl Journal {
    /// The audit as it is now. Opens nothing; costs nothing that grows.
    #[must_use]
    pub fn trail(&self) -> Trail {
        Trail {
            disk: self.disk.clone(),
            history: self.history,
            sealed: self.records.clone(),
            active: self.active.as_ref().map(|active| active.segment.entry),
            from: self.audit_from.max(1),
            last_seq: self.last_seq,
            head: self.head,
        }
    }

    /// Sealed segments that are a part of the audit, in order of `seq`.
    pub(super) fn list_records(&self) -> Arc<[Entry]> {
        let sealed = self.sealed.iter().map(|segment| segment.entry);
        let records = sealed.filter(|entry| entry.is_record_from(self.audit_from));
        let mut all: Vec<_> = records.chain(self.archived.iter().copied()).collect();
        all.sort_unstable_by_key(|entry| entry.first_seq);
        all.into()
    }
}

impl Trail {
    /// The first `seq` from which on every record is there.
    #[must_use]
    pub fn from(&self) -> Seq {
        self.from
    }

    /// Highest durable `seq`, and the chain after it.
    #[must_use]
    pub fn head(&self) -> (Seq, Head) {
        (self.last_seq, self.head)
    }

    /// Hands over records above `after`, oldest first, until `visit` breaks off.
    ///
    /// # Errors
    /// [`JournalError::Damaged`], [`JournalError::Missing`] or [`JournalError::Io`], naming the file.
    pub fn above(&self, after: Seq, visit: Visit<'_>) -> Result<(), TrailError> {
        for entry in self.files().filter(|entry| entry.last_seq > after) {
            let mut reader = self.open(entry)?;
            let head = before(&mut reader, entry, after)?.map_or(entry.head_before, |(_, frame)| frame.head);
            let mut skipping = |bytes: &[u8], event: &Event<'_>, head| {
                if event.seq <= after { ControlFlow::Continue(()) } else { visit(bytes, event, head) }
            };
            if hand_over(&mut reader, head, &mut skipping)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Hands over the last records below `before`, oldest first: some hundreds at a time, and one at least where there are
    /// any. Gives whether there were.
    ///
    /// # Errors
    /// As [`Self::above`].
    pub fn stretch_below(&self, below: Seq, visit: Visit<'_>) -> Result<bool, TrailError> {
        let Some(entry) = self.files().filter(|entry| entry.first_seq < below).last() else { return Ok(false) };
        let mut reader = self.open(entry)?;
        let end = before(&mut reader, entry, below - 1)?.map_or(0, |(start, frame)| start + frame.bytes as u64);
        let mut back = STEP_BYTES;
        loop {
            let start = if end > back { reader.find(end - back..end)? } else { None };
            let head = if let Some((start, frame)) = &start {
                reader.skip_to(*start, frame);
                frame.head
            } else if end > back && back < FRAME_BYTES_MAX as u64 {
                back *= 4;
                continue;
            } else {
                reader.rewind(entry.id);
                entry.head_before
            };
            let mut any = false;
            let _broken_off = hand_over(&mut reader, head, &mut |bytes, event, head| {
                if event.seq >= below {
                    return ControlFlow::Break(());
                }
                any = true;
                visit(bytes, event, head)
            })?;
            if any || start.is_none() {
                return Ok(any);
            }
            back *= 4;
        }
    }

    fn files(&self) -> impl Iterator<Item = &Entry> {
        self.sealed.iter().chain(self.active.iter().filter(|active| active.last_seq > 0))
    }

    /// Opens a file wherever it lies: it may move from journal to archive at any moment, and never back.
    fn open(&self, entry: &Entry) -> Result<FrameReader, JournalError> {
        let at = |dir| FrameReader::open(&*self.disk, entry.path(dir), self.history, entry.id, Some(entry.bytes));
        match at(DIR) {
            Err(JournalError::Missing { .. }) => at(archive::DIR),
            opened => opened,
        }
    }
}

/// Brings the reader behind a frame whose events are all at `after` or before, as late as is worth the reading, and gives
/// that frame and where it begins; `None` is the beginning of the file.
fn before(reader: &mut FrameReader, entry: &Entry, after: Seq) -> Result<Option<(u64, Frame)>, JournalError> {
    let (mut low, mut high) = (None, reader.limit());
    if entry.first_seq > after {
        return Ok(None);
    }
    let end_of = |low: &Option<(u64, Frame)>| low.as_ref().map_or(0, |(start, frame)| start + frame.bytes as u64);
    while high.saturating_sub(end_of(&low)) > STEP_BYTES {
        let middle = end_of(&low).midpoint(high);
        match last_seq_behind(reader, middle..high)? {
            Some((start, frame, seq)) if seq <= after => low = Some((start, frame)),
            _ => high = middle,
        }
    }
    match &low {
        Some((start, frame)) => reader.skip_to(*start, frame),
        None => reader.rewind(entry.id),
    }
    Ok(low)
}

/// The first frame with events in `range`, or in as much of it as is worth reading, and its last `seq`.
fn last_seq_behind(
    reader: &mut FrameReader,
    range: std::ops::Range<u64>,
) -> Result<Option<(u64, Frame, Seq)>, JournalError> {
    let mut found = None;
    for bytes in [STEP_BYTES, 2 << 20] {
        found = reader.find(range.start..range.end.min(range.start + bytes))?;
        if found.is_some() {
            break;
        }
    }
    let Some((start, frame)) = found else { return Ok(None) };
    // The frame that was found is read again by the one way in which frames are read; closing frames have no `seq`.
    reader.return_to(start, &frame);
    while reader.last().end < range.end {
        let Link::Frame(frame) = reader.next()? else { return Ok(None) };
        let mut last = None;
        reader.events(|_, event| {
            last = Some(event.seq);
            Ok(())
        })?;
        if let Some(seq) = last {
            return Ok(Some((reader.last().start, frame, seq)));
        }
    }
    Ok(None)
}

/// Hands over all events from where the reader is, `head` being the chain before them, until `visit` breaks off.
fn hand_over(reader: &mut FrameReader, mut head: Head, visit: Visit<'_>) -> Result<ControlFlow<()>, JournalError> {
    loop {
        match reader.next()? {
            Link::Frame(frame) => {
                let mut flow = ControlFlow::Continue(());
                reader.events(|bytes, event| {
                    head = head.after(bytes);
                    if flow.is_continue() {
                        flow = visit(bytes, event, head);
                    }
                    Ok(())
                })?;
                if frame.head != head {
                    return Err(reader.damaged("the chain breaks before here: an event was altered or removed"));
                }
                if flow.is_break() {
                    return Ok(flow);
                }
            }
            Link::End => return Ok(ControlFlow::Continue(())),
            Link::Bad(what) => return Err(reader.damaged(what)),
        }
    }
}
