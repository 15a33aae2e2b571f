//! How an id that must not be logged is still recognised from line to line.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

/// Hashes ids under a secret that is drawn once per process, so that neither a log nor two logs together let anybody
/// test whether a known id is meant (promise 12). Cheap to clone; clones agree.
#[derive(Clone, Default)]
pub struct IdHash {
    // SipHash-1-3, a keyed hash, under keys of the system's random source.
    secret: RandomState,
}

impl IdHash {
    /// Draws a new secret.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is logged in place of `id`. No allocation.
    #[must_use]
    pub fn of(&self, id: &str) -> ShortHash {
        ShortHash(self.secret.hash_one(id))
    }
}

impl fmt::Debug for IdHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdHash(secret)")
    }
}

/// Twelve hexadecimal digits that stand for an id within one process's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortHash(u64);

impl fmt::Display for ShortHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0 >> 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_secret_gives_one_id_one_hash_and_another_secret_another() {
        let (a, b) = (IdHash::new(), IdHash::new());
        assert_eq!(a.of("jti-1"), a.clone().of("jti-1"));
        assert_ne!(a.of("jti-1"), a.of("jti-2"));
        assert_ne!(a.of("jti-1"), b.of("jti-1"));
    }

    #[test]
    fn a_hash_reads_as_twelve_digits() {
        assert_eq!(ShortHash(0xffff).to_string(), "000000000000");
        assert_eq!(ShortHash(u64::MAX).to_string(), "ffffffffffff");
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", IdHash::new()), "IdHash(secret)");
    }
}
