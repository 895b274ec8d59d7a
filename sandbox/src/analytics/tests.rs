//! Statements and their whole answers. Examples are those of Cloudflare's documentation, refusals those that it has sent.

use super::catalog::{FUNCTIONS, REFERENCE};
use super::point::Point;
use super::refusal::Refusal;
use super::store::Points;

const ACCOUNT: &str = "5a2db0c5a2db0c5a2db0c5a2db0c5a2d";
/// 2026-11-27 13:36:38
const NOW: i64 = 1_795_786_598;

fn point(seconds: i64, index: &str, blobs: &[&str], doubles: &[f64]) -> Point {
    Point {
        account: ACCOUNT.to_owned(),
        dataset: "weather".to_owned(),
        nanoseconds: seconds * 1_000_000_000 + 999_999_999,
        index: Some(index.to_owned()),
        blobs: blobs.iter().map(|&blob| blob.to_owned()).collect(),
        doubles: doubles.to_vec(),
    }
}

/// Temperatures of three cities, from an hour ago on, and one of another account.
fn weather() -> Points {
    let points = Points::open(None).unwrap();
    let readings = [
        (NOW - 3600, "a", "Seattle", 10.0, 1.0),
        (NOW - 3000, "a", "Seattle", 12.5, 2.0),
        (NOW - 1200, "b", "Lisbon", 21.0, 4.0),
        (NOW - 600, "b", "Lisbon", 19.0, 8.0),
        (NOW - 60, "c", "Oslo", -3.0, 16.0),
    ];
    for (at, index, city, celsius, humidity) in readings {
        points.push(point(at, index, &[city], &[celsius, humidity]));
    }
    points.push(Point {
        account: "0".repeat(32),
        dataset: "elsewhere".to_owned(),
        ..point(NOW, "", &[], &[])
    });
    points
}

/// The rows, between tabs.
fn rows(sql: &str) -> String {
    let sql = format!("{sql} FORMAT TabSeparated");
    match weather().ask_at(ACCOUNT, &sql, NOW) {
        Ok(answer) => answer.body.trim_end_matches('\n').to_owned(),
        Err(Refusal(why)) => panic!("{sql}: {why}"),
    }
}

fn refusal(sql: &str) -> String {
    match weather().ask_at(ACCOUNT, sql, NOW) {
        Ok(answer) => panic!("{sql}: {}", answer.body),
        Err(Refusal(why)) => why,
    }
}

/// One value, and `ClickHouse`'s name of its type.
fn value(expression: &str) -> (String, String) {
    let answer = weather().ask_at(ACCOUNT, &format!("SELECT {expression} AS it"), NOW);
    let answer = answer.unwrap_or_else(|Refusal(why)| panic!("{expression}: {why}"));
    let answer: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let kind = answer["meta"][0]["type"].as_str().unwrap().to_owned();
    let it = &answer["data"][0]["it"];
    let text = it.as_str().map_or_else(|| it.to_string(), str::to_owned);
    (text, kind)
}

fn values(cases: &[(&str, &str, &str)]) {
    for (expression, expected, kind) in cases {
        let expected = ((*expected).to_owned(), (*kind).to_owned());
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn an_answer_has_its_columns_types_rows_and_what_the_limit_cut_off() {
    let sql = "SELECT blob1 AS city, count() AS n, avg(double1) AS celsius, max(timestamp) AS last FROM weather \
               GROUP BY city ORDER BY n DESC, city LIMIT 2";
    let answer = weather().ask_at(ACCOUNT, sql, NOW).unwrap();
    assert_eq!(answer.content_type, "application/json");
    assert_eq!(
        answer.body,
        r#"{"meta":[{"name":"city","type":"String"},{"name":"n","type":"UInt64"},{"name":"celsius","type":"Float64"},{"name":"last","type":"DateTime"}],"data":[{"city":"Lisbon","n":"2","celsius":20,"last":"2026-11-27 13:26:38"},{"city":"Seattle","n":"2","celsius":11.25,"last":"2026-11-27 12:46:38"}],"rows":2,"rows_before_limit_at_least":3}"#
    );
}

#[test]
fn rows_are_also_objects_a_line_or_values_between_tabs() {
    let ask = |format: &str| {
        let sql = format!(
            "SELECT blob1, double1 FROM weather WHERE index1 = 'a' ORDER BY double1 FORMAT {format}"
        );
        weather().ask_at(ACCOUNT, &sql, NOW).unwrap().body
    };
    assert_eq!(
        ask("JSONEachRow"),
        "{\"blob1\":\"Seattle\",\"double1\":10}\n{\"blob1\":\"Seattle\",\"double1\":12.5}\n"
    );
    assert_eq!(ask("TabSeparated"), "Seattle\t10\nSeattle\t12.5\n");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn the_documentations_own_statements_are_answered() {
    let hour = "2026-11-27 12:00:00\t2\n2026-11-27 13:00:00\t3";
    for (sql, expected) in [
        (
            "SELECT 'Hello Workers Analytics Engine' AS message",
            "Hello Workers Analytics Engine",
        ),
        (
            "SELECT toStartOfInterval(timestamp, INTERVAL '1' HOUR) AS hour, sum(_sample_interval) AS count FROM weather \
          GROUP BY hour ORDER BY hour ASC",
            hour,
        ),
        (
            "SELECT blob1 AS city, SUM(_sample_interval * double2) / SUM(_sample_interval) AS avg_humidity FROM weather \
          WHERE double1 > 0 GROUP BY city ORDER BY avg_humidity DESC LIMIT 10",
            "Lisbon\t6\nSeattle\t1.5",
        ),
        (
            "SELECT intDiv(toUInt32(timestamp), 3600) * 3600 AS t, blob1 AS label, SUM(_sample_interval * double1) / \
          SUM(_sample_interval) AS average_metric FROM weather WHERE timestamp <= NOW() AND timestamp > NOW() - INTERVAL \
          '1' DAY GROUP BY blob1, t ORDER BY t",
            "1795780800\tSeattle\t11.25\n1795784400\tLisbon\t20\n1795784400\tOslo\t-3",
        ),
        (
            "SELECT timestamp, blob1 AS location_id, double1 AS inside_temp, double2 AS outside_temp FROM weather WHERE \
          timestamp > NOW() - INTERVAL '5' MINUTE",
            "2026-11-27 13:35:38\tOslo\t-3\t16",
        ),
        (
            "SELECT index1 AS location_id, SUM(_sample_interval) AS n_readings FROM weather WHERE timestamp > NOW() - INTERVAL \
          '7' DAY GROUP BY index1",
            "a\t2\nb\t2\nc\t1",
        ),
        (
            "SELECT blob1 AS city, max(double1) as max_temp, min(double1) as min_temp FROM weather WHERE timestamp > NOW() - \
          INTERVAL '1' DAY GROUP BY city ORDER BY city",
            "Lisbon\t21\t19\nOslo\t-3\t-3\nSeattle\t12.5\t10",
        ),
        (
            "SELECT blob1 AS probe_name, avg(double1) AS average_temp FROM weather GROUP BY probe_name HAVING average_temp > 15",
            "Lisbon\t20",
        ),
        (
            "SELECT blob1 AS city, avg(double1) AS avg_temp, count() AS readings FROM weather GROUP BY city HAVING avg_temp > 5 \
          AND readings >= 2",
            "Lisbon\t20\t2\nSeattle\t11.25\t2",
        ),
        (
            "SELECT max(n) AS most FROM (SELECT blob1 AS probe_name, count() AS n FROM weather GROUP BY probe_name)",
            "2",
        ),
        (
            "SELECT blob1 AS probe_name, double1*1.8+32 AS temp_f FROM weather WHERE if(double1 <= 0, double1, 1.0) <= 0",
            "Oslo\t26.6",
        ),
        (
            "SELECT topK(2)(blob1) AS top FROM weather",
            "['Seattle','Lisbon']",
        ),
        (
            "SELECT topKWeighted(1)(blob1, toUInt32(double2)) AS top FROM weather",
            "['Oslo']",
        ),
        (
            "SELECT argMax(blob1, double1) AS warmest, argMin(blob1, double1) AS coldest FROM weather",
            "Lisbon\tOslo",
        ),
        (
            "SELECT quantileExactWeighted(0.5)(double1, _sample_interval) AS p50, quantileWeighted(0.95, double1, \
          _sample_interval) AS p95 FROM weather",
            "12.5\t21",
        ),
        (
            "SELECT countIf(double1 > 15) AS warm, sumIf(double2, double1 > 15) AS sum, avgIf(double1, blob1 = 'Oslo') AS oslo, \
          count(DISTINCT blob1) AS cities FROM weather",
            "2\t12\t-3\t3",
        ),
        ("SHOW TABLES", "weather"),
        ("SHOW TIMEZONE", "Etc/UTC"),
    ] {
        assert_eq!(rows(sql), expected, "{sql}");
    }
}

#[test]
fn all_columns_are_there_and_empty_where_nothing_was_written() {
    let row = rows("SELECT * FROM weather WHERE blob1 = 'Oslo'");
    let cells: Vec<&str> = row.split('\t').collect();
    assert_eq!(cells.len(), 44);
    let first = ["weather", "2026-11-27 13:35:38", "1", "c", "Oslo", ""];
    assert_eq!(cells[..6], first);
    assert_eq!(cells[23..27], ["", "-3", "16", "0"]);
}

#[test]
fn sums_over_nothing_are_zero_and_means_are_null() {
    let sql = "SELECT count() AS a, sum(_sample_interval) AS b, avg(double1) AS c, max(double1) AS d, sum(double1) / count() AS e, \
               quantileExactWeighted(0.9)(double1, _sample_interval) AS f FROM weather WHERE blob1 = 'Rome'";
    let body = weather().ask_at(ACCOUNT, sql, NOW).unwrap().body;
    let data = r#""data":[{"a":"0","b":"0","c":null,"d":0,"e":null,"f":null}],"rows":1"#;
    assert!(body.contains(data), "{body}");
    let grouped =
        "SELECT blob1 AS city, count() AS n FROM weather WHERE blob1 = 'Rome' GROUP BY city";
    assert_eq!(rows(grouped), "");
}

/// `ClickHouse`'s own examples: its page of `quantileExactWeighted`, and that of `quantilesExactWeighted`.
#[test]
fn a_quantile_counts_each_value_with_its_weight() {
    let points = Points::open(None).unwrap();
    for (value, weight) in [(0.0, 3.0), (1.0, 2.0), (2.0, 1.0), (5.0, 4.0)] {
        points.push(point(NOW, "clickhouse", &[], &[value, weight]));
    }
    for value in 0..10 {
        points.push(point(NOW, "numbers", &[], &[f64::from(value), 1.0]));
    }
    let quantile = |level: f64, index: &str| {
        let sql = format!(
            "SELECT quantileExactWeighted({level})(double1, toUInt32(double2)) AS it FROM weather WHERE index1 = '{index}' \
             FORMAT TabSeparated"
        );
        points.ask_at(ACCOUNT, &sql, NOW).unwrap().body
    };
    assert_eq!(quantile(0.5, "clickhouse"), "1\n");
    let quartiles = [0.25, 0.5, 0.75].map(|level| quantile(level, "numbers"));
    assert_eq!(quartiles.concat(), "2\n4\n7\n");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn times_are_converted_taken_apart_and_rounded_as_documented() {
    let at = |call: &str, time: &str| format!("{call}(toDateTime('{time}'))");
    for (call, time, expected) in [
        ("toYear", "2025-10-27 00:00:00", "2025"),
        ("toMonth", "2025-10-27 00:00:00", "10"),
        ("toDayOfWeek", "2025-10-27 00:00:00", "1"),
        ("toDayOfWeek", "2025-10-28 00:00:00", "2"),
        ("toDayOfWeek", "2025-11-02 00:00:00", "7"),
        ("toDayOfMonth", "2025-10-27 00:00:00", "27"),
        ("toHour", "2025-10-27 09:11:13", "9"),
        ("toMinute", "2025-10-27 09:11:13", "11"),
        ("toSecond", "2025-10-27 09:11:13", "13"),
        ("toYYYYMM", "2025-10-27 16:55:25", "202510"),
        (
            "toStartOfYear",
            "2025-10-27 00:00:00",
            "2025-01-01 00:00:00",
        ),
        (
            "toStartOfMonth",
            "2025-10-27 00:00:00",
            "2025-10-01 00:00:00",
        ),
        (
            "toStartOfWeek",
            "2025-10-27 00:00:00",
            "2025-10-27 00:00:00",
        ),
        (
            "toStartOfWeek",
            "2025-10-29 00:00:00",
            "2025-10-27 00:00:00",
        ),
        ("toStartOfDay", "2025-10-27 00:00:00", "2025-10-27 00:00:00"),
        (
            "toStartOfHour",
            "2025-10-27 16:55:25",
            "2025-10-27 16:00:00",
        ),
        (
            "toStartOfFifteenMinutes",
            "2025-10-27 16:55:25",
            "2025-10-27 16:45:00",
        ),
        (
            "toStartOfTenMinutes",
            "2025-10-27 16:55:25",
            "2025-10-27 16:50:00",
        ),
        (
            "toStartOfFiveMinutes",
            "2025-10-27 16:55:25",
            "2025-10-27 16:55:00",
        ),
        (
            "toStartOfMinute",
            "2025-10-27 16:55:25",
            "2025-10-27 16:55:00",
        ),
    ] {
        assert_eq!(value(&at(call, time)).0, expected, "{call} {time}");
    }
    values(&[
        ("now()", "2026-11-27 13:36:38", "DateTime"),
        ("today()", "2026-11-27", "Date"),
        ("toUnixTimestamp(now())", "1795786598", "UInt32"),
        ("toDateTime(355924804)", "1981-04-12 12:00:04", "DateTime"),
        ("toDateTime('355924804')", "1981-04-12 12:00:04", "DateTime"),
        (
            "toDateTime('1981-04-12 12:00:04')",
            "1981-04-12 12:00:04",
            "DateTime",
        ),
        (
            "toDateTime('2022-12-01 16:17:00', 'Etc/UTC')",
            "2022-12-01 16:17:00",
            "DateTime",
        ),
        ("formatDateTime(now(), '%Y-%m-%d')", "2026-11-27", "String"),
        (
            "formatDateTime(now(), '%H:%i:%S', 'Etc/UTC')",
            "13:36:38",
            "String",
        ),
        (
            "toStartOfInterval(now(), INTERVAL '15' MINUTE)",
            "2026-11-27 13:30:00",
            "DateTime",
        ),
        (
            "toStartOfInterval(now(), INTERVAL '1' DAY)",
            "2026-11-27 00:00:00",
            "DateTime",
        ),
        (
            "toStartOfInterval(now(), INTERVAL '1' MONTH, 'Etc/UTC')",
            "2026-11-01 00:00:00",
            "DateTime",
        ),
        (
            "now() - INTERVAL '1' DAY",
            "2026-11-26 13:36:38",
            "DateTime",
        ),
        (
            "now() + INTERVAL '2' YEAR",
            "2028-11-27 13:36:38",
            "DateTime",
        ),
        (
            "extract(SECOND from toDateTime('2022-06-06 11:30:15'))",
            "15",
            "UInt16",
        ),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn functions_of_bits_numbers_and_texts_answer_as_documented() {
    values(&[
        ("bitAnd(1, 3)", "1", "UInt8"),
        ("bitCount(toUInt32(7))", "3", "UInt8"),
        ("bitHammingDistance(1, 1)", "0", "UInt8"),
        ("bitHammingDistance(3, 0)", "2", "UInt8"),
        ("bitNot(1)", "254", "UInt8"),
        ("bitOr(1, 2)", "3", "UInt8"),
        ("bitRotateLeft(1, 1)", "2", "UInt8"),
        ("bitRotateLeft(128, 1)", "1", "UInt8"),
        ("bitRotateRight(1, 1)", "128", "UInt8"),
        ("bitRotateRight(12, 2)", "3", "UInt8"),
        ("bitShiftLeft(1, 1)", "2", "UInt8"),
        ("bitShiftLeft(128, 1)", "0", "UInt8"),
        ("bitShiftRight(1, 1)", "0", "UInt8"),
        ("bitShiftRight(12, 2)", "3", "UInt8"),
        ("bitTest(3, 1)", "1", "UInt8"),
        ("bitXor(1, 2)", "3", "UInt8"),
        ("bitXor(3, 3)", "0", "UInt8"),
        ("bin(1)", "00000001", "String"),
        ("bin('abc')", "011000010110001001100011", "String"),
        ("hex(1)", "01", "String"),
        ("hex('abc')", "616263", "String"),
        ("intDiv(7, 2)", "3", "UInt8"),
        ("round(5.5)", "6", "Float64"),
        ("round(3.14, 1)", "3.1", "Float64"),
        ("floor(5.5)", "5", "Float64"),
        ("floor(3.14, 1)", "3.1", "Float64"),
        ("ceil(5.5)", "6", "Float64"),
        ("ceil(3.14, 1)", "3.2", "Float64"),
        ("log(1)", "0", "Float64"),
        ("pow(3, 2)", "9", "Float64"),
        ("7 / 2", "3.5", "Float64"),
        ("7 % 4", "3", "UInt8"),
        ("1 - 3", "-2", "Int16"),
        ("3000000000 * 3", "9000000000", "UInt64"),
        ("1 / 0", "null", "Float64"),
        ("length('a string')", "8", "UInt64"),
        ("empty('a string')", "0", "UInt8"),
        (
            "lower('STRING TO DOWNCASE')",
            "string to downcase",
            "String",
        ),
        ("lowerUTF8('Ä')", "ä", "String"),
        (
            "upper('string to uppercase')",
            "STRING TO UPPERCASE",
            "String",
        ),
        ("toUpper('ä')", "Ä", "String"),
        ("startsWith('prefix ...', 'prefix')", "1", "UInt8"),
        ("endsWith('prefix suffix', 'suffix')", "1", "UInt8"),
        ("position(':' IN 'hello: world')", "6", "UInt64"),
        ("substring('hello world', 6)", " world", "String"),
        (
            "substring('hello: world', 1, position(':' IN 'hello: world')-1)",
            "hello",
            "String",
        ),
        (
            "format('at {}: {} and {}', toDateTime(0), 1, '{0}')",
            "at 1970-01-01 00:00:00: 1 and {0}",
            "String",
        ),
        ("toUInt8('255')", "255", "UInt8"),
        ("toUInt32(2.7)", "2", "UInt32"),
        (
            "'it''s' LIKE 'it%' AND 'A' ILIKE 'a' AND NOT 'A' LIKE 'a'",
            "1",
            "UInt8",
        ),
        (
            "2 BETWEEN 1 AND 3 AND 'a' IN ('a', 'b') AND 4 NOT IN (1, 2)",
            "1",
            "UInt8",
        ),
        ("if(1 > 2, 'a', 'b')", "b", "String"),
    ]);
}

/// The words are Cloudflare's where others have met them.
#[test]
fn what_cloudflare_refuses_is_refused() {
    let long = format!("SELECT '{}'", "x".repeat(10_000));
    for (sql, why) in [
        (
            "SELECT max(\"blob5\") AS it FROM weather",
            "cannot use the String type as argument 1 in max(\"blob5\")",
        ),
        (
            "SELECT count() AS n FROM weather WHERE blob1 LIKE CONCAT('eth', '%')",
            "unknown function call: CONCAT",
        ),
        (
            "SELECT sum(if(blob1 = 'x', _sample_interval, 0.0)) AS s FROM weather",
            "the 2nd and 3rd arguments to IF() function must have the same type but instead had Integer and Double",
        ),
        (
            &long,
            "SQL was excessively long, exceeded maximum length: 10000",
        ),
        (
            "SELECT count() AS n FROM weather WHERE blob3 IN ()",
            "sql parser error: Expected: an expression, found: ) at Line: 1, Column: 50",
        ),
        (
            "SELECT CASE WHEN 1 THEN 2 END AS it",
            "unsupported expression type: CASE WHEN 1 THEN 2 END",
        ),
        (
            "SELECT double1 AS w FROM weather ORDER BY double1",
            "unable to find type of column: double1",
        ),
        (
            "SELECT blob1 AS host FROM weather GROUP BY host ORDER BY sum(_sample_interval)",
            "unable to find type of column: _sample_interval",
        ),
        (
            "SELECT blob21 FROM weather",
            "unable to find type of column: blob21",
        ),
        ("SELECT 1 FROM elsewhere", "unknown table: elsewhere"),
        ("SELECT 1 FROM points", "unknown table: points"),
    ] {
        assert_eq!(refusal(sql), format!("Input was invalid: {why}"), "{sql}");
    }
}

#[test]
fn what_is_not_documented_is_refused() {
    for sql in [
        "SELECT count(*) FROM weather",
        "SELECT uniq(blob1) FROM weather",
        "SELECT toString(1)",
        "SELECT sqlite_version()",
        "SELECT ae_upper('a')",
        "SELECT coalesce(1, 2)",
        "SELECT 1 UNION ALL SELECT 2",
        "SELECT DISTINCT blob1 FROM weather",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "SELECT w.blob1 FROM weather AS w",
        "SELECT 1 FROM weather AS w",
        "SELECT 1 FROM weather JOIN weather",
        "SELECT 1 FROM weather, weather",
        "SELECT (SELECT 1)",
        "SELECT 1 WHERE 1 IN (SELECT 1)",
        "SELECT blob1, count() FROM weather",
        "SELECT blob1 FROM weather WHERE count() > 1",
        "SELECT sum(count()) FROM weather",
        "SELECT 1 LIMIT 1 BY 1",
        "SELECT 1 SETTINGS max_threads = 1",
        "SELECT 1 FORMAT CSV",
        "SELECT 1; SELECT 2",
        "SELECT now() > '2026-01-01 00:00:00'",
        "SELECT now() - INTERVAL 5 MINUTE",
        "SELECT now() - INTERVAL '1' WEEK",
        "SELECT INTERVAL '1' DAY",
        "SELECT toDateTime('2022-12-01 16:17:00', 'America/New_York')",
        "SELECT toDateTime('yesterday')",
        "SELECT intDiv(1, 0)",
        "SELECT NULL",
        "SELECT quantileExactWeighted(double1, 1) FROM weather",
        "INSERT INTO weather VALUES (1)",
        "DROP TABLE weather",
        "",
    ] {
        let why = refusal(sql);
        assert!(why.starts_with("Input was invalid: "), "{sql}: {why}");
    }
}

#[test]
fn a_text_of_the_client_stays_a_text() {
    for text in ["' OR 1 = 1 --", "{0}", "\" ; DROP TABLE points", "\\", "%_"] {
        let sql = format!(
            "SELECT '{0}' AS it, count() AS n FROM weather WHERE blob1 = '{0}' FORMAT JSONEachRow",
            text.replace('\\', "\\\\").replace('\'', "''")
        );
        let body = weather().ask_at(ACCOUNT, &sql, NOW).unwrap().body;
        let row: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(row, serde_json::json!({"it": text, "n": "0"}));
    }
}

#[test]
fn the_newest_points_are_kept_and_outlast_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("points.sqlite");
    let points = Points::keeping(Some(&file), 3).unwrap();
    for second in 0..5 {
        points.push(point(second, "i", &["b"], &[0.5]));
    }
    drop(points);
    let points = Points::keeping(Some(&file), 3).unwrap();
    let sql = "SELECT timestamp FROM weather ORDER BY timestamp FORMAT TabSeparated";
    let times = points.ask_at(ACCOUNT, sql, NOW).unwrap().body;
    let kept = ["02", "03", "04"].map(|second| format!("1970-01-01 00:00:{second}\n"));
    assert_eq!(times, kept.concat());
    assert_eq!(points.of(Some("weather")).unwrap().len(), 3);
    assert_eq!(points.of(Some("elsewhere")).unwrap().len(), 0);
}

#[test]
fn every_function_names_a_page_of_the_documentation_and_one_replacement() {
    assert!(REFERENCE.starts_with("https://developers.cloudflare.com/analytics/analytics-engine/"));
    for function in FUNCTIONS {
        assert!(function.page.ends_with("-functions"), "{function:?}");
        for name in function.names {
            let twice = FUNCTIONS.iter().filter(|other| other.names.contains(name));
            assert_eq!(twice.count(), 1, "{name}");
        }
    }
}
