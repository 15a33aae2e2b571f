//! What can go wrong with the journal. Every error names the file; damage names the byte as well.

use std::io;

use crate::event::DecodeError;

/// Why the journal cannot be read, or not be trusted.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Bytes that were once synced are not what they were. Nothing is repaired or removed.
    #[error(
        "{file} is damaged at byte {offset}: {what}; restore a backup of the whole store, or start with --accept-loss \
         to go on without what is lost"
    )]
    Damaged {
        /// The file, relative to the store.
        file: String,
        /// The first byte that cannot be believed.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// Written by another version of revokd (promise 13).
    #[error("{file} has format version {found}; this build reads version {known}")]
    Version {
        /// The file, relative to the store.
        file: String,
        /// Its version.
        found: u16,
        /// The version that this build reads and writes.
        known: u16,
    },
    /// Sound by its checksum, but of a version, kind or source that this build does not know (promise 13).
    #[error("{file} was written by another version of revokd: at byte {offset}, {source}")]
    UnknownEvent {
        /// The file, relative to the store.
        file: String,
        /// Where the frame with the event begins.
        offset: u64,
        /// What is not known.
        source: DecodeError,
    },
    /// There is no journal where there must have been one.
    #[error(
        "{file} is missing, but the store is not new; restore a backup of the whole store, or start with --accept-loss"
    )]
    Missing {
        /// The file or directory, relative to the store.
        file: String,
    },
    /// The operating system refused to read, or to repair.
    #[error("cannot {action} {file}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file, relative to the store.
        file: String,
        /// Why not.
        source: io::Error,
    },
    /// A write failed.
    #[error(transparent)]
    Write(#[from] AppendError),
}

/// Why nothing was acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Refused before the sync (disk full, too many open files): nothing of the group is in the journal, and writes
    /// resume by themselves once [`probe`](super::Journal::probe) succeeds.
    #[error("{file} refused a write")]
    Refused {
        /// The file, relative to the store.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A sync, or a step that cannot be taken back, failed. Nobody knows what is on the disk, so nothing is tried
    /// again: the journal takes no more writes until it is opened, and so verified, anew.
    #[error("{file} failed; no more writes until a restart has verified the journal")]
    Failed {
        /// The file, relative to the store.
        file: String,
        /// Why.
        source: io::Error,
    },
}

impl JournalError {
    pub(super) fn damaged(file: &str, offset: u64, what: impl Into<String>) -> Self {
        Self::Damaged { file: file.to_owned(), offset, what: what.into() }
    }

    /// Why an event in a frame whose checksum is right does not decode: another build wrote it, or this one wrote what it
    /// must not have.
    pub(super) fn undecodable(file: &str, offset: u64, error: DecodeError) -> Self {
        match error {
            DecodeError::Version(_) | DecodeError::Kind(_) | DecodeError::Source(_) => {
                Self::UnknownEvent { file: file.to_owned(), offset, source: error }
            }
            DecodeError::Short | DecodeError::Long(_) | DecodeError::Value(_) => {
                Self::damaged(file, offset, error.to_string())
            }
        }
    }

    /// For `map_err`: the operating system refused `action` on `file`.
    pub(super) fn io<'a>(action: &'static str, file: &'a str) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { action, file: file.to_owned(), source }
    }
}

impl AppendError {
    /// For `map_err` before a sync.
    pub(super) fn refused(file: &str) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Refused { file: file.to_owned(), source }
    }

    /// For `map_err` from the sync on.
    pub(super) fn failed(file: &str) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Failed { file: file.to_owned(), source }
    }
}
