//! The writer's purge: withdraws ended buckets at once, and reclaims the journal in short steps between groups.

use std::error::Error;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::super::indexer;
use super::super::request::{PurgeReport, WriteError};
use super::{Reply, Writer};
use crate::clock::NumericDate;
use crate::journal::{JournalError, Reclaimed};

/// A purge under way: buckets are withdrawn, the journal is reclaimed in steps between groups.
pub(super) struct Purge {
    report: PurgeReport,
    replies: Vec<Reply<PurgeReport>>,
    pub(super) drops: Option<oneshot::Receiver<()>>,
    /// What ended by then goes, from buckets and journal alike.
    pub(super) forgettable: NumericDate,
    began: Instant,
}

impl Writer {
    /// Withdraws ended buckets and hands them to the indexer, which drops their trees once nobody reads them.
    pub(super) fn begin_purge(&mut self, reply: Reply<PurgeReport>) {
        if let Some(purge) = &mut self.purge {
            purge.replies.push(reply);
            return;
        }
        let forgettable = self.state.clock.forgettable();
        let ended = self.state.buckets.withdraw_ended(forgettable);
        let report = PurgeReport {
            buckets: ended.len() as u64,
            entries: ended.iter().map(|bucket| bucket.records()).sum(),
            segments: 0,
        };
        for bucket in &ended {
            self.usage.forget(bucket.id);
        }
        if let Err(error) = self.state.cutoffs.forget_ended(forgettable) {
            tracing::error!(%error, "ended cutoffs stay in memory; no answer depends on it");
        }
        self.state.keys.forget_ended(forgettable);
        let (done, drops) = oneshot::channel();
        let _ = self.indexer.send(indexer::Command::Drop { buckets: ended, done });
        let (replies, drops, began) = (vec![reply], Some(drops), Instant::now());
        self.purge = Some(Purge { report, replies, drops, forgettable, began });
    }

    /// Whether trees are still to be dropped. Those of an index that failed go with all of it, and the indexer may be
    /// waiting for the writer to adopt another one: then nothing is waited for.
    fn are_pending(&self, drops: &mut oneshot::Receiver<()>) -> bool {
        !self.state.index_failed() && matches!(drops.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    pub(super) fn wait_for(&self, mut drops: oneshot::Receiver<()>) {
        while self.are_pending(&mut drops) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// One short step of the purge under way: a segment dropped or part of one rewritten. Answers when all is done.
    pub(super) fn purge_step(&mut self) {
        let Some(mut purge) = self.purge.take() else { return };
        let may_write = self.state.writes.may_try().is_ok();
        let reclaimed = if may_write { self.journal.reclaim(purge.forgettable) } else { Ok(Reclaimed::default()) };
        let failed = match reclaimed {
            Ok(reclaimed) => {
                purge.report.segments += reclaimed.segments as u64;
                if reclaimed.more {
                    self.purge = Some(purge);
                    return;
                }
                None
            }
            Err(error) => {
                if let JournalError::Write(error) = &error {
                    self.note_failure(error);
                }
                tracing::error!(
                    error = &error as &dyn Error,
                    "the journal stays as large as it is until the next purge"
                );
                Some(WriteError::Refused)
            }
        };
        if purge.drops.as_mut().is_some_and(|drops| self.are_pending(drops)) {
            self.purge = Some(purge);
            return;
        }
        self.state.note_journal(self.journal.stats(self.state.clock.now().earliest));
        let metrics = &self.state.metrics.purge;
        metrics.duration.record(purge.began.elapsed());
        if failed.is_none() {
            metrics.ok.increment(1);
            self.state.note_purge(&purge.report);
        } else {
            metrics.failed.increment(1);
            self.state.metrics.store.errors.purge.increment(1);
        }
        for reply in purge.replies {
            let _ = reply.send(failed.clone().map_or(Ok(purge.report), Err));
        }
    }
}
