//! Proving the index equal to the journal, and building a new generation where it is not.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::super::bucket::{Bucket, Buckets};
use super::super::cutoffs::Register;
use super::super::filter::{BucketFilter, FrontFilter};
use super::super::state::Settings;
use super::super::usage::Usage;
use super::super::watch::{Doubt, Progress, Watch};
use super::fold::{Fold, drain, drop_trees};
use super::{OpenIndex, Sources};
use crate::event::Seq;
use crate::index::{Digest, Index};
use crate::journal::{JournalError, Snapshot};
use crate::keys::Keys;
use crate::revocation::{BucketId, Unavailable};
use crate::token::{Issuer, Key};

/// Keys that go into the front filter at a time.
const CHUNK: usize = 1_024;

/// A fold whose index is proven and whose filters are full.
pub(in super::super) struct Folded {
    pub(super) keys: Keys,
    pub(super) lifetimes: HashMap<Issuer<'static>, i64>,
    pub(super) usage: Usage,
    pub(super) cutoffs: Register,
    pub(in super::super) buckets: Buckets,
    /// Only at start: a server that runs has one.
    pub(super) front: FrontFilter,
}

/// Why a new generation of the index cannot be built.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum BuildError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Doubt(#[from] Doubt),
}

/// Opens the newest generation of the index, or makes the first.
pub(super) fn newest_generation(sources: &Sources) -> Result<Index, Doubt> {
    let newest = newest(&sources.index_path).unwrap_or(1);
    Ok((sources.open_index)(&sources.index_path.join(newest.to_string()))?)
}

/// The number of the newest generation in `path`.
fn newest(path: &Path) -> Option<u64> {
    generations(path).into_iter().max()
}

/// The directory of the generation behind the newest and behind `last`, which may be gone.
pub(in super::super) fn next_generation(path: &Path, last: u64) -> (u64, PathBuf) {
    let next = newest(path).unwrap_or(0).max(last) + 1;
    (next, path.join(next.to_string()))
}

/// The numbers of the generations in `path`.
fn generations(path: &Path) -> Vec<u64> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Removes every generation but `keep`: what they hold is in the journal too.
pub(in super::super) fn remove_other_generations(path: &Path, keep: &Path) {
    for generation in generations(path) {
        let other = path.join(generation.to_string());
        if other != keep {
            remove_generation(&other);
        }
    }
}

/// Removes a generation that is of no use.
pub(in super::super) fn remove_generation(path: &Path) {
    if let Err(error) = std::fs::remove_dir_all(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "an index that is of no use could not be removed");
    }
}

/// Holds the index against the fold, and fills the filters on the way.
pub(super) fn prove(fold: Fold, settings: &Settings) -> Result<Folded, Doubt> {
    let settings = settings.clone();
    fold.watch.clone().run(move |progress| prove_all(fold, &settings, progress))
}

fn prove_all(fold: Fold, settings: &Settings, progress: &Progress) -> Result<Folded, Doubt> {
    let Fold { keys, lifetimes, usage, cutoffs, mut expected, index, watch, .. } = fold;
    let list = index?.all();
    let generation = &list.generation;
    drain(&list, progress)?;
    // A tree without a single event in the journal: its entries ended before the journal forgot them.
    drop_trees(
        generation,
        expected.extract_if(|_, expected| expected.records == 0).map(|(bucket, _)| bucket),
        progress,
    )?;
    let records = expected.values().map(|expected| expected.records).sum::<u64>();
    // Beside a server, whose own front filter holds every key: then this one is thrown away.
    let planned = if watch.is_beside_a_server() { (0, 1) } else { (records, settings.capacity_min) };
    let live = usize::try_from(planned.0).unwrap_or(usize::MAX);
    let front = FrontFilter::new(live, settings.false_positive_rate, planned.1).map_err(|_| Unavailable::Index)?;
    let published = Buckets::over(generation.clone());
    for id in expected.keys() {
        published.publish(Arc::new(Bucket::new(*id, generation.clone())?));
    }
    let work = Mutex::new(published.all().buckets.clone());
    let prover = || -> Result<(), Doubt> {
        loop {
            let next = work.lock().map_err(|_| Unavailable::Poisoned)?.pop();
            let Some(bucket) = next else { return Ok(()) };
            if watch.is_ending() {
                return Err(Doubt::Ending);
            }
            let expected = expected.get(&bucket.id).copied().unwrap_or_default();
            let digest = prove_bucket(&bucket, &front, expected.records, progress)?;
            if digest != expected.digest {
                return Err(Doubt::Unequal(bucket.id.end()));
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // A server that runs needs the others.
    let cores = if watch.is_beside_a_server() { 1 } else { cores };
    std::thread::scope(|scope| {
        let provers: Vec<_> = (1..cores).map(|_| scope.spawn(prover)).collect();
        let own = prover();
        provers
            .into_iter()
            .map(|prover| prover.join().unwrap_or(Err(Doubt::Memory(Unavailable::Poisoned))))
            .fold(own, Result::and)
    })?;
    Ok(Folded { keys, lifetimes, usage, cutoffs, buckets: published, front })
}

fn prove_bucket(bucket: &Bucket, front: &FrontFilter, records: u64, progress: &Progress) -> Result<Digest, Doubt> {
    let planned = usize::try_from(records).unwrap_or(usize::MAX);
    let mut filter = BucketFilter::planned_for(planned).map_err(|_| Unavailable::Index)?;
    let mut chunk: Vec<Key> = Vec::with_capacity(CHUNK);
    let mut filled = Ok(());
    let digest = bucket.tree()?.scan(Seq::MAX, |key| {
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

/// Builds a new generation of the index in `path` from that part of `history` that belongs to a bucket which `is_held`, and
/// proves it.
pub(in super::super) fn build(
    open_index: &OpenIndex,
    path: &Path,
    history: Snapshot,
    settings: &Settings,
    is_held: impl Fn(BucketId) -> bool,
    watch: &Watch,
) -> Result<Folded, BuildError> {
    let (open_index, path) = (open_index.clone(), path.to_owned());
    let index = watch.run(move |_| Ok(open_index(&path)?));
    let mut fold = Fold::over(index, settings.overlay_entries_max, watch.clone());
    history.replay(&mut |raw, event| {
        if is_held(BucketId(event.kept_until())) {
            fold.take(raw, event);
        }
        if fold.index.is_err() || watch.is_ending() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if watch.is_ending() {
        return Err(Doubt::Ending.into());
    }
    Ok(prove(fold, settings)?)
}
