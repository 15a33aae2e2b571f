//! Reads of the index, off the async threads: a bounded number at a time, each with a deadline.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::state::State;
use crate::metrics::Metrics;
use crate::revocation::Unavailable;

/// Whose read it is: the last tenth of the reads is for admins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Anybody's.
    Ordinary,
    /// An admin's, whom a flood of checks must not keep out.
    Admin,
}

/// The bounded blocking pool.
#[derive(Clone)]
pub(super) struct Reads {
    common: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
    timeout: Duration,
    metrics: Metrics,
}

impl Reads {
    pub(super) fn new(reads_max: usize, timeout: Duration, metrics: Metrics) -> Self {
        let reserved = reads_max / 10;
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { common: semaphore(reads_max - reserved), reserved: semaphore(reserved), timeout, metrics }
    }

    /// Runs `read`. A read that is late goes on and keeps its permit until it ends, so that a stuck disk cannot pile up
    /// threads.
    ///
    /// # Errors
    /// [`Unavailable::Busy`] when as many as allowed are under way, [`Unavailable::Late`] past the deadline, or what
    /// `read` gives.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        priority: Priority,
        read: impl FnOnce() -> Result<T, Unavailable> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let permit = match self.common.clone().try_acquire_owned() {
            Err(_) if priority == Priority::Admin => self.reserved.clone().try_acquire_owned(),
            permit => permit,
        };
        let permit = permit.map_err(|_| Unavailable::Busy)?;
        let task = tokio::task::spawn_blocking(move || {
            let result = read();
            drop(permit);
            result
        });
        let result = match tokio::time::timeout(self.timeout, task).await {
            Ok(Ok(result)) => result,
            Ok(Err(_panicked)) => Err(Unavailable::Index),
            Err(_elapsed) => Err(Unavailable::Late),
        };
        if matches!(result, Err(Unavailable::Index)) {
            self.metrics.store.errors.read.increment(1);
        }
        result
    }
}

impl State {
    /// Does a read of overlay and index. An index that holds what cannot be read, or whose store panics, has failed.
    pub(super) fn reading<T>(&self, read: impl FnOnce() -> Result<T, Unavailable>) -> Result<T, Unavailable> {
        // Taken hold of before the buckets are, so that a new generation never answers for what an old one holds.
        let generation = self.buckets.generation();
        let done = catch_unwind(AssertUnwindSafe(read)).unwrap_or(Err(Unavailable::Index));
        if matches!(done, Err(Unavailable::Index)) {
            generation.fail(&Unavailable::Index);
        }
        done
    }

    pub(super) fn index_failed(&self) -> bool {
        self.buckets.generation().is_failed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_flood_of_reads_leaves_a_tenth_to_admins() {
        let reads = Reads::new(20, Duration::from_secs(30), Metrics::new());
        let (stuck, free): (Vec<_>, Vec<_>) = (0..20).map(|_| mpsc::channel::<()>()).unzip();
        let mut under_way = tokio::task::JoinSet::new();
        for (n, free) in free.into_iter().enumerate() {
            let priority = if n < 18 { Priority::Ordinary } else { Priority::Admin };
            if n == 18 {
                let refused = reads.run(Priority::Ordinary, || Ok(())).await;
                assert_eq!(refused, Err(Unavailable::Busy));
                assert_eq!(reads.run(Priority::Admin, || Ok(())).await, Ok(()));
            }
            let reads = reads.clone();
            let read = move || {
                let _ = free.recv();
                Ok(())
            };
            under_way.spawn(async move { reads.run(priority, read).await });
            tokio::task::yield_now().await;
        }
        assert_eq!(reads.run(Priority::Admin, || Ok(())).await, Err(Unavailable::Busy));
        drop(stuck);
        assert!(under_way.join_all().await.iter().all(Result::is_ok));
        assert_eq!(reads.run(Priority::Ordinary, || Ok(())).await, Ok(()));
    }
}
