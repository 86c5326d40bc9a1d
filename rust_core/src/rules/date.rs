//! Dates and times as text (PS3.5 6.2: DA, TM; PS3.3 C.12.1.1.8): can they be read at all?

fn number(digits: &[u8]) -> Option<u32> {
    let digit = |n: u32, byte: &u8| byte.is_ascii_digit().then(|| n * 10 + u32::from(byte - b'0'));
    digits.iter().try_fold(0, digit)
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// Whether the value is a day of the calendar, `YYYYMMDD`.
pub fn is_date(value: &[u8]) -> bool {
    let [y1, y2, y3, y4, m1, m2, d1, d2] = *value.trim_ascii_end() else { return false };
    let read = (number(&[y1, y2, y3, y4]), number(&[m1, m2]), number(&[d1, d2]));
    let (Some(year), Some(month @ 1..=12), Some(day)) = read else { return false };
    year > 0 && (1..=days(year, month)).contains(&day)
}

/// Whether the value is a time of day, `HH[MM[SS[.F{1,6}]]]`; 60 seconds are lawful (leap second).
pub fn is_time(value: &[u8]) -> bool {
    let value = value.trim_ascii_end();
    let (whole, fraction) = match value.iter().position(|&byte| byte == b'.') {
        Some(dot) => (&value[..dot], Some(&value[dot + 1..])),
        None => (value, None),
    };
    let fraction_lawful = fraction.is_none_or(|digits| {
        whole.len() == 6 && (1..=6).contains(&digits.len()) && number(digits).is_some()
    });
    let below = [24, 60, 61];
    matches!(whole.len(), 2 | 4 | 6)
        && fraction_lawful
        && whole.chunks(2).zip(below).all(|(pair, max)| number(pair).is_some_and(|n| n < max))
}

/// Whether the value is an offset from UTC, `&ZZXX` from -1200 to +1400.
pub fn is_offset(value: &[u8]) -> bool {
    let [sign @ (b'+' | b'-'), h1, h2, m1, m2] = *value.trim_ascii_end() else { return false };
    let (Some(hours), Some(minutes @ 0..=59)) = (number(&[h1, h2]), number(&[m1, m2])) else {
        return false;
    };
    let of_the_day = hours * 60 + minutes;
    if sign == b'-' { (1..=720).contains(&of_the_day) } else { of_the_day <= 840 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_of_the_calendar_are_dates() {
        for date in [&b"20240229"[..], b"19991231", b"20000229 "] {
            assert!(is_date(date));
        }
        for other in [
            &b"00000000"[..],
            b"99999999",
            b"20230229",
            b"19000229",
            b"20241301",
            b"2024.01.01",
            b"2024010",
            b"20240100",
            b"2024010a",
            b"",
        ] {
            assert!(!is_date(other), "{other:?}");
        }
    }

    #[test]
    fn only_times_of_the_day_are_times() {
        for time in [&b"00"[..], b"2359", b"235960", b"120000.123456", b"120000.1 "] {
            assert!(is_time(time));
        }
        for other in [
            &b"250000"[..],
            b"12:00:00",
            b"1260",
            b"12000",
            b"1200.5",
            b"120000.",
            b"",
            b"120000.1234567",
        ] {
            assert!(!is_time(other), "{other:?}");
        }
    }

    #[test]
    fn offsets_lie_within_the_day_line() {
        for offset in [&b"+0200"[..], b"-1200", b"+1400", b"+0000"] {
            assert!(is_offset(offset));
        }
        for other in [&b"-0000"[..], b"+1401", b"-1201", b"0200", b"+02:00", b"+0260"] {
            assert!(!is_offset(other), "{other:?}");
        }
    }
}
