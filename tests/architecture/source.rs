//! A crate's files and rooms by what they import, read from its tokens: comments and texts do not count, nor does what only tests
//! import. A name that a door passes on (`pub use`) is imported from the file where it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

/// A crate's files (`plan/step`) and rooms (`plan`), with the texts of the doors.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) files: BTreeMap<String, BTreeSet<String>>,
    pub(super) rooms: BTreeMap<String, BTreeSet<String>>,
    pub(super) doors: BTreeMap<String, String>,
}

/// A file: the module's path, whose last part is the name, and its tokens without those of tests.
struct Module {
    path: Vec<String>,
    tokens: Vec<TokenTree>,
}

/// Where a door passes names on from: module and name to the path inside the crate.
type Passed = BTreeMap<(Vec<String>, String), Vec<String>>;

impl Source {
    /// Reads every file below `folder`, a crate's `src`.
    pub(super) fn read(folder: &Path) -> Self {
        let mut source = Self::default();
        let mut modules = Vec::new();
        let mut only_tests = BTreeSet::new();
        for file in files(folder) {
            let text = std::fs::read_to_string(&file).unwrap();
            let path = module_path(file.strip_prefix(folder).unwrap());
            if let [room] = path.as_slice()
                && !["main", "lib"].contains(&room.as_str())
            {
                source.doors.insert(room.clone(), text.clone());
            }
            let path = if path == ["lib"] { Vec::new() } else { path };
            let tokens: TokenStream = text.parse().unwrap();
            let (tokens, tests) = without_tests(tokens.into_iter().collect());
            only_tests.extend(tests.into_iter().map(|name| joined(&path, name)));
            modules.push(Module { path, tokens });
        }
        modules.retain(|module| {
            !(0..=module.path.len()).any(|end| only_tests.contains(&module.path[..end]))
        });
        let known: BTreeSet<Vec<String>> =
            modules.iter().map(|module| module.path.clone()).collect();
        let mut passed = Passed::new();
        for module in &modules {
            pass_on(module, &known, &mut passed);
        }
        for module in &modules {
            let name = module.path.join("/");
            for import in paths(module, &known) {
                let to = owner(&import, &known, &passed);
                if to == module.path || to.is_empty() {
                    continue;
                }
                source
                    .files
                    .entry(name.clone())
                    .or_default()
                    .insert(to.join("/"));
                let (Some(here), there) = (module.path.first(), &to[0]) else {
                    continue;
                };
                if here != there {
                    source
                        .rooms
                        .entry(here.clone())
                        .or_default()
                        .insert(there.clone());
                }
            }
        }
        source
    }
}

/// The Rust files below `folder`, sorted.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// `plan/step.rs` is `plan::step`, `plan/mod.rs` is `plan`.
fn module_path(file: &Path) -> Vec<String> {
    let file = file.with_extension("");
    let mut parts: Vec<String> = file
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    if parts.last().is_some_and(|name| name == "mod") {
        parts.pop();
    }
    parts
}

fn joined(path: &[String], name: String) -> Vec<String> {
    let mut path = path.to_vec();
    path.push(name);
    path
}

fn ident(token: Option<&TokenTree>) -> Option<String> {
    match token? {
        TokenTree::Ident(ident) => Some(ident.to_string()),
        _ => None,
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// The tokens without what stands after `#[cfg(test)]`, and the names of the modules that are files of their own there.
fn without_tests(tokens: Vec<TokenTree>) -> (Vec<TokenTree>, Vec<String>) {
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_test = is_punct(Some(&token), '#')
            && matches!(tokens.peek(), Some(TokenTree::Group(group)) if group.stream().to_string().replace(' ', "") == "cfg(test)");
        if !is_test {
            kept.push(token);
            continue;
        }
        tokens.next();
        let mut item = Vec::new();
        for token in tokens.by_ref() {
            let ends = is_punct(Some(&token), ';')
                || matches!(&token, TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace);
            item.push(token);
            if ends {
                break;
            }
        }
        if let Some(at) = item
            .iter()
            .position(|token| ident(Some(token)).as_deref() == Some("mod"))
            && is_punct(item.last(), ';')
        {
            modules.extend(ident(item.get(at + 1)));
        }
    }
    (kept, modules)
}

/// Reads the tree of paths that begins at `at`; `::` stands between parts, `{…}` holds several. Gives each with its name as imported.
fn tree(
    tokens: &[TokenTree],
    mut at: usize,
    prefix: &[String],
    out: &mut Vec<(Vec<String>, String)>,
) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(name)) => path.push(name.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == proc_macro2::Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let mut inside = 0;
                while inside < inner.len() {
                    inside = tree(&inner, inside, &path, out) + 1;
                }
                return at + 1;
            }
            _ => break,
        }
        at += 1;
        if is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':') {
            at += 2;
        } else {
            break;
        }
    }
    if path.last().is_some_and(|name| name == "self") {
        path.pop();
    }
    let mut name = path.last().cloned().unwrap_or_default();
    if ident(tokens.get(at)).as_deref() == Some("as") {
        name = ident(tokens.get(at + 1)).unwrap_or_default();
        at += 2;
    }
    out.push((path, name));
    at
}

/// Every path of `module` that begins in its own crate, from the crate's root; paths to its own children without `self::` too where
/// `use` imports them.
fn paths(module: &Module, known: &BTreeSet<Vec<String>>) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    collect(&module.tokens, module, known, Uses::Imported, &mut found);
    found.into_iter().map(|(path, _)| path).collect()
}

/// Which `use` are meant.
#[derive(Clone, Copy, PartialEq)]
enum Uses {
    /// Those for the module itself, and every other path.
    Imported,
    /// Those that are passed on.
    PassedOn,
}

fn collect(
    tokens: &[TokenTree],
    module: &Module,
    known: &BTreeSet<Vec<String>>,
    uses: Uses,
    found: &mut Vec<(Vec<String>, String)>,
) {
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        if let TokenTree::Group(group) = token {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            collect(&inner, module, known, uses, found);
        }
        let word = ident(Some(token)).unwrap_or_default();
        let is_path = is_punct(tokens.get(at + 1), ':') && is_punct(tokens.get(at + 2), ':');
        let after_path =
            at > 1 && is_punct(tokens.get(at - 1), ':') && is_punct(tokens.get(at - 2), ':');
        if word == "use" {
            let mut trees = Vec::new();
            let end = tree(tokens, at + 1, &[], &mut trees);
            let is_public = passes_on(tokens, at);
            if is_public == (uses == Uses::PassedOn) {
                found.extend(
                    trees
                        .into_iter()
                        .filter_map(|(path, name)| Some((absolute(&path, module, known)?, name))),
                );
            }
            at = end;
            continue;
        }
        if uses == Uses::Imported
            && is_path
            && !after_path
            && ["crate", "super", "self"].contains(&word.as_str())
        {
            let mut trees = Vec::new();
            at = tree(tokens, at, &[], &mut trees);
            found.extend(
                trees
                    .into_iter()
                    .filter_map(|(path, name)| Some((absolute(&path, module, known)?, name))),
            );
            continue;
        }
        at += 1;
    }
}

/// Is the `use` at `at` public in some way?
fn passes_on(tokens: &[TokenTree], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at));
    ident(before(1)).as_deref() == Some("pub")
        || (matches!(before(1), Some(TokenTree::Group(_)))
            && ident(before(2)).as_deref() == Some("pub"))
}

/// A path as seen from the crate's root; `None` when it leads to another crate.
fn absolute(
    path: &[String],
    module: &Module,
    known: &BTreeSet<Vec<String>>,
) -> Option<Vec<String>> {
    let mut base = module.path.clone();
    let mut parts = path.iter().peekable();
    match parts.peek()?.as_str() {
        "crate" => {
            base.clear();
            parts.next();
        }
        "self" => {
            parts.next();
        }
        "super" => {
            while parts.next_if(|part| *part == "super").is_some() {
                base.pop();
            }
        }
        child => {
            base.push(child.to_owned());
            if !known.contains(&base) {
                return None;
            }
            parts.next();
        }
    }
    base.extend(parts.cloned());
    Some(base)
}

fn pass_on(module: &Module, known: &BTreeSet<Vec<String>>, passed: &mut Passed) {
    let mut found = Vec::new();
    collect(&module.tokens, module, known, Uses::PassedOn, &mut found);
    for (path, name) in found {
        passed.insert((module.path.clone(), name), path);
    }
}

/// The file that a path leads into.
fn owner(path: &[String], known: &BTreeSet<Vec<String>>, passed: &Passed) -> Vec<String> {
    let mut length = path.len();
    while length > 0 && !known.contains(&path[..length]) {
        length -= 1;
    }
    let (module, rest) = path.split_at(length);
    match rest
        .first()
        .and_then(|name| passed.get(&(module.to_vec(), name.clone())))
    {
        Some(further) => {
            let mut further = further.clone();
            further.extend(rest[1..].iter().cloned());
            owner(&further, known, passed)
        }
        None => module.to_vec(),
    }
}
