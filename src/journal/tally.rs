//! How many bytes a segment must keep until when: makes live bytes at an instant cheap to know.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use super::frame::LENGTH_BYTES;
use crate::clock::NumericDate;

/// Event bytes by the instant until which they are kept. Instants are bucket ends, so there are a few hundred of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(BTreeMap<NumericDate, u64>);

impl Tally {
    /// What an event of these bytes takes up in a frame.
    pub(super) fn cost(event: &[u8]) -> u64 {
        (LENGTH_BYTES + event.len()) as u64
    }

    pub(super) fn add(&mut self, kept_until: NumericDate, bytes: u64) {
        *self.0.entry(kept_until).or_default() += bytes;
    }

    /// Bytes of the events that must still be kept at `earliest`.
    pub(super) fn live_bytes(&self, earliest: NumericDate) -> u64 {
        self.0.range((Excluded(earliest), Unbounded)).map(|(_, bytes)| bytes).sum()
    }
}
