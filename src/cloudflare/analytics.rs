//! Analytics Engine's SQL: a question as the body of a POST, which changes nothing. The answer is in no envelope.
//!
//! Source: <https://developers.cloudflare.com/analytics/analytics-engine/sql-api/>

use anyhow::Context;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::client::{Cloudflare, Repeat};
use super::envelope::Call;
use crate::http::body;

/// An answer in the format `JSON`, which is the default.
#[derive(Deserialize)]
struct Answer {
    data: Vec<Map<String, Value>>,
}

/// What is no failure.
enum Answered {
    Rows,
    NoTable,
}

/// What a refusal has in it that says that nothing was ever written to a data set: its table is made with the first point.
const NO_TABLE: [&str; 2] = ["unknown table", "unable to find type of table"];

/// The rows that answer a question; none where nothing was ever written to the data set.
pub(crate) async fn ask(
    cloudflare: &Cloudflare,
    question: &str,
) -> anyhow::Result<Vec<Map<String, Value>>> {
    let path = cloudflare.of_account("analytics_engine/sql");
    let call = Call {
        method: &Method::POST,
        path: &path,
    };
    let answered = cloudflare.answered(
        call,
        Repeat::Safe,
        body::JSON,
        |request| request.body(question.to_owned()),
        |answer| {
            let said = String::from_utf8_lossy(&answer.body);
            match (
                answer.is_success(),
                NO_TABLE.iter().any(|words| said.contains(words)),
            ) {
                (true, _) => Some(Answered::Rows),
                (false, true) => Some(Answered::NoTable),
                (false, false) => None,
            }
        },
    );
    match answered.await? {
        (Answered::NoTable, _) => Ok(Vec::new()),
        (Answered::Rows, answer) => {
            let answer: Answer = serde_json::from_slice(&answer.body)
                .with_context(|| format!("reading the answer of `POST {path}`"))?;
            Ok(answer.data)
        }
    }
}
