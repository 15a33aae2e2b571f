//! Work on the index that may panic or never end, for sled can do both on a damaged tree or a full disk: it is done on a
//! thread of its own, which is left behind with its generation when it does not go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::fold::Doubt;

/// How long the index may stand still while no server runs.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// How long it may once the server is to end.
const ENDING_PATIENCE: Duration = Duration::from_secs(2);

/// How often work is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How far watched work has come.
#[derive(Clone, Default)]
pub(in super::super) struct Progress(Arc<AtomicU64>);

impl Progress {
    /// One more step is done.
    pub(in super::super) fn step(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn steps(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The conditions of work on the index.
#[derive(Clone)]
pub(in super::super) struct Watch {
    patience: Duration,
    /// A server runs beside it; set when that is to end.
    beside: Option<Arc<AtomicBool>>,
}

impl Watch {
    /// Work that has to be done: it may stand still for `patience`.
    pub(in super::super) fn new(patience: Duration) -> Self {
        Self { patience, beside: None }
    }

    /// Work that is given up once the server that runs beside it is `ending`.
    pub(in super::super) fn beside(patience: Duration, ending: Arc<AtomicBool>) -> Self {
        Self { patience, beside: Some(ending) }
    }

    pub(super) fn is_beside_a_server(&self) -> bool {
        self.beside.is_some()
    }

    /// Whether the work is to be given up.
    pub(in super::super) fn is_ending(&self) -> bool {
        self.beside.as_ref().is_some_and(|ending| ending.load(Ordering::Acquire))
    }

    /// Does `work`, which says by its [`Progress`] that it goes on.
    ///
    /// # Errors
    /// [`Doubt::Stuck`] once no step was done for too long, [`Doubt::Panicked`], or what `work` gives.
    pub(in super::super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Progress) -> Result<T, Doubt> + Send + 'static,
    ) -> Result<T, Doubt> {
        let progress = Progress::default();
        let (send, done) = mpsc::channel();
        let own = progress.clone();
        // A panic drops the sender.
        let thread = Builder::new().name("index-work".to_owned()).spawn(move || send.send(work(&own)));
        thread.map_err(|_| Doubt::Stuck)?;
        let (mut before, mut since) = (0, Instant::now());
        loop {
            match done.recv_timeout(LOOK_EVERY.min(self.patience)) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => return Err(Doubt::Panicked),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let steps = progress.steps();
            if steps != before {
                (before, since) = (steps, Instant::now());
            }
            let patience = if self.is_ending() { self.patience.min(ENDING_PATIENCE) } else { self.patience };
            if since.elapsed() >= patience {
                return Err(Doubt::Stuck);
            }
        }
    }
}

/// Does `work` on a thread that nobody waits for.
pub(in super::super) fn leave_behind(work: impl FnOnce() + Send + 'static) {
    // Without a thread it is dropped, and so done, here.
    _ = Builder::new().name("index-left".to_owned()).spawn(work);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(300);

    #[test]
    fn a_panic_is_a_doubt() {
        let done: Result<(), Doubt> = Watch::new(PATIENCE).run(|_| panic!("on purpose"));
        assert!(matches!(done, Err(Doubt::Panicked)));
    }

    #[test]
    fn work_that_hangs_is_left_behind_also_after_some_steps() {
        let (release, stuck) = mpsc::channel::<()>();
        let done = Watch::new(SHORT).run(move |progress| {
            progress.step();
            let _ = stuck.recv();
            Ok(())
        });
        assert!(matches!(done, Err(Doubt::Stuck)));
        drop(release);
    }

    #[test]
    fn work_beside_a_server_that_ends_is_left_behind_soon() {
        let (release, stuck) = mpsc::channel::<()>();
        let ending = Arc::new(AtomicBool::new(true));
        let begun = Instant::now();
        let done = Watch::beside(PATIENCE, ending).run(move |_| Ok(_ = stuck.recv()));
        assert!(matches!(done, Err(Doubt::Stuck)) && begun.elapsed() < PATIENCE / 2);
        drop(release);
    }

    #[test]
    fn work_that_goes_on_may_take_longer() {
        let (ticks, tick) = mpsc::channel::<()>();
        let done = Watch::new(SHORT).run(move |progress| {
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
