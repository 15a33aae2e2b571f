//! A token bucket in one atomic: how often somebody has asked lately.
//!
//! It is the generic cell rate algorithm: what is kept is the instant at which the bucket would be full again. So a meter
//! is eight bytes, has no lock, needs no timer, and an idle one is like new.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SECOND_NS: u64 = 1_000_000_000;

/// Least burst: of it a tenth can be kept.
const BURST_MIN: u32 = 10;

/// So many a second, and a burst of as many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    interval_ns: u64,
    burst: u64,
}

/// Whether the last tenth of a burst may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nine tenths: the rest is kept for what must not wait.
    Common,
    /// All of it.
    Whole,
}

impl Rate {
    /// `per_s` a second, and as many at once, 10 at the least; `None` for 0, which stands for no limit.
    #[must_use]
    pub fn per_second(per_s: u32) -> Option<Self> {
        let interval_ns = SECOND_NS.checked_div(per_s.into())?;
        Some(Self { interval_ns: interval_ns.max(1), burst: per_s.max(BURST_MIN).into() })
    }

    /// How far ahead of now the bucket may be from full.
    const fn depth_ns(self, reach: Reach) -> u64 {
        let kept = match reach {
            Reach::Common => self.burst / 10,
            Reach::Whole => 0,
        };
        self.interval_ns.saturating_mul(self.burst - kept)
    }
}

/// Counts one caller. The same meter must be asked with one rate.
#[derive(Debug, Default)]
pub struct Meter {
    /// When the bucket is full again, nanoseconds on the clock of whoever asks; in the past for a full one.
    full_at_ns: AtomicU64,
}

impl Meter {
    /// Counts one more, unless that is one too many. `now_ns` comes from a clock that does not go back, and starts at 0 no
    /// later than the meter was made.
    ///
    /// # Errors
    /// How long to wait until one more may be tried.
    pub fn take(&self, rate: Rate, reach: Reach, now_ns: u64) -> Result<(), Duration> {
        let latest = now_ns.saturating_add(rate.depth_ns(reach));
        let next = |full_at: u64| {
            let full_at = full_at.max(now_ns).saturating_add(rate.interval_ns);
            (full_at <= latest).then_some(full_at)
        };
        // Relaxed: the counter orders nothing but itself.
        self.full_at_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).map(drop).map_err(|full_at| {
            let too_early = full_at.max(now_ns).saturating_add(rate.interval_ns).saturating_sub(latest);
            Duration::from_nanos(too_early)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(meter: &Meter, rate: Rate, reach: Reach, now_ns: u64) -> u64 {
        (0..10_000).take_while(|_| meter.take(rate, reach, now_ns).is_ok()).count() as u64
    }

    #[test]
    fn a_burst_is_let_through_and_then_so_many_a_second() {
        let (meter, rate) = (Meter::default(), Rate::per_second(100).unwrap());
        assert_eq!(taken(&meter, rate, Reach::Whole, 0), 100);
        assert_eq!(meter.take(rate, Reach::Whole, 0), Err(Duration::from_millis(10)));
        assert_eq!(meter.take(rate, Reach::Whole, 9_999_999), Err(Duration::from_nanos(1)));
        for second in 1..20 {
            assert_eq!(taken(&meter, rate, Reach::Whole, second * SECOND_NS), 100);
        }
        assert_eq!(
            taken(&meter, rate, Reach::Whole, u64::MAX / 2),
            100,
            "idle for long, it holds no more than a burst"
        );
    }

    #[test]
    fn a_flood_leaves_a_tenth_to_what_must_not_wait_and_that_goes_first() {
        let (meter, rate) = (Meter::default(), Rate::per_second(100).unwrap());
        assert_eq!(taken(&meter, rate, Reach::Common, 0), 90);
        assert_eq!(taken(&meter, rate, Reach::Whole, 0), 10);
        // Half a second refills 50, of which ten are kept.
        assert_eq!(taken(&meter, rate, Reach::Common, SECOND_NS / 2), 40);
        assert_eq!(taken(&meter, rate, Reach::Whole, SECOND_NS / 2), 10);
    }

    #[test]
    fn zero_is_no_limit_and_a_small_rate_keeps_one_too() {
        assert_eq!(Rate::per_second(0), None);
        let (meter, rate) = (Meter::default(), Rate::per_second(1).unwrap());
        assert_eq!((taken(&meter, rate, Reach::Common, 0), taken(&meter, rate, Reach::Whole, 0)), (9, 1));
        assert_eq!(meter.take(rate, Reach::Whole, 0), Err(Duration::from_secs(1)));
        let most = Rate::per_second(u32::MAX).unwrap();
        assert!(Meter::default().take(most, Reach::Common, u64::MAX).is_ok());
    }
}
