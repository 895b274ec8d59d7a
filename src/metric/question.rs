//! Questions to a data set, as Analytics Engine's SQL.
//!
//! Only functions that Cloudflare documents are used. Where it keeps one point of several, `_sample_interval` says of how many: so sums
//! and quantiles are weighted by it. Source: <https://developers.cloudflare.com/analytics/analytics-engine/sql-api/>, "Sampling".

use edge_broadcast_protocol::contract::token::PROBE_PREFIX;

/// A data set, and how far back it is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    /// Lower-case letters, digits and underscores, as the manifest's type has it.
    pub(crate) dataset: &'a str,
    /// Seconds until now.
    pub(crate) seconds: u64,
}

/// What figures are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// By nothing: all in one.
    All,
    Version,
    Region,
    Token,
}

impl Key {
    /// The expression that gives it.
    fn column(self) -> &'static str {
        match self {
            Self::All => "''",
            Self::Version => "blob4",
            Self::Region => "blob3",
            Self::Token => "index1",
        }
    }
}

/// Events by key, kind and outcome: how many, the sum of their counts, and what was missed.
pub(crate) fn events(scope: Scope<'_>, key: Key) -> String {
    format!(
        "SELECT {} AS key, blob1 AS event, blob5 AS outcome, SUM(_sample_interval) AS events, SUM(_sample_interval * double1) AS count, SUM(_sample_interval * double4) AS missed {} GROUP BY key, event, outcome ORDER BY key, event, outcome",
        key.column(),
        from(scope, "")
    )
}

/// Milliseconds of one kind of event, by key.
pub(crate) fn milliseconds(scope: Scope<'_>, key: Key, event: &str) -> String {
    format!(
        "SELECT {} AS key, quantileExactWeighted(0.5)(double3, _sample_interval) AS p50, quantileExactWeighted(0.99)(double3, _sample_interval) AS p99 {} GROUP BY key ORDER BY key",
        key.column(),
        from(scope, &format!(" AND blob1 = {}", quoted(event)))
    )
}

/// Refusals by code and outcome, the most frequent first.
pub(crate) fn refusals(scope: Scope<'_>) -> String {
    format!(
        "SELECT blob2 AS code, blob5 AS outcome, SUM(_sample_interval) AS events {} GROUP BY code, outcome ORDER BY events DESC, code LIMIT 50",
        from(scope, " AND blob1 = 'refusal'")
    )
}

/// The tokens whose frames reached most sockets.
pub(crate) fn tokens(scope: Scope<'_>) -> String {
    format!(
        "SELECT index1 AS token, SUM(_sample_interval) AS broadcasts, SUM(_sample_interval * double1) AS deliveries {} GROUP BY token ORDER BY deliveries DESC, broadcasts DESC, token LIMIT 50",
        from(scope, " AND blob1 = 'broadcast'")
    )
}

/// Events by time, in steps of so many seconds.
pub(crate) fn timeline(scope: Scope<'_>, step: u64) -> String {
    format!(
        "SELECT intDiv(toUInt32(timestamp), {step}) * {step} AS t, blob1 AS event, SUM(_sample_interval) AS events, SUM(_sample_interval * double1) AS count {} GROUP BY t, event ORDER BY t, event",
        from(scope, "")
    )
}

/// A data set, and since when it is asked what two versions counted: seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trial<'a> {
    pub(crate) dataset: &'a str,
    pub(crate) since: u64,
    /// Their ids.
    pub(crate) versions: [&'a str; 2],
}

/// Events of two versions, by kind, outcome and milliseconds, without those of this tool's own checks: how many, and the sum of the
/// squares of what each point stands for.
pub(crate) fn evidence(trial: Trial<'_>) -> String {
    format!(
        "SELECT blob4 AS version, blob1 AS event, blob5 AS outcome, double3 AS ms, SUM(_sample_interval) AS events, SUM(_sample_interval * _sample_interval) AS squares {} GROUP BY version, event, outcome, ms ORDER BY version, event, outcome, ms",
        of_trial(trial)
    )
}

/// The rooms that the versions counted events of, the busiest first.
pub(crate) fn rooms(trial: Trial<'_>) -> String {
    format!(
        "SELECT blob4 AS version, index1 AS token, SUM(_sample_interval) AS events {} GROUP BY version, token ORDER BY events DESC, version, token LIMIT 10000",
        of_trial(trial)
    )
}

fn of_trial(trial: Trial<'_>) -> String {
    let Trial { dataset, since, .. } = trial;
    let [new, old] = trial.versions.map(quoted);
    let checks = quoted(&format!("{PROBE_PREFIX}%"));
    format!(
        "FROM {dataset} WHERE timestamp >= toDateTime({since}) AND (blob4 = {new} OR blob4 = {old}) AND NOT index1 LIKE {checks}"
    )
}

fn from(Scope { dataset, seconds }: Scope<'_>, more: &str) -> String {
    format!("FROM {dataset} WHERE timestamp > NOW() - INTERVAL '{seconds}' SECOND{more}")
}

/// A text as a literal.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: Scope<'_> = Scope {
        dataset: "prices",
        seconds: 3600,
    };
    const TRIAL: Trial<'_> = Trial {
        dataset: "prices",
        since: 1_700_000_000,
        versions: ["new", "old"],
    };

    #[test]
    fn each_question_is_one_of_analytics_engines_sql() {
        insta::assert_snapshot!(
            [
                events(SCOPE, Key::All),
                events(SCOPE, Key::Version),
                milliseconds(SCOPE, Key::Region, "broadcast"),
                refusals(SCOPE),
                tokens(SCOPE),
                timeline(SCOPE, 60),
                evidence(TRIAL),
                rooms(TRIAL),
            ]
            .join("\n"),
            @r"
        SELECT '' AS key, blob1 AS event, blob5 AS outcome, SUM(_sample_interval) AS events, SUM(_sample_interval * double1) AS count, SUM(_sample_interval * double4) AS missed FROM prices WHERE timestamp > NOW() - INTERVAL '3600' SECOND GROUP BY key, event, outcome ORDER BY key, event, outcome
        SELECT blob4 AS key, blob1 AS event, blob5 AS outcome, SUM(_sample_interval) AS events, SUM(_sample_interval * double1) AS count, SUM(_sample_interval * double4) AS missed FROM prices WHERE timestamp > NOW() - INTERVAL '3600' SECOND GROUP BY key, event, outcome ORDER BY key, event, outcome
        SELECT blob3 AS key, quantileExactWeighted(0.5)(double3, _sample_interval) AS p50, quantileExactWeighted(0.99)(double3, _sample_interval) AS p99 FROM prices WHERE timestamp > NOW() - INTERVAL '3600' SECOND AND blob1 = 'broadcast' GROUP BY key ORDER BY key
        SELECT blob2 AS code, blob5 AS outcome, SUM(_sample_interval) AS events FROM prices WHERE timestamp > NOW() - INTERVAL '3600' SECOND AND blob1 = 'refusal' GROUP BY code, outcome ORDER BY events DESC, code LIMIT 50
        SELECT index1 AS token, SUM(_sample_interval) AS broadcasts, SUM(_sample_interval * double1) AS deliveries FROM prices WHERE timestamp > NOW() - INTERVAL '3600' SECOND AND blob1 = 'broadcast' GROUP BY token ORDER BY deliveries DESC, broadcasts DESC, token LIMIT 50
        SELECT intDiv(toUInt32(timestamp), 60) * 60 AS t, blob1 AS event, SUM(_sample_interval) AS events, SUM(_sample_interval * double1) AS count FROM prices WHERE timestamp > NOW() - INTERVAL '3600' SECOND GROUP BY t, event ORDER BY t, event
        SELECT blob4 AS version, blob1 AS event, blob5 AS outcome, double3 AS ms, SUM(_sample_interval) AS events, SUM(_sample_interval * _sample_interval) AS squares FROM prices WHERE timestamp >= toDateTime(1700000000) AND (blob4 = 'new' OR blob4 = 'old') AND NOT index1 LIKE 'edge-broadcast-verify%' GROUP BY version, event, outcome, ms ORDER BY version, event, outcome, ms
        SELECT blob4 AS version, index1 AS token, SUM(_sample_interval) AS events FROM prices WHERE timestamp >= toDateTime(1700000000) AND (blob4 = 'new' OR blob4 = 'old') AND NOT index1 LIKE 'edge-broadcast-verify%' GROUP BY version, token ORDER BY events DESC, version, token LIMIT 10000
        "
        );
    }

    /// The functions of Cloudflare's pages "Aggregate functions", "Mathematical functions", "Type conversion functions" and "Date and
    /// Time functions" (November 2026) that are used here.
    #[test]
    fn only_documented_functions_are_used() {
        let documented = [
            "sum",
            "quantileexactweighted",
            "intdiv",
            "touint32",
            "todatetime",
            "now",
        ];
        let all = [
            events(SCOPE, Key::Token),
            milliseconds(SCOPE, Key::All, "publish"),
            refusals(SCOPE),
            tokens(SCOPE),
            timeline(SCOPE, 60),
            evidence(TRIAL),
            rooms(TRIAL),
        ];
        for question in all {
            for (before, _) in question
                .match_indices('(')
                .map(|(at, _)| question.split_at(at))
            {
                let name = before
                    .rsplit(|c: char| !c.is_ascii_alphanumeric())
                    .next()
                    .unwrap();
                let name = name.to_ascii_lowercase();
                assert!(
                    name.is_empty() || documented.contains(&name.as_str()),
                    "`{name}` in {question}"
                );
            }
        }
    }

    #[test]
    fn a_text_cannot_end_its_literal() {
        assert_eq!(quoted(r"a'b\"), r"'a\'b\\'");
    }
}
