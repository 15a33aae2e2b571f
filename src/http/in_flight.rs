//! How many ids are being checked at one moment: counted in ids, not requests, and never beyond the limit.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::ApiError;
use crate::keys::{Caller, Scope};

/// The ids being checked by all requests together (promise 11).
#[derive(Debug)]
pub(crate) struct InFlight {
    ids: AtomicUsize,
    max: usize,
}

/// The place of some ids in the limit, given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    in_flight: &'a InFlight,
    ids: usize,
}

impl InFlight {
    pub(crate) const fn new(max: usize) -> Self {
        Self { ids: AtomicUsize::new(0), max }
    }

    /// Takes a place for `ids`; the last tenth is kept for callers with the scope `admin`.
    ///
    /// # Errors
    /// [`ApiError::InFlight`] when there is none.
    pub(crate) fn enter(&self, ids: usize, caller: &Caller) -> Result<Permit<'_>, ApiError> {
        let limit = if caller.scopes.contains(Scope::Admin) { self.max } else { self.max - self.max / 10 };
        // Added first and looked at second, so that two callers cannot both take the last place. Relaxed: the counter
        // orders nothing but itself.
        let before = self.ids.fetch_add(ids, Ordering::Relaxed);
        let permit = Permit { in_flight: self, ids };
        if before.saturating_add(ids) > limit { Err(ApiError::InFlight { limit: limit as u64 }) } else { Ok(permit) }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.in_flight.ids.fetch_sub(self.ids, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Scopes;

    #[test]
    fn the_last_tenth_is_for_admins_and_every_place_is_given_back() {
        let caller = |scopes: &[Scope]| Caller { id: "a".into(), scopes: Scopes::of(scopes) };
        let (user, admin) = (caller(&[Scope::Check]), caller(&[Scope::Check, Scope::Admin]));
        let in_flight = InFlight::new(100);
        let held = in_flight.enter(90, &user).unwrap();
        assert!(in_flight.enter(1, &user).is_err());
        let last = in_flight.enter(10, &admin).unwrap();
        assert!(in_flight.enter(1, &admin).is_err());
        drop((held, last));
        assert!(in_flight.enter(91, &user).is_err());
        drop(in_flight.enter(90, &user).unwrap());
        assert_eq!(in_flight.ids.load(Ordering::Relaxed), 0);
    }
}
