//! Keeping the journal as small as what it must remember, by time alone, in short steps.
//!
//! A segment whose events have all ended is dropped. One that would shrink to half, and small ones side by side, are
//! rewritten into one: what has not ended is copied with its `seq`, in order and synced, then the manifest is swapped,
//! then the old files go. Killed at any step, either the old segments hold or the new one, and the other is a leftover.
//! What goes that was first written there goes to the archive (`archive.rs`), whose oldest files are dropped here too.

use std::collections::VecDeque;

use super::chain::Head;
use super::entry::Entry;
use super::error::{AppendError, JournalError};
use super::frame::OVERHEAD_BYTES;
use super::group::Group;
use super::reader::{FrameReader, Link};
use super::segment::{Segment, SegmentWriter};
use super::{Journal, guard};
use crate::clock::NumericDate;

/// Live bytes that make a frame of a rewritten segment, and end a step.
const STEP_BYTES: u64 = 512 << 10;
/// Bytes after which a step of rewriting ends in any case.
const STEP_READ_BYTES: u64 = 2 << 20;

/// What one step has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// Segments that are gone: dropped, or replaced by a smaller one.
    pub segments: usize,
    /// By how many bytes the journal has become smaller.
    pub bytes: u64,
    /// Files of the archive whose records were outlived long enough.
    pub outlived: usize,
    /// Files of the archive that went before their time, since it was too large.
    pub early: usize,
    /// Whether another step has something to do now.
    pub more: bool,
}

/// A rewriting under way.
pub(super) struct Rewrite {
    /// What is left to read, and what it was listed as.
    sources: VecDeque<Entry>,
    reader: Option<FrameReader>,
    /// Where the sources stand among the sealed segments.
    range: std::ops::Range<usize>,
    earliest: NumericDate,
    /// Recorded time of the frame read last.
    recorded_at: NumericDate,
    out: SegmentWriter,
    group: Group,
}

impl Journal {
    /// One short step of forgetting what had ended at `earliest`: drops a segment, seals the active one, or goes on
    /// with a rewriting for a mebibyte or two. A journal at rest answers without touching the disk.
    ///
    /// # Errors
    /// [`JournalError::Write`] when the disk refuses (the step is begun anew at the next call) or fails (the journal is
    /// done with); [`JournalError::Damaged`] when a segment that is to be rewritten has rotted.
    pub fn reclaim(&mut self, earliest: NumericDate) -> Result<Reclaimed, JournalError> {
        guard(self.health)?;
        let result = self.reclaim_step(earliest);
        if let Err(JournalError::Write(error)) = &result {
            self.note_failure(error);
        }
        result
    }

    fn reclaim_step(&mut self, earliest: NumericDate) -> Result<Reclaimed, JournalError> {
        if let Some(rewrite) = self.rewrite.take() {
            return self.rewrite_step(rewrite);
        }
        self.forgotten = self.forgotten.max(earliest);
        if let Some(due) = self.due(earliest) {
            return self.drop_archived(&due);
        }
        if let Some(at) = self.sealed.iter().position(|segment| segment.tally.live_bytes(earliest) == 0) {
            return self.replace(at..at + 1, None);
        }
        if let Some(recorded_at) = self.last_recorded.filter(|_| self.active_is_mostly_ended(earliest)) {
            self.seal_active(recorded_at)?;
            return Ok(Reclaimed { more: true, ..Reclaimed::default() });
        }
        match choose(&self.sealed, earliest, self.options.segment_bytes) {
            Some(range) => {
                let rewrite = self.begin_rewrite(range, earliest)?;
                self.rewrite_step(rewrite)
            }
            None => Ok(Reclaimed::default()),
        }
    }

    /// The active segment is sealed early, so that it can be rewritten, when it would shrink to half; but not as long
    /// as it is small.
    fn active_is_mostly_ended(&self, earliest: NumericDate) -> bool {
        self.active.as_ref().is_some_and(|active| {
            let Segment { entry, tally, .. } = &active.segment;
            entry.bytes >= self.options.segment_bytes / 4 && halves(entry.bytes, tally.live_bytes(earliest))
        })
    }

    fn begin_rewrite(&mut self, range: std::ops::Range<usize>, earliest: NumericDate) -> Result<Rewrite, AppendError> {
        let sources: VecDeque<_> = self.sealed[range.clone()].iter().map(|segment| segment.entry).collect();
        let generation = sources.iter().map(|entry| entry.generation).max().unwrap_or(0) + 1;
        let entry = Entry::new(self.history, self.take_id(), generation, Head::NONE);
        let out = SegmentWriter::create(&*self.disk, self.dir, self.history, entry)?;
        let recorded_at = earliest;
        Ok(Rewrite { sources, reader: None, range, earliest, recorded_at, out, group: Group::new() })
    }

    /// One step of `rewrite`, which goes on at the next call or, after an error, is given up and begun anew.
    fn rewrite_step(&mut self, mut rewrite: Rewrite) -> Result<Reclaimed, JournalError> {
        let written = rewrite.collect(self).and_then(|done| {
            let worth_a_frame = rewrite.group.frame_bytes() >= STEP_BYTES;
            if worth_a_frame || done && !rewrite.group.is_empty() {
                rewrite.out.append(rewrite.recorded_at, &mut rewrite.group, 0)?;
                rewrite.group.clear();
            }
            if !done {
                return Ok(None);
            }
            self.disk.sync_dir(self.dir).map_err(AppendError::failed(self.dir))?;
            Ok(Some(rewrite.out.sealed()))
        });
        match written {
            Ok(Some(sealed)) => self.replace(rewrite.range, Some(sealed)),
            Ok(None) => {
                self.rewrite = Some(rewrite);
                Ok(Reclaimed { more: true, ..Reclaimed::default() })
            }
            Err(error) => {
                // Not listed, so at worst a leftover for the next start.
                _ = self.disk.remove(&rewrite.out.segment.entry.path(self.dir));
                Err(error)
            }
        }
    }

    /// Puts `new` where the sealed segments of `range` are: the manifest first, then the files.
    fn replace(&mut self, range: std::ops::Range<usize>, new: Option<Segment>) -> Result<Reclaimed, JournalError> {
        let before = (self.sealed.clone(), self.archived.clone());
        let new_entry = new.as_ref().map(|segment| segment.entry);
        let old: Vec<_> = self.sealed.splice(range, new).map(|segment| segment.entry).collect();
        if let Err(error) = self.list_archived(&old).and_then(|()| self.write_manifest()) {
            (self.sealed, self.archived) = before;
            _ = new_entry.inspect(|entry| self.remove_unlisted(entry, &error));
            return Err(error.into());
        }
        self.clear_away(&old)?;
        let old_bytes: u64 = old.iter().map(|entry| entry.bytes).sum();
        Ok(Reclaimed {
            segments: old.len(),
            bytes: old_bytes.saturating_sub(new_entry.map_or(0, |entry| entry.bytes)),
            more: true,
            ..Reclaimed::default()
        })
    }
}

impl Rewrite {
    /// Reads on until the group is worth a frame, the step is long enough, or all is read: then `true`.
    fn collect(&mut self, journal: &Journal) -> Result<bool, JournalError> {
        let mut read_bytes = 0;
        while self.group.frame_bytes() < STEP_BYTES && read_bytes < STEP_READ_BYTES {
            let Some(source) = self.sources.front() else { return Ok(true) };
            let reader = match &mut self.reader {
                Some(reader) => reader,
                none => none.insert(FrameReader::open(
                    &*journal.disk,
                    source.path(journal.dir),
                    journal.history,
                    source.id,
                    None,
                )?),
            };
            match reader.next()? {
                Link::Frame(frame) => {
                    self.recorded_at = frame.recorded_at;
                    read_bytes += frame.bytes as u64;
                    let (group, earliest) = (&mut self.group, self.earliest);
                    reader.events(|bytes, event| {
                        if event.kept_until() > earliest {
                            group.push_encoded(bytes, event).map_err(|error| reader.damaged(error.to_string()))?;
                        }
                        Ok(())
                    })?;
                }
                Link::End if reader.checksum() == source.checksum => {
                    self.reader = None;
                    self.sources.pop_front();
                }
                Link::End => return Err(reader.damaged("it is not the segment that was sealed")),
                Link::Bad(what) => return Err(reader.damaged(what)),
            }
        }
        Ok(false)
    }
}

/// Bytes of a segment that holds `live` event bytes after rewriting.
fn rewritten(live: u64) -> u64 {
    live + OVERHEAD_BYTES * live.div_ceil(STEP_BYTES)
}

/// Whether rewriting would at least halve a segment. So nothing is rewritten without gain, and what is left is never
/// more than twice what is live.
fn halves(bytes: u64, live: u64) -> bool {
    2 * rewritten(live) <= bytes
}

/// The next run of sealed segments to rewrite into one: one that would shrink to half, or a neighbour that is less than
/// twice as large as what follows it. With the latter, sizes fall by half from left to right, so that the number of
/// segments stays small and an event is copied a logarithmic number of times.
fn choose(sealed: &[Segment], earliest: NumericDate, segment_bytes: u64) -> Option<std::ops::Range<usize>> {
    let sizes: Vec<u64> = sealed.iter().map(|segment| rewritten(segment.tally.live_bytes(earliest))).collect();
    let shrinks = |at: usize| halves(sealed[at].entry.bytes, segment_live(sealed, at, earliest));
    (0..sealed.len()).find_map(|at| {
        let (mut start, mut end, mut size) = (at, at + 1, sizes[at]);
        while end < sealed.len() && shrinks(at) && shrinks(end) && size + sizes[end] <= segment_bytes {
            size += sizes[end];
            end += 1;
        }
        while start > 0 && sizes[start - 1] < 2 * size && size + sizes[start - 1] <= segment_bytes {
            start -= 1;
            size += sizes[start];
        }
        (shrinks(at) || end - start > 1).then_some(start..end)
    })
}

fn segment_live(sealed: &[Segment], at: usize, earliest: NumericDate) -> u64 {
    sealed[at].tally.live_bytes(earliest)
}
