//! The filter protocol under a model checker: the very code of `denylist/filter.rs` on shuttle's primitives, in every
//! order of steps that the schedulers reach. No acknowledged key may ever be reported absent.

use std::sync::Arc as StdArc;

use revokd::denylist::filter::FrontFilter;
use revokd::denylist::sync::{Lock, Poisoned, Primitives, Published};
use revokd::token::{Issuer, Key, Selector};
use shuttle::sync::{Arc, Mutex, RwLock};
use shuttle::thread;

/// Shuttle's primitives: every touch is a point at which another thread may run.
struct Shuttle;

impl Primitives for Shuttle {
    type Published<T: Send + Sync> = Swapped<T>;
    type Lock<T: Send + Sync> = Locked<T>;
}

struct Swapped<T>(RwLock<StdArc<T>>);

impl<T> Published<T> for Swapped<T> {
    fn new(value: T) -> Self {
        Self(RwLock::new(StdArc::new(value)))
    }
    fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        let value = self.load();
        look(&value)
    }
    fn load(&self) -> StdArc<T> {
        self.0.read().unwrap().clone()
    }
    fn store(&self, value: T) {
        *self.0.write().unwrap() = StdArc::new(value);
    }
}

struct Locked<T>(RwLock<T>);

impl<T> Lock<T> for Locked<T> {
    fn new(value: T) -> Self {
        Self(RwLock::new(value))
    }
    fn read<R>(&self, look: impl FnOnce(&T) -> R) -> Result<R, Poisoned> {
        self.0.read().map(|guard| look(&guard)).map_err(|_| Poisoned)
    }
    fn write<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R, Poisoned> {
        self.0.write().map(|mut guard| change(&mut guard)).map_err(|_| Poisoned)
    }
}

fn key(n: usize) -> Key {
    Key::new(Selector::Jti, &Issuer::NAMELESS, &n.to_string())
}

/// Overlay and index: an entry is in at least one of them from the moment it is stored.
struct Store {
    overlay: RwLock<Vec<Key>>,
    index: RwLock<Vec<Key>>,
}

impl Store {
    fn holds(&self, key: &Key) -> bool {
        self.overlay.read().unwrap().contains(key) || self.index.read().unwrap().contains(key)
    }

    /// The indexer's step: into the index, then out of the overlay.
    fn drain(&self) {
        let entries = self.overlay.read().unwrap().clone();
        self.index.write().unwrap().extend(&entries);
        self.overlay.write().unwrap().retain(|key| !entries.contains(key));
    }
}

/// The order in which a writer and a refill take their steps.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// As `filter.rs` says.
    Right,
    /// The writer inserts into the filter before it stores.
    FilterFirst,
    /// The refill scans before it publishes the new filter.
    ScanFirst,
    /// The refill scans the index before the overlay.
    IndexFirst,
}

fn scan(store: &Store, order: Order) -> Vec<Key> {
    let overlay = || store.overlay.read().unwrap().clone();
    let index = || store.index.read().unwrap().clone();
    if order == Order::IndexFirst { [index(), overlay()].concat() } else { [overlay(), index()].concat() }
}

fn refill(front: &FrontFilter<Shuttle>, store: &Store, writer: &Mutex<()>, order: Order) {
    let early = (order == Order::ScanFirst).then(|| scan(store, order));
    front.begin_refill(4).unwrap();
    drop(writer.lock().unwrap()); // the barrier: whatever the writer had begun is done
    let keys = early.unwrap_or_else(|| scan(store, order));
    front.fill(&keys).unwrap();
    front.finish_refill();
}

/// One writer of two keys beside a refill, the indexer and a reader of whatever is acknowledged.
fn scenario(order: Order) {
    let front = Arc::new(FrontFilter::<Shuttle>::new(4, 0.01, 4).unwrap());
    let store = Arc::new(Store { overlay: RwLock::new(Vec::new()), index: RwLock::new(Vec::new()) });
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let writer_busy = Arc::new(Mutex::new(()));

    let writer = {
        let (front, store, acknowledged, busy) =
            (front.clone(), store.clone(), acknowledged.clone(), writer_busy.clone());
        thread::spawn(move || {
            for n in 0..2 {
                let group = busy.lock().unwrap();
                let steps: [&dyn Fn(); 2] =
                    [&|| store.overlay.write().unwrap().push(key(n)), &|| front.insert(&[key(n)]).unwrap()];
                let steps = if order == Order::FilterFirst { [steps[1], steps[0]] } else { steps };
                for step in steps {
                    step();
                }
                acknowledged.lock().unwrap().push(key(n));
                drop(group);
            }
        })
    };
    let indexer = {
        let store = store.clone();
        thread::spawn(move || (0..2).for_each(|_| store.drain()))
    };
    let refiller = {
        let (front, store, busy) = (front.clone(), store.clone(), writer_busy.clone());
        // A model without the barrier must fail where the order alone does not save it.
        let barrier = if order == Order::FilterFirst { Arc::new(Mutex::new(())) } else { busy };
        thread::spawn(move || refill(&front, &store, &barrier, order))
    };
    let reader = {
        let (front, store, acknowledged) = (front.clone(), store.clone(), acknowledged.clone());
        thread::spawn(move || {
            for _ in 0..3 {
                let known = acknowledged.lock().unwrap().clone();
                for key in known {
                    assert!(front.maybe(&key).unwrap() && store.holds(&key), "an acknowledged key is absent");
                }
            }
        })
    };
    for thread in [writer, indexer, refiller, reader] {
        thread.join().unwrap();
    }
    for n in 0..2 {
        assert!(front.maybe(&key(n)).unwrap() && store.holds(&key(n)), "an acknowledged key is absent");
    }
}

fn fails(order: Order) -> bool {
    std::panic::catch_unwind(|| shuttle::check_pct(move || scenario(order), 5_000, 3)).is_err()
}

#[test]
fn no_acknowledged_key_is_absent_in_any_order_of_steps() {
    shuttle::check_random(|| scenario(Order::Right), 5_000);
    shuttle::check_pct(|| scenario(Order::Right), 5_000, 3);
}

#[test]
fn the_model_finds_a_filter_that_is_written_before_the_store() {
    assert!(fails(Order::FilterFirst));
}

#[test]
fn the_model_finds_a_scan_before_the_new_filter_is_published() {
    assert!(fails(Order::ScanFirst));
}

#[test]
fn the_model_finds_a_scan_of_the_index_before_the_overlay() {
    assert!(fails(Order::IndexFirst));
}
