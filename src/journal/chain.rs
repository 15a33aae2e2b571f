//! The chain: a cryptographic hash over all events in order of `seq`, so that none can be altered, removed or moved
//! without a trace by whoever can write the directory but not what the head was told to.

use std::fmt;

use sha2::{Digest, Sha256};

use super::HistoryId;

/// Begins the chain of every history, before its id.
const GENESIS: &[u8] = b"revokd history";

/// SHA-256 over the head before and the bytes of one event: stands for that event and all before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Head(pub [u8; 32]);

impl Head {
    /// In the place of a head where events do not follow each other: in segments that were rewritten.
    pub(super) const NONE: Self = Self([0; 32]);

    /// The head before the first event of a history.
    #[must_use]
    pub fn genesis(history: HistoryId) -> Self {
        Self(Sha256::new().chain_update(GENESIS).chain_update(history.0).finalize().into())
    }

    /// The head after one more event, of these bytes. One SHA-256.
    #[must_use]
    pub fn after(self, event: &[u8]) -> Self {
        Self(Sha256::new().chain_update(self.0).chain_update(event).finalize().into())
    }

    /// The first 48 bits as a number, which a floating-point number holds exactly.
    #[must_use]
    pub fn prefix(self) -> u64 {
        self.0[..6].iter().fold(0, |prefix, byte| prefix << 8 | u64::from(*byte))
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_depends_on_the_history_and_on_every_event_and_their_order() {
        let of = |history: u8, events: &[&str]| {
            let genesis = Head::genesis(HistoryId([history; 16]));
            events.iter().fold(genesis, |head, event| head.after(event.as_bytes()))
        };
        let all = [of(1, &[]), of(2, &[]), of(1, &["a"]), of(1, &["a", "b"]), of(1, &["b", "a"]), of(1, &["a", "c"])];
        for (at, head) in all.iter().enumerate() {
            assert!(!all[..at].contains(head) && *head != Head::NONE);
        }
    }

    #[test]
    fn the_prefix_is_what_the_head_begins_with() {
        let head = Head::genesis(HistoryId([7; 16]));
        assert_eq!(format!("{:012x}", head.prefix()), head.to_string()[..12]);
    }
}
