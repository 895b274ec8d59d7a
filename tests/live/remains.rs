//! What is left of a run in the account, and its removal.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value as Json;

use super::account::Account;
use super::name::Whose;

/// How long it may take until Cloudflare shows that something is gone.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks, twice as long each time.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A custom domain takes its DNS record with it, a little later. After this time the record is deleted by itself.
const RECORD_GOES: Duration = Duration::from_secs(10);

/// One thing that a run made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Thing {
    kind: Kind,
    /// For a person.
    name: String,
    /// Below the API's base; deleting it removes the thing.
    path: String,
}

/// In the order in which things are removed: first what leads to a script, then the script that uses the other's class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Domain,
    Route,
    Gateway,
    Room,
    /// Goes with the room's script.
    Namespace,
    Record,
}

/// What there is, and what could not be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remains {
    pub(crate) things: Vec<Thing>,
    /// What could not be looked at, and what the API said.
    pub(crate) unseen: Vec<String>,
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kind = match self.kind {
            Kind::Domain => "custom domain",
            Kind::Route => "route",
            Kind::Gateway | Kind::Room => "script",
            Kind::Namespace => "Durable Object namespace",
            Kind::Record => "DNS record",
        };
        write!(f, "{kind} `{}`", self.name)
    }
}

impl Thing {
    /// A shell command that deletes it.
    pub(crate) fn command(&self, base: &str) -> Option<String> {
        (self.kind != Kind::Namespace).then(|| {
            format!(
                "curl -X DELETE -H \"Authorization: Bearer $CLOUDFLARE_API_TOKEN\" '{base}{}'",
                self.path
            )
        })
    }
}

impl Remains {
    /// The names of the gateways among them.
    pub(crate) fn gateways(&self) -> impl Iterator<Item = &str> {
        let gateways = self
            .things
            .iter()
            .filter(|thing| thing.kind == Kind::Gateway);
        gateways.map(|thing| thing.name.as_str())
    }
}

/// Looks for everything that a run may have made, in every list in which it would be.
pub(crate) async fn find(
    account: &Account,
    zone_id: &str,
    whose: &Whose,
) -> anyhow::Result<Remains> {
    let mut remains = Remains::default();
    let zone = account.zone().to_owned();
    let mut add = |kind, name: &str, path: String| {
        remains.things.push(Thing {
            kind,
            name: name.to_owned(),
            path,
        });
    };
    let text = |item: &Json, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    for item in must(account, &account.path("workers/scripts")).await? {
        let name = text(&item, "id");
        if whose.has_script(&name) {
            let kind = match name.ends_with("-room") {
                true => Kind::Room,
                false => Kind::Gateway,
            };
            let path = format!("workers/scripts/{name}?force=true");
            add(kind, &name, account.path(&path));
        }
    }
    for item in must(account, &account.path("workers/domains")).await? {
        let host = text(&item, "hostname");
        if whose.has_script(&text(&item, "service")) || whose.has_host(&host, &zone) {
            let path = format!("workers/domains/{}", checked(&text(&item, "id"))?);
            add(Kind::Domain, &host, account.path(&path));
        }
    }
    for item in must(account, &format!("/zones/{zone_id}/workers/routes")).await? {
        let pattern = text(&item, "pattern");
        if whose.has_script(&text(&item, "script")) || whose.has_route(&pattern, &zone) {
            let id = text(&item, "id");
            let path = format!("/zones/{zone_id}/workers/routes/{}", checked(&id)?);
            add(Kind::Route, &pattern, path);
        }
    }
    for item in must(account, &account.path("workers/durable_objects/namespaces")).await? {
        if whose.has_script(&text(&item, "script")) {
            add(Kind::Namespace, &text(&item, "name"), String::new());
        }
    }
    // A script that the list does not show (any more, or yet) may be there all the same
    if let Whose::Run(name) = whose {
        for (kind, script) in [(Kind::Gateway, name.gateway()), (Kind::Room, name.room())] {
            let path = account.path(&format!("workers/scripts/{script}/settings"));
            if account.has(&path).await? {
                let path = format!("workers/scripts/{script}?force=true");
                add(kind, &script, account.path(&path));
            }
        }
    }
    let filter = match whose {
        Whose::Run(name) => format!("?name={}", name.host(&zone)),
        Whose::Every => String::new(),
    };
    let records = format!("/zones/{zone_id}/dns_records");
    match account.list(&format!("{records}{filter}")).await? {
        Err(said) => remains.unseen.push(format!("DNS records: {said}")),
        Ok(items) => {
            for item in items {
                let name = text(&item, "name");
                if whose.has_host(&name, &zone) {
                    let path = format!("{records}/{}", checked(&text(&item, "id"))?);
                    let kind = Kind::Record;
                    remains.things.push(Thing { kind, name, path });
                }
            }
        }
    }
    remains.things.sort();
    remains.things.dedup();
    Ok(remains)
}

/// Removes everything that [`find`] finds, and looks again until nothing is left or `patience` ends. What is left then, and what
/// went wrong on the way.
pub(crate) async fn remove(
    account: &Account,
    zone_id: &str,
    whose: &Whose,
    patience: Duration,
) -> anyhow::Result<(Remains, Vec<String>)> {
    let began = Instant::now();
    let mut problems = Vec::new();
    let mut pause = PAUSE;
    loop {
        let found = find(account, zone_id, whose).await;
        let is_late = began.elapsed() >= patience;
        match found {
            Ok(remains) if remains.things.is_empty() || is_late => return Ok((remains, problems)),
            Err(error) if is_late => return Err(error),
            Err(error) => problems.push(format!("{error:#}")),
            Ok(remains) => {
                // Only the last refusals tell why something is left in the end
                problems.clear();
                for thing in remains.things {
                    let goes_by_itself = match thing.kind {
                        Kind::Namespace => true,
                        Kind::Record => began.elapsed() < RECORD_GOES,
                        _ => false,
                    };
                    if !goes_by_itself && let Err(error) = account.delete(&thing.path).await {
                        problems.push(format!("{thing}: {error:#}"));
                    }
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn must(account: &Account, path: &str) -> anyhow::Result<Vec<Json>> {
    match account.list(path).await? {
        Ok(items) => Ok(items),
        Err(said) => anyhow::bail!("`GET {path}` was answered with {said}"),
    }
}

/// An id from an answer, before it becomes part of a path that is deleted.
fn checked(id: &str) -> anyhow::Result<&str> {
    let is_plain = !id.is_empty()
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_plain
        .then_some(id)
        .with_context(|| format!("the API named something with the id {id:?}, which is no id"))
}
