//! `completions` and `man`: what other programs read of the command line.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Run, binary};

/// Runs the tool in `folder`, which is in no project.
fn outside(folder: &Path, args: &[&str]) -> String {
    let ran = Command::new(binary())
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{args:?}: {ran:?}");
    assert_eq!(String::from_utf8_lossy(&ran.stderr), "", "{args:?}");
    String::from_utf8(ran.stdout).unwrap()
}

/// What bash offers for the words, the last of which is being typed.
fn completed(script: &str, words: &[&str]) -> BTreeSet<String> {
    let typed = words
        .iter()
        .map(|word| format!("'{word}'"))
        .collect::<Vec<_>>()
        .join(" ");
    let at = words.len() - 1;
    let asked = format!(
        "{script}\nCOMP_WORDS=({typed}); COMP_CWORD={at}\n\
         _edge__broadcast edge-broadcast \"${{COMP_WORDS[{at}]}}\" \"${{COMP_WORDS[{at}-1]}}\"\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    );
    let mut bash = Command::new("bash")
        .args(["--norc", "--noprofile", "-s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    bash.stdin
        .take()
        .unwrap()
        .write_all(asked.as_bytes())
        .unwrap();
    let ended = bash.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    let said = String::from_utf8(ended.stdout).unwrap();
    said.lines().map(str::to_owned).collect()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn bash_completes_commands_options_and_fixed_values() {
    let folder = tempfile::tempdir().unwrap();
    let script = outside(folder.path(), &["completions", "bash"]);
    let tool = "edge-broadcast";
    assert_eq!(completed(&script, &[tool, "dep"]), set(&["deploy"]));
    assert_eq!(
        completed(&script, &[tool, "secrets", "r"]),
        set(&["remove", "rotate"])
    );
    assert_eq!(
        completed(&script, &[tool, "deploy", "staging", "--roll"]),
        set(&["--rollout"])
    );
    assert_eq!(
        completed(&script, &[tool, "completions", ""])
            .intersection(&set(&["bash", "elvish", "fish", "powershell", "zsh"]))
            .count(),
        5
    );
}

#[test]
fn every_shell_has_completions_as_text_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let text = outside(folder.path(), &["completions", shell]);
        let answer = outside(folder.path(), &["completions", shell, "--json"]);
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["shell"], shell);
        let script = answer["script"].as_str().unwrap();
        assert_eq!(script.trim_end(), text.trim_end(), "{shell}");
        assert!(text.contains("edge-broadcast"), "{shell}");
    }
    let other = Run::new(["completions", "tcsh"]).printed();
    assert!(other.stderr.contains("invalid value 'tcsh'"), "{other:?}");
}

/// The commands that `--help` lists, each as its page is called, with those below it.
fn named(folder: &Path, words: &[&str], names: &mut BTreeSet<String>) {
    names.insert(format!("edge-broadcast{}.1", {
        let below = words.iter().map(|word| format!("-{word}"));
        below.collect::<String>()
    }));
    let mut asked = words.to_vec();
    asked.push("--help");
    let help = outside(folder, &asked);
    let Some(listed) = help.split("Commands:\n").nth(1) else {
        return;
    };
    let listed = listed.split("\n\n").next().unwrap();
    let entry = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    for line in listed.lines().filter(entry) {
        let word = line.split_whitespace().next().unwrap();
        if word != "help" {
            let mut below = words.to_vec();
            below.push(word);
            named(folder, &below, names);
        }
    }
}

#[test]
fn every_command_has_a_manual_page_that_groff_sets_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let said = outside(folder.path(), &["man", "man1"]);
    let mut expected = BTreeSet::new();
    named(folder.path(), &[], &mut expected);
    let told = format!("wrote {} manual pages into `man1`\n", expected.len());
    assert_eq!(said, told);
    let pages: BTreeSet<String> = std::fs::read_dir(folder.path().join("man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(pages, expected);
    for page in &pages {
        let text = std::fs::read_to_string(folder.path().join("man1").join(page)).unwrap();
        assert!(text.contains(".SH NAME\n"), "{page}");
        assert!(text.contains(".SH SYNOPSIS\n"), "{page}");
    }
    let Ok(set) = Command::new("groff")
        // As `man` asks for it
        .args(["-K", "utf8", "-man", "-Tutf8", "-ww"])
        .args(&pages)
        .current_dir(folder.path().join("man1"))
        .output()
    else {
        // A machine without groff
        return;
    };
    assert_eq!(String::from_utf8_lossy(&set.stderr), "");
    let text = String::from_utf8_lossy(&set.stdout);
    assert!(text.contains("edge-broadcast-secrets-rotate(1)"), "{text}");
}

#[test]
fn a_manual_is_not_written_through_a_link() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("theirs")).unwrap();
    std::os::unix::fs::symlink("theirs", folder.path().join("man1")).unwrap();
    let ran = Command::new(binary())
        .args(["man", "man1"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(!ran.status.success());
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(said.contains("is a symbolic link to `theirs`"), "{said}");
    let theirs = std::fs::read_dir(folder.path().join("theirs")).unwrap();
    assert_eq!(theirs.count(), 0);
}
