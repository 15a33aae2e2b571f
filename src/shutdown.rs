//! The order in which the server stops, and the signals that make it stop.
//!
//! The first SIGTERM or SIGINT begins [`Phase::NotReady`]: probes say so, requests are still answered, so that load
//! balancers notice. After the drain delay comes [`Phase::Closing`]: listeners close and requests under way are
//! finished, within the listener's grace period. What runs the server then begins [`Phase::StoppingJobs`], flushes and
//! exits with 0. A second signal ends the wait at any point: exit 143 or 130.

use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How far the stop has come. Each phase includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// `/readyz` says no; requests are still taken.
    NotReady,
    /// Nothing new is accepted; requests under way are finished.
    Closing,
    /// No request is left; background jobs end.
    StoppingJobs,
}

impl Phase {
    const ALL: [Self; 3] = [Self::NotReady, Self::Closing, Self::StoppingJobs];
}

/// Tells every part how far the stop has come. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    phases: [CancellationToken; Phase::ALL.len()],
}

impl Stop {
    /// A server that runs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins `phase` and all phases before it, in order. There is no way back; a second call does nothing.
    pub fn advance(&self, phase: Phase) {
        for earlier in Phase::ALL.into_iter().filter(|earlier| *earlier <= phase) {
            self.token(earlier).cancel();
        }
    }

    /// Whether `phase` has begun.
    #[must_use]
    pub fn has_reached(&self, phase: Phase) -> bool {
        self.token(phase).is_cancelled()
    }

    /// Waits until `phase` has begun. Takes a lock shared with all other waiters when polled, so not for hot paths.
    pub async fn reached(&self, phase: Phase) {
        self.token(phase).cancelled().await;
    }

    /// What is cancelled when `phase` begins, for those who take a token.
    #[must_use]
    pub fn token_of(&self, phase: Phase) -> CancellationToken {
        self.token(phase).clone()
    }

    fn token(&self, phase: Phase) -> &CancellationToken {
        match phase {
            Phase::NotReady => &self.phases[0],
            Phase::Closing => &self.phases[1],
            Phase::StoppingJobs => &self.phases[2],
        }
    }
}

/// A signal that stops the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: a supervisor asks.
    Terminate,
    /// SIGINT: somebody pressed Ctrl-C.
    Interrupt,
}

impl Signal {
    /// The exit code of a process that this signal ended at once: 128 + its number.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Terminate => 143,
            Self::Interrupt => 130,
        }
    }
}

/// The signals that arrive, in order.
#[derive(Debug)]
pub struct Signals(Source);

#[derive(Debug)]
enum Source {
    System { terminate: tokio::signal::unix::Signal, interrupt: tokio::signal::unix::Signal },
    Manual(mpsc::UnboundedReceiver<Signal>),
}

impl Signals {
    /// Takes SIGTERM and SIGINT over for the rest of the process's life; to be called before anything that must not be
    /// cut short.
    ///
    /// # Errors
    /// If the handlers cannot be installed.
    pub fn install() -> io::Result<Self> {
        Ok(Self(Source::System {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        }))
    }

    /// Signals that a test sends by hand.
    #[must_use]
    pub fn manual() -> (mpsc::UnboundedSender<Signal>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(Source::Manual(receiver)))
    }

    /// The next signal; never, if none can arrive any more.
    async fn next(&mut self) -> Signal {
        let received = match &mut self.0 {
            Source::System { terminate, interrupt } => tokio::select! {
                Some(()) = terminate.recv() => Some(Signal::Terminate),
                Some(()) = interrupt.recv() => Some(Signal::Interrupt),
                else => None,
            },
            Source::Manual(receiver) => receiver.recv().await,
        };
        match received {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}

/// How [`supervise`] ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended<T> {
    /// The work came to its own end.
    Finished(T),
    /// A second signal cut the stop short; exit with its [`exit_code`](Signal::exit_code) at once.
    Forced(Signal),
}

/// Runs `work` to its end, and `stop` through its first two phases when a signal arrives.
///
/// `work` is the whole server: it must end soon after [`Phase::Closing`], and begin [`Phase::StoppingJobs`] itself once
/// no request is left.
pub async fn supervise<T>(
    work: impl Future<Output = T>,
    stop: &Stop,
    mut signals: Signals,
    drain_delay: Duration,
) -> Ended<T> {
    let second_signal = async {
        let first = signals.next().await;
        tracing::info!(signal = ?first, drain_delay_ms = drain_delay.as_millis(), "stopping");
        stop.advance(Phase::NotReady);
        let mut second = pin!(signals.next());
        tokio::select! {
            () = tokio::time::sleep(drain_delay) => stop.advance(Phase::Closing),
            signal = &mut second => return signal,
        }
        second.await
    };
    tokio::select! {
        biased;
        output = work => Ended::Finished(output),
        signal = second_signal => {
            tracing::warn!(?signal, "second signal: exiting without finishing");
            Ended::Forced(signal)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_secs(5);

    #[test]
    fn a_phase_includes_those_before_it_and_none_after() {
        let stop = Stop::new();
        assert!(!stop.has_reached(Phase::NotReady));
        stop.clone().advance(Phase::Closing);
        assert!(stop.has_reached(Phase::NotReady) && stop.has_reached(Phase::Closing));
        assert!(!stop.has_reached(Phase::StoppingJobs));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_signal_is_followed_by_the_drain_delay_and_only_then_by_closing() {
        let stop = Stop::new();
        let (sender, signals) = Signals::manual();
        let started = tokio::time::Instant::now();
        let work = async {
            sender.send(Signal::Terminate).unwrap();
            stop.reached(Phase::NotReady).await;
            assert!(!stop.has_reached(Phase::Closing));
            stop.reached(Phase::Closing).await;
            started.elapsed()
        };
        let Ended::Finished(elapsed) = supervise(work, &stop, signals, DELAY).await else { panic!("forced") };
        assert!(elapsed >= DELAY && elapsed < DELAY * 2, "{elapsed:?}");
        assert!(!stop.has_reached(Phase::StoppingJobs));
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_ends_the_wait_during_the_drain_delay_and_after_it() {
        for pause in [DELAY / 2, DELAY * 2] {
            let stop = Stop::new();
            let (sender, signals) = Signals::manual();
            let work = async {
                sender.send(Signal::Terminate).unwrap();
                tokio::time::sleep(pause).await;
                sender.send(Signal::Interrupt).unwrap();
                std::future::pending::<()>().await;
            };
            assert_eq!(supervise(work, &stop, signals, DELAY).await, Ended::Forced(Signal::Interrupt));
        }
    }

    #[tokio::test]
    async fn work_that_ends_by_itself_needs_no_signal() {
        let (_sender, signals) = Signals::manual();
        assert_eq!(supervise(async { 7 }, &Stop::new(), signals, DELAY).await, Ended::Finished(7));
    }
}
