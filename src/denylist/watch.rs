//! Work on the index that may panic or never end, for sled can do both on a damaged tree or a full disk: it is done on
//! another thread, which is left behind with its generation when it does not go on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crate::clock::NumericDate;
use crate::index::IndexError;
use crate::revocation::Unavailable;

/// How long the index may stand still while no server runs.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// How long it may once the server is to end.
const ENDING_PATIENCE: Duration = Duration::from_secs(2);

/// How often work is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Why the index is doubted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Doubt {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("the bucket that ends at {0} differs")]
    Unequal(NumericDate),
    #[error("the index's store panicked")]
    Panicked,
    #[error("the index's store does not go on")]
    Stuck,
    #[error("the server is stopping")]
    Ending,
    #[error(transparent)]
    Memory(#[from] Unavailable),
}

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

type Job = Box<dyn FnOnce() + Send>;

/// The conditions of work on the index, and who does it. Clones share both.
#[derive(Clone)]
pub(super) struct Watch {
    patience: Duration,
    /// A server runs beside it; set when that is to end.
    beside: Option<Arc<AtomicBool>>,
    /// Gives work to the thread that did the last, while it has none. A new thread for each would strew what sled keeps
    /// over the heaps of threads that are gone, which took a fifth more memory.
    idle: Arc<Mutex<Option<Sender<Job>>>>,
}

impl Watch {
    /// Work that has to be done: it may stand still for `patience`.
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, beside: None, idle: Arc::default() }
    }

    /// Work that is given up once the server that runs beside it is `ending`.
    pub(super) fn beside(patience: Duration, ending: Arc<AtomicBool>) -> Self {
        Self { patience, beside: Some(ending), idle: Arc::default() }
    }

    pub(super) fn is_beside_a_server(&self) -> bool {
        self.beside.is_some()
    }

    /// Whether the work is to be given up.
    pub(super) fn is_ending(&self) -> bool {
        self.beside.as_ref().is_some_and(|ending| ending.load(Ordering::Acquire))
    }

    /// Does `work`, which says by its [`Progress`] that it goes on.
    ///
    /// # Errors
    /// [`Doubt::Stuck`] once no step was done for too long, [`Doubt::Panicked`], or what `work` gives.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Progress) -> Result<T, Doubt> + Send + 'static,
    ) -> Result<T, Doubt> {
        let progress = Progress::default();
        let (send, done) = mpsc::channel();
        let own = progress.clone();
        // A panic drops `send`, and ends its thread.
        let thread = self.give(Box::new(move || _ = send.send(work(&own))))?;
        let (mut before, mut since) = (0, Instant::now());
        loop {
            match done.recv_timeout(LOOK_EVERY.min(self.patience)) {
                Ok(result) => {
                    *self.idle() = Some(thread);
                    return result;
                }
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

    /// Gives `job` to the idle thread, or to a new one that ends once nobody can give it more.
    fn give(&self, job: Job) -> Result<Sender<Job>, Doubt> {
        let idle = self.idle().take();
        let thread = if let Some(thread) = idle {
            thread
        } else {
            let (thread, jobs) = mpsc::channel::<Job>();
            let work = move || jobs.into_iter().for_each(|job| job());
            Builder::new().name("index-work".to_owned()).spawn(work).map_err(|_| Doubt::Stuck)?;
            thread
        };
        thread.send(job).map_err(|_| Doubt::Panicked)?;
        Ok(thread)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Option<Sender<Job>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does `work` on a thread that nobody waits for.
pub(super) fn leave_behind(work: impl FnOnce() + Send + 'static) {
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
    fn one_thread_does_it_all_until_it_is_left_behind() {
        let watch = Watch::new(SHORT);
        let who = || watch.run(|_| Ok(std::thread::current().id())).unwrap();
        let first = who();
        assert_eq!(first, who());
        let (release, stuck) = mpsc::channel::<()>();
        assert!(watch.run(move |_| Ok(_ = stuck.recv())).is_err());
        let second = who();
        assert_ne!(first, second);
        assert!(watch.run(|_| -> Result<(), Doubt> { panic!("on purpose") }).is_err());
        assert_ne!(second, who());
        drop(release);
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
