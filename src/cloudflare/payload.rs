//! Everything that a plan's steps send, gathered before the first write.

use std::collections::BTreeMap;

use crate::build::{Bundle, Worker};
use crate::environment::script::Script;
use crate::secret::Value;

/// What the steps of a plan send.
pub struct Inputs {
    pub zone: String,
    pub scripts: Vec<Script>,
    pub bundles: BTreeMap<Worker, Bundle>,
    pub secrets: BTreeMap<String, Value>,
}

impl Inputs {
    /// The settings of the script in `role`.
    pub fn script(&self, role: Worker) -> &Script {
        self.scripts
            .iter()
            .find(|script| script.role == role)
            .expect("inputs hold both scripts")
    }

    /// The code of the script in `role`.
    pub fn bundle(&self, role: Worker) -> &Bundle {
        &self.bundles[&role]
    }
}
