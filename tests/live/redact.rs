//! Replaces everything in the API's bodies that belongs to somebody: what stays is the shape, the API's own words, and which values
//! are the same. Pure.
//!
//! Denied by default: a text is kept only when [`harmless`] lists it. The placeholders keep the form of what they stand for (an id's
//! length, a date's precision), so that a report can be read as an answer, and they are left alone when they are met again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Map, Number, Value as Json};

use super::{harmless, shape};

/// Items of a list that are shown whatever their shape; a further one is shown when its shape is new.
pub(crate) const ITEMS: usize = 3;
/// Items of a list that are shown at most.
pub(crate) const ALL_ITEMS: usize = 40;
/// A word of a sentence that is not shown.
const GAP: &str = "…";
/// The account in every report, as in the recorded shapes.
pub(crate) const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const GATEWAY: &str = "S";
pub(crate) const ROOM: &str = "S-room";
pub(crate) const ZONE: &str = "example.com";
pub(crate) const HOST: &str = "live.example.com";

/// The placeholders that stand for something which the run itself named.
const NAMED: [&str; 5] = [ACCOUNT, GATEWAY, ROOM, ZONE, HOST];
/// The form of every date.
const DATE: &str = "2026-01-01";
const UUID: &str = "00000000-0000-4000-8000-";

/// What a placeholder's number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Uuid,
    Hex,
    Person,
    Address,
    Host,
    Text,
}

/// Gives the same value the same placeholder, for as long as it lives. It holds the values, so it is never shown.
#[derive(Default)]
pub(crate) struct Redactor {
    named: BTreeMap<String, &'static str>,
    numbers: BTreeMap<(Kind, String), usize>,
    last: BTreeMap<Kind, usize>,
}

impl Redactor {
    /// Shows `value` as `placeholder`, one of the constants above, wherever it is a whole text.
    pub(crate) fn name(&mut self, value: &str, placeholder: &'static str) {
        self.named.insert(value.to_owned(), placeholder);
    }

    /// A body without anybody's values.
    pub(crate) fn body(&mut self, body: &Json) -> Json {
        self.value("", body)
    }

    /// A path below the API's base, without its query.
    pub(crate) fn path(&mut self, path: &str) -> String {
        let parts = path.split('/').map(|part| match part {
            "" => String::new(),
            part if harmless::is_path_word(part) => part.to_owned(),
            part => self.text("", part),
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// A query: the names of its fields, and values that say only how a list is paged.
    pub(crate) fn query(&mut self, pairs: impl Iterator<Item = (String, String)>) -> String {
        let shown = pairs.map(|(name, value)| {
            let number = value.parse().ok().filter(|_| value.len() < 5);
            let is_plain = ["true", "false", "strict"].contains(&value.as_str())
                || number.is_some_and(|number| harmless::is_number(&name, number));
            let value = match is_plain {
                true => value,
                false => self.text("", &value),
            };
            let name = match harmless::is_field(&name.replace('.', "_")) {
                true => name,
                false => self.key(&name),
            };
            format!("{name}={value}")
        });
        shown.collect::<Vec<_>>().join("&")
    }

    /// A sentence in which only the API's own words are left.
    pub(crate) fn sentence(text: &str) -> String {
        let words = text.split_inclusive(char::is_whitespace).map(|chunk| {
            let word = chunk.trim_end();
            let space = if word.len() < chunk.len() { " " } else { "" };
            let is_mark = |c: char| c.is_ascii_punctuation();
            let core = word.trim_matches(is_mark);
            let known = core
                .split(is_mark)
                .all(|part| part.is_empty() || part == GAP || harmless::is_message_word(part));
            let shown = match known {
                true => word.to_owned(),
                false => word.replacen(core, GAP, 1),
            };
            shown + space
        });
        words.collect()
    }

    fn value(&mut self, key: &str, value: &Json) -> Json {
        match value {
            Json::Null | Json::Bool(_) => value.clone(),
            Json::Number(number) => Json::Number(number_of(key, number)),
            Json::String(text) => Json::String(self.text(key, text)),
            Json::Array(items) => {
                let mut shown: Vec<Json> = Vec::new();
                let mut shapes = BTreeSet::new();
                for item in items {
                    let item = self.value(key, item);
                    let is_new = shapes.insert(shape::of_body(&item));
                    if shown.len() < ITEMS || is_new && shown.len() < ALL_ITEMS {
                        shown.push(item);
                    }
                }
                Json::Array(shown)
            }
            Json::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| (self.key(name), self.value(name, value)));
                Json::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    fn key(&mut self, name: &str) -> String {
        if harmless::is_field(name) && !self.named.contains_key(name) {
            return name.to_owned();
        }
        // All dates are shown as one, and two keys of an object must stay two
        if date(name).is_some_and(|date| date != name) {
            return format!("text-{}", self.number(Kind::Text, name));
        }
        self.text("", name)
    }

    fn text(&mut self, key: &str, text: &str) -> String {
        if let Some(placeholder) = self.named.get(text) {
            return (*placeholder).to_owned();
        }
        if text.is_empty()
            || is_placeholder(text)
            || harmless::is_own_name(text)
            || harmless::is_enum(key, text)
            || key == "code" && text.len() < 8 && text.bytes().all(|byte| byte.is_ascii_digit())
        {
            return text.to_owned();
        }
        if harmless::is_sentence(key) {
            return Self::sentence(text);
        }
        if let Some(date) = date(text) {
            return date;
        }
        if is_uuid(text) {
            return format!("{UUID}{:012}", self.number(Kind::Uuid, text));
        }
        if is_hex(text) {
            let number = self.number(Kind::Hex, text);
            return format!("{number:0>width$}", width = text.len());
        }
        match text.parse() {
            Ok(IpAddr::V4(_)) => {
                return format!("192.0.2.{}", self.number(Kind::Address, text) % 256);
            }
            Ok(IpAddr::V6(_)) => {
                return format!("2001:db8::{:x}", self.number(Kind::Address, text) % 0xffff);
            }
            Err(_) => {}
        }
        if let Some(scheme) = scheme(text) {
            let number = self.number(Kind::Host, text);
            return format!("{scheme}://host-{number}.example.com/{GAP}");
        }
        if text.contains('@') {
            return format!("person-{}@example.com", self.number(Kind::Person, text));
        }
        if is_host(text) {
            return format!("host-{}.example.com", self.number(Kind::Host, text));
        }
        format!("text-{}", self.number(Kind::Text, text))
    }

    /// Counted from 1, in the order in which values of a kind are met.
    fn number(&mut self, kind: Kind, text: &str) -> usize {
        let last = self.last.entry(kind).or_default();
        *self
            .numbers
            .entry((kind, text.to_owned()))
            .or_insert_with(|| {
                *last += 1;
                *last
            })
    }
}

/// The number itself where it counts something of the API's; elsewhere one of its kind and sign.
fn number_of(key: &str, number: &Number) -> Number {
    let value = number.as_f64().unwrap_or_default();
    if value == 0.0 || harmless::is_number(key, value) {
        return number.clone();
    }
    match (number.is_f64(), value < 0.0) {
        (true, negative) => {
            Number::from_f64(if negative { -0.5 } else { 0.5 }).expect("it is finite")
        }
        (false, true) => (-1).into(),
        (false, false) => 1.into(),
    }
}

fn is_placeholder(text: &str) -> bool {
    let is_number = |text: &str| {
        (1..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_host = |text: &str| {
        text.strip_prefix("host-")
            .and_then(|rest| rest.strip_suffix(".example.com"))
            .is_some_and(is_number)
    };
    let is_of = |start: &str, end: &str| {
        text.strip_prefix(start)
            .and_then(|rest| rest.strip_suffix(end))
            .is_some_and(is_number)
    };
    let is_url = scheme(text).is_some_and(|scheme| {
        text[scheme.len() + 3..]
            .strip_suffix("/…")
            .is_some_and(is_host)
    });
    let is_hex = is_hex(text)
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text[..text.len() - 6].bytes().all(|byte| byte == b'0');
    let is_uuid = text.strip_prefix(UUID).is_some_and(|rest| {
        rest.len() == 12 && rest.starts_with("000000") && is_number(&rest[6..])
    });
    let is_address = text
        .strip_prefix("192.0.2.")
        .or_else(|| text.strip_prefix("2001:db8::"))
        .is_some_and(|rest| rest.len() <= 4 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    NAMED.contains(&text)
        || is_of("text-", "")
        || is_of("person-", "@example.com")
        || is_host(text)
        || is_url
        || is_hex
        || is_uuid
        || is_address
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_hex(text: &str) -> bool {
    text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_host(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.*".contains(c);
    let last = text.rsplit('.').next().unwrap_or_default();
    text.contains('.') && text.chars().all(is_part) && last.chars().any(|c| c.is_ascii_alphabetic())
}

fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    ["http", "https", "ws", "wss"]
        .contains(&scheme)
        .then_some(scheme)
}

/// A date of RFC 3339 as the first moment of 2026, to the same precision.
fn date(text: &str) -> Option<String> {
    let digits = |text: &str, form: &str| {
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(|(is, form)| match form {
                b'0' => is.is_ascii_digit(),
                mark => is == mark,
            })
    };
    let (day, time) = match text.split_once('T') {
        None => (text, None),
        Some((day, time)) => (day, Some(time)),
    };
    if !digits(day, "0000-00-00") {
        return None;
    }
    let Some(time) = time else {
        return Some(DATE.to_owned());
    };
    let at = time.find(['Z', '+', '-'])?;
    let (time, zone) = time.split_at(at);
    let zone = match zone {
        "Z" => "Z",
        zone if digits(&zone[1..], "00:00") => "+00:00",
        _ => return None,
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let precise = fraction.len() <= 9 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(time, "00:00:00") || !precise {
        return None;
    }
    let fraction = match fraction.len() {
        0 => String::new(),
        length => format!(".{}", "0".repeat(length)),
    };
    Some(format!("{DATE}T00:00:00{fraction}{zone}"))
}
