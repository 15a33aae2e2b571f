//! How much is under way at one moment, all requests together: ids being checked, bytes of bodies held. Never beyond the
//! limit.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::ApiError;
use crate::keys::{Caller, Scope};

/// What all requests together hold of one thing (promise 11).
#[derive(Debug)]
pub(crate) struct InFlight {
    held: AtomicUsize,
    max: usize,
    /// The config key of the limit.
    name: &'static str,
}

/// What one request holds of it, given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    in_flight: &'a InFlight,
    held: usize,
    limit: usize,
}

impl InFlight {
    pub(crate) const fn new(name: &'static str, max: usize) -> Self {
        Self { held: AtomicUsize::new(0), max, name }
    }

    /// A permit that holds nothing yet; the last tenth is kept for callers with the scope `admin`.
    pub(crate) fn begin(&self, caller: &Caller) -> Permit<'_> {
        let limit = if caller.scopes.contains(Scope::Admin) { self.max } else { self.max - self.max / 10 };
        Permit { in_flight: self, held: 0, limit }
    }

    /// The same where nothing is kept, because nobody is known.
    pub(crate) fn begin_whole(&self) -> Permit<'_> {
        Permit { in_flight: self, held: 0, limit: self.max }
    }

    /// A permit that holds `count`.
    ///
    /// # Errors
    /// [`ApiError::InFlight`] when there is not so much left.
    pub(crate) fn enter(&self, count: usize, caller: &Caller) -> Result<Permit<'_>, ApiError> {
        let mut permit = self.begin(caller);
        permit.hold(count)?;
        Ok(permit)
    }
}

impl Permit<'_> {
    /// Holds `count` from now on: takes what is missing, or gives back what is too much.
    ///
    /// # Errors
    /// [`ApiError::InFlight`] when there is not so much left; what was held stays so.
    pub(crate) fn hold(&mut self, count: usize) -> Result<(), ApiError> {
        let all = &self.in_flight.held;
        if let Some(missing) = count.checked_sub(self.held) {
            // Added first and looked at second, so that two callers cannot both take the last place. Relaxed: the counter
            // orders nothing but itself.
            let before = all.fetch_add(missing, Ordering::Relaxed);
            if missing > 0 && before.saturating_add(missing) > self.limit {
                all.fetch_sub(missing, Ordering::Relaxed);
                let InFlight { name, max, .. } = *self.in_flight;
                let reserved = (max - self.limit) as u64;
                return Err(ApiError::InFlight { name, limit: self.limit as u64, reserved });
            }
        } else {
            all.fetch_sub(self.held - count, Ordering::Relaxed);
        }
        self.held = count;
        Ok(())
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.in_flight.held.fetch_sub(self.held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Scopes;

    #[test]
    fn the_last_tenth_is_for_admins_and_every_place_is_given_back() {
        let caller = |scopes: &[Scope]| Caller::new("a", Scopes::of(scopes));
        let (user, admin) = (caller(&[Scope::Check]), caller(&[Scope::Check, Scope::Admin]));
        let in_flight = InFlight::new("x", 100);
        let held = in_flight.enter(90, &user).unwrap();
        assert!(in_flight.enter(1, &user).is_err());
        let last = in_flight.enter(10, &admin).unwrap();
        assert!(in_flight.enter(1, &admin).is_err());
        drop((held, last));
        assert!(in_flight.enter(91, &user).is_err());
        drop(in_flight.enter(90, &user).unwrap());
        assert_eq!(in_flight.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_permit_grows_and_shrinks_and_keeps_what_it_has_when_refused() {
        let admin = Caller::new("a", Scopes::ALL);
        let in_flight = InFlight::new("x", 100);
        let mut permit = in_flight.begin(&admin);
        permit.hold(60).unwrap();
        let other = in_flight.enter(30, &admin).unwrap();
        assert_eq!(permit.hold(71).unwrap_err().to_string(), "too much is under way; the limit x is 100");
        assert_eq!(in_flight.held.load(Ordering::Relaxed), 90);
        drop(other);
        permit.hold(71).unwrap();
        permit.hold(5).unwrap();
        assert_eq!(in_flight.held.load(Ordering::Relaxed), 5);
        drop(permit);
        assert_eq!(in_flight.held.load(Ordering::Relaxed), 0);
    }
}
