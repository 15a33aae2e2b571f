//! The only reader of the time. The wall clock is doubted, not believed (promise 7).
//!
//! [`Clock::now`] gives two instants: `earliest`, by which nothing live is ended, and `latest`, by which nothing new is
//! lost. They are the same while the wall clock keeps step with the boot-time clock, which no one can set. After a jump
//! (or a start whose gap to the last recorded time is too large or negative) the time that goes on from before it by boot
//! time alone is held beside the wall clock, and `earliest` is the lower of the two, `latest` the higher, until the wall
//! clock has kept step for `hold_s` or an admin vouches for it.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Seconds since 1970-01-01T00:00:00Z, whole (RFC 7519 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct NumericDate(pub i64);

impl NumericDate {
    /// Later than every instant: for what never ends.
    pub const NEVER: Self = Self(i64::MAX);

    /// This instant moved by `seconds`; saturates, so [`NumericDate::NEVER`] stays what it is.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to this instant; negative when it is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for NumericDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the clock can vouch for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// No later than the true time: judges liveness, "already expired", purge and reclaim.
    pub earliest: NumericDate,
    /// No earlier than the true time: a cutoff's default, and the bound for "not in the future".
    pub latest: NumericDate,
    /// What is written down as the time: never doubted to run backwards, so that a wall clock that fell back by years
    /// gives no entry a retention of years.
    pub recorded: NumericDate,
    /// Whether the wall clock is doubted.
    pub doubted: bool,
}

/// When doubt begins and ends.
#[derive(Debug, Clone, Copy)]
pub struct ClockSettings {
    /// Largest believed movement of wall against boot time, summed over all steps since the last anchor; seconds.
    pub step_max_s: i64,
    /// How long the wall clock must keep step before it is trusted again; seconds.
    pub hold_s: i64,
}

/// A pair of clocks that a test moves by hand.
#[derive(Debug, Default)]
pub struct ManualTime {
    wall_s: AtomicI64,
    boot_s: AtomicI64,
}

impl ManualTime {
    /// A pair that starts at `wall`, with the boot clock at 1,000 s.
    #[must_use]
    pub fn starting_at(wall: NumericDate) -> Arc<Self> {
        Arc::new(Self { wall_s: AtomicI64::new(wall.0), boot_s: AtomicI64::new(1_000) })
    }

    /// Time passes: both clocks advance by `seconds`.
    pub fn pass(&self, seconds: i64) {
        self.wall_s.fetch_add(seconds, Ordering::SeqCst);
        self.boot_s.fetch_add(seconds, Ordering::SeqCst);
    }

    /// The wall clock jumps by `seconds`, either way; the boot clock does not.
    pub fn jump(&self, seconds: i64) {
        self.wall_s.fetch_add(seconds, Ordering::SeqCst);
    }

    /// The machine restarts: the boot clock begins anew.
    pub fn reboot(&self) {
        self.boot_s.store(0, Ordering::SeqCst);
    }
}

/// Where wall and boot time come from.
#[derive(Debug, Clone)]
enum Source {
    /// The operating system's clocks.
    System,
    /// A test's.
    Manual(Arc<ManualTime>),
}

impl Source {
    fn read(&self) -> Reading {
        match self {
            Self::System => {
                let wall = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
                let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                Reading { wall_s: wall.tv_sec, boot_s: boot.tv_sec }
            }
            Self::Manual(time) => {
                Reading { wall_s: time.wall_s.load(Ordering::SeqCst), boot_s: time.boot_s.load(Ordering::SeqCst) }
            }
        }
    }
}

/// Seconds since the machine started: for ages, never for judging an entry.
#[must_use]
pub fn since_boot_s() -> u64 {
    u64::try_from(rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec).unwrap_or(0)
}

/// One look at both clocks; seconds.
#[derive(Debug, Clone, Copy)]
struct Reading {
    wall_s: i64,
    boot_s: i64,
}

impl Reading {
    /// How far the wall clock has moved against the boot clock since `anchor`.
    fn drift_since(self, anchor: Self) -> i64 {
        (self.wall_s.saturating_sub(anchor.wall_s)).saturating_sub(self.boot_s.saturating_sub(anchor.boot_s))
    }
}

/// What is believed.
#[derive(Debug, Clone, Copy)]
struct Belief {
    /// Steps are summed from here; while doubted, the start of the present run in step.
    anchor: Reading,
    /// How far the wall clock has been behind the boot clock since the anchor, while it was believed; not above 0.
    lowest_drift_s: i64,
    /// The instant from which `earliest` goes on by boot time alone, with the boot time at which it held.
    doubt: Option<Reading>,
}

/// Gives `earliest` and `latest`. Cheap to clone; all clones share one belief.
#[derive(Clone)]
pub struct Clock {
    source: Source,
    settings: ClockSettings,
    belief: Arc<RwLock<Belief>>,
}

impl Clock {
    /// The operating system's clock, not yet held against any record.
    #[must_use]
    pub fn system(settings: ClockSettings) -> Self {
        Self::from_source(Source::System, settings)
    }

    /// A clock that follows `time`.
    #[must_use]
    pub fn manual(time: Arc<ManualTime>, settings: ClockSettings) -> Self {
        Self::from_source(Source::Manual(time), settings)
    }

    fn from_source(source: Source, settings: ClockSettings) -> Self {
        let belief = Belief { anchor: source.read(), lowest_drift_s: 0, doubt: None };
        Self { source, settings, belief: Arc::new(RwLock::new(belief)) }
    }

    /// Holds the wall clock against the last time that the journal recorded; to be called once, at start.
    ///
    /// A gap that is negative or larger than `step_max_s` makes the clock doubted, with `earliest` going on from
    /// `last_recorded`.
    pub fn start_after(&self, last_recorded: NumericDate) {
        let reading = self.source.read();
        let gap = reading.wall_s.saturating_sub(last_recorded.0);
        let doubt = (gap < 0 || gap > self.settings.step_max_s)
            .then_some(Reading { wall_s: last_recorded.0, boot_s: reading.boot_s });
        *self.belief.write().unwrap_or_else(PoisonError::into_inner) =
            Belief { anchor: reading, lowest_drift_s: 0, doubt };
    }

    /// An admin vouches for the wall clock: doubt ends now.
    pub fn trust(&self) {
        let reading = self.source.read();
        *self.belief.write().unwrap_or_else(PoisonError::into_inner) =
            Belief { anchor: reading, lowest_drift_s: 0, doubt: None };
    }

    /// The instant whose past may be forgotten: `earliest`, less what the wall clock may still go back by while it is
    /// believed, less a minute for whoever is reading. Purging by it changes no answer (promise 6).
    #[must_use]
    pub fn forgettable(&self) -> NumericDate {
        self.now().earliest.plus(-2 * self.settings.step_max_s - 60)
    }

    /// Seconds by the boot-time clock: for ages, which no setting of the wall clock changes.
    #[must_use]
    pub fn boot_s(&self) -> i64 {
        self.source.read().boot_s
    }

    /// What can be vouched for at this moment. Two reads of the vDSO and one uncontended lock; changes the belief only
    /// when a step is seen or a hold has ended.
    #[must_use]
    pub fn now(&self) -> Now {
        let reading = self.source.read();
        // The belief is plain data, whole at every instant: a poisoned lock loses nothing.
        let belief = *self.belief.read().unwrap_or_else(PoisonError::into_inner);
        let next = belief.after(reading, self.settings);
        if let Some(next) = next {
            *self.belief.write().unwrap_or_else(PoisonError::into_inner) = next;
        }
        next.unwrap_or(belief).vouch(reading)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl Belief {
    /// The belief that `reading` leads to, if it is another one.
    fn after(self, reading: Reading, settings: ClockSettings) -> Option<Self> {
        let drift_s = reading.drift_since(self.anchor);
        let in_step = drift_s.abs() <= settings.step_max_s;
        match (self.doubt, in_step) {
            (None, true) => (drift_s < self.lowest_drift_s).then_some(Self { lowest_drift_s: drift_s, ..self }),
            // Go on from the earliest that was believed until now, without the step.
            (None, false) => {
                let elapsed_s = reading.boot_s.saturating_sub(self.anchor.boot_s);
                let believed_s = self.anchor.wall_s.saturating_add(elapsed_s).saturating_add(self.lowest_drift_s);
                Some(Self {
                    anchor: reading,
                    lowest_drift_s: 0,
                    doubt: Some(Reading { wall_s: believed_s, boot_s: reading.boot_s }),
                })
            }
            (Some(_), false) => Some(Self { anchor: reading, ..self }),
            (Some(_), true) => {
                let held_s = reading.boot_s.saturating_sub(self.anchor.boot_s);
                (held_s >= settings.hold_s).then_some(Self { anchor: reading, lowest_drift_s: 0, doubt: None })
            }
        }
    }

    fn vouch(self, reading: Reading) -> Now {
        let wall = NumericDate(reading.wall_s);
        match self.doubt {
            None => Now { earliest: wall, latest: wall, recorded: wall, doubted: false },
            Some(from) => {
                let boot = NumericDate(from.wall_s.saturating_add(reading.boot_s.saturating_sub(from.boot_s)));
                // Either may be right, so nothing live ends before both say so (decision 0005).
                Now { earliest: boot.min(wall), latest: boot.max(wall), recorded: boot, doubted: true }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: ClockSettings = ClockSettings { step_max_s: 3_600, hold_s: 86_400 };
    const START: NumericDate = NumericDate(1_800_000_000);

    fn clock() -> (Arc<ManualTime>, Clock) {
        let time = ManualTime::starting_at(START);
        (time.clone(), Clock::manual(time, SETTINGS))
    }

    #[test]
    fn a_clock_in_step_is_believed_for_ever() {
        let (time, clock) = clock();
        for _ in 0..1_000 {
            time.pass(86_400);
            assert!(!clock.now().doubted);
        }
        assert_eq!(clock.now().earliest, START.plus(86_400_000));
    }

    #[test]
    fn a_jump_forward_by_years_moves_only_latest() {
        let (time, clock) = clock();
        time.pass(10);
        time.jump(10 * 31_536_000);
        let now = clock.now();
        assert!(now.doubted);
        assert_eq!(now.earliest, START.plus(10));
        assert_eq!(now.latest, START.plus(10 + 10 * 31_536_000));
    }

    #[test]
    fn a_jump_back_by_hours_moves_only_earliest() {
        let (time, clock) = clock();
        time.pass(10);
        time.jump(-7_200);
        let now = clock.now();
        assert_eq!((now.earliest, now.latest), (START.plus(10 - 7_200), START.plus(10)));
        assert_eq!((now.recorded, now.doubted), (START.plus(10), true));
    }

    #[test]
    fn small_steps_add_up() {
        let (time, clock) = clock();
        for _ in 0..36 {
            time.pass(60);
            time.jump(100);
            assert!(!clock.now().doubted);
        }
        time.jump(100);
        assert!(clock.now().doubted);
        assert_eq!(clock.now().earliest, START.plus(36 * 60));
    }

    #[test]
    fn trust_returns_after_the_hold_and_not_before() {
        let (time, clock) = clock();
        time.jump(7_200);
        assert!(clock.now().doubted);
        time.pass(86_399);
        assert!(clock.now().doubted);
        time.pass(1);
        let now = clock.now();
        assert_eq!((now.earliest, now.doubted), (START.plus(7_200 + 86_400), false));
    }

    #[test]
    fn a_second_jump_begins_the_hold_anew() {
        let (time, clock) = clock();
        time.jump(7_200);
        assert!(clock.now().doubted);
        time.pass(80_000);
        time.jump(7_200);
        assert!(clock.now().doubted);
        time.pass(80_000);
        let (earliest, latest) = (START.plus(160_000), START.plus(174_400));
        assert_eq!(clock.now(), Now { earliest, latest, recorded: earliest, doubted: true });
    }

    #[test]
    fn a_start_long_after_the_last_record_or_before_it_is_doubted() {
        for (gap, doubted) in [(0, false), (3_600, false), (3_601, true), (-1, true), (10 * 31_536_000, true)] {
            let (_, clock) = clock();
            clock.start_after(START.plus(-gap));
            let now = clock.now();
            assert_eq!(now.doubted, doubted, "gap {gap}");
            let other = if doubted { START.plus(-gap) } else { START };
            assert_eq!((now.earliest, now.latest), (other.min(START), other.max(START)), "gap {gap}");
            assert_eq!(now.recorded, other, "gap {gap}");
        }
    }

    #[test]
    fn an_admin_ends_doubt() {
        let (time, clock) = clock();
        time.jump(-7_200);
        assert!(clock.now().doubted);
        clock.trust();
        let wall = START.plus(-7_200);
        assert_eq!(clock.now(), Now { earliest: wall, latest: wall, recorded: wall, doubted: false });
    }

    #[test]
    fn what_was_believed_to_be_earlier_stays_so_when_doubt_begins() {
        let (time, clock) = clock();
        time.jump(-3_000);
        assert_eq!(clock.now().earliest, START.plus(-3_000));
        time.jump(7_200);
        let now = clock.now();
        assert!(now.doubted);
        assert_eq!(now.earliest, START.plus(-3_000), "a believed step back is not taken back by a jump forward");
    }

    #[test]
    fn a_first_start_on_a_fast_clock_loses_nothing_once_it_is_put_right() {
        let (time, clock) = clock();
        time.jump(-8 * 3_600);
        assert_eq!(clock.now().earliest, START.plus(-8 * 3_600), "the right time");
    }
}
