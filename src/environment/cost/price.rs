//! The price list, as Cloudflare's pages have it: data, with source and date.

use std::sync::LazyLock;

use serde::Deserialize;

/// What is asked for a month.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Year and month in which the pages said so.
    pub as_of: String,
    pub plan: Plan,
    pub worker_requests: Price,
    pub worker_cpu: Price,
    pub object_requests: Price,
    pub object_time: Price,
    pub rows_written: Price,
    pub log_events: Price,
    pub data_points: Price,
}

/// What a month costs before anything is used.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub name: String,
    pub dollars: f64,
    pub source: String,
}

/// What is asked for one thing that is counted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    pub name: String,
    /// How many the plan includes.
    pub included: f64,
    /// Dollars for each further million.
    pub million: f64,
    /// Whether it is asked for already.
    #[serde(default = "billed")]
    pub billed: bool,
    /// The page that says so.
    pub source: String,
}

fn billed() -> bool {
    true
}

impl Prices {
    /// The list that this tool knows.
    pub fn known() -> &'static Self {
        static KNOWN: LazyLock<Prices> = LazyLock::new(|| {
            toml_edit::de::from_str(include_str!("prices.toml")).expect("the price list is good")
        });
        &KNOWN
    }

    /// The prices of what is counted, in the order of the bill.
    pub fn counted(&self) -> [&Price; 7] {
        [
            &self.worker_requests,
            &self.worker_cpu,
            &self.object_requests,
            &self.object_time,
            &self.rows_written,
            &self.log_events,
            &self.data_points,
        ]
    }
}

impl Price {
    /// Dollars for so many in a month.
    pub fn dollars(&self, amount: f64) -> f64 {
        match self.billed {
            true => (amount - self.included).max(0.0) * self.million / 1e6,
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_plan_includes_costs_nothing_and_what_is_not_billed_yet_neither() {
        let prices = Prices::known();
        assert_eq!(prices.worker_requests.dollars(10e6), 0.0);
        assert_eq!(prices.worker_requests.dollars(11e6), 0.30);
        assert_eq!(prices.data_points.dollars(1e9), 0.0);
    }

    #[test]
    fn every_price_names_the_page_that_says_so() {
        let prices = Prices::known();
        let sources = prices.counted().map(|price| &price.source);
        for source in sources.into_iter().chain([&prices.plan.source]) {
            assert!(
                source.starts_with("https://developers.cloudflare.com/"),
                "{source}"
            );
        }
    }
}
