//! The name of a run, from which everything that it makes is named, and by which it is known again. Pure.

/// Every script's name begins so.
const SCRIPT: &str = "edge-broadcast-live-";
/// Every host's name begins so.
const HOST: &str = "eb-live-";
/// What the room's script has behind the gateway's name.
const ROOM: &str = "-room";
/// Hexadecimal digits behind these.
const DIGITS: usize = 12;

/// A run's own name: twelve hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    /// A name that nothing has.
    pub(crate) fn random() -> Self {
        Self(format!("{:012x}", rand::random::<u64>() >> 16))
    }

    /// The name of the environment; `worker.name` is the rest of the scripts' names.
    pub(crate) fn environment(&self) -> String {
        format!("live-{}", self.0)
    }

    pub(crate) fn gateway(&self) -> String {
        format!("{SCRIPT}{}", self.0)
    }

    pub(crate) fn room(&self) -> String {
        format!("{}{ROOM}", self.gateway())
    }

    /// One label below the zone, which is what every zone's certificate covers.
    pub(crate) fn host(&self, zone: &str) -> String {
        format!("{HOST}{}.{zone}", self.0)
    }
}

/// Whose remains are meant.
#[derive(Clone, Debug)]
pub(crate) enum Whose {
    /// Those of one run.
    Run(Name),
    /// Those of every run.
    Every,
}

impl Whose {
    /// Whether a script of this name is one that a run makes. A name that only begins like one is somebody else's.
    pub(crate) fn has_script(&self, script: &str) -> bool {
        let run = script.strip_suffix(ROOM).unwrap_or(script);
        match self {
            Self::Run(name) => run == name.gateway(),
            Self::Every => run.strip_prefix(SCRIPT).is_some_and(is_name),
        }
    }

    /// Whether a host of the zone is one that a run makes.
    pub(crate) fn has_host(&self, host: &str, zone: &str) -> bool {
        match self {
            Self::Run(name) => host == name.host(zone),
            Self::Every => host
                .strip_suffix(zone)
                .and_then(|rest| rest.strip_suffix('.'))
                .and_then(|rest| rest.strip_prefix(HOST))
                .is_some_and(is_name),
        }
    }

    /// Whether a route's pattern begins with such a host.
    pub(crate) fn has_route(&self, pattern: &str, zone: &str) -> bool {
        self.has_host(pattern.split('/').next().unwrap_or_default(), zone)
    }
}

fn is_name(text: &str) -> bool {
    text.len() == DIGITS
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
