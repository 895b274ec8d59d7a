//! Files as a whole: replaced at once, never through a symbolic link, and found without following one.

use std::ffi::OsStr;
use std::fs::{Metadata, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::terminal::advice::Advice;

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Who may read it already; of a new file, whom the umask lets.
    AsBefore,
    /// Its owner alone: it holds a value.
    Owner,
}

/// Writes `bytes` to `path`, in a folder that is there: whoever reads it finds the file of before or the whole of the new one.
/// Refuses what is no file: a link would lead the write elsewhere.
pub(crate) fn replace(path: &Path, bytes: &[u8], readers: Readers) -> anyhow::Result<()> {
    let before = what_is_at(path)?;
    let is_there = before.is_some();
    let mode = match (before, readers) {
        (Some(before), _) if !before.is_file() => {
            bail!(
                "`{}` is not a file, and nothing is written to it",
                path.display()
            )
        }
        (_, Readers::Owner) => 0o600,
        (Some(before), Readers::AsBefore) => before.permissions().mode() & 0o777,
        (None, Readers::AsBefore) => 0o666,
    };
    let write = || -> std::io::Result<()> {
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        // Made with what the umask leaves of this mode
        let mut file = tempfile::Builder::new()
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder.unwrap_or(Path::new(".")))?;
        if is_there {
            file.as_file()
                .set_permissions(Permissions::from_mode(mode))?;
        }
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| writing(path))
}

/// The same of a file that is `below` the folder `root`: folders between them are made, and refused where they are links.
pub(crate) fn replace_below(root: &Path, below: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let path = root.join(below);
    let folders: Vec<&Path> = below.ancestors().skip(1).collect();
    for folder in folders.iter().rev().filter(|it| **it != Path::new("")) {
        let folder = root.join(folder);
        if what_is_at(&folder)?.is_none() {
            std::fs::create_dir(&folder)
                .with_context(|| format!("creating `{}`", folder.display()))?;
        }
    }
    replace(&path, bytes, Readers::AsBefore)
}

/// How a file is opened that is written where it stands: never through a link.
pub(crate) fn open_in_place() -> std::fs::OpenOptions {
    let mut options = std::fs::File::options();
    options
        .create(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// Everything below `folder` that is no folder, in order; links are among it and are not followed. Folders that are left out are
/// not looked into. Nothing where there is no such folder.
pub(crate) fn below(
    folder: &Path,
    is_left_out: impl Fn(&OsStr) -> bool,
) -> anyhow::Result<Vec<PathBuf>> {
    if what_is_at(folder)?.is_none() {
        return Ok(Vec::new());
    }
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let listing = || format!("reading `{}`", folder.display());
        for entry in std::fs::read_dir(&folder).with_context(listing)? {
            let entry = entry.with_context(listing)?;
            if !entry.file_type().with_context(listing)?.is_dir() {
                found.push(entry.path());
            } else if !is_left_out(&entry.file_name()) {
                folders.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What stands at `path`; an error where it is a link.
fn what_is_at(path: &Path) -> anyhow::Result<Option<Metadata>> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Ok(metadata) if metadata.is_symlink() => {
            let to = path.read_link().unwrap_or_default();
            bail!(Advice::new(
                format!(
                    "`{}` is a symbolic link to `{}`, and none is followed here",
                    path.display(),
                    to.display()
                ),
                "remove the link, or name what it leads to"
            ))
        }
        metadata => {
            Ok(Some(metadata.with_context(|| {
                format!("reading `{}`", path.display())
            })?))
        }
    }
}

fn writing(path: &Path) -> String {
    format!("writing `{}`", path.display())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn said(result: anyhow::Result<()>) -> String {
        Advice::of(&result.unwrap_err()).line()
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_whole_keeps_its_mode_and_leaves_nothing_beside_it() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/file");
        replace_below(root.path(), Path::new("a/b/file"), b"one").unwrap();
        let new = mode(&path);
        assert_eq!(new & 0o600, 0o600);
        for kept in [0o640, 0o755, 0o600] {
            std::fs::set_permissions(&path, Permissions::from_mode(kept)).unwrap();
            let reader = std::fs::File::open(&path).unwrap();
            replace(&path, b"two", Readers::AsBefore).unwrap();
            assert_eq!(mode(&path), kept);
            // Who has it open reads on in the file of before
            assert_ne!(std::io::read_to_string(reader).unwrap(), "");
        }
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        replace(&path, b"three", Readers::Owner).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(below(root.path(), |_| false).unwrap(), [path]);
    }

    #[test]
    fn nothing_is_written_through_a_link_wherever_it_leads() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir(at("elsewhere")).unwrap();
        std::fs::write(at("elsewhere/file"), "theirs").unwrap();
        symlink("elsewhere/file", at("link")).unwrap();
        symlink("nowhere", at("dangling")).unwrap();
        symlink("elsewhere", at("folder")).unwrap();
        for (name, to) in [("link", "elsewhere/file"), ("dangling", "nowhere")] {
            let refused = format!(
                "`{}` is a symbolic link to `{to}`, and none is followed here; remove the link, or name what it leads to",
                at(name).display()
            );
            for readers in [Readers::AsBefore, Readers::Owner] {
                assert_eq!(said(replace(&at(name), b"ours", readers)), refused);
            }
            assert!(open_in_place().append(true).open(at(name)).is_err());
        }
        let through = replace_below(root.path(), Path::new("folder/file"), b"ours");
        assert!(said(through).contains("folder` is a symbolic link to `elsewhere`"));
        assert!(
            said(replace(&at("elsewhere"), b"ours", Readers::AsBefore)).contains("is not a file")
        );
        assert_eq!(std::fs::read(at("elsewhere/file")).unwrap(), b"theirs");
        assert!(!at("nowhere").exists());
    }

    #[test]
    fn a_folder_is_searched_without_following_what_leads_out_of_it() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::fs::create_dir(at("left-out")).unwrap();
        for name in ["a/b/file", "a/z", "left-out/file"] {
            std::fs::write(at(name), "").unwrap();
        }
        symlink("/", at("a/loop")).unwrap();
        let found = below(root.path(), |name| name == "left-out").unwrap();
        assert_eq!(found, ["a/b/file", "a/loop", "a/z"].map(at));
        symlink("a", at("entry")).unwrap();
        assert!(below(&at("entry"), |_| false).is_err());
        assert_eq!(below(&at("none"), |_| false).unwrap(), [""; 0].map(at));
    }
}
