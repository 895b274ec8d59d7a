//! A data point as the runtime posts it, and as the sandbox shows it.

use serde::Deserialize;
use serde_json::{Value, json};

/// As many blobs, and as many doubles, as a data point may have:
/// <https://developers.cloudflare.com/analytics/analytics-engine/limits/>.
pub(crate) const MOST: usize = 20;

/// A data point.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Point {
    pub account: String,
    pub dataset: String,
    /// When it was written: nanoseconds since 1970.
    pub nanoseconds: i64,
    pub index: Option<String>,
    pub blobs: Vec<String>,
    pub doubles: Vec<f64>,
}

impl Point {
    /// From the runtime's form: `index1`, `blob1`… as byte arrays, `double1`…, and `timestamp`.
    pub(crate) fn read(account: &str, dataset: &str, raw: &Value) -> Self {
        let numbered =
            |stem: &'static str| (1..=MOST).map_while(move |n| raw.get(format!("{stem}{n}")));
        let at = &raw["timestamp"];
        let nanoseconds = at.as_i64().or_else(|| at.as_str()?.parse().ok());
        Self {
            account: account.to_owned(),
            dataset: dataset.to_owned(),
            nanoseconds: nanoseconds.unwrap_or_default(),
            index: numbered("index").next().map(text),
            blobs: numbered("blob").map(text).collect(),
            doubles: numbered("double").filter_map(Value::as_f64).collect(),
        }
    }

    /// What `GET /sandbox/analytics` shows.
    pub(crate) fn shown(&self) -> Value {
        json!({
            "account": self.account,
            "dataset": self.dataset,
            "indexes": self.index.iter().collect::<Vec<_>>(),
            "blobs": self.blobs,
            "doubles": self.doubles,
            "timestamp": self.nanoseconds.to_string(),
        })
    }
}

fn text(bytes: &Value) -> String {
    let bytes = Vec::<u8>::deserialize(bytes).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_from_the_runtimes_form() {
        let raw = json!({"index1": [105], "blob1": [98, 49], "blob2": [98], "double1": 1, "double2": 0.5, "timestamp": "7"});
        let shown = json!({"account": "a", "dataset": "d", "indexes": ["i"], "blobs": ["b1", "b"], "doubles": [1.0, 0.5], "timestamp": "7"});
        assert_eq!(Point::read("a", "d", &raw).shown(), shown);
    }
}
