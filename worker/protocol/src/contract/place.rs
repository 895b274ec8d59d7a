//! The objects of a deployment by their names: a room's root and shards, and the few that are not rooms.

use super::settings::Region;
use super::token::Token;
use serde::{Deserialize, Serialize};

/// The object that counts uses of secrets. No token has a `/`, so no room has this name.
pub const USES_OBJECT: &str = "/secrets";

/// The object that `GET /health?deep=1` touches, or with `&probe=` the one of that number: so many anybody may wake, none of
/// which stores anything, and no more. Which version of a room an object runs is decided by its name.
pub fn health_object(probe: Option<u8>) -> String {
    match probe {
        None => "/health".to_owned(),
        Some(probe) => format!("/health/{probe}"),
    }
}

/// One object of a room. Index 0 of the first region is the root, named by the token alone; a shard's name is
/// `token/region/index`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub token: String,
    /// Empty where the manifest has no regions.
    pub region: String,
    pub index: u32,
    /// Whether this is the first region, whose index 0 is the root.
    pub home: Home,
}

/// The relation of a region to the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Home {
    Root,
    Away,
}

impl Place {
    /// The place of the first socket of a client in `region`; `None` where the manifest has no regions.
    pub fn first(token: &Token, regions: &[Region], region: Option<&Region>) -> Self {
        let home = match (regions.first(), region) {
            (Some(first), Some(region)) if first.name != region.name => Home::Away,
            _ => Home::Root,
        };
        Self {
            token: token.as_str().to_owned(),
            region: region.map(|region| region.name.clone()).unwrap_or_default(),
            index: 0,
            home,
        }
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.index == 0 && self.home == Home::Root
    }

    /// The name of the object.
    pub fn name(&self) -> String {
        if self.is_root() {
            self.token.clone()
        } else {
            format!("{}/{}/{}", self.token, self.region, self.index)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions() -> Vec<Region> {
        [("us", "enam", "NA"), ("eu", "weur", "EU")]
            .into_iter()
            .map(|(name, hint, continent)| Region {
                name: name.to_owned(),
                host: format!("broadcast-{name}.glow.trade"),
                location_hint: hint.to_owned(),
                continents: vec![continent.to_owned()],
            })
            .collect()
    }

    #[test]
    fn the_root_has_the_tokens_name_and_shards_have_names_that_no_token_can_have() {
        let (token, regions) = (Token::try_from("SOL").unwrap(), regions());
        let home = Place::first(&token, &regions, regions.first());
        let away = Place::first(&token, &regions, regions.get(1));
        let plain = Place::first(&token, &[], None);
        let at = |place: &Place, index| Place {
            index,
            ..place.clone()
        };
        assert_eq!(home.name(), "SOL");
        assert_eq!(at(&home, 1).name(), "SOL/us/1");
        assert_eq!(away.name(), "SOL/eu/0");
        assert_eq!(plain.name(), "SOL");
        assert_eq!(at(&plain, 2).name(), "SOL//2");
        let (health, probe) = (health_object(None), health_object(Some(255)));
        assert_eq!(
            (health.as_str(), probe.as_str()),
            ("/health", "/health/255")
        );
        for name in ["SOL/us/1", USES_OBJECT, &health, &probe] {
            assert!(Token::try_from(name).is_err(), "{name}");
        }
    }
}
