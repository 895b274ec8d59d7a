//! A sender as a manifest writes it: `"sst"`, or a table such as `{ kind = "sst", command = "npx sst secret load /dev/stdin" }`.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, de};

/// Where a new value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The SST secret that the publisher's functions are linked to.
    Sst,
    /// Any program.
    Command,
    /// A JSON or dotenv file that only its owner may read.
    File,
    /// The secret of a GitHub Actions environment.
    Github,
    /// A SecureString of AWS Systems Manager's Parameter Store.
    AwsSsm,
}

/// One entry of `senders`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Entry {
    pub kind: Kind,
    /// Replaces the kind's own command line; what the program reads stays the same.
    pub command: Option<Line>,
    /// `file`: where.
    pub path: Option<String>,
    /// The key in the file, the name of the GitHub secret, or the name of the parameter.
    pub name: Option<String>,
}

/// A command line, split into words as a shell would.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Line(pub Vec<String>);

impl TryFrom<String> for Line {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match shell_words::split(&text) {
            Ok(words) if !words.is_empty() => Ok(Self(words)),
            Ok(_) => Err("the command is empty\nname a program that reads the new value from its standard input".to_owned()),
            Err(_) => Err(format!("`{text}` has a quote that is not closed\nthe command is split into words as a shell would, and no shell runs it")),
        }
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindOrTable)
    }
}

struct KindOrTable;

impl<'de> Visitor<'de> for KindOrTable {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the kind of a sender, or a table with its `kind`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Entry, E> {
        let kind = Kind::deserialize(de::value::StrDeserializer::<E>::new(text))?;
        let entry = Entry {
            kind,
            command: None,
            path: None,
            name: None,
        };
        entry.complete().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
        // The derived one, which reads a table: that is what `remote` is for
        let entry = Entry::deserialize(MapAccessDeserializer::new(map))?;
        entry.complete().map_err(de::Error::custom)
    }
}

impl Entry {
    /// The entry, if it has what its kind needs.
    fn complete(self) -> Result<Self, String> {
        match (self.kind, &self.command, &self.path) {
        (Kind::Command, None, _) => Err("a sender of the kind `command` has no `command`\nwrite `{ kind = \"command\", command = \"program argument …\" }`; it gets the new value on its standard input".to_owned()),
        (Kind::File, _, None) => Err("a sender of the kind `file` has no `path`\nwrite `{ kind = \"file\", path = \"secrets.env\" }`".to_owned()),
        (Kind::File, Some(_), _) => Err("a sender of the kind `file` runs no `command`\nuse `{ kind = \"command\", command = \"…\" }` for a program".to_owned()),
        (Kind::Sst | Kind::Command | Kind::Github | Kind::AwsSsm, _, Some(_)) => Err("only a sender of the kind `file` has a `path`\nremove `path`, or use `kind = \"file\"`".to_owned()),
        _ => Ok(self),
    }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Entry>, String> {
        #[derive(Deserialize)]
        struct All {
            senders: Vec<Entry>,
        }
        toml_edit::de::from_str(&format!("senders = [{text}]"))
            .map(|all: All| all.senders)
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_sender_is_its_kind_or_a_table() {
        let senders = read(r#""sst", { kind = "command", command = "sh -c 'cat > x'" }, { kind = "file", path = "a.env" }"#).unwrap();
        assert_eq!(senders[0].kind, Kind::Sst);
        assert_eq!(
            senders[1].command,
            Some(Line(vec!["sh".into(), "-c".into(), "cat > x".into()]))
        );
        assert_eq!(senders[2].path.as_deref(), Some("a.env"));
    }

    #[test]
    fn a_sender_without_what_its_kind_needs_says_what_to_write() {
        for (text, wanted) in [
            (
                r#""ssh""#,
                "unknown variant `ssh`, expected one of `sst`, `command`, `file`, `github`, `aws-ssm`",
            ),
            (
                r#""command""#,
                "a sender of the kind `command` has no `command`",
            ),
            (
                r#"{ kind = "file" }"#,
                "a sender of the kind `file` has no `path`",
            ),
            (
                r#"{ kind = "sst", path = "x" }"#,
                "only a sender of the kind `file` has a `path`",
            ),
            (
                r#"{ kind = "sst", comand = "x" }"#,
                "unknown field `comand`",
            ),
            (
                r#"{ kind = "command", command = "a 'b" }"#,
                "`a 'b` has a quote that is not closed",
            ),
            (
                "5",
                "invalid type: integer `5`, expected the kind of a sender, or a table with its `kind`",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(wanted), "{error}");
        }
    }
}
