//! What npm packages call this operating system and processor.

use std::env::consts::{ARCH, OS};

use crate::terminal::advice::Advice;
use anyhow::{Result, bail};

/// As in `@esbuild/linux-x64`.
pub fn of_esbuild() -> Result<&'static str> {
    match (OS, ARCH) {
        ("linux", "x86_64") => Ok("linux-x64"),
        ("linux", "aarch64") => Ok("linux-arm64"),
        ("macos", "x86_64") => Ok("darwin-x64"),
        ("macos", "aarch64") => Ok("darwin-arm64"),
        _ => bail!(unknown("esbuild", "ESBUILD_BIN")),
    }
}

/// As in `@cloudflare/workerd-linux-64`.
pub fn of_workerd() -> Result<&'static str> {
    match (OS, ARCH) {
        ("linux", "x86_64") => Ok("linux-64"),
        ("linux", "aarch64") => Ok("linux-arm64"),
        ("macos", "x86_64") => Ok("darwin-64"),
        ("macos", "aarch64") => Ok("darwin-arm64"),
        _ => bail!(unknown("workerd", "WORKERD_BIN")),
    }
}

fn unknown(tool: &str, variable: &str) -> Advice {
    Advice::new(
        format!("{tool} is not known for {OS} on {ARCH}"),
        format!("name your own in `{variable}`"),
    )
}
