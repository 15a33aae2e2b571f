//! The cutoffs that stand, exactly and in memory: the fold of their events (promises 8 and 15).
//!
//! Checks look at a published snapshot, without a lock and without an allocation; where there is no cutoff at all, that is
//! one atomic read. Beside it stands the register that listings and the writer look at. What is on disk is in journal and
//! index like every entry.

mod register;
mod standing;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard};

use arc_swap::ArcSwap;

use crate::clock::{Clock, NumericDate};
use crate::event::Event;
use crate::revocation::{TokenClaims, Unavailable};
use crate::token::{Key, Selector};

pub(super) use self::register::Register;
pub(super) use self::standing::Standing;

/// Parts of the snapshot: a change copies one of them, not all.
const SHARDS: usize = 256;

/// The cutoffs on one target that can decide a check: strictest first, each ending later than all before it. Nearly always
/// one.
type Deciding = Arc<[Arc<Standing>]>;

/// What checks look at.
#[derive(Clone)]
struct Snapshot {
    /// By the first byte of the target's key.
    shards: Vec<Arc<HashMap<Key, Deciding>>>,
    /// Targets with a cutoff, by selector: what nobody has cut off is not even hashed.
    targets: [usize; Selector::ALL.len()],
}

/// All cutoffs that stand.
pub(super) struct Cutoffs {
    /// Targets in the snapshot.
    targets: AtomicUsize,
    published: ArcSwap<Snapshot>,
    register: RwLock<Register>,
}

impl Cutoffs {
    /// Publishes what recovery has folded.
    pub(super) fn new(register: Register) -> Self {
        let mut shards: Vec<HashMap<Key, Deciding>> = vec![HashMap::new(); SHARDS];
        for (target, deciding) in register.deciding() {
            shards[shard_of(target)].insert(*target, deciding.clone());
        }
        let targets = register.targets();
        let snapshot = Snapshot { shards: shards.into_iter().map(Arc::new).collect(), targets };
        Self {
            targets: AtomicUsize::new(targets.iter().sum()),
            published: ArcSwap::from_pointee(snapshot),
            register: RwLock::new(register),
        }
    }

    /// The strictest live cutoff that kills this token. Looks at every selector that the check brings, and at its issuer.
    #[inline]
    pub(super) fn strictest(&self, claims: &TokenClaims<'_>, clock: &Clock) -> Option<Arc<Standing>> {
        if self.targets.load(Ordering::Acquire) == 0 { None } else { self.strictest_of_some(claims, clock) }
    }

    fn strictest_of_some(&self, claims: &TokenClaims<'_>, clock: &Clock) -> Option<Arc<Standing>> {
        let snapshot = self.published.load();
        let mut earliest = None;
        let mut strictest: Option<&Arc<Standing>> = None;
        for selector in Selector::OF_CUTOFFS {
            let Some(value) = claims.cutoff_value(selector).filter(|_| snapshot.targets[selector as usize] > 0) else {
                continue;
            };
            let target = Key::new(selector, claims.issuer, value);
            let Some(deciding) = snapshot.shards[shard_of(&target)].get(&target) else { continue };
            let earliest = *earliest.get_or_insert_with(|| clock.now().earliest);
            // What the strictest live one does not kill, none does.
            let live = deciding.iter().find(|cutoff| cutoff.is_live(earliest));
            if let Some(cutoff) = live.filter(|cutoff| cutoff.kills(claims.iat))
                && strictest.is_none_or(|other| other.good_from < cutoff.good_from)
            {
                strictest = Some(cutoff);
            }
        }
        strictest.cloned()
    }

    /// The register, for listings and decisions.
    ///
    /// # Errors
    /// [`Unavailable::Poisoned`].
    pub(super) fn register(&self) -> Result<RwLockReadGuard<'_, Register>, Unavailable> {
        self.register.read().map_err(|_| Unavailable::Poisoned)
    }

    /// Folds durable events in and publishes what they changed. Called by the writer only.
    ///
    /// # Errors
    /// [`Unavailable::Poisoned`].
    pub(super) fn apply(&self, events: &[(Event<'_>, Arc<[u8]>)]) -> Result<(), Unavailable> {
        if events.is_empty() {
            return Ok(());
        }
        let mut register = self.register.write().map_err(|_| Unavailable::Poisoned)?;
        let changed = events.iter().filter_map(|(event, raw)| register.apply(event, raw)).collect();
        self.publish(&register, changed);
        Ok(())
    }

    /// Forgets what was kept until `instant` or less long. Called by the writer only.
    ///
    /// # Errors
    /// [`Unavailable::Poisoned`].
    pub(super) fn forget_ended(&self, instant: NumericDate) -> Result<(), Unavailable> {
        let mut register = self.register.write().map_err(|_| Unavailable::Poisoned)?;
        let changed = register.forget_ended(instant);
        self.publish(&register, changed);
        Ok(())
    }

    fn publish(&self, register: &Register, changed: Vec<Key>) {
        if changed.is_empty() {
            return;
        }
        let mut snapshot = Snapshot::clone(&self.published.load());
        for target in changed {
            let shard = Arc::make_mut(&mut snapshot.shards[shard_of(&target)]);
            match register.deciding_on(&target) {
                Some(deciding) => shard.insert(target, deciding.clone()),
                None => shard.remove(&target),
            };
        }
        snapshot.targets = register.targets();
        let targets = snapshot.targets.iter().sum();
        self.published.store(Arc::new(snapshot));
        self.targets.store(targets, Ordering::Release);
    }
}

fn shard_of(target: &Key) -> usize {
    usize::from(target.0[0]) % SHARDS
}
