//! Where installed tools live: outside the source tree, shared by every project of this user.

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Once;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::process::file_lock;
use crate::terminal::advice::Advice;
use crate::terminal::progress::Progress;

/// Names another place for the cache.
pub const VARIABLE: &str = "EDGE_BROADCAST_CACHE";

/// The tools that this user's projects share. Layout: `tools/<name>-<version>/…`.
#[derive(Clone, Debug)]
pub struct Cache(PathBuf);

impl Cache {
    /// `$EDGE_BROADCAST_CACHE`, or `edge-broadcast` in the user's cache folder. Where there is no home for that it is said which
    /// folder it is instead.
    pub fn locate(progress: &Progress) -> Result<Self> {
        let Place { root, said } = Surroundings::own().place()?;
        if let Some(said) = said {
            static SAID: Once = Once::new();
            SAID.call_once(|| progress.say(&said));
        }
        Ok(Self(root))
    }

    /// A cache at a given place.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// Where this version of a tool is, once installed.
    pub fn tool(&self, name: &str, version: &str) -> PathBuf {
        self.0.join("tools").join(format!("{name}-{version}"))
    }

    /// Waits until no other process installs `what`, and keeps others waiting while the file is held.
    pub fn lock(&self, what: &str, progress: &Progress) -> Result<File> {
        file_lock::acquire(&self.0.join("locks").join(what), progress)
    }

    /// An empty directory on the cache's own file system, removed when dropped: what is complete is moved out of it.
    pub fn staging(&self) -> Result<TempDir> {
        let parent = self.0.join("staging");
        std::fs::create_dir_all(&parent)
            .with_context(|| format!("cannot create `{}`", parent.display()))?;
        tempfile::tempdir_in(&parent)
            .with_context(|| format!("cannot create a directory in `{}`", parent.display()))
    }

    /// Moves a complete tool to its place, all at once.
    pub fn keep(&self, complete: &Path, name: &str, version: &str) -> Result<PathBuf> {
        let place = self.tool(name, version);
        let parent = self.0.join("tools");
        std::fs::create_dir_all(&parent)
            .with_context(|| format!("cannot create `{}`", parent.display()))?;
        if place.exists() {
            // Without the program that was looked for, or it would have been used.
            std::fs::remove_dir_all(&place)
                .with_context(|| format!("cannot remove the broken `{}`", place.display()))?;
        }
        std::fs::rename(complete, &place)
            .with_context(|| format!("cannot move a tool to `{}`", place.display()))?;
        Ok(place)
    }
}

/// Where a cache is, and what is to be said about that.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    root: PathBuf,
    said: Option<String>,
}

/// What the place depends on.
struct Surroundings<'a> {
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// `HOME`, or what the system says where that is not set.
    home: Option<PathBuf>,
    temporary: PathBuf,
    user: u32,
}

impl Surroundings<'_> {
    fn own() -> Self {
        Self {
            variable: &|name| std::env::var_os(name),
            home: std::env::home_dir(),
            temporary: std::env::temp_dir(),
            user: rustix::process::getuid().as_raw(),
        }
    }

    fn place(&self) -> Result<Place> {
        let set = |name: &str| (self.variable)(name).filter(|value| !value.is_empty());
        let quiet = |root| Place { root, said: None };
        if let Some(named) = set(VARIABLE) {
            let named = std::path::absolute(&named)
                .with_context(|| format!("`{VARIABLE}` is not a usable path"))?;
            return Ok(quiet(named));
        }
        // As the XDG Base Directory Specification has it: a relative path does not count
        let caches = set("XDG_CACHE_HOME").map(PathBuf::from);
        if let Some(caches) = caches.filter(|caches| caches.is_absolute()) {
            return Ok(quiet(caches.join("edge-broadcast")));
        }
        let said = |why: String, root: &Path| {
            let root = root.display();
            Some(format!(
                "note: {why}: tools are kept in `{root}`; `{VARIABLE}` names another folder"
            ))
        };
        let why = match &self.home {
            Some(home) if home.is_dir() => {
                let root = home.join(".cache/edge-broadcast");
                let said = match set("HOME") {
                    Some(_) => None,
                    None => said("`HOME` is not set".to_owned(), &root),
                };
                return Ok(Place { root, said });
            }
            Some(home) => format!("there is no home directory `{}`", home.display()),
            None => "there is no home directory".to_owned(),
        };
        let root = self.temporary.join(format!("edge-broadcast-{}", self.user));
        self.claim(&root)?;
        let said = said(why, &root);
        Ok(Place { root, said })
    }

    /// Makes `root`, where everybody may make folders, for this user alone: programs from there are run.
    fn claim(&self, root: &Path) -> Result<()> {
        match DirBuilder::new().mode(0o700).create(root) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).with_context(|| format!("cannot create `{}`", root.display()));
            }
            _ => {}
        }
        let found = root
            .symlink_metadata()
            .with_context(|| format!("cannot read `{}`", root.display()))?;
        if found.is_dir() && found.uid() == self.user && found.mode() & 0o022 == 0 {
            return Ok(());
        }
        bail!(Advice::new(
            format!("`{}` may be another user's", root.display()),
            format!("name a folder for the tools in `{VARIABLE}`")
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn place(variables: &[(&str, &str)], home: Option<&Path>, temporary: &Path) -> Result<Place> {
        let variable = |name: &str| {
            let set = variables.iter().find(|(set, _)| *set == name);
            set.map(|(_, value)| OsString::from(value))
        };
        let surroundings = Surroundings {
            variable: &variable,
            home: home.map(Path::to_owned),
            temporary: temporary.to_owned(),
            user: rustix::process::getuid().as_raw(),
        };
        surroundings.place()
    }

    #[test]
    fn a_cache_is_where_the_user_says_or_in_the_home_and_elsewhere_only_with_a_word() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("home");
        let user = rustix::process::getuid().as_raw();
        let instead = root.path().join(format!("edge-broadcast-{user}"));
        let at = |variables: &[(&str, &str)], home: Option<&Path>| {
            let Place { root, said } = place(variables, home, root.path()).unwrap();
            (root, said.unwrap_or_default())
        };
        let quiet = |root: PathBuf| (root, String::new());
        let said = |why: &str, root: &Path| {
            let shown = root.display();
            let said = format!(
                "note: {why}: tools are kept in `{shown}`; `EDGE_BROADCAST_CACHE` names another folder"
            );
            (root.to_owned(), said)
        };
        let none = format!("there is no home directory `{}`", home.display());
        assert_eq!(at(&[("HOME", "/h")], Some(&home)), said(&none, &instead));
        assert_eq!(at(&[], None), said("there is no home directory", &instead));
        assert!(!home.exists());
        std::fs::create_dir(&home).unwrap();
        let cache = home.join(".cache/edge-broadcast");
        assert_eq!(at(&[("HOME", "/h")], Some(&home)), quiet(cache.clone()));
        assert_eq!(at(&[], Some(&home)), said("`HOME` is not set", &cache));
        for (name, value, expected) in [
            (VARIABLE, "/own", "/own"),
            ("XDG_CACHE_HOME", "/caches", "/caches/edge-broadcast"),
        ] {
            assert_eq!(at(&[(name, value)], None), quiet(expected.into()));
        }
    }

    #[test]
    fn no_program_is_run_from_where_another_user_may_have_put_it() {
        let root = tempfile::tempdir().unwrap();
        let user = rustix::process::getuid().as_raw();
        let instead = root.path().join(format!("edge-broadcast-{user}"));
        let refused = || {
            let error = place(&[], None, root.path()).unwrap_err();
            Advice::of(&error).line()
        };
        let said = format!(
            "`{}` may be another user's; name a folder for the tools in `EDGE_BROADCAST_CACHE`",
            instead.display()
        );
        std::os::unix::fs::symlink("/", &instead).unwrap();
        assert_eq!(refused(), said);
        std::fs::remove_file(&instead).unwrap();
        std::fs::create_dir(&instead).unwrap();
        std::fs::set_permissions(&instead, PermissionsExt::from_mode(0o777)).unwrap();
        assert_eq!(refused(), said);
    }

    #[test]
    fn a_tool_is_kept_under_its_name_and_version_and_replaces_a_broken_one() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::at(root.path());
        for content in ["broken", "whole"] {
            let staging = cache.staging().unwrap();
            let complete = staging.path().join("complete");
            std::fs::create_dir(&complete).unwrap();
            std::fs::write(complete.join("program"), content).unwrap();
            let place = cache.keep(&complete, "tool", "1.2.3").unwrap();
            assert_eq!(place, root.path().join("tools/tool-1.2.3"));
        }
        let kept = root.path().join("tools/tool-1.2.3/program");
        assert_eq!(std::fs::read_to_string(kept).unwrap(), "whole");
    }
}
