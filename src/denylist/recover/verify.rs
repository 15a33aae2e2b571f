//! Holding the data directory against itself, while no server runs, without changing an entry.

use std::collections::HashMap;

use super::super::watch::{Doubt, PATIENCE, Progress, Watch};
use super::mend::newest_generation;
use super::{OpenError, Sources};
use crate::event::Seq;
use crate::index::{Digest, Index, IndexError};
use crate::journal::{self, VerifyReport};
use crate::revocation::BucketId;

/// How the index stands to the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexState {
    /// Up to where it says it is, it holds exactly what the journal says.
    Equal,
    /// It does not, or cannot be read; the next start rebuilds it.
    Differs,
    /// It cannot be opened without writing, which is not permitted here.
    Unread,
}

/// Verifies every byte of the journal, and compares each bucket of the index with it up to the bucket's mark.
/// `progress` is told the bytes of the journal read so far and in all.
///
/// # Errors
/// [`OpenError`] where the journal is damaged; an index that differs is no error, since it mends itself.
pub fn verify(sources: &Sources, progress: &mut dyn FnMut(u64, u64)) -> Result<(VerifyReport, IndexState), OpenError> {
    // Opening makes what is not there, and an index without a journal would keep the first start from being one.
    let index = sources.index_path.exists().then(|| newest_generation(sources));
    let read_only = matches!(&index, Some(Err(Doubt::Index(error))) if error.is_read_only());
    let index = index.and_then(|index| {
        let marks = index.and_then(|index| Watch::new(PATIENCE).run(move |_| Ok((marks(&index)?, index))));
        marks.ok()
    });
    let mut expected: HashMap<BucketId, Digest> = HashMap::new();
    let mut scratch = Vec::with_capacity(512);
    let report = journal::verify(
        &*sources.disk,
        &mut |raw, event| {
            let (Some((key, bucket)), Some((marks, _))) = (event.entry(), &index) else { return };
            if marks.get(&bucket).is_some_and(|mark| event.seq <= *mark) {
                expected.entry(bucket).or_default().add_event(&mut scratch, &key, event, raw);
            }
        },
        progress,
    )?;
    if let Some((marks, _)) = &index
        && let Some(ahead) = marks.values().max().filter(|mark| **mark > report.last_seq)
    {
        return Err(OpenError::OlderJournal { index_seq: *ahead, journal_seq: report.last_seq });
    }
    let state = match index {
        Some((marks, index)) => {
            Watch::new(PATIENCE).run(move |progress| Ok(state(&index, &marks, &expected, progress)?))
        }
        None if read_only => Ok(IndexState::Unread),
        None => Ok(IndexState::Differs),
    };
    Ok((report, state.unwrap_or(IndexState::Differs)))
}

fn marks(index: &Index) -> Result<HashMap<BucketId, Seq>, IndexError> {
    index.buckets().into_iter().map(|bucket| Ok((bucket, index.tree(bucket)?.mark()?))).collect()
}

fn state(
    index: &Index,
    marks: &HashMap<BucketId, Seq>,
    expected: &HashMap<BucketId, Digest>,
    progress: &Progress,
) -> Result<IndexState, IndexError> {
    for (bucket, mark) in marks {
        // A bucket that the journal has forgotten has ended; the next start drops its tree.
        let Some(expected) = expected.get(bucket) else { continue };
        if index.tree(*bucket)?.scan(*mark, |_| progress.step())? != *expected {
            return Ok(IndexState::Differs);
        }
    }
    Ok(IndexState::Equal)
}
