//! `check`: are the manifests good?

use std::fmt;
use std::process::ExitCode;

use serde::Serialize;

use super::Context;
use crate::cli::Environments;
use crate::environment::problem::Problem;
use crate::environment::project::Problems;

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
    match context.project.environments(&args.environments) {
        Ok(environments) => {
            let environments = environments
                .iter()
                .map(|environment| environment.name.to_string())
                .collect();
            context.format.answer(&Answer {
                environments,
                problems: Vec::new(),
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => match error.downcast::<Problems>() {
            Ok(Problems(problems)) if context.format == crate::terminal::output::Format::Json => {
                context.format.answer(&Answer {
                    environments: Vec::new(),
                    problems,
                })?;
                Ok(ExitCode::FAILURE)
            }
            Ok(problems) => Err(problems.into()),
            Err(error) => Err(error),
        },
    }
}
