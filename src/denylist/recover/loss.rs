//! `--accept-loss`: a new history from what a damaged journal and the index still hold.

use std::collections::BTreeMap;
use std::sync::mpsc;

use super::super::watch::{PATIENCE, Watch};
use super::mend::newest_generation;
use super::{OpenError, Sources};
use crate::clock::NumericDate;
use crate::event::{Event, Seq};
use crate::journal::{self, Salvage};

/// What was saved.
#[derive(Debug)]
pub struct Salvaged {
    /// Events read from intact frames of the journal.
    pub from_journal: u64,
    /// Further events that only the index still held.
    pub from_index: u64,
    /// What had to be skipped in the journal.
    pub skipped: Salvage,
}

/// Journals again every event that an intact frame or the index still holds, in a new history whose places begin above
/// the highest seen anywhere. The damaged journal is kept beside the new one. Holds all events in memory.
///
/// # Errors
/// [`OpenError`] where the new journal cannot be written; the old one is then still in place.
pub fn accept_loss(sources: &Sources) -> Result<Salvaged, OpenError> {
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
    journal::rebuild(
        &sources.disk,
        sources.journal,
        NumericDate(recorded_at),
        highest,
        &mut events.into_values().map(Vec::from),
    )?;
    Ok(Salvaged { from_journal, from_index, skipped })
}
