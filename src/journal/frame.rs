//! A frame, byte by byte: the unit of recovery. One group of events, one write, one sync. See `docs/STORAGE.md`.
//!
//! | bytes | field |
//! | --- | --- |
//! | 4 | magic `FF 52 4A`, version `02` |
//! | 4 | length of the events, bytes |
//! | 8 | number of the frame in its segment, from 0 |
//! | 16 | history id |
//! | 8 | recorded time, seconds |
//! | 16 | checksum of the frame before; for the first of a segment its `seed` |
//! | 32 | head of the chain after the events; zeros in a segment that was rewritten |
//! | … | events, each with its length (4 bytes) before it |
//! | 16 | XXH3-128 of all bytes above |
//!
//! Integers are little-endian. No UTF-8 text holds the byte `FF`, so no claim that a caller chose can pass for a frame.

use xxhash_rust::xxh3::xxh3_128;

use super::HistoryId;
use super::chain::Head;
use super::error::JournalError;
use crate::clock::NumericDate;

/// Begins every frame of every version; the version is the next byte.
const MAGIC: [u8; 3] = [0xFF, b'R', b'J'];
/// The version that this build writes, and the only one it reads.
const VERSION: u8 = 2;
pub(super) const HEADER_BYTES: usize = 88;
pub(super) const CHECKSUM_BYTES: usize = 16;

/// What a frame costs beside its events, bytes.
pub(super) const OVERHEAD_BYTES: u64 = (HEADER_BYTES + CHECKSUM_BYTES) as u64;
/// What an event costs beside its own bytes: its length.
pub(super) const LENGTH_BYTES: usize = 4;
/// Longest frame, bytes: nothing torn or allocated while reading is larger.
pub const FRAME_BYTES_MAX: usize = 16 << 20;

/// An XXH3-128 as it stands in a frame. Guards against rot and mistakes, not against whoever can write the directory.
pub(super) type Checksum = [u8; CHECKSUM_BYTES];

/// The checksum of bytes.
pub(super) fn checksum(bytes: &[u8]) -> Checksum {
    xxh3_128(bytes).to_le_bytes()
}

/// What stands before the first frame of a segment: no frame of another segment or history fits behind it.
pub(super) fn seed(history: HistoryId, segment: u64) -> Checksum {
    let mut bytes = [0; 24];
    bytes[..16].copy_from_slice(&history.0);
    bytes[16..].copy_from_slice(&segment.to_le_bytes());
    checksum(&bytes)
}

/// Where a frame stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) history: HistoryId,
    pub(super) before: Checksum,
}

/// Makes a frame of room for a header and the events behind it; returns its checksum.
pub(super) fn complete(frame: &mut Vec<u8>, place: Place, head: Head, recorded_at: NumericDate) -> Checksum {
    let events_len = u32::try_from(frame.len() - HEADER_BYTES).unwrap_or(u32::MAX);
    frame[..3].copy_from_slice(&MAGIC);
    frame[3] = VERSION;
    frame[4..8].copy_from_slice(&events_len.to_le_bytes());
    frame[8..16].copy_from_slice(&place.number.to_le_bytes());
    frame[16..32].copy_from_slice(&place.history.0);
    frame[32..40].copy_from_slice(&recorded_at.0.to_le_bytes());
    frame[40..56].copy_from_slice(&place.before);
    frame[56..88].copy_from_slice(&head.0);
    let own = checksum(frame);
    frame.extend_from_slice(&own);
    own
}

/// A frame whose checksum is right. Of another version, it says nothing that can be relied on but where it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    version: u8,
    pub(super) place: Place,
    pub(super) recorded_at: NumericDate,
    /// The chain after its events; whether it fits them is not this module's to judge.
    pub(super) head: Head,
    pub(super) checksum: Checksum,
    /// Length of the whole frame, bytes.
    pub(super) bytes: usize,
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoFrame {
    /// A frame of so many bytes may begin here, but fewer are at hand.
    Needs(usize),
    /// Something else, or a frame that was torn or has rotted.
    Bad(&'static str),
}

impl Frame {
    /// The frame at the front of `bytes`.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, NoFrame> {
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(NoFrame::Needs(HEADER_BYTES))?;
        if header[..3] != MAGIC {
            return Err(NoFrame::Bad("no frame begins here"));
        }
        let events_len = usize::try_from(u32::from_le_bytes(part(header, 4))).unwrap_or(usize::MAX);
        if events_len > FRAME_BYTES_MAX - HEADER_BYTES - CHECKSUM_BYTES {
            return Err(NoFrame::Bad("the frame's length is beyond its limit"));
        }
        let events_end = HEADER_BYTES + events_len;
        let frame_end = events_end + CHECKSUM_BYTES;
        let own: Checksum = match bytes.get(events_end..frame_end) {
            Some(own) => part(own, 0),
            None => return Err(NoFrame::Needs(frame_end)),
        };
        if checksum(&bytes[..events_end]) != own {
            return Err(NoFrame::Bad("the frame's checksum is wrong"));
        }
        Ok(Self {
            version: header[3],
            place: Place {
                number: u64::from_le_bytes(part(header, 8)),
                history: HistoryId(part(header, 16)),
                before: part(header, 40),
            },
            recorded_at: NumericDate(i64::from_le_bytes(part(header, 32))),
            head: Head(part(header, 56)),
            checksum: own,
            bytes: frame_end,
        })
    }

    /// Refuses a frame of another version by name (promise 13): the checksum says that it has not rotted.
    pub(super) fn of_this_version(&self, file: &str) -> Result<(), JournalError> {
        if self.version == VERSION {
            return Ok(());
        }
        Err(JournalError::Version { file: file.to_owned(), found: self.version.into(), known: VERSION.into() })
    }

    /// Offset of the first valid frame in `bytes`, of whatever segment or history. Linear: a byte that cannot stand in
    /// text begins each frame, so few places are tried.
    pub(super) fn find(bytes: &[u8]) -> Option<(usize, Self)> {
        let mut from = 0;
        while let Some(step) = bytes[from..].windows(MAGIC.len()).position(|window| window == MAGIC) {
            let at = from + step;
            if let Ok(frame) = Self::parse(&bytes[at..]) {
                return Some((at, frame));
            }
            from = at + 1;
        }
        None
    }
}

/// The bytes of each event of a frame; an error says what is wrong with them.
pub(super) fn events_of(frame: &[u8]) -> impl Iterator<Item = Result<&[u8], &'static str>> {
    events_in(&frame[HEADER_BYTES..frame.len() - CHECKSUM_BYTES])
}

/// The bytes of each event of what lies between header and checksum.
pub(super) fn events_in(mut rest: &[u8]) -> impl Iterator<Item = Result<&[u8], &'static str>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let event = rest.split_first_chunk().and_then(|(len, tail)| {
            tail.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX))
        });
        rest = event.map_or(&[], |(_, tail)| tail);
        Some(event.map(|(event, _)| event).ok_or("an event is longer than its frame"))
    })
}

/// `N` bytes at `offset`, which the caller knows to be there.
fn part<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[offset..offset + N]);
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(events: &[u8]) -> Vec<u8> {
        let mut bytes = [&[0; HEADER_BYTES], events].concat();
        let place = Place { number: 7, history: HistoryId([3; 16]), before: [9; 16] };
        complete(&mut bytes, place, Head([5; 32]), NumericDate(-5));
        bytes
    }

    #[test]
    fn what_is_written_is_parsed() {
        let bytes = frame(&[2, 0, 0, 0, 10, 11, 0, 0, 0, 0]);
        let frame = Frame::parse(&[bytes.as_slice(), b"more"].concat()).unwrap();
        assert_eq!(frame.place, Place { number: 7, history: HistoryId([3; 16]), before: [9; 16] });
        assert_eq!((frame.recorded_at, frame.head, frame.bytes), (NumericDate(-5), Head([5; 32]), bytes.len()));
        assert_eq!(events_of(&bytes).collect::<Vec<_>>(), [Ok(&[10, 11][..]), Ok(&[][..])]);
    }

    #[test]
    fn every_changed_bit_and_every_missing_byte_is_noticed() {
        let bytes = frame(&[1, 0, 0, 0, 42]);
        for at in 0..bytes.len() {
            assert!(matches!(Frame::parse(&bytes[..at]), Err(NoFrame::Needs(_))), "cut at {at}");
            for bit in 0..8 {
                let mut wrong = bytes.clone();
                wrong[at] ^= 1 << bit;
                assert!(Frame::parse(&wrong).is_err(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn zeros_and_events_longer_than_their_frame_are_refused() {
        assert_eq!(Frame::parse(&[0; 100]).unwrap_err(), NoFrame::Bad("no frame begins here"));
        for events in [&[9, 0, 0, 0, 1][..], &[1, 0], &[255, 255, 255, 255]] {
            assert!(events_of(&frame(events)).any(|event| event.is_err()));
        }
    }

    #[test]
    fn a_frame_is_found_behind_anything() {
        let bytes = frame(b"");
        let rest = [&MAGIC[..], &[VERSION], &[0xFF; 9], &bytes[..50], &bytes].concat();
        assert_eq!(Frame::find(&rest).unwrap().0, 4 + 9 + 50);
        assert!(Frame::find(&rest[..rest.len() - 1]).is_none());
    }
}
