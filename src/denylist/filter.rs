//! The Bloom filters: one in front of all live revocations, a small one for each bucket. They only save time
//! (promise 4). The only file that names `bloomfilter`.
//!
//! The protocol by which a front filter is refilled beside the answering one, so that no acknowledged key is ever
//! reported absent:
//!
//! - *writer*: store, then [`FrontFilter::insert`] (into every filter of the set it loads), then acknowledge;
//! - *refill*: [`FrontFilter::begin_refill`] (publish the new filter into the set), pass a barrier through the writer,
//!   scan the store, [`FrontFilter::fill`], then [`FrontFilter::finish_refill`] (swap).
//!
//! A writer that loaded the set before the new filter was in it has stored before the scan began, so the scan sees its
//! key; one that loaded it later inserts into both. The code is generic over its [`Primitives`], so that the test suite
//! checks this very code under a model checker.

use std::sync::Arc;

use bloomfilter::Bloom;

use super::sync::{Lock, Poisoned, Primitives, Published, Std};
use crate::token::Key;

/// Load, in percent of the plan, at which a front filter wants to be refilled: early enough that it never passes the
/// plan while the refill runs.
const REFILL_AT_PERCENT: usize = 85;

/// Percent of the live keys that a new front filter is planned for: room to grow by two fifths before the next refill.
const HEADROOM_PERCENT: usize = 170;

/// False positive rate of the small filter of one bucket. Each maybe of the front filter asks about two hundred of
/// them, and a lie costs one read of the index.
const BUCKET_RATE: f64 = 1e-3;

/// Keys that the first filter of a bucket is planned for.
const BUCKET_CAPACITY_MIN: usize = 512;

/// One Bloom filter with its plan and its load. Its hash keys are random per process and are never printed.
struct Filter {
    bits: Bloom<Key>,
    capacity: usize,
    load: usize,
}

impl Filter {
    fn planned_for(capacity: usize, rate: f64) -> Result<Self, FilterError> {
        let bits = Bloom::new_for_fp_rate(capacity, rate).map_err(|_| FilterError::Memory { capacity })?;
        Ok(Self { bits, capacity, load: 0 })
    }

    fn insert(&mut self, key: &Key) {
        self.bits.set(key);
        self.load += 1;
    }
}

/// Why a filter cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The crate could not make one of this size.
    #[error("a filter for {capacity} keys cannot be made")]
    Memory {
        /// Keys planned for.
        capacity: usize,
    },
}

/// The filters that a writer inserts into: the one that answers and, while a refill runs, the one being filled.
struct Set<P: Primitives> {
    answering: Arc<P::Lock<Filter>>,
    filling: Option<Arc<P::Lock<Filter>>>,
}

/// How full the answering filter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterLoad {
    /// Keys inserted, stale ones counted.
    pub load: usize,
    /// Keys planned for.
    pub capacity: usize,
    /// Size in memory, bytes.
    pub bytes: u64,
}

impl FilterLoad {
    /// Share of false positives to be expected: a filter of m bits and k hashes holding n keys says maybe to
    /// (1 - e^(-kn/m))^k of strangers.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn estimated_rate(&self) -> f64 {
        let bits = (self.bytes * 8) as f64;
        if bits == 0.0 {
            return 0.0;
        }
        let hashes = (bits / self.capacity as f64 * std::f64::consts::LN_2).round().max(1.0);
        (1.0 - (-hashes * self.load as f64 / bits).exp()).powf(hashes)
    }
}

/// The filter in front of all live revocations.
pub struct FrontFilter<P: Primitives = Std> {
    set: P::Published<Set<P>>,
    rate: f64,
    capacity_min: usize,
}

impl<P: Primitives> FrontFilter<P> {
    /// An empty filter planned for `live` keys at the false positive rate `rate`.
    ///
    /// # Errors
    /// [`FilterError`] where memory for it cannot be had.
    pub fn new(live: usize, rate: f64, capacity_min: usize) -> Result<Self, FilterError> {
        let first = Filter::planned_for(plan(live, capacity_min), rate)?;
        let set = Set { answering: Arc::new(P::Lock::new(first)), filling: None };
        Ok(Self { set: P::Published::new(set), rate, capacity_min })
    }

    /// Whether `key` may have been inserted; a "no" is certain. One probe, no allocation.
    ///
    /// # Errors
    /// [`Poisoned`] if a thread died while it changed the filter (promise 3).
    #[inline]
    pub fn maybe(&self, key: &Key) -> Result<bool, Poisoned> {
        self.set.with(|set| set.answering.read(|filter| filter.bits.check(key)))
    }

    /// Hands over the place of each of `keys` that may have been inserted. Takes the lock once, so `keys` are to be few.
    ///
    /// # Errors
    /// As [`Self::maybe`].
    pub fn maybes_among(&self, keys: &[Key], mut each: impl FnMut(usize)) -> Result<(), Poisoned> {
        self.set.with(|set| {
            set.answering.read(|filter| {
                keys.iter().enumerate().filter(|(_, key)| filter.bits.check(key)).for_each(|(at, _)| each(at));
            })
        })
    }

    /// Inserts `keys` into every filter of the set. To be called after they are stored and before they are
    /// acknowledged.
    ///
    /// # Errors
    /// [`Poisoned`] if a thread died while it changed a filter.
    pub fn insert(&self, keys: &[Key]) -> Result<(), Poisoned> {
        let set = self.set.load();
        for filter in std::iter::once(&set.answering).chain(set.filling.as_ref()) {
            // One key at a time: a reader waits for one insertion at most, not for a whole group.
            for key in keys {
                filter.write(|filter| filter.insert(key))?;
            }
        }
        Ok(())
    }

    /// Inserts `keys` into the answering filter while nobody asks it yet: the lock is taken once for all of them.
    ///
    /// # Errors
    /// [`Poisoned`] if a thread died while it changed the filter.
    pub fn insert_unasked(&self, keys: &[Key]) -> Result<(), Poisoned> {
        let insert = |filter: &mut Filter| keys.iter().for_each(|key| filter.insert(key));
        self.set.load().answering.write(insert)
    }

    /// Publishes a new, empty filter planned for `live` keys into the set. The caller then passes a barrier through the
    /// writer, scans the store and [`fill`](Self::fill)s.
    ///
    /// # Errors
    /// [`FilterError`] where memory for it cannot be had.
    pub fn begin_refill(&self, live: usize) -> Result<(), FilterError> {
        let fresh = Filter::planned_for(plan(live, self.capacity_min), self.rate)?;
        let answering = self.set.load().answering.clone();
        self.set.store(Set { answering, filling: Some(Arc::new(P::Lock::new(fresh))) });
        Ok(())
    }

    /// Inserts what the scan found into the filter being filled; nothing if no refill runs.
    ///
    /// # Errors
    /// [`Poisoned`] if a thread died while it changed the filter.
    pub fn fill(&self, keys: &[Key]) -> Result<(), Poisoned> {
        let set = self.set.load();
        let Some(filling) = &set.filling else { return Ok(()) };
        for key in keys {
            filling.write(|filter| filter.insert(key))?;
        }
        Ok(())
    }

    /// Swaps: the filter that was filled answers from now on. Nothing if no refill runs.
    pub fn finish_refill(&self) {
        if let Some(filled) = self.set.load().filling.clone() {
            self.set.store(Set { answering: filled, filling: None });
        }
    }

    /// Gives a refill up: the filter being filled is forgotten.
    pub fn abandon_refill(&self) {
        let answering = self.set.load().answering.clone();
        self.set.store(Set { answering, filling: None });
    }

    /// Whether a refill is called for, with `live` keys in the store: the load nears the plan, or so much of it is
    /// stale that a much smaller filter would do.
    #[must_use]
    pub fn wants_refill(&self, live: usize) -> bool {
        if self.set.load().filling.is_some() {
            return false;
        }
        let Some(FilterLoad { load, capacity, .. }) = self.load() else { return false };
        let near = load >= percent(capacity, REFILL_AT_PERCENT);
        let shrunk = capacity > 4 * plan(live, self.capacity_min);
        near || shrunk
    }

    /// How full the answering filter is; `None` where a thread died while it changed it.
    #[must_use]
    pub fn load(&self) -> Option<FilterLoad> {
        let of =
            |filter: &Filter| FilterLoad { load: filter.load, capacity: filter.capacity, bytes: filter.bits.len() / 8 };
        self.set.with(|set| set.answering.read(of)).ok()
    }
}

/// Keys to plan a front filter for, with `live` ones in the store.
fn plan(live: usize, capacity_min: usize) -> usize {
    percent(live, HEADROOM_PERCENT).max(capacity_min).max(1)
}

fn percent(of: usize, percent: usize) -> usize {
    (of / 100).saturating_mul(percent).saturating_add(of % 100 * percent / 100)
}

/// The small filter of one bucket: grows by adding filters, each four times as large as the one before, so that no key
/// is ever moved and none is read back.
pub(super) struct BucketFilter {
    parts: Vec<Filter>,
}

impl BucketFilter {
    /// An empty filter for a bucket that holds `keys` keys now.
    pub(super) fn planned_for(keys: usize) -> Result<Self, FilterError> {
        Ok(Self { parts: vec![Filter::planned_for(keys.max(BUCKET_CAPACITY_MIN), BUCKET_RATE)?] })
    }

    /// Inserts one key.
    ///
    /// # Errors
    /// [`FilterError`] where memory for a further part cannot be had; the key is then not inserted.
    pub(super) fn insert(&mut self, key: &Key) -> Result<(), FilterError> {
        let grown = match self.parts.last() {
            Some(last) if last.load < last.capacity => None,
            Some(last) => Some(last.capacity.saturating_mul(4)),
            None => Some(BUCKET_CAPACITY_MIN),
        };
        if let Some(capacity) = grown {
            self.parts.push(Filter::planned_for(capacity, BUCKET_RATE)?);
        }
        if let Some(last) = self.parts.last_mut() {
            last.insert(key);
        }
        Ok(())
    }

    /// Whether `key` may have been inserted; a "no" is certain.
    pub(super) fn maybe(&self, key: &Key) -> bool {
        self.parts.iter().any(|part| part.bits.check(key))
    }

    /// Size in memory, bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bits.len() / 8).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{Issuer, Selector};

    fn key(n: usize) -> Key {
        Key::new(Selector::Jti, &Issuer::NAMELESS, &n.to_string())
    }

    #[test]
    fn what_was_inserted_is_maybe_and_few_others_are() {
        let front: FrontFilter = FrontFilter::new(10_000, 1e-3, 100).unwrap();
        let keys: Vec<_> = (0..10_000).map(key).collect();
        front.insert(&keys).unwrap();
        assert!(keys.iter().all(|key| front.maybe(key).unwrap()));
        let lies = (10_000..110_000).filter(|n| front.maybe(&key(*n)).unwrap()).count();
        assert!(lies < 120, "{lies} of 100,000 at a rate of 1e-3 and less than the planned load");
    }

    #[test]
    fn a_refill_forgets_the_stale_and_keeps_what_was_written_meanwhile() {
        let front: FrontFilter = FrontFilter::new(1_000, 1e-4, 1_000).unwrap();
        front.insert(&(0..1_000).map(key).collect::<Vec<_>>()).unwrap();
        front.begin_refill(10).unwrap();
        front.insert(&[key(5_000)]).unwrap();
        front.fill(&[key(1), key(2)]).unwrap();
        assert!(front.maybe(&key(500)).unwrap(), "the old filter answers until the swap");
        front.finish_refill();
        for n in [1, 2, 5_000] {
            assert!(front.maybe(&key(n)).unwrap());
        }
        assert!((3..1_000).filter(|n| front.maybe(&key(*n)).unwrap()).count() < 5);
        assert_eq!(front.load().unwrap().load, 3);
    }

    #[test]
    fn a_refill_is_wanted_near_the_plan_and_when_most_is_stale() {
        let front: FrontFilter = FrontFilter::new(1_000, 1e-4, 100).unwrap();
        assert!(!front.wants_refill(1_000));
        front.insert(&(0..1_445).map(key).collect::<Vec<_>>()).unwrap();
        assert!(front.wants_refill(1_445), "85 % of 1,700");
        let front: FrontFilter = FrontFilter::new(10_000, 1e-4, 100).unwrap();
        assert!(front.wants_refill(1_000));
        front.begin_refill(1_000).unwrap();
        assert!(!front.wants_refill(1_000), "one runs already");
    }

    #[test]
    fn a_bucket_filter_grows_without_forgetting() {
        let mut filter = BucketFilter::planned_for(0).unwrap();
        for n in 0..20_000 {
            filter.insert(&key(n)).unwrap();
        }
        assert!((0..20_000).all(|n| filter.maybe(&key(n))));
        let lies = (20_000..40_000).filter(|n| filter.maybe(&key(*n))).count();
        assert!(lies < 120, "{lies} of 20,000 for four parts of 1e-3 each");
    }
}
