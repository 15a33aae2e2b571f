//! Token ids that look like those of real issuers (version 4 UUIDs) and are the same in every run.

use std::fmt::Write as _;

/// An endless, repeatable list of ids; lists of different seeds have none in common, for all that matters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids {
    seed: u64,
}

impl Ids {
    /// The list of this seed.
    #[must_use]
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The id at `index`. Any order, no state: two threads can walk the same list.
    #[must_use]
    pub(crate) fn at(self, index: u64) -> String {
        let mut text = String::with_capacity(36);
        self.write(index, &mut text);
        text
    }

    /// Writes the id at `index` over what `text` holds; allocates nothing once `text` has room for 36 bytes.
    pub(crate) fn write(self, index: u64, text: &mut String) {
        let (high, low) = (self.mixed(2 * index), self.mixed(2 * index + 1));
        text.clear();
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        );
    }

    /// The output of splitmix64 (Steele, Lea, Flood, 2014) at a position.
    fn mixed(self, position: u64) -> u64 {
        let mut z =
            self.seed.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(position.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
