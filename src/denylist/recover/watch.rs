//! Work on the index that may panic or never end, for sled can do both on a damaged tree: it is done on a thread of its
//! own, which is left behind with its generation when it does not go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::Builder;
use std::time::Duration;

use super::fold::Doubt;

/// How long the index may stand still while no server runs.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// How far watched work has come.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<AtomicU64>);

impl Progress {
    /// One more step is done.
    pub(super) fn step(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn steps(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Does `work`, which says by its [`Progress`] that it goes on.
///
/// # Errors
/// [`Doubt::Stuck`] once no step was done for `patience`, [`Doubt::Panicked`], or what `work` gives.
pub(super) fn watched<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce(&Progress) -> Result<T, Doubt> + Send + 'static,
) -> Result<T, Doubt> {
    let progress = Progress::default();
    let (send, done) = mpsc::channel();
    let own = progress.clone();
    // A panic drops the sender.
    let thread = Builder::new().name("index-proof".to_owned()).spawn(move || send.send(work(&own)));
    thread.map_err(|_| Doubt::Stuck)?;
    let mut before = 0;
    loop {
        match done.recv_timeout(patience) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Disconnected) => return Err(Doubt::Panicked),
            Err(RecvTimeoutError::Timeout) if progress.steps() == before => return Err(Doubt::Stuck),
            Err(RecvTimeoutError::Timeout) => before = progress.steps(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(300);

    #[test]
    fn a_panic_is_a_doubt() {
        let done: Result<(), Doubt> = watched(PATIENCE, |_| panic!("on purpose"));
        assert!(matches!(done, Err(Doubt::Panicked)));
    }

    #[test]
    fn work_that_hangs_is_left_behind_also_after_some_steps() {
        let (release, stuck) = mpsc::channel::<()>();
        let done = watched(SHORT, move |progress| {
            progress.step();
            let _ = stuck.recv();
            Ok(())
        });
        assert!(matches!(done, Err(Doubt::Stuck)));
        drop(release);
    }

    #[test]
    fn work_that_goes_on_may_take_longer() {
        let (ticks, tick) = mpsc::channel::<()>();
        let done = watched(SHORT, move |progress| {
            // Nobody ticks: each wait ends by its own time.
            for _ in 0..30 {
                let _ = tick.recv_timeout(SHORT / 10);
                progress.step();
            }
            Ok(30)
        });
        assert!(matches!(done, Ok(30)));
        drop(ticks);
    }
}
