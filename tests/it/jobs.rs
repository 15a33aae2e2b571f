//! Jobs on the real scheduler, which reads the real clock.

use std::convert::Infallible;
use std::time::Duration;

use revokd::jobs::{self, JobError};
use revokd::shutdown::{Phase, Stop};
use tokio::sync::mpsc;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_schedule_of_every_second_purges_again_and_again_until_the_jobs_stop() {
    let stop = Stop::new();
    let (sender, mut beats) = mpsc::unbounded_channel();
    let purge = || async {
        let _ = sender.send(());
        Ok::<_, Infallible>(())
    };
    let watch = async {
        for _ in 0..3 {
            timeout(LONG, beats.recv()).await.expect("no beat").expect("sender gone");
        }
        stop.advance(Phase::StoppingJobs);
    };
    let (ran, ()) = tokio::join!(timeout(LONG, jobs::purge("* * * * * *", purge, stop.clone())), watch);
    ran.expect("did not stop").unwrap();
}

#[tokio::test]
async fn a_purge_under_way_does_not_hold_the_stop_up() {
    let stop = Stop::new();
    let (sender, mut beats) = mpsc::unbounded_channel();
    let purge = || async {
        let _ = sender.send(());
        std::future::pending::<Result<(), Infallible>>().await
    };
    let watch = async {
        timeout(LONG, beats.recv()).await.expect("no beat");
        stop.advance(Phase::StoppingJobs);
    };
    let (ran, ()) = tokio::join!(timeout(LONG, jobs::purge("* * * * * *", purge, stop.clone())), watch);
    ran.expect("did not stop").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_schedule_of_off_never_purges_and_still_waits_for_the_stop() {
    let stop = Stop::new();
    let purge = || async { panic!("purged") as Result<(), Infallible> };
    let mut ran = std::pin::pin!(jobs::purge("off", purge, stop.clone()));
    assert!(timeout(Duration::from_hours(48), &mut ran).await.is_err());
    stop.advance(Phase::StoppingJobs);
    ran.await.unwrap();
}

#[tokio::test]
async fn a_bad_schedule_is_refused_before_anything_runs() {
    let purge = || async { panic!("purged") as Result<(), Infallible> };
    let error = jobs::purge("every day", purge, Stop::new()).await.unwrap_err();
    assert!(matches!(error, JobError::Schedule(_)), "{error}");
}
