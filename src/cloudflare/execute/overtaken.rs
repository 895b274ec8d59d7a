//! Somebody else deployed since the plan was made, or in the same moment.

use std::fmt;

use crate::plan::Split;

/// Somebody else's deployment, found before it was written over.
#[derive(Debug)]
pub struct Overtaken(pub String);

impl fmt::Display for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Overtaken {}

/// The split of `script` is another one than the plan saw.
pub(super) fn deployed(script: &str, now: &Split) -> anyhow::Error {
    let now: Vec<&str> = now.versions().collect();
    let text = if now.is_empty() {
        format!("somebody deleted `{script}` since the plan was made; plan again")
    } else {
        format!(
            "somebody else deployed `{script}` since the plan was made: `{}` is live; plan again",
            now.join("`, `")
        )
    };
    Overtaken(text).into()
}

/// A host is another script's, or switches Workers off.
pub(super) fn taken(what: &str, owner: Option<String>) -> anyhow::Error {
    let owner = owner.map_or("no script".to_owned(), |owner| {
        format!("the script `{owner}`")
    });
    anyhow::anyhow!("{what} belongs to {owner} since the plan was made; plan again")
}
