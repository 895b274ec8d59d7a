//! Where data points are kept: SQLite, in memory or in a file of the state directory.
//!
//! A point is taken at once and written with others a moment later, so that nobody who writes one waits for a disk; whoever asks sees
//! all that were taken.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use parking_lot::Mutex;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use serde_json::Value as Json;
use tokio::sync::Notify;

use super::answer::{Answer, Rows};
use super::point::{MOST, Point};
use super::refusal::Refusal;
use super::statement::{self, Asked, Plan, World};
use super::{aggregate, scalar};

/// So many are kept, the newest.
const KEPT: i64 = 1_000_000;
/// So many are shown by `GET /sandbox/analytics`, the newest.
const SHOWN: i64 = 10_000;
/// So long a point waits for others to be written with.
const PAUSE: Duration = Duration::from_millis(50);

/// The data points of every account.
#[derive(Clone, Debug)]
pub(crate) struct Points(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    taken: Mutex<Vec<Point>>,
    connection: Mutex<Connection>,
    kept: i64,
    notify: Notify,
}

impl Points {
    /// In a file, or in memory.
    pub(crate) fn open(file: Option<&Path>) -> anyhow::Result<Self> {
        Self::keeping(file, KEPT)
    }

    /// The same with another bound.
    pub(super) fn keeping(file: Option<&Path>, kept: i64) -> anyhow::Result<Self> {
        let open = || -> rusqlite::Result<Connection> {
            let connection = match file {
                Some(file) => Connection::open(file)?,
                None => Connection::open_in_memory()?,
            };
            prepare(&connection)?;
            Ok(connection)
        };
        let connection = open().with_context(|| match file {
            Some(file) => format!(
                "opening the data points in `{}`; remove the file to start without any",
                file.display()
            ),
            None => "opening a database in memory".to_owned(),
        })?;
        Ok(Self(Arc::new(Inner {
            taken: Mutex::default(),
            connection: Mutex::new(connection),
            kept,
            notify: Notify::new(),
        })))
    }

    /// Takes a point.
    pub(crate) fn push(&self, point: Point) {
        self.0.taken.lock().push(point);
        self.0.notify.notify_one();
    }

    /// Writes what is taken, as long as it is awaited.
    pub(crate) async fn write(self) {
        loop {
            self.0.notify.notified().await;
            tokio::time::sleep(PAUSE).await;
            let points = self.clone();
            // What fails is kept, and told to whoever asks next
            let _ = tokio::task::spawn_blocking(move || points.flush()).await;
        }
    }

    /// Writes what is taken.
    pub(crate) fn flush(&self) -> rusqlite::Result<()> {
        let mut connection = self.0.connection.lock();
        let points = std::mem::take(&mut *self.0.taken.lock());
        if points.is_empty() {
            return Ok(());
        }
        let written = insert(&mut connection, &points, self.0.kept);
        if written.is_err() {
            let mut taken = self.0.taken.lock();
            let later = std::mem::replace(&mut *taken, points);
            taken.extend(later);
        }
        written
    }

    /// The newest points, oldest first, of one data set or of all.
    pub(crate) fn of(&self, dataset: Option<&str>) -> rusqlite::Result<Vec<Json>> {
        self.flush()?;
        let connection = self.0.connection.lock();
        let sql = format!(
            "SELECT * FROM points WHERE ?1 IS NULL OR dataset = ?1 ORDER BY id DESC LIMIT {SHOWN}"
        );
        let mut statement = connection.prepare(&sql)?;
        let points = statement.query_map([dataset], |row| Ok(stored(row)?.shown()))?;
        let mut points: Vec<Json> = points.collect::<Result<_, _>>()?;
        points.reverse();
        Ok(points)
    }

    /// Answers a statement of an account.
    pub(crate) fn ask(&self, account: &str, text: &str) -> Result<Answer, Refusal> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.ask_at(
            account,
            text,
            now.map_or(0, |now| now.as_secs().cast_signed()),
        )
    }

    /// The same at another time.
    pub(super) fn ask_at(&self, account: &str, text: &str, now: i64) -> Result<Answer, Refusal> {
        self.flush().map_err(Refusal::new)?;
        let connection = self.0.connection.lock();
        let tables = tables(&connection, account).map_err(Refusal::new)?;
        let world = World {
            account,
            tables: &tables,
            now,
        };
        let (asked, format) = statement::read(text, &world)?;
        let rows = match asked {
            Asked::Tables => Rows::listed("dataset", tables),
            Asked::Zones => Rows::listed("timezone", ["Etc/UTC".to_owned()]),
            Asked::Select(plan) => select(&connection, plan).map_err(|error| match error {
                // Words of ours, from a function
                rusqlite::Error::SqliteFailure(_, Some(why)) => Refusal::new(why),
                other => Refusal::new(other),
            })?,
        };
        Ok(rows.answer(format))
    }
}

impl Drop for Inner {
    /// A sandbox that ends leaves nothing unwritten.
    fn drop(&mut self) {
        let points = std::mem::take(self.taken.get_mut());
        let _ = insert(self.connection.get_mut(), &points, self.kept);
    }
}

/// The columns of blobs and doubles.
fn numbered() -> Vec<String> {
    let column = |stem: &'static str| (1..=MOST).map(move |n| format!("{stem}{n}"));
    column("blob").chain(column("double")).collect()
}

/// Makes the tables, and the functions that SQLite lacks. What a point has not is null, and read as the empty text and zero.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    let columns = numbered();
    let read: Vec<String> = columns
        .iter()
        .map(|name| match name.starts_with("blob") {
            true => format!("coalesce({name}, '') AS {name}"),
            false => format!("coalesce({name}, 0.0) AS {name}"),
        })
        .collect();
    let stored: Vec<String> = columns
        .iter()
        .map(|name| match name.starts_with("blob") {
            true => format!("{name} TEXT"),
            false => format!("{name} REAL"),
        })
        .collect();
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         CREATE TABLE IF NOT EXISTS datasets (account TEXT, dataset TEXT, PRIMARY KEY (account, dataset));
         CREATE TABLE IF NOT EXISTS points (id INTEGER PRIMARY KEY, account TEXT, dataset TEXT, nanoseconds INTEGER, \
             index1 TEXT, {});
         CREATE TEMPORARY VIEW tables AS SELECT account, dataset, nanoseconds / 1000000000 AS timestamp, \
             1 AS _sample_interval, coalesce(index1, '') AS index1, {} FROM points;",
        stored.join(", "),
        read.join(", ")
    ))?;
    scalar::add(connection)?;
    aggregate::add(connection)
}

fn insert(connection: &mut Connection, points: &[Point], kept: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let places = vec!["?"; 4 + 2 * MOST].join(", ");
        let columns = numbered().join(", ");
        let mut point_ = transaction.prepare(&format!(
            "INSERT INTO points (account, dataset, nanoseconds, index1, {columns}) VALUES ({places})"
        ))?;
        let mut dataset = transaction.prepare("INSERT OR IGNORE INTO datasets VALUES (?, ?)")?;
        for point in points {
            dataset.execute([&point.account, &point.dataset])?;
            let index = point.index.clone().map_or(Value::Null, Value::Text);
            let blobs = (0..MOST).map(|at| {
                let blob = point.blobs.get(at).cloned();
                blob.map_or(Value::Null, Value::Text)
            });
            let doubles = (0..MOST).map(|at| {
                let double = point.doubles.get(at).copied();
                double.map_or(Value::Null, Value::Real)
            });
            let first = [
                Value::Text(point.account.clone()),
                Value::Text(point.dataset.clone()),
                Value::Integer(point.nanoseconds),
                index,
            ];
            let values = first.into_iter().chain(blobs).chain(doubles);
            point_.execute(params_from_iter(values))?;
        }
        let oldest = "DELETE FROM points WHERE id <= (SELECT max(id) FROM points) - ?";
        transaction.execute(oldest, [kept])?;
    }
    transaction.commit()
}

fn stored(row: &rusqlite::Row) -> rusqlite::Result<Point> {
    let mut blobs = Vec::new();
    let mut doubles = Vec::new();
    for n in 1..=MOST {
        blobs.extend(row.get::<_, Option<String>>(format!("blob{n}").as_str())?);
        doubles.extend(row.get::<_, Option<f64>>(format!("double{n}").as_str())?);
    }
    Ok(Point {
        account: row.get("account")?,
        dataset: row.get("dataset")?,
        nanoseconds: row.get("nanoseconds")?,
        index: row.get("index1")?,
        blobs,
        doubles,
    })
}

fn tables(connection: &Connection, account: &str) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT dataset FROM datasets WHERE account = ? ORDER BY dataset";
    let mut statement = connection.prepare(sql)?;
    let tables = statement.query_map([account], |row| row.get(0))?;
    tables.collect()
}

fn select(connection: &Connection, plan: Plan) -> rusqlite::Result<Rows> {
    let mut statement = connection.prepare(&plan.sql)?;
    let width = plan.columns.len();
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    let mut before_limit = 0;
    while let Some(row) = found.next()? {
        let wanted = plan.limit.is_none_or(|limit| rows.len() < limit);
        if before_limit >= plan.offset && wanted {
            rows.push((0..width).map(|at| row.get(at)).collect::<Result<_, _>>()?);
        }
        before_limit += 1;
    }
    Ok(Rows {
        columns: plan.columns,
        rows,
        before_limit,
    })
}
