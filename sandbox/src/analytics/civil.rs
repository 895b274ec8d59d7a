//! Seconds since 1970 as a date and a time of day in UTC, and back. Pure.

use super::kind::Unit;

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Year, month and day.
type Calendar = (i64, i64, i64);

/// The date of a day since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn calendar(days: i64) -> Calendar {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day since 1970 of a date.
fn days((year, month, day): Calendar) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn days_in((year, month): (i64, i64)) -> i64 {
    let next = if month == 12 {
        (year + 1, 1, 1)
    } else {
        (year, month + 1, 1)
    };
    days(next) - days((year, month, 1))
}

/// `2026-11-27`.
pub(super) fn date(seconds: i64) -> String {
    let (year, month, day) = calendar(seconds.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2026-11-27 13:36:38`.
pub(super) fn text(seconds: i64) -> String {
    let of_day = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{} {hour:02}:{minute:02}:{second:02}", date(seconds))
}

/// What [`text`] or [`date`] made, or a number of seconds.
pub(super) fn parse(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let (date, time) = text.split_once(' ').unwrap_or((text, "00:00:00"));
    let whole = |text: &str, mark: char, widths: [usize; 3]| -> Option<[i64; 3]> {
        let parts: Vec<&str> = text.split(mark).collect();
        let fits = parts.len() == 3
            && parts
                .iter()
                .zip(widths)
                .all(|(it, width)| it.len() == width);
        let numbers: Vec<i64> = parts.iter().filter_map(|it| it.parse().ok()).collect();
        fits.then_some(numbers)?.try_into().ok()
    };
    let [year, month, day] = whole(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = whole(time, ':', [2, 2, 2])?;
    let real = (1..=12).contains(&month)
        && (1..=days_in((year, month))).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    real.then(|| days((year, month, day)) * DAY + hour * 3600 + minute * 60 + second)
}

/// A number of a point in time, by the name of the function that gives it.
pub(super) fn part(name: &str, seconds: i64) -> i64 {
    let day = seconds.div_euclid(DAY);
    let (year, month, day_of_month) = calendar(day);
    let of_day = seconds.rem_euclid(DAY);
    match name {
        "year" => year,
        "month" => month,
        "day" => day_of_month,
        // 1970 began on a Thursday; Monday is 1
        "weekday" => (day + 3).rem_euclid(7) + 1,
        "hour" => of_day / 3600,
        "minute" => of_day / 60 % 60,
        "yearmonth" => year * 100 + month,
        _ => of_day % 60,
    }
}

/// Seconds moved by a number of units; a day that the month has not becomes its last.
pub(super) fn shifted(seconds: i64, count: i64, unit: Unit) -> i64 {
    match unit {
        Unit::Second => seconds + count,
        Unit::Minute => seconds + count * 60,
        Unit::Hour => seconds + count * 3600,
        Unit::Day => seconds + count * DAY,
        Unit::Year => shifted(seconds, count * 12, Unit::Month),
        Unit::Month => {
            let (year, month, day) = calendar(seconds.div_euclid(DAY));
            let months = year * 12 + month - 1 + count;
            let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
            let day = day.min(days_in((year, month)));
            days((year, month, day)) * DAY + seconds.rem_euclid(DAY)
        }
    }
}

/// The start of the interval of `count` units that `seconds` is in.
pub(super) fn start(seconds: i64, count: i64, unit: Unit) -> i64 {
    let count = count.max(1);
    let floor = |seconds: i64, size: i64| seconds.div_euclid(size) * size;
    match unit {
        Unit::Second => floor(seconds, count),
        Unit::Minute => floor(seconds, count * 60),
        Unit::Hour => floor(seconds, count * 3600),
        Unit::Day => floor(seconds, count * DAY),
        Unit::Month => {
            let (year, month, _) = calendar(seconds.div_euclid(DAY));
            let months = floor((year - 1900) * 12 + month - 1, count);
            days((1900 + months.div_euclid(12), months.rem_euclid(12) + 1, 1)) * DAY
        }
        Unit::Year => {
            let (year, _, _) = calendar(seconds.div_euclid(DAY));
            days((floor(year, count), 1, 1)) * DAY
        }
    }
}

/// The Monday of the week.
pub(super) fn start_of_week(seconds: i64) -> i64 {
    let day = seconds.div_euclid(DAY);
    (day - (day + 3).rem_euclid(7)) * DAY
}

/// Seconds by a format of `ClickHouse`'s `formatDateTime`.
pub(super) fn formatted(seconds: i64, format: &str) -> Result<String, String> {
    let get = |name| part(name, seconds);
    let mut text = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        let code = letters.next().unwrap_or_default();
        let hour12 = (get("hour") + 11) % 12 + 1;
        text += &match code {
            'Y' => format!("{:04}", get("year")),
            'y' => format!("{:02}", get("year") % 100),
            'm' => format!("{:02}", get("month")),
            'd' => format!("{:02}", get("day")),
            'e' => format!("{:>2}", get("day")),
            'H' => format!("{:02}", get("hour")),
            'I' | 'h' => format!("{hour12:02}"),
            'i' => format!("{:02}", get("minute")),
            'S' | 's' => format!("{:02}", get("second")),
            'p' => if get("hour") < 12 { "AM" } else { "PM" }.to_owned(),
            'F' => date(seconds),
            'T' => self::text(seconds)[11..].to_owned(),
            'R' => self::text(seconds)[11..16].to_owned(),
            'D' => format!(
                "{:02}/{:02}/{:02}",
                get("month"),
                get("day"),
                get("year") % 100
            ),
            'j' => {
                let first = start(seconds, 1, Unit::Year);
                format!("{:03}", (seconds - first).div_euclid(DAY) + 1)
            }
            'u' => get("weekday").to_string(),
            'w' => (get("weekday") % 7).to_string(),
            'a' => WEEKDAYS[get("weekday") as usize - 1].to_owned(),
            'b' => MONTHS[get("month") as usize - 1].to_owned(),
            'n' => "\n".to_owned(),
            't' => "\t".to_owned(),
            '%' => "%".to_owned(),
            // The minute in older versions, the month's name in newer ones: nobody can rely on it
            'M' => return Err("`%M` means the minute or the month; `%i` is the minute".to_owned()),
            other => return Err(format!("the sandbox does not format `%{other}`")),
        };
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_the_same_there_and_back() {
        for seconds in (-5_000_000_000..5_000_000_000).step_by(9_999_937) {
            assert_eq!(parse(&text(seconds)), Some(seconds), "{}", text(seconds));
        }
        assert_eq!(text(1_795_786_598), "2026-11-27 13:36:38");
        assert_eq!(parse("2026-11-27"), Some(1_795_737_600));
        for wrong in [
            "",
            "x",
            "2026-13-01",
            "2026-02-29",
            "2026-1-1",
            "2026-11-27T13:36:38Z",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_month_on_from_its_end_is_the_end_of_the_next() {
        let moved = |text_: &str, count, unit| text(shifted(parse(text_).unwrap(), count, unit));
        assert_eq!(
            moved("2024-01-31 10:00:00", 1, Unit::Month),
            "2024-02-29 10:00:00"
        );
        assert_eq!(
            moved("2024-02-29 10:00:00", -1, Unit::Year),
            "2023-02-28 10:00:00"
        );
        assert_eq!(
            moved("2024-12-31 23:59:59", 1, Unit::Second),
            "2025-01-01 00:00:00"
        );
    }
}
