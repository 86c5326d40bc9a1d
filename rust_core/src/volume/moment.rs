//! Moments as text: RFC 3339 in UTC with six digits of a second, one form for each.

use crate::instance::Microseconds;

const DAY: i64 = 86_400_000_000;
/// 0000-01-01 and the day after 9999-12-31, in days since 1970-01-01.
const DAYS: std::ops::Range<i64> = -719_528..2_932_897;

/// `2026-11-25T17:55:37.000001Z`; none outside the years 0 to 9999.
pub fn text(at: Microseconds) -> Option<String> {
    let of_day = at.rem_euclid(DAY);
    let (seconds, micros) = (of_day / 1_000_000, of_day % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Some(format!("{}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z", date(at)?))
}

/// `2026-11-25`; none outside the years 0 to 9999.
pub fn date(at: Microseconds) -> Option<String> {
    let days = at.div_euclid(DAY);
    let (year, month, day) = DAYS.contains(&days).then(|| civil(days))?;
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

/// What [`text`] wrote; none for anything else.
pub fn parse(written: &str) -> Option<Microseconds> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = written.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let seconds = days_of(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let at = seconds * 1_000_000 + number(20..26)?;
    // One form for each: separators, and days and hours that there are.
    (text(at).as_deref() == Some(written)).then_some(at)
}

/// Year, month and day of a day of the proleptic Gregorian calendar. Years are counted from March
/// on, so that a leap day is the last of its year; 400 years have 146,097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + later, month, day)
}

fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_then_parse_is_identity(at in DAYS.start * DAY..DAYS.end * DAY) {
            prop_assert_eq!(parse(&text(at).unwrap()), Some(at));
        }
    }

    #[test]
    fn known_moments_have_their_text_and_others_none() {
        assert_eq!(text(0).unwrap(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(text(951_782_400_000_001).unwrap(), "2000-02-29T00:00:00.000001Z");
        assert_eq!(text(-1).unwrap(), "1969-12-31T23:59:59.999999Z");
        assert_eq!(text(DAYS.start * DAY).unwrap(), "0000-01-01T00:00:00.000000Z");
        assert_eq!(text(DAYS.end * DAY - 1).unwrap(), "9999-12-31T23:59:59.999999Z");
        assert_eq!((text(DAYS.end * DAY), text(i64::MIN), text(i64::MAX)), (None, None, None));
        for wrong in ["1970-01-01t00:00:00.000000Z", "1970-02-30T00:00:00.000000Z", "", "1970"] {
            assert_eq!(parse(wrong), None);
        }
    }
}
