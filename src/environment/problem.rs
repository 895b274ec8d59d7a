//! A problem in a manifest: what, where, and what to do. Drawn under the source line.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use crate::terminal::advice::Advice;

/// Something in a manifest that a person must change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The manifest's path as it should be shown.
    pub path: String,
    /// One line: what is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// 1-based line of the first wrong character.
    pub line: usize,
    /// 1-based column, in characters, of the first wrong character.
    pub column: usize,
    #[serde(skip)]
    excerpt: String,
}

impl Problem {
    /// A problem at the bytes `span` of `source`. The message's lines after the first are the help. A line that may hold the value of a
    /// secret is named and not drawn.
    pub fn at(path: &str, source: &str, span: Range<usize>, message: &str) -> Self {
        let Advice {
            what: message,
            fix: help,
        } = message.into();
        let start = floor(source, span.start);
        // A caret under one line: a whole table is pointed at by its first line.
        let line_end = source[start..]
            .find('\n')
            .map_or(source.len(), |at| start + at);
        let end = floor(source, span.end).clamp(start, line_end);
        let before = &source[..start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let place: Element<'_> = if may_hold_value(source, start) {
            let place = Origin::path(path).line(line).char_column(column);
            place.into()
        } else {
            let wrong = AnnotationKind::Primary.span(start..end);
            Snippet::source(source).path(path).annotation(wrong).into()
        };
        let excerpt = excerpt(&message, help.as_deref(), place);
        Self {
            path: path.to_owned(),
            message,
            help,
            line,
            column,
            excerpt,
        }
    }

    /// On one line: where it is, and what is wrong.
    pub fn line(&self) -> String {
        format!("{}:{}: {}", self.path, self.line, self.message)
    }

    /// A problem with a whole file, of which no line can be shown.
    pub fn of_file(path: &str, message: &str) -> Self {
        let Advice {
            what: message,
            fix: help,
        } = message.into();
        let excerpt = excerpt(&message, help.as_deref(), Origin::path(path));
        Self {
            path: path.to_owned(),
            message,
            help,
            line: 1,
            column: 1,
            excerpt,
        }
    }
}

fn excerpt<'text>(
    message: &'text str,
    help: Option<&'text str>,
    place: impl Into<Element<'text>>,
) -> String {
    let report = Level::ERROR.primary_title(message).element(place);
    let help = help.map(|help| Level::HELP.message(help));
    Renderer::plain().render(&[report.elements(help)])
}

/// Keys under `[secrets.NAME]` whose text is never a value.
const HARMLESS: [&str; 3] = ["rotate_every", "retry_horizon", "senders"];

/// The tables that name sources of values.
const OF_SOURCES: [&str; 2] = ["secrets", "verify"];

/// Whether the line of the byte `at`, below `[secrets` or `[verify`, may hold a value that somebody pasted where its source belongs. Looks at lines
/// alone: the text need not be TOML.
pub(crate) fn may_hold_value(source: &str, at: usize) -> bool {
    let bare = |line: &str| line.trim_start().trim_start_matches('[').to_owned();
    let is_header = |line: &&str| {
        line.trim_start().starts_with('[')
            && bare(line).trim_start().starts_with(char::is_alphanumeric)
    };
    let is_of_secrets = |line: &str| {
        let line = bare(line);
        let name = line.trim_start_matches([' ', '\t', '"', '\'']);
        OF_SOURCES.iter().any(|table| name.starts_with(table))
    };
    let end = source[at..].find('\n').map_or(source.len(), |to| at + to);
    let mut upwards = source[..end].rsplit('\n').peekable();
    if upwards.peek().is_some_and(is_header) {
        return false;
    }
    // The key of the line, or of the lines that it goes on
    let begins =
        |line: &&str| is_header(line) || line.trim_start().starts_with(char::is_alphanumeric);
    let key = upwards
        .clone()
        .find(begins)
        .and_then(|line| line.split_once('='));
    if key.is_some_and(|(key, _)| HARMLESS.contains(&key.trim())) {
        return false;
    }
    upwards
        .find(|line| is_header(line) || is_of_secrets(line))
        .is_some_and(is_of_secrets)
}

fn floor(source: &str, at: usize) -> usize {
    let mut at = at.min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.excerpt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_file_line_column_source_caret_and_help() {
        let source = "[worker]\nname = \"Glow\"\n";
        let problem = Problem::at(
            "environments/x.toml",
            source,
            16..22,
            "`Glow` is wrong\nuse `glow`",
        );
        insta::assert_snapshot!(problem, @r#"
error: `Glow` is wrong
 --> environments/x.toml:2:8
  |
2 | name = "Glow"
  |        ^^^^^^
  |
  = help: use `glow`
"#);
        assert_eq!((problem.line, problem.column), (2, 8));
    }

    /// Wherever the mistake is, and whatever the value was pasted into.
    #[test]
    fn no_line_that_may_hold_the_value_of_a_secret_is_drawn() {
        for pasted in [
            "[secrets]\nA = \"hunter2\"\n",
            "[secrets.A]\nsource = hunter2\nvalue = \"hunter2\"\n",
            "[secrets.\"A\"] # four\nsource = \"\"\"\n\nhunter2 = hunter2\n\"\"\"\n",
            "[ secrets . A ]\nsource = [\n  [\"hunter2\"],\n]\n",
            "[\"secrets\"]\nA.source = 'hunter2'\nsenders_2 = [\"hunter2\"]\n",
            "secrets.A = { source = \"hunter2\" }\n\nsecrets.B.source = \"\"\"\nhunter2\"\"\"\n",
            "[verify.headers]\nCF-Access-Client-Secret = \"hunter2\"\n",
            "[verify]\nheaders.X = { source = \"hunter2\" }\n",
            "'secrets' = { A = { source =\n\"hunter2\" } }\n",
        ] {
            let manifest = format!("{pasted}[sst]\napp = \"glow\"\n");
            for at in 0..manifest.len() {
                let problem = Problem::at("e.toml", &manifest, at..at + 3, "wrong");
                let drawn = problem.to_string();
                assert!(!drawn.contains("hunter2"), "{drawn}");
                let (line, column) = (problem.line, problem.column);
                assert!(
                    drawn.contains(&format!("e.toml:{line}:{column}")),
                    "{drawn}"
                );
            }
            let sst = Problem::at("e.toml", &manifest, manifest.len() - 7..manifest.len(), "");
            assert!(sst.to_string().contains("app = \"glow\""), "{sst}");
        }
        let senders = "[secrets.A]\nsenders = [\n  \"shh\",\n]\nsource = \"hunter2\"\n";
        let drawn = |at: usize| Problem::at("e.toml", senders, at..at + 3, "").to_string();
        assert!(drawn(senders.find("shh").unwrap()).contains("\"shh\""));
        assert!(!drawn(senders.find("hunter2").unwrap()).contains("hunter2"));
        let room = "[secrets.API_KEY]\nsource = \"env:A\"\n[room]\nhistory = 1\n";
        assert!(
            Problem::at("e.toml", room, 0..4, "")
                .to_string()
                .contains("API_KEY")
        );
    }

    #[test]
    fn a_span_outside_the_source_or_inside_a_character_is_moved_to_its_edge() {
        let problem = Problem::at("x", "ä", 1..99, "wrong");
        assert_eq!((problem.line, problem.column), (1, 1));
    }
}
