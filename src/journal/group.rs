//! A group: the events that one write and one sync make durable, encoded in place as the frame they will be.

use super::chain::Head;
use super::frame::{CHECKSUM_BYTES, Checksum, FRAME_BYTES_MAX, HEADER_BYTES, LENGTH_BYTES, Place, complete, events_in};
use crate::clock::NumericDate;
use crate::event::{Event, Seq};

/// The group did not take an event, and is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// The frame would have grown beyond [`FRAME_BYTES_MAX`]: append the group and begin another.
    #[error("the group is full: a frame has at most {FRAME_BYTES_MAX} bytes")]
    Full,
    /// The event's `seq` is not above that of the one before: a frame with it would be refused as damaged.
    #[error("event {seq} cannot follow event {after}")]
    OutOfOrder {
        /// Place of the event refused.
        seq: Seq,
        /// Place of the one before.
        after: Seq,
    },
}

/// The events of one frame to be, encoded in place. Reusable: [`clear`](Group::clear) keeps the memory.
#[derive(Debug)]
pub struct Group {
    /// Room for the header, then the events; a checksum only while it is being written.
    frame: Vec<u8>,
    /// Until when each event is kept, and its bytes.
    kept: Vec<(NumericDate, u64)>,
    seqs: Option<(Seq, Seq)>,
    /// When the last of the events is settled.
    settled_at: NumericDate,
}

impl Default for Group {
    fn default() -> Self {
        Self::new()
    }
}

impl Group {
    /// An empty group; appended as it is, it is a closing frame.
    #[must_use]
    pub fn new() -> Self {
        Self { frame: vec![0; HEADER_BYTES], kept: Vec::new(), seqs: None, settled_at: NumericDate(i64::MIN) }
    }

    /// Forgets the events.
    pub fn clear(&mut self) {
        self.frame.truncate(HEADER_BYTES);
        self.kept.clear();
        self.seqs = None;
        self.settled_at = NumericDate(i64::MIN);
    }

    /// Adds an event, whose `seq` must be above that of the one before.
    ///
    /// # Errors
    /// [`GroupError`]; the group is as it was.
    pub fn push(&mut self, event: &Event<'_>) -> Result<(), GroupError> {
        self.push_with(event, |frame| event.encode(frame))
    }

    /// Adds an event whose bytes are at hand.
    ///
    /// # Errors
    /// [`GroupError`]; the group is as it was.
    pub fn push_encoded(&mut self, bytes: &[u8], event: &Event<'_>) -> Result<(), GroupError> {
        self.push_with(event, |frame| frame.extend_from_slice(bytes))
    }

    fn push_with(&mut self, event: &Event<'_>, encode: impl FnOnce(&mut Vec<u8>)) -> Result<(), GroupError> {
        if let Some((_, after)) = self.seqs.filter(|(_, last)| event.seq <= *last) {
            return Err(GroupError::OutOfOrder { seq: event.seq, after });
        }
        let start = self.frame.len();
        self.frame.extend_from_slice(&[0; LENGTH_BYTES]);
        encode(&mut self.frame);
        let record_len = self.frame.len() - start;
        let event_len = u32::try_from(record_len - LENGTH_BYTES).unwrap_or(u32::MAX);
        if self.frame.len() + CHECKSUM_BYTES > FRAME_BYTES_MAX {
            self.frame.truncate(start);
            return Err(GroupError::Full);
        }
        self.frame[start..start + LENGTH_BYTES].copy_from_slice(&event_len.to_le_bytes());
        self.kept.push((event.kept_until(), record_len as u64));
        self.seqs = Some((self.seqs.map_or(event.seq, |(first, _)| first), event.seq));
        self.settled_at = self.settled_at.max(event.settled_at());
        Ok(())
    }

    /// How many events it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Length of the frame that it makes.
    pub(super) fn frame_bytes(&self) -> u64 {
        (self.frame.len() + CHECKSUM_BYTES) as u64
    }

    /// First and last `seq`, if there are events.
    pub(super) fn seqs(&self) -> Option<(Seq, Seq)> {
        self.seqs
    }

    /// Until when each event is kept, and the bytes it takes up.
    pub(super) fn kept(&self) -> &[(NumericDate, u64)] {
        &self.kept
    }

    /// When the last of the events is settled; the smallest instant without events.
    pub(super) fn settled_at(&self) -> NumericDate {
        self.settled_at
    }

    /// The chain after the events, where `before` is the one before them.
    pub(super) fn chained(&self, before: Head) -> Head {
        events_in(&self.frame[HEADER_BYTES..]).flatten().fold(before, Head::after)
    }

    /// Completes the frame, lets `write` have it, and takes its end off again so that the group may go on.
    pub(super) fn with_frame<T>(
        &mut self,
        place: Place,
        head: Head,
        recorded_at: NumericDate,
        write: impl FnOnce(&[u8], Checksum) -> T,
    ) -> T {
        let len = self.frame.len();
        let own = complete(&mut self.frame, place, head, recorded_at);
        let result = write(&self.frame, own);
        self.frame.truncate(len);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Change, Origin};

    fn event(seq: Seq, id: &str) -> Event<'_> {
        let change = Change::KeyRevoked { id: id.into(), reason: None };
        Event { seq, recorded_at: NumericDate(1), ends_at: NumericDate(2), origin: Origin::INTERNAL, change }
    }

    #[test]
    fn a_full_group_takes_no_more_and_keeps_what_it_has() {
        let (mut group, id) = (Group::new(), "x".repeat(60_000));
        let taken = (1..1_000).find(|seq| group.push(&event(*seq, &id)).is_err()).map_or(0, |seq| seq - 1);
        assert_eq!(group.push(&event(taken + 1, &id)), Err(GroupError::Full));
        assert_eq!((group.len() as u64, group.seqs()), (taken, Some((1, taken))));
        assert!(group.frame_bytes() <= FRAME_BYTES_MAX as u64 && group.frame_bytes() > FRAME_BYTES_MAX as u64 - 61_000);
        group.clear();
        assert!(group.is_empty() && group.frame_bytes() == 104);
    }

    #[test]
    fn a_group_is_in_order() {
        let mut group = Group::new();
        group.push(&event(5, "a")).unwrap();
        for seq in [5, 4, 0] {
            assert_eq!(group.push(&event(seq, "a")), Err(GroupError::OutOfOrder { seq, after: 5 }));
        }
        assert_eq!(group.seqs(), Some((5, 5)));
    }
}
