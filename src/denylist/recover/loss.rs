//! `--accept-loss`: a new history from what a damaged journal and the index still hold.

use std::collections::{BTreeMap, HashSet};
use std::sync::mpsc;

use super::super::watch::{PATIENCE, Watch};
use super::mend::newest_generation;
use super::{OpenError, Sources};
use crate::clock::NumericDate;
use crate::event::{Change, Event, Origin, Seq};
use crate::issuers::{IssuerLimits, Issuers};
use crate::journal::{self, Salvage};
use crate::token::{Issuer, Naming};

/// How long before the last recorded time an event of the archive may have ended to be taken all the same, seconds.
const ARCHIVE_MARGIN_S: i64 = 2 * 86_400;

/// What was saved.
#[derive(Debug)]
pub struct Salvaged {
    /// Events read from intact frames of the journal.
    pub from_journal: u64,
    /// Further events that only the index still held.
    pub from_index: u64,
    /// Further events that only the archive of the audit still held.
    pub from_archive: u64,
    /// Issuers whose tokens are taken to be known by the claims that are configured, since no record says otherwise any more.
    pub namings: Vec<Issuer<'static>>,
    /// What had to be skipped in the journal.
    pub skipped: Salvage,
}

/// Journals again every event that an intact frame or the index still holds, in a new history whose places begin above
/// the highest seen anywhere. The damaged journal is kept beside the new one. Holds all events in memory.
///
/// What the tokens of an issuer are known by (promise 16) may have been recorded in what is lost: where no record of it is
/// left, what `issuers` says is recorded, for whoever accepts the loss has not changed that at the same time. Otherwise a
/// record that is not there would read as the standard, and the next start be refused for a change that nobody made.
///
/// # Errors
/// [`OpenError`] where the new journal cannot be written; the old one is then still in place.
pub fn accept_loss(sources: &Sources, issuers: &Issuers) -> Result<Salvaged, OpenError> {
    let mut events: BTreeMap<Seq, Box<[u8]>> = BTreeMap::new();
    let skipped = journal::salvage(&*sources.disk, &mut |raw, event| {
        events.insert(event.seq, raw.into());
    })?;
    let from_journal = events.len() as u64;
    // Without an index there is nothing more to save; a damaged one gives what it still can.
    let (found, records) = mpsc::channel::<Box<[u8]>>();
    let read = newest_generation(sources).and_then(|index| {
        Watch::new(PATIENCE).run(move |progress| {
            for bucket in index.buckets() {
                let Ok(tree) = index.tree(bucket) else { continue };
                // What comes behind an error cannot be read; the next bucket may be.
                for raw in tree.records().map_while(Result::ok) {
                    let _ = found.send(raw.as_ref().into());
                    progress.step();
                }
            }
            Ok(())
        })
    });
    if let Err(doubt) = read {
        tracing::warn!(%doubt, "the index cannot be read to its end; what it gave until then is saved");
    }
    for raw in records.try_iter() {
        if let Ok(event) = Event::decode(&raw) {
            let seq = event.seq;
            events.entry(seq).or_insert(raw);
        }
    }
    let from_index = events.len() as u64 - from_journal;
    let highest = events.keys().next_back().copied().unwrap_or(0).max(skipped.last_seq);
    let recorded = |raw: &[u8]| Event::decode(raw).map_or(i64::MIN, |event| event.recorded_at.0);
    // Closing frames record later times than any event; without them the clock would be doubted for no reason.
    let recorded_at = events.values().map(|raw| recorded(raw)).max().unwrap_or(0);
    let recorded_at = skipped.last_recorded.map_or(recorded_at, |last| last.0.max(recorded_at));
    let recorded_at = NumericDate(recorded_at);
    let from_archive = from_archive(sources, &skipped, recorded_at, &mut events)?;
    let lost = lost_namings(&events, issuers);
    let namings = lost.iter().map(|limits| limits.issuer.clone()).collect();
    let accepted = accepted(&skipped, highest, events.len() as u64);
    let begun = lost.into_iter().map(naming_of).chain([accepted]);
    let begun: Vec<_> = (highest + 1..).zip(begun).map(|(seq, made)| encoded(seq, recorded_at, made)).collect();
    let mut events = events.into_values().map(Vec::from).chain(begun);
    journal::rebuild(&sources.disk, sources.journal, recorded_at, highest, &mut events)?;
    Ok(Salvaged { from_journal, from_index, from_archive, namings, skipped })
}

/// Takes from the archive what the journal has lost and must still keep; gives how many events that are.
fn from_archive(
    sources: &Sources,
    skipped: &Salvage,
    recorded_at: NumericDate,
    events: &mut BTreeMap<Seq, Box<[u8]>>,
) -> Result<u64, OpenError> {
    let Some(history) = skipped.history else { return Ok(0) };
    let before = events.len();
    // What ended a little earlier may still be wanted by a clock that is set back, and does no harm.
    let earliest = recorded_at.plus(-ARCHIVE_MARGIN_S);
    journal::salvage_archive(&*sources.disk, history, earliest, &mut |raw, event| {
        events.entry(event.seq).or_insert_with(|| raw.into());
    })?;
    Ok((events.len() - before) as u64)
}

/// The issuers that are not known by the standard claims, and of which no record is left.
fn lost_namings<'i>(events: &BTreeMap<Seq, Box<[u8]>>, issuers: &'i Issuers) -> Vec<&'i IssuerLimits> {
    let recorded = events.values().filter_map(|raw| match Event::decode(raw).ok()?.change {
        Change::NamingSet { issuer, .. } => Some(issuer),
        _ => None,
    });
    let recorded: HashSet<_> = recorded.collect();
    let named = issuers.iter().filter(|limits| limits.naming != Naming::default());
    named.filter(|limits| !recorded.contains(&limits.issuer)).collect()
}

fn naming_of(limits: &IssuerLimits) -> Change<'_> {
    Change::NamingSet { issuer: limits.issuer.clone(), naming: limits.naming.clone() }
}

/// What begins the life of the new history behind all that was saved.
fn accepted(skipped: &Salvage, highest: Seq, saved: u64) -> Change<'static> {
    Change::LossAccepted {
        history: skipped.history.map_or([0; 16], |history| history.0),
        last_seq: highest,
        saved,
        skipped: skipped.skipped.len() as u64,
    }
}

fn encoded(seq: Seq, recorded_at: NumericDate, change: Change<'_>) -> Vec<u8> {
    let ends_at = if let Change::NamingSet { .. } = change { NumericDate::NEVER } else { recorded_at };
    let event = Event { seq, recorded_at, ends_at, origin: Origin::INTERNAL, change };
    let mut bytes = Vec::new();
    event.encode(&mut bytes);
    bytes
}
