//! Whose the scripts are where the manifest does not say it: the repository's, known by the address of its `origin`.
//!
//! The configuration is read as git writes it (git-config(1), "Syntax"), without git: it may be absent, refuse a folder of somebody
//! else, or be steered by variables. What only git knows, like `url.….insteadOf`, is left out; `worker.owner` is there for that.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::build::module::hex;
use crate::environment::name::Owner;

/// The owner that the checkout of `root` names; `None` where it is none, or has no `origin` with a host.
pub(super) fn of_checkout(root: &Path) -> Option<Owner> {
    // As git does: in a hook it is there, and tells which one is meant
    let named = std::env::var_os("GIT_DIR").map(PathBuf::from);
    let working = std::env::current_dir().unwrap_or_default();
    let config = configuration(root, named.map(|folder| working.join(folder)))?;
    of_address(&origin(&String::from_utf8_lossy(&config))?)
}

/// The configuration of the repository in the folder `named`, or where there is none, of the one that `root` is in. What is named is
/// seen from where the program runs (git(1), `GIT_DIR`), which need not be `root`.
fn configuration(root: &Path, named: Option<PathBuf>) -> Option<Vec<u8>> {
    let found = || root.ancestors().find_map(git_folder);
    named
        .and_then(configuration_of)
        .or_else(|| configuration_of(found()?))
}

fn configuration_of(folder: PathBuf) -> Option<Vec<u8>> {
    let folder = match std::fs::read_to_string(folder.join("commondir")) {
        Ok(common) => folder.join(common.trim_end()),
        Err(_) => folder,
    };
    std::fs::read(folder.join("config")).ok()
}

/// The folder of the repository whose work tree is `folder`; in another work tree and in a submodule, a file names it.
fn git_folder(folder: &Path) -> Option<PathBuf> {
    let path = folder.join(".git");
    if path.is_dir() {
        return Some(path);
    }
    let text = std::fs::read_to_string(path).ok()?;
    Some(folder.join(text.strip_prefix("gitdir:")?.trim()))
}

/// The first `url` of `[remote "origin"]`.
fn origin(config: &str) -> Option<String> {
    let mut is_origin = false;
    for line in config.lines() {
        let mut line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let (header, rest) = header.split_once(']')?;
            is_origin = is_remote_origin(header);
            line = rest.trim();
        }
        if let Some((key, value)) = line.split_once('=')
            && is_origin
            && key.trim().eq_ignore_ascii_case("url")
        {
            return Some(plain(value.trim()));
        }
    }
    None
}

/// `remote "origin"`, or the older `remote.origin`.
fn is_remote_origin(header: &str) -> bool {
    let (section, name) = match header.split_once('"') {
        Some((section, name)) => (section.trim(), name.strip_suffix('"')),
        None => match header.split_once('.') {
            Some((section, name)) => (section, Some(name)),
            None => return false,
        },
    };
    section.eq_ignore_ascii_case("remote") && name == Some("origin")
}

/// A value without quotes, escapes and the comment behind it.
fn plain(value: &str) -> String {
    let (mut text, mut quoted) = (String::new(), false);
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => quoted = !quoted,
            '\\' => text.extend(letters.next()),
            '#' | ';' if !quoted => break,
            letter => text.push(letter),
        }
    }
    text.trim_end().to_owned()
}

/// The owner that a remote's address names: `host/path` in lower case, without scheme, user, password, port and `.git`, so that every
/// way to one repository gives one owner. Where that is no [`Owner`], its SHA-256. A folder of this machine is nobody's.
fn of_address(address: &str) -> Option<Owner> {
    let (host, path) = match address.split_once("://") {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("file") => return None,
        Some((_, rest)) => {
            let (authority, path) = rest.split_once('/')?;
            let host = authority.rsplit('@').next()?;
            let path = path.split(['?', '#']).next()?;
            (without_port(host), path)
        }
        // As in scp: `user@host:path`
        None => {
            let (host, path) = address.split_once(':')?;
            (host.rsplit('@').next()?, path)
        }
    };
    let is_drive = host.len() == 1;
    if host.is_empty() || is_drive || host.contains(['/', '\\']) {
        return None;
    }
    let path = path.to_lowercase();
    let path = path.trim_matches('/');
    let path = path
        .strip_suffix(".git")
        .unwrap_or(path)
        .trim_end_matches('/');
    if path.is_empty() {
        return None;
    }
    let text = format!("{}/{path}", host.to_lowercase());
    let hashed = || format!("sha256-{}", hex(&Sha256::digest(&text)[..16]));
    text.parse().or_else(|_| hashed().parse()).ok()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(address: &str) -> Option<String> {
        of_address(address).map(|owner| owner.to_string())
    }

    #[test]
    fn every_way_to_one_repository_is_one_owner_without_user_and_password() {
        for address in [
            "https://github.com/glow/broadcast",
            "https://github.com/Glow/Broadcast.git",
            "https://x-access-token:ghs_secret@github.com/glow/broadcast.git/",
            "http://user@github.com:8080/glow/broadcast?token=secret",
            "ssh://git@github.com:22/glow/broadcast.git",
            "git://github.com/glow/broadcast",
            "git@github.com:glow/broadcast.git",
            "github.com:/glow/broadcast",
        ] {
            let found = owner(address);
            assert_eq!(
                found.as_deref(),
                Some("github.com/glow/broadcast"),
                "{address}"
            );
        }
    }

    #[test]
    fn a_folder_of_one_machine_is_no_owner() {
        for address in [
            "",
            "/srv/git/broadcast.git",
            "../broadcast",
            "./a:b",
            "file:///srv/git/broadcast.git",
            "C:/git/broadcast",
            r"C:\git\broadcast",
            "https://github.com",
            "https://github.com/",
            "https:///path",
        ] {
            assert_eq!(owner(address), None, "{address}");
        }
    }

    #[test]
    fn what_no_tag_can_hold_is_hashed() {
        let long = format!("https://git.example.com/{}/broadcast", "team/".repeat(12));
        for address in [long.as_str(), "https://git.example.com/a,b&c"] {
            let owner = owner(address).unwrap();
            let digits = owner.strip_prefix("sha256-").unwrap();
            assert_eq!(digits.len(), 32, "{owner}");
        }
        assert_ne!(
            owner("https://a.example/x,y"),
            owner("https://a.example/x&y")
        );
    }

    #[test]
    fn the_address_is_the_first_one_of_origin_as_git_reads_it() {
        let ours = Some("git@h.example:a/b.git".to_owned());
        for config in [
            "[core]\n\tbare = false\n[remote \"upstream\"]\n\turl = other\n[remote \"origin\"]\n\tfetch = +refs/*\n\turl = git@h.example:a/b.git\n\turl = second\n",
            "[Remote \"origin\"] URL=\"git@h.example:a/b.git\" ; a comment\n",
            "[remote.origin]\r\nurl = git@h.example:a/b.git # a comment\r\n",
        ] {
            assert_eq!(origin(config), ours, "{config}");
        }
        for config in [
            "",
            "url = x",
            "[remote \"Origin\"]\nurl = x",
            "[branch \"origin\"]\nurl = x",
            "[remote \"origin\"]\npushurl = x",
        ] {
            assert_eq!(origin(config), None, "{config}");
        }
    }

    #[test]
    fn a_work_tree_of_its_own_and_a_folder_below_have_the_repositorys_owner() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "main/.git/config",
            "[remote \"origin\"]\n\turl = https://h.example/a/b\n",
        );
        write("main/.git/worktrees/tree/commondir", "../..\n");
        write("tree/.git", "gitdir: ../main/.git/worktrees/tree\n");
        write("other.git/config", "[core]\n\tbare = true\n");
        write("tree/project/x", "");
        write("main/project/x", "");
        for project in ["main", "main/project", "tree", "tree/project"] {
            let path = folder.path().join(project);
            let found = path.ancestors().find_map(git_folder).unwrap();
            assert!(found.ends_with(match project.starts_with("main") {
                true => "main/.git",
                false => "tree/../main/.git/worktrees/tree",
            }));
            let url = |named: Option<&str>| {
                let named = named.map(|named| folder.path().join(named));
                origin(&String::from_utf8(configuration(&path, named).unwrap()).unwrap())
            };
            let ours = Some("https://h.example/a/b".to_owned());
            assert_eq!(url(None), ours, "{project}");
            // Nothing is there: the variable was meant for another program, or for another folder
            assert_eq!(url(Some("nowhere")), ours, "{project}");
            assert_eq!(url(Some("other.git")), None, "{project}");
        }
    }
}
