//! What two manifests must not have in common: an account has one script of a name, and a host leads to one of them. Pure.

use std::ops::Range;

use toml_edit::{Document, Item, TableLike};

use crate::environment::Environment;

/// Why an environment cannot be deployed that is good by itself: most often something that another one claims too.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Clash {
    /// The key of the value at fault, wherever it stands in the manifest.
    pub key: &'static str,
    /// The value.
    pub text: String,
    /// A problem's message.
    pub message: String,
}

impl Clash {
    /// Where the value stands in the environment's manifest, in whatever quotes; the beginning where it does not.
    pub(super) fn span(&self, source: &str) -> Range<usize> {
        let document = Document::parse(source).ok();
        let found = document.and_then(|document| self.within(document.as_table()));
        found.unwrap_or(0..0)
    }

    fn within(&self, table: &dyn TableLike) -> Option<Range<usize>> {
        table.iter().find_map(|(key, item)| match item {
            Item::ArrayOfTables(tables) => tables.iter().find_map(|table| self.within(table)),
            item if key == self.key && item.as_str() == Some(&self.text) => item.span(),
            item => item.as_table_like().and_then(|table| self.within(table)),
        })
    }
}

/// What both claim, unless they are in two accounts for sure.
pub(super) fn between(one: &Environment, other: &Environment) -> Vec<Clash> {
    if let (Some(here), Some(there)) = (&one.account_id, &other.account_id)
        && here != there
    {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (name, role) in scripts(one) {
        for (theirs, part) in scripts(other) {
            if name == theirs {
                let (here, there) = (&one.name, &other.name);
                found.push(Clash {
                    key: "name",
                    text: one.worker.clone(),
                    message: format!(
                        "the script `{name}` is the {role} of `{here}` and the {part} of `{there}`\nrename one of the two environments, or give one another `worker.name`"
                    ),
                });
            }
        }
    }
    for served in &one.hosts {
        if other.hosts.iter().any(|theirs| theirs.host == served.host) {
            found.push(Clash {
                key: "host",
                text: served.host.to_string(),
                message: format!(
                    "`{}` is a host of `{}` too\na host leads to one environment: remove it from one of the two",
                    served.host, other.name
                ),
            });
        }
    }
    found
}

fn scripts(environment: &Environment) -> [(String, &'static str); 2] {
    [
        (environment.room_script(), "room"),
        (environment.gateway_script(), "gateway"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str, worker: &str, host: &str, account: &str) -> Environment {
        let source = format!(
            "[worker]\nname = \"{worker}\"\ncompatibility_date = \"2026-10-01\"\n[cloudflare]\nzone = \"glow.trade\"\n{account}\n[[routes]]\nhost = \"{host}.glow.trade\"\n[secrets.WEBHOOK_SECRET]\nsource = \"prompt\"\n"
        );
        Environment::resolve(&name.parse().unwrap(), "e.toml", &source).unwrap()
    }

    fn messages(one: &Environment, other: &Environment) -> Vec<String> {
        let clashes = between(one, other).into_iter();
        clashes.map(|clash| clash.message).collect()
    }

    #[test]
    fn the_value_is_found_by_its_key_in_whatever_quotes_and_form() {
        let clash = |key, text: &str| Clash {
            key,
            text: text.to_owned(),
            message: String::new(),
        };
        let source = "# \"w\"\nsst = { app = \"w\" }\nworker = { name = 'w' }\n[[routes]]\nhost = \"b\"\n[[routes]]\nhost = \"a\"\n";
        let found = |clash: Clash| source[clash.span(source)].to_owned();
        assert_eq!(found(clash("name", "w")), "'w'");
        assert_eq!(found(clash("host", "a")), "\"a\"");
        assert_eq!(clash("host", "c").span(source), 0..0);
    }

    #[test]
    fn one_script_or_host_of_two_environments_is_told_unless_their_accounts_differ() {
        let accounts = ["0", "1"].map(|digit| format!("account_id = \"{}\"", digit.repeat(32)));
        let qa = environment("qa", "w", "a", "");
        let room = "the script `w-qa-room` is the gateway of `qa-room` and the room of `qa`\nrename one of the two environments, or give one another `worker.name`";
        let host = "`a.glow.trade` is a host of `qa` too\na host leads to one environment: remove it from one of the two";
        for (name, worker, host_label, told) in [
            ("qa-room", "w", "b", vec![room]),
            ("qa-room", "other", "a", vec![host]),
            ("qa-room", "w", "a", vec![room, host]),
            ("qa2", "w", "b", vec![]),
        ] {
            let other = environment(name, worker, host_label, "");
            assert_eq!(messages(&other, &qa), told, "{name} {worker} {host_label}");
        }
        let [here, there] = accounts.map(|account| environment("qa", "w", "a", &account));
        assert_eq!(messages(&here, &there), [""; 0]);
        // One account may be the other's: which one it is stands in an environment variable
        assert_eq!(
            messages(&here, &environment("qa-room", "w", "b", "")),
            [
                "the script `w-qa-room` is the room of `qa` and the gateway of `qa-room`\nrename one of the two environments, or give one another `worker.name`"
            ]
        );
    }
}
