//! Choices that a seed repeats (`SplitMix64`).

use std::hash::{BuildHasher, RandomState};

/// A sequence of choices.
#[derive(Debug)]
pub(super) struct Chance(u64);

/// A seed that is another one in every run.
pub(super) fn seed() -> u64 {
    // 53 bits, so that it survives every tool it may be copied through.
    RandomState::new().hash_one(0_u8) >> 11
}

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(super) const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
