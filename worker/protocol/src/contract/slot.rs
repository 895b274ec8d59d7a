//! The two secret slots of equal rank, and how often each is used.

use super::binding;
use serde::{Deserialize, Serialize};

/// A slot that holds a publisher's credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    Primary,
    Alternate,
}

impl Slot {
    /// Both, in the order in which they are tried.
    pub const ALL: [Self; 2] = [Self::Primary, Self::Alternate];

    /// The name of the secret binding.
    pub const fn binding(self) -> &'static str {
        match self {
            Self::Primary => binding::WEBHOOK_SECRET,
            Self::Alternate => binding::WEBHOOK_SECRET_ALTERNATE,
        }
    }

    /// The one that is not this.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Primary => Self::Alternate,
            Self::Alternate => Self::Primary,
        }
    }
}

/// Uses of one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(schemars::JsonSchema))]
pub struct Use {
    /// Authenticated publishes with the value of this slot.
    pub uses: u64,
    /// Unix milliseconds.
    pub last_used: Option<u64>,
}

/// Uses of both slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(schemars::JsonSchema))]
pub struct Uses {
    /// The first slot.
    #[serde(rename = "WEBHOOK_SECRET", default)]
    pub primary: Use,
    /// The second slot.
    #[serde(rename = "WEBHOOK_SECRET_ALTERNATE", default)]
    pub alternate: Use,
}

impl Uses {
    /// One use of `slot` at `now_ms`.
    pub fn count(&mut self, slot: Slot, now_ms: u64) {
        let used = match slot {
            Slot::Primary => &mut self.primary,
            Slot::Alternate => &mut self.alternate,
        };
        used.uses += 1;
        used.last_used = used.last_used.max(Some(now_ms));
    }

    /// Those of `slot`.
    pub const fn of(&self, slot: Slot) -> Use {
        match slot {
            Slot::Primary => self.primary,
            Slot::Alternate => self.alternate,
        }
    }

    /// Adds what another counter saw.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.primary, &other.primary),
            (&mut self.alternate, &other.alternate),
        ] {
            mine.uses = mine.uses.saturating_add(theirs.uses);
            mine.last_used = mine.last_used.max(theirs.last_used);
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_of_many_gateways_add_up_and_keep_the_latest_time() {
        let mut all = Uses::default();
        let mut one = Uses::default();
        one.count(Slot::Primary, 50);
        one.count(Slot::Primary, 40);
        all.add(&one);
        all.add(&one);
        assert_eq!(
            serde_json::to_string(&all).unwrap(),
            r#"{"WEBHOOK_SECRET":{"uses":4,"last_used":50},"WEBHOOK_SECRET_ALTERNATE":{"uses":0,"last_used":null}}"#
        );
    }
}
