//! How fast a new version gets the traffic.

use std::fmt;
use std::str::FromStr;

/// The shares that a new version gets one after the other, in percent; the last is 100.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout(Vec<u8>);

impl Rollout {
    /// Everything at once.
    pub fn at_once() -> Self {
        Self(vec![100])
    }

    /// The shares, growing.
    pub fn stages(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Rollout {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let stages: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&stages.join(","))
    }
}

impl FromStr for Rollout {
    type Err = String;

    /// `5,25,100`
    fn from_str(text: &str) -> Result<Self, String> {
        let stages: Option<Vec<u8>> = text
            .split(',')
            .map(|stage| stage.trim().parse().ok())
            .collect();
        stages
            .filter(|stages| {
                stages.first().is_some_and(|first| *first > 0)
                    && stages.is_sorted_by(|a, b| a < b)
                    && stages.last() == Some(&100)
            })
            .map(Self)
            .ok_or_else(|| {
                "write growing percentages that end with 100, like `5,25,100`".to_owned()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_grows_and_ends_with_everything() {
        assert_eq!("5,25,100".parse(), Ok(Rollout(vec![5, 25, 100])));
        assert_eq!("100".parse(), Ok(Rollout::at_once()));
        for text in [
            "", "5", "0,100", "25,5,100", "5,5,100", "5,101", "5 %,100", "100,100",
        ] {
            assert!(text.parse::<Rollout>().is_err(), "{text}");
        }
    }
}
