//! Where the project is: the directory that holds `environments/` and `worker/`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The project that the current directory is in.
pub fn current() -> Result<PathBuf> {
    let from = std::env::current_dir().context("cannot tell the current directory")?;
    find(&from)
}

/// The nearest directory, from `from` upwards, that holds `environments/` and `worker/`.
pub fn find(from: &Path) -> Result<PathBuf> {
    match from.ancestors().find(|at| is_project(at)) {
        Some(root) => Ok(root.to_owned()),
        None => bail!(
            "no edge-broadcast project in `{}` or above it: no directory there has both `environments/` and `worker/`\n\
             run the command inside the project",
            from.display()
        ),
    }
}

fn is_project(at: &Path) -> bool {
    at.join("environments").is_dir() && at.join("worker").is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_found_from_a_directory_deep_inside_it() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("worker/gateway/src");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir(root.path().join("environments")).unwrap();
        assert_eq!(find(&deep).unwrap(), root.path());
    }

    #[test]
    fn outside_a_project_the_error_says_what_a_project_has() {
        let empty = tempfile::tempdir().unwrap();
        let error = find(empty.path()).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "no edge-broadcast project in `{}` or above it: no directory there has both `environments/` and `worker/`\n\
                 run the command inside the project",
                empty.path().display()
            )
        );
    }
}
