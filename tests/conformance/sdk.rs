//! Cloudflare's own SDKs: programs in their languages, which say what they did.

use std::process::Command;

use super::{Operation, Place, printed, succeeded};
use crate::npm;
use crate::sdk::python as interpreter;
use crate::support::repository;

pub(super) fn javascript() -> Vec<Operation> {
    let place = Place::new();
    npm::project_22(place.project.path());
    place.project.write("sdk.mjs", include_str!("sdk.mjs"));
    let mut command = npm::node_22();
    command.arg("sdk.mjs");
    printed("npm cloudflare 7.3.0", &succeeded(&mut place.lead(command)))
}

pub(super) fn python() -> Vec<Operation> {
    let place = Place::new();
    let mut command = Command::new(interpreter());
    command.arg(repository().join("tests/conformance/sdk.py"));
    printed(
        "PyPI cloudflare 5.9.0",
        &succeeded(&mut place.lead(command)),
    )
}
