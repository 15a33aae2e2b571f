//! The index fails while the denylist serves: nothing acknowledged ever reads as good, and nobody needs to act.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use revokd::clock::NumericDate;
use revokd::denylist::{Denylist, ListFilter, Outcome, Settings, Status, WriteError};
use revokd::event::Origin;
use revokd::index::IndexError;
use revokd::revocation::{TokenClaims, Unavailable, Verdict};
use revokd::token::{Issuer, Jti};

use super::support::{START, Store, open_index, request, settings};

mod during;

const HOUR: i64 = 3_600;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A store whose index fails. Its filters are on in every mode: without them nothing can be said or stored while it does.
struct Live {
    store: Store,
}

impl Live {
    fn new() -> Self {
        Self { store: Store::with(Settings { filter_on: true, ..settings() }) }
    }

    /// `before` is called before a generation is opened, with how many were asked for.
    fn with(mut settings: Settings, before: impl Fn(usize) -> Result<(), IndexError> + Send + Sync + 'static) -> Self {
        settings.filter_on = true;
        let mut store = Store::with(settings);
        store.stop();
        let asked = AtomicUsize::new(0);
        let open = move |path: &Path| {
            before(asked.fetch_add(1, Ordering::SeqCst))?;
            open_index(path, 16 << 20)
        };
        store.start_with(open).unwrap();
        Self { store }
    }

    fn status(&self) -> Status {
        self.store.denylist().status()
    }

    /// Waits until the index was rebuilt so often and takes everything in.
    fn rebuilt(&self, times: u64) {
        let begun = Instant::now();
        loop {
            let Status { index_failed, index_rebuilds, behind, .. } = self.status();
            if !index_failed && index_rebuilds >= times && behind == 0 {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "failed: {index_failed}, rebuilt: {index_rebuilds}, behind: {behind}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The next start finds index and journal equal.
    fn proves_equal_after_a_restart(&mut self) {
        self.store.restart();
        assert!(!self.store.rebuilt() && self.store.replayed() == 0, "{} replayed", self.store.replayed());
    }

    /// The verdict on `jti`, which was acknowledged: revoked, or nobody knows.
    fn never_good(&self, jti: &str) -> bool {
        let verdict = self.store.try_check(jti);
        assert!(verdict != Ok(Verdict::Good), "{jti} reads as good");
        verdict.is_ok()
    }

    fn assert_all(&self, tokens: std::ops::Range<i64>) {
        for n in tokens {
            assert!(self.store.is_revoked(&token(n)), "t{n} reads as good");
            assert!(!self.store.is_revoked(&format!("stranger{n}")), "a stranger is revoked");
        }
    }

    /// Revokes tokens with lifetimes from an hour to a month, so that many buckets hold them.
    fn fill(&self, tokens: std::ops::Range<i64>) {
        let requests = tokens.map(|n| request(&token(n), exp(n))).collect();
        self.store.try_revoke_all(requests).unwrap();
    }
}

fn token(n: i64) -> String {
    format!("t{n}")
}

fn exp(n: i64) -> NumericDate {
    START.plus(HOUR + n * 7_919 % 2_000_000)
}

/// Holds up whoever waits at it until it is opened.
fn gate() -> (mpsc::Sender<()>, Arc<dyn Fn() + Send + Sync>) {
    let (open, shut) = mpsc::channel();
    let shut = Mutex::new(shut);
    (open, Arc::new(move || _ = shut.lock().unwrap().recv()))
}

#[test]
fn a_write_finds_out_and_the_index_is_rebuilt_by_itself() {
    let mut live = Live::new();
    live.fill(0..300);
    live.store.settle();
    live.store.damage_index();
    live.fill(300..600);
    for n in (0..600).rev() {
        live.never_good(&token(n));
    }
    live.rebuilt(1);
    live.assert_all(0..600);
    assert_eq!(live.status().records, 600);
    assert!(live.store.index_path().join("2").exists() && !live.store.index_path().join("1").exists());
    live.fill(600..700);
    live.store.settle();
    live.proves_equal_after_a_restart();
    live.assert_all(0..700);
}

#[test]
fn a_read_finds_out_too() {
    let live = Live::new();
    live.fill(0..100);
    live.store.settle();
    for times in 1..4 {
        live.store.damage_index();
        assert_eq!(live.store.try_check("t7"), Err(Unavailable::Index));
        live.rebuilt(times);
        live.assert_all(0..100);
    }
    live.store.damage_index();
    let listed = live.store.block_on(live.store.denylist().list(ListFilter::default(), None, 100));
    assert!(matches!(listed, Err(Unavailable::Index)));
    live.rebuilt(4);
    let listed = live.store.block_on(live.store.denylist().list(ListFilter::default(), None, 100)).unwrap();
    assert_eq!(listed.entries.len(), 100);
}

#[test]
fn nothing_acknowledged_reads_as_good_while_the_index_fails_again_and_again() {
    let live = Live::new();
    let acknowledged = AtomicU64::new(0);
    let (done, failures) = (AtomicBool::new(false), 6);
    std::thread::scope(|scope| {
        scope.spawn(|| check_all_the_while(live.store.denylist(), &acknowledged, &done));
        scope.spawn(|| write_all_the_while(live.store.denylist(), &acknowledged, &done));
        for failure in 1..=failures {
            let so_far = acknowledged.load(Ordering::SeqCst);
            while acknowledged.load(Ordering::SeqCst) < so_far + 300 {
                std::thread::sleep(Duration::from_millis(1));
            }
            let begun = Instant::now();
            while live.store.damage_index() == 0 {
                assert!(begun.elapsed() < PATIENCE, "nothing is taken in");
            }
            live.store.denylist().refill();
            while live.status().index_rebuilds < failure {
                assert!(begun.elapsed() < PATIENCE);
                live.store.denylist().refill();
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        done.store(true, Ordering::SeqCst);
    });
    live.rebuilt(failures);
    let all = i64::try_from(acknowledged.into_inner()).unwrap();
    assert_eq!(live.status().records, u64::try_from(all).unwrap());
    live.assert_all(0..all);
    let mut live = live;
    live.proves_equal_after_a_restart();
    live.assert_all(0..all);
}

fn write_all_the_while(denylist: &Denylist, acknowledged: &AtomicU64, done: &AtomicBool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut next = 0;
    while !done.load(Ordering::SeqCst) {
        let some = (next..next + 10).map(|n| request(&token(n), exp(n))).collect();
        match runtime.block_on(denylist.revoke(some, Origin::INTERNAL, false)) {
            Ok(outcomes) => {
                assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Stored { .. })), "{outcomes:?}");
                next += 10;
                acknowledged.store(u64::try_from(next).unwrap(), Ordering::SeqCst);
            }
            Err(error) => assert_eq!(error, WriteError::Unavailable(Unavailable::Index)),
        }
    }
}

fn check_all_the_while(denylist: &Denylist, acknowledged: &AtomicU64, done: &AtomicBool) {
    for n in (0_u64..).map(|n| n * 7_919) {
        if done.load(Ordering::SeqCst) {
            return;
        }
        let known = acknowledged.load(Ordering::SeqCst);
        let jti = format!("t{}", n % known.max(1));
        if known > 0 {
            let claims = TokenClaims { jti: Some(Jti::parse(&jti).unwrap()), ..TokenClaims::of(&Issuer::NAMELESS) };
            let verdict = denylist.check_blocking(&claims);
            assert!(verdict != Ok(Verdict::Good), "{jti} of {known} reads as good");
        }
    }
}

#[test]
fn a_generation_that_cannot_be_opened_is_tried_again_until_it_can() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = tries.clone();
    let live = Live::with(settings(), move |asked| {
        counted.store(asked, Ordering::SeqCst);
        match asked {
            1 | 3 => Err(IndexError::Form),
            // A panic of the store is no end of the thread that asks it.
            2 => panic!("on purpose"),
            _ => Ok(()),
        }
    });
    live.fill(0..100);
    live.store.settle();
    live.store.damage_index();
    live.fill(100..200);
    live.rebuilt(1);
    assert_eq!(tries.load(Ordering::SeqCst), 4);
    live.assert_all(0..200);
    live.fill(200..300);
    live.store.settle();
    live.assert_all(0..300);
    let generations: Vec<_> = std::fs::read_dir(live.store.index_path()).unwrap().collect();
    assert_eq!(generations.len(), 1, "what came to nothing is removed: {generations:?}");
}

#[test]
fn pages_that_rot_under_a_server_are_never_good_and_mended() {
    for rot in [0x00, 0xFF, 0x5A] {
        let mut live = Live::new();
        live.fill(0..3_000);
        live.store.settle();
        // A start makes sled write down what it holds, and read it from there at the next one.
        for _ in 0..2 {
            live.store.stop();
            // The least that sled takes: almost everything is read from the file.
            live.store.start_with(|path| open_index(path, 256)).unwrap();
        }
        let db = live.store.index().path().join("db");
        let bytes = std::fs::read(&db).unwrap().len();
        std::fs::write(&db, vec![rot; bytes]).unwrap();
        for n in 0..3_000 {
            live.never_good(&token(n));
        }
        let known = live.status().index_rebuilds;
        live.rebuilt(known.min(1));
        live.fill(3_000..3_100);
        live.store.settle();
        live.rebuilt(known.min(1));
        live.assert_all(0..3_100);
    }
}

#[test]
fn a_journal_that_has_rotted_too_is_no_reason_to_guess() {
    let live = Live::new();
    live.fill(0..200);
    live.store.settle();
    let mut segments: Vec<_> =
        std::fs::read_dir(live.store.journal_path()).unwrap().map(|e| e.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "segment"));
    let sound = std::fs::read(&segments[0]).unwrap();
    let mut rotten = sound.clone();
    rotten[500] ^= 1;
    overwrite(&segments[0], &rotten);
    live.store.damage_index();
    // Long enough for many tries.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(300) {
        assert_eq!(live.store.try_check("t7"), Err(Unavailable::Index));
    }
    assert_eq!((live.status().index_failed, live.status().index_rebuilds), (true, 0));
    overwrite(&segments[0], &sound);
    live.rebuilt(1);
    live.assert_all(0..200);
}

/// Changes a file in place, as rot does.
fn overwrite(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    std::fs::OpenOptions::new().write(true).open(path).unwrap().write_all(bytes).unwrap();
}
