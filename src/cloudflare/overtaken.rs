//! Somebody else deployed since the plan was made, or in the same moment.

use std::fmt;

use crate::plan::Split;
use crate::terminal::advice::Advice;

/// Somebody else's deployment, found before it was written over; or after it, where [`MayBeDone`](super::error::MayBeDone) says so.
#[derive(Debug)]
pub(crate) struct Overtaken(pub(crate) Advice);

impl Overtaken {
    pub(super) fn new(what: String) -> Self {
        Self(Advice::new(what, "plan again"))
    }
}

impl fmt::Display for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Overtaken {}

/// The split of `script` is another one than the plan saw.
pub(super) fn deployed(script: &str, now: &Split) -> anyhow::Error {
    let now: Vec<&str> = now.versions().collect();
    Overtaken::new(match now.as_slice() {
        [] => format!("somebody deleted `{script}` since the plan was made"),
        _ => format!(
            "somebody else deployed `{script}` since the plan was made: `{}` is live",
            now.join("`, `")
        ),
    })
    .into()
}

/// A host is another script's, or switches Workers off.
pub(super) fn taken(what: &str, owner: Option<String>) -> anyhow::Error {
    let owner = owner.map_or("no script".to_owned(), |owner| {
        format!("the script `{owner}`")
    });
    let what = format!("{what} belongs to {owner} since the plan was made");
    Advice::new(what, "plan again").into()
}
