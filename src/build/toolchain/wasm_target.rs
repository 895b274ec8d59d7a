//! The Rust compiler that the project uses, and its wasm standard library.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::invocation::Invocation;
use crate::process::run::{self, Runner};
use crate::process::surroundings::Purpose;
use crate::terminal::advice::Advice;

/// What Workers run.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Adds the wasm standard library to the project's compiler unless it has it.
pub(crate) fn ensure(root: &Path, runner: &Runner) -> Result<()> {
    let library = ask_rustc(root, &["--print", "target-libdir", "--target", TARGET])?;
    if Path::new(library.trim()).is_dir() {
        return Ok(());
    }
    if which::which("rustup").is_err() {
        bail!(Advice::new(
            format!(
                "the Rust compiler has no standard library for `{TARGET}`, and there is no `rustup` to add it"
            ),
            format!(
                "install rustup, or your system's package of that library (it belongs in `{}`)",
                library.trim()
            )
        ));
    }
    let step = runner.progress.start(format!(
        "adding the Rust target {TARGET}: once, a few seconds"
    ));
    runner.run(&addition(root), &step).with_context(|| {
        Advice::new(
            format!("cannot add the Rust target `{TARGET}`"),
            "check that rustup reaches its server",
        )
    })?;
    step.finish(&format!("added the Rust target {TARGET}"));
    Ok(())
}

/// Which compiler it is, to the commit: `rustc -vV`.
pub(crate) fn compiler(root: &Path) -> Result<String> {
    ask_rustc(root, &["-vV"])
}

/// Where the compiler keeps its libraries.
pub(crate) fn sysroot(root: &Path) -> Result<PathBuf> {
    Ok(ask_rustc(root, &["--print", "sysroot"])?.trim().into())
}

fn addition(root: &Path) -> Invocation {
    Invocation::new(Purpose::Build, "rustup", root).args(["target", "add", TARGET])
}

// In the project's directory, so that its `rust-toolchain.toml` chooses the compiler.
fn ask_rustc(root: &Path, arguments: &[&str]) -> Result<String> {
    let output =
        run::answer(&Invocation::new(Purpose::Build, "rustc", root).args(arguments)).context(
            Advice::new("cannot start `rustc`", "install Rust with rustup"),
        )?;
    if !output.status.success() {
        bail!(
            "`rustc {}` failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout).context("`rustc` wrote something that is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_added_to_the_toolchain_of_the_project() {
        assert_eq!(
            addition(Path::new("/project")).to_string(),
            "cd /project && rustup target add wasm32-unknown-unknown"
        );
    }
}
