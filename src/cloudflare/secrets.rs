//! The secrets of a live script: which there are, since when, and changes of nothing but them.
//!
//! `PATCH scripts/S/secrets-bulk` changes several in one version and deploys it at once (recorded from wrangler 4.164). It goes by the
//! newest version: where another one is deployed, a [`copy`] of that is.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use bytes::Bytes;
use reqwest::Method;
use serde::Serialize;
use serde_json::json;

use super::client::{Cloudflare, Repeat};
use super::history::History;
use super::redacted::redacted;
use super::wire::SecretText;
use super::{copy, observe, once};
use crate::environment::Environment;
pub(crate) use crate::plan::Holding;
use crate::plan::Way;
use crate::plan::history::Extent;
use crate::secret::{self, Value};
use crate::terminal::advice::Advice;
use crate::terminal::wait::until;

/// How long a change may take to be seen where it is read.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(500);
/// How many of the newest versions are read at least: more than a change can make that is sent again when its answer is lost.
const NEWEST: usize = 10;

/// New values by name; nothing removes the secret.
pub(crate) type Changes<'a> = BTreeMap<&'a str, Option<&'a Value>>;

/// Since when a secret is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    pub time: SystemTime,
    pub bound: Bound,
}

/// On which side of the truth an age is that is counted from a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    /// The value was set at that time or later, by another tool.
    AtMost,
    /// The value was there already: no older version was looked at.
    AtLeast,
}

impl Bound {
    /// The side of an age that is counted from the oldest version that is known, where as much of the history was `read`.
    pub(super) fn of_oldest(read: Extent) -> Self {
        match read {
            Extent::All => Self::AtMost,
            Extent::Newest => Self::AtLeast,
        }
    }
}

/// Reads what `script` holds; `None` when it does not exist or was never deployed.
pub(crate) async fn read(cloudflare: &Cloudflare, script: &str) -> anyhow::Result<Option<Holding>> {
    let split = observe::split(cloudflare, script).await?;
    let Some(first) = split.versions().next() else {
        return Ok(None);
    };
    let (version, (versions, versions_read), settings) =
        observe::parts(cloudflare, script, first, NEWEST)
            .await
            .with_context(|| format!("reading the secrets of `{script}`"))?;
    Ok(Some(Holding {
        live: split.versions().map(ToOwned::to_owned).collect(),
        versions,
        versions_read,
        secrets: version.resources.secrets(),
        rest: version.resources.without_secrets(),
        tags: settings.tags,
    }))
}

/// Changes secrets in one version of the code that is deployed, and makes sure that nothing else changed with them.
pub(crate) async fn change(
    cloudflare: &Cloudflare,
    environment: &Environment,
    script: &str,
    before: &Holding,
    changes: &Changes<'_>,
) -> anyhow::Result<Holding> {
    match before.way() {
        Some(Way::InPlace(_)) => in_place(cloudflare, script, before, changes).await,
        Some(Way::Copy(from)) => {
            let made = copy::deploy(cloudflare, environment, script, from, changes).await?;
            // What this version is was proved before it got traffic, and no version becomes another one
            let is_it = |after: &Holding| after.live == [made.as_str()];
            seen(cloudflare, script, is_it).await
        }
        None => bail!("`{script}` has a gradual deployment running"),
    }
}

/// Refuses where no change can be made of the code that is deployed. Writes nothing.
pub(crate) async fn changeable(
    cloudflare: &Cloudflare,
    environment: &Environment,
    script: &str,
    live: &Holding,
) -> anyhow::Result<()> {
    match live.way() {
        Some(Way::Copy(from)) => {
            let read = copy::read(cloudflare, environment, script, from).await;
            read.map(drop)
        }
        Some(Way::InPlace(_)) | None => Ok(()),
    }
}

/// Changes secrets where the newest version is the deployed one.
async fn in_place(
    cloudflare: &Cloudflare,
    script: &str,
    before: &Holding,
    changes: &Changes<'_>,
) -> anyhow::Result<Holding> {
    let body = body(changes)?;
    let path = cloudflare.of_script(script, "secrets-bulk");
    let sent = Cell::new(0);
    let send = async || {
        sent.set(sent.get() + 1);
        let sent = cloudflare.send(Method::PATCH, &path, Repeat::Never, |request| {
            request
                .header("content-type", "application/merge-patch+json")
                .body(body.clone())
        });
        redacted(sent.await, changes.values().copied().flatten())
    };
    let done = async || {
        let made = now(cloudflare, script).await?.newer_than(before) != Some(0);
        Ok(made.then_some(()))
    };
    once::send(send, done).await?;
    let is_it = |after: &Holding| after.newer_than(before) != Some(0) && after.settled().is_some();
    let after = seen(cloudflare, script, is_it).await?;
    match is_ours(before, changes, &after, sent.get()) {
        true => Ok(after),
        false => bail!(more_changed(script, before)),
    }
}

/// What is live of a script that was there.
async fn now(cloudflare: &Cloudflare, script: &str) -> anyhow::Result<Holding> {
    let now = read(cloudflare, script).await?;
    now.with_context(|| format!("`{script}` is gone"))
}

/// What is live once it `is_it`: what was read may be older than what was written.
async fn seen(
    cloudflare: &Cloudflare,
    script: &str,
    is_it: impl Fn(&Holding) -> bool,
) -> anyhow::Result<Holding> {
    let end = Instant::now() + PATIENCE;
    let look = async {
        loop {
            let after = now(cloudflare, script).await?;
            if is_it(&after) {
                return Ok(after);
            }
            if Instant::now() > end {
                let patience = humantime::format_duration(PATIENCE);
                bail!(Advice::new(
                    format!(
                        "the change of the secrets of `{script}` is not deployed after {patience}"
                    ),
                    "`edge-broadcast status` shows what is"
                ));
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let why = format!("the change of the secrets of `{script}` does not show yet");
    until(|line| cloudflare.say(line), PATIENCE, &why, look).await
}

/// The body of `PATCH scripts/S/secrets-bulk`, which holds values.
fn body(changes: &Changes<'_>) -> anyhow::Result<Bytes> {
    let secrets: BTreeMap<&str, Option<SecretText>> = changes
        .iter()
        .map(|(name, value)| (*name, value.map(|value| SecretText::of(name, value))))
        .collect();
    let patch = BTreeMap::from([("secrets", secrets)]);
    Ok(Bytes::from_owner(secret::json(&patch)?))
}

/// Whether what was changed in place is what we sent, and nothing else. Where answers were lost, each of the `sent` times may have made
/// a version.
fn is_ours(before: &Holding, changes: &Changes<'_>, after: &Holding, sent: usize) -> bool {
    let is_alone =
        before.versions.is_empty() || after.newer_than(before).is_some_and(|made| made <= sent);
    let wanted = copy::changed(before.secrets.clone(), changes);
    is_alone && after.rest == before.rest && after.secrets == wanted
}

fn more_changed(script: &str, before: &Holding) -> Advice {
    let was = before.live.first().map_or("", String::as_str);
    Advice::new(
        format!(
            "more than the secrets changed on `{script}`: somebody deployed it at the same moment"
        ),
        format!(
            "compare its newest version with `{was}`, the one before, and roll back if it is not meant"
        ),
    )
}

/// Replaces the script's tags. They are no part of a version: nothing restarts.
pub(crate) async fn tag(
    cloudflare: &Cloudflare,
    script: &str,
    tags: &BTreeSet<String>,
) -> anyhow::Result<()> {
    let path = cloudflare.of_script(script, "script-settings");
    cloudflare
        .write(Method::PATCH, &path, &json!({ "tags": tags }))
        .await
        .with_context(|| format!("noting on `{script}` how far the rotation is"))?;
    Ok(())
}

/// Since when each of `names`, which the deployed version of `script` has, is there. Cloudflare does not say when a value was set.
/// What `live` tells already is not read again.
pub(crate) async fn since(
    cloudflare: &Cloudflare,
    script: &str,
    live: &Holding,
    names: impl IntoIterator<Item = &String>,
) -> anyhow::Result<BTreeMap<String, Since>> {
    let mut names = names.into_iter().peekable();
    let mut since = BTreeMap::new();
    if names.peek().is_none() {
        return Ok(since);
    }
    let mut history = History::of(cloudflare, script, live).await?;
    // Where the history ends is known when its last page is
    let last = history.versions.count.saturating_sub(1);
    history.versions.reach(last).await?;
    let count = history.versions.count;
    let oldest = Bound::of_oldest(history.versions.read);
    for name in names {
        let has = async |at: usize| anyhow::Ok(history.secrets(at).await?.contains(name));
        let Some(at) = oldest_with(count, has).await? else {
            continue;
        };
        let time = history.time(at).await?;
        let bound = if at + 1 == count {
            oldest
        } else {
            Bound::AtMost
        };
        since.insert(name.clone(), Since { time, bound });
    }
    Ok(since)
}

/// The place of the oldest version that has something which the newest one, at 0, has too. Where it came and went in between, the place
/// is that of one of the times when it came: never of a later one than the last.
async fn oldest_with(
    versions: usize,
    mut has: impl AsyncFnMut(usize) -> anyhow::Result<bool>,
) -> anyhow::Result<Option<usize>> {
    let Some(oldest) = versions.checked_sub(1) else {
        return Ok(None);
    };
    if has(oldest).await? {
        return Ok(Some(oldest));
    }
    if !has(0).await? {
        return Ok(None);
    }
    let (mut there, mut gone) = (0, oldest);
    while gone - there > 1 {
        let middle = there.midpoint(gone);
        if has(middle).await? {
            there = middle;
        } else {
            gone = middle;
        }
    }
    Ok(Some(there))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::Value as Json;

    use super::super::paged::{self, Account, Story, Tells};
    use super::*;
    use crate::plan::history::Listed;

    fn version(id: &str) -> Listed {
        Listed {
            id: id.to_owned(),
            tag: None,
            message: None,
            created_on: String::new(),
        }
    }

    fn holding(secrets: &[&str], rest: Json) -> Holding {
        Holding {
            live: vec!["v1".to_owned()],
            versions: vec![version("v1")],
            versions_read: Extent::All,
            secrets: secrets.iter().map(|&name| name.to_owned()).collect(),
            rest,
            tags: BTreeSet::new(),
        }
    }

    #[test]
    fn a_change_of_more_than_the_secrets_is_found() {
        let value = Value::new("x".to_owned());
        let changes = Changes::from([("A", Some(&value)), ("B", None)]);
        let before = holding(&["B", "C"], json!({ "etag": 1 }));
        let result = |versions: &[&str], secrets: &[&str], etag, sent| {
            let after = Holding {
                versions: versions.iter().map(|id| version(id)).collect(),
                ..holding(secrets, json!({ "etag": etag }))
            };
            is_ours(&before, &changes, &after, sent)
        };
        assert!(result(&["v2", "v1"], &["A", "C"], 1, 1));
        assert!(!result(&["v2", "v1"], &["A", "C"], 2, 1));
        assert!(!result(&["v2", "v1"], &["A"], 1, 1));
        // A version between ours and the one before is somebody else's, unless a lost answer made us send twice
        assert!(!result(&["v3", "v2", "v1"], &["A", "C"], 1, 1));
        assert!(result(&["v3", "v2", "v1"], &["A", "C"], 1, 2));
        assert!(!result(&["v9", "v8"], &["A", "C"], 1, 9));
    }

    #[test]
    fn a_script_is_settled_when_all_traffic_has_the_newest_version() {
        let mut live = holding(&[], Json::Null);
        assert_eq!(live.settled(), Some("v1"));
        live.versions.insert(0, version("v2"));
        assert_eq!(live.settled(), None);
        assert_eq!(live.way(), Some(Way::Copy("v1")));
        live.live.push("v2".to_owned());
        assert_eq!(live.way(), None);
    }

    #[test]
    fn a_change_is_sent_as_cloudflare_documents_it() {
        let value = Value::new("x\"y".to_owned());
        let changes = Changes::from([("A", Some(&value)), ("B", None)]);
        let body: Json = serde_json::from_slice(&body(&changes).unwrap()).unwrap();
        assert_eq!(
            body,
            json!({ "secrets": { "A": { "name": "A", "text": "x\"y", "type": "secret_text" }, "B": null } })
        );
    }

    #[test]
    fn no_error_and_no_debug_form_holds_a_value() {
        let value = Value::new("hunter2".to_owned());
        let changes = Changes::from([("A", Some(&value))]);
        let nothing = holding(&[], Json::Null);
        let error = more_changed("s", &nothing);
        assert!(!format!("{error:?}{changes:?}").contains("hunter2"));
        let _ = rustls::crypto::ring::default_provider().install_default();
        let cloudflare = Cloudflare::new("http://localhost", "a".to_owned(), value.clone());
        assert!(!format!("{cloudflare:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn a_secret_is_looked_for_in_few_versions_and_never_found_in_a_newer_one_than_it_came_with()
     {
        // From the newest to the oldest, whether it is there
        let look = async |there: &str| {
            let mut asked = 0;
            let found = oldest_with(there.len(), async |at| {
                asked += 1;
                Ok(there.as_bytes()[at] == b'+')
            });
            (found.await.unwrap(), asked)
        };
        assert_eq!(look("").await, (None, 0));
        assert_eq!(look("---").await, (None, 2));
        assert_eq!(look("+").await, (Some(0), 1));
        assert_eq!(look("+++++").await, (Some(4), 1));
        assert_eq!(look("+----").await.0, Some(0));
        assert_eq!(look("+++--").await.0, Some(2));
        assert_eq!(look("+-+").await.0, Some(2));
        assert!(look("+-++-").await.0 >= Some(0));
        let long = format!("{}{}", "+".repeat(700), "-".repeat(300));
        let (found, asked) = look(&long).await;
        assert_eq!(found, Some(699));
        assert!(asked <= 12, "{asked}");
    }

    #[tokio::test]
    async fn a_change_of_secrets_is_recognised_in_a_long_history_whatever_its_pages_are() {
        for paging in paged::pagings() {
            let account = Account::start(
                [("S".to_owned(), Story::of_two_secrets(3000))].into(),
                paging,
            )
            .await;
            let before = read(&account.cloudflare, "S").await.unwrap().unwrap();
            assert_eq!(
                before.latest(),
                Some(paged::id(2999).as_str()),
                "{paging:?}"
            );
            let value = Value::new("x".to_owned());
            let changes = Changes::from([("B", None), ("C", Some(&value))]);
            let after = in_place(&account.cloudflare, "S", &before, &changes);
            let after = after.await.unwrap();
            assert_eq!(
                after.settled(),
                Some(paged::id(3000).as_str()),
                "{paging:?}"
            );
            assert!(after.secrets.iter().eq(["A", "C"]), "{paging:?}");
        }
    }

    #[tokio::test]
    async fn an_age_is_the_same_whatever_the_pages_are_and_costs_few_calls() {
        let mut all = BTreeSet::new();
        for paging in paged::pagings() {
            let account = Account::start(
                [("S".to_owned(), Story::of_two_secrets(3000))].into(),
                paging,
            )
            .await;
            let names = ["A", "B", "C"].map(ToOwned::to_owned);
            let live = read(&account.cloudflare, "S").await.unwrap().unwrap();
            account.calls();
            let since = since(&account.cloudflare, "S", &live, &names)
                .await
                .unwrap();
            all.insert(format!("{since:?}"));
            if !matches!(paging.tells, Tells::Nothing) {
                let calls = account.calls().len();
                assert!(calls <= 45, "{calls} calls: {paging:?}");
            }
        }
        let said: Vec<String> = all.into_iter().collect();
        let made = |minute: u64| UNIX_EPOCH + Duration::from_secs(1_780_000_000 + 60 * minute);
        let bound = Bound::AtMost;
        let wanted = BTreeMap::from([
            (
                "A",
                Since {
                    time: made(0),
                    bound,
                },
            ),
            (
                "B",
                Since {
                    time: made(1234),
                    bound,
                },
            ),
        ]);
        assert_eq!(said, [format!("{wanted:?}")]);
    }
}
