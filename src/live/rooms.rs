//! Proves that a share of the rooms runs a version. A request cannot name the version of a Durable Object, since Cloudflare gives
//! each object one by its id: so objects are asked until one answers with it.
//!
//! Source: <https://developers.cloudflare.com/workers/versions-and-deployments/gradual-deployments/with-durable-objects/>

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures_util::{StreamExt, stream};
use serde_json::Value as Json;

use crate::live::site::Site;
use crate::terminal::advice::Advice;

/// How many objects a gateway lets anybody ask: `probe=0` to `probe=255`. They store nothing.
const OBJECTS: usize = 256;
/// The greatest accepted chance that none of the asked objects is one of a share that is there.
const MISS: f64 = 0.001;
/// So many at least: asking ends with the first that is found.
const LEAST: usize = 32;
/// So many are asked when the version has all of them: one that somebody else keeps awake may run what it ran for a while.
const SAMPLE: usize = 16;
/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(2);
/// At once: a rehearsal of a quiet hour, not a load.
const AT_ONCE: usize = 8;

/// What is to be proved.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    pub version: &'a str,
    /// Its share of the rooms, 1 to 100.
    pub percent: u8,
    /// The object to begin with. One that was asked a moment ago may keep the version that it ran then.
    pub first: u8,
    /// How long a new version may take to be everywhere.
    pub patience: Duration,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// An object runs the version; at 100 %, and every other one that was asked answers.
    Given,
    /// It could be neither proved nor disproved, and why.
    Impossible(String),
}

/// How many objects must be asked so that a share of so many percent is met but for one time in a thousand; at most 256.
pub fn needed(percent: u8) -> usize {
    if percent >= 100 {
        return SAMPLE;
    }
    (LEAST..OBJECTS)
        .find(|count| is_certain(percent, *count))
        .unwrap_or(OBJECTS)
}

/// Whether so many objects are enough to say that a share is not there.
fn is_certain(percent: u8, asked: usize) -> bool {
    let others = 1.0 - f64::from(percent) / 100.0;
    percent >= 100 || others.powi(i32::try_from(asked).unwrap_or(i32::MAX)) < MISS
}

/// What an object answered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Version(String),
    /// The gateway is of a time when nobody could choose the object.
    Unasked,
    Failed(String),
}

/// The answers by how often they came.
#[derive(Debug, Default)]
struct Tally {
    versions: BTreeMap<String, usize>,
    failed: usize,
    failure: Option<String>,
}

impl Tally {
    fn count(&self) -> usize {
        self.versions.values().sum::<usize>() + self.failed
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut parts: Vec<String> = self
            .versions
            .iter()
            .map(|(version, count)| format!("{count} run `{version}`"))
            .collect();
        if let Some(failure) = &self.failure {
            parts.push(format!("{} gave no version ({failure})", self.failed));
        }
        write!(f, "{}", parts.join(", "))
    }
}

/// Asks objects until one answers with the version. That others answer with another one proves nothing: who is awake keeps what it runs
/// for as long as `max_delay`, and anybody can keep one awake. When the version has all of them, each that is asked must answer.
///
/// # Errors
/// None runs it although it should, or one gives no answer, with how many were asked and what they answered.
pub async fn prove(site: &Site, sought: Sought<'_>) -> anyhow::Result<Proof> {
    let until = Instant::now() + sought.patience;
    loop {
        let tally = match round(site, sought).await {
            Ok(tally) => tally,
            Err(proof) => return Ok(proof),
        };
        if Instant::now() >= until {
            return verdict(sought, &tally);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks once around; the answers where they prove nothing.
async fn round(site: &Site, sought: Sought<'_>) -> Result<Tally, Proof> {
    let objects =
        (0..needed(sought.percent)).map(|index| (usize::from(sought.first) + index) % OBJECTS);
    let mut answers =
        stream::iter(objects.map(|object| ask(site, object))).buffer_unordered(AT_ONCE);
    let mut tally = Tally::default();
    while let Some(answer) = answers.next().await {
        match answer {
            Answer::Unasked => {
                let why =
                    "the live gateway is of a release in which nobody can choose the room to ask";
                return Err(Proof::Impossible(why.to_owned()));
            }
            Answer::Version(version) => {
                if version == sought.version && sought.percent < 100 {
                    return Err(Proof::Given);
                }
                *tally.versions.entry(version).or_default() += 1;
            }
            Answer::Failed(why) => {
                tally.failed += 1;
                tally.failure = Some(why);
            }
        }
    }
    let is_found = tally.versions.contains_key(sought.version) && tally.failed == 0;
    if is_found {
        Err(Proof::Given)
    } else {
        Ok(tally)
    }
}

fn verdict(sought: Sought<'_>, tally: &Tally) -> anyhow::Result<Proof> {
    let Sought {
        version, percent, ..
    } = sought;
    let asked = tally.count();
    // Whatever a room answers, it must answer
    ensure!(
        tally.failed < asked,
        "none of {asked} rooms that were asked says what it runs: {tally}"
    );
    if tally.versions.contains_key(version) {
        bail!("not all of {asked} rooms that were asked answer: {tally}");
    }
    if !is_certain(percent, asked) {
        let why = format!(
            "none of the {asked} rooms that can be asked runs `{version}`, which at {percent} % can be chance: {tally}"
        );
        return Ok(Proof::Impossible(why));
    }
    bail!(
        "none of {asked} rooms that were asked runs `{version}`, although it has {percent} % of them: {tally}"
    )
}

async fn ask(site: &Site, object: usize) -> Answer {
    let asked = async {
        let path = format!("/health?deep=1&probe={object}");
        let (status, body) = site.get(&path).await?;
        ensure!(status == 200, "`{}` answered {status}", site.url(&path));
        let health: Json = serde_json::from_str(&body).context("the answer is no JSON")?;
        let room = &health["room"];
        if room["probe"] != object {
            return Ok(Answer::Unasked);
        }
        let version = room["version"]
            .as_str()
            .context("the room names no version")?;
        Ok(Answer::Version(version.to_owned()))
    };
    asked
        .await
        .unwrap_or_else(|error: anyhow::Error| Answer::Failed(Advice::of(&error).line()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_asked_as_miss_a_share_once_in_a_thousand() {
        let counts = [1, 2, 3, 5, 10, 25, 50, 99, 100].map(needed);
        assert_eq!(
            counts,
            [256, 256, 227, 135, 66, LEAST, LEAST, LEAST, SAMPLE]
        );
        for percent in 1..100 {
            let others = 1.0 - f64::from(percent) / 100.0;
            let missed = |count: usize| others.powi(i32::try_from(count).unwrap());
            let count = needed(percent);
            assert_eq!(
                missed(count) < MISS,
                is_certain(percent, count),
                "{percent}"
            );
            assert!(count == OBJECTS || missed(count) < MISS, "{percent}");
            assert!(count == LEAST || missed(count - 1) >= MISS, "{percent}");
        }
    }

    fn judged(percent: u8, versions: &[(&str, usize)], failed: usize) -> String {
        let tally = Tally {
            versions: versions
                .iter()
                .map(|(version, count)| ((*version).to_owned(), *count))
                .collect(),
            failed,
            failure: (failed > 0).then(|| "503".to_owned()),
        };
        let sought = Sought {
            version: "new",
            percent,
            first: 0,
            patience: Duration::ZERO,
        };
        match verdict(sought, &tally) {
            Ok(proof) => format!("{proof:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_verdict_says_how_many_were_asked_and_what_they_answered() {
        assert_eq!(
            judged(5, &[("old", 134)], 1),
            "none of 135 rooms that were asked runs `new`, although it has 5 % of them: 134 run `old`, 1 gave no version (503)"
        );
        assert_eq!(
            judged(100, &[("old", 16)], 0),
            "none of 16 rooms that were asked runs `new`, although it has 100 % of them: 16 run `old`"
        );
        assert_eq!(
            judged(100, &[("new", 15)], 1),
            "not all of 16 rooms that were asked answer: 15 run `new`, 1 gave no version (503)"
        );
        assert_eq!(
            judged(1, &[("old", 256)], 0),
            "Impossible(\"none of the 256 rooms that can be asked runs `new`, which at 1 % can be chance: 256 run `old`\")"
        );
        assert_eq!(
            judged(1, &[], 256),
            "none of 256 rooms that were asked says what it runs: 256 gave no version (503)"
        );
    }
}
