//! When to purge: a cron expression of six fields, in UTC. The only file that names croner and chrono.
//!
//! The parser is the scheduler's own, with the scheduler's settings, so both understand an expression alike.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds};

const FIELDS: usize = 6;
/// 2024-01-01T00:00:00Z: gaps are measured from here, so that they do not depend on today.
const ANCHOR_S: i64 = 1_704_067_200;
/// Occurrences looked at for gaps: enough for schedules whose gaps alternate within days, or that fire some days a year.
const OCCURRENCES: usize = 1_000;
/// Days from which the next occurrence is looked for: finds the long pause of a schedule that fires often.
const DAYS: i64 = 366;

/// A schedule of beats.
#[derive(Debug, Clone)]
pub struct Schedule {
    text: String,
    longest_gap: Duration,
}

/// A text that is no schedule.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// Not six fields.
    #[error("{fields} fields, where a schedule takes six: second minute hour day month weekday (UTC), or \"off\"")]
    Fields {
        /// How many there are.
        fields: usize,
    },
    /// A field is not to be understood.
    #[error("{text:?} is no cron expression")]
    Expression {
        /// The text.
        text: String,
        /// What is wrong with it.
        #[source]
        source: CronError,
    },
    /// No such time comes.
    #[error("{text:?} never fires")]
    Never {
        /// The text.
        text: String,
    },
}

impl Schedule {
    /// Reads a value of `purge.schedule`: a cron expression, or `off` for none.
    ///
    /// # Errors
    /// [`ScheduleError`].
    pub fn parse(text: &str) -> Result<Option<Self>, ScheduleError> {
        let text = text.trim();
        if text == "off" {
            return Ok(None);
        }
        let fields = text.split_whitespace().count();
        if fields != FIELDS {
            return Err(ScheduleError::Fields { fields });
        }
        let text = text.to_owned();
        let parser = CronParser::builder().seconds(Seconds::Required).dom_and_dow(true).build();
        match parser.parse(&text) {
            Err(source) => Err(ScheduleError::Expression { text, source }),
            Ok(cron) => match longest_gap(&cron) {
                Some(longest_gap) => Ok(Some(Self { text, longest_gap })),
                None => Err(ScheduleError::Never { text }),
            },
        }
    }

    /// The expression.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The longest time between two beats, to within a day for very irregular schedules.
    #[must_use]
    pub const fn longest_gap(&self) -> Duration {
        self.longest_gap
    }
}

/// `None` if there are no two beats to lie between.
fn longest_gap(cron: &Cron) -> Option<Duration> {
    let anchor = DateTime::<Utc>::from_timestamp(ANCHOR_S, 0)?;
    let after = |beat: &DateTime<Utc>| cron.find_next_occurrence(beat, false).ok();
    let beats: Vec<_> = std::iter::successors(after(&anchor), after).take(OCCURRENCES).collect();
    let between_beats = beats.windows(2).map(|pair| pair[1] - pair[0]);
    let from_days = (0..DAYS).filter_map(|day| {
        let day = anchor + TimeDelta::days(day);
        cron.find_next_occurrence(&day, true).ok().map(|next| next - day)
    });
    let longest = between_beats.max()?.max(from_days.max()?);
    longest.to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_S: u64 = 86_400;

    #[test]
    fn the_longest_gap_is_what_the_schedule_promises() {
        for (text, gap_s) in [
            ("* * * * * *", 1),
            ("*/10 * * * * *", 10),
            ("0 */5 * * * *", 300),
            ("0 0 3 * * *", DAY_S),
            ("0 0 3 * * MON-FRI", 3 * DAY_S),
            ("0 0 0 1 1 *", 366 * DAY_S),
        ] {
            let gap = Schedule::parse(text).unwrap().unwrap().longest_gap();
            assert_eq!(gap.as_secs(), gap_s, "{text}");
        }
    }

    #[test]
    fn a_schedule_that_rests_most_of_the_year_is_not_called_overdue_meanwhile() {
        let gap = Schedule::parse("0 * * * 1 *").unwrap().unwrap().longest_gap();
        assert!(gap.as_secs() >= 334 * DAY_S, "{gap:?}");
    }

    #[test]
    fn off_is_no_schedule() {
        assert!(Schedule::parse(" off ").unwrap().is_none());
    }

    #[test]
    fn what_is_no_schedule_is_refused_by_name() {
        for (text, part) in [
            ("", "0 fields, where"),
            ("*/5 * * * *", "5 fields, where"),
            ("0 0 0 1 1 * 2030", "7 fields, where"),
            ("@daily", "1 fields, where"),
            ("0 0 25 * * *", "no cron expression"),
            ("0 0 0 30 2 *", "never fires"),
        ] {
            let error = Schedule::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
