//! The state directory: `state.json` without any secret, `secrets.json` for the owner only, `modules/`, `objects/`, `points.sqlite`.
//!
//! Imports: `account`

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, OFlags, flock};
use tempfile::{NamedTempFile, TempDir};

use crate::account::module::hash;
use crate::account::state::State;
use crate::account::value::SecretValue;

/// The directory of one sandbox. A temporary one is removed in the end.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Temporary(#[expect(dead_code, reason = "removes the directory when it is dropped")] TempDir),
    /// With the lock that keeps a second sandbox out.
    Lasting(#[expect(dead_code, reason = "holds the lock")] File),
}

/// A page of the runtime's databases.
const PAGE_BYTES: u64 = 4096;

/// Secret values by version and name.
type Secrets = BTreeMap<String, BTreeMap<String, String>>;

impl Store {
    /// Opens a directory, or makes a temporary one.
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Store> {
        let store = match path {
            None => {
                let directory = tempfile::Builder::new()
                    .prefix("edge-broadcast-sandbox-")
                    .tempdir()?;
                Store {
                    path: directory.path().to_owned(),
                    kind: Kind::Temporary(directory),
                }
            }
            Some(path) => {
                fs::create_dir_all(path)
                    .with_context(|| format!("creating `{}`", path.display()))?;
                fs::set_permissions(path, fs::Permissions::from_mode(0o700))
                    .with_context(|| format!("protecting `{}`", path.display()))?;
                let lock = File::options()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
                    .open(path.join("lock"))
                    .with_context(|| format!("writing in `{}`", path.display()))?;
                if !take(&lock) {
                    bail!(
                        "another sandbox uses `{}`; stop it or choose another directory",
                        path.display()
                    );
                }
                Store {
                    path: path.canonicalize()?,
                    kind: Kind::Lasting(lock),
                }
            }
        };
        for folder in ["modules", "objects"] {
            fs::create_dir_all(store.path.join(folder))?;
        }
        Ok(store)
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the data points; nowhere in a temporary directory.
    pub(crate) fn points(&self) -> Option<PathBuf> {
        match self.kind {
            Kind::Temporary(_) => None,
            Kind::Lasting(_) => Some(self.path.join("points.sqlite")),
        }
    }

    /// What an earlier sandbox left here.
    pub(crate) fn load(&self) -> anyhow::Result<State> {
        let path = self.path.join("state.json");
        let Ok(text) = fs::read_to_string(&path) else {
            return Ok(State::default());
        };
        let mut state: State = serde_json::from_str(&text).with_context(|| {
            format!(
                "reading `{}`; remove the directory to start afresh",
                path.display()
            )
        })?;
        let path = self.path.join("secrets.json");
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))?;
        let mut secrets: Secrets = serde_json::from_str(&text)
            .map_err(|error| anyhow::anyhow!("line {} is not what was written", error.line()))
            .with_context(|| format!("reading `{}`", path.display()))?;
        for version in state.scripts_mut().flat_map(|script| &mut script.versions) {
            let values = secrets.remove(&version.id).unwrap_or_default();
            version.secrets = values
                .into_iter()
                .map(|(name, value)| (name, SecretValue::new(value)))
                .collect();
        }
        Ok(state)
    }

    /// Keeps the state; nothing to do in a temporary directory.
    pub(crate) fn save(&self, state: &State) -> anyhow::Result<()> {
        if matches!(self.kind, Kind::Temporary(_)) {
            return Ok(());
        }
        let mut secrets = Secrets::new();
        for version in state.scripts().flat_map(|script| &script.versions) {
            let values = version
                .secrets
                .iter()
                .map(|(name, value)| (name.clone(), value.expose().to_owned()));
            secrets.insert(version.id.clone(), values.collect());
        }
        replace(
            &self.path.join("secrets.json"),
            &serde_json::to_vec(&secrets)?,
        )?;
        replace(
            &self.path.join("state.json"),
            &serde_json::to_vec_pretty(state)?,
        )
    }

    /// Keeps a module's bytes and gives their hash.
    pub(crate) fn keep_module(&self, bytes: &[u8]) -> anyhow::Result<String> {
        let name = hash(bytes);
        let path = self.path.join("modules").join(&name);
        if !path.exists() {
            replace(&self.path.join(format!("modules/{name}")), bytes)?;
        }
        Ok(name)
    }

    /// A module's bytes.
    pub(crate) fn module(&self, hash: &str) -> anyhow::Result<Vec<u8>> {
        let path = self.path.join("modules").join(hash);
        fs::read(&path).with_context(|| format!("reading `{}`", path.display()))
    }

    /// The ids of a namespace's objects that have stored something. The runtime makes a file for every object: one that has
    /// stored nothing has one page and nothing in its log.
    pub(crate) fn objects(&self, namespace: &str) -> Vec<String> {
        let folder = self.path.join("objects").join(namespace);
        let Ok(entries) = fs::read_dir(&folder) else {
            return Vec::new();
        };
        let bytes = |name: String| fs::metadata(folder.join(name)).map_or(0, |file| file.len());
        let has_stored = |id: &String| {
            bytes(format!("{id}.sqlite")) > PAGE_BYTES || bytes(format!("{id}.sqlite-wal")) > 0
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut ids: Vec<String> = names
            .filter_map(|name| name.strip_suffix(".sqlite").map(str::to_owned))
            .filter(|id| id != "metadata")
            .filter(has_stored)
            .collect();
        ids.sort();
        ids
    }

    /// Removes what the objects of a deleted namespace stored.
    pub(crate) fn forget(&self, namespace: &str) {
        let _ = fs::remove_dir_all(self.path.join("objects").join(namespace));
    }
}

/// Writes a file for the owner only, whole or not at all, in the place of what stands there: a link to somewhere else is not followed.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> io::Result<()> {
        let mut file = NamedTempFile::new_in(path.parent().unwrap_or(path))?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("writing `{}`", path.display()))
}

/// Takes the lock of a directory for this process; whether it did. A program that was being started when its last sandbox
/// stopped has that lock for the moment until it runs, so one that is held is tried again for a second.
fn take(lock: &File) -> bool {
    const TRIES: u32 = 20;
    (0..TRIES).any(|tried| {
        if tried > 0 {
            std::thread::sleep(Duration::from_millis(50));
        }
        flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok()
    })
}
