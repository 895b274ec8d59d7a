//! The checkout and this machine: built workers, tools and the compiler, generated files.

use crate::build::Bundles;
use crate::build::toolchain::present::{self, Found, Tool};
use crate::commands::{Context, generate};
use crate::environment::Environment;
use crate::generate::artifact;
use crate::generate::documents;

use super::finding::Finding;

/// The oldest Rust with which everything here compiles, as the project's `Cargo.toml` says it too.
const OLDEST_RUST: &str = env!("CARGO_PKG_RUST_VERSION");

/// What is looked at once, whatever environments are examined.
pub(super) struct Project {
    tools: Vec<Finding>,
    /// The generated files that are stale, or that no manifest asks for; none where that is not known, with why.
    stale: Result<Vec<String>, Finding>,
}

pub(super) fn look(context: &Context) -> Project {
    let root = &context.project.root;
    let found = present::tools(root, &context.progress);
    let mut tools = found.map_or_else(|error| vec![Finding::failed(&error)], |it| of_tools(&it));
    tools.extend(match present::rustc(root) {
        Ok(release) => of_rustc(&release, OLDEST_RUST),
        // Whoever operates what others built needs none
        Err(_) => Some(Finding::note(
            "there is no Rust compiler here that says its version, so nothing can be built: rustup installs one",
        )),
    });
    if tools.is_empty() {
        tools.push(Finding::well(
            "the tools and the Rust compiler are those that the project needs",
        ));
    }
    Project {
        tools,
        stale: stale(context),
    }
}

/// All of this as it concerns one environment.
pub(super) fn of(
    project: &Project,
    bundles: &anyhow::Result<Bundles>,
    environment: &Environment,
) -> Vec<Finding> {
    let built = match bundles {
        Ok(_) => Finding::well("the workers are built"),
        Err(error) => Finding::failed(error),
    };
    let mut findings = vec![built];
    findings.extend(project.tools.iter().cloned());
    findings.push(match &project.stale {
        Ok(stale) => of_files(stale, environment.name.as_str()),
        Err(unknown) => unknown.clone(),
    });
    findings
}

fn stale(context: &Context) -> Result<Vec<String>, Finding> {
    let root = &context.project.root;
    if !root.join("generated").exists() {
        return Err(Finding::note(
            "nothing is generated yet: a deployment does it, or `edge-broadcast generate`",
        ));
    }
    if !context.project.problems().is_empty() {
        return Err(Finding::note(
            "whether `generated/` is stale is not known, since it is made of all manifests: `edge-broadcast check` shows what is wrong with one",
        ));
    }
    let compared = || {
        let mut files = generate::rendered(context)?;
        let orphans = artifact::orphans(root, &files)?;
        files.extend(documents::documents(root)?);
        let stale = artifact::stale(root, &files)?.into_iter();
        anyhow::Ok(stale.map(|stale| stale.path).chain(orphans).collect())
    };
    compared().map_err(|error| Finding::failed(&error))
}

/// What of the stale files is of an environment or of all.
fn of_files(stale: &[String], environment: &str) -> Finding {
    let is_its = |path: &&String| match path.strip_prefix("generated/") {
        Some(below) => {
            let folder = below.split('/').next().unwrap_or_default();
            [environment, "gateway", "room"].contains(&folder)
        }
        None => true,
    };
    let its: Vec<&str> = stale.iter().filter(is_its).map(String::as_str).collect();
    match its.as_slice() {
        [] => Finding::well("the generated files are as the manifests want them"),
        its => Finding::wrong(
            format!("the generated files are stale: `{}`", its.join("`, `")),
            "edge-broadcast generate",
        ),
    }
}

fn of_tools(tools: &[Tool]) -> Vec<Finding> {
    tools.iter().filter_map(of_tool).collect()
}

fn of_tool(
    Tool {
        name,
        version,
        found,
    }: &Tool,
) -> Option<Finding> {
    match found {
        Found::Installed => None,
        Found::Absent => Some(Finding::note(format!(
            "`{name}` {version} is not installed: what needs it first installs it"
        ))),
        Found::Own {
            variable,
            program,
            version: other,
        } => {
            let named = format!("`{variable}` names `{}`", program.display());
            match other {
                Some(other) if other == version => None,
                Some(other) => Some(Finding::wrong(
                    format!("{named} of version {other}, and `Cargo.lock` has {version}"),
                    format!("unset `{variable}`, or name one of {version}"),
                )),
                None => Some(Finding::note(format!(
                    "{named}, which is used in place of `{name}` {version}"
                ))),
            }
        }
    }
}

/// A compiler that is older than the project needs.
fn of_rustc(release: &str, oldest: &str) -> Option<Finding> {
    let numbers = |version: &str| {
        let version = version.split('-').next().unwrap_or_default();
        let numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
        numbers.collect::<Vec<u32>>()
    };
    (numbers(release) < numbers(oldest)).then(|| {
        Finding::wrong(
            format!("the Rust compiler is {release}, and the project needs {oldest} or newer"),
            "rustup update",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_is_old_by_its_numbers_and_not_by_its_text() {
        for (release, is_old) in [
            ("1.89.0", false),
            ("1.100.0-nightly", false),
            ("2.0.0", false),
            ("1.88.9", true),
            ("1.9.0", true),
            ("", true),
        ] {
            assert_eq!(of_rustc(release, "1.89").is_some(), is_old, "{release}");
        }
        assert_eq!(
            of_rustc("1.70.0", "1.89"),
            Some(Finding::wrong(
                "the Rust compiler is 1.70.0, and the project needs 1.89 or newer",
                "rustup update"
            ))
        );
    }

    #[test]
    fn a_tool_that_is_absent_is_a_note_and_one_of_another_version_is_wrong_where_that_matters() {
        let own = |version: Option<&str>| Found::Own {
            variable: "X_BIN",
            program: "/opt/x".into(),
            version: version.map(str::to_owned),
        };
        let told = |found| {
            of_tool(&Tool {
                name: "x",
                version: "1.2.3".to_owned(),
                found,
            })
        };
        assert_eq!(told(Found::Installed), None);
        assert_eq!(told(own(Some("1.2.3"))), None);
        assert_eq!(
            told(Found::Absent),
            Some(Finding::note(
                "`x` 1.2.3 is not installed: what needs it first installs it"
            ))
        );
        assert_eq!(
            told(own(None)),
            Some(Finding::note(
                "`X_BIN` names `/opt/x`, which is used in place of `x` 1.2.3"
            ))
        );
        assert_eq!(
            told(own(Some("1.0.0"))),
            Some(Finding::wrong(
                "`X_BIN` names `/opt/x` of version 1.0.0, and `Cargo.lock` has 1.2.3",
                "unset `X_BIN`, or name one of 1.2.3"
            ))
        );
    }

    #[test]
    fn a_stale_file_of_another_environment_is_not_this_ones() {
        let stale = ["generated/production/routes.toml".to_owned()];
        assert!(!of_files(&stale, "staging").is_wrong());
        assert_eq!(
            of_files(&stale, "production"),
            Finding::wrong(
                "the generated files are stale: `generated/production/routes.toml`",
                "edge-broadcast generate"
            )
        );
        for all in ["generated/gateway/wrangler.toml", "docs/openapi.json"] {
            assert!(of_files(&[all.to_owned()], "staging").is_wrong(), "{all}");
        }
    }
}
