//! Following the frames of one segment file.

use std::io;
use std::ops::Range;

use super::HistoryId;
use super::disk::{Disk, DiskFile, Mode};
use super::error::JournalError;
use super::frame::{Checksum, Frame, NoFrame, Place, events_of, seed};
use crate::event::Event;

/// How much is read at once, bytes.
const READ_BYTES: usize = 1 << 20;

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

    /// Goes on behind `frame`, which lies at `start`.
    pub(super) fn skip_to(&mut self, start: u64, frame: &Frame) {
        let end = start + frame.bytes as u64;
        self.next = Place { number: frame.place.number + 1, before: frame.checksum, ..self.next };
        self.last = end..end;
        self.window.clear();
        self.window_start = end;
    }

    /// Goes on from the beginning of the file, which is that of this segment.
    pub(super) fn rewind(&mut self, segment: u64) {
        self.next = Place { number: 0, before: seed(self.next.history, segment), ..self.next };
        self.last = 0..0;
        self.window.clear();
        self.window_start = 0;
    }

    /// Goes on with `frame`, which lies at `start`.
    pub(super) fn return_to(&mut self, start: u64, frame: &Frame) {
        self.next = Place { history: self.next.history, ..frame.place };
        self.last = start..start;
        self.window.clear();
        self.window_start = start;
    }

    /// Where the reading ends, bytes.
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// The first frame of this history that lies in `range` as a whole, and where it begins. Reads all of `range`.
    pub(super) fn find(&self, range: Range<u64>) -> Result<Option<(u64, Frame)>, JournalError> {
        let range = range.start..range.end.min(self.limit);
        let mut bytes = vec![0; usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX)];
        self.file.read_at(&mut bytes, range.start).map_err(JournalError::io("read", &self.path))?;
        let found = Frame::find(&bytes).filter(|(_, frame)| frame.place.history == self.next.history);
        Ok(found.map(|(at, frame)| (range.start + at as u64, frame)))
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

    pub(super) fn history(&self) -> HistoryId {
        self.next.history
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
