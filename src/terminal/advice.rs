//! What is wrong, and the way out: printed as `error: …` and then `help: …`, and two fields wherever something else prints it.

use std::fmt;

/// What is wrong, and what to do about it where that is known. As an error it shows what is wrong only, so that contexts stand
/// before it and the way out is not lost in the middle of a line: [`Advice::of`] finds it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    pub what: String,
    pub fix: Option<String>,
}

impl Advice {
    /// `what` is wrong, and `fix` mends it.
    pub fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            fix: Some(fix.into()),
        }
    }

    /// What an error says with all its contexts, and the way out that the outermost of them names.
    pub fn of(error: &anyhow::Error) -> Self {
        let fix = error
            .downcast_ref()
            .and_then(|advice: &Self| advice.fix.clone());
        Self {
            what: format!("{error:#}"),
            fix,
        }
    }

    /// Both parts on one line, where there is room for one only.
    pub fn line(&self) -> String {
        match &self.fix {
            Some(fix) => format!("{}; {fix}", self.what),
            None => self.what.clone(),
        }
    }
}

/// A message whose lines after the first say what to do: serde hands on nothing but text.
impl From<&str> for Advice {
    fn from(message: &str) -> Self {
        let (what, fix) = match message.split_once('\n') {
            Some((what, fix)) => (what, Some(fix.to_owned())),
            None => (message, None),
        };
        Self {
            what: what.to_owned(),
            fix,
        }
    }
}

/// `{}` is what is wrong, `{:#}` the way out too, on a line of its own.
impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.fix {
            Some(fix) if f.alternate() => write!(f, "\nhelp: {fix}"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Advice {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_stand_before_what_is_wrong_and_the_way_out_on_a_line_of_its_own() {
        let error = anyhow::Error::new(Advice::new("the key is wrong", "turn it"));
        let error = error.context("opening the door").context("going out");
        let advice = Advice::of(&error);
        assert_eq!(
            format!("{advice:#}"),
            "going out: opening the door: the key is wrong\nhelp: turn it"
        );
        assert_eq!(
            advice.line(),
            "going out: opening the door: the key is wrong; turn it"
        );
    }

    #[test]
    fn a_context_knows_a_better_way_out_than_what_it_stands_before() {
        let inner = anyhow::Error::new(Advice::new("no key", "look below the mat"));
        let error = inner.context(Advice::new("the door is closed", "ring"));
        assert_eq!(
            Advice::of(&error).line(),
            "the door is closed: no key; ring"
        );
    }

    #[test]
    fn an_error_without_a_way_out_is_one_line() {
        let advice = Advice::of(&anyhow::anyhow!("broken"));
        assert_eq!(format!("{advice:#}"), "broken");
        assert_eq!(Advice::from("broken"), advice);
        assert_eq!(
            Advice::from("broken\nmend it"),
            Advice::new("broken", "mend it")
        );
    }
}
