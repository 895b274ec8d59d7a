//! What is going on, on stderr: a spinner on a terminal, plain lines elsewhere and in CI.

use std::borrow::Cow;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::terminal::{escape, output};

/// Where the progress of long steps goes. Cheap to clone; clones share the terminal.
#[derive(Clone, Debug)]
pub struct Progress(Shape);

#[derive(Clone, Debug)]
enum Shape {
    Spinners(MultiProgress),
    Lines,
    Hidden,
}

impl Progress {
    /// Spinners when a person watches stderr, one line per step otherwise.
    pub fn stderr() -> Self {
        let watched = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        Self(if watched {
            Shape::Spinners(MultiProgress::new())
        } else {
            Shape::Lines
        })
    }

    /// Says nothing.
    pub fn hidden() -> Self {
        Self(Shape::Hidden)
    }

    /// Announces a step that takes a while.
    pub fn start(&self, what: impl Into<Cow<'static, str>>) -> Step {
        let what = escape::line(&what.into()).into_owned();
        let bar = match &self.0 {
            Shape::Spinners(bars) => bars.add(spinner(&what)),
            Shape::Lines => {
                output::tell(&what);
                ProgressBar::hidden()
            }
            Shape::Hidden => ProgressBar::hidden(),
        };
        Step {
            progress: self.clone(),
            bar,
            what,
            started: Instant::now(),
        }
    }

    /// One line that stays.
    pub fn say(&self, line: &str) {
        match &self.0 {
            Shape::Spinners(bars) => bars.suspend(|| output::tell(line)),
            Shape::Lines => output::tell(line),
            Shape::Hidden => {}
        }
    }
}

/// A step under way; dropping it takes its spinner away.
#[derive(Debug)]
pub struct Step {
    progress: Progress,
    bar: ProgressBar,
    what: String,
    started: Instant,
}

impl Step {
    /// The newest line of a tool's output, beside the spinner only.
    pub fn detail(&self, line: &str) {
        self.bar
            .set_message(format!("{}  {}", self.what, escape::line(line.trim())));
    }

    /// The step is over: `done` stays on the screen, with the time it took.
    pub fn finish(self, done: &str) {
        self.bar.finish_and_clear();
        let took = seconds(self.started.elapsed());
        self.progress.say(&format!("{done} in {took}"));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A duration for people: `0.4 s`, `12 s`, `1 min 52 s`.
pub fn seconds(duration: Duration) -> String {
    let exact = duration.as_secs_f64();
    if exact < 9.95 {
        return format!("{exact:.1} s");
    }
    let whole = exact.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        _ => format!("{} min {} s", whole / 60, whole % 60),
    }
}

fn spinner(what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_as_precise_as_a_reader_needs() {
        let shown = [400, 9_900, 12_300, 59_700, 112_000]
            .map(|milliseconds| seconds(Duration::from_millis(milliseconds)));
        assert_eq!(shown, ["0.4 s", "9.9 s", "12 s", "1 min 0 s", "1 min 52 s"]);
    }
}
