//! A user's own program in place of an installed one.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::terminal::advice::Advice;
use anyhow::{Result, bail};

/// The program that the variable names, if it is set.
pub fn program(variable: &str) -> Result<Option<PathBuf>> {
    match std::env::var_os(variable).filter(|value| !value.is_empty()) {
        Some(value) => resolve(variable, value, &search_path()).map(Some),
        None => Ok(None),
    }
}

/// The directories of `$PATH`.
pub fn search_path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map_or_else(Vec::new, |path| std::env::split_paths(&path).collect())
}

/// The first program of that name in the directories.
pub fn find_in(directories: &[PathBuf], name: impl AsRef<Path>) -> Option<PathBuf> {
    directories
        .iter()
        .map(|directory| directory.join(name.as_ref()))
        .find(|candidate| is_program(candidate))
}

fn resolve(variable: &str, value: OsString, directories: &[PathBuf]) -> Result<PathBuf> {
    let named = PathBuf::from(value);
    let found = if named.components().count() == 1 {
        find_in(directories, &named)
    } else {
        // Tools are started in other directories than this one.
        std::path::absolute(&named).ok().filter(|at| is_program(at))
    };
    match found {
        Some(program) => Ok(program),
        None => bail!(Advice::new(
            format!(
                "`{variable}` is `{}`, which is not a program",
                named.display()
            ),
            "correct it, or unset it to have the tool installed"
        )),
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_looked_for_on_the_path_and_a_path_is_taken_as_it_is() {
        let bin = [PathBuf::from("/bin")];
        let by_name = resolve("X_BIN", "sh".into(), &bin).unwrap();
        let by_path = resolve("X_BIN", "/bin/sh".into(), &[]).unwrap();
        assert_eq!(
            [by_name, by_path],
            ["/bin/sh", "/bin/sh"].map(PathBuf::from)
        );
    }

    #[test]
    fn a_variable_that_names_no_program_is_an_error_rather_than_ignored() {
        let error = resolve("X_BIN", "/etc/passwd".into(), &[]).unwrap_err();
        assert_eq!(
            format!("{:#}", Advice::of(&error)),
            "`X_BIN` is `/etc/passwd`, which is not a program\n\
             help: correct it, or unset it to have the tool installed"
        );
    }
}
