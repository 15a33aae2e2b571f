//! The fold of the journal: what every event adds up to, and how far the index is behind it.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::bucket::{Bucket, Buckets, List};
use super::super::cutoffs::Register;
use super::super::generation::Generation;
use super::super::state::raise;
use super::super::usage::Usage;
use super::super::watch::{Doubt, Progress, Watch};
use crate::clock::NumericDate;
use crate::event::{Change, Event, Seq};
use crate::index::{Digest, Index};
use crate::keys::Keys;
use crate::revocation::{BucketId, Unavailable};
use crate::token::{Issuer, Naming};

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

/// The fold under way.
pub(super) struct Fold {
    pub(super) keys: Keys,
    pub(super) lifetimes: HashMap<Issuer<'static>, i64>,
    /// What tokens are known by, of issuers for which that was ever recorded.
    pub(super) namings: HashMap<Issuer<'static>, Naming<'static>>,
    pub(super) usage: Usage,
    pub(super) cutoffs: Register,
    pub(super) expected: HashMap<BucketId, Expected>,
    /// What the index lacks waits in its buckets.
    pub(super) index: Result<Buckets, Doubt>,
    /// Events that the index had not taken in.
    pub(super) replayed: u64,
    overlay_entries_max: usize,
    pub(super) watch: Watch,
    scratch: Vec<u8>,
}

impl Fold {
    /// Begins a fold beside `index`, of which it reads the marks.
    pub(super) fn over(index: Result<Index, Doubt>, overlay_entries_max: usize, watch: Watch) -> Self {
        let begun = index.and_then(|index| watch.run(move |progress| begin(index, progress)));
        let (index, expected) = match begun {
            Ok((index, expected)) => (Ok(Buckets::over(Generation::new(index))), expected),
            Err(doubt) => (Err(doubt), HashMap::new()),
        };
        Self {
            keys: Keys::default(),
            lifetimes: HashMap::new(),
            namings: HashMap::new(),
            usage: Usage::default(),
            cutoffs: Register::default(),
            expected,
            index,
            replayed: 0,
            overlay_entries_max,
            watch,
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
        self.keys.apply(event);
        match &event.change {
            Change::LifetimeRaised { issuer, lifetime_s } => raise(&mut self.lifetimes, issuer, *lifetime_s),
            Change::NamingSet { issuer, naming } => {
                self.namings.insert(issuer.clone().into_owned(), naming.clone().into_owned());
            }
            _ => {}
        }
        let Some((key, bucket)) = event.entry() else { return };
        self.usage.add(bucket, event, raw.len());
        if matches!(event.change, Change::Cutoff(_) | Change::CutoffRestored { .. }) {
            let _changed = self.cutoffs.apply(event, &raw.into());
        }
        let Ok(buckets) = &self.index else { return };
        let expected = self.expected.entry(bucket).or_default();
        expected.digest.add_event(&mut self.scratch, &key, event, raw);
        expected.records += 1;
        if event.seq <= expected.mark {
            return;
        }
        self.replayed += 1;
        let inserted = bucket_of(buckets, bucket).and_then(|bucket| bucket.insert(key, event.seq, raw.into()));
        if let Err(doubt) = inserted.map_err(Doubt::from).and_then(|()| self.catch_up()) {
            self.doubt(doubt);
        }
    }

    /// Forgets what has ended, in memory and in the index.
    pub(super) fn forget_ended(&mut self, earliest: NumericDate) {
        // Of all that was folded: in doubt nothing is expected of the index, and its entries are held all the same.
        self.usage.forget_ended(earliest);
        self.keys.forget_ended(earliest);
        let _changed = self.cutoffs.forget_ended(earliest);
        let Ok(buckets) = &self.index else { return };
        for bucket in buckets.withdraw_ended(earliest) {
            bucket.forget_overlay();
        }
        let ended: Vec<_> = self.expected.keys().copied().filter(|bucket| bucket.end() <= earliest).collect();
        self.expected.retain(|bucket, _| bucket.end() > earliest);
        let dropped = self.on_index(|list, progress| drop_trees(&list.generation, ended, progress));
        if let Err(doubt) = dropped {
            self.doubt(doubt);
        }
    }

    fn doubt(&mut self, doubt: Doubt) {
        // Nothing of the index is of use any more, and what waits for it would only fill the memory.
        if let Ok(buckets) = std::mem::replace(&mut self.index, Err(doubt)) {
            buckets.generation().give_up();
        }
        self.expected.clear();
    }

    /// Takes the overlays into the index once they are at their limit.
    fn catch_up(&self) -> Result<(), Doubt> {
        match &self.index {
            Ok(buckets) if buckets.behind() >= self.overlay_entries_max => self.on_index(drain),
            _ => Ok(()),
        }
    }

    /// Does `work` on the index, watched, unless it is in doubt already.
    fn on_index(&self, work: impl FnOnce(&List, &Progress) -> Result<(), Doubt> + Send + 'static) -> Result<(), Doubt> {
        let Ok(buckets) = &self.index else { return Ok(()) };
        let list = buckets.all();
        self.watch.run(move |progress| work(&list, progress))
    }
}

fn bucket_of(buckets: &Buckets, id: BucketId) -> Result<Arc<Bucket>, Unavailable> {
    if let Some(bucket) = buckets.get(id) {
        return Ok(bucket);
    }
    let bucket = Arc::new(Bucket::new(id, buckets.generation())?);
    buckets.publish(bucket.clone());
    Ok(bucket)
}

/// Takes all that waits in the overlays into the index, unless that fails meanwhile.
pub(in super::super) fn drain(list: &List, progress: &Progress) -> Result<(), Doubt> {
    for bucket in list.buckets.iter().take_while(|_| !list.generation.is_failed()) {
        bucket.drain()?;
        progress.step();
    }
    Ok(())
}

/// Drops the trees of these buckets.
pub(in super::super) fn drop_trees(
    generation: &Generation,
    buckets: impl IntoIterator<Item = BucketId>,
    progress: &Progress,
) -> Result<(), Doubt> {
    for bucket in buckets {
        generation.index.drop_tree(bucket)?;
        progress.step();
    }
    Ok(())
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
