//! The threads of the core: started, and waited for until they end, but not for ever.

use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::Instant;

use super::AppError;
use crate::denylist::{Denylist, Indexer, Refiller, Writer};

/// How long the core's threads may take to end; a disk that hangs must not hold a stop up for ever.
const GRACE: Duration = Duration::from_secs(30);

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

/// Starts the core's threads.
pub(super) fn start(writer: Writer, indexer: Indexer, refiller: Refiller) -> Result<[JoinHandle<()>; 3], AppError> {
    Ok([
        spawn("writer", move || writer.run())?,
        spawn("indexer", move || indexer.run())?,
        spawn("refiller", move || refiller.run())?,
    ])
}

/// Ends the core's threads: the writer closes the journal, the indexer takes in what is left.
pub(super) async fn end(denylist: Denylist, threads: [JoinHandle<()>; 3]) -> Result<(), AppError> {
    // Beside: where the queue is full and the writer hangs, this would hang with it.
    let _asking = spawn("stop", move || denylist.stop())?;
    for (name, fate) in join(threads, GRACE).await {
        match fate {
            Fate::Ended => {}
            Fate::Died => {
                tracing::error!(thread = name, "a thread of the core died; the next start verifies everything");
            }
            Fate::Stuck => tracing::error!(
                thread = name,
                "a thread of the core does not end and is left behind; all that was acknowledged is durable"
            ),
        }
    }
    Ok(())
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, AppError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(AppError::system("start a thread"))
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
