//! What a command has of its machine: other people's programs (their command lines, what they get of the environment, their output,
//! and that they end with this command), what is sent at its end, and files that are locked, or replaced as a whole.
//!
//! Knows nothing of what the programs and files are for.
//!
//! Imports: `terminal`

pub mod farewell;
pub(crate) mod file;
pub(crate) mod file_lock;
mod group;
pub mod interrupt;
pub mod invocation;
pub mod run;
pub mod surroundings;

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// A guarantee of `run` that a file of its own could lose.
    #[test]
    fn no_other_room_starts_a_program() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut folders = vec![source.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.starts_with(source.join("process")) {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let shipped = text.split("#[cfg(test)]").next().unwrap();
                    assert!(!shipped.contains("Command::new("), "{}", path.display());
                }
            }
        }
    }
}
