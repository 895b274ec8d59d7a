//! A copy of the deployed version with other secrets: how secrets change where the newest version is another one. What changes them
//! in place goes by the newest one, and is refused there (10214, 10215).
//!
//! As `wrangler versions secret put` does it with the newest version (its source, 4.86): the code is read back and uploaded again. All
//! that the version is bound to is inherited from it, which the API does with values that nobody can read too.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use reqwest::Method;
use reqwest::multipart::Part;
use serde_json::Value as Json;

use super::client::{Cloudflare, Repeat};
use super::code::{self, Code};
use super::execute::{self, OldSecrets};
use super::form::form;
use super::metadata::{self, Copied};
use super::overtaken::Overtaken;
use super::redacted::redacted;
use super::wire::{Resources, Version};
use super::{observe, once};
use crate::environment::Environment;
use crate::plan::history::Listed;
use crate::plan::{Split, release, version_tag};
use crate::secret::Value;
use crate::terminal::advice::Advice;

/// Makes a version like `from`, which has all traffic of `script`, but for `changes`, and gives it all traffic. Returns its id.
pub(super) async fn deploy(
    cloudflare: &Cloudflare,
    environment: &Environment,
    script: &str,
    from: &str,
    changes: &BTreeMap<&str, Option<&Value>>,
) -> anyhow::Result<String> {
    let (version, code) = read(cloudflare, environment, script, from).await?;
    let message = release::of_copy(version.annotations.message.as_deref(), rand::random());
    let copied = Copied {
        from,
        version: &version,
        main_module: &code.main,
        message: &message,
    };
    let metadata = metadata::copy(&copied, changes)?;
    let path = cloudflare.of_script(script, &format!("versions?{}", execute::STRICT));
    let form = || {
        let files = code.modules.iter();
        let files = files.map(|it| (&*it.name, &*it.content_type, &*it.bytes));
        form(&metadata, files)
    };
    let add = async || {
        let fill = |request: reqwest::RequestBuilder| request.multipart(form());
        let sent = cloudflare.call_filled(Method::POST, &path, Repeat::Never, fill);
        let uploaded: Listed = redacted(sent.await, changes.values().copied().flatten())?;
        Ok(uploaded.id)
    };
    // The message is of this upload alone
    let added = async || {
        let newest = observe::newest_version(cloudflare, script).await?;
        let ours = newest.filter(|newest| newest.message.as_deref() == Some(&message));
        Ok(ours.map(|newest| newest.id))
    };
    let id = once::send(add, added)
        .await
        .with_context(|| format!("uploading `{from}` of `{script}` again with other secrets"))?;
    let made = observe::resources(cloudflare, script, &id).await?;
    expect(&made, &version.resources, changes).map_err(|what| {
        let what = format!(
            "the copy `{id}` of `{from}` of `{script}` differs in more than the secrets ({what}), so it got no traffic"
        );
        anyhow::Error::new(Advice::from(what.as_str()))
            .context(way_out(environment, script))
    })?;
    shift(cloudflare, environment, script, from, &id).await?;
    Ok(id)
}

/// All that a copy of the version `from` is made of; an error where there can be none. Writes nothing.
pub(super) async fn read(
    cloudflare: &Cloudflare,
    environment: &Environment,
    script: &str,
    from: &str,
) -> anyhow::Result<(Version, Code)> {
    let (version, code) = tokio::try_join!(
        observe::whole(cloudflare, script, from),
        code::read(cloudflare, script, from),
    )?;
    let code = known(script, from, &version, code).with_context(|| way_out(environment, script))?;
    Ok((version, code))
}

/// Its code, if it is what its tag says.
fn known(script: &str, from: &str, version: &Version, code: Option<Code>) -> anyhow::Result<Code> {
    let code = code.unwrap_or_default();
    let has_main = code.modules.iter().any(|module| module.name == code.main);
    if !has_main {
        bail!("the API does not give the code of the version `{from}` of `{script}` back");
    }
    let tag = version.annotations.tag.as_deref();
    if let Some(named) = tag.and_then(version_tag::code)
        && code.name().as_deref() != Some(named)
    {
        bail!(
            "the API gives other code back for the version `{from}` of `{script}` than its tag names"
        );
    }
    for module in &code.modules {
        let part = Part::bytes(Vec::new()).mime_str(&module.content_type);
        part.with_context(|| format!("reading the type of the module `{}`", module.name))?;
    }
    Ok(code)
}

/// What to do where no copy can be made. Not a rollback to the newest version: most often it is one that was never deployed, or that
/// failed its verification. What uploads needs no code read back, and what it uploads is the newest version and the deployed one.
fn way_out(environment: &Environment, script: &str) -> Advice {
    let settings = match script == environment.gateway_script() {
        true => "[access]",
        false => "[room]",
    };
    Advice::new(
        format!("no secret of `{script}` was changed"),
        format!(
            "change its code or `{settings}`, and run `edge-broadcast deploy {}`: it uploads a version that is the newest and the deployed one, and there secrets change in place",
            environment.name
        ),
    )
}

/// Whether a copy is what it is of, but for the changes; what differs, if not.
fn expect(
    made: &Resources,
    of: &Resources,
    changes: &BTreeMap<&str, Option<&Value>>,
) -> Result<(), &'static str> {
    if made.secrets() != changed(of.secrets(), changes) {
        return Err("the names of the secrets");
    }
    let (made, of) = (same(made.without_secrets()), same(of.without_secrets()));
    match made == of {
        true => Ok(()),
        false if made["bindings"] == of["bindings"] => Err("the runtime's settings"),
        false => Err("the bindings"),
    }
}

/// The names of `secrets` after `changes`.
pub(super) fn changed(
    mut secrets: BTreeSet<String>,
    changes: &BTreeMap<&str, Option<&Value>>,
) -> BTreeSet<String> {
    for (name, value) in changes {
        match value {
            Some(_) => secrets.insert((*name).to_owned()),
            None => secrets.remove(*name),
        };
    }
    secrets
}

/// What a version and its copy have in common. Not the code's `etag`, which is of an upload, nor the migration tag, which a version gets
/// when it is deployed (SDK): the code is compared by its bytes, and a version cannot bring a migration.
fn same(mut rest: Json) -> Json {
    for (part, field) in [("script", "etag"), ("script_runtime", "migration_tag")] {
        if let Some(fields) = rest["resources"][part].as_object_mut() {
            fields.remove(field);
        }
    }
    rest
}

/// Gives `to` all traffic, unless something else than `from` has it by now.
async fn shift(
    cloudflare: &Cloudflare,
    environment: &Environment,
    script: &str,
    from: &str,
    to: &str,
) -> anyhow::Result<()> {
    let change = execute::Change {
        script,
        to,
        split: &Split::all(to),
        before: &Split::all(from),
        message: &release::of_secrets(environment.name.as_str()),
        code_update: environment.code_update,
        // It is the newest version: nothing changed since
        secrets: OldSecrets::Refuse,
    };
    let shifted = execute::shift(cloudflare, change).await;
    shifted.map_err(|error| match error.is::<Overtaken>() {
        true => Advice::new(
            format!("somebody else deployed `{script}` while its secrets were being changed, and what they deployed stays"),
            "run the same command again",
        )
        .into(),
        false => error.context(format!("deploying `{to}`, which is `{from}` with other secrets")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resources(change: impl Fn(&mut Json)) -> Resources {
        let mut json = json!({
            "bindings": [
                { "type": "plain_text", "name": "ENVIRONMENT", "text": "e" },
                { "type": "secret_text", "name": "OLD" },
                { "type": "secret_text", "name": "STAYS" },
            ],
            "script": { "etag": "1", "handlers": ["fetch"], "last_deployed_from": "wrangler" },
            "script_runtime": { "compatibility_date": "2026-10-01", "migration_tag": "v1" },
        });
        change(&mut json);
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_copy_that_differs_in_more_than_the_secrets_that_change_is_found() {
        let value = Value::new("x".to_owned());
        let changes = BTreeMap::from([("NEW", Some(&value)), ("OLD", None)]);
        let of = resources(|_| {});
        let differs = |change: &dyn Fn(&mut Json)| {
            let made = resources(|json| {
                json["bindings"][1]["name"] = json!("NEW");
                change(json);
            });
            expect(&made, &of, &changes)
        };
        assert_eq!(differs(&|_| {}), Ok(()));
        assert_eq!(
            differs(&|json| {
                json["script"]["etag"] = json!("2");
                json["script"]["last_deployed_from"] = json!("api");
                json["script_runtime"] = json!({ "compatibility_date": "2026-10-01" });
            }),
            Ok(())
        );
        for name in ["OLD", "OTHER"] {
            assert_eq!(
                differs(&|json| json["bindings"][1]["name"] = json!(name)),
                Err("the names of the secrets")
            );
        }
        assert_eq!(
            differs(&|json| json["bindings"][0]["text"] = json!("f")),
            Err("the bindings")
        );
        assert_eq!(
            differs(&|json| json["script_runtime"]["compatibility_date"] = json!("2026-10-02")),
            Err("the runtime's settings")
        );
    }
}
