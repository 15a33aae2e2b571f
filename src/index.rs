//! What sled holds: exact records and listings, one tree per bucket, rebuildable from the journal at any time.
//!
//! The only place that names sled. sled's `flush` does not sync, and it can lose records without a word, so nothing
//! here is believed before [`BucketTree::scan`] has found it equal to the journal.

mod layout;
mod newest;
mod panics;

use std::io;
use std::path::{Path, PathBuf};

pub use layout::Digest;
use layout::PairKey;
pub use panics::soften as soften_panics;

use crate::event::{DecodeError, Event, Seq};
use crate::revocation::BucketId;
use crate::token::Key;

/// Why the index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// sled said so.
    #[error("the index's store failed")]
    Store(#[from] sled::Error),
    /// A file or directory beside sled's could not be read or changed.
    #[error("{path} cannot be read or changed")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Opening it takes longer than `store.open_timeout_ms`: a damaged store can hang.
    #[error("{path} cannot be opened in time")]
    Hanging {
        /// The generation's directory.
        path: PathBuf,
    },
    /// sled panicked while it opened the store: it is damaged.
    #[error("{path} is damaged: opening it panicked")]
    Panicked {
        /// The generation's directory.
        path: PathBuf,
    },
    /// A record does not decode.
    #[error("a record of the index does not decode")]
    Record(#[from] DecodeError),
    /// A key or a mark of no known form.
    #[error("the index holds something of an unknown form")]
    Form,
}

impl IndexError {
    /// Whether the file system does not permit writing, which opening takes.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        let kind = match self {
            Self::Store(sled::Error::Io(source)) | Self::File { source, .. } => source.kind(),
            Self::Store(_) | Self::Hanging { .. } | Self::Panicked { .. } | Self::Record(_) | Self::Form => {
                return false;
            }
        };
        matches!(kind, io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
    }
}

/// One generation of the index, in a directory of its own.
#[derive(Clone)]
pub struct Index {
    db: sled::Db,
    path: PathBuf,
}

impl Index {
    /// Opens or creates the index in `path`, with `cache_bytes` for sled's page cache.
    ///
    /// May hang on a damaged store, so the caller sets a watchdog. Leftovers of a snapshot that was being written when
    /// the process was killed are removed first: with one, sled refuses to open.
    ///
    /// # Errors
    /// [`IndexError`] where the store is damaged, locked, or the file system refuses.
    pub fn open(path: &Path, cache_bytes: u64) -> Result<Self, IndexError> {
        let file_error = |source| IndexError::File { path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(file_error)?;
        for entry in std::fs::read_dir(path).map_err(file_error)? {
            let entry = entry.map_err(file_error)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("snap.") && name.ends_with(".generating") {
                std::fs::remove_file(entry.path()).map_err(file_error)?;
            }
        }
        // The journal is the authority: the periodic flush only bounds how far the index is behind after a power cut.
        let db = sled::Config::new()
            .path(path)
            .cache_capacity(cache_bytes)
            .flush_every_ms(Some(5_000))
            .mode(sled::Mode::LowSpace)
            .open()?;
        Ok(Self { db, path: path.to_owned() })
    }

    /// The directory of this generation.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every bucket that has a tree.
    #[must_use]
    pub fn buckets(&self) -> Vec<BucketId> {
        self.db.tree_names().iter().filter_map(|name| layout::bucket_of_tree(name)).collect()
    }

    /// The tree of `bucket`, made if need be.
    ///
    /// # Errors
    /// [`IndexError`] where sled fails.
    pub fn tree(&self, bucket: BucketId) -> Result<BucketTree, IndexError> {
        Ok(BucketTree { tree: self.db.open_tree(layout::tree_name(bucket))? })
    }

    /// Drops the tree of `bucket` with all it holds. Nobody may read it any more.
    ///
    /// # Errors
    /// [`IndexError`] where sled fails.
    pub fn drop_tree(&self, bucket: BucketId) -> Result<(), IndexError> {
        self.db.drop_tree(layout::tree_name(bucket))?;
        Ok(())
    }

    /// Bytes on disk.
    ///
    /// # Errors
    /// [`IndexError`] where sled fails.
    pub fn size_bytes(&self) -> Result<u64, IndexError> {
        Ok(self.db.size_on_disk()?)
    }

    /// Hands everything to the operating system. No guarantee beyond that: the journal gives it.
    ///
    /// # Errors
    /// [`IndexError`] where sled fails.
    pub fn flush(&self) -> Result<(), IndexError> {
        self.db.flush()?;
        Ok(())
    }
}

/// The bytes of an event, held by the index's cache.
pub struct RawEvent(sled::IVec);

impl AsRef<[u8]> for RawEvent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The entries of one bucket. Cheap to clone.
#[derive(Clone)]
pub struct BucketTree {
    tree: sled::Tree,
}

impl BucketTree {
    /// Takes one event in, which makes the entry `key`; its listing entry comes with [`Self::set_mark`]. Applying twice
    /// is the same as once.
    ///
    /// # Errors
    /// [`IndexError`] where sled fails.
    pub fn insert(&self, key: &Key, event: &Event<'_>, raw: &[u8]) -> Result<(), IndexError> {
        let mut result = Ok(());
        layout::for_each_pair(key, event, raw, |key, value| {
            if result.is_ok() {
                result = self.tree.insert(key, value).map(drop);
            }
        });
        Ok(result?)
    }

    /// Lists the events that were taken in since the mark, which are to be in order, and sets the mark to the last: the
    /// tree then holds every event of its bucket up to there.
    ///
    /// # Errors
    /// [`IndexError`] where sled fails.
    pub fn set_mark(&self, listed: &[(Seq, Key)]) -> Result<(), IndexError> {
        let Some((last, _)) = listed.last() else { return Ok(()) };
        for block in listed.chunks(layout::BLOCK_ENTRIES_MAX) {
            self.tree.insert(layout::seq_key(block[0].0), layout::block(block))?;
        }
        self.tree.insert(layout::MARK, &last.to_be_bytes())?;
        Ok(())
    }

    /// Removes listing entries above the mark: a crash came between them and the mark, and the events that will be
    /// taken in again are listed again.
    ///
    /// # Errors
    /// [`IndexError`] where sled fails.
    pub fn cut_listing(&self, mark: Seq) -> Result<(), IndexError> {
        let above = layout::seq_key(mark.saturating_add(1))..layout::seq_key(Seq::MAX);
        for pair in self.tree.range(above) {
            self.tree.remove(pair?.0)?;
        }
        Ok(())
    }

    /// The mark; 0 before the first.
    ///
    /// # Errors
    /// [`IndexError`] where sled fails or the mark is none.
    pub fn mark(&self) -> Result<Seq, IndexError> {
        let Some(value) = self.tree.get(layout::MARK)? else { return Ok(0) };
        layout::seq_of(&value).ok_or(IndexError::Form)
    }

    /// The bytes of the latest event of `key`, if there is one. One descent of the tree.
    ///
    /// # Errors
    /// [`IndexError`] where sled fails.
    pub fn latest(&self, key: &Key) -> Result<Option<(Seq, RawEvent)>, IndexError> {
        let last = layout::record_key(key, Seq::MAX);
        match self.tree.get_lt(last)? {
            Some((found, raw)) if found.starts_with(&last[..17]) => {
                let seq = layout::seq_of(&found[17..]).ok_or(IndexError::Form)?;
                Ok(Some((seq, RawEvent(raw))))
            }
            _ => Ok(None),
        }
    }

    /// How many events of `key` the bucket holds.
    ///
    /// # Errors
    /// [`IndexError`] where sled fails.
    pub fn changes(&self, key: &Key) -> Result<usize, IndexError> {
        let mut changes = 0;
        for pair in self.tree.scan_prefix(&layout::record_key(key, 0)[..17]) {
            pair?;
            changes += 1;
        }
        Ok(changes)
    }

    /// Scans the tree in order: hands each record's key to `each`, and digests every pair of an event up to `last`.
    ///
    /// # Errors
    /// [`IndexError`] where sled fails or holds what this layout does not know.
    pub fn scan(&self, last: Seq, mut each: impl FnMut(&Key)) -> Result<Digest, IndexError> {
        let mut digest = Digest::default();
        let mut scratch = Vec::with_capacity(512);
        for pair in &self.tree {
            let (key, value) = pair?;
            match layout::parse_key(&key).ok_or(IndexError::Form)? {
                PairKey::Record(_, seq) | PairKey::OfSubject(seq) if seq > last => {}
                PairKey::Record(entry, _) => {
                    each(&entry);
                    digest.add(&mut scratch, &key, &value);
                }
                PairKey::OfSubject(_) => digest.add(&mut scratch, &key, &value),
                PairKey::Block => {
                    let listed = layout::parse_block(&value).ok_or(IndexError::Form)?;
                    for (seq, key) in listed.filter(|(seq, _)| *seq <= last) {
                        digest.add_listed(&mut scratch, seq, &key);
                    }
                }
                PairKey::Mark => {}
            }
        }
        Ok(digest)
    }

    /// Hands the key of each record to `each`, in order.
    ///
    /// # Errors
    /// [`IndexError`] where sled fails or holds what this layout does not know.
    pub fn for_each_key(&self, mut each: impl FnMut(Key)) -> Result<(), IndexError> {
        for pair in self.tree.scan_prefix([b'k']).keys() {
            match layout::parse_key(&pair?) {
                Some(PairKey::Record(key, _)) => each(key),
                _ => return Err(IndexError::Form),
            }
        }
        Ok(())
    }

    /// The bytes of each record, in the order of keys.
    ///
    /// # Errors
    /// Each item, where sled fails.
    pub fn records(&self) -> impl Iterator<Item = Result<RawEvent, IndexError>> + use<> {
        self.tree.scan_prefix([b'k']).values().map(|value| value.map(RawEvent).map_err(IndexError::from))
    }
}

#[cfg(test)]
mod tests;
