//! The members of a published object that gateway and room act on. Both read them: the gateway refuses early, and the room
//! decides by them; of everything else that is published, subscribers get the bytes as they came.

use super::refusal::{self, Refusal};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::fmt;

/// Most items of one request, in `POST /broadcast` as in a published `BATCH_UPDATE`.
pub const MAX_ITEMS: usize = 100;
/// The longest conflation key that is kept as it is: of a longer one, its hash.
pub const MAX_KEY_BYTES: usize = 96;
/// The type of a frame, and of a publish, that carries several updates.
pub const BATCH: &str = "BATCH_UPDATE";
/// The other types that the system itself sends or is sent: clients could not tell an update of such a type from them.
pub const RESERVED_TYPES: [&str; 4] = ["connected", "ping", "pong", "ack"];
/// The members that the room adds to each update.
pub const RESERVED_KEYS: [&str; 2] = ["seq", "epoch"];

/// The members of a published object that are not only for subscribers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head<'body> {
    /// `type`
    pub kind: Option<String>,
    pub token: Option<String>,
    /// The publisher's own clock (Solana's slot): a lower one than the room's is stale.
    pub slot: Option<u64>,
    /// Delivers even a stale update.
    pub force: Option<bool>,
    /// What conflation and the latest values go by: equal for updates that are newer and older values of the same thing.
    /// Empty for an update that has none of the members that were asked for.
    pub key: String,
    /// Of a `BATCH_UPDATE`, its 1 to [`MAX_ITEMS`] updates; otherwise none.
    pub updates: Vec<Item<'body>>,
}

/// One update of a published batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'body> {
    pub head: Head<'body>,
    /// The object as it came.
    pub body: &'body str,
}

/// Reads the head of one published object, or of a batch and each of its updates.
///
/// # Errors
/// 400 for what is not one JSON object, has a `type`, `token`, `slot` or `force` of another kind, or uses a type or a
/// member that is the system's own; and for a `BATCH_UPDATE` of which that is true of an item, or that has not 1 to 100.
pub fn read(body: &str) -> Result<Head<'_>, Refusal> {
    read_keyed(body, &[])
}

/// Reads the head of a published object with the key that the members `names`, at most [`MAX_NAMES`], make.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_keyed<'body>(
    body: &'body str,
    names: &[String],
) -> Result<Head<'body>, Refusal> {
    let members = Members::of(body, names)?;
    let mut head = members.head()?;
    if head.kind.as_deref() == Some(BATCH) {
        let items = members.found[UPDATES].ok_or(refusal::RESERVED_TYPE)?;
        let items: Vec<&RawValue> =
            serde_json::from_str(items.get()).map_err(|_| refusal::RESERVED_TYPE)?;
        if items.is_empty() || items.len() > MAX_ITEMS {
            return Err(refusal::INVALID_COUNT);
        }
        let items = items.into_iter().map(RawValue::get);
        head.updates = items
            .map(|body| item(body, names))
            .collect::<Result<_, _>>()?;
    }
    Ok(head)
}

fn item<'body>(body: &'body str, names: &[String]) -> Result<Item<'body>, Refusal> {
    let head = Members::of(body, names)?.head()?;
    if head.kind.as_deref() == Some(BATCH) {
        return Err(refusal::RESERVED_TYPE);
    }
    Ok(Item { head, body })
}

/// Checks that an update, or each of a batch, is for the room it was sent to: a signature covers the body, not the path.
///
/// # Errors
/// 400 when the body names another token.
pub fn check_token(head: &Head, token: &str) -> Result<(), Refusal> {
    if head.token.as_deref().is_some_and(|named| named != token) {
        return Err(refusal::TOKEN_MISMATCH);
    }
    let mut items = head.updates.iter();
    items.try_for_each(|item| check_token(&item.head, token))
}

/// Most members that make a key.
pub const MAX_NAMES: usize = 4;
/// Members that mean something; the first four may be there only once, of the others the last counts, as it does for
/// readers in JavaScript.
const MEMBERS: [&str; 7] = ["type", "token", "slot", "force", "updates", "seq", "epoch"];
const ONCE: usize = 4;
const UPDATES: usize = 4;

/// The values of [`MEMBERS`] and, after them, of the members that make the key.
struct Members<'names, 'body> {
    names: &'names [String],
    found: [Option<&'body RawValue>; MEMBERS.len() + MAX_NAMES],
}

impl<'names, 'body> Members<'names, 'body> {
    /// Finds the members in one pass over the object, of whose other values only the form is checked.
    fn of(body: &'body str, names: &'names [String]) -> Result<Self, Refusal> {
        if !body.trim_start_matches(JSON_SPACE).starts_with('{') {
            return Err(refusal::NOT_AN_OBJECT);
        }
        let mut members = Self {
            names,
            found: [None; _],
        };
        let mut json = serde_json::Deserializer::from_str(body);
        let read = json
            .deserialize_map(&mut members)
            .and_then(|once| json.end().map(|()| once));
        match read {
            Ok(true) => Ok(members),
            Ok(false) => Err(refusal::INVALID_UPDATE),
            Err(_) => Err(refusal::NOT_AN_OBJECT),
        }
    }

    fn head<'text>(&self) -> Result<Head<'text>, Refusal> {
        let [kind, token, slot, force, _, seq, epoch, ..] = self.found;
        if seq.or(epoch).is_some() {
            return Err(refusal::RESERVED_KEY);
        }
        let kind = string(kind)?;
        if kind
            .as_deref()
            .is_some_and(|kind| RESERVED_TYPES.contains(&kind))
        {
            return Err(refusal::RESERVED_TYPE);
        }
        let slot = text(slot).map(str::parse).transpose();
        let force = text(force).map(str::parse).transpose();
        Ok(Head {
            key: self.key(kind.as_deref()),
            kind,
            token: string(token)?,
            slot: slot.map_err(|_| refusal::INVALID_UPDATE)?,
            force: force.map_err(|_| refusal::INVALID_UPDATE)?,
            updates: Vec::new(),
        })
    }

    /// The key: of `type` alone, the type; of others their values as JSON in the order of their names, between commas.
    fn key(&self, kind: Option<&str>) -> String {
        let key = match self.names {
            [only] if only == MEMBERS[0] => kind.unwrap_or_default().to_owned(),
            names => {
                let values = names.iter().enumerate().map(|(at, name)| {
                    let known = MEMBERS.iter().position(|member| member == name);
                    let value = self.found[known.unwrap_or(MEMBERS.len() + at)];
                    text(value).map(same)
                });
                let values: Vec<Option<String>> = values.collect();
                if values.iter().all(Option::is_none) {
                    return String::new();
                }
                let values: Vec<String> =
                    values.into_iter().map(Option::unwrap_or_default).collect();
                values.join(",")
            }
        };
        if key.len() <= MAX_KEY_BYTES {
            return key;
        }
        let digest = Sha256::digest(key);
        let words = digest.chunks(8).take(2);
        words.fold("#".to_owned(), |hash, word| {
            let word = word
                .iter()
                .fold(0, |word, byte| word << 8 | u64::from(*byte));
            format!("{hash}{word:016x}")
        })
    }
}

/// The text of a value that is there; null counts as absent.
fn text(value: Option<&RawValue>) -> Option<&str> {
    value.map(RawValue::get).filter(|text| *text != "null")
}

fn string(value: Option<&RawValue>) -> Result<Option<String>, Refusal> {
    let string = text(value).map(serde_json::from_str).transpose();
    string.map_err(|_| refusal::INVALID_UPDATE)
}

/// A value as JSON, a string always in the same spelling.
fn same(value: &str) -> String {
    if value.starts_with('"') && value.contains('\\') {
        let string = serde_json::from_str::<String>(value);
        if let Some(same) = string
            .ok()
            .and_then(|text| serde_json::to_string(&text).ok())
        {
            return same;
        }
    }
    value.to_owned()
}

/// Whether none of the members that may be there only once is there twice.
impl<'body> Visitor<'body> for &mut Members<'_, 'body> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'body>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut once = true;
        while let Some(place) = map.next_key_seed(Name(self.names))? {
            let value = map.next_value()?;
            if let Some(place) = place {
                once &= place >= ONCE || self.found[place].is_none();
                self.found[place] = Some(value);
            }
        }
        Ok(once)
    }
}

/// Where a member's value goes, by its name.
struct Name<'names>(&'names [String]);

impl<'body> DeserializeSeed<'body> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'body>>(self, json: D) -> Result<Option<usize>, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Option<usize>, E> {
        let known = MEMBERS.iter().position(|member| *member == name);
        Ok(known.or_else(|| {
            let place = self
                .0
                .iter()
                .take(MAX_NAMES)
                .position(|named| named == name);
            place.map(|at| MEMBERS.len() + at)
        }))
    }
}

/// The white space that JSON allows around a value (RFC 8259, section 2).
pub(crate) const JSON_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_one_json_object_is_an_update() {
        for body in [
            "", "null", "[]", "[1,2]", "\"a\"", "{", "{}{}", "{\"a\":}", "{'a':1}",
        ] {
            assert_eq!(read(body).unwrap_err().code, "invalid_json", "{body}");
        }
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&deep), Ok(Head::default()));
    }

    #[test]
    fn the_members_that_mean_something_must_have_their_kind() {
        for body in [
            r#"{"slot":"12"}"#,
            r#"{"slot":-1}"#,
            r#"{"slot":1.5}"#,
            r#"{"type":7}"#,
            r#"{"force":"yes"}"#,
            r#"{"slot":1,"slot":2}"#,
        ] {
            assert_eq!(read(body).unwrap_err().code, "invalid_update", "{body}");
        }
        let known = read(r#"{"type":"A","token":"SOL","slot":12,"force":true,"x":[{}]}"#).unwrap();
        assert_eq!(known.kind.as_deref(), Some("A"));
        assert_eq!((known.slot, known.force), (Some(12), Some(true)));
        assert!(check_token(&known, "SOL").is_ok());
        assert_eq!(
            check_token(&known, "BONK").unwrap_err().code,
            "token_mismatch"
        );
    }

    fn code(body: &str) -> &'static str {
        read(body).map_or_else(|refusal| refusal.code, |_| "")
    }

    #[test]
    fn nothing_that_the_system_sends_itself_can_be_published() {
        for kind in RESERVED_TYPES {
            for body in [
                format!(r#"{{"type":"{kind}"}}"#),
                format!(r#"{{"type":"\u{:04x}{}"}}"#, kind.as_bytes()[0], &kind[1..]),
                format!(r#"{{"type":"BATCH_UPDATE","updates":[{{}},{{"type":"{kind}"}}]}}"#),
            ] {
                assert_eq!(code(&body), "reserved_type", "{body}");
            }
        }
        for key in RESERVED_KEYS {
            for body in [
                format!(r#"{{"{key}":1}}"#),
                format!(r#"{{"a":1,"{key}":null}}"#),
                format!(r#"{{"\u{:04x}{}":"x"}}"#, key.as_bytes()[0], &key[1..]),
                format!(r#"{{"type":"BATCH_UPDATE","{key}":1,"updates":[{{}}]}}"#),
                format!(r#"{{"type":"BATCH_UPDATE","updates":[{{"{key}":1}}]}}"#),
            ] {
                assert_eq!(code(&body), "reserved_key", "{body}");
            }
        }
        // A spelling of its own, or a place further in, is the publisher's own
        for body in [
            r#"{"type":"Ping","SEQ":1}"#,
            r#"{"type":"PING","data":{"seq":1,"type":"ping"}}"#,
            r#"{"types":"ping","updates":[1]}"#,
        ] {
            assert_eq!(code(body), "", "{body}");
        }
    }

    #[test]
    fn a_batch_update_is_a_batch_of_one_to_a_hundred_objects() {
        let body = r#"{"type":"BATCH_UPDATE","slot":7,"updates":[ {"type":"A","slot":1} ,{}]}"#;
        let head = read(body).unwrap();
        assert_eq!((head.slot, head.updates.len()), (Some(7), 2));
        let Item { head, body } = &head.updates[0];
        assert_eq!(*body, r#"{"type":"A","slot":1}"#);
        assert_eq!((head.kind.as_deref(), head.slot), (Some("A"), Some(1)));
        let many = |count: usize| {
            let items = vec!["{}"; count].join(",");
            format!(r#"{{"type":"BATCH_UPDATE","updates":[{items}]}}"#)
        };
        assert_eq!(read(&many(MAX_ITEMS)).unwrap().updates.len(), MAX_ITEMS);
        for (body, refused) in [
            (many(0), "invalid_count"),
            (many(MAX_ITEMS + 1), "invalid_count"),
            (r#"{"type":"BATCH_UPDATE"}"#.to_owned(), "reserved_type"),
            (
                r#"{"type":"BATCH_UPDATE","updates":{}}"#.to_owned(),
                "reserved_type",
            ),
            (
                r#"{"type":"BATCH_UPDATE","updates":null}"#.to_owned(),
                "reserved_type",
            ),
            (
                r#"{"type":"BATCH_UPDATE","updates":[1]}"#.to_owned(),
                "invalid_json",
            ),
            (
                r#"{"type":"BATCH_UPDATE","updates":[{"slot":-1}]}"#.to_owned(),
                "invalid_update",
            ),
            (
                r#"{"type":"BATCH_UPDATE","updates":[{"type":"BATCH_UPDATE","updates":[{}]}]}"#
                    .to_owned(),
                "reserved_type",
            ),
        ] {
            assert_eq!(code(&body), refused, "{body:.80}");
        }
    }

    #[test]
    fn every_item_of_a_batch_is_for_the_room_it_was_sent_to() {
        let body = r#"{"type":"BATCH_UPDATE","updates":[{"token":"SOL"},{"token":"BONK"},{}]}"#;
        let head = read(body).unwrap();
        assert_eq!(
            check_token(&head, "SOL").unwrap_err().code,
            "token_mismatch"
        );
        let body = r#"{"type":"BATCH_UPDATE","token":"SOL","updates":[{"token":"SOL"},{}]}"#;
        assert_eq!(check_token(&read(body).unwrap(), "SOL"), Ok(()));
    }

    fn key(body: &str, names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        read_keyed(body, &names).unwrap().key
    }

    #[test]
    fn the_key_of_an_update_is_made_of_the_named_members() {
        let body = r#"{"pool":"a\u0062\/","type":"A","n":1.50,"o":{"x":[1, 2]}}"#;
        for (names, expected) in [
            (&["type"][..], "A"),
            (&["pool"], r#""ab/""#),
            (&["type", "pool"], r#""A","ab/""#),
            (&["n", "none", "o", "type"], r#"1.50,,{"x":[1, 2]},"A""#),
            (&["none"], ""),
            (&["none", "other"], ""),
            (&["none", "type"], r#","A""#),
            (&[], ""),
        ] {
            assert_eq!(key(body, names), expected, "{names:?}");
        }
        assert_eq!(key(r#"{"type":null,"pool":null}"#, &["type"]), "");
        assert_eq!(key(r#"{"type":null,"pool":null}"#, &["type", "pool"]), "");
        assert_eq!(key(r#"{"pool":1,"pool":2}"#, &["pool"]), "2");
        let items = r#"{"type":"BATCH_UPDATE","updates":[{"pool":1},{"pool":2}]}"#;
        let head = read_keyed(items, &["pool".to_owned()]).unwrap();
        let keys: Vec<&str> = head
            .updates
            .iter()
            .map(|item| item.head.key.as_str())
            .collect();
        assert_eq!(keys, ["1", "2"]);
    }

    #[test]
    fn a_long_key_is_its_hash() {
        let body = |length: usize, last: &str| format!(r#"{{"a":"{}{last}"}}"#, "x".repeat(length));
        assert_eq!(key(&body(93, "1"), &["a"]).len(), MAX_KEY_BYTES);
        let hashed = key(&body(94, "1"), &["a"]);
        let text = format!("\"{}1\"", "x".repeat(94));
        let digest = Sha256::digest(text);
        let hex: String = digest[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hashed, format!("#{hex}"));
        assert_ne!(hashed, key(&body(94, "2"), &["a"]));
    }

    proptest! {
        #[test]
        fn no_body_panics(body in ".*") {
            let _ = read(&body);
        }

        /// Whatever the values are, two updates have equal keys only where the named members are equal.
        #[test]
        fn keys_are_equal_where_the_members_are(
            one in proptest::collection::vec(proptest::option::of("[a\\\\\",#1]{0,3}"), 3),
            other in proptest::collection::vec(proptest::option::of("[a\\\\\",#1]{0,3}"), 3),
            numbers in any::<bool>(),
        ) {
            let names = ["type", "pool", "n"];
            let object = |values: &[Option<String>]| {
                let members = names.iter().zip(values).filter_map(|(name, value)| {
                    let value = value.as_ref()?;
                    let value = match value.parse::<u32>() {
                        Ok(number) if numbers && *name != "type" => number.into(),
                        _ => serde_json::Value::from(value.as_str()),
                    };
                    Some(((*name).to_owned(), value))
                });
                serde_json::Value::Object(members.collect())
            };
            let (one, other) = (object(&one), object(&other));
            let keys = [&one, &other].map(|object| key(&object.to_string(), &names));
            prop_assert_eq!(keys[0] == keys[1], one == other);
        }
    }
}
