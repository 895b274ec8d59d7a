//! Imports point down only, file by file: of the tool, of the sandbox, of what both Workers and the tool share.
//!
//! A folder directly below a crate's `src/` is a room and its `mod.rs` the door, which says what the room may import, in a line
//! such as "Imports: `plan`, `environment`". Here it is seen that a door says exactly what its room does, and that neither rooms nor
//! files go in a circle.

mod source;

use std::collections::{BTreeMap, BTreeSet};

use self::source::Source;
use crate::support::repository;

type Graph = BTreeMap<String, BTreeSet<String>>;

/// The crates with rooms.
const CRATES: [&str; 3] = [".", "sandbox", "worker/protocol"];

fn sources() -> impl Iterator<Item = Source> {
    CRATES
        .map(|name| Source::read(&repository().join(name).join("src")))
        .into_iter()
}

/// A circle in `graph`, from a node back to it.
fn circle(graph: &Graph) -> Option<Vec<&str>> {
    fn walk<'a>(graph: &'a Graph, path: &mut Vec<&'a str>, done: &mut BTreeSet<&'a str>) -> bool {
        let node = path[path.len() - 1];
        for next in graph.get(node).into_iter().flatten() {
            if let Some(start) = path.iter().position(|other| other == next) {
                path.drain(..start);
                path.push(next);
                return true;
            }
            path.push(next);
            if !done.contains(next.as_str()) && walk(graph, path, done) {
                return true;
            }
            path.pop();
        }
        done.insert(node);
        false
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|start| {
        let mut path = vec![start.as_str()];
        walk(graph, &mut path, &mut done).then_some(path)
    })
}

#[test]
fn no_file_imports_itself_through_others() {
    for source in sources() {
        assert_eq!(circle(&source.files), None, "a circle of files");
    }
}

#[test]
fn every_door_says_what_its_room_imports() {
    for source in sources() {
        let said: Graph = source
            .doors
            .iter()
            .map(|(room, text)| (room.clone(), imports_line(room, text)))
            .collect();
        let found: Graph = source
            .doors
            .keys()
            .map(|room| {
                (
                    room.clone(),
                    source.rooms.get(room).cloned().unwrap_or_default(),
                )
            })
            .collect();
        assert_eq!(
            said, found,
            "doors say on the left what the rooms import on the right"
        );
        assert_eq!(circle(&source.rooms), None, "a circle of rooms");
    }
}

/// What a door's line of imports names.
fn imports_line(room: &str, text: &str) -> BTreeSet<String> {
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("//! Imports: "));
    let (Some(line), None) = (lines.next(), lines.next()) else {
        panic!("the door of `{room}` has not one line \"//! Imports: …\"");
    };
    let names = line.split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

#[test]
fn the_tool_has_at_most_sixteen_entries_each_with_a_door_that_says_what_it_is() {
    let entries = std::fs::read_dir(repository().join("src")).unwrap().count();
    assert!(entries <= 16, "`src/` has {entries} entries");
    for source in sources() {
        for (room, text) in &source.doors {
            assert!(
                text.starts_with("//! "),
                "the door of `{room}` does not say what may stand there"
            );
            let introduction: Vec<&str> = text
                .lines()
                .take_while(|line| line.starts_with("//!"))
                .collect();
            assert!(
                introduction.len() > 1,
                "the door of `{room}` says too little"
            );
        }
    }
}

/// `{error:#}` shows what is wrong with its contexts and drops the way out, which is another part: `Advice` has both.
#[test]
fn an_error_becomes_text_by_its_advice_so_that_no_way_out_is_lost() {
    let folder = repository().join("src");
    for file in source::files(&folder) {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let shown = file.strip_prefix(&folder).unwrap();
        assert!(
            !code.contains("error:#}") || shown.ends_with("terminal/advice.rs"),
            "`{}` makes a text of an error",
            shown.display()
        );
    }
}

/// Whoever made a client of its own would forget the proxy, the authorities or the redirects.
#[test]
fn every_http_client_of_the_tool_is_made_in_one_place() {
    let makes = [
        "Client::builder",
        "Client::new(",
        "ClientBuilder::new",
        "connect_async",
    ];
    let files = source::files(&repository().join("src")).into_iter();
    let makers: Vec<_> = files
        .filter(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            makes.iter().any(|made| text.contains(made))
        })
        .collect();
    assert_eq!(makers, [repository().join("src/http/connector.rs")]);
}

/// A file that is written where it stands can be read half written, and a link in its place leads the write elsewhere; a folder that is
/// walked by its links may have no end. `process::file` has neither fault.
#[test]
fn files_are_written_and_folders_walked_in_one_place() {
    // The folder of the manifests and that of a namespace's objects are listed, and nothing below them
    let listed = ["src/environment/project.rs", "sandbox/src/store.rs"];
    for path in ["src", "sandbox/src"].map(|name| repository().join(name)) {
        for file in source::files(&path) {
            let shown = file.strip_prefix(repository()).unwrap().to_str().unwrap();
            let text = std::fs::read_to_string(&file).unwrap();
            let shipped = text.split("#[cfg(test)]").next().unwrap();
            for call in ["fs::write(", "File::create(", "fs::copy(", "fs::hard_link("] {
                assert!(!shipped.contains(call), "`{shown}` has `{call}`");
            }
            let walks = shipped.contains("read_dir(") && shown != "src/process/file.rs";
            assert!(
                !walks || listed.contains(&shown),
                "`{shown}` lists a folder"
            );
        }
    }
}
