//! What `dev` looks at: the manifests, the templates, and what the Workers are made of.
//!
//! It looks again and again instead of asking the kernel for news: a few hundred files, whose sizes and times are read in milliseconds.
//! Linux reports reading a file as well as writing it, so that every build would be news of itself, and what is behind links or on a
//! folder that another machine shares would be none.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context;

use crate::build;
use crate::process::file;

/// How long nothing is looked at. What still changes after that long is not finished.
const PAUSE: Duration = Duration::from_millis(250);

/// Size and time of every file, by its path in the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen(BTreeMap<String, (u64, Option<SystemTime>)>);

/// What a change asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A plan finds out what of it.
    Deployment,
    /// Nothing that this program could do.
    AnotherTool,
}

impl Seen {
    /// What there is at this moment in the project at `root`.
    pub(super) fn of(root: &Path) -> anyhow::Result<Self> {
        let mut paths = build::inputs(root)?;
        for folder in ["environments", "templates"] {
            // It may be a link itself
            let real = root.join(folder).canonicalize();
            let real = real.with_context(|| format!("reading `{folder}`"))?;
            let found = file::below(&real, |_| false)?;
            let inside = found
                .iter()
                .filter_map(|path| path.strip_prefix(&real).ok());
            paths.extend(inside.map(|path| Path::new(folder).join(path)));
        }
        let seen = paths.iter().filter(|path| !is_hidden(path));
        let seen =
            seen.filter_map(|path| Some((path.display().to_string(), stamp(&root.join(path))?)));
        Ok(Self(seen.collect()))
    }

    /// Ends when something is other than this, and stays so for a moment.
    pub(super) async fn another(&self, root: &Path) -> Self {
        let mut before = self.clone();
        loop {
            tokio::time::sleep(PAUSE).await;
            // A folder may vanish while it is read
            let Ok(now) = Self::of(root) else { continue };
            if now == before && now != *self {
                return now;
            }
            before = now;
        }
    }

    /// The files that are new, gone or other in `now`.
    pub(super) fn changed(&self, now: &Self) -> Vec<String> {
        let (old, new) = (&self.0, &now.0);
        let mut paths: Vec<&String> = old.keys().chain(new.keys()).collect();
        paths.sort();
        paths.dedup();
        let changed = paths
            .into_iter()
            .filter(|path| old.get(*path) != new.get(*path));
        changed.cloned().collect()
    }
}

/// What is done about changed files.
pub(super) fn asked(changed: &[String]) -> Asked {
    match changed.iter().all(|path| path.starts_with("templates/")) {
        true => Asked::AnotherTool,
        false => Asked::Deployment,
    }
}

/// Whether editors and file managers leave such a file.
fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name.ends_with('~')
}

fn stamp(path: &Path) -> Option<(u64, Option<SystemTime>)> {
    let metadata = path.metadata().ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn manifests_templates_and_sources_are_seen_and_what_is_written_by_tools_is_not() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for path in [
            "environments/local.toml",
            "templates/wrangler.toml.hbs",
            "worker/console/index.html",
            "worker/gateway/src/gone.rs",
            "worker/room/src/lib.rs",
        ] {
            write(root, path, "a");
        }
        let before = Seen::of(root).unwrap();
        for path in [
            "environments/.local.toml.swp",
            "environments/local.toml~",
            "worker/room/build/index.js",
            "generated/local/routes.toml",
            "src/main.rs",
            "target/any",
        ] {
            write(root, path, "a");
        }
        assert_eq!(before.changed(&Seen::of(root).unwrap()), [""; 0]);
        for path in [
            "environments/local.toml",
            "templates/wrangler.toml.hbs",
            "worker/console/index.html",
            "worker/protocol/src/new.rs",
            "worker/room/src/lib.rs",
        ] {
            write(root, path, "other");
        }
        std::fs::remove_file(root.join("worker/gateway/src/gone.rs")).unwrap();
        assert_eq!(
            before.changed(&Seen::of(root).unwrap()),
            [
                "environments/local.toml",
                "templates/wrangler.toml.hbs",
                "worker/console/index.html",
                "worker/gateway/src/gone.rs",
                "worker/protocol/src/new.rs",
                "worker/room/src/lib.rs",
            ]
        );
    }

    #[test]
    fn only_templates_ask_for_another_tool() {
        let asked = |paths: &[&str]| {
            let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
            asked(&paths)
        };
        let (template, source) = ("templates/env/routes.toml.hbs", "worker/room/src/lib.rs");
        assert_eq!(asked(&[template]), Asked::AnotherTool);
        assert_eq!(asked(&[template, source]), Asked::Deployment);
        assert_eq!(asked(&[source]), Asked::Deployment);
    }
}
