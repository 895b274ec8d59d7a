//! The functions of one row that SQLite lacks, as `ClickHouse` answers them.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, Result};

use super::civil;
use super::kind::Unit;

type Scalar = fn(&Context) -> Result<Value>;

/// Every function, with the number of its arguments; -1 is any.
const FUNCTIONS: [(&str, i32, Scalar); 28] = [
    ("ae_bit_count", 1, |call| {
        // Of a double: those of its representation
        let bits = match call.get_raw(0) {
            ValueRef::Real(number) => number.to_bits(),
            _ => call.get::<i64>(0)?.cast_unsigned(),
        };
        Ok(Value::Integer(bits.count_ones().into()))
    }),
    ("ae_bit_rotate", 3, |call| {
        let (value, by, bits): (i64, i64, i64) = (call.get(0)?, call.get(1)?, call.get(2)?);
        let by = by.rem_euclid(bits);
        let value = masked(value, bits) as u64;
        let rotated = match by {
            0 => value,
            by => (value << by) | (value >> (bits - by)),
        };
        Ok(Value::Integer(masked(rotated.cast_signed(), bits)))
    }),
    ("ae_bit_xor", 2, |call| {
        Ok(Value::Integer(call.get::<i64>(0)? ^ call.get::<i64>(1)?))
    }),
    ("ae_bits", 2, |call| {
        Ok(Value::Integer(masked(call.get(0)?, call.get(1)?)))
    }),
    ("ae_ceil", -1, |call| rounded(call, f64::ceil)),
    ("ae_date_text", 1, |call| {
        Ok(Value::Text(civil::date(call.get(0)?)))
    }),
    ("ae_digits", 2, |call| {
        Ok(Value::Text(digits(call.get_raw(0), call.get(1)?)))
    }),
    ("ae_ends_with", 2, |call| {
        let (text, end): (String, String) = (call.get(0)?, call.get(1)?);
        Ok(Value::Integer(text.ends_with(&end).into()))
    }),
    ("ae_floor", -1, |call| rounded(call, f64::floor)),
    ("ae_format", -1, filled),
    ("ae_format_time", 2, |call| {
        let format: String = call.get(1)?;
        let text = civil::formatted(call.get(0)?, &format);
        text.map(Value::Text).map_err(refused)
    }),
    ("ae_ilike", 2, |call| {
        let (text, pattern): (String, String) = (call.get(0)?, call.get(1)?);
        let matches = like(&text.to_lowercase(), &pattern.to_lowercase());
        Ok(Value::Integer(matches.into()))
    }),
    ("ae_int_div", 2, |call| {
        match (call.get_raw(0), call.get_raw(1)) {
            (ValueRef::Integer(a), ValueRef::Integer(b)) => {
                let quotient = a.checked_div(b);
                quotient.map(Value::Integer).ok_or_else(by_zero)
            }
            _ => {
                let (a, b): (f64, f64) = (call.get(0)?, call.get(1)?);
                let whole = (a / b).trunc();
                match whole.is_finite() {
                    true => Ok(Value::Integer(whole as i64)),
                    false => Err(by_zero()),
                }
            }
        }
    }),
    ("ae_like", 2, |call| {
        let (text, pattern): (String, String) = (call.get(0)?, call.get(1)?);
        Ok(Value::Integer(like(&text, &pattern).into()))
    }),
    ("ae_log", 1, |call| {
        Ok(Value::Real(call.get::<f64>(0)?.ln()))
    }),
    ("ae_lower", 1, |call| {
        Ok(Value::Text(call.get::<String>(0)?.to_lowercase()))
    }),
    ("ae_modulo", 2, |call| {
        match (call.get_raw(0), call.get_raw(1)) {
            (ValueRef::Integer(a), ValueRef::Integer(b)) => {
                a.checked_rem(b).map(Value::Integer).ok_or_else(by_zero)
            }
            _ => Ok(Value::Real(call.get::<f64>(0)? % call.get::<f64>(1)?)),
        }
    }),
    ("ae_part", 2, |call| {
        let name: String = call.get(0)?;
        Ok(Value::Integer(civil::part(&name, call.get(1)?)))
    }),
    ("ae_pow", 2, |call| {
        let (base, exponent): (f64, f64) = (call.get(0)?, call.get(1)?);
        Ok(Value::Real(base.powf(exponent)))
    }),
    // Half to even, as `ClickHouse` rounds doubles
    ("ae_round", -1, |call| rounded(call, f64::round_ties_even)),
    ("ae_shift", 4, |call| {
        let (time, sign, count): (i64, i64, i64) = (call.get(0)?, call.get(1)?, call.get(2)?);
        let shifted = civil::shifted(time, sign * count, unit(call, 3)?);
        Ok(Value::Integer(shifted))
    }),
    ("ae_start", 3, |call| {
        let start = civil::start(call.get(0)?, call.get(1)?, unit(call, 2)?);
        Ok(Value::Integer(start))
    }),
    ("ae_start_of_week", 1, |call| {
        Ok(Value::Integer(civil::start_of_week(call.get(0)?)))
    }),
    ("ae_starts_with", 2, |call| {
        let (text, start): (String, String) = (call.get(0)?, call.get(1)?);
        Ok(Value::Integer(text.starts_with(&start).into()))
    }),
    ("ae_time_text", 1, |call| {
        Ok(Value::Text(civil::text(call.get(0)?)))
    }),
    ("ae_to_time", 1, |call| match call.get_raw(0) {
        ValueRef::Real(number) => Ok(Value::Integer(number as i64)),
        ValueRef::Integer(number) => Ok(Value::Integer(number)),
        _ => {
            let text: String = call.get(0)?;
            let time = civil::parse(&text).map(Value::Integer);
            time.ok_or_else(|| refused(format!("cannot parse `{text}` as DateTime")))
        }
    }),
    ("ae_to_unsigned", 2, |call| {
        let number = match call.get_raw(0) {
            ValueRef::Real(number) => number as i64,
            ValueRef::Integer(number) => number,
            _ => {
                let text: String = call.get(0)?;
                let number = text.parse::<i64>();
                number.map_err(|_| refused(format!("cannot parse `{text}` as a number")))?
            }
        };
        Ok(Value::Integer(masked(number, call.get(1)?)))
    }),
    ("ae_upper", 1, |call| {
        Ok(Value::Text(call.get::<String>(0)?.to_uppercase()))
    }),
];

/// Adds them to a connection.
pub(super) fn add(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    for (name, arguments, function) in FUNCTIONS {
        connection.create_scalar_function(name, arguments, flags, move |call| {
            let empty = (0..call.len()).any(|at| call.get_raw(at) == ValueRef::Null);
            match empty {
                true => Ok(Value::Null),
                false => function(call),
            }
        })?;
    }
    Ok(())
}

fn refused(why: String) -> Error {
    Error::UserFunctionError(why.into())
}

fn by_zero() -> Error {
    refused("division by zero".to_owned())
}

fn unit(call: &Context, at: usize) -> Result<Unit> {
    let name: String = call.get(at)?;
    Ok(match name.as_str() {
        "second" => Unit::Second,
        "minute" => Unit::Minute,
        "hour" => Unit::Hour,
        "day" => Unit::Day,
        "month" => Unit::Month,
        _ => Unit::Year,
    })
}

/// The lowest bits of a number.
fn masked(value: i64, bits: i64) -> i64 {
    match bits {
        64 => value,
        bits => value & ((1 << bits) - 1),
    }
}

/// A number, and how many digits behind the point it keeps.
fn rounded(call: &Context, round: fn(f64) -> f64) -> Result<Value> {
    let digits = match call.len() {
        1 => 0,
        _ => call.get::<i32>(1)?,
    };
    if let (ValueRef::Integer(whole), true) = (call.get_raw(0), digits >= 0) {
        return Ok(Value::Integer(whole));
    }
    let number: f64 = call.get(0)?;
    let scale = 10_f64.powi(digits.abs());
    let number = match digits < 0 {
        true => round(number / scale) * scale,
        false => round(number * scale) / scale,
    };
    Ok(match call.get_raw(0) {
        ValueRef::Integer(_) => Value::Integer(number as i64),
        _ => Value::Real(number),
    })
}

/// Bytes in digits; of a whole number without those that are zero, a double's from its lowest on.
fn digits(value: ValueRef, base: i64) -> String {
    let bytes = match value {
        ValueRef::Integer(number) => {
            let bytes = number.to_be_bytes();
            let from = bytes.iter().position(|byte| *byte != 0).unwrap_or(7);
            bytes[from..].to_vec()
        }
        ValueRef::Real(number) => number.to_le_bytes().to_vec(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
        ValueRef::Null => Vec::new(),
    };
    let digits = bytes.iter().map(|byte| match base {
        2 => format!("{byte:08b}"),
        _ => format!("{byte:02X}"),
    });
    digits.collect()
}

/// `format('{} and {}', …)`, also with places by number.
fn filled(call: &Context) -> Result<Value> {
    let pattern: String = call.get(0)?;
    let mut text = String::new();
    let mut rest = pattern.as_str();
    let mut next = 1;
    while let Some((before, after)) = rest.split_once('{') {
        let (place, after) = after
            .split_once('}')
            .ok_or_else(|| refused(format!("a place in `{pattern}` has no end")))?;
        let at = match place {
            "" => next,
            place => place.parse::<usize>().map_or(call.len(), |at| at + 1),
        };
        next += 1;
        if at >= call.len() {
            return Err(refused(format!(
                "nothing fills `{{{place}}}` in `{pattern}`"
            )));
        }
        text += before;
        text += &match call.get_raw(at) {
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => number.to_string(),
            _ => call.get(at)?,
        };
        rest = after;
    }
    Ok(Value::Text(text + rest))
}

/// Whether a text fits a pattern: `%` is any text, `_` any letter, and `\` takes either of them literally.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) =
        (text.chars().collect(), pattern.chars().collect());
    // Where to go on when what follows the last `%` does not fit
    let mut again: Option<(usize, usize)> = None;
    let (mut at, mut in_pattern) = (0, 0);
    loop {
        let step = match pattern.get(in_pattern) {
            Some('%') => {
                again = Some((at, in_pattern));
                in_pattern += 1;
                continue;
            }
            Some('\\') => pattern.get(in_pattern + 1).map(|it| (Some(*it), 2)),
            Some('_') => Some((None, 1)),
            Some(letter) => Some((Some(*letter), 1)),
            None => None,
        };
        match (step, text.get(at)) {
            (None, None) => return true,
            (Some((wanted, size)), Some(letter)) if wanted.is_none_or(|it| it == *letter) => {
                at += 1;
                in_pattern += size;
            }
            _ => match again {
                Some((from, percent)) if from < text.len() => {
                    again = Some((from + 1, percent));
                    (at, in_pattern) = (from + 1, percent + 1);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn a_pattern_has_wildcards_of_one_letter_and_of_many() {
        for (text, pattern) in [
            ("error: x", "error%"),
            ("a.jpg", "%.jpg"),
            ("a test b", "%test%"),
            ("log42", "log__"),
            ("", "%"),
            ("aab", "%ab"),
            ("50%", "50\\%"),
            ("ÄÖ", "__"),
        ] {
            assert!(like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [
            ("Error", "error%"),
            ("log4", "log__"),
            ("500", "50\\%"),
            ("", "_"),
            ("ab", "a"),
        ] {
            assert!(!like(text, pattern), "{text} {pattern}");
        }
    }
}
