//! One generation of the index while it serves: whether it has failed, and how far it is behind.
//!
//! Both belong to the generation and not to the denylist, so that nobody who still works on an old one, a late reader or
//! a thread that was left behind, can say anything about the new one.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::watch;
use crate::index::Index;

/// A generation of the index, shared by its buckets and whoever reads them.
pub(super) struct Generation {
    pub(super) index: Arc<Index>,
    /// For good: it takes nothing in any more, and is replaced.
    failed: AtomicBool,
    behind: AtomicUsize,
}

impl Generation {
    pub(super) fn new(index: Index) -> Arc<Self> {
        Arc::new(Self { index: Arc::new(index), failed: AtomicBool::new(false), behind: AtomicUsize::new(0) })
    }

    pub(super) fn is_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Notes that the index cannot be relied on; said once.
    pub(super) fn fail(&self, error: &(dyn Error + 'static)) {
        if self.give_up() {
            let path = self.index.path().display();
            tracing::error!(%path, error, "the index failed; checks go on as far as they can, and it is rebuilt by itself");
        }
    }

    /// As [`Self::fail`], without a word; gives whether nobody had before.
    pub(super) fn give_up(&self) -> bool {
        !self.failed.swap(true, Ordering::AcqRel)
    }

    /// Entries that the index has not taken in yet.
    pub(super) fn behind(&self) -> usize {
        self.behind.load(Ordering::Relaxed)
    }

    pub(super) fn add_behind(&self, entries: usize) {
        self.behind.fetch_add(entries, Ordering::Relaxed);
    }

    pub(super) fn sub_behind(&self, entries: usize) {
        self.behind.fetch_sub(entries, Ordering::Relaxed);
    }
}

impl Drop for Generation {
    /// Closing a store that failed can hang as any other work on it can, and the last to hold it may be a reader.
    fn drop(&mut self) {
        if self.is_failed() {
            let index = self.index.clone();
            watch::leave_behind(move || {
                while Arc::strong_count(&index) > 1 {
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
        }
    }
}
