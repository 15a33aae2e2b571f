//! Refused attempts into the journal: with what is written anyway, and otherwise seldom.

use std::time::{Duration, Instant};

use super::super::group::Group;
use super::Writer;

/// How often refused attempts alone make a frame, at the most: they must not keep the disk busy.
const FRAME_EVERY: Duration = Duration::from_secs(10);

impl Writer {
    /// Adds what waits to a group that is written in any case.
    pub(super) fn add_refusals(&self, group: &mut Group<'_>) {
        if group.has_events() {
            for (origin, change) in self.waiting_refusals(false) {
                group.note_refused(change, origin);
            }
        }
    }

    /// Writes what waits, in the place of a closing frame or, seldom, in a frame of its own; gives whether it has. At the
    /// `end` the counts of the minute that is not over go too.
    pub(super) fn write_refusals(&mut self, end: bool) -> bool {
        let is_soon = self.last_refusals.elapsed() < FRAME_EVERY;
        if is_soon && !end || self.state.writes.check().is_err() {
            return false;
        }
        let waiting = self.waiting_refusals(end);
        if waiting.is_empty() {
            return false;
        }
        self.last_refusals = Instant::now();
        let state = self.state.clone();
        let mut group = Group::new(&state, &self.usage, state.last_seq());
        for (origin, change) in waiting {
            group.note_refused(change, origin);
        }
        let (events, _nobody_waits) = group.finish();
        self.commit(&events).is_ok()
    }

    fn waiting_refusals(&self, end: bool) -> Vec<crate::audit::refusals::Waiting> {
        let clock = &self.state.clock;
        self.state.refusals.take(clock.boot_s(), clock.now().recorded, end)
    }
}
