//! Proving the index equal to the journal, and building a new generation where it is not.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use super::super::bucket::{Bucket, Buckets};
use super::super::cutoffs::Register;
use super::super::filter::{BucketFilter, FrontFilter};
use super::super::state::Settings;
use super::super::usage::Usage;
use super::fold::{Doubt, Fold};
use super::watch::{Progress, watched};
use super::{OpenError, Sources};
use crate::clock::NumericDate;
use crate::event::Seq;
use crate::index::{Digest, Index};
use crate::journal::Journal;
use crate::keys::Keys;
use crate::revocation::Unavailable;
use crate::token::{Issuer, Key};

/// Keys that go into the front filter at a time.
const CHUNK: usize = 1_024;

/// A fold whose index is proven and whose filters are full.
pub(super) struct Folded {
    pub(super) keys: Keys,
    pub(super) lifetimes: HashMap<Issuer<'static>, i64>,
    pub(super) usage: Usage,
    pub(super) cutoffs: Register,
    pub(super) buckets: Buckets,
    pub(super) front: FrontFilter,
    pub(super) index: Index,
}

/// Opens the newest generation of the index, or makes the first.
pub(super) fn newest_generation(sources: &Sources<'_>) -> Result<Index, Doubt> {
    let newest = generations(sources.index_path).into_iter().max().unwrap_or(1);
    Ok((sources.open_index)(&sources.index_path.join(newest.to_string()))?)
}

/// The numbers of the generations in `path`.
fn generations(path: &Path) -> Vec<u64> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Removes every generation but `keep`: it has been proven, the others are of no use.
pub(super) fn remove_other_generations(path: &Path, keep: &Path) {
    for generation in generations(path) {
        let other = path.join(generation.to_string());
        if other != keep
            && let Err(error) = std::fs::remove_dir_all(&other)
        {
            tracing::warn!(%error, generation, "an old generation of the index could not be removed");
        }
    }
}

/// Holds the index against the fold, and fills the filters on the way.
pub(super) fn prove(fold: Fold, settings: &Settings) -> Result<Folded, Doubt> {
    let patience = Duration::from_millis(settings.index_timeout_ms);
    let settings = settings.clone();
    watched(patience, move |progress| prove_all(fold, &settings, progress))
}

fn prove_all(fold: Fold, settings: &Settings, progress: &Progress) -> Result<Folded, Doubt> {
    let Fold { keys, lifetimes, usage, cutoffs, buckets, mut expected, index, .. } = fold;
    let index = index?;
    for bucket in buckets.all().iter() {
        buckets.sub_behind(bucket.drain(&index)?);
        progress.step();
    }
    // A tree without a single event in the journal: its entries ended before the journal forgot them.
    for (bucket, _) in expected.extract_if(|_, expected| expected.records == 0) {
        index.drop_tree(bucket)?;
        progress.step();
    }
    let records = expected.values().map(|expected| expected.records).sum::<u64>();
    let live = usize::try_from(records).unwrap_or(usize::MAX);
    let front =
        FrontFilter::new(live, settings.false_positive_rate, settings.capacity_min).map_err(|_| Unavailable::Index)?;
    let published = Buckets::default();
    for id in expected.keys() {
        let bucket = Bucket::new(*id, BucketFilter::planned_for(0).map_err(|_| Unavailable::Index)?);
        published.publish(bucket.into());
    }
    let work = Mutex::new(published.all().iter().cloned().collect::<Vec<_>>());
    let prover = || -> Result<(), Doubt> {
        loop {
            let next = work.lock().map_err(|_| Unavailable::Poisoned)?.pop();
            let Some(bucket) = next else { return Ok(()) };
            let expected = expected.get(&bucket.id).copied().unwrap_or_default();
            let digest = prove_bucket(&bucket, &index, &front, expected.records, progress)?;
            if digest != expected.digest {
                return Err(Doubt::Unequal(bucket.id.end()));
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let provers: Vec<_> = (1..cores).map(|_| scope.spawn(prover)).collect();
        let own = prover();
        provers
            .into_iter()
            .map(|prover| prover.join().unwrap_or(Err(Doubt::Memory(Unavailable::Poisoned))))
            .fold(own, Result::and)
    })?;
    Ok(Folded { keys, lifetimes, usage, cutoffs, buckets: published, front, index })
}

fn prove_bucket(
    bucket: &Bucket,
    index: &Index,
    front: &FrontFilter,
    records: u64,
    progress: &Progress,
) -> Result<Digest, Doubt> {
    let planned = usize::try_from(records).unwrap_or(usize::MAX);
    let mut filter = BucketFilter::planned_for(planned).map_err(|_| Unavailable::Index)?;
    let mut chunk: Vec<Key> = Vec::with_capacity(CHUNK);
    let mut filled = Ok(());
    let digest = bucket.tree(index)?.scan(Seq::MAX, |key| {
        filled = filled.and(filter.insert(key).map_err(|_| Unavailable::Index));
        chunk.push(*key);
        if chunk.len() == CHUNK {
            progress.step();
            filled = filled.and(front.insert_unasked(&chunk).map_err(|_| Unavailable::Poisoned));
            chunk.clear();
        }
    })?;
    filled?;
    progress.step();
    front.insert_unasked(&chunk).map_err(|_| Unavailable::Poisoned)?;
    bucket.adopt(filter, records)?;
    Ok(digest)
}

/// Builds a new generation of the index from the journal, and proves it.
pub(super) fn rebuild(
    sources: &Sources<'_>,
    journal: &Journal,
    settings: &Settings,
    forgettable: NumericDate,
) -> Result<Folded, OpenError> {
    let next = generations(sources.index_path).into_iter().max().map_or(1, |newest| newest + 1);
    let path = sources.index_path.join(next.to_string());
    let index = (sources.open_index)(&path)?;
    let mut fold = Fold::over(Ok(index), settings);
    journal.replay(&mut |raw, event| fold.take(raw, event))?;
    fold.forget_ended(forgettable);
    prove(fold, settings).map_err(|doubt| match doubt {
        Doubt::Index(error) => OpenError::Index(error),
        Doubt::Memory(unavailable) => OpenError::Unavailable(unavailable),
        Doubt::Unequal(_) | Doubt::Panicked | Doubt::Stuck => OpenError::Unproven { path },
    })
}
