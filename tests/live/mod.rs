//! A smoke test of a real account: the tool's commands one after the other, each with what must come of it, and a report that can
//! be shown to others.
//!
//! - pure: [`redact`] with [`harmless`], [`shape`], [`report`], [`name`], [`summary`]
//! - the account: [`credentials`], [`account`], [`remains`]; [`proxy`] writes down what the tool and the account say to each other
//! - the run: [`flow`], which runs a [`step`] after the other in a [`project`], and [`clean`]
//!
//! Its own test is `tests/smoke`, which runs it against the sandbox.

pub(crate) mod account;
pub(crate) mod arguments;
pub(crate) mod clean;
pub(crate) mod credentials;
mod exit;
pub(crate) mod flow;
mod harmless;
pub(crate) mod name;
pub(crate) mod project;
pub(crate) mod proxy;
pub(crate) mod redact;
pub(crate) mod remains;
pub(crate) mod report;
mod say;
mod shape;
pub(crate) mod step;
mod stop;
pub(crate) mod summary;

use std::ffi::OsString;

use clap::Parser;

use self::arguments::Arguments;
use self::credentials::Credentials;
use self::exit::{FAILURE, USAGE};
use self::flow::Run;
use self::proxy::Target;
use self::stop::Stop;

/// The API's own address.
const API: &str = "https://api.cloudflare.com/client/v4";

/// The program, with its arguments. Its exit code.
pub(crate) fn main(args: impl Iterator<Item = OsString>) -> u8 {
    let arguments = Arguments::parse_from(args);
    let credentials = match Credentials::from(|name| std::env::var(name).ok()) {
        Ok(credentials) => credentials,
        Err(unusable) => {
            eprintln!("error: {unusable}");
            return USAGE;
        }
    };
    // reqwest is built without a default
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: starting the runtime: {error}");
            return FAILURE;
        }
    };
    match runtime.block_on(run(&arguments, credentials)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            FAILURE
        }
    }
}

async fn run(arguments: &Arguments, credentials: Credentials) -> anyhow::Result<u8> {
    let (api, target) = match &arguments.sandbox {
        None => (API, Target::Cloudflare),
        Some(api) => (api.as_str(), Target::Sandbox),
    };
    let stop = Stop::listen()?;
    if arguments.clean {
        return clean::clean(api, target, credentials, arguments.yes, &stop).await;
    }
    let run = Run::new(api, target, credentials, stop).await?;
    run.finish().await
}
