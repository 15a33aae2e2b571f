//! Following the frames and the chain of one segment from its beginning.

use super::chain::Head;
use super::entry::Entry;
use super::error::JournalError;
use super::frame::Frame;
use super::reader::{FrameReader, Link};
use super::segment::Segment;
use super::tally::Tally;
use crate::clock::NumericDate;
use crate::event::{Event, Seq};

/// Called with each event's bytes and what they say.
pub(super) type Visit<'a> = &'a mut dyn FnMut(&[u8], &Event<'_>) -> Result<(), JournalError>;
/// Called after each frame with the segment so far, the frame and the chain after it.
type Each<'a> = &'a mut dyn FnMut(&Entry, &Frame, Head) -> Result<(), JournalError>;

/// Reads a segment, listed as `listed`, whose events must come after `after`, to where it ends; every event must fit the
/// chain. How it ends is not judged here.
///
/// # Errors
/// [`JournalError::Damaged`] where an event is out of order or does not fit the chain, and what the two functions give.
pub(super) fn walk(
    reader: &mut FrameReader,
    listed: &Entry,
    after: Seq,
    visit: Visit<'_>,
    each: Each<'_>,
) -> Result<(Segment, Link), JournalError> {
    let mut entry = Entry::new(reader.history(), listed.id, listed.generation, listed.head_before);
    let (mut tally, mut last_seq, mut head) = (Tally::default(), after, listed.head_before);
    loop {
        let frame = match reader.next()? {
            Link::Frame(frame) => frame,
            link => return Ok((Segment { entry, tally, head }, link)),
        };
        let mut seqs: Option<(Seq, Seq)> = None;
        let mut settled_at = NumericDate(i64::MIN);
        reader.events(|bytes, event| {
            if event.seq <= last_seq {
                let what = format!("event {} follows event {last_seq}", event.seq);
                return Err(JournalError::damaged(reader.path(), reader.last().start, what));
            }
            last_seq = event.seq;
            seqs = Some((seqs.map_or(event.seq, |(first, _)| first), event.seq));
            settled_at = settled_at.max(event.settled_at());
            tally.add(event.kept_until(), Tally::cost(bytes));
            if entry.is_original() {
                head = head.after(bytes);
            }
            visit(bytes, event)
        })?;
        if frame.head != head {
            return Err(JournalError::damaged(reader.path(), reader.last().start, unchained(seqs)));
        }
        entry.grow(seqs, settled_at, frame.bytes as u64, frame.checksum);
        each(&entry, &frame, head)?;
    }
}

/// Which events do not fit the chain.
fn unchained(seqs: Option<(Seq, Seq)>) -> String {
    match seqs {
        Some((first, last)) => {
            format!("the chain breaks at events {first} to {last}: one of them, or before them, was altered or removed")
        }
        None => "the chain breaks here: an event before was altered or removed".to_owned(),
    }
}
