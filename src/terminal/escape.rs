//! Text that somebody else wrote, made safe to show: what would steer a terminal or a log is shown as an escape, like `\u{1b}`.
//!
//! Three places make it impossible to forge what this tool says:
//! - [`answer`]: where an answer of the API is read. A name there cannot bring a line of its own into a plan or an error.
//! - [`text`] and [`line()`]: where text leaves: stdout, stderr, progress, a step's summary.
//! - [`json_text`]: where JSON leaves.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::Value as Json;

/// Whether a character is no text: control characters (C0, DEL, C1), and those of Unicode that nobody sees and that reorder or
/// hide what stands around them (Unicode Technical Report 36, "Unicode Security Considerations").
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            // Arabic letter mark; zero width and direction; separators and direction; joiners and direction
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// One line: line breaks and tabs are shown as escapes too.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().fold(String::new(), |mut shown, c| {
        if steers(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
        shown
    }))
}

/// Lines: their breaks and tabs stay. A line that a runner of CI would take for a command is broken.
///
/// GitHub's runner obeys `::command::` at the start of a line, spaces before it skipped, and `##[command]` anywhere; that of Azure
/// obeys `##vso[command]` (`ActionCommand.cs` of actions/runner; Azure Pipelines, "Logging commands").
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    let stays = |c: char| matches!(c, '\n' | '\t');
    let is_command = |line: &str| {
        line.trim_start().starts_with("::") || line.contains("##[") || line.contains("##vso[")
    };
    if !text.contains(|c| steers(c) && !stays(c)) && !text.lines().any(is_command) {
        return Cow::Borrowed(text);
    }
    let lines: Vec<String> = text
        .split('\n')
        .map(|each| {
            let parts: Vec<Cow<str>> = each.split('\t').map(line).collect();
            let each = parts.join("\t");
            if is_command(&each) {
                each.replacen("::", r"\u{3a}:", 1)
                    .replace("##[", r"#\u{23}[")
                    .replace("##vso[", r"#\u{23}vso[")
            } else {
                each
            }
        })
        .collect();
    Cow::Owned(lines.join("\n"))
}

/// A JSON document, still JSON and of the same meaning: such characters stand in its strings only, and as `\u202e` there.
pub(crate) fn json_text(json: &str) -> Cow<'_, str> {
    let raw = |c: char| steers(c) && c != '\n';
    if !json.contains(raw) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if raw(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// The body of an answer, in whose strings and keys every such character became an escape. Without one, and where it is no JSON,
/// which nobody shows, it stays as it is.
pub(crate) fn answer(body: Vec<u8>) -> Vec<u8> {
    let Ok(json) = serde_json::from_slice::<Json>(&body) else {
        return body;
    };
    let shown = quiet(json.clone());
    if shown == json {
        body
    } else {
        shown.to_string().into_bytes()
    }
}

fn quiet(json: Json) -> Json {
    match json {
        Json::String(text) => line(&text).into(),
        Json::Array(items) => items.into_iter().map(quiet).collect(),
        Json::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| (line(&key).into_owned(), quiet(value)))
            .collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) => json,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_would_steer_a_terminal_is_shown_as_an_escape() {
        assert_eq!(
            line("a\u{1b}[2J\r\n\tb\u{202e}c\u{9b}d\u{7f}"),
            r"a\u{1b}[2J\r\n\tb\u{202e}c\u{9b}d\u{7f}"
        );
        assert_eq!(
            text("a\u{1b}[2J\r\n\tb\u{202e}"),
            "a\\u{1b}[2J\\r\n\tb\\u{202e}"
        );
        for plain in ["", "ä € 😀 `x`: \"y\" \\ 'z'", "Zürich\u{301}"] {
            assert!(matches!(line(plain), Cow::Borrowed(_)));
            assert!(matches!(text(plain), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn no_line_is_a_command_of_a_ci_runner() {
        assert_eq!(
            text("one\n::set-output name=a::b\n  ::add-mask::c\na ::b\nd ##[group]e ##vso[task]"),
            "one\n\\u{3a}:set-output name=a::b\n  \\u{3a}:add-mask::c\na ::b\nd #\\u{23}[group]e #\\u{23}vso[task]"
        );
    }

    #[test]
    fn an_answer_without_such_characters_is_left_as_it_is_byte_for_byte() {
        for body in [
            &br#"{ "a" : 1.50, "b":12345678901234567890123, "c": "x\\ny" }"#[..],
            b"no json \x1b[2J",
        ] {
            assert_eq!(answer(body.to_vec()), body);
        }
        let body = json!({ "k\n": ["a\u{202e}", { "b": "\u{1b}c" }], "n": 1.5 });
        assert_eq!(
            serde_json::from_slice::<Json>(&answer(body.to_string().into_bytes())).unwrap(),
            json!({ r"k\n": [r"a\u{202e}", { "b": r"\u{1b}c" }], "n": 1.5 })
        );
    }

    proptest! {
        #[test]
        fn nothing_that_is_shown_steers(any in "\\PC*|(.|[\\x00-\\x9f\u{2028}-\u{202e}\u{e0041}]){0,40}") {
            prop_assert!(!line(&any).contains(steers));
            let many = text(&any);
            prop_assert!(!many.contains(|c| steers(c) && c != '\n' && c != '\t'));
            for each in many.lines() {
                prop_assert!(!each.trim_start().starts_with("::"), "{each}");
                prop_assert!(!each.contains("##["));
            }
        }

        #[test]
        fn json_stays_the_same_json(any in "(.|[\\x00-\\x9f\u{2028}-\u{202e}\u{e0041}]){0,40}") {
            let document = serde_json::to_string_pretty(&json!({ &any: [&any] })).unwrap();
            let shown = json_text(&document);
            prop_assert!(!shown.contains(|c| steers(c) && c != '\n'));
            prop_assert_eq!(serde_json::from_str::<Json>(&shown).unwrap(), json!({ &any: [&any] }));
        }
    }
}
