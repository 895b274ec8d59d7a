//! What a dashboard draws and what an alert watches, as questions for Grafana.
//!
//! The macros `$timeSeries` and `$timeFilter` are those of the Altinity plugin that Cloudflare recommends. Source:
//! <https://developers.cloudflare.com/analytics/analytics-engine/grafana/>

/// Something that is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    /// How it is drawn.
    pub(crate) shape: Shape,
    /// The unit, by Grafana's name for it.
    pub(crate) unit: &'static str,
    /// What is selected beside the time, and what follows; `WHERE` and the data set stand between them.
    select: &'static str,
    only: &'static str,
    by: &'static str,
}

/// How a panel is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Lines over time.
    Lines,
    /// A table, without time.
    Table,
}

const fn lines(
    title: &'static str,
    unit: &'static str,
    select: &'static str,
    only: &'static str,
    by: &'static str,
) -> Panel {
    Panel {
        title,
        shape: Shape::Lines,
        unit,
        select,
        only,
        by,
    }
}

const EVENTS: &str = "SUM(_sample_interval) AS events";
const TIMES: &str = "quantileExactWeighted(0.5)(double3, _sample_interval) AS p50, quantileExactWeighted(0.99)(double3, _sample_interval) AS p99";

/// All panels, in the order in which they are read.
pub(crate) const PANELS: [Panel; 11] = [
    lines(
        "Sockets opened and closed",
        "short",
        "blob1 AS event, SUM(_sample_interval) AS events",
        "blob1 = 'connect' OR blob1 = 'disconnect'",
        "event",
    ),
    lines("Publishes", "short", EVENTS, "blob1 = 'publish'", ""),
    lines(
        "Deliveries",
        "short",
        "SUM(_sample_interval * double1) AS deliveries",
        "blob1 = 'broadcast'",
        "",
    ),
    lines(
        "Until a room has sent a frame",
        "ms",
        TIMES,
        "blob1 = 'broadcast'",
        "",
    ),
    lines(
        "Until a publisher is answered",
        "ms",
        TIMES,
        "blob1 = 'publish'",
        "",
    ),
    lines(
        "Refusals by code",
        "short",
        "blob2 AS code, SUM(_sample_interval) AS events",
        "blob1 = 'refusal'",
        "code",
    ),
    lines(
        "Frames that not every object took",
        "short",
        EVENTS,
        "blob1 = 'broadcast' AND blob5 = 'partial'",
        "",
    ),
    lines(
        "Events by version",
        "short",
        "blob4 AS version, SUM(_sample_interval) AS events",
        "",
        "version",
    ),
    lines(
        "Publish time by version, p99",
        "ms",
        "blob4 AS version, quantileExactWeighted(0.99)(double3, _sample_interval) AS p99",
        "blob1 = 'publish'",
        "version",
    ),
    lines(
        "Sockets opened by region",
        "short",
        "blob3 AS region, SUM(_sample_interval) AS events",
        "blob1 = 'connect'",
        "region",
    ),
    Panel {
        title: "Tokens with most deliveries",
        shape: Shape::Table,
        unit: "short",
        select: "index1 AS token, SUM(_sample_interval) AS frames, SUM(_sample_interval * double1) AS deliveries",
        only: "blob1 = 'broadcast'",
        by: "token",
    },
];

impl Panel {
    /// The question, of the time that the dashboard shows.
    pub(crate) fn question(&self, dataset: &str) -> String {
        let Self {
            select, only, by, ..
        } = self;
        let filter = match only.is_empty() {
            true => "$timeFilter".to_owned(),
            false => format!("$timeFilter AND ({only})"),
        };
        match self.shape {
            Shape::Table => format!(
                "SELECT {select} FROM {dataset} WHERE {filter} GROUP BY {by} ORDER BY deliveries DESC LIMIT 20"
            ),
            Shape::Lines => {
                let by = if by.is_empty() {
                    "t".to_owned()
                } else {
                    format!("t, {by}")
                };
                format!(
                    "SELECT $timeSeries AS t, {select} FROM {dataset} WHERE {filter} GROUP BY {by} ORDER BY t"
                )
            }
        }
    }
}

/// Something that somebody must look at when it is above a bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alert {
    /// Part of its id.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What to do then.
    pub(crate) summary: &'static str,
    pub(crate) above: f64,
    pub(crate) watched: Watched,
    /// The expression that is compared.
    value: &'static str,
    only: &'static str,
}

/// What an alert looks at, and so what it means that nothing was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    /// What happens: where nothing does, nothing is wrong.
    Events,
    /// That something happens, where something did.
    Silence,
}

impl Watched {
    /// Minutes that an alert looks back. Points appear a minute or two late, and one slow minute is no trouble; of a silence it must see
    /// what was before.
    pub(crate) const fn minutes(self) -> u64 {
        match self {
            Self::Events => 10,
            Self::Silence => 60,
        }
    }
}

/// All alerts. Their bounds are meant to be changed in Grafana: they are what would surprise in a quiet system.
pub(crate) const ALERTS: [Alert; 5] = [
    Alert {
        name: "failed",
        title: "requests fail",
        summary: "the system could not serve more than 1 % of what it was asked: look at `edge-broadcast doctor` and `tail --status error`",
        above: 0.01,
        watched: Watched::Events,
        value: "SUM(if(blob5 = 'failed', _sample_interval * 1.0, 0.0)) / SUM(_sample_interval)",
        only: "blob1 = 'handshake' OR blob1 = 'publish' OR blob1 = 'refusal'",
    },
    Alert {
        name: "refused",
        title: "many requests are refused",
        summary: "more than every fifth request is refused: `edge-broadcast stats` says why; after a rotation it is an old secret",
        above: 0.2,
        watched: Watched::Events,
        value: "SUM(if(blob5 = 'refused', _sample_interval * 1.0, 0.0)) / SUM(_sample_interval)",
        only: "blob1 = 'handshake' OR blob1 = 'publish' OR blob1 = 'refusal'",
    },
    Alert {
        name: "slow",
        title: "frames are late",
        summary: "one frame in a hundred takes a room more than two seconds: a full object needs 1.6; look at `edge-broadcast rooms get`",
        above: 2000.0,
        watched: Watched::Events,
        value: "quantileExactWeighted(0.99)(double3, _sample_interval)",
        only: "blob1 = 'broadcast'",
    },
    Alert {
        name: "partial",
        title: "frames miss objects",
        summary: "more than 1 % of frames did not reach every object of their room at once: they are sent again; look at `edge-broadcast tail`",
        above: 0.01,
        watched: Watched::Events,
        value: "SUM(if(blob5 = 'partial', _sample_interval * 1.0, 0.0)) / SUM(_sample_interval)",
        only: "blob1 = 'broadcast'",
    },
    Alert {
        name: "silent",
        title: "nothing is published any more",
        summary: "no publish was accepted for a quarter of an hour, and before there were some: look at the publishers, then at `edge-broadcast doctor --publish`",
        above: 900.0,
        watched: Watched::Silence,
        value: "toUnixTimestamp(NOW()) - toUnixTimestamp(MAX(timestamp))",
        only: "blob1 = 'publish'",
    },
];

impl Alert {
    /// The question, of the minutes that it looks back.
    pub(crate) fn question(&self, dataset: &str) -> String {
        let Self {
            watched,
            value,
            only,
            ..
        } = self;
        // The end of nothing would be the year 1970: by a group there is no row where there is no point
        let by = match watched {
            Watched::Events => "",
            Watched::Silence => " GROUP BY blob1",
        };
        let minutes = watched.minutes();
        format!(
            "SELECT {value} AS value FROM {dataset} WHERE timestamp > NOW() - INTERVAL '{minutes}' MINUTE AND ({only}){by}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_asks_over_time_and_a_table_of_the_whole() {
        insta::assert_snapshot!(
            [PANELS[0].question("d"), PANELS[1].question("d"), PANELS[7].question("d"), PANELS[10].question("d"), ALERTS[0].question("d"), ALERTS[4].question("d")].join("\n"),
            @r"
        SELECT $timeSeries AS t, blob1 AS event, SUM(_sample_interval) AS events FROM d WHERE $timeFilter AND (blob1 = 'connect' OR blob1 = 'disconnect') GROUP BY t, event ORDER BY t
        SELECT $timeSeries AS t, SUM(_sample_interval) AS events FROM d WHERE $timeFilter AND (blob1 = 'publish') GROUP BY t ORDER BY t
        SELECT $timeSeries AS t, blob4 AS version, SUM(_sample_interval) AS events FROM d WHERE $timeFilter GROUP BY t, version ORDER BY t
        SELECT index1 AS token, SUM(_sample_interval) AS frames, SUM(_sample_interval * double1) AS deliveries FROM d WHERE $timeFilter AND (blob1 = 'broadcast') GROUP BY token ORDER BY deliveries DESC LIMIT 20
        SELECT SUM(if(blob5 = 'failed', _sample_interval * 1.0, 0.0)) / SUM(_sample_interval) AS value FROM d WHERE timestamp > NOW() - INTERVAL '10' MINUTE AND (blob1 = 'handshake' OR blob1 = 'publish' OR blob1 = 'refusal')
        SELECT toUnixTimestamp(NOW()) - toUnixTimestamp(MAX(timestamp)) AS value FROM d WHERE timestamp > NOW() - INTERVAL '60' MINUTE AND (blob1 = 'publish') GROUP BY blob1
        "
        );
    }
}
