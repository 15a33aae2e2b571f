//! `revokd verify`: the data directory, while no server holds it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::{AppError, parts};
use crate::config::Config;
use crate::denylist::{self, IndexState, OpenError};
use crate::journal::{self, StoreDir};

/// How far a verification has come, in bytes of the journal.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Bytes read.
    pub done_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

/// What a verification found to be in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Journal segments.
    pub segments: u64,
    /// Events in them.
    pub events: u64,
    /// Highest place in the history.
    pub last_seq: u64,
    /// Bytes of a torn last frame, which a start would cut.
    pub torn_bytes: u64,
    /// The index: `equal`, `differs`, which the next start mends by itself, or `unread`: on a read-only file system it
    /// cannot be opened.
    pub index: &'static str,
}

/// Reads the whole journal and holds it against its checksums, and the index against it. Changes no entry.
///
/// # Errors
/// [`AppError`] naming file and offset of the first damage.
pub fn verify(config: &Config, progress: &dyn Fn(Progress)) -> Result<VerifyReport, AppError> {
    let store = take_to_read(&config.store.path)?;
    let sources = parts::sources(store, &config.store);
    let (journal, index) = denylist::verify(&sources, &mut |done_bytes, total_bytes| {
        progress(Progress { done_bytes, total_bytes });
    })?;
    Ok(VerifyReport {
        segments: journal.segments as u64,
        events: journal.events,
        last_seq: journal.last_seq,
        torn_bytes: journal.torn_bytes,
        index: match index {
            IndexState::Equal => "equal",
            IndexState::Differs => "differs",
            IndexState::Unread => "unread",
        },
    })
}

/// Takes the data directory without making anything in it.
pub(super) fn take_to_read(path: &Path) -> Result<Arc<StoreDir>, AppError> {
    let no_store = || AppError::NoStore { path: path.to_owned() };
    if path.metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Err(no_store());
    }
    let store = StoreDir::open_to_read(path)?;
    if !path.join("index").exists() && journal::is_new(&store).map_err(OpenError::from)? {
        return Err(no_store());
    }
    Ok(Arc::new(store))
}
