//! Certificates that are renewed on disk, taken over without dropping a connection.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{FileError, Settings, Tls};
use crate::clock::NumericDate;

/// Watches the files of [`Tls`] and takes over what is new in them.
pub struct Renewal {
    tls: Tls,
    seen: Stamps,
    /// Why the last attempt failed, if it did.
    refused: Option<FileError>,
}

/// What a look at the files has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewed {
    /// They are as they were, or as wrong as they were.
    Nothing,
    /// They are in force; this is when the certificate ends.
    Taken(NumericDate),
    /// They cannot be used, and what was in force stays so. Said once for each reason.
    Refused(FileError),
}

impl Renewal {
    /// Begins with what is in force now.
    #[must_use]
    pub fn new(tls: Tls) -> Self {
        Self { seen: tls.inner.stamps.clone(), tls, refused: None }
    }

    /// Reads the files if they have changed, if they could not be used the last time, or if somebody has asked for it.
    pub fn look(&mut self, asked: bool) -> Renewed {
        let now = stamps(&self.tls.inner.settings);
        let changed = std::mem::replace(&mut self.seen, now.clone()) != now;
        if !asked && !changed && self.refused.is_none() {
            return Renewed::Nothing;
        }
        match self.tls.reload() {
            Ok(not_after) => {
                self.refused = None;
                Renewed::Taken(not_after)
            }
            Err(error) => {
                let is_told = !asked && self.refused.as_ref() == Some(&error);
                self.refused = Some(error.clone());
                if is_told { Renewed::Nothing } else { Renewed::Refused(error) }
            }
        }
    }

    /// Why the files cannot be used at the moment, if they cannot.
    #[must_use]
    pub const fn refused(&self) -> Option<&FileError> {
        self.refused.as_ref()
    }

    /// When the certificate in force ends.
    #[must_use]
    pub fn not_after(&self) -> NumericDate {
        self.tls.not_after()
    }
}

/// What shows that a file has changed: it, or the link to it, has been replaced or written, or has other rights now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

pub(super) type Stamps = [Option<Stamp>; 3];

pub(super) fn stamps(settings: &Settings) -> Stamps {
    let ca = settings.client_ca_file.as_deref();
    [stamp(&settings.certificate_file), stamp(&settings.key_file), ca.and_then(stamp)]
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        bytes: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}
