//! Builds: from the Workers' sources to finished files, named by their content, and the tools that this takes.
//!
//! `worker/<name>/build/` holds exactly what is deployed, by this program and by wrangler, and beside it the record of what it
//! was made of; the gateway's also the page at `/console`, which only some environments get. Knows nothing of environments.
//!
//! Imports: `process`, `terminal`

mod compile;
mod console;
mod content;
mod fingerprint;
pub mod module;
mod record;
mod size;
pub mod toolchain;
mod worker;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use self::content::code_of_modules;
pub use self::module::Module;
use self::record::Record;
pub use self::size::Size;
use self::toolchain::{BuildTools, wasm_target};
pub use self::worker::Worker;
use crate::process::file::{self, Readers};
use crate::process::file_lock;
use crate::process::run::Runner;
use crate::terminal::advice::Advice;

/// A Worker, ready for upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Which Worker it is.
    pub worker: Worker,
    /// Its files.
    pub modules: Vec<Module>,
    /// The name of the module that it starts with.
    pub main_module: &'static str,
    /// A name for exactly this content: 64 hexadecimal digits.
    pub hash: String,
    /// How large it is.
    pub size: Size,
}

impl Bundle {
    /// The hash's first 16 digits: short enough for a version tag at Cloudflare, which takes 25 characters.
    pub fn tag(&self) -> &str {
        &self.hash[..16]
    }
}

/// Both Workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundles {
    /// Routes, authentication, limits; owns the secrets.
    pub gateway: Bundle,
    /// Defines the Durable Object.
    pub room: Bundle,
    /// The gateway with the page at `/console`: for environments that only developers see.
    pub with_console: Bundle,
}

impl Bundles {
    /// The bundles of the project at `root`, with its page as it is now.
    pub fn new(root: &Path, gateway: Bundle, room: Bundle) -> Result<Self> {
        Ok(Self {
            with_console: console::with(&gateway, console::read(root)?)?,
            gateway,
            room,
        })
    }
}

/// Whether a bundle was made just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Compiled.
    Built,
    /// Found, made of the same inputs.
    Unchanged,
}

/// The finished bundles; an error when one is missing, or older than its sources or the compiler: what [`build`] would build
/// anew. Builds nothing. Where there is no compiler, the one that they were made with is taken for it, and `tell` hears so.
pub fn load(root: &Path, tell: impl Fn(&str)) -> Result<Bundles> {
    let compiler = match which::which("rustc") {
        Ok(_) => Some(wasm_target::compiler(root)?),
        Err(_) => None,
    };
    let load = |worker| {
        let found = unchanged(root, worker, compiler.as_deref())?;
        if let (Some((_, record)), None) = (&found, &compiler) {
            let made_with = record.compiler.lines().next().unwrap_or_default();
            tell(&format!(
                "there is no `rustc` here: the `{worker}` worker is taken as `{made_with}` has built it"
            ));
        }
        found.map(|(bundle, _)| bundle).with_context(|| {
            let what = "is not built, or older than its sources or the compiler";
            Advice::new(
                format!("the `{worker}` worker {what}"),
                "run `edge-broadcast build`",
            )
        })
    };
    Bundles::new(root, load(Worker::Gateway)?, load(Worker::Room)?)
}

/// The bundles of the gateway and of the room, built where they are missing or older than their sources, and which were built.
pub fn build(root: &Path, runner: &Runner) -> Result<[(Bundle, Outcome); 2]> {
    let built = workers(root, runner)?;
    console::publish(root)?;
    Ok(built)
}

fn workers(root: &Path, runner: &Runner) -> Result<[(Bundle, Outcome); 2]> {
    let compiler = wasm_target::compiler(root)?;
    let unchanged = |worker| {
        let found = unchanged(root, worker, Some(&compiler))?;
        anyhow::Ok(found.map(|(bundle, _)| bundle))
    };
    if let (Some(gateway), Some(room)) = (unchanged(Worker::Gateway)?, unchanged(Worker::Room)?) {
        return Ok([gateway, room].map(|bundle| (bundle, Outcome::Unchanged)));
    }
    let tools = toolchain::build_tools(root, runner)?;
    let _alone = file_lock::acquire(&root.join(".edge-broadcast/build.lock"), &runner.progress)?;
    // Looked for again: another process may have built it in the meantime.
    let ensure = |worker| -> Result<_> {
        if let Some(found) = unchanged(worker)? {
            return Ok((found, Outcome::Unchanged));
        }
        let made = make(root, worker, &tools, &compiler, runner)?;
        Ok((made, Outcome::Built))
    };
    Ok([ensure(Worker::Gateway)?, ensure(Worker::Room)?])
}

/// The files that the bundles are made of, relative to `root`. The page is compiled by nobody.
pub(crate) fn inputs(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let of = |worker| fingerprint::files(root, worker);
    let [gateway, room] = [of(Worker::Gateway)?, of(Worker::Room)?];
    let page = PathBuf::from(console::SOURCE);
    Ok(gateway.into_iter().chain(room).chain([page]).collect())
}

/// The finished bundle, when building it again, by `compiler` if there is one, would give the same.
fn unchanged(
    root: &Path,
    worker: Worker,
    compiler: Option<&str>,
) -> Result<Option<(Bundle, Record)>> {
    let found = find(root, worker, &fingerprint::of(root, worker)?);
    let is_by = |record: &Record| compiler.is_none_or(|compiler| record.compiler == compiler);
    Ok(found.filter(|(_, record)| is_by(record)))
}

/// A finished bundle that was made of these inputs and was not touched since.
fn find(root: &Path, worker: Worker, inputs: &str) -> Option<(Bundle, Record)> {
    let output = worker.output(root);
    let record = Record::read(&output).filter(|record| record.inputs == inputs)?;
    let modules = module::read_all(&output).ok()?;
    (module::hash(&modules) == record.hash).then(|| (bundle(worker, modules, &record), record))
}

fn bundle(worker: Worker, modules: Vec<Module>, record: &Record) -> Bundle {
    Bundle {
        worker,
        modules,
        main_module: module::MAIN,
        hash: record.hash.clone(),
        size: record.size,
    }
}

fn make(
    root: &Path,
    worker: Worker,
    tools: &BuildTools,
    compiler: &str,
    runner: &Runner,
) -> Result<Bundle> {
    let step = runner.progress.start(format!(
        "building the {worker} worker: the first time about a minute"
    ));
    // Before compiling: a source that changes meanwhile makes the bundle count as old.
    let inputs = fingerprint::of(root, worker)?;
    let target = compile::target_directory(root);
    let staging = target.join("edge-broadcast").join(worker.name());
    // What an interrupted build left there would make worker-build wait.
    remove(&staging)?;
    let remaps = compile::remaps(root, compiler)?;
    runner
        .run(
            &compile::invocation(root, worker, tools, &remaps, &target, &staging),
            &step,
        )
        .with_context(|| format!("cannot build the `{worker}` worker"))?;
    let modules = module::read_all(&staging)?;
    let record = Record {
        inputs,
        compiler: compiler.to_owned(),
        hash: module::hash(&modules),
        size: Size::of(&modules)?,
    };
    publish(&worker.output(root), &modules, &record)?;
    step.finish(&format!("built the {worker} worker"));
    Ok(bundle(worker, modules, &record))
}

/// Replaces what is in `output`. The record goes first and comes last: without it nothing there counts.
fn publish(output: &Path, modules: &[Module], record: &Record) -> Result<()> {
    remove(output)?;
    std::fs::create_dir_all(output)
        .with_context(|| format!("cannot create `{}`", output.display()))?;
    for module in modules {
        file::replace(&output.join(module.name), &module.bytes, Readers::AsBefore)?;
    }
    record.write(output)
}

fn remove(directory: &Path) -> Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove `{}`", directory.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A finished gateway bundle made of the inputs `one`.
    fn published(root: &Path) -> (Bundle, Record) {
        let worker = Worker::Gateway;
        let modules = module::named();
        let record = Record {
            inputs: "one".to_owned(),
            compiler: "rustc 1".to_owned(),
            hash: module::hash(&modules),
            size: Size::of(&modules).unwrap(),
        };
        publish(&worker.output(root), &modules, &record).unwrap();
        (bundle(worker, modules, &record), record)
    }

    #[test]
    fn a_published_bundle_is_found_by_the_inputs_it_was_made_of() {
        let root = tempfile::tempdir().unwrap();
        let published = published(root.path());
        let find = |worker, inputs| find(root.path(), worker, inputs);
        assert_eq!(find(Worker::Gateway, "one"), Some(published));
        assert_eq!(find(Worker::Gateway, "two"), None);
        assert_eq!(find(Worker::Room, "one"), None);
    }

    #[test]
    fn a_bundle_that_somebody_changed_or_half_removed_does_not_count() {
        let root = tempfile::tempdir().unwrap();
        for file in ["index.js", "index_bg.wasm", "bundle.json"] {
            let path = Worker::Gateway.output(root.path()).join(file);
            published(root.path());
            std::fs::write(&path, "changed").unwrap();
            assert_eq!(find(root.path(), Worker::Gateway, "one"), None, "{file}");
            published(root.path());
            std::fs::remove_file(&path).unwrap();
            assert_eq!(find(root.path(), Worker::Gateway, "one"), None, "{file}");
        }
    }

    #[test]
    fn publishing_leaves_nothing_of_what_was_there_before() {
        let root = tempfile::tempdir().unwrap();
        let output = Worker::Gateway.output(root.path());
        std::fs::create_dir_all(&output).unwrap();
        std::fs::write(output.join("old.js"), "").unwrap();
        published(root.path());
        let mut names: Vec<_> = std::fs::read_dir(&output)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["bundle.json", "index.js", "index_bg.wasm"]);
    }

    #[test]
    fn the_tag_is_short_enough_for_a_version_at_cloudflare() {
        let root = tempfile::tempdir().unwrap();
        let (bundle, _) = published(root.path());
        assert_eq!(bundle.tag().len(), 16);
        assert!(bundle.hash.starts_with(bundle.tag()));
    }
}
