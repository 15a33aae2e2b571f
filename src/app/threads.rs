//! Waiting for threads to end, but not for ever.

use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::Instant;

/// How often a thread that has not ended yet is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What became of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Ended,
    /// It panicked.
    Died,
    /// It is still at work after the grace, and cannot be ended.
    Stuck,
}

/// Waits for all of `threads` for `grace` at the most; gives their names and fates.
pub(super) async fn join(threads: impl IntoIterator<Item = JoinHandle<()>>, grace: Duration) -> Vec<(String, Fate)> {
    let deadline = Instant::now() + grace;
    let mut fates = Vec::new();
    for thread in threads {
        while !thread.is_finished() && Instant::now() < deadline {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let name = thread.thread().name().unwrap_or_default().to_owned();
        let fate = match thread.is_finished().then(|| thread.join()) {
            Some(Ok(())) => Fate::Ended,
            Some(Err(_)) => Fate::Died,
            None => Fate::Stuck,
        };
        fates.push((name, fate));
    }
    fates
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread::Builder;

    use super::*;

    #[tokio::test]
    async fn a_thread_that_hangs_is_named_and_does_not_hold_up_the_others() {
        let (release, stuck) = mpsc::channel::<()>();
        let thread =
            |name: &str, work: Box<dyn FnOnce() + Send>| Builder::new().name(name.to_owned()).spawn(work).unwrap();
        let threads = [
            thread("hangs", Box::new(move || _ = stuck.recv())),
            thread("dies", Box::new(|| panic!("on purpose"))),
            thread("ends", Box::new(|| {})),
        ];
        while threads[1..].iter().any(|thread| !thread.is_finished()) {
            std::thread::yield_now();
        }
        let fates = join(threads, Duration::from_millis(20)).await;
        let expected = [("hangs", Fate::Stuck), ("dies", Fate::Died), ("ends", Fate::Ended)];
        assert_eq!(fates, expected.map(|(name, fate)| (name.to_owned(), fate)));
        drop(release);
    }
}
