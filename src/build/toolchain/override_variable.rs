//! A user's own program in place of an installed one.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::terminal::advice::Advice;

/// The program that the variable names, if it is set.
pub(super) fn program(variable: &str) -> Result<Option<PathBuf>> {
    let named = env::var_os(variable).filter(|value| !value.is_empty());
    named
        .map(|value| resolve(variable, &value, env::var_os("PATH").as_deref()))
        .transpose()
}

/// A bare name is looked for on the path. A path becomes absolute: tools are started in other directories than this one.
fn resolve(variable: &str, value: &OsStr, path: Option<&OsStr>) -> Result<PathBuf> {
    let found = which::which_in(value, path, env::current_dir()?);
    found.map_err(|_| {
        let named = Path::new(value).display();
        Advice::new(
            format!("`{variable}` is `{named}`, which is not a program"),
            "correct it, or unset it to have the tool installed",
        )
        .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_looked_for_on_the_path_and_a_path_is_taken_as_it_is() {
        let bin = Some(OsStr::new("/bin"));
        let by_name = resolve("X_BIN", "sh".as_ref(), bin).unwrap();
        let by_path = resolve("X_BIN", "/bin/sh".as_ref(), None).unwrap();
        assert_eq!(
            [by_name, by_path],
            ["/bin/sh", "/bin/sh"].map(PathBuf::from)
        );
    }

    #[test]
    fn a_variable_that_names_no_program_is_an_error_rather_than_ignored() {
        let error = resolve("X_BIN", "/etc/passwd".as_ref(), None).unwrap_err();
        assert_eq!(
            format!("{:#}", Advice::of(&error)),
            "`X_BIN` is `/etc/passwd`, which is not a program\n\
             help: correct it, or unset it to have the tool installed"
        );
    }
}
