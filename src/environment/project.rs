//! The project on disk: its root folder and the manifests in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::clash::{self, Clash};
use super::day;
use super::owner;
use crate::environment::Environment;
use crate::environment::name::{EnvironmentName, Owner};
use crate::environment::problem::Problem;
use crate::terminal::advice::Advice;
use crate::terminal::{escape, suggestion, utf8};

/// What a manifest means, or its problems.
type Meant = Result<Environment, Vec<Problem>>;

/// A folder that has `environments/` and `worker/`, with every manifest read once.
#[derive(Debug)]
pub struct Project {
    /// The folder, absolute.
    pub root: PathBuf,
    /// Whose the scripts are of whatever no manifest says it of: the checkout's, where it names one.
    pub owner: Option<Owner>,
    /// What each manifest means, or its problems: a mistake for whoever needs that one.
    manifests: BTreeMap<EnvironmentName, Meant>,
    /// Manifests whose file names are no names of environments: a mistake for whoever needs all.
    misnamed: Vec<Problem>,
}

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

    /// Reads every manifest of the project at `root`: each file in `environments/` that ends with `.toml`, but for those whose names
    /// begin with a dot, which editors and file managers leave there.
    pub fn load(root: PathBuf) -> anyhow::Result<Self> {
        let folder = root.join("environments");
        let reading = || format!("reading `{}`", folder.display());
        let mut project = Self {
            owner: owner::of_checkout(&root),
            root,
            manifests: BTreeMap::new(),
            misnamed: Vec::new(),
        };
        for entry in std::fs::read_dir(&folder).with_context(reading)? {
            let path = entry.with_context(reading)?.path();
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let Some(stem) = file
                .strip_suffix(".toml")
                .filter(|_| !file.starts_with('.'))
            else {
                continue;
            };
            match stem.parse() {
                Ok(name) => {
                    let read = read(&path, &name);
                    project.manifests.insert(name, read);
                }
                Err(message) => {
                    let shown = format!("environments/{}", escape::line(&file));
                    project.misnamed.push(Problem::of_file(&shown, &message));
                }
            }
        }
        project.misnamed.sort_by(|a, b| a.path.cmp(&b.path));
        for environment in project.manifests.values_mut().flatten() {
            let owner = environment.owner.take();
            environment.owner = owner.or_else(|| project.owner.clone());
        }
        Ok(project)
    }

    /// The environments whose manifests are good.
    pub fn good(&self) -> impl Iterator<Item = &Environment> {
        let manifests = self.manifests.values();
        manifests.filter_map(|meant| meant.as_ref().ok())
    }

    /// The environments whose manifests could not be read or understood.
    pub fn unread(&self) -> impl Iterator<Item = &EnvironmentName> {
        let manifests = self.manifests.iter();
        manifests.filter_map(|(name, meant)| meant.is_err().then_some(name))
    }

    /// One environment by the name a person typed.
    pub fn environment(&self, name: &str) -> anyhow::Result<Environment> {
        let mut found = self.environments(&[name.to_owned()])?;
        Ok(found.remove(0))
    }

    /// As [`Self::environments`], where each can be deployed on the day `today` (in UTC, as a manifest writes it): unless another good
    /// manifest has a script or a host of one of them, since whoever is deployed last would have both, or a date is in the future.
    pub fn distinct(&self, wanted: &[String], today: &str) -> anyhow::Result<Vec<Environment>> {
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
                day::ahead(environment, today)
                    .into_iter()
                    .chain(clashes)
                    .map(|clash| self.problem(environment, &clash))
                    .collect::<Vec<_>>()
            })
            .collect();
        match problems.is_empty() {
            true => Ok(chosen),
            false => Err(Problems(problems).into()),
        }
    }

    /// Whether `source` could be the manifest of `name` beside those that are there.
    ///
    /// # Errors
    /// Its problems, and what another environment has already.
    pub(crate) fn admits(&self, name: &EnvironmentName, source: &str) -> anyhow::Result<()> {
        let path = format!("environments/{name}.toml");
        let drafted = Environment::resolve(name, &path, source).map_err(Problems)?;
        let clashes = self
            .good()
            .flat_map(|other| clash::between(&drafted, other));
        let problem = |clash: Clash| Problem::at(&path, source, clash.span(source), &clash.message);
        let problems: Vec<Problem> = clashes.map(problem).collect();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Problems(problems).into()),
        }
    }

    fn problem(&self, environment: &Environment, clash: &Clash) -> Problem {
        let path = format!("environments/{}.toml", environment.name);
        let bytes = std::fs::read(self.root.join(&path)).unwrap_or_default();
        let source = utf8::text(&bytes).unwrap_or_default();
        Problem::at(&path, source, clash.span(source), &clash.message)
    }

    /// The named environments, or all when none is named. Problems of all of them are reported together.
    pub fn environments(&self, wanted: &[String]) -> anyhow::Result<Vec<Environment>> {
        let mut environments = Vec::new();
        let mut problems = Vec::new();
        for (_, meant) in self.chosen(wanted)? {
            match meant {
                Ok(environment) => environments.push(environment.clone()),
                Err(found) => problems.extend(found.iter().cloned()),
            }
        }
        if wanted.is_empty() {
            problems.extend(self.misnamed.iter().cloned());
        }
        if problems.is_empty() {
            Ok(environments)
        } else {
            Err(Problems(problems).into())
        }
    }

    /// Each of them by itself, so that one whose manifest has problems does not hide the others: its name (or the path of a file that has
    /// none), and what is wrong.
    pub fn each(
        &self,
        wanted: &[String],
    ) -> anyhow::Result<Vec<Result<Environment, (String, Advice)>>> {
        let wrong = |name: String, problems: &[Problem]| {
            let told = problems.iter().map(Problem::line).collect::<Vec<_>>();
            let helps = problems.iter().filter_map(|problem| problem.help.clone());
            let helps: Vec<_> = helps.collect();
            let advice = Advice {
                what: told.join("; "),
                fix: (!helps.is_empty()).then(|| helps.join("; ")),
            };
            (name, advice)
        };
        let chosen = self.chosen(wanted)?.into_iter();
        let mut each: Vec<_> = chosen
            .map(|(name, meant)| match meant {
                Ok(environment) => Ok(environment.clone()),
                Err(problems) => Err(wrong(name.to_string(), problems)),
            })
            .collect();
        if wanted.is_empty() {
            let misnamed = self.misnamed.iter();
            each.extend(misnamed.map(|it| Err(wrong(it.path.clone(), std::slice::from_ref(it)))));
        }
        Ok(each)
    }

    /// What the manifest of each named environment means, or of every one when none is named.
    fn chosen(&self, wanted: &[String]) -> anyhow::Result<Vec<(&EnvironmentName, &Meant)>> {
        let known: Vec<_> = self.manifests.keys().collect();
        let chosen = choose(&known, wanted)?.into_iter();
        Ok(chosen.map(|name| (name, &self.manifests[name])).collect())
    }

    /// Every problem of every manifest.
    pub fn problems(&self) -> Vec<&Problem> {
        let of_manifests = self
            .manifests
            .values()
            .filter_map(|meant| meant.as_ref().err());
        of_manifests.flatten().chain(&self.misnamed).collect()
    }
}

fn read(path: &Path, name: &EnvironmentName) -> Meant {
    let shown = format!("environments/{name}.toml");
    let unreadable = |what: &str| vec![Problem::of_file(&shown, what)];
    let bytes = std::fs::read(path).map_err(|error| {
        unreadable(&match std::fs::symlink_metadata(path) {
            Ok(it) if it.is_dir() => {
                "it is a folder, and a manifest is a file\nrename or remove it".to_owned()
            }
            Ok(it) if it.is_symlink() => format!(
                "it is a link that leads nowhere ({error})\nremove it, or let it lead to a manifest"
            ),
            _ => format!("it cannot be read: {error}\nlet whoever runs this read it"),
        })
    })?;
    let source = utf8::text(&bytes).map_err(|Advice { what, fix }| {
        unreadable(&format!("{what}\n{}", fix.unwrap_or_default()))
    })?;
    Environment::resolve(name, &shown, source)
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

    const GOOD: &str = "[worker]\nname = \"w\"\ncompatibility_date = \"2026-10-01\"\n[cloudflare]\nzone = \"glow.trade\"\n[[routes]]\nhost = \"a.glow.trade\"\n[secrets.WEBHOOK_SECRET]\nsource = \"env:X\"\n";

    #[test]
    fn a_named_environment_needs_its_own_file_only_and_what_editors_leave_is_no_manifest() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("environments");
        std::fs::create_dir(&folder).unwrap();
        for (file, text) in [
            (
                "staging.toml",
                format!("\u{feff}{}", GOOD.replace('\n', "\r\n")),
            ),
            (".staging.toml", "what an editor keeps".to_owned()),
            (".staging.toml.swp", "what an editor keeps".to_owned()),
            ("staging.toml~", "what it was before".to_owned()),
            ("#staging.toml#", "what was not saved".to_owned()),
            ("staging.toml.bak", "what it was before".to_owned()),
            (".DS_Store", "what a file manager keeps".to_owned()),
        ] {
            std::fs::write(folder.join(file), text).unwrap();
        }
        let link = |file: &str| std::os::unix::fs::symlink("user@host.1:2", folder.join(file));
        link(".#staging.toml").unwrap();
        let load = || Project::load(root.path().to_owned()).unwrap();
        let names = |project: &Project| {
            let all = project.environments(&[]).map_err(|error| error.to_string());
            all.map(|all| all.iter().map(|it| it.name.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(names(&load()), Ok(vec!["staging".to_owned()]));

        link("dangling.toml").unwrap();
        std::fs::create_dir(folder.join("folder.toml")).unwrap();
        std::fs::write(folder.join("Copy of staging.toml"), GOOD).unwrap();
        let utf_16 = GOOD.encode_utf16().flat_map(u16::to_le_bytes);
        let utf_16: Vec<u8> = [0xff, 0xfe].into_iter().chain(utf_16).collect();
        std::fs::write(folder.join("wide.toml"), utf_16).unwrap();
        let project = load();
        assert_eq!(project.environment("staging").unwrap().worker, "w");
        insta::assert_snapshot!(names(&project).unwrap_err(), @r"
error: it is a link that leads nowhere (No such file or directory (os error 2))
--> environments/dangling.toml
 = help: remove it, or let it lead to a manifest

error: it is a folder, and a manifest is a file
--> environments/folder.toml
 = help: rename or remove it

error: it is UTF-16, as `>` of Windows PowerShell writes it
--> environments/wide.toml
 = help: save it as UTF-8: `iconv -f UTF-16 -t UTF-8`, or `Set-Content -Encoding utf8` instead of `>`

error: `Copy of staging` is not a valid environment name
--> environments/Copy of staging.toml
 = help: use at most 20 lower-case letters, digits and dashes, beginning with a letter, like `glow-broadcast`
");
        let each = project.each(&[]).unwrap();
        let names = each.iter().map(|it| match it {
            Ok(environment) => environment.name.as_str(),
            Err((name, _)) => name,
        });
        assert_eq!(
            names.collect::<Vec<_>>().join(", "),
            "dangling, folder, staging, wide, environments/Copy of staging.toml"
        );
    }

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
