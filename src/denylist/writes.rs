//! Whether the journal takes writes.

use std::sync::atomic::{AtomicU8, Ordering};

use super::request::WriteError;

/// Open; refused, until a probe succeeds; or failed for good.
#[derive(Debug, Default)]
pub(super) struct Writes(AtomicU8);

impl Writes {
    const OPEN: u8 = 0;
    const REFUSED: u8 = 1;
    const FAILED: u8 = 2;

    pub(super) fn check(&self) -> Result<(), WriteError> {
        match self.0.load(Ordering::Acquire) {
            Self::OPEN => Ok(()),
            Self::REFUSED => Err(WriteError::Refused),
            _ => Err(WriteError::Failed),
        }
    }

    pub(super) fn is_refused(&self) -> bool {
        self.0.load(Ordering::Acquire) == Self::REFUSED
    }

    /// Refused writes may be tried again, failed ones may not.
    pub(super) fn may_try(&self) -> Result<(), WriteError> {
        self.check().or_else(|error| if error == WriteError::Refused { Ok(()) } else { Err(error) })
    }

    /// Gives whether they were open until now.
    pub(super) fn refuse(&self) -> bool {
        self.0.compare_exchange(Self::OPEN, Self::REFUSED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Gives whether they were refused until now.
    pub(super) fn resume(&self) -> bool {
        self.0.compare_exchange(Self::REFUSED, Self::OPEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// For good: only a restart, which verifies the journal, takes this back.
    pub(super) fn fail(&self) {
        self.0.store(Self::FAILED, Ordering::Release);
    }
}
