//! One segment file, frame by frame: [`FrameReader`] follows the chain, [`SegmentWriter`] makes it longer.

use std::io;
use std::ops::Range;

use super::HistoryId;
use super::disk::{Disk, DiskFile, Mode};
use super::error::{AppendError, JournalError};
use super::frame::{Checksum, Frame, NoFrame, Place, events_of, seed};
use super::group::Group;
use super::manifest::Entry;
use super::tally::Tally;
use crate::clock::NumericDate;
use crate::event::Event;

/// How much is read at once, bytes.
const READ_BYTES: usize = 1 << 20;
/// What new segments are filled with in advance.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// A segment that nothing will follow.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) entry: Entry,
    pub(super) tally: Tally,
}

/// What comes next in a segment.
#[derive(Debug, Clone, Copy)]
pub(super) enum Link {
    /// A frame that fits behind the one before.
    Frame(Frame),
    /// Nothing: the segment ends here.
    End,
    /// Bytes that are no frame, or one that does not fit here.
    Bad(&'static str),
}

/// Reads the frames of one segment in order, as a stream: [`READ_BYTES`] or one frame at a time.
pub(super) struct FrameReader {
    file: Box<dyn DiskFile>,
    path: String,
    /// Where the reading ends, bytes.
    limit: u64,
    next: Place,
    /// Where the frame that was read last begins and ends.
    last: Range<u64>,
    /// What was read ahead; the last frame is always in it.
    window: Vec<u8>,
    window_start: u64,
}

impl FrameReader {
    /// Reads up to `limit`, or the whole file.
    pub(super) fn open(
        disk: &dyn Disk,
        path: String,
        history: HistoryId,
        segment: u64,
        limit: Option<u64>,
    ) -> Result<Self, JournalError> {
        let file = disk.open(&path, Mode::Read).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => JournalError::Missing { file: path.clone() },
            _ => JournalError::io("open", &path)(source),
        })?;
        let len = file.len().map_err(JournalError::io("read", &path))?;
        let next = Place { number: 0, history, before: seed(history, segment) };
        let limit = limit.unwrap_or(len).min(len);
        Ok(Self { file, path, limit, next, last: 0..0, window: Vec::new(), window_start: 0 })
    }

    /// Checksum of the frame that was read last; the seed before that.
    pub(super) fn checksum(&self) -> Checksum {
        self.next.before
    }

    /// Where the frame that was read last begins and ends.
    pub(super) fn last(&self) -> Range<u64> {
        self.last.clone()
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Says what is wrong where the reading stands.
    pub(super) fn damaged(&self, what: impl Into<String>) -> JournalError {
        JournalError::damaged(&self.path, self.last.end, what)
    }

    /// What comes next. What is no frame stays the next.
    pub(super) fn next(&mut self) -> Result<Link, JournalError> {
        if self.last.end == self.limit {
            return Ok(Link::End);
        }
        let mut needed = 1;
        let frame = loop {
            if !self.read_ahead(needed)? {
                return Ok(Link::Bad("the file ends within a frame"));
            }
            match Frame::parse(&self.window[self.in_window(self.last.end)..]) {
                Err(NoFrame::Needs(bytes)) => needed = bytes,
                Err(NoFrame::Bad(what)) => return Ok(Link::Bad(what)),
                Ok(frame) => break frame,
            }
        };
        frame.of_this_version(&self.path)?;
        if frame.place != self.next {
            return Ok(Link::Bad("the frame belongs to another place, segment or history"));
        }
        self.next = Place { number: self.next.number + 1, before: frame.checksum, ..self.next };
        self.last = self.last.end..self.last.end + frame.bytes as u64;
        Ok(Link::Frame(frame))
    }

    /// Calls `visit` with each event of the frame that was read last.
    pub(super) fn events(
        &self,
        mut visit: impl FnMut(&[u8], &Event<'_>) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let wrong = |what: &str| JournalError::damaged(&self.path, self.last.start, what);
        for bytes in events_of(self.last_frame()) {
            let bytes = bytes.map_err(wrong)?;
            let event =
                Event::decode(bytes).map_err(|error| JournalError::undecodable(&self.path, self.last.start, error))?;
            visit(bytes, &event)?;
        }
        Ok(())
    }

    /// The bytes of the frame that was read last.
    pub(super) fn last_frame(&self) -> &[u8] {
        &self.window[self.in_window(self.last.start)..self.in_window(self.last.end)]
    }

    /// All bytes behind the frame that was read last.
    pub(super) fn rest(&self) -> Result<Vec<u8>, JournalError> {
        let mut rest = vec![0; usize::try_from(self.limit - self.last.end).unwrap_or(usize::MAX)];
        self.file.read_at(&mut rest, self.last.end).map_err(JournalError::io("read", &self.path))?;
        Ok(rest)
    }

    fn in_window(&self, offset: u64) -> usize {
        usize::try_from(offset - self.window_start).unwrap_or(usize::MAX)
    }

    /// Whether at least `needed` bytes behind the last frame could be brought into the window.
    fn read_ahead(&mut self, needed: usize) -> Result<bool, JournalError> {
        let have = self.window.len() - self.in_window(self.last.end);
        let left = usize::try_from(self.limit - self.last.end).unwrap_or(usize::MAX);
        if have >= needed || left < needed {
            return Ok(have >= needed);
        }
        self.window.drain(..self.in_window(self.last.start));
        self.window_start = self.last.start;
        let kept = self.window.len();
        self.window.resize(self.in_window(self.last.end) + left.min(needed.max(READ_BYTES)), 0);
        let from = self.window_start + kept as u64;
        self.file.read_at(&mut self.window[kept..], from).map_err(JournalError::io("read", &self.path))?;
        Ok(true)
    }
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
        let segment = Segment { entry, tally: Tally::default() };
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
        let (file, path) = (&self.file, &self.path);
        let own = group.with_frame(place, recorded_at, |frame, own| {
            file.write_at(frame, end).map_err(AppendError::refused(path))?;
            file.sync().map_err(AppendError::failed(path))?;
            Ok(own)
        })?;
        self.segment.entry.grow(group.seqs(), frame_bytes, own);
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
