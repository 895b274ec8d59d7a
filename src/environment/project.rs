//! The project on disk: its root folder and the manifests in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::clash::{self, Clash};
use super::owner;
use crate::environment::Environment;
use crate::environment::name::EnvironmentName;
use crate::environment::problem::Problem;
use crate::terminal::advice::Advice;
use crate::terminal::suggestion;

/// A folder that has `environments/` and `worker/`, with every manifest read once.
#[derive(Debug)]
pub struct Project {
    /// The folder, absolute.
    pub root: PathBuf,
    /// What each manifest means, its problems, or why it cannot be read: a mistake for whoever needs that one.
    manifests: BTreeMap<EnvironmentName, Read>,
}

/// What one manifest means, its problems, or why it cannot be read.
type Read = Result<Result<Environment, Vec<Problem>>, Advice>;

/// Manifests that could not be understood: every problem of every file.
#[derive(Debug)]
pub struct Problems(pub Vec<Problem>);

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let drawn: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&drawn.join("\n\n"))
    }
}

impl std::error::Error for Problems {}

impl Project {
    /// The nearest folder at or above `from` that is a project.
    pub fn find(from: &Path) -> anyhow::Result<Self> {
        from.ancestors()
            .find(|folder| folder.join("environments").is_dir() && folder.join("worker").is_dir())
            .with_context(|| {
                Advice::new(
                    format!(
                        "`{}` is not in an edge-broadcast project: no folder above it has `environments/` and `worker/`",
                        from.display()
                    ),
                    "change into the project, or name it with `--project`",
                )
            })
            .and_then(|root| Self::load(root.to_owned()))
    }

    /// Reads every manifest of the project at `root`.
    pub fn load(root: PathBuf) -> anyhow::Result<Self> {
        let folder = root.join("environments");
        let reading = || format!("reading `{}`", folder.display());
        let mut manifests = BTreeMap::new();
        for entry in std::fs::read_dir(&folder).with_context(reading)? {
            let path = entry.with_context(reading)?.path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                let name = stem
                    .parse()
                    .map_err(|error: String| Advice::from(error.as_str()))
                    .with_context(|| format!("the file name of `{}`", path.display()))?;
                let read = read(&path, &name).map_err(|error| Advice::of(&error));
                manifests.insert(name, read);
            }
        }
        let owner = owner::of_checkout(&root);
        for environment in manifests.values_mut().filter_map(good_mut) {
            environment.owner = environment.owner.take().or_else(|| owner.clone());
        }
        Ok(Self { root, manifests })
    }

    /// The environments whose manifests are good.
    pub fn good(&self) -> impl Iterator<Item = &Environment> {
        let manifests = self.manifests.values();
        manifests.filter_map(|meant| meant.as_ref().ok()?.as_ref().ok())
    }

    /// The environments whose manifests could not be read or understood.
    pub fn unread(&self) -> impl Iterator<Item = &EnvironmentName> {
        let manifests = self.manifests.iter();
        manifests.filter_map(|(name, meant)| (!matches!(meant, Ok(Ok(_)))).then_some(name))
    }

    /// One environment by the name a person typed.
    pub fn environment(&self, name: &str) -> anyhow::Result<Environment> {
        let mut found = self.environments(&[name.to_owned()])?;
        Ok(found.remove(0))
    }

    /// As [`Self::environments`], unless another good manifest has a script or a host of one of them: whoever is deployed last would
    /// have both.
    pub fn distinct(&self, wanted: &[String]) -> anyhow::Result<Vec<Environment>> {
        let chosen = self.environments(wanted)?;
        let problems: Vec<Problem> = chosen
            .iter()
            .flat_map(|environment| {
                let others = self.good().filter(|other| {
                    // Of two that are both chosen, the problem is told once
                    let told = chosen.iter().any(|it| it.name == other.name);
                    if told {
                        other.name < environment.name
                    } else {
                        other.name != environment.name
                    }
                });
                let clashes = others.flat_map(|other| clash::between(environment, other));
                clashes
                    .map(|clash| self.problem(environment, &clash))
                    .collect::<Vec<_>>()
            })
            .collect();
        match problems.is_empty() {
            true => Ok(chosen),
            false => Err(Problems(problems).into()),
        }
    }

    fn problem(&self, environment: &Environment, clash: &Clash) -> Problem {
        let path = format!("environments/{}.toml", environment.name);
        let source = std::fs::read_to_string(self.root.join(&path)).unwrap_or_default();
        let quoted = format!("\"{}\"", clash.text);
        let span = source
            .find(&quoted)
            .map_or(0..0, |at| at..at + quoted.len());
        Problem::at(&path, &source, span, &clash.message)
    }

    /// The named environments, or all when none is named. Problems of all of them are reported together.
    pub fn environments(&self, wanted: &[String]) -> anyhow::Result<Vec<Environment>> {
        let known: Vec<_> = self.manifests.keys().collect();
        let mut environments = Vec::new();
        let mut problems = Vec::new();
        for name in choose(&known, wanted)? {
            match self.manifests[name].as_ref().map_err(Advice::clone)? {
                Ok(environment) => environments.push(environment.clone()),
                Err(found) => problems.extend(found.iter().cloned()),
            }
        }
        if problems.is_empty() {
            Ok(environments)
        } else {
            Err(Problems(problems).into())
        }
    }
}

fn good_mut(read: &mut Read) -> Option<&mut Environment> {
    read.as_mut().ok()?.as_mut().ok()
}

fn read(path: &Path, name: &EnvironmentName) -> anyhow::Result<Result<Environment, Vec<Problem>>> {
    let source =
        std::fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?;
    Ok(Environment::resolve(
        name,
        &format!("environments/{name}.toml"),
        &source,
    ))
}

fn choose<'a>(
    known: &[&'a EnvironmentName],
    wanted: &[String],
) -> anyhow::Result<Vec<&'a EnvironmentName>> {
    let texts: Vec<&str> = known.iter().map(|name| name.as_str()).collect();
    if texts.is_empty() {
        bail!(Advice::new(
            "there is no environment",
            "write `environments/staging.toml`"
        ));
    }
    let mut chosen: Vec<&EnvironmentName> = Vec::new();
    for name in wanted {
        let Some(at) = texts.iter().position(|text| text == name) else {
            let fix = suggestion::nearest(name, &texts);
            bail!(Advice {
                what: format!(
                    "there is no environment `{name}`; `environments/` has `{}`",
                    texts.join("`, `")
                ),
                fix: fix.map(|near| format!("did you mean `{near}`?")),
            });
        };
        if !chosen.contains(&known[at]) {
            chosen.push(known[at]);
        }
    }
    Ok(if chosen.is_empty() {
        known.to_vec()
    } else {
        chosen
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_environment_is_answered_with_the_known_ones_and_the_nearest() {
        let known: Vec<EnvironmentName> = ["local", "production", "staging"]
            .map(|name| name.parse().unwrap())
            .into();
        let known: Vec<_> = known.iter().collect();
        let error = |name: &str| {
            let error = choose(&known, &[name.to_owned()]).unwrap_err();
            format!("{:#}", Advice::of(&error))
        };
        assert_eq!(
            error("stagin"),
            "there is no environment `stagin`; `environments/` has `local`, `production`, `staging`\nhelp: did you mean `staging`?"
        );
        assert_eq!(
            error("eu"),
            "there is no environment `eu`; `environments/` has `local`, `production`, `staging`"
        );
    }

    #[test]
    fn no_name_means_every_environment_and_a_repeated_name_counts_once() {
        let known: Vec<EnvironmentName> = ["a", "b"].map(|name| name.parse().unwrap()).into();
        let known: Vec<_> = known.iter().collect();
        assert_eq!(choose(&known, &[]).unwrap().len(), 2);
        let twice = ["b".to_owned(), "b".to_owned()];
        assert_eq!(choose(&known, &twice).unwrap(), [known[1]]);
    }
}
