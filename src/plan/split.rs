//! How a script's traffic is split between its versions.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;

use serde::Serialize;
use serde_json::{Value, json};

use super::foreign;

/// Percentages that are closer are the same one: Cloudflare keeps two decimals.
const TOLERANCE: f64 = 0.01;

/// A share of traffic in percent. Cloudflare's may be fractional; this tool only asks for whole ones.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Percent(f64);

impl Percent {
    /// All traffic.
    pub const ALL: Self = Self(100.0);

    /// What is left for another version.
    fn rest(self) -> Self {
        Self(100.0 - self.0)
    }

    /// The number as Cloudflare is sent it: without a fraction where there is none.
    fn sent(self) -> Value {
        let whole = (0..=100_u8).find(|whole| f64::from(*whole).total_cmp(&self.0).is_eq());
        whole.map_or_else(|| json!(self.0), |whole| json!(whole))
    }
}

impl From<u8> for Percent {
    fn from(whole: u8) -> Self {
        Self(whole.into())
    }
}

impl From<f64> for Percent {
    fn from(percent: f64) -> Self {
        Self(percent)
    }
}

impl PartialEq for Percent {
    fn eq(&self, other: &Self) -> bool {
        (self.0 - other.0).abs() < TOLERANCE
    }
}

impl PartialOrd for Percent {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self == other {
            Some(Ordering::Equal)
        } else {
            self.0.partial_cmp(&other.0)
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A version's share of the traffic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    pub version_id: String,
    /// The version's `workers/tag`, where it was read.
    #[serde(serialize_with = "foreign::as_version_tag")]
    pub tag: Option<String>,
    pub percentage: Percent,
}

impl Share {
    /// A share of a version whose tag was not read.
    pub fn new(version: &str, percentage: impl Into<Percent>) -> Self {
        Self {
            version_id: version.to_owned(),
            tag: None,
            percentage: percentage.into(),
        }
    }
}

/// The shares of a deployment; none where there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Split(Vec<Share>);

impl Split {
    /// Everything for one version.
    pub fn all(version: &str) -> Self {
        Self::between(version, Percent::ALL, version)
    }

    /// A share for `to`, and the rest, if there is any, for `from`.
    pub fn between(to: &str, percent: impl Into<Percent>, from: &str) -> Self {
        let percent = percent.into();
        let mut shares = vec![Share::new(to, percent)];
        if percent < Percent::ALL {
            shares.push(Share::new(from, percent.rest()));
        }
        Self(shares)
    }

    /// The same split, of whose versions the tags were read, in the order of the shares.
    #[must_use]
    pub fn tagged(mut self, tags: impl IntoIterator<Item = Option<String>>) -> Self {
        for (share, tag) in self.0.iter_mut().zip(tags) {
            share.tag = tag;
        }
        self
    }

    /// The versions, the largest share first where Cloudflare was asked.
    pub fn versions(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|share| share.version_id.as_str())
    }

    /// Whether a version is among the shares, be it with no traffic.
    pub fn has(&self, version: &str) -> bool {
        self.versions().any(|other| other == version)
    }

    /// The version that has all traffic.
    pub fn only(&self) -> Option<&str> {
        match self.0.as_slice() {
            [only] => Some(&only.version_id),
            _ => None,
        }
    }

    /// Whether both give the same versions the same shares, in whatever order.
    pub fn is_same(&self, other: &Self) -> bool {
        let has = |share: &Share| {
            other.iter().any(|theirs| {
                theirs.version_id == share.version_id && theirs.percentage == share.percentage
            })
        };
        self.len() == other.len() && self.iter().all(has)
    }

    /// The same split as if `version` were not listed while it has no traffic: it may be or not.
    #[must_use]
    pub fn without_idle(&self, version: &str) -> Self {
        let idle =
            |share: &&Share| share.version_id == version && share.percentage == Percent::default();
        Self(self.iter().filter(|share| !idle(share)).cloned().collect())
    }

    /// The `versions` of `POST scripts/S/deployments`.
    pub fn sent(&self) -> Value {
        let sent = |share: &Share| json!({ "version_id": share.version_id, "percentage": share.percentage.sent() });
        self.iter().map(sent).collect()
    }
}

/// The largest share first.
impl FromIterator<Share> for Split {
    fn from_iter<T: IntoIterator<Item = Share>>(shares: T) -> Self {
        let mut shares: Vec<Share> = shares.into_iter().collect();
        shares.sort_by(|a, b| b.percentage.0.total_cmp(&a.percentage.0));
        Self(shares)
    }
}

impl Deref for Split {
    type Target = [Share];

    fn deref(&self) -> &[Share] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_percentages_are_sent_without_a_fraction_and_shown_as_they_are() {
        assert_eq!(
            Split::between("new", 5, "old").sent().to_string(),
            r#"[{"percentage":5,"version_id":"new"},{"percentage":95,"version_id":"old"}]"#
        );
        assert_eq!(
            Split::all("new").sent().to_string(),
            r#"[{"percentage":100,"version_id":"new"}]"#
        );
        let third = Split::between("new", 33.33, "old");
        assert_eq!(
            third.sent()[0].to_string(),
            r#"{"percentage":33.33,"version_id":"new"}"#
        );
        assert_eq!(
            serde_json::to_string(&Split::all("new")).unwrap(),
            r#"[{"version_id":"new","tag":null,"percentage":100.0}]"#
        );
        let shown = [100.0, 33.33].map(|percent| Percent::from(percent).to_string());
        assert_eq!(shown, ["100", "33.33"]);
    }

    #[test]
    fn a_split_is_the_same_in_any_order_and_but_for_rounding() {
        let split = Split::between("a", 33.33, "b");
        let shares = [("b", 66.666), ("a", 33.334)];
        let read: Split = shares
            .map(|(id, percent)| Share::new(id, percent))
            .into_iter()
            .collect();
        assert!(split.is_same(&read));
        assert!(!split.is_same(&Split::between("a", 33.35, "b")));
        assert!(!split.is_same(&Split::all("a")));
        assert!(!split.is_same(&Split::between("a", 33.33, "c")));
    }

    #[test]
    fn only_a_version_without_traffic_is_left_out() {
        let split = Split::between("a", 0, "b");
        assert!(split.without_idle("a").is_same(&Split::all("b")));
        assert!(split.without_idle("b").is_same(&split));
    }
}
