//! As much Markdown as these documents have.

use crate::support::repository;

/// A document of the repository.
pub(super) struct Document {
    /// From the repository's folder.
    pub(super) path: String,
    pub(super) text: String,
}

/// A table: its header's cells and its rows'.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// The README, and then everything in `docs/`.
pub(super) fn documents() -> Vec<Document> {
    let mut names: Vec<String> = std::fs::read_dir(repository().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    names.sort();
    names.insert(0, "README.md".to_owned());
    names.iter().map(|name| Document::read(name)).collect()
}

impl Document {
    pub(super) fn of(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[track_caller]
    pub(super) fn read(path: &str) -> Self {
        let text = std::fs::read_to_string(repository().join(path))
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        Self::of(path, &text)
    }

    /// The fenced blocks: what is after the opening fence, and the text.
    fn fenced(&self) -> Vec<(&str, &str)> {
        let mut parts = self.text.split("\n```");
        parts.next();
        let mut blocks = Vec::new();
        while let (Some(block), Some(_)) = (parts.next(), parts.next()) {
            blocks.push(block.split_once('\n').unwrap_or((block, "")));
        }
        blocks
    }

    /// The texts of the blocks of one kind.
    pub(super) fn blocks(&self, kind: &str) -> Vec<&str> {
        let blocks = self.fenced().into_iter();
        blocks
            .filter(|(info, _)| *info == kind)
            .map(|(_, text)| text)
            .collect()
    }

    pub(super) fn kinds(&self) -> Vec<String> {
        let blocks = self.fenced().into_iter();
        blocks.map(|(info, _)| info.to_owned()).collect()
    }

    /// The text without blocks.
    fn prose(&self) -> String {
        let parts = self.text.split("\n```").enumerate();
        parts
            .filter(|(at, _)| at % 2 == 0)
            .map(|(_, part)| part)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// What stands between backticks on one line.
    pub(super) fn quoted(&self) -> Vec<String> {
        let prose = self.prose();
        let lines = prose.lines();
        lines
            .flat_map(|line| line.split('`').skip(1).step_by(2))
            .map(str::to_owned)
            .collect()
    }

    /// Where links lead that stay in the repository.
    pub(super) fn links(&self) -> Vec<String> {
        let prose = self.prose();
        let links = prose.split("](").skip(1);
        links
            .filter_map(|rest| rest.split(')').next())
            .filter(|link| !link.contains("://"))
            .map(str::to_owned)
            .collect()
    }

    /// The text from the heading that has the anchor to the next heading of any level.
    pub(super) fn section(&self, anchor: &str) -> Option<String> {
        let prose = self.prose();
        let mut lines = prose
            .lines()
            .skip_while(|line| heading(line).is_none_or(|title| slug(title) != anchor));
        lines.next()?;
        let text: Vec<&str> = lines.take_while(|line| heading(line).is_none()).collect();
        Some(text.join("\n"))
    }

    pub(super) fn has_anchor(&self, anchor: &str) -> bool {
        self.section(anchor).is_some()
    }

    /// The anchors of all headings.
    pub(super) fn anchors(&self) -> Vec<String> {
        self.prose().lines().filter_map(heading).map(slug).collect()
    }

    /// Every table of the document.
    pub(super) fn tables(&self) -> Vec<Table> {
        tables(&self.prose())
    }

    /// The one table of the document whose header begins with these cells.
    #[track_caller]
    pub(super) fn table(&self, header: &[&str]) -> Table {
        let mut found = self.tables().into_iter().filter(|table| {
            table.header.len() >= header.len()
                && header.iter().zip(&table.header).all(|(a, b)| a == b)
        });
        let table = found.next();
        assert!(
            found.next().is_none(),
            "{}: two tables have the header {header:?}",
            self.path
        );
        table.unwrap_or_else(|| panic!("{}: no table has the header {header:?}", self.path))
    }
}

impl Table {
    /// One column, without the backticks of cells that are nothing but one quotation.
    pub(super) fn column(&self, at: usize) -> Vec<String> {
        self.rows.iter().map(|row| bare(&row[at])).collect()
    }
}

/// The tables of a text.
pub(super) fn tables(text: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let Some(row) = line
            .strip_prefix('|')
            .and_then(|line| line.trim_end().strip_suffix('|'))
        else {
            inside = false;
            continue;
        };
        let cells: Vec<String> = row.split('|').map(|cell| cell.trim().to_owned()).collect();
        match tables.last_mut() {
            Some(table) if inside => {
                if !cells.iter().all(|cell| cell.starts_with("---")) {
                    table.rows.push(cells);
                }
            }
            _ => {
                inside = true;
                tables.push(Table {
                    header: cells,
                    rows: Vec::new(),
                });
            }
        }
    }
    tables
}

/// A cell without the backticks around the whole of it.
pub(super) fn bare(cell: &str) -> String {
    let inside = cell
        .strip_prefix('`')
        .and_then(|cell| cell.strip_suffix('`'));
    match inside {
        Some(inside) if !inside.contains('`') => inside.to_owned(),
        _ => cell.to_owned(),
    }
}

fn heading(line: &str) -> Option<&str> {
    let title = line.trim_start_matches('#');
    (title.len() < line.len())
        .then(|| title.strip_prefix(' '))
        .flatten()
}

/// The anchor that GitHub gives a heading.
fn slug(title: &str) -> String {
    title
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
