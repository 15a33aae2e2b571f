//! By which claims the tokens of an issuer are known, held against what the data directory records (promise 16).

use super::OpenError;
use super::fold::Fold;
use crate::clock::{Now, NumericDate};
use crate::event::{Change, Event, Origin};
use crate::issuers::Issuers;
use crate::journal::{Group, Journal, JournalError};
use crate::token::NamingDifference;

/// Records the claims of each issuer that are not those recorded: where it has none live, or refuses. What was never
/// recorded is the standard. Before anything is served, so that no entry is ever older than the record it was made under.
pub(super) fn settle(fold: &Fold, issuers: &Issuers, journal: &mut Journal, now: Now) -> Result<(), OpenError> {
    let mut changes = Vec::new();
    for limits in issuers.iter() {
        let (issuer, naming) = (&limits.issuer, &limits.naming);
        let recorded = fold.namings.get(issuer).cloned().unwrap_or_default();
        if recorded == *naming {
            continue;
        }
        let difference = NamingDifference { was: recorded, is: naming.clone() };
        let live = fold.usage.issuers().find(|(name, _)| *name == issuer.as_str());
        if let Some((name, entries)) = live.filter(|(_, entries)| *entries > 0) {
            return Err(OpenError::Naming { issuer: name.to_owned(), entries, difference: Box::new(difference) });
        }
        tracing::info!(issuer = issuer.as_str(), %difference, "what tokens are known by is recorded");
        changes.push(Change::NamingSet { issuer: issuer.clone(), naming: naming.clone() });
    }
    // Changed seldom, so one frame for each will do.
    for change in changes {
        let (seq, ends_at, origin) = (journal.stats(now.earliest).last_seq + 1, NumericDate::NEVER, Origin::INTERNAL);
        let mut group = Group::new();
        let event = Event { seq, recorded_at: now.recorded, ends_at, origin, change };
        // An empty group takes every event.
        let _fits = group.push(&event);
        journal.append(now.recorded, &mut group).map_err(JournalError::from)?;
    }
    Ok(())
}
