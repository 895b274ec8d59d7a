//! Rows as the client reads them: <https://developers.cloudflare.com/analytics/analytics-engine/sql-reference/statements/#format-clause>.

use rusqlite::types::Value;

use super::civil;
use super::expression::Column;
use super::kind::Kind;
use super::statement::Format;

/// What a statement is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub content_type: &'static str,
    pub body: String,
}

/// Rows of an answer.
#[derive(Debug)]
pub(super) struct Rows {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Value>>,
    /// How many there were before the limit.
    pub before_limit: usize,
}

impl Rows {
    /// Of one column of texts.
    pub(super) fn listed(name: &str, texts: impl IntoIterator<Item = String>) -> Self {
        let rows: Vec<_> = texts
            .into_iter()
            .map(|text| vec![Value::Text(text)])
            .collect();
        let column = Column {
            name: name.to_owned(),
            kind: Kind::Text,
        };
        Self {
            columns: vec![column],
            before_limit: rows.len(),
            rows,
        }
    }

    /// In a format.
    pub(super) fn answer(&self, format: Format) -> Answer {
        match format {
            Format::Json => Answer {
                content_type: "application/json",
                body: self.json(),
            },
            Format::JsonEachRow => Answer {
                content_type: "application/x-ndjson",
                body: self.objects().map(|row| row + "\n").collect(),
            },
            Format::TabSeparated => Answer {
                content_type: "text/tab-separated-values; charset=UTF-8",
                body: self.lines(),
            },
        }
    }

    /// By hand, since a map would sort the columns.
    fn json(&self) -> String {
        let meta = self.columns.iter().map(|column| {
            let (name, kind) = (text(&column.name), text(&column.kind.name()));
            format!("{{\"name\":{name},\"type\":{kind}}}")
        });
        let (meta, data) = (joined(meta), joined(self.objects()));
        format!(
            "{{\"meta\":[{meta}],\"data\":[{data}],\"rows\":{},\"rows_before_limit_at_least\":{}}}",
            self.rows.len(),
            self.before_limit
        )
    }

    fn objects(&self) -> impl Iterator<Item = String> {
        self.rows.iter().map(|row| {
            let cells = self.columns.iter().zip(row);
            let cells = cells.map(|(column, value)| {
                format!("{}:{}", text(&column.name), json(value, &column.kind))
            });
            format!("{{{}}}", joined(cells))
        })
    }

    fn lines(&self) -> String {
        let lines = self.rows.iter().map(|row| {
            let cells = self.columns.iter().zip(row);
            let cells: Vec<String> = cells
                .map(|(column, value)| tab_separated(value, &column.kind))
                .collect();
            cells.join("\t") + "\n"
        });
        lines.collect()
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A cell of JSON. Whole numbers of 64 bits are texts, since a reader's number may be too small for them; what is not finite is null.
fn json(value: &Value, kind: &Kind) -> String {
    match kind {
        Kind::Text => text(&plain(value, kind)),
        Kind::Time | Kind::Date => text(&plain(value, kind)),
        Kind::Unsigned(64) | Kind::Signed(64) => text(&plain(value, kind)),
        Kind::List(of) => format!("[{}]", joined(items(value).map(|it| json(&it, of)))),
        Kind::Double => match double(value) {
            Some(number) if number.is_finite() => shortest(number),
            _ => "null".to_owned(),
        },
        _ => plain(value, kind),
    }
}

/// A cell between tabs.
fn tab_separated(value: &Value, kind: &Kind) -> String {
    let escaped = |text: String| {
        let text = text.replace('\\', "\\\\").replace('\t', "\\t");
        text.replace('\n', "\\n")
    };
    match kind {
        Kind::List(of) => {
            let items = items(value).map(|item| match **of {
                Kind::Text => format!("'{}'", escaped(plain(&item, of)).replace('\'', "\\'")),
                _ => plain(&item, of),
            });
            format!("[{}]", joined(items))
        }
        _ => escaped(plain(value, kind)),
    }
}

/// A value without quotation marks. SQLite's null is what no row gave: the type's empty value.
fn plain(value: &Value, kind: &Kind) -> String {
    let whole = || match value {
        Value::Integer(number) => *number,
        Value::Real(number) => *number as i64,
        _ => 0,
    };
    match kind {
        Kind::Time => civil::text(whole()),
        Kind::Date => civil::date(whole()),
        Kind::Double => double(value).map_or_else(|| "nan".to_owned(), shortest),
        Kind::Text | Kind::Interval(_) | Kind::List(_) => match value {
            Value::Text(text) => text.clone(),
            _ => String::new(),
        },
        Kind::Boolean | Kind::Unsigned(_) | Kind::Signed(_) => whole().to_string(),
    }
}

fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Real(number) => Some(*number),
        _ => None,
    }
}

/// `1` and not `1.0`, as `ClickHouse` writes doubles.
fn shortest(number: f64) -> String {
    match number.abs() < 1e21 {
        true => number.to_string(),
        false => format!("{number:e}"),
    }
}

/// The items of a list, which SQLite has as JSON.
fn items(value: &Value) -> impl Iterator<Item = Value> {
    let list: Vec<serde_json::Value> = match value {
        Value::Text(text) => serde_json::from_str(text).unwrap_or_default(),
        _ => Vec::new(),
    };
    list.into_iter().map(|item| match item {
        serde_json::Value::String(text) => Value::Text(text),
        item => match (item.as_i64(), item.as_f64()) {
            (Some(number), _) => Value::Integer(number),
            (None, Some(number)) => Value::Real(number),
            (None, None) => Value::Null,
        },
    })
}
