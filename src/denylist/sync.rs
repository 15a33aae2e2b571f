//! The two shapes of sharing that the filter protocol needs: a value that is swapped whole, and a value behind a lock.
//!
//! The protocol is generic over them, so that the test suite runs the very code of `filter.rs` on a model checker's
//! primitives; the server runs on [`Std`].

use std::sync::{Arc, RwLock};

use arc_swap::ArcSwap;

/// A thread died while it held the lock: what the lock guards is in doubt (promise 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a lock is poisoned")]
pub struct Poisoned;

/// A value that is replaced as a whole.
pub trait Published<T> {
    /// Publishes the first value.
    fn new(value: T) -> Self;
    /// Looks at the value.
    fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R;
    /// Takes hold of the value.
    fn load(&self) -> Arc<T>;
    /// Replaces the value.
    fn store(&self, value: T);
}

/// A value that many may read or one may change.
pub trait Lock<T> {
    /// Puts the value behind a lock.
    fn new(value: T) -> Self;
    /// Reads.
    ///
    /// # Errors
    /// [`Poisoned`] if a thread died while it changed the value.
    fn read<R>(&self, look: impl FnOnce(&T) -> R) -> Result<R, Poisoned>;
    /// Changes.
    ///
    /// # Errors
    /// [`Poisoned`] if a thread died while it changed the value.
    fn write<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R, Poisoned>;
}

/// A family of both.
pub trait Primitives {
    /// Its swapped value.
    type Published<T: Send + Sync>: Published<T> + Send + Sync;
    /// Its lock.
    type Lock<T: Send + Sync>: Lock<T> + Send + Sync;
}

/// The primitives that the server runs on: `arc_swap` and the standard library's lock.
pub struct Std;

impl Primitives for Std {
    type Published<T: Send + Sync> = ArcSwap<T>;
    type Lock<T: Send + Sync> = RwLock<T>;
}

impl<T> Published<T> for ArcSwap<T> {
    fn new(value: T) -> Self {
        ArcSwap::from_pointee(value)
    }

    fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&ArcSwap::load(self))
    }

    fn load(&self) -> Arc<T> {
        self.load_full()
    }

    fn store(&self, value: T) {
        ArcSwap::store(self, Arc::new(value));
    }
}

impl<T> Lock<T> for RwLock<T> {
    fn new(value: T) -> Self {
        RwLock::new(value)
    }

    fn read<R>(&self, look: impl FnOnce(&T) -> R) -> Result<R, Poisoned> {
        RwLock::read(self).map(|guard| look(&guard)).map_err(|_| Poisoned)
    }

    fn write<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R, Poisoned> {
        RwLock::write(self).map(|mut guard| change(&mut guard)).map_err(|_| Poisoned)
    }
}
