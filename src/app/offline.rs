//! The data directory without a server: opened, changed and closed as a server does it, and refused while one holds it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{AppError, ServeOptions, open, threads, verification};
use crate::config::Loaded;
use crate::denylist::{Denylist, Opened};
use crate::metrics::Metrics;

/// Does `work` with the denylist of a data directory that a server has made. What it changes is durable when this returns.
///
/// # Errors
/// [`AppError::Held`] while a server holds the directory, [`AppError::NoStore`] where none has made it,
/// [`AppError::NotOwner`] where its files would be another user's, and whatever keeps a server from starting.
pub fn offline<T>(loaded: &Loaded, work: impl AsyncFnOnce(&Denylist) -> T) -> Result<T, AppError> {
    let path = &loaded.config.store.path;
    drop(verification::take_to_read(path)?);
    is_own(path)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(AppError::system("start the runtime"))?;
    let Opened { denylist, writer, indexer, refiller, .. } = open(loaded, ServeOptions::default(), &Metrics::new())?;
    let threads = threads::start(writer, indexer, refiller)?;
    runtime.block_on(async {
        let done = work(&denylist).await;
        threads::end(denylist, threads).await.map(|()| done)
    })
}

/// Files that `root` makes in a server's directory would keep the server from starting.
fn is_own(path: &Path) -> Result<(), AppError> {
    let owner = |path: &Path| path.metadata().map(|metadata| metadata.uid());
    match (owner(path), owner(Path::new("/proc/self"))) {
        (Ok(theirs), Ok(ours)) if theirs != ours => Err(AppError::NotOwner { path: path.to_owned() }),
        // Where nobody can tell, nothing is lost by trying.
        _ => Ok(()),
    }
}
