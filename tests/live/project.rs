//! The project of a run: the repository's workers with one manifest of its own, and files for its secrets.

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::Context;
use edge_broadcast::secret::Value;
use serde_json::json;

use super::credentials::Credentials;
use super::name::Name;

/// What a project needs besides its manifests.
const SHARED: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "sandbox",
    "templates",
    "worker",
    "target",
    ".edge-broadcast",
];
/// Holds the two secrets; it is their source and the rotation's sender at once.
const KEYS: &str = "keys.json";
const PROJECT: &str = "project";

/// What the manifest asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    First,
    /// Differs in a setting of each Worker.
    Second,
}

/// A folder of a run: what it printed, its report, and for as long as it runs its project.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Below the build's own folder, for its owner's eyes only.
    pub(crate) fn create(name: &Name) -> anyhow::Result<Self> {
        let folder = all().join(name.gateway());
        let steps = folder.join("steps");
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&steps)
            .with_context(|| format!("making `{}`", steps.display()))?;
        Ok(Self(folder))
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.0.join(inside)
    }

    /// Where the tool runs.
    pub(crate) fn project(&self) -> PathBuf {
        self.path(PROJECT)
    }

    /// Makes the project, with new secrets and without a manifest yet.
    pub(crate) fn make_project(&self) -> anyhow::Result<()> {
        let project = self.project();
        let doing = || format!("making `{}`", project.display());
        std::fs::create_dir_all(project.join("environments")).with_context(doing)?;
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in SHARED {
            let original = repository.join(name);
            if original.exists() {
                symlink(original, project.join(name)).with_context(doing)?;
            }
        }
        let [webhook, admin] = [Value::generate(), Value::generate()];
        let keys = json!({ "WEBHOOK_SECRET": webhook.expose(), "ADMIN_SECRET": admin.expose() });
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(project.join(KEYS))
            .with_context(doing)?;
        serde_json::to_writer(file, &keys).with_context(doing)
    }

    /// Writes the manifest.
    pub(crate) fn write(
        &self,
        name: &Name,
        credentials: &Credentials,
        release: Release,
    ) -> anyhow::Result<()> {
        let path = format!("environments/{}.toml", name.environment());
        let path = self.project().join(path);
        std::fs::write(&path, manifest(name, credentials, release))
            .with_context(|| format!("writing `{}`", path.display()))
    }

    /// Removes the project and the secrets in it; what was printed stays.
    pub(crate) fn remove_project(&self) -> anyhow::Result<()> {
        remove(&self.project())
    }
}

/// Where the folders of all runs are.
pub(crate) fn all() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("live")
}

/// Removes the projects that these runs, which were killed, left behind: their scripts' names are known.
pub(crate) fn remove_of<'a>(mut gateways: impl Iterator<Item = &'a str>) -> anyhow::Result<()> {
    gateways.try_for_each(|gateway| remove(&all().join(gateway).join(PROJECT)))
}

fn remove(project: &Path) -> anyhow::Result<()> {
    // Links are removed, never followed
    match std::fs::remove_dir_all(project) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing `{}`", project.display()))
        }
        _ => Ok(()),
    }
}

/// A custom domain makes its own DNS record and certificate, so that the zone needs no preparation. Rooms restart at once: the run
/// has no sockets to spare.
fn manifest(name: &Name, credentials: &Credentials, release: Release) -> String {
    let Credentials { account, zone, .. } = credentials;
    let host = name.host(zone);
    let (history, bytes) = match release {
        Release::First => (64, 16384),
        Release::Second => (32, 8192),
    };
    format!(
        r#"[worker]
name = "edge-broadcast"
compatibility_date = "2026-10-01"
code_update = {{ mode = "immediate" }}

[cloudflare]
account_id = "{account}"
zone = "{zone}"

[[routes]]
host = "{host}"
custom_domain = true

[room]
history = {history}

[access]
allowed_origins = ["https://{host}"]
max_message_bytes = {bytes}

[secrets.WEBHOOK_SECRET]
source = "file:{KEYS}"
retry_horizon = "5s"
senders = [{{ kind = "file", path = "{KEYS}" }}]

[secrets.ADMIN_SECRET]
source = "file:{KEYS}"
"#
    )
}
