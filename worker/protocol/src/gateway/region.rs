//! The region of a client.

use crate::contract::settings::Region;

/// Chooses a client's region: by the host it asked, or else by its continent, or else the first.
pub fn of<'settings>(
    regions: &'settings [Region],
    host: &str,
    continent: Option<&str>,
) -> Option<&'settings Region> {
    let by_host = || {
        regions
            .iter()
            .find(|region| region.host.eq_ignore_ascii_case(host))
    };
    let by_continent = || {
        let continent = continent?;
        regions
            .iter()
            .find(|region| region.continents.iter().any(|code| code == continent))
    };
    by_host().or_else(by_continent).or_else(|| regions.first())
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

    fn chosen(host: &str, continent: Option<&str>) -> String {
        of(&regions(), host, continent).unwrap().name.clone()
    }

    #[test]
    fn the_host_wins_over_the_continent_and_the_first_region_is_the_fallback() {
        assert_eq!(chosen("broadcast-eu.glow.trade", Some("NA")), "eu");
        assert_eq!(chosen("broadcast.glow.trade", Some("EU")), "eu");
        assert_eq!(chosen("broadcast.glow.trade", Some("AS")), "us");
        assert_eq!(chosen("broadcast.glow.trade", None), "us");
        assert_eq!(of(&[], "any", Some("EU")), None);
    }
}
