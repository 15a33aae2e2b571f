//! One segment file being made longer, frame by frame; `reader` follows the frames.

use super::HistoryId;
use super::chain::Head;
use super::disk::{Disk, DiskFile, Mode};
use super::entry::Entry;
use super::error::AppendError;
use super::frame::Place;
use super::group::Group;
use super::tally::Tally;
use crate::clock::NumericDate;

/// What new segments are filled with in advance.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// A segment that nothing will follow.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) entry: Entry,
    pub(super) tally: Tally,
    /// The chain after its last event; [`Head::NONE`] where the events were copied.
    pub(super) head: Head,
}

/// Makes one segment longer.
pub(super) struct SegmentWriter {
    file: Box<dyn DiskFile>,
    path: String,
    history: HistoryId,
    pub(super) segment: Segment,
    /// Length of the file: behind the frames it holds zeros.
    allocated: u64,
}

impl SegmentWriter {
    /// Makes the file of a new segment. Its name is durable after the directory's next sync.
    pub(super) fn create(disk: &dyn Disk, dir: &str, history: HistoryId, entry: Entry) -> Result<Self, AppendError> {
        let path = entry.path(dir);
        let file = disk.open(&path, Mode::Create).map_err(AppendError::refused(&path))?;
        let segment = Segment { entry, tally: Tally::default(), head: entry.head_before };
        Ok(Self { file, path, history, segment, allocated: 0 })
    }

    /// Goes on with a segment whose frames, of which `last_frame` is the last, have been verified. What lies behind
    /// them is cut off.
    pub(super) fn resume(
        disk: &dyn Disk,
        dir: &str,
        history: HistoryId,
        segment: Segment,
        last_frame: &[u8],
    ) -> Result<Self, AppendError> {
        let path = segment.entry.path(dir);
        let failed = || AppendError::failed(&path);
        let file = disk.open(&path, Mode::Write).map_err(failed())?;
        let end = segment.entry.bytes;
        file.set_len(end).map_err(failed())?;
        // The last frame was read from a page cache, which may show what a sync has failed to bring to the disk, and
        // after that failure calls its pages clean. Written again, they are dirty again, and this sync means it.
        file.write_at(last_frame, end - last_frame.len() as u64).map_err(failed())?;
        file.sync().map_err(failed())?;
        Ok(Self { file, path, history, segment, allocated: end })
    }

    /// Length of the file, bytes.
    pub(super) fn allocated(&self) -> u64 {
        self.allocated
    }

    /// One frame, one write, one sync. When the write is refused, [`cut`](Self::cut) comes before the next one.
    pub(super) fn append(
        &mut self,
        recorded_at: NumericDate,
        group: &mut Group,
        zero_ahead: u64,
    ) -> Result<(), AppendError> {
        let frame_bytes = group.frame_bytes();
        self.reserve(self.segment.entry.bytes + frame_bytes, zero_ahead)?;
        let Entry { frames, bytes: end, checksum: before, .. } = self.segment.entry;
        let place = Place { number: frames, history: self.history, before };
        let is_original = self.segment.entry.is_original();
        let head = if is_original { group.chained(self.segment.head) } else { Head::NONE };
        let (file, path) = (&self.file, &self.path);
        let own = group.with_frame(place, head, recorded_at, |frame, own| {
            file.write_at(frame, end).map_err(AppendError::refused(path))?;
            file.sync().map_err(AppendError::failed(path))?;
            Ok(own)
        })?;
        self.segment.entry.grow(group.seqs(), group.settled_at(), frame_bytes, own);
        self.segment.head = head;
        self.allocated = self.allocated.max(self.segment.entry.bytes);
        for (kept_until, bytes) in group.kept() {
            self.segment.tally.add(*kept_until, *bytes);
        }
        Ok(())
    }

    /// Takes off what a refused write has left behind the last frame.
    pub(super) fn cut(&mut self) -> Result<(), AppendError> {
        let end = self.segment.entry.bytes;
        self.file.set_len(end).map_err(AppendError::refused(&self.path))?;
        self.allocated = end;
        Ok(())
    }

    /// The segment as a manifest may list it, sealed: its frames were synced as they came, and after a
    /// [`cut`](Self::cut), or without zeros in advance, nothing lies behind them.
    pub(super) fn sealed(&self) -> Segment {
        let mut segment = self.segment.clone();
        segment.entry.sealed = true;
        segment
    }

    /// Fills the file with zeros up to `end` and, if it must grow at all, `zero_ahead` bytes further, so that syncs
    /// seldom have a new length to write, and a full disk shows itself before a frame is half written.
    fn reserve(&mut self, end: u64, zero_ahead: u64) -> Result<(), AppendError> {
        if zero_ahead == 0 || end <= self.allocated {
            return Ok(());
        }
        while self.allocated < end + zero_ahead {
            let left = usize::try_from(end + zero_ahead - self.allocated).unwrap_or(usize::MAX);
            let zeros = &ZEROS[..left.min(ZEROS.len())];
            self.file.write_at(zeros, self.allocated).map_err(AppendError::refused(&self.path))?;
            self.allocated += zeros.len() as u64;
        }
        Ok(())
    }
}
