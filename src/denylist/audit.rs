//! The audit, read for the doors; and refused attempts, which the doors tell of.

use std::borrow::Cow;
use std::error::Error;
use std::sync::{Arc, PoisonError};

use super::state::State;
use super::{Denylist, Priority};
use crate::audit::{self, AuditFilter, AuditPage, AuditPart};
use crate::clock::NumericDate;
use crate::event::{Origin, Seq};
use crate::journal::{Journal, Trail, TrailError};
use crate::revocation::Unavailable;

impl Denylist {
    /// Audit records, newest first, with a `seq` below `before`. Looks at a bounded number, so a page can be short and still
    /// have a next one. The writer is not asked and not held up.
    ///
    /// # Errors
    /// [`Unavailable`] where they cannot be read in time, or were altered.
    pub async fn audit(
        &self,
        filter: AuditFilter,
        before: Option<Seq>,
        limit: usize,
        priority: Priority,
    ) -> Result<AuditPage, Unavailable> {
        let before = before.unwrap_or(Seq::MAX);
        self.read_audit(priority, move |trail| audit::page(trail, &filter, before, limit)).await
    }

    /// Audit records above `after`, oldest first: a part of bounded size.
    ///
    /// # Errors
    /// As [`Self::audit`].
    pub async fn audit_part(
        &self,
        filter: AuditFilter,
        after: Seq,
        priority: Priority,
    ) -> Result<AuditPart, Unavailable> {
        self.read_audit(priority, move |trail| audit::part(trail, &filter, after)).await
    }

    /// Takes note for the audit that a known caller was refused. Waits for nothing; it is journaled with what comes next,
    /// and after a few seconds in any case.
    pub fn note_refused(&self, origin: Origin<'static>, route: &'static str, status: u16) {
        let clock = &self.state.clock;
        self.state.refusals.known(clock.boot_s(), clock.now().recorded, origin, route, status);
    }

    /// The same for somebody without a valid key, who came from `from`: counted by the minute.
    pub fn note_stranger(&self, from: Cow<'static, str>) {
        let clock = &self.state.clock;
        self.state.refusals.stranger(clock.boot_s(), clock.now().recorded, from);
    }

    async fn read_audit<T: Send + 'static>(
        &self,
        priority: Priority,
        read: impl Fn(&Trail) -> Result<T, TrailError> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let state = self.state.clone();
        self.reads.run(priority, move || read_newest(&state, &read)).await
    }
}

impl State {
    /// Takes note of how the journal is after a change, and of where the audit lies.
    pub(super) fn note_journal(&self, journal: &Journal, earliest: NumericDate) {
        *self.journal.write().unwrap_or_else(PoisonError::into_inner) = journal.stats(earliest);
        *self.trail.write().unwrap_or_else(PoisonError::into_inner) = journal.trail();
    }

    /// The audit as it is now.
    pub(super) fn trail(&self) -> Trail {
        self.trail.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads the audit as it is now. What is dropped meanwhile is missing; then the audit begins later, and is read again.
fn read_newest<T>(state: &Arc<State>, read: &impl Fn(&Trail) -> Result<T, TrailError>) -> Result<T, Unavailable> {
    let mut trail = state.trail();
    loop {
        let error = match read(&trail) {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        let newer = state.trail();
        if !matches!(error, TrailError::Missing { .. }) || newer.from() == trail.from() {
            tracing::error!(error = &error as &dyn Error, "the audit cannot be read");
            return Err(Unavailable::Audit);
        }
        trail = newer;
    }
}
