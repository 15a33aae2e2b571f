//! Medians, spread, and runs that take turns.

/// The figures of one contender, in the order of the runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Runs(pub(crate) Vec<f64>);

impl Runs {
    /// The figure that half of the runs stay below; of an even number of runs, the mean of the middle two.
    ///
    /// # Panics
    /// Without any run.
    #[must_use]
    pub(crate) fn median(&self) -> f64 {
        assert!(!self.0.is_empty(), "no run has been made");
        self.sorted()[(self.0.len() - 1) / 2].midpoint(self.sorted()[self.0.len() / 2])
    }

    /// The smallest figure.
    #[must_use]
    pub(crate) fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The largest figure.
    #[must_use]
    pub(crate) fn most(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// The distance from smallest to largest, as a share of the median.
    #[must_use]
    pub(crate) fn spread(&self) -> f64 {
        (self.most() - self.least()) / self.median()
    }

    /// Run by run, how many times `other` this is. Runs of one turn share the machine's mood, so that the median of
    /// these is steadier than the quotient of the medians.
    #[must_use]
    pub(crate) fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(own, other)| own / other).collect())
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

/// Lets the contenders take turns, `runs` times, and gives what each measured. Each turn is told its number, which no
/// other turn has.
///
/// Interleaving spreads a slow minute of the machine over all of them. Turns alternate in direction, so that nobody
/// always runs first.
pub(crate) fn interleave<T>(runs: usize, contenders: &mut [&mut dyn FnMut(u64) -> T]) -> Vec<Vec<T>> {
    let mut measured: Vec<Vec<T>> = contenders.iter().map(|_| Vec::with_capacity(runs)).collect();
    let mut number = 0;
    for run in 0..runs {
        for turn in 0..contenders.len() {
            let who = if run % 2 == 0 { turn } else { contenders.len() - 1 - turn };
            number += 1;
            measured[who].push(contenders[who](number));
        }
    }
    measured
}

/// The figure that `share` of all stay at or below, by nearest rank: `0.99` is the p99. Sorts what it is given.
///
/// # Panics
/// Without any figure.
pub(crate) fn percentile(figures: &mut [f64], share: f64) -> f64 {
    assert!(!figures.is_empty(), "nothing has been measured");
    figures.sort_by(f64::total_cmp);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in the list"
    )]
    let rank = (share * figures.len() as f64).ceil() as usize;
    figures[rank.clamp(1, figures.len()) - 1]
}

/// Nanoseconds that one of `count` calls of `work` takes on average; each is told its number.
pub(crate) fn nanos_each(count: u64, mut work: impl FnMut(u64)) -> f64 {
    let begun = std::time::Instant::now();
    for number in 0..count {
        work(number);
    }
    #[allow(clippy::cast_precision_loss, reason = "a benchmark's figures are far below 2^52")]
    let each = begun.elapsed().as_nanos() as f64 / count as f64;
    each
}
