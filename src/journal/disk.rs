//! The fault seam: all that the journal asks of a disk, so that tests can put one in its place that forgets what was
//! not synced, fails at the Nth operation, or stops there.
//!
//! Paths are relative to the store, with `/` between names; the empty path is the store itself.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::lock::{LockError, StoreLock};

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// An existing file, to be read.
    Read,
    /// An existing file, to be read and written.
    Write,
    /// A new file, to be read and written; what had its name before is emptied.
    Create,
}

/// Directory operations. Durable after [`sync_dir`](Disk::sync_dir) of the directory that holds the name.
#[allow(clippy::missing_errors_doc)] // every method fails as the operating system does
pub trait Disk: Send + Sync {
    /// Names in a directory, sorted; `NotFound` if there is none.
    fn names(&self, dir: &str) -> io::Result<Vec<String>>;
    /// Makes a directory; an existing one is as good.
    fn create_dir(&self, dir: &str) -> io::Result<()>;
    /// Opens a file.
    fn open(&self, path: &str, mode: Mode) -> io::Result<Box<dyn DiskFile>>;
    /// Moves a file, replacing what has the new name, or a directory.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file or an empty directory.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Makes all names created, renamed or removed in `dir` durable.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
}

/// File operations, at positions. Durable after [`sync`](DiskFile::sync).
#[allow(clippy::missing_errors_doc, clippy::len_without_is_empty)] // a length in bytes, not a collection's
pub trait DiskFile: Send + Sync {
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Fills `buf` from `offset`; `UnexpectedEof` where the file ends before that.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`; after an error any part of it may be there.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts the file, or extends it by zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes all writes and the length durable (`fdatasync`). Never called again after it has failed.
    fn sync(&self) -> io::Result<()>;
}

/// The real thing: a store's directory, which this value keeps locked against every other process.
#[derive(Debug)]
pub struct StoreDir {
    root: PathBuf,
    _lock: Option<StoreLock>,
}

impl StoreDir {
    /// Takes the directory at `root`, which is made, readable by its owner only, where it is missing.
    ///
    /// # Errors
    /// [`LockError`] when another process holds it, or when it cannot be made or locked.
    pub fn open(root: &Path) -> Result<Self, LockError> {
        make_durable_dir(root).map_err(|source| LockError::Io { path: root.to_owned(), source })?;
        Ok(Self { root: root.to_owned(), _lock: Some(StoreLock::take(root)?) })
    }

    /// Takes the directory at `root` for reading only: makes nothing and writes nothing, so that a snapshot on a
    /// read-only file system can be read too.
    ///
    /// # Errors
    /// [`LockError`] when another process holds it, or when its lock file cannot be opened or locked.
    pub fn open_to_read(root: &Path) -> Result<Self, LockError> {
        Ok(Self { root: root.to_owned(), _lock: StoreLock::take_existing(root)? })
    }
}

/// Makes a directory and those above it, and their names durable.
fn make_durable_dir(path: &Path) -> io::Result<()> {
    let new: Vec<_> = path.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for dir in new {
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Makes a file that only its owner may read, with its contents and its name durable.
///
/// # Errors
/// As the operating system fails, also where the file exists.
pub fn write_private(path: &Path, contents: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(contents.as_bytes())?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

impl Disk for StoreDir {
    fn names(&self, dir: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root.join(dir))? {
            // Names that are no UTF-8 are none of ours.
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.root.join(dir))
    }

    fn open(&self, path: &str, mode: Mode) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).mode(0o600);
        match mode {
            Mode::Read => {}
            Mode::Write => _ = options.write(true),
            Mode::Create => _ = options.write(true).create(true).truncate(true),
        }
        Ok(Box::new(options.open(self.root.join(path))?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.root.join(from), self.root.join(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let path = self.root.join(path);
        if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) }
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        File::open(self.root.join(dir))?.sync_all()
    }
}

impl DiskFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buf, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
