//! Refused attempts on their way into the audit: gathered in memory, bounded by the minute, written with what is written
//! anyway.
//!
//! A known caller's are told one by one, up to a number a minute; the others of that minute, and attempts without a valid
//! key, are counted. So a flood fills neither journal nor archive: a minute is [`RECORDS_PER_MINUTE_MAX`] records at most.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::NumericDate;
use crate::event::{Change, Origin, Source};

/// Attempts of one caller that a minute tells one by one.
const TOLD_PER_CALLER: u32 = 20;
/// Attempts of all callers that a minute tells one by one.
const TOLD_MAX: u32 = 100;
/// Callers whose further attempts, and addresses whose attempts, a minute counts apart; those beyond are counted as one.
const COUNTED_MAX: usize = 64;
/// Records that a minute makes at the most.
pub const RECORDS_PER_MINUTE_MAX: usize = TOLD_MAX as usize + 2 * (COUNTED_MAX + 1);
/// Records that wait to be written, while nothing can be; more are not kept.
const WAITING_MAX: usize = 10 * RECORDS_PER_MINUTE_MAX;

/// A record that is not written yet.
pub type Waiting = (Origin<'static>, Change<'static>);

/// What was refused and is not written yet.
#[derive(Debug, Default)]
pub struct Refusals {
    gathered: Mutex<Gathered>,
    /// Whether there is anything at all, so that who has nothing to write takes no lock.
    any: AtomicBool,
}

#[derive(Debug, Default)]
struct Gathered {
    /// Minutes by the boot clock, which nobody sets.
    minute: i64,
    /// The first second of it that anything came in, as it is recorded.
    began: NumericDate,
    told: u32,
    told_by: HashMap<Cow<'static, str>, u32>,
    untold: HashMap<Cow<'static, str>, u32>,
    strangers: HashMap<Cow<'static, str>, u32>,
    waiting: Vec<Waiting>,
}

impl Refusals {
    /// Takes note that a known caller was refused at `now`, `boot_s` by the boot clock. Never waits for anything.
    pub fn known(&self, boot_s: i64, now: NumericDate, origin: Origin<'static>, route: &'static str, status: u16) {
        let mut gathered = self.lock(boot_s, now);
        let by = gathered.told_by.get(&origin.actor).copied().unwrap_or(0);
        if by < TOLD_PER_CALLER && gathered.told < TOLD_MAX {
            gathered.told += 1;
            gathered.told_by.insert(origin.actor.clone(), by + 1);
            gathered.push(origin, Change::Refused { route: route.into(), status, count: 1 });
        } else {
            count(&mut gathered.untold, origin.actor);
        }
    }

    /// Takes note that somebody without a valid key was refused, who came from `from`.
    pub fn stranger(&self, boot_s: i64, now: NumericDate, from: Cow<'static, str>) {
        count(&mut self.lock(boot_s, now).strangers, from);
    }

    /// What is to be written now: all that is told one by one, and the counts of minutes that are over, or with `all` also of
    /// this one.
    pub fn take(&self, boot_s: i64, now: NumericDate, all: bool) -> Vec<Waiting> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut gathered = self.lock(boot_s, now);
        if all {
            gathered.close();
        }
        if gathered.untold.is_empty() && gathered.strangers.is_empty() {
            self.any.store(false, Ordering::Release);
        }
        std::mem::take(&mut gathered.waiting)
    }

    fn lock(&self, boot_s: i64, now: NumericDate) -> MutexGuard<'_, Gathered> {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = boot_s.div_euclid(60);
        if gathered.minute != minute {
            gathered.close();
            (gathered.minute, gathered.began, gathered.told) = (minute, now, 0);
            gathered.told_by.clear();
        }
        self.any.store(true, Ordering::Release);
        gathered
    }
}

impl Gathered {
    /// Makes records of what was counted.
    fn close(&mut self) {
        for (actor, count) in std::mem::take(&mut self.untold) {
            let origin = Origin { actor, source: Source::Api, ..Origin::INTERNAL };
            self.push(origin, Change::Refused { route: "".into(), status: 0, count });
        }
        let minute = self.began;
        for (from, count) in std::mem::take(&mut self.strangers) {
            let origin = Origin { from, source: Source::Api, ..Origin::INTERNAL };
            self.push(origin, Change::Strangers { minute, count });
        }
    }

    fn push(&mut self, origin: Origin<'static>, change: Change<'static>) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push((origin, change));
        }
    }
}

/// Counts one more for `who`, or for all others where there are too many to be counted apart.
fn count(counts: &mut HashMap<Cow<'static, str>, u32>, who: Cow<'static, str>) {
    let who = if counts.len() < COUNTED_MAX || counts.contains_key(&who) { who } else { Cow::Borrowed("") };
    let counted = counts.entry(who).or_default();
    *counted = counted.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: NumericDate = NumericDate(1_000_000);

    fn by(actor: &str) -> Origin<'static> {
        Origin { actor: actor.to_owned().into(), source: Source::Api, ..Origin::INTERNAL }
    }

    /// How often what is taken counts refusals of known callers and of strangers.
    fn counts(taken: &[Waiting]) -> (u32, u32) {
        taken.iter().fold((0, 0), |(known, strangers), (_, change)| match change {
            Change::Refused { count, .. } => (known + count, strangers),
            Change::Strangers { count, .. } => (known, strangers + count),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_flood_is_counted_to_the_last_and_told_by_a_few_records_a_minute() {
        let refusals = Refusals::default();
        for n in 0..1_000_u32 {
            for actor in ["a", "b"] {
                refusals.known(60, NOW, by(actor), "/purge", 403);
            }
            refusals.known(60, NOW, by(&n.to_string()), "/purge", 403);
            refusals.stranger(60, NOW, format!("10.0.{}.{}", n / 256, n % 256).into());
            refusals.stranger(60, NOW, "10.0.0.1".into());
        }
        let at_once = refusals.take(119, NOW, false);
        assert_eq!(at_once.len(), TOLD_MAX as usize, "what is told one by one does not wait for the minute's end");
        let later = refusals.take(120, NOW, false);
        assert!(at_once.len() + later.len() <= RECORDS_PER_MINUTE_MAX);
        let (told, _) = counts(&at_once);
        assert_eq!((told + counts(&later).0, counts(&later).1), (3_000, 2_000));
        assert!(refusals.take(600, NOW, true).is_empty());
    }

    #[test]
    fn a_new_minute_tells_again_and_one_caller_does_not_silence_another() {
        let refusals = Refusals::default();
        for minute in 1..4 {
            for _ in 0..1_000 {
                refusals.known(minute * 60, NOW, by("loud"), "/purge", 403);
            }
            refusals.known(minute * 60, NOW, by("quiet"), "/keys", 403);
            let taken = refusals.take(minute * 60, NOW, false);
            let of_quiet = taken.iter().filter(|(origin, _)| origin.actor == "quiet").count();
            assert_eq!((of_quiet, taken.len() >= TOLD_PER_CALLER as usize), (1, true));
        }
    }

    #[test]
    fn what_cannot_be_written_is_bounded() {
        let refusals = Refusals::default();
        for minute in 0..1_000 {
            for n in 0..200 {
                refusals.known(minute * 60, NOW, by(&n.to_string()), "/purge", 403);
                refusals.stranger(minute * 60, NOW, n.to_string().into());
            }
        }
        assert_eq!(refusals.take(60_000, NOW, true).len(), WAITING_MAX);
    }

    #[test]
    fn counts_of_the_minute_are_kept_back_unless_all_is_wanted() {
        let refusals = Refusals::default();
        refusals.stranger(60, NOW, "unix".into());
        assert!(refusals.take(61, NOW, false).is_empty());
        let [(origin, Change::Strangers { minute: NOW, count: 1 })] = &refusals.take(62, NOW, true)[..] else {
            panic!("nothing was counted")
        };
        assert_eq!((&*origin.from, &*origin.actor), ("unix", ""));
    }
}
