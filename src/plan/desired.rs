//! The state that the manifest and the bundles ask for.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::version_tag;
use crate::build::module::hex;
use crate::build::{Bundle, Bundles};
use crate::environment::script::{self, Script};
use crate::environment::{Environment, Served};

/// The state that the manifest and the bundles ask for.
#[derive(Clone, Debug)]
pub struct Desired {
    pub environment: String,
    pub zone: String,
    /// Room first: the gateway's binding needs the class to exist.
    pub scripts: [Wanted; 2],
    pub hosts: Vec<Served>,
    /// Names of scripts that are to be this project's, whosever they are.
    pub adopted: BTreeSet<String>,
    /// Names of scripts of ours that may lose routes and custom domains to this environment.
    pub taken_from: BTreeSet<String>,
}

/// A script with its code.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub script: Script,
    /// The bundle's content hash, 16 hexadecimal digits.
    pub code: String,
}

/// The gateway of `environment`: with the page at `/console` where only developers see it.
pub fn gateway<'a>(environment: &Environment, bundles: &'a Bundles) -> &'a Bundle {
    match environment.is_for_development() {
        true => &bundles.with_console,
        false => &bundles.gateway,
    }
}

impl Wanted {
    /// The version's `workers/tag`.
    pub fn tag(&self) -> String {
        let script = &self.script;
        let settings = (
            &script.bindings,
            &script.compatibility_date,
            script.cpu_ms,
            &script.migrations,
        );
        version_tag::of(&self.code, &settings)
    }
}

impl Desired {
    /// The state that `environment` asks for, with the workers as they are built.
    pub fn of(environment: &Environment, bundles: &Bundles) -> Self {
        let code = |bundle: &Bundle| bundle.tag().to_owned();
        let gateway = gateway(environment, bundles);
        Self::new(environment, code(gateway), code(&bundles.room))
    }

    /// The state that `environment` asks for, with the content hashes of the two bundles.
    pub fn new(environment: &Environment, gateway_code: String, room_code: String) -> Self {
        Self {
            environment: environment.name.to_string(),
            zone: environment.zone.to_string(),
            scripts: [
                Wanted {
                    script: script::room(environment),
                    code: room_code,
                },
                Wanted {
                    script: script::gateway(environment),
                    code: gateway_code,
                },
            ],
            hosts: environment.hosts.clone(),
            adopted: BTreeSet::new(),
            taken_from: BTreeSet::new(),
        }
    }

    /// The same, but the scripts named in `adopted` are taken over from whoever has them.
    #[must_use]
    pub fn adopting(self, adopted: &[String]) -> Self {
        Self {
            adopted: adopted.iter().cloned().collect(),
            ..self
        }
    }

    /// The same, but wanted hosts move over from the scripts named in `scripts`, if they are ours.
    #[must_use]
    pub fn taking_from(self, scripts: &[String]) -> Self {
        Self {
            taken_from: scripts.iter().cloned().collect(),
            ..self
        }
    }

    /// A short name for what both scripts are together, by which a rollback finds what belongs together.
    pub fn release(&self) -> String {
        let tags: Vec<String> = self.scripts.iter().map(Wanted::tag).collect();
        hex(&Sha256::digest(tags.join(" "))[..4])
    }

    pub(super) fn gateway(&self) -> &str {
        &self.scripts[1].script.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Module, Size, Worker};

    fn bundle(worker: Worker, digit: &str) -> Bundle {
        Bundle {
            worker,
            modules: Vec::<Module>::new(),
            main_module: "index.js",
            hash: digit.repeat(64),
            size: Size::default(),
        }
    }

    #[test]
    fn developers_get_the_gateway_with_the_page_and_nobody_else_does() {
        let bundles = Bundles {
            gateway: bundle(Worker::Gateway, "a"),
            room: bundle(Worker::Room, "b"),
            with_console: bundle(Worker::Gateway, "c"),
        };
        let codes = |name: &str, manifest: &str| {
            let environment = Environment::resolve(&name.parse().unwrap(), "e.toml", manifest);
            let desired = Desired::of(&environment.unwrap(), &bundles);
            desired.scripts.map(|wanted| wanted.code[..1].to_owned())
        };
        let local = include_str!("../../environments/local.toml");
        let staging = include_str!("../../environments/staging.toml");
        let production = include_str!("../../environments/production.toml");
        assert_eq!(codes("local", local), ["b", "c"]);
        assert_eq!(codes("staging", staging), ["b", "a"]);
        assert_eq!(codes("production", production), ["b", "a"]);
    }
}
