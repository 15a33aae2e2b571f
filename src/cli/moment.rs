//! Instants and durations as people write and read them.

use crate::clock::{Clock, ClockSettings, NumericDate};

/// An instant on the command line: NumericDate, or a duration from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Seconds since 1970.
    At(NumericDate),
    /// Seconds from now.
    In(i64),
}

impl Moment {
    /// The instant by this machine's clock.
    pub(super) fn resolve(self) -> NumericDate {
        match self {
            Self::At(instant) => instant,
            // Nothing here ends by this clock, so its default settings do.
            Self::In(seconds) => {
                Clock::system(ClockSettings { step_max_s: 3_600, hold_s: 86_400 }).now().latest.plus(seconds)
            }
        }
    }
}

/// Parses `1800000000`, `+90s`, `-1h30m` (units w, d, h, m, s).
pub(super) fn parse_moment(text: &str) -> Result<Moment, String> {
    // Without a unit it is a NumericDate before 1970.
    if let Some(seconds) = text.strip_prefix('-').and_then(parse_duration) {
        return Ok(Moment::In(-seconds));
    }
    if let Some(duration) = text.strip_prefix('+') {
        let seconds = parse_duration(duration).ok_or_else(|| format!("{text:?} is no duration like +1h30m"))?;
        return Ok(Moment::In(seconds));
    }
    let seconds = text.parse().map_err(|_| format!("{text:?} is neither a NumericDate nor a duration like +1h"))?;
    Ok(Moment::At(NumericDate(seconds)))
}

fn parse_duration(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total_s: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let mut tail = tail.chars();
        let unit_s = match tail.next()? {
            'w' => 604_800,
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total_s = total_s.checked_add(number.parse::<i64>().ok()?.checked_mul(unit_s)?)?;
        rest = tail.as_str();
    }
    (!text.is_empty()).then_some(total_s)
}

/// UTC as RFC 3339 writes it, to the second; the plain number where no four-digit year has it.
pub(super) fn rfc3339(instant: i64) -> String {
    let (days, second) = (instant.div_euclid(86_400), instant.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    if !(0..=9_999).contains(&year) {
        return instant.to_string();
    }
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Counts in 400-year eras of 146,097 days from 0000-03-01, so that a leap day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_a_numeric_date_or_a_duration_from_now() {
        assert_eq!(parse_moment("1800000000"), Ok(Moment::At(NumericDate(1_800_000_000))));
        assert_eq!(parse_moment("-1"), Ok(Moment::At(NumericDate(-1))));
        assert_eq!(parse_moment("+90s"), Ok(Moment::In(90)));
        assert_eq!(parse_moment("+1h30m"), Ok(Moment::In(5_400)));
        assert_eq!(parse_moment("+1w2d"), Ok(Moment::In(777_600)));
        assert_eq!(parse_moment("-1h30m"), Ok(Moment::In(-5_400)));
        for bad in [
            "",
            "+",
            "1h",
            "+1",
            "+h",
            "+1y",
            "+1h30",
            "+-1h",
            "--1h",
            "-1y",
            "-h",
            "soon",
            "+9223372036854775807w",
            "1.5",
        ] {
            assert!(parse_moment(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn instants_are_written_as_rfc_3339() {
        for (instant, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_800_000_000, "2027-01-15T08:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (253_402_300_800, "253402300800"),
            (i64::MAX, "9223372036854775807"),
            (i64::MIN, "-9223372036854775808"),
        ] {
            assert_eq!(rfc3339(instant), text);
        }
    }
}
