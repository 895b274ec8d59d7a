//! The page at `/console`: one more module of the gateway, for environments that only developers see.

use std::path::Path;

use anyhow::{Context, Result};

use super::Bundle;
use super::module::{self, CONSOLE, Module};
use super::size::Size;
use super::worker::Worker;
use crate::process::file::{self, Readers};

/// Where its source is, in the project.
pub(super) const SOURCE: &str = "worker/console/index.html";

/// The page as it is now.
pub(super) fn read(root: &Path) -> Result<Module> {
    let path = root.join(SOURCE);
    let bytes =
        std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let (name, content_type) = CONSOLE;
    Ok(Module {
        name,
        content_type,
        bytes,
    })
}

/// The gateway with the page.
pub(super) fn with(gateway: &Bundle, page: Module) -> Result<Bundle> {
    let size = gateway.size + Size::of(std::slice::from_ref(&page))?;
    let mut modules = gateway.modules.clone();
    modules.push(page);
    Ok(Bundle {
        hash: module::hash(&modules),
        size,
        modules,
        ..*gateway
    })
}

/// Puts the page beside the gateway's own modules, where wrangler takes it from.
pub(super) fn publish(root: &Path) -> Result<()> {
    let page = read(root)?;
    let path = Worker::Gateway.output(root).join(page.name);
    match std::fs::read(&path) {
        Ok(there) if there == page.bytes => Ok(()),
        _ => file::replace(&path, &page.bytes, Readers::AsBefore),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::code_of_modules;

    fn write(root: &Path, text: &str) {
        let path = root.join(SOURCE);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn gateway() -> Bundle {
        let modules = module::named();
        Bundle {
            worker: Worker::Gateway,
            main_module: module::MAIN,
            hash: module::hash(&modules),
            size: Size::of(&modules).unwrap(),
            modules,
        }
    }

    #[test]
    fn the_gateway_with_the_page_is_another_bundle_which_is_recognised_by_its_modules() {
        let root = tempfile::tempdir().unwrap();
        let with = |text: &str| {
            write(root.path(), text);
            with(&gateway(), read(root.path()).unwrap()).unwrap()
        };
        let (one, two) = (with("<p>one"), with("<p>two"));
        let names: Vec<_> = one.modules.iter().map(|module| module.name).collect();
        assert_eq!(names, ["index.js", "index_bg.wasm", "console.page"]);
        assert_ne!(one.tag(), gateway().tag());
        assert_ne!(one.tag(), two.tag());
        for bundle in [one, two, gateway()] {
            let modules = bundle.modules.iter().rev();
            let found = modules.map(|module| (module.name.to_owned(), module.bytes.clone()));
            assert_eq!(
                code_of_modules(found.collect()).as_deref(),
                Some(bundle.tag())
            );
        }
    }

    #[test]
    fn the_page_lies_beside_the_gateways_modules_as_it_is_now() {
        let root = tempfile::tempdir().unwrap();
        let output = Worker::Gateway.output(root.path());
        std::fs::create_dir_all(&output).unwrap();
        for text in ["<p>one", "<p>two", "<p>two"] {
            write(root.path(), text);
            publish(root.path()).unwrap();
            let there = std::fs::read_to_string(output.join("console.page")).unwrap();
            assert_eq!(there, text);
        }
    }

    #[test]
    fn a_project_without_the_page_is_told_which_file_is_missing() {
        let root = tempfile::tempdir().unwrap();
        let error = read(root.path()).unwrap_err();
        let path = root.path().join("worker/console/index.html");
        assert_eq!(
            error.to_string(),
            format!("cannot read `{}`", path.display())
        );
    }
}
