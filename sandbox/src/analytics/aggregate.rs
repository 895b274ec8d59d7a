//! The functions of many rows that SQLite lacks, as `ClickHouse` answers them.

use std::cmp::Ordering;

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::Value;
use rusqlite::{Connection, Result};
use serde_json::json;

/// Adds them to a connection.
pub(super) fn add(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_aggregate_function("ae_quantile", 3, flags, Quantile)?;
    connection.create_aggregate_function("ae_arg_max", 2, flags, Extreme(Ordering::Greater))?;
    connection.create_aggregate_function("ae_arg_min", 2, flags, Extreme(Ordering::Less))?;
    connection.create_aggregate_function("ae_first", 1, flags, End::First)?;
    connection.create_aggregate_function("ae_last", 1, flags, End::Last)?;
    connection.create_aggregate_function("ae_top", 3, flags, Top)
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Integer(number) => *number as f64,
        Value::Real(number) => *number,
        _ => 0.0,
    }
}

/// `quantileExactWeighted`: the first value, from the smallest, with which the weights have reached their share of all weights.
struct Quantile;

/// The level, and values with their weights.
type Weighted = (f64, Vec<(Value, u64)>);

impl Aggregate<Weighted, Value> for Quantile {
    fn init(&self, _: &mut Context) -> Result<Weighted> {
        Ok((0.5, Vec::new()))
    }

    fn step(&self, call: &mut Context, (level, values): &mut Weighted) -> Result<()> {
        *level = call.get(0)?;
        let value: Value = call.get(1)?;
        if value != Value::Null {
            values.push((value, number(&call.get(2)?).max(0.0) as u64));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context, state: Option<Weighted>) -> Result<Value> {
        let (level, mut values) = state.unwrap_or_default();
        values.sort_by(|(a, _), (b, _)| number(a).total_cmp(&number(b)));
        let all: u64 = values.iter().map(|(_, weight)| weight).sum();
        let threshold = (all as f64 * level).ceil() as u64;
        let mut reached = 0;
        let found = values.iter().position(|(_, weight)| {
            reached += weight;
            reached >= threshold
        });
        let last = values.len().saturating_sub(1);
        let found = values.into_iter().nth(found.unwrap_or(last));
        Ok(found.map_or(Value::Null, |(value, _)| value))
    }
}

/// `argMax` and `argMin`: what stood beside the greatest or the smallest value.
struct Extreme(Ordering);

impl Aggregate<Option<(Value, f64)>, Value> for Extreme {
    fn init(&self, _: &mut Context) -> Result<Option<(Value, f64)>> {
        Ok(None)
    }

    fn step(&self, call: &mut Context, state: &mut Option<(Value, f64)>) -> Result<()> {
        let value = number(&call.get(1)?);
        let is_better = state
            .as_ref()
            .is_none_or(|(_, best)| value.total_cmp(best) == self.0);
        if is_better {
            *state = Some((call.get(0)?, value));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context, state: Option<Option<(Value, f64)>>) -> Result<Value> {
        Ok(state.flatten().map_or(Value::Null, |(value, _)| value))
    }
}

/// `first_value` and `last_value`.
enum End {
    First,
    Last,
}

impl Aggregate<Option<Value>, Value> for End {
    fn init(&self, _: &mut Context) -> Result<Option<Value>> {
        Ok(None)
    }

    fn step(&self, call: &mut Context, state: &mut Option<Value>) -> Result<()> {
        if state.is_none() || matches!(self, Self::Last) {
            *state = Some(call.get(0)?);
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context, state: Option<Option<Value>>) -> Result<Value> {
        Ok(state.flatten().unwrap_or(Value::Null))
    }
}

/// `topK` and `topKWeighted`: the values with the greatest weights, as a list in JSON.
struct Top;

/// How many, and values with their weights in the order in which they came.
type Counted = (usize, Vec<(Value, f64)>);

impl Aggregate<Counted, Value> for Top {
    fn init(&self, _: &mut Context) -> Result<Counted> {
        Ok((0, Vec::new()))
    }

    fn step(&self, call: &mut Context, (most, values): &mut Counted) -> Result<()> {
        *most = call.get::<i64>(0)?.max(0) as usize;
        let (value, weight): (Value, Value) = (call.get(1)?, call.get(2)?);
        let weight = number(&weight);
        match values.iter_mut().find(|(known, _)| *known == value) {
            Some((_, known)) => *known += weight,
            None => values.push((value, weight)),
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context, state: Option<Counted>) -> Result<Value> {
        let (most, mut values) = state.unwrap_or_default();
        values.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let values = values.into_iter().take(most).map(|(value, _)| match value {
            Value::Integer(number) => json!(number),
            Value::Real(number) => json!(number),
            Value::Text(text) => json!(text),
            Value::Null | Value::Blob(_) => json!(null),
        });
        let list = serde_json::Value::Array(values.collect());
        Ok(Value::Text(list.to_string()))
    }
}
