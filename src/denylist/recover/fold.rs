//! The fold of the journal: what every event adds up to, and how far the index is behind it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::bucket::{Bucket, Buckets};
use super::super::cutoffs::Register;
use super::super::filter::BucketFilter;
use super::super::state::{Settings, raise};
use super::super::usage::Usage;
use super::watch::{Progress, watched};
use crate::clock::NumericDate;
use crate::event::{Change, Event, Seq};
use crate::index::{Digest, Index, IndexError};
use crate::keys::Keys;
use crate::revocation::{BucketId, Unavailable};
use crate::token::Issuer;

/// What the index must hold of one bucket.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Expected {
    /// The index says itself that it holds everything up to here.
    mark: Seq,
    /// What it must hold once all is replayed.
    pub(super) digest: Digest,
    /// Records among that.
    pub(super) records: u64,
}

/// Why the index is doubted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Doubt {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("the bucket that ends at {0} differs")]
    Unequal(NumericDate),
    #[error("the index's store panicked")]
    Panicked,
    #[error("the index's store does not go on")]
    Stuck,
    #[error(transparent)]
    Memory(#[from] Unavailable),
}

/// The fold under way.
pub(super) struct Fold {
    pub(super) keys: Keys,
    pub(super) lifetimes: HashMap<Issuer<'static>, i64>,
    pub(super) usage: Usage,
    pub(super) cutoffs: Register,
    pub(super) buckets: Buckets,
    pub(super) expected: HashMap<BucketId, Expected>,
    pub(super) index: Result<Index, Doubt>,
    /// Events that the index had not taken in.
    pub(super) replayed: u64,
    overlay_entries_max: usize,
    /// How long the index may stand still.
    patience: Duration,
    scratch: Vec<u8>,
}

impl Fold {
    /// Begins a fold beside `index`, of which it reads the marks.
    pub(super) fn over(index: Result<Index, Doubt>, settings: &Settings) -> Self {
        let patience = Duration::from_millis(settings.index_timeout_ms);
        let begun = index.and_then(|index| watched(patience, move |progress| begin(index, progress)));
        let (index, expected) = match begun {
            Ok((index, expected)) => (Ok(index), expected),
            Err(doubt) => (Err(doubt), HashMap::new()),
        };
        Self {
            keys: Keys::default(),
            lifetimes: HashMap::new(),
            usage: Usage::default(),
            cutoffs: Register::default(),
            buckets: Buckets::default(),
            expected,
            index,
            replayed: 0,
            overlay_entries_max: settings.overlay_entries_max,
            patience,
            scratch: Vec::with_capacity(512),
        }
    }

    /// The highest mark of the index, if it is above `last_seq`. What is in the index was durable in the journal first.
    pub(super) fn index_ahead_of(&self, last_seq: Seq) -> Option<Seq> {
        let highest = self.expected.values().map(|expected| expected.mark).max()?;
        (highest > last_seq).then_some(highest)
    }

    /// Takes one event in. A doubt about the index is kept for later: the fold of what is no entry goes on.
    pub(super) fn take(&mut self, raw: &[u8], event: &Event<'_>) {
        self.keys.apply(&event.change);
        if let Change::LifetimeRaised { issuer, lifetime_s } = &event.change {
            raise(&mut self.lifetimes, issuer, *lifetime_s);
        }
        let Some((key, bucket)) = event.entry() else { return };
        self.usage.add(bucket, event, raw.len());
        if matches!(event.change, Change::Cutoff(_) | Change::CutoffRestored { .. }) {
            let _changed = self.cutoffs.apply(event, &raw.into());
        }
        if self.index.is_err() {
            return;
        }
        let expected = self.expected.entry(bucket).or_default();
        expected.digest.add_event(&mut self.scratch, &key, event, raw);
        expected.records += 1;
        if event.seq <= expected.mark {
            return;
        }
        self.replayed += 1;
        let inserted = self.bucket(bucket).and_then(|bucket| bucket.insert(key, event.seq, raw.into()));
        self.buckets.add_behind(1);
        if let Err(doubt) = inserted.map_err(Doubt::from).and_then(|()| self.catch_up()) {
            self.doubt(doubt);
        }
    }

    /// Forgets what has ended, in memory and in the index.
    pub(super) fn forget_ended(&mut self, earliest: NumericDate) {
        // Of all that was folded: in doubt nothing is expected of the index, and its entries are held all the same.
        self.usage.forget_ended(earliest);
        let _changed = self.cutoffs.forget_ended(earliest);
        for bucket in self.buckets.withdraw_ended(earliest) {
            self.buckets.sub_behind(bucket.overlay_keys().map_or(0, |keys| keys.len()));
        }
        let ended: Vec<_> = self.expected.keys().copied().filter(|bucket| bucket.end() <= earliest).collect();
        self.expected.retain(|bucket, _| bucket.end() > earliest);
        let dropped = self.on_index(|index, progress| {
            for bucket in ended {
                index.drop_tree(bucket)?;
                progress.step();
            }
            Ok(())
        });
        if let Err(doubt) = dropped {
            self.doubt(doubt);
        }
    }

    fn doubt(&mut self, doubt: Doubt) {
        // Nothing of the index is of use any more, and what waits for it would only fill the memory.
        self.index = Err(doubt);
        self.buckets = Buckets::default();
        self.expected.clear();
    }

    fn bucket(&self, id: BucketId) -> Result<Arc<Bucket>, Unavailable> {
        if let Some(bucket) = self.buckets.get(id) {
            return Ok(bucket);
        }
        let filter = BucketFilter::planned_for(0).map_err(|_| Unavailable::Index)?;
        let bucket = Arc::new(Bucket::new(id, filter));
        self.buckets.publish(bucket.clone());
        Ok(bucket)
    }

    /// Takes the overlays into the index once they are at their limit.
    fn catch_up(&self) -> Result<(), Doubt> {
        if self.buckets.behind() < self.overlay_entries_max {
            return Ok(());
        }
        let buckets = self.buckets.all();
        self.on_index(move |index, progress| {
            for bucket in buckets.iter() {
                bucket.drain(index)?;
                progress.step();
            }
            Ok(())
        })?;
        self.buckets.sub_behind(self.buckets.behind());
        Ok(())
    }

    /// Does `work` on the index, watched, unless it is in doubt already.
    fn on_index(
        &self,
        work: impl FnOnce(&Index, &Progress) -> Result<(), Doubt> + Send + 'static,
    ) -> Result<(), Doubt> {
        let Ok(index) = self.index.as_ref() else { return Ok(()) };
        let index = index.clone();
        watched(self.patience, move |progress| work(&index, progress))
    }
}

/// Reads how far each tree says it is.
fn begin(index: Index, progress: &Progress) -> Result<(Index, HashMap<BucketId, Expected>), Doubt> {
    let mut expected = HashMap::new();
    for bucket in index.buckets() {
        let tree = index.tree(bucket)?;
        let mark = tree.mark()?;
        tree.cut_listing(mark)?;
        expected.insert(bucket, Expected { mark, ..Expected::default() });
        progress.step();
    }
    Ok((index, expected))
}
