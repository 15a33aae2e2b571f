//! Reads of the index, off the async threads: a bounded number at a time, each with a deadline.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::metrics::Metrics;
use crate::revocation::Unavailable;

/// The bounded blocking pool.
#[derive(Clone)]
pub(super) struct Reads {
    permits: Arc<Semaphore>,
    timeout: Duration,
    metrics: Metrics,
}

impl Reads {
    pub(super) fn new(reads_max: usize, timeout: Duration, metrics: Metrics) -> Self {
        Self { permits: Arc::new(Semaphore::new(reads_max)), timeout, metrics }
    }

    /// Runs `read`. A read that is late goes on and keeps its permit until it ends, so that a stuck disk cannot pile up
    /// threads.
    ///
    /// # Errors
    /// [`Unavailable::Busy`] when as many as allowed are under way, [`Unavailable::Late`] past the deadline, or what
    /// `read` gives.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, Unavailable> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let permit = self.permits.clone().try_acquire_owned().map_err(|_| Unavailable::Busy)?;
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
