//! Names and values as a manifest writes them: one type and one rule each.
//!
//! Each is checked while the TOML is read (`serde(try_from)`), so that a wrong one is reported with its line and a caret.
//! A message's first line says what is wrong; the lines after it say what to do.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use edge_broadcast_protocol::contract::head::{MAX_NAMES, RESERVED_KEYS};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The continents of Cloudflare's `cf.continent` (docs: Workers runtime APIs, Request, `IncomingRequestCfProperties`).
pub const CONTINENTS: [&str; 7] = ["AF", "AN", "AS", "EU", "NA", "OC", "SA"];

/// Cloudflare's location hints for Durable Objects (docs: Durable Objects, Data location).
pub const LOCATION_HINTS: [&str; 9] = [
    "wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me",
];

/// Cloudflare's jurisdictions for Durable Objects, each with the location hints within it (docs: Durable Objects, Data location). There
/// are `fedramp` and `fedramp-high` too, of accounts with a contract for that.
pub const JURISDICTIONS: [(&str, [&str; 2]); 2] =
    [("eu", ["weur", "eeur"]), ("us", ["wnam", "enam"])];

/// Types of names: whether a text is one, what it is called where it is none, and what to write then.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $is_one:expr, $what:literal, $help:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The text as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                let is_one: fn(&str) -> bool = $is_one;
                if is_one(&text) {
                    return Ok(Self(text));
                }
                let help: fn(&str) -> String = $help;
                Err(format!("`{text}` is not {}\n{}", $what, help(&text)))
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::try_from(text.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// The stem of the script names: `<worker>-<environment>` and `<worker>-<environment>-room`.
    WorkerName: is_dashed::<40>, "a valid worker name", |_| dashed(40);

    /// Whose the scripts are: the address of a repository without its scheme, or any other name that is one project's alone.
    Owner: is_owner, "a valid owner",
        |_| "write at most 63 lower-case letters, digits and `.`, `-`, `_`, `~`, `/`, like `github.com/glow/broadcast`".to_owned();

    /// An environment: the file name of its manifest without `.toml`.
    EnvironmentName: is_dashed::<20>, "a valid environment name", |_| dashed(20);

    /// A region of the broadcast system: `us`, `eu`, `asia`.
    RegionName: is_dashed::<20>, "a valid region name", |_| dashed(20);

    /// A host name, or the name of a zone: lower case, at least two labels.
    Host: is_host, "a host name", host_help;

    /// A Cloudflare account id (dashboard: Workers & Pages, Account details).
    AccountId: is_account_id, "a Cloudflare account id",
        |_| "it has 32 hexadecimal digits: see Account details on the Workers page of the dashboard, or leave it out and set `CLOUDFLARE_ACCOUNT_ID`".to_owned();

    /// A Workers compatibility date.
    CompatibilityDate: is_date, "a date",
        |_| "write year, month and day in quotes, like `\"2026-10-01\"`".to_owned();

    /// An origin as a browser's `Origin` header gives it, or with a leading `*.` for every subdomain.
    Origin: is_origin, "an origin", origin_help;

    /// A location hint of Durable Objects.
    LocationHint: |text| LOCATION_HINTS.contains(&text), "a location hint", |_| one_of(&LOCATION_HINTS);

    /// A jurisdiction of Durable Objects.
    Jurisdiction: |text| JURISDICTIONS.iter().any(|(name, _)| *name == text), "a jurisdiction",
        |_| one_of(&JURISDICTIONS.map(|(name, _)| name));

    /// A continent code.
    Continent: |text| CONTINENTS.contains(&text), "a continent", |_| one_of(&CONTINENTS);

    /// The name of a secret binding.
    SecretName: |text| is_spelt(text, 64, |c| c.is_ascii_uppercase(), '_'), "a secret name",
        |_| "use upper-case letters, digits and underscores, like `WEBHOOK_SECRET`".to_owned();

    /// The name of a header that a manifest adds to requests (RFC 9110, 5.6.2: a token).
    HeaderName: is_addable, "a header that a manifest can add", header_help;

    /// An Analytics Engine data set: used as a table name in its SQL.
    Dataset: |text| is_spelt(text, 64, |c| c.is_ascii_lowercase(), '_'), "a data set name",
        |_| "use lower-case letters, digits and underscores, like `edge_broadcast`".to_owned();

    /// A name or stage of an SST app.
    SstName: is_dashed::<40>, "a valid SST name", |_| dashed(40);
}

/// Headers that HTTP, a WebSocket's handshake, or this tool writes itself, and what would change who answers.
const RESERVED_HEADERS: [&str; 17] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "origin",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];
/// What such headers begin with.
const RESERVED_PREFIXES: [&str; 4] = [
    "cloudflare-workers-",
    "sec-websocket-",
    "webhook-",
    "x-edge-",
];

fn is_header(text: &str) -> bool {
    text.len() <= 128 && reqwest::header::HeaderName::try_from(text).is_ok()
}

fn is_reserved_header(text: &str) -> bool {
    let name = text.to_ascii_lowercase();
    RESERVED_HEADERS.contains(&name.as_str())
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

fn is_addable(text: &str) -> bool {
    is_header(text) && !is_reserved_header(text)
}

fn header_help(text: &str) -> String {
    match is_reserved_header(text) {
        true => "the tool or HTTP itself writes it: remove it",
        false => {
            "write at most 128 letters, digits and dashes, without a colon, like `CF-Access-Client-Id`"
        }
    }
    .to_owned()
}

/// Whether a text of at most `most` characters begins with a `letter`, and has nothing but those, digits and `joint`.
fn is_spelt(text: &str, most: usize, letter: fn(char) -> bool, joint: char) -> bool {
    let is_known = |c: char| letter(c) || c.is_ascii_digit() || c == joint;
    text.len() <= most && text.starts_with(letter) && text.chars().all(is_known)
}

fn is_dashed<const MOST: usize>(text: &str) -> bool {
    is_spelt(text, MOST, |c| c.is_ascii_lowercase(), '-') && !text.ends_with('-')
}

fn dashed(most: usize) -> String {
    format!(
        "use at most {most} lower-case letters, digits and dashes, beginning with a letter, like `glow-broadcast`"
    )
}

/// What to write for a text that is no host: where it has letters of other alphabets, or a scheme or a path around it, what DNS calls it.
fn host_help(text: &str) -> String {
    match in_dns(text) {
        Some(host) if is_host(&host) => format!("write `{host}`"),
        _ => "write it in lower case without scheme, port or path, like `broadcast.glow.trade`"
            .to_owned(),
    }
}

/// The same for an origin.
fn origin_help(text: &str) -> String {
    let scheme = ["http", "https"].into_iter().find(|scheme| {
        text.strip_prefix(scheme)
            .is_some_and(|rest| rest.starts_with("://"))
    });
    let address = reqwest::Url::parse(text).ok();
    let origin = address.map(|address| address.origin().ascii_serialization());
    match (scheme, origin) {
        (Some(_), Some(origin)) if is_origin(&origin) => format!("write `{origin}`, as a browser sends it"),
        _ => "write scheme, host and port as a browser sends them, without a path, like `https://app.glow.trade`, `http://localhost:3000` or `https://*.glow.trade`".to_owned(),
    }
}

/// The host of `text`, which may have a scheme or be one, as DNS writes it: with `xn--` before a label of other letters than ASCII's.
fn in_dns(text: &str) -> Option<String> {
    let address = match text.contains("://") {
        true => text.to_owned(),
        false => format!("https://{text}"),
    };
    reqwest::Url::parse(&address)
        .ok()?
        .host_str()
        .map(str::to_owned)
}

fn one_of(known: &[&str]) -> String {
    format!("use one of `{}`", known.join("`, `"))
}

/// As long as a script name, which wrangler puts into a tag too; of Cloudflare's tags is documented no length, but that there are eight
/// of a script at most, without `,` and `&` (docs: Workers for Platforms, Limits, "Tags").
fn is_owner(text: &str) -> bool {
    let letter =
        |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b'/');
    (1..=63).contains(&text.len()) && text.bytes().all(letter)
}

fn is_host(text: &str) -> bool {
    let is_known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(is_known)
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

fn is_account_id(text: &str) -> bool {
    text.len() == 32 && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

fn is_date(text: &str) -> bool {
    let parsed = text.parse::<toml_edit::Datetime>();
    parsed.is_ok_and(|parsed| parsed.date.is_some() && parsed.time.is_none())
}

fn is_origin(text: &str) -> bool {
    let Some(rest) = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
    else {
        return false;
    };
    let (name, port) = match rest.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (rest, None),
    };
    let is_port = |port: &str| {
        port.parse::<u16>()
            .is_ok_and(|number| number > 0 && number.to_string() == port)
    };
    (name == "localhost" || is_host(name.strip_prefix("*.").unwrap_or(name)))
        && port.is_none_or(is_port)
}

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub struct Whole<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Whole<MIN, MAX> {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32> TryFrom<i64> for Whole<MIN, MAX> {
    type Error = String;
    fn try_from(number: i64) -> Result<Self, String> {
        u32::try_from(number)
            .ok()
            .filter(|number| (MIN..=MAX).contains(number))
            .map(Self)
            .ok_or_else(|| {
                format!("{number} is out of range\nuse a whole number from {MIN} to {MAX}")
            })
    }
}

/// A number from `MIN` to `MAX`, which may have a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Decimal<const MIN: u32, const MAX: u32>(f64);

impl<const MIN: u32, const MAX: u32> Decimal<MIN, MAX> {
    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32> TryFrom<f64> for Decimal<MIN, MAX> {
    type Error = String;
    fn try_from(number: f64) -> Result<Self, String> {
        match (f64::from(MIN)..=f64::from(MAX)).contains(&number) {
            true => Ok(Self(number)),
            false => Err(format!(
                "{number} is out of range\nuse a number from {MIN} to {MAX}"
            )),
        }
    }
}

/// The shares of the traffic that a new version gets one after the other, in percent: growing, and the last is 100.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<i64>")]
pub struct Stages(Vec<u8>);

impl Stages {
    /// Everything at once.
    pub fn at_once() -> Self {
        Self(vec![100])
    }

    /// In three steps.
    pub(crate) fn usual() -> Self {
        Self(vec![5, 25, 100])
    }

    /// The shares.
    pub fn get(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<Vec<i64>> for Stages {
    type Error = String;
    fn try_from(stages: Vec<i64>) -> Result<Self, String> {
        let shares: Option<Vec<u8>> = stages.iter().map(|it| u8::try_from(*it).ok()).collect();
        let is_good = |shares: &Vec<u8>| {
            shares.first().is_some_and(|first| *first > 0)
                && shares.is_sorted_by(|a, b| a < b)
                && shares.last() == Some(&100)
        };
        shares.filter(is_good).map(Self).ok_or_else(|| {
            format!(
                "{stages:?} is no way to 100 %\nwrite growing percentages that end with 100, like `[5, 25, 100]`"
            )
        })
    }
}

/// `5,25,100`
impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let stages: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&stages.join(","))
    }
}

impl FromStr for Stages {
    type Err = String;

    /// As it is shown.
    fn from_str(text: &str) -> Result<Self, String> {
        let stages: Option<Vec<i64>> = text
            .split(',')
            .map(|stage| stage.trim().parse().ok())
            .collect();
        stages
            .and_then(|stages| Self::try_from(stages).ok())
            .ok_or_else(|| {
                "write growing percentages that end with 100, like `5,25,100`".to_owned()
            })
    }
}

/// One to four different names of an update's members.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct MemberNames(Vec<String>);

impl MemberNames {
    /// The names as written, in their order.
    pub fn get(&self) -> &[String] {
        &self.0
    }
}

impl TryFrom<Vec<String>> for MemberNames {
    type Error = String;
    fn try_from(names: Vec<String>) -> Result<Self, String> {
        if names.is_empty() || names.len() > MAX_NAMES {
            return Err(format!(
                "{} names are out of range\nname 1 to {MAX_NAMES} members of an update, like `[\"type\", \"pool\"]`",
                names.len()
            ));
        }
        for (at, name) in names.iter().enumerate() {
            if name.is_empty() || name.len() > 64 {
                return Err(format!(
                    "`{name}` is not the name of an update's member\nuse 1 to 64 bytes, like `pool`"
                ));
            }
            if RESERVED_KEYS.contains(&name.as_str()) {
                return Err(format!(
                    "`{name}` is the room's own: no published update has it\nname a member that publishers set"
                ));
            }
            if names[..at].contains(name) {
                return Err(format!("`{name}` is named twice\nremove one of the two"));
            }
        }
        Ok(Self(names))
    }
}

/// A span of time written like `10ms`, `90s`, `90d`, from `MIN` to `MAX` milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span<const MIN: u64, const MAX: u64>(Duration);

impl<const MIN: u64, const MAX: u64> Span<MIN, MAX> {
    /// The span.
    pub fn get(self) -> Duration {
        self.0
    }
}

// By hand, so that a number without a unit is told what it lacks, and not only its quotes
impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Span<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<const MIN: u64, const MAX: u64>;

        impl<const MIN: u64, const MAX: u64> Visitor<'_> for Text<MIN, MAX> {
            type Value = Span<MIN, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a span of time")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Span::try_from(text.to_owned()).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

impl<const MIN: u64, const MAX: u64> TryFrom<String> for Span<MIN, MAX> {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let span = match text.as_str() {
            "0" => Duration::ZERO,
            _ => humantime::parse_duration(&text).map_err(|error| {
                format!("`{text}` is not a span of time: {error}\nwrite a number and a unit, like `10ms`, `90s` or `90d`")
            })?,
        };
        let (least, most) = (Duration::from_millis(MIN), Duration::from_millis(MAX));
        if (least..=most).contains(&span) {
            return Ok(Self(span));
        }
        Err(format!(
            "`{text}` is out of range\nuse a span of time from {} to {}",
            humantime::format_duration(least),
            humantime::format_duration(most)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_grows_and_ends_with_everything() {
        let stages: Stages = "5,25,100".parse().unwrap();
        assert_eq!(
            (stages.get(), &*stages.to_string()),
            (&[5, 25, 100][..], "5,25,100")
        );
        assert_eq!("100".parse(), Ok(Stages::at_once()));
        for text in [
            "", "5", "0,100", "25,5,100", "5,5,100", "5,101", "5 %,100", "100,100",
        ] {
            assert!(text.parse::<Stages>().is_err(), "{text}");
        }
    }

    #[track_caller]
    fn table<T: FromStr>(good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(text.parse::<T>().is_ok(), "`{text}` should be accepted");
        }
        for text in bad {
            assert!(text.parse::<T>().is_err(), "`{text}` should be refused");
        }
    }

    #[test]
    fn worker_names_are_lower_case_letters_digits_and_dashes() {
        table::<WorkerName>(
            &["a", "glow-broadcast", "w2"],
            &[
                "",
                "Glow",
                "2w",
                "-a",
                "a-",
                "a_b",
                "a b",
                "ä",
                &"a".repeat(41),
            ],
        );
    }

    #[test]
    fn hosts_have_two_lower_case_labels_and_nothing_around_them() {
        table::<Host>(
            &["glow.trade", "broadcast-us.glow.trade", "1.2.3.example"],
            &[
                "",
                "localhost",
                "Glow.trade",
                "glow.trade.",
                ".glow.trade",
                "a..b",
                "-a.b",
                "a-.b",
                "https://glow.trade",
                "glow.trade/x",
                "glow.trade:80",
                "*.glow.trade",
                "a b.c",
                "gl\"ow.trade",
                &format!("{}.b", "a".repeat(64)),
            ],
        );
    }

    #[test]
    fn account_ids_have_thirty_two_hexadecimal_digits() {
        table::<AccountId>(
            &["0123456789abcdef0123456789abcdef"],
            &[
                "",
                "0123",
                "0123456789ABCDEF0123456789ABCDEF",
                "g123456789abcdef0123456789abcdef",
            ],
        );
    }

    #[test]
    fn compatibility_dates_are_real_days() {
        table::<CompatibilityDate>(
            &["2026-10-01", "2024-02-29"],
            &[
                "",
                "2026-13-01",
                "2026-02-29",
                "2026-1-1",
                "2026/10/01",
                "2026-10-00",
                "+026-10-01",
            ],
        );
    }

    #[test]
    fn origins_have_a_scheme_a_host_and_no_path() {
        table::<Origin>(
            &[
                "https://app.glow.trade",
                "http://localhost:3000",
                "https://*.glow.trade",
            ],
            &[
                "",
                "*",
                "app.glow.trade",
                "https://",
                "https://app.glow.trade/",
                "ws://a.b",
                "https://app.glow.trade:0",
                "https://app.glow.trade:070",
                "https://*",
                "https://a.*.trade",
                "https://app.glow.trade,https://x.y",
            ],
        );
    }

    #[test]
    fn secret_names_are_those_of_environment_variables() {
        table::<SecretName>(
            &["WEBHOOK_SECRET", "A1"],
            &["", "webhook", "1A", "A-B", "_A"],
        );
    }

    #[test]
    fn a_header_that_something_else_writes_cannot_be_added() {
        table::<HeaderName>(
            &["CF-Access-Client-Id", "cookie", "x_1", "X-Skip.Waf~1"],
            &[
                "",
                "CF-Access-Client-Id:",
                "a b",
                "Ä",
                "a\nb",
                "Host",
                "AUTHORIZATION",
                "Connection",
                "Upgrade",
                "Origin",
                "Content-Type",
                "content-length",
                "Webhook-Signature",
                "Sec-WebSocket-Protocol",
                "Cloudflare-Workers-Version-Overrides",
                "x-edge-call",
            ],
        );
        let reserved = HeaderName::try_from("Host".to_owned());
        assert_eq!(
            reserved.unwrap_err(),
            "`Host` is not a header that a manifest can add\nthe tool or HTTP itself writes it: remove it"
        );
    }

    #[test]
    fn a_number_out_of_range_says_the_range() {
        assert_eq!(
            Whole::<1, 32_768>::try_from(40_000).unwrap_err(),
            "40000 is out of range\nuse a whole number from 1 to 32768"
        );
        assert!(Whole::<1, 32_768>::try_from(-1).is_err());
        assert_eq!(Whole::<1, 32_768>::try_from(1).unwrap().get(), 1);
    }

    #[test]
    fn a_key_is_one_to_four_different_members() {
        let names = |names: &[&str]| {
            MemberNames::try_from(names.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(names(&["type", "pool"]).unwrap().get(), ["type", "pool"]);
        assert!(names(&["a", "b", "c", "the fourth"]).is_ok());
        for (bad, what) in [
            (&[][..], "0 names are out of range"),
            (&["a", "b", "c", "d", "e"], "5 names are out of range"),
            (&["a", "b", "a"], "`a` is named twice"),
            (&[""], "`` is not the name of an update's member"),
            (
                &["seq"],
                "`seq` is the room's own: no published update has it",
            ),
        ] {
            let problem = names(bad).unwrap_err();
            assert_eq!(problem.lines().next(), Some(what), "{bad:?}");
        }
    }

    #[test]
    fn a_span_of_time_has_a_unit_and_a_range() {
        let span = |text: &str| Span::<0, 10_000>::try_from(text.to_owned());
        assert_eq!(span("10ms").unwrap().get(), Duration::from_millis(10));
        assert_eq!(span("0").unwrap().get(), Duration::ZERO);
        assert_eq!(
            span("1m").unwrap_err(),
            "`1m` is out of range\nuse a span of time from 0s to 10s"
        );
        assert!(
            span("10")
                .unwrap_err()
                .starts_with("`10` is not a span of time")
        );
    }
}
