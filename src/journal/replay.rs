//! Reading a journal that is open once more, beside its owner.

use std::ops::ControlFlow;

use super::Journal;
use super::error::JournalError;
use super::frame::Checksum;
use super::reader::{FrameReader, Link};
use super::segment::Segment;
use crate::event::Event;

/// The journal as it was at one instant. It stays readable whatever becomes of the journal: a file that is dropped or
/// rewritten later is open already, and one that grows is read up to where it ended then. Holds a file open for each
/// segment.
pub struct Snapshot {
    segments: Vec<(FrameReader, Checksum)>,
}

impl Journal {
    /// What is durable now. Opens every segment, and reads none.
    ///
    /// # Errors
    /// [`JournalError::Io`] or [`JournalError::Missing`] where a segment cannot be opened.
    pub fn snapshot(&self) -> Result<Snapshot, JournalError> {
        let open = |segment: &Segment| -> Result<_, JournalError> {
            let entry = &segment.entry;
            let path = entry.path(self.dir);
            let reader = FrameReader::open(&*self.disk, path, self.history, entry.id, Some(entry.bytes))?;
            Ok((reader, entry.checksum))
        };
        Ok(Snapshot { segments: self.segments().map(open).collect::<Result<_, _>>()? })
    }
}

impl Snapshot {
    /// Hands every event to `visit`, in order of `seq`, until it breaks off.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] where the journal has rotted since it was opened.
    pub fn replay(self, visit: &mut dyn FnMut(&[u8], &Event<'_>) -> ControlFlow<()>) -> Result<(), JournalError> {
        for (mut reader, checksum) in self.segments {
            loop {
                match reader.next()? {
                    Link::Frame(_) => {
                        let mut flow = ControlFlow::Continue(());
                        reader.events(|bytes, event| {
                            if flow.is_continue() {
                                flow = visit(bytes, event);
                            }
                            Ok(())
                        })?;
                        if flow.is_break() {
                            return Ok(());
                        }
                    }
                    Link::End if reader.checksum() == checksum => break,
                    Link::End => return Err(reader.damaged("it is not what was written")),
                    Link::Bad(what) => return Err(reader.damaged(what)),
                }
            }
        }
        Ok(())
    }
}
