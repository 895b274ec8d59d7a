//! The manifest of a new environment, made of another one's: its text with its comments, and what had to be different. Pure.

use serde::Serialize;
use toml_edit::{DocumentMut, Item, TableLike, Value};

/// A manifest that nobody has written yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) text: String,
    pub(crate) changes: Vec<Change>,
}

/// A value that two environments cannot share.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// The key, as `docs/manifest.md` has it.
    pub(crate) key: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// The manifest `source` of `from` for `name`: hosts, the data set and the stage are its own, all else is the same.
///
/// # Errors
/// When the text is no TOML.
pub(crate) fn draft(source: &str, from: &str, name: &str) -> Result<Draft, toml_edit::TomlError> {
    let mut document: DocumentMut = source.parse()?;
    let mut changes = Vec::new();
    for table in ["routes", "regions"] {
        for each in document.get_mut(table).map(tables).into_iter().flatten() {
            let host = |host: &str| host_of(host, from, name);
            changes.extend(change(each, "host", host).map(|it| it.of(table)));
        }
    }
    for (table, key) in [("analytics", "dataset"), ("sst", "stage")] {
        let edited = |text: &str| match key {
            "dataset" => dataset_of(text, from, name),
            _ => name.to_owned(),
        };
        let found = document.get_mut(table).and_then(Item::as_table_like_mut);
        let changed = found.and_then(|found| change(found, key, edited));
        changes.extend(changed.map(|it| it.of(table)));
    }
    Ok(Draft {
        text: document.to_string(),
        changes,
    })
}

/// The tables of a list, whether each has a header or they stand in brackets.
fn tables(list: &mut Item) -> Vec<&mut dyn TableLike> {
    fn like<T: TableLike>(table: &mut T) -> &mut dyn TableLike {
        table
    }
    match list {
        Item::ArrayOfTables(tables) => tables.iter_mut().map(like).collect(),
        Item::Value(Value::Array(list)) => {
            let inline = list.iter_mut().filter_map(Value::as_inline_table_mut);
            inline.map(like).collect()
        }
        _ => Vec::new(),
    }
}

impl Change {
    fn of(self, table: &str) -> Self {
        Self {
            key: format!("{table}.{}", self.key),
            ..self
        }
    }
}

/// Writes another text in the place of a key's, with the comments around it.
fn change(table: &mut dyn TableLike, key: &str, edited: impl Fn(&str) -> String) -> Option<Change> {
    let value = table.get_mut(key)?.as_value_mut()?;
    let before = value.as_str()?.to_owned();
    let after = edited(&before);
    let decor = value.decor().clone();
    *value = Value::from(after.clone());
    *value.decor_mut() = decor;
    (before != after).then(|| Change {
        key: key.to_owned(),
        before,
        after,
    })
}

/// `broadcast-staging.glow.trade` is `broadcast-qa.glow.trade`, and `broadcast.glow.trade` too: in the first label the environment's name,
/// where it is a part of it, is replaced, or else the new one is added.
fn host_of(host: &str, from: &str, name: &str) -> String {
    let (first, rest) = host.split_once('.').unwrap_or((host, ""));
    format!("{}.{rest}", renamed(first, '-', from, name))
}

/// The same of a data set, whose name has underscores.
fn dataset_of(dataset: &str, from: &str, name: &str) -> String {
    let spelt = |name: &str| name.replace('-', "_");
    renamed(dataset, '_', &spelt(from), &spelt(name))
}

fn renamed(text: &str, separator: char, from: &str, name: &str) -> String {
    let whole = format!("{separator}{text}{separator}");
    let old = format!("{separator}{from}{separator}");
    match whole.contains(&old) {
        true => {
            let new = whole.replacen(&old, &format!("{separator}{name}{separator}"), 1);
            new.trim_matches(separator).to_owned()
        }
        false => format!("{text}{separator}{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_two_environments_cannot_share_is_different_and_comments_stay() {
        let source = "# first\n[worker]\nname = \"w\" # the stem\n\n[[routes]]\nhost = \"broadcast-staging.glow.trade\" # main\n\n[[regions]]\nname = \"us\"\nhost = \"us.glow.trade\"\n\n[analytics]\ndataset = \"prices_staging\"\n\n[sst]\nstage = \"staging\" # of SST\n";
        let Draft { text, changes } = draft(source, "staging", "qa-2").unwrap();
        assert_eq!(
            text,
            source
                .replace("broadcast-staging", "broadcast-qa-2")
                .replace("us.glow", "us-qa-2.glow")
                .replace("prices_staging", "prices_qa_2")
                .replace("\"staging\" # of", "\"qa-2\" # of")
        );
        let keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "routes.host",
                "regions.host",
                "analytics.dataset",
                "sst.stage"
            ]
        );
    }

    #[test]
    fn tables_in_braces_are_tables_too() {
        let source = "routes = [{ host = \"a-staging.glow.trade\" }, { host = \"b.glow.trade\" }] # all\nanalytics = { dataset = \"staging\" }\nsst = { stage = \"staging\", app = \"staging\" }\n";
        let Draft { text, changes } = draft(source, "staging", "qa").unwrap();
        assert_eq!(
            text,
            "routes = [{ host = \"a-qa.glow.trade\" }, { host = \"b-qa.glow.trade\" }] # all\nanalytics = { dataset = \"qa\" }\nsst = { stage = \"qa\", app = \"staging\" }\n"
        );
        assert_eq!(changes.len(), 4);
    }

    #[test]
    fn a_part_of_a_word_is_no_name() {
        assert_eq!(
            host_of("eu-west.glow.trade", "eu", "qa"),
            "qa-west.glow.trade"
        );
        assert_eq!(
            host_of("europe.glow.trade", "eu", "qa"),
            "europe-qa.glow.trade"
        );
        assert_eq!(host_of("a-b-c.glow.trade", "a-b", "qa"), "qa-c.glow.trade");
        assert_eq!(dataset_of("edge", "blue-1", "green-2"), "edge_green_2");
        assert_eq!(
            dataset_of("edge_blue_1", "blue-1", "green-2"),
            "edge_green_2"
        );
    }
}
