//! Opening the index of a test, and damaging it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use revokd::denylist::OpenIndex;
use revokd::index::{Index, IndexError};

use super::Store;

impl Store {
    /// The generation of the index that was opened last.
    pub fn index(&self) -> Index {
        self.index.lock().unwrap().clone().unwrap()
    }

    /// Takes every tree of the index from under the denylist; gives how many there were. The next read or write of one
    /// finds out.
    pub fn damage_index(&self) -> usize {
        let index = self.index();
        let buckets = index.buckets();
        for bucket in &buckets {
            index.drop_tree(*bucket).unwrap();
        }
        buckets.len()
    }
}

/// What opens the index; says which type the closure is to have.
pub fn opener(open: impl Fn(&Path) -> Result<Index, IndexError> + Send + Sync + 'static) -> OpenIndex {
    Arc::new(open)
}

/// Opens a generation that this very process may just have closed: sled gives its lock back a moment later, when the
/// last of its own threads is done.
pub fn open_index(path: &Path, cache_bytes: u64) -> Result<Index, IndexError> {
    let begun = Instant::now();
    loop {
        let opened = Index::open(path, cache_bytes);
        let is_locked = opened.as_ref().err().is_some_and(|error| format!("{error:?}").contains("acquire lock"));
        if !is_locked || begun.elapsed() > Duration::from_secs(10) {
            return opened;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
