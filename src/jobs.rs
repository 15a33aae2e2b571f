//! Every background job and its schedule, on one screen.
//!
//! | job | when | does |
//! | --- | --- | --- |
//! | [`purge`] | cron, `purge.schedule`, UTC; also when overdue | drops what has ended |
//! | [`upkeep`] | every second | empties histograms, refreshes gauges |
//! | [`renew`] | every ten seconds, and when asked (SIGHUP) | takes over renewed certificates |
//!
//! tokio-cron-scheduler gives only the beat, from cron jobs alone (its repeated jobs can stop for ever). It reads the wall
//! clock, which may stand still or jump, so the age of the last purge is watched beside it, on the monotonic clock.

mod schedule;

use std::fmt::Display;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

pub use self::schedule::{Schedule, ScheduleError};

use crate::metrics::{Metrics, UPKEEP_INTERVAL};
use crate::shutdown::{Phase, Stop};

/// A purge is overdue after this many of its schedule's longest gaps, and [`OVERDUE_SLACK`].
const OVERDUE_GAPS: u32 = 2;
/// What the scheduler's coarse beat and a slow purge may add.
const OVERDUE_SLACK: Duration = Duration::from_secs(5);
/// The age of the last purge is looked at this often, or more often where the schedule is tight.
const WATCH_INTERVAL_MAX: Duration = Duration::from_mins(1);

/// How often files are looked at for having changed.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(10);

/// Why jobs cannot run.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// `purge.schedule` is not to be understood.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The scheduler does not start.
    #[error("cannot start the scheduler")]
    Scheduler(#[from] JobSchedulerError),
}

/// Checks a value of `purge.schedule` without starting anything.
///
/// # Errors
/// [`ScheduleError`], which says what is expected.
pub fn validate_schedule(text: &str) -> Result<(), ScheduleError> {
    Schedule::parse(text).map(drop)
}

/// Purges at every beat of `schedule` until `stop` reaches [`Phase::StoppingJobs`]; with `"off"`, only waits for that.
///
/// One purge at a time: beats during a purge come to one more after it. The first purge, at start, is not this
/// function's, but its clock begins as if one had just ended. A purge under way is dropped when `stop` comes, so it must
/// be safe to drop.
///
/// # Errors
/// [`JobError`], before anything has run.
pub async fn purge<P, F, E>(schedule: &str, purge: P, stop: Stop) -> Result<(), JobError>
where
    P: Fn() -> F,
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    let Some(schedule) = Schedule::parse(schedule)? else {
        stop.reached(Phase::StoppingJobs).await;
        return Ok(());
    };
    let beat = Arc::new(Notify::new());
    let mut scheduler = start_scheduler(&schedule, &beat).await?;
    tokio::select! {
        biased;
        () = stop.reached(Phase::StoppingJobs) => {}
        () = purge_at_each(&beat, schedule.longest_gap(), purge) => {}
    }
    scheduler.shutdown().await?;
    Ok(())
}

/// Empties histograms into their buckets and calls `refresh` every second, until `stop` reaches
/// [`Phase::StoppingJobs`].
pub async fn upkeep(metrics: &Metrics, refresh: impl Fn(), stop: Stop) {
    let mut beat = steady(UPKEEP_INTERVAL);
    let mut stopping = pin!(stop.reached(Phase::StoppingJobs));
    loop {
        tokio::select! {
            biased;
            () = &mut stopping => return,
            _ = beat.tick() => {}
        }
        refresh();
        metrics.upkeep();
    }
}

/// Calls `renew` every ten seconds, and with `true` whenever `asked` comes, until `stop` reaches
/// [`Phase::StoppingJobs`]. One call at a time; both must be safe to drop, also while they are under way.
pub async fn renew(mut asked: impl AsyncFnMut(), mut renew: impl AsyncFnMut(bool), stop: Stop) {
    let mut beat = steady(RENEWAL_INTERVAL);
    let mut stopping = pin!(stop.reached(Phase::StoppingJobs));
    loop {
        let is_asked = tokio::select! {
            biased;
            () = &mut stopping => return,
            () = asked() => true,
            _ = beat.tick() => false,
        };
        // A file system that hangs must not hold up the stop.
        tokio::select! {
            biased;
            () = &mut stopping => return,
            () = renew(is_asked) => {}
        }
    }
}

async fn start_scheduler(schedule: &Schedule, beat: &Arc<Notify>) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    let beat = Arc::clone(beat);
    let job = Job::new_async(schedule.as_str(), move |_id, _scheduler| {
        let beat = Arc::clone(&beat);
        Box::pin(async move { beat.notify_one() })
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    Ok(scheduler)
}

/// Purges at each beat, and without one when the last good purge is older than `longest_gap` allows.
async fn purge_at_each<P, F, E>(beat: &Notify, longest_gap: Duration, purge: P)
where
    P: Fn() -> F,
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    let overdue_after = longest_gap.saturating_mul(OVERDUE_GAPS).saturating_add(OVERDUE_SLACK);
    let mut watch = steady((overdue_after / 4).min(WATCH_INTERVAL_MAX));
    let mut last_success = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = beat.notified() => {}
            _ = watch.tick() => {
                let age = last_success.elapsed();
                if age < overdue_after {
                    continue;
                }
                tracing::warn!(age_s = age.as_secs(), "the purge is overdue: purging without the scheduler's beat");
            }
        }
        match purge().await {
            Ok(()) => last_success = Instant::now(),
            Err(error) => tracing::error!(%error, "the purge failed; the next beat tries again"),
        }
    }
}

fn steady(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use tokio::time::{sleep, timeout};

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_scheduler_that_stands_still_does_not_stop_the_purge() {
        let started = Instant::now();
        let purges = RefCell::new(Vec::new());
        let purge = || async {
            purges.borrow_mut().push(started.elapsed());
            Ok::<_, String>(())
        };
        let _ = timeout(MINUTE * 10, purge_at_each(&Notify::new(), MINUTE, purge)).await;
        let purges = purges.into_inner();
        assert!((3..=5).contains(&purges.len()), "{purges:?}");
        assert!(purges[0] >= MINUTE * 2 && purges[0] <= MINUTE * 3, "{purges:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_scheduler_that_beats_is_not_helped() {
        let (beat, purges) = (Notify::new(), Cell::new(0));
        let purge = || async {
            purges.set(purges.get() + 1);
            Ok::<_, String>(())
        };
        let beats = async {
            for _ in 0..10 {
                sleep(MINUTE).await;
                beat.notify_one();
            }
            sleep(Duration::from_secs(1)).await;
        };
        tokio::select! {
            () = purge_at_each(&beat, MINUTE, purge) => {}
            () = beats => {}
        }
        assert_eq!(purges.get(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn beats_during_a_purge_come_to_one_more_after_it() {
        let (beat, running, purges) = (Notify::new(), Cell::new(0), Cell::new(0));
        let purge = || async {
            running.set(running.get() + 1);
            assert_eq!(running.get(), 1, "one purge at a time");
            sleep(Duration::from_secs(10)).await;
            running.set(running.get() - 1);
            purges.set(purges.get() + 1);
            Ok::<_, String>(())
        };
        let beats = async {
            for _ in 0..5 {
                beat.notify_one();
                sleep(Duration::from_secs(1)).await;
            }
            sleep(MINUTE).await;
        };
        tokio::select! {
            () = purge_at_each(&beat, MINUTE, purge) => {}
            () = beats => {}
        }
        assert_eq!(purges.get(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_purge_does_not_count_and_is_tried_again() {
        let purges = Cell::new(0);
        let purge = || async {
            purges.set(purges.get() + 1);
            Err::<(), _>("disk full")
        };
        let _ = timeout(MINUTE * 6, purge_at_each(&Notify::new(), MINUTE, purge)).await;
        assert!(purges.get() >= 4, "{}", purges.get());
    }

    #[tokio::test(start_paused = true)]
    async fn files_are_looked_at_every_ten_seconds_and_when_somebody_asks() {
        let (stop, asked, calls) = (Stop::new(), Notify::new(), RefCell::new(Vec::new()));
        let later = async {
            sleep(Duration::from_secs(15)).await;
            asked.notify_one();
            sleep(Duration::from_secs(10)).await;
            stop.advance(Phase::StoppingJobs);
        };
        let renewing =
            renew(async || asked.notified().await, async |asked| calls.borrow_mut().push(asked), stop.clone());
        tokio::join!(renewing, later);
        assert_eq!(calls.into_inner(), [false, false, true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_at_files_that_hangs_does_not_hold_up_the_stop() {
        let stop = Stop::new();
        let later = async {
            sleep(Duration::from_secs(1)).await;
            stop.advance(Phase::StoppingJobs);
        };
        let hangs = renew(std::future::pending, async |_| std::future::pending().await, stop.clone());
        assert!(timeout(MINUTE, async { tokio::join!(hangs, later) }).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn upkeep_beats_every_second_until_the_jobs_stop() {
        let (metrics, stop, beats) = (Metrics::new(), Stop::new(), Cell::new(0));
        let later = async {
            sleep(Duration::from_millis(3_500)).await;
            stop.advance(Phase::StoppingJobs);
        };
        tokio::join!(upkeep(&metrics, || beats.set(beats.get() + 1), stop.clone()), later);
        assert_eq!(beats.get(), 4);
    }
}
