//! The places of changes that wait for the writer (promise 11): counted in changes, not in calls, or one call of many
//! would hold as much as it likes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// All places; the last tenth is for admins.
pub(super) struct Places {
    common: Pool,
    reserved: Pool,
}

struct Pool {
    taken: Arc<AtomicUsize>,
    max: usize,
}

/// The places of one call, given back when it is dropped: once the call is answered, however long its caller waits.
pub(in super::super) struct Place {
    taken: Arc<AtomicUsize>,
    changes: usize,
}

impl Places {
    pub(super) fn new(max: usize) -> Self {
        let reserved = max / 10;
        Self { common: Pool::new(max - reserved), reserved: Pool::new(reserved) }
    }

    /// Places for `changes`, if there are any left.
    pub(super) fn take(&self, changes: usize, admin: bool) -> Option<Place> {
        let place = self.common.take(changes);
        if admin { place.or_else(|| self.reserved.take(changes)) } else { place }
    }
}

impl Place {
    /// The same as one place for each of its changes.
    pub(super) fn split(mut self) -> impl Iterator<Item = Self> {
        let changes = std::mem::take(&mut self.changes);
        (0..changes).map(move |_| Self { taken: self.taken.clone(), changes: 1 })
    }
}

impl Pool {
    fn new(max: usize) -> Self {
        Self { taken: Arc::default(), max }
    }

    /// Lets a call in while one place is left and counts all of it, so that a call larger than the pool gets its turn
    /// too; whoever comes next waits until all the more are given back.
    fn take(&self, changes: usize) -> Option<Place> {
        let changes = changes.max(1);
        let more = |taken: usize| (taken < self.max).then(|| taken.saturating_add(changes));
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Place { taken: self.taken.clone(), changes })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.changes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_a_call_holds_a_place_until_the_call_is_dropped() {
        let places = Places::new(100);
        let held = places.take(60, false).unwrap();
        let more = places.take(512, false).unwrap();
        assert!(places.take(1, false).is_none(), "572 wait where 90 may");
        drop(held);
        assert!(places.take(1, false).is_none());
        drop(more);
        assert!(places.take(0, false).is_some());
        assert_eq!(places.common.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_call_that_is_split_gives_its_places_back_one_by_one() {
        let places = Places::new(10);
        let mut each: Vec<_> = places.take(512, false).unwrap().split().collect();
        assert_eq!((each.len(), places.common.taken.load(Ordering::Relaxed)), (512, 512));
        each.truncate(9);
        assert!(places.take(1, false).is_none());
        drop(each.pop());
        assert!(places.take(1, false).is_some());
        drop(each);
        assert_eq!(places.common.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_flood_leaves_a_tenth_to_admins() {
        let places = Places::new(100);
        let _flood = places.take(100_000, false).unwrap();
        let admin: Vec<_> = (0..10).map(|_| places.take(1, true).unwrap()).collect();
        assert!(places.take(1, true).is_none());
        drop(admin);
        assert!(places.take(512, true).is_some(), "an admin's call of many too");
    }
}
