//! Every cutoff that stands, by all that it is looked for by.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{Deciding, Standing};
use crate::clock::NumericDate;
use crate::event::{Change, Event, Seq};
use crate::revocation::BucketId;
use crate::token::{Key, Selector};

/// The fold of the cutoff events, in order. Applying all of them twice is the same as once.
#[derive(Default)]
pub(in super::super) struct Register {
    by_id: HashMap<Key, Arc<Standing>>,
    /// Target, first good `iat`, id.
    of_target: BTreeSet<(Key, NumericDate, Key)>,
    /// Newest last, for each selector.
    by_seq: [BTreeMap<Seq, Arc<Standing>>; Selector::ALL.len()],
    deciding: HashMap<Key, Deciding>,
    /// Ids of the events of each bucket, those that took a cutoff back included.
    by_bucket: BTreeMap<NumericDate, Vec<Key>>,
    /// Targets with a cutoff, by selector.
    targets: [usize; Selector::ALL.len()],
}

impl Register {
    /// Folds one event in; gives the target whose deciding cutoffs it may have changed.
    pub(in super::super) fn apply(&mut self, event: &Event<'_>, raw: &Arc<[u8]>) -> Option<Key> {
        match &event.change {
            Change::Cutoff(_) => self.stand(Standing::of(event, raw)?),
            Change::CutoffRestored { issuer, target, first_seq, .. } => {
                let id = target.cutoff_key(issuer, *first_seq);
                self.note_bucket(BucketId::of(event.recorded_at, event.ends_at), id);
                self.remove(&id)
            }
            _ => None,
        }
    }

    fn stand(&mut self, mut standing: Standing) -> Option<Key> {
        self.note_bucket(BucketId(standing.kept_until), standing.id);
        if let Some(before) = self.by_id.get(&standing.id).cloned() {
            if before.seq >= standing.seq {
                return None;
            }
            // Its end is put off; all else is the same.
            standing.kept_until = standing.kept_until.max(before.kept_until);
            self.by_seq[before.selector as usize].remove(&before.seq);
        }
        let standing = Arc::new(standing);
        self.of_target.insert((standing.target, standing.good_from, standing.id));
        self.by_seq[standing.selector as usize].insert(standing.seq, standing.clone());
        self.by_id.insert(standing.id, standing.clone());
        let others = self.deciding.get(&standing.target).into_iter().flat_map(|deciding| deciding.iter());
        let others = others.filter(|other| other.id != standing.id).cloned();
        let deciding = deciding(others.chain([standing.clone()]).collect());
        self.decide(standing.target, standing.selector, deciding);
        Some(standing.target)
    }

    fn remove(&mut self, id: &Key) -> Option<Key> {
        let gone = self.by_id.remove(id)?;
        self.of_target.remove(&(gone.target, gone.good_from, gone.id));
        self.by_seq[gone.selector as usize].remove(&gone.seq);
        // Another one, so far less strict, may decide now: restoring one never lifts another.
        let others = self.of_target(&gone.target).cloned().collect();
        self.decide(gone.target, gone.selector, deciding(others));
        Some(gone.target)
    }

    fn decide(&mut self, target: Key, selector: Selector, deciding: Vec<Arc<Standing>>) {
        let had = if deciding.is_empty() {
            self.deciding.remove(&target).is_some()
        } else {
            self.targets[selector as usize] += 1;
            self.deciding.insert(target, deciding.into()).is_some()
        };
        self.targets[selector as usize] -= usize::from(had);
    }

    fn note_bucket(&mut self, bucket: BucketId, id: Key) {
        self.by_bucket.entry(bucket.end()).or_default().push(id);
    }

    /// Forgets what was kept until `instant` or less long; gives the targets that lost a cutoff.
    pub(in super::super) fn forget_ended(&mut self, instant: NumericDate) -> Vec<Key> {
        let mut changed = Vec::new();
        while let Some(bucket) = self.by_bucket.first_entry().filter(|bucket| *bucket.key() <= instant) {
            for id in bucket.remove() {
                if self.by_id.get(&id).is_some_and(|standing| standing.kept_until <= instant) {
                    changed.extend(self.remove(&id));
                }
            }
        }
        changed
    }

    /// The cutoffs on `target`, in no order that matters.
    pub(in super::super) fn of_target(&self, target: &Key) -> impl Iterator<Item = &Arc<Standing>> {
        let (first, last) = (NumericDate(i64::MIN), NumericDate::NEVER);
        self.between(target, first, last)
    }

    /// The cutoffs on `target` whose first good `iat` is `good_from`.
    pub(in super::super) fn same(&self, target: &Key, good_from: NumericDate) -> impl Iterator<Item = &Arc<Standing>> {
        self.between(target, good_from, good_from)
    }

    fn between(
        &self,
        target: &Key,
        first: NumericDate,
        last: NumericDate,
    ) -> impl Iterator<Item = &Arc<Standing>> + use<'_> {
        let range = (*target, first, Key([0; 16]))..=(*target, last, Key([u8::MAX; 16]));
        self.of_target.range(range).filter_map(|(_, _, id)| self.by_id.get(id))
    }

    /// Every cutoff, in no order.
    pub(in super::super) fn all(&self) -> impl Iterator<Item = &Arc<Standing>> {
        self.by_id.values()
    }

    /// Cutoffs of `selector` with a `seq` below `before`, newest first.
    pub(in super::super) fn newest(&self, selector: Selector, before: Seq) -> impl Iterator<Item = (Seq, Key)> {
        self.by_seq[selector as usize].range(..before).rev().map(|(seq, standing)| (*seq, standing.id))
    }

    /// How many stand, by selector.
    pub(in super::super) fn counts(&self) -> [u64; Selector::ALL.len()] {
        std::array::from_fn(|selector| self.by_seq[selector].len() as u64)
    }

    /// Events held, those that took a cutoff back included.
    pub(in super::super) fn records(&self) -> u64 {
        self.by_bucket.values().map(|ids| ids.len() as u64).sum()
    }

    pub(super) fn targets(&self) -> [usize; Selector::ALL.len()] {
        self.targets
    }

    pub(super) fn deciding(&self) -> impl Iterator<Item = (&Key, &Deciding)> {
        self.deciding.iter()
    }

    pub(super) fn deciding_on(&self, target: &Key) -> Option<&Deciding> {
        self.deciding.get(target)
    }
}

/// Those of `cutoffs` that can decide a check, strictest first: one that is less strict than another and ends no later never
/// does.
fn deciding(mut cutoffs: Vec<Arc<Standing>>) -> Vec<Arc<Standing>> {
    cutoffs.sort_unstable_by_key(|cutoff| std::cmp::Reverse((cutoff.good_from, cutoff.ends_at, cutoff.seq)));
    let mut last_end = NumericDate(i64::MIN);
    cutoffs.retain(|cutoff| {
        let decides = cutoff.ends_at > last_end;
        last_end = last_end.max(cutoff.ends_at);
        decides
    });
    cutoffs
}
