//! The first start makes an admin key: only its hash is journaled, its text is written once to `admin.key`.

use std::io;
use std::path::Path;

use super::AppError;
use crate::denylist::Denylist;
use crate::event::{Change, Origin};
use crate::journal;
use crate::keys::{self, Scopes};

/// The file in the data directory. It is in no backup, and may be deleted once the key is somewhere safe.
const FILE: &str = "admin.key";

/// Makes the key. The file comes first, and is durable: a crash in between leaves a file that the next start replaces, never a key that
/// nobody knows.
pub(super) async fn create(denylist: &Denylist, store: &Path) -> Result<(), AppError> {
    let path = store.join(FILE);
    let failed = |source| AppError::AdminKey { path: path.clone(), source };
    let new = keys::generate("first admin key", Scopes::ALL).map_err(|error| failed(io::Error::other(error)))?;
    write(&path, &new.text).map_err(failed)?;
    let change = Change::KeyCreated(new.record);
    denylist.record(change, Origin::INTERNAL).await.map_err(|error| failed(io::Error::other(error)))?;
    tracing::info!(path = %path.display(), "first start: the admin key is in this file, and nowhere else");
    Ok(())
}

fn write(path: &Path, key: &str) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    journal::write_private(path, &format!("{key}\n"))
}
