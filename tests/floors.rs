//! Imports point down only: no module of the tool imports, itself or through others, a module that imports it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::support::repository;

/// The modules directly below `src/` by what they import.
fn imports(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let inside = path.strip_prefix(folder).unwrap().with_extension("");
        let module = inside.iter().next().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        // What only tests import does not count
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for rest in code.flat_map(|line| line.split("crate::").skip(1)) {
            let name = |c: char| c.is_ascii_lowercase() || c == '_';
            let other: String = rest.chars().take_while(|c| name(*c)).collect();
            if other != module && !other.is_empty() {
                imports.entry(module.clone()).or_default().insert(other);
            }
        }
    }
    imports
}

#[test]
fn imports_point_down_only() {
    let imports = imports(&repository().join("src"));
    assert!(imports["commands"].contains("apply") && imports["apply"].contains("cloudflare"));
    for module in imports.keys() {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&String> = imports[module].iter().collect();
        while let Some(other) = open.pop() {
            assert_ne!(
                other, module,
                "`{module}` imports itself through `{reached:?}`"
            );
            if reached.insert(other) {
                open.extend(imports.get(other).into_iter().flatten());
            }
        }
    }
}
