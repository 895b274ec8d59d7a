//! A problem in a manifest: what, where, and what to do. Drawn under the source line.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

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
    /// A problem at the bytes `span` of `source`. The message's lines after the first are the help.
    pub fn at(path: &str, source: &str, span: Range<usize>, message: &str) -> Self {
        let (message, help) = match message.split_once('\n') {
            Some((message, help)) => (message.to_owned(), Some(help.to_owned())),
            None => (message.to_owned(), None),
        };
        let start = floor(source, span.start);
        // A caret under one line: a whole table is pointed at by its first line.
        let line_end = source[start..]
            .find('\n')
            .map_or(source.len(), |at| start + at);
        let end = floor(source, span.end).clamp(start, line_end);
        let before = &source[..start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let mut report = Level::ERROR.primary_title(&message).element(
            Snippet::source(source)
                .path(path)
                .annotation(AnnotationKind::Primary.span(start..end)),
        );
        if let Some(help) = &help {
            report = report.element(Level::HELP.message(help));
        }
        let excerpt = Renderer::plain().render(&[report]);
        Self {
            path: path.to_owned(),
            message,
            help,
            line,
            column,
            excerpt,
        }
    }
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

    #[test]
    fn a_span_outside_the_source_or_inside_a_character_is_moved_to_its_edge() {
        let problem = Problem::at("x", "ä", 1..99, "wrong");
        assert_eq!((problem.line, problem.column), (1, 1));
    }
}
