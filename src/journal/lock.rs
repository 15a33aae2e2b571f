//! One process per store: `LOCK` is held, by the operating system's word, as long as its file is open.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Name of the locked file in the store.
const LOCK: &str = "LOCK";

/// Why a store cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process, or another handle of this one, holds it.
    #[error("{} is in use by another revokd; stop that one first, or set store.path to another directory", path.display())]
    Held {
        /// The store.
        path: PathBuf,
    },
    /// The store's directory or its lock file cannot be made or opened.
    #[error("cannot lock {}", path.display())]
    Io {
        /// The lock file, or the store.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The lock on a store; given back when dropped, and by the operating system when the process dies.
#[derive(Debug)]
pub(super) struct StoreLock {
    _file: File,
}

impl StoreLock {
    pub(super) fn take(store: &Path) -> Result<Self, LockError> {
        let path = store.join(LOCK);
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = open.map_err(|source| LockError::Io { path: path.clone(), source })?;
        Self::lock(file, store, path)
    }

    /// The same without making or writing anything; `None` where there is no lock file, so that no server holds it.
    pub(super) fn take_existing(store: &Path) -> Result<Option<Self>, LockError> {
        let path = store.join(LOCK);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LockError::Io { path, source }),
            Ok(file) => Self::lock(file, store, path).map(Some),
        }
    }

    fn lock(file: File, store: &Path, path: PathBuf) -> Result<Self, LockError> {
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held { path: store.to_owned() }),
            Err(TryLockError::Error(source)) => Err(LockError::Io { path, source }),
        }
    }
}
