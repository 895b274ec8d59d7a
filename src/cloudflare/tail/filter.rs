//! Which events a tail gives. An event must pass all of them (`TailAPIFilter` in wrangler's `src/tail/filters.ts`).

use serde_json::{Value as Json, json};

/// What is wanted; what is empty is not asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filters {
    /// The share of events, above 0 and below 1.
    pub(crate) sampling: Option<f64>,
    /// Any of these.
    pub(crate) outcomes: Vec<&'static str>,
    /// Any of these methods.
    pub(crate) methods: Vec<String>,
    /// Any of these addresses of clients; `self` is that of whoever asks.
    pub(crate) addresses: Vec<String>,
    /// A text of a log.
    pub(crate) search: Option<String>,
    /// The id of a version.
    pub(crate) version: Option<String>,
}

impl Filters {
    /// The body of `POST scripts/S/tails`.
    pub(super) fn body(&self) -> Json {
        let Self {
            sampling,
            outcomes,
            methods,
            addresses,
            search,
            version,
        } = self;
        let some = |name: &str, list: Json| match list.as_array().is_some_and(Vec::is_empty) {
            true => None,
            false => Some(json!({ name: list })),
        };
        let filters = [
            sampling.map(|share| json!({ "sampling_rate": share })),
            some("outcome", json!(outcomes)),
            some("method", json!(methods)),
            some("client_ip", json!(addresses)),
            search.as_ref().map(|text| json!({ "query": text })),
            version.as_ref().map(|id| json!({ "scriptVersion": id })),
        ];
        json!({ "filters": filters.into_iter().flatten().collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_written_as_wrangler_writes_it() {
        assert_eq!(Filters::default().body(), json!({ "filters": [] }));
        let all = Filters {
            sampling: Some(0.25),
            outcomes: vec!["ok", "canceled"],
            methods: vec!["POST".to_owned()],
            addresses: vec!["self".to_owned(), "192.0.2.1".to_owned()],
            search: Some("lost".to_owned()),
            version: Some("v1".to_owned()),
        };
        // The order of wrangler's `translateCLICommandToFilterMessage`
        assert_eq!(
            all.body(),
            json!({ "filters": [
                { "sampling_rate": 0.25 },
                { "outcome": ["ok", "canceled"] },
                { "method": ["POST"] },
                { "client_ip": ["self", "192.0.2.1"] },
                { "query": "lost" },
                { "scriptVersion": "v1" },
            ] })
        );
    }
}
