//! `build`: both Workers as finished bundles.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::Context;
use crate::build::{self, Bundle, Outcome, Size};
use crate::terminal::output::{self, Format};

/// Builds what is out of date and tells what there is now.
pub(super) async fn run(context: &Context) -> Result<()> {
    let built = built(context).await?;
    output::line(
        match context.format {
            Format::Text => text(&built)?,
            Format::Json => json(&built)?,
        }
        .trim_end(),
    )
}

/// The bundles, built where they are out of date. Compiling blocks for minutes, and Ctrl-C must still be heard.
pub(super) async fn built(context: &Context) -> Result<[(Bundle, Outcome); 2]> {
    let (root, runner) = (context.project.root.clone(), context.runner.clone());
    tokio::task::spawn_blocking(move || build::build(&root, &runner))
        .await
        .context("building the workers")?
}

fn text(built: &[(Bundle, Outcome)]) -> Result<String> {
    let mut text = String::new();
    let mut sum = Size::default();
    for (bundle, outcome) in built {
        let outcome = match outcome {
            Outcome::Built => "built",
            Outcome::Unchanged => "unchanged",
        };
        writeln!(
            text,
            "{:<8} {}  {}  {outcome}",
            bundle.worker,
            bundle.tag(),
            bundle.size
        )?;
        sum = sum + bundle.size;
    }
    writeln!(text, "{:<8} {:16}  {sum}", "both", "")?;
    Ok(text)
}

fn json(built: &[(Bundle, Outcome)]) -> Result<String> {
    #[derive(Serialize)]
    struct Answer<'a> {
        workers: Vec<Entry<'a>>,
    }
    #[derive(Serialize)]
    struct Entry<'a> {
        name: &'a str,
        hash: &'a str,
        #[serde(flatten)]
        size: Size,
        modules: Vec<File<'a>>,
        built: bool,
    }
    #[derive(Serialize)]
    struct File<'a> {
        name: &'a str,
        content_type: &'a str,
        bytes: usize,
    }
    let workers = built
        .iter()
        .map(|(bundle, outcome)| Entry {
            name: bundle.worker.name(),
            hash: &bundle.hash,
            size: bundle.size,
            modules: bundle
                .modules
                .iter()
                .map(|module| File {
                    name: module.name,
                    content_type: module.content_type,
                    bytes: module.bytes.len(),
                })
                .collect(),
            built: *outcome == Outcome::Built,
        })
        .collect();
    let answer = serde_json::to_string(&Answer { workers }).context("cannot write the answer")?;
    Ok(answer + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Module, Worker};

    fn built() -> Vec<(Bundle, Outcome)> {
        let bundle = |worker, digit: &str, bytes: usize| Bundle {
            worker,
            modules: vec![Module {
                name: "index.js",
                content_type: "application/javascript+module",
                bytes: vec![0; bytes],
            }],
            main_module: "index.js",
            hash: digit.repeat(64),
            size: Size {
                bytes: bytes as u64,
                gzip_bytes: 100,
            },
        };
        vec![
            (bundle(Worker::Gateway, "a", 1200), Outcome::Built),
            (bundle(Worker::Room, "b", 2000), Outcome::Unchanged),
        ]
    }

    #[test]
    fn people_see_tag_sizes_and_what_was_done() {
        assert_eq!(
            text(&built()).unwrap(),
            "gateway  aaaaaaaaaaaaaaaa  1.2 KB, 0.1 KB gzip  built\n\
             room     bbbbbbbbbbbbbbbb  2.0 KB, 0.1 KB gzip  unchanged\n\
             both                       3.2 KB, 0.2 KB gzip\n"
        );
    }

    #[test]
    fn programs_get_one_line_of_json() {
        let hashes = ["a", "b"].map(|digit| digit.repeat(64));
        let modules = |bytes| {
            format!(
                r#"[{{"name":"index.js","content_type":"application/javascript+module","bytes":{bytes}}}]"#
            )
        };
        assert_eq!(
            json(&built()).unwrap(),
            format!(
                r#"{{"workers":[{{"name":"gateway","hash":"{}","bytes":1200,"gzip_bytes":100,"modules":{},"built":true}},{{"name":"room","hash":"{}","bytes":2000,"gzip_bytes":100,"modules":{},"built":false}}]}}"#,
                hashes[0],
                modules(1200),
                hashes[1],
                modules(2000)
            ) + "\n"
        );
    }
}
