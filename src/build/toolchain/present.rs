//! Which tools are here already, and whether they are those that the project needs. Installs nothing.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::cache::Cache;
use super::cargo_tool::{self, CargoTool, WASM_BINDGEN, WORKER_BUILD};
use super::locked_versions::LockedVersions;
use super::npm::{self, ESBUILD, NpmTool, WASM_OPT, WORKERD};
use super::{override_variable, wasm_target};
use crate::terminal::progress::Progress;

/// A tool that the project needs.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// The version that is locked.
    pub(crate) version: String,
    pub(crate) found: Found,
}

/// What is here of it.
#[derive(Debug)]
pub(crate) enum Found {
    /// That version.
    Installed,
    /// None: it is installed where it is needed.
    Absent,
    /// A program that this variable names.
    Own {
        variable: &'static str,
        program: PathBuf,
        /// Where it has to be of the locked one.
        version: Option<String>,
    },
}

/// The tools of builds and of the sandbox.
pub(crate) fn tools(root: &Path, progress: &Progress) -> Result<Vec<Tool>> {
    let cache = Cache::locate(progress)?;
    let locked = LockedVersions::read(root)?;
    let mut tools = vec![
        of_cargo(&WORKER_BUILD, locked.worker, &cache)?,
        of_cargo(&WASM_BINDGEN, locked.wasm_bindgen, &cache)?,
    ];
    for tool in [WASM_OPT, ESBUILD, WORKERD] {
        tools.push(of_npm(&tool, &cache)?);
    }
    Ok(tools)
}

/// The release of the Rust compiler that the project uses.
pub(crate) fn rustc(root: &Path) -> Result<String> {
    let said = wasm_target::compiler(root)?;
    let release = said.lines().find_map(|line| line.strip_prefix("release: "));
    Ok(release.unwrap_or_default().trim().to_owned())
}

fn of_cargo(tool: &CargoTool, version: String, cache: &Cache) -> Result<Tool> {
    let own = tool.variable.map(|variable| {
        let program = override_variable::program(variable)?;
        anyhow::Ok(program.map(|program| (variable, program)))
    });
    let found = match own.transpose()?.flatten() {
        Some((variable, program)) => Found::Own {
            version: cargo_tool::version_of(&program),
            variable,
            program,
        },
        None => of_cache(cargo_tool::find(tool, &version, cache)?.is_some()),
    };
    Ok(Tool {
        name: tool.package,
        version,
        found,
    })
}

fn of_npm(tool: &NpmTool, cache: &Cache) -> Result<Tool> {
    let found = match override_variable::program(tool.variable)? {
        Some(program) => Found::Own {
            variable: tool.variable,
            program,
            version: None,
        },
        None => of_cache(npm::is_installed(tool, cache)?),
    };
    Ok(Tool {
        name: tool.package,
        version: npm::version(tool)?,
        found,
    })
}

fn of_cache(is_there: bool) -> Found {
    match is_there {
        true => Found::Installed,
        false => Found::Absent,
    }
}
