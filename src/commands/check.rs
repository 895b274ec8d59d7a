//! `check`: are the manifests good?

use std::fmt;
use std::process::ExitCode;

use serde::Serialize;

use super::{Context, today};
use crate::commands::cli::Environments;
use crate::environment::problem::Problem;
use crate::environment::project::Problems;
use crate::terminal::output::Format;

#[derive(Serialize)]
struct Answer {
    environments: Vec<String>,
    problems: Vec<Problem>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.environments.as_slice() {
            [one] => write!(f, "`{one}` is good"),
            several => write!(f, "`{}` are good", several.join("`, `")),
        }
    }
}

pub(super) fn run(context: &Context, args: &Environments) -> anyhow::Result<ExitCode> {
    let (environments, problems) = match context.project.distinct(&args.environments, &today()) {
        Ok(environments) => (environments, Vec::new()),
        // People get the problems as the error
        Err(error) if context.format == Format::Json => {
            (Vec::new(), error.downcast::<Problems>()?.0)
        }
        Err(error) => return Err(error),
    };
    let names = environments.iter().map(|it| it.name.to_string());
    let answer = Answer {
        environments: names.collect(),
        problems,
    };
    context.format.answer(&answer)?;
    Ok(match answer.problems.as_slice() {
        [] => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
