//! How fast a new version gets the traffic.

use std::fmt;
use std::str::FromStr;

use crate::environment::name::Stages;

/// The shares that a new version gets one after the other, in percent; the last is 100.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout(Stages);

impl Rollout {
    /// Everything at once.
    pub fn at_once() -> Self {
        Self(Stages::at_once())
    }

    /// The shares, growing.
    pub fn stages(&self) -> &[u8] {
        self.0.get()
    }
}

impl From<Stages> for Rollout {
    fn from(stages: Stages) -> Self {
        Self(stages)
    }
}

impl fmt::Display for Rollout {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let stages: Vec<String> = self.stages().iter().map(ToString::to_string).collect();
        f.write_str(&stages.join(","))
    }
}

impl FromStr for Rollout {
    type Err = String;

    /// `5,25,100`
    fn from_str(text: &str) -> Result<Self, String> {
        let stages: Option<Vec<i64>> = text
            .split(',')
            .map(|stage| stage.trim().parse().ok())
            .collect();
        let stages = stages.and_then(|stages| Stages::try_from(stages).ok());
        stages.map(Self).ok_or_else(|| {
            "write growing percentages that end with 100, like `5,25,100`".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_grows_and_ends_with_everything() {
        let rollout: Rollout = "5,25,100".parse().unwrap();
        assert_eq!(rollout.stages(), [5, 25, 100]);
        assert_eq!("100".parse(), Ok(Rollout::at_once()));
        for text in [
            "", "5", "0,100", "25,5,100", "5,5,100", "5,101", "5 %,100", "100,100",
        ] {
            assert!(text.parse::<Rollout>().is_err(), "{text}");
        }
    }
}
