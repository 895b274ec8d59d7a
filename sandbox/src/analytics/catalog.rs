//! Every function that Cloudflare documents, what it takes and gives, and what SQLite is asked instead. What is not in this table is
//! refused, whatever `ClickHouse` or SQLite know.

use super::kind::Kind;

/// The pages of the reference lie below this address.
#[cfg(test)]
pub(super) const REFERENCE: &str =
    "https://developers.cloudflare.com/analytics/analytics-engine/sql-reference/";

const AGGREGATE: &str = "aggregate-functions";
const BIT: &str = "bit-functions";
const CONDITIONAL: &str = "conditional-functions";
const TIME: &str = "date-time-functions";
const ENCODING: &str = "encoding-functions";
const MATHEMATICAL: &str = "mathematical-functions";
const STRING: &str = "string-functions";
const CONVERSION: &str = "type-conversion-functions";

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Any,
    /// A number, a text that is one, or a point in time.
    Convertible,
    /// What has an order and is no text, as live refusals have shown of `min` and `max`.
    Ordered,
    Number,
    Integer,
    Text,
    Time,
    Condition,
    Interval,
    /// A time zone's name.
    Zone,
}

/// What a function gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gives {
    Is(Kind),
    /// The type of this argument.
    Same(usize),
    /// A whole number of 64 bits, or a double, as this argument is.
    Sum(usize),
    /// What these two arguments have in common.
    Common(usize, usize),
    /// A whole number of the size of this argument.
    Whole(usize),
    List(usize),
}

/// What stands between the name and the arguments, in parentheses of its own: the first argument of the replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    None,
    /// From 0 to 1.
    Level,
    /// A whole number, 10 where it is not there.
    Count,
}

/// A documented function.
#[derive(Debug)]
pub(super) struct Function {
    /// Its name and its other names; the case of letters is free.
    pub names: &'static [&'static str],
    /// The page that documents it, below `REFERENCE`.
    pub page: &'static str,
    pub parameter: Parameter,
    /// Its arguments; the last one may be repeated where `{all}` is in the replacement.
    pub takes: &'static [Takes],
    /// How many of them may be left out.
    pub optional: usize,
    pub gives: Gives,
    /// `{0}` is the first parameter or argument, `{all}` all of them, `{shown}` all of them with times as texts, `{bits}` the size of
    /// the first, `{distinct}` the word where it was said, `{zero}` the empty value of the first.
    pub sql: &'static str,
}

impl Function {
    /// The one of this name.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        let has = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        FUNCTIONS.iter().find(|function| has(function.names))
    }

    /// Whether it makes one value of many rows.
    pub(super) fn is_aggregate(&self) -> bool {
        self.page == AGGREGATE
    }
}

/// One that takes just these arguments.
const fn row(
    page: &'static str,
    names: &'static [&'static str],
    takes: &'static [Takes],
    gives: Gives,
    sql: &'static str,
) -> Function {
    full(page, names, (Parameter::None, takes, 0), gives, sql)
}

/// One whose last argument may be left out.
const fn open(
    page: &'static str,
    names: &'static [&'static str],
    takes: &'static [Takes],
    gives: Gives,
    sql: &'static str,
) -> Function {
    full(page, names, (Parameter::None, takes, 1), gives, sql)
}

const fn full(
    page: &'static str,
    names: &'static [&'static str],
    (parameter, takes, optional): (Parameter, &'static [Takes], usize),
    gives: Gives,
    sql: &'static str,
) -> Function {
    Function {
        names,
        page,
        parameter,
        takes,
        optional,
        gives,
        sql,
    }
}

/// The functions, page by page.
#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Function] = &[
    open(AGGREGATE, &["count"], &[Takes::Any], Gives::Is(Kind::Unsigned(64)), "count({counted})"),
    row(AGGREGATE, &["sum"], &[Takes::Number], Gives::Sum(0), "coalesce(sum({distinct}{0}), {zero})"),
    row(AGGREGATE, &["avg"], &[Takes::Number], Gives::Is(Kind::Double), "avg({distinct}{0})"),
    row(AGGREGATE, &["min"], &[Takes::Ordered], Gives::Same(0), "coalesce(min({0}), {zero})"),
    row(AGGREGATE, &["max"], &[Takes::Ordered], Gives::Same(0), "coalesce(max({0}), {zero})"),
    full(AGGREGATE, &["quantileExactWeighted"], (Parameter::Level, &[Takes::Ordered, Takes::Number], 0), Gives::Same(1), "ae_quantile({0}, {1}, {2})"),
    row(AGGREGATE, &["quantileWeighted"], &[Takes::Number, Takes::Ordered, Takes::Number], Gives::Same(1), "ae_quantile({0}, {1}, {2})"),
    row(AGGREGATE, &["argMax"], &[Takes::Any, Takes::Ordered], Gives::Same(0), "ae_arg_max({0}, {1})"),
    row(AGGREGATE, &["argMin"], &[Takes::Any, Takes::Ordered], Gives::Same(0), "ae_arg_min({0}, {1})"),
    row(AGGREGATE, &["first_value"], &[Takes::Any], Gives::Same(0), "ae_first({0})"),
    row(AGGREGATE, &["last_value"], &[Takes::Any], Gives::Same(0), "ae_last({0})"),
    full(AGGREGATE, &["topK"], (Parameter::Count, &[Takes::Any], 0), Gives::List(1), "ae_top({0}, {1}, 1)"),
    full(AGGREGATE, &["topKWeighted"], (Parameter::Count, &[Takes::Any, Takes::Number], 0), Gives::List(1), "ae_top({0}, {1}, {2})"),
    row(AGGREGATE, &["countIf"], &[Takes::Condition], Gives::Is(Kind::Unsigned(64)), "count(*) FILTER (WHERE {0})"),
    row(AGGREGATE, &["sumIf"], &[Takes::Number, Takes::Condition], Gives::Sum(0), "coalesce(sum({0}) FILTER (WHERE {1}), {zero})"),
    row(AGGREGATE, &["avgIf"], &[Takes::Number, Takes::Condition], Gives::Is(Kind::Double), "avg({0}) FILTER (WHERE {1})"),
    row(BIT, &["bitAnd"], &[Takes::Integer, Takes::Integer], Gives::Common(0, 1), "({0} & {1})"),
    row(BIT, &["bitCount"], &[Takes::Number], Gives::Is(Kind::Unsigned(8)), "ae_bit_count({0})"),
    row(BIT, &["bitHammingDistance"], &[Takes::Integer, Takes::Integer], Gives::Is(Kind::Unsigned(8)), "ae_bit_count(ae_bit_xor({0}, {1}))"),
    row(BIT, &["bitNot"], &[Takes::Integer], Gives::Same(0), "ae_bits(~{0}, {bits})"),
    row(BIT, &["bitOr"], &[Takes::Integer, Takes::Integer], Gives::Common(0, 1), "({0} | {1})"),
    row(BIT, &["bitRotateLeft"], &[Takes::Integer, Takes::Integer], Gives::Same(0), "ae_bit_rotate({0}, {1}, {bits})"),
    row(BIT, &["bitRotateRight"], &[Takes::Integer, Takes::Integer], Gives::Same(0), "ae_bit_rotate({0}, -{1}, {bits})"),
    row(BIT, &["bitShiftLeft"], &[Takes::Integer, Takes::Integer], Gives::Same(0), "ae_bits({0} << {1}, {bits})"),
    row(BIT, &["bitShiftRight"], &[Takes::Integer, Takes::Integer], Gives::Same(0), "({0} >> {1})"),
    row(BIT, &["bitTest"], &[Takes::Integer, Takes::Integer], Gives::Is(Kind::Unsigned(8)), "(({0} >> {1}) & 1)"),
    row(BIT, &["bitXor"], &[Takes::Integer, Takes::Integer], Gives::Common(0, 1), "ae_bit_xor({0}, {1})"),
    row(CONDITIONAL, &["if"], &[Takes::Condition, Takes::Any, Takes::Any], Gives::Common(1, 2), "iif({0}, {1}, {2})"),
    open(TIME, &["formatDateTime"], &[Takes::Time, Takes::Text, Takes::Zone], Gives::Is(Kind::Text), "ae_format_time({0}, {1})"),
    row(TIME, &["now"], &[], Gives::Is(Kind::Time), "{now}"),
    row(TIME, &["today"], &[], Gives::Is(Kind::Date), "ae_start({now}, 1, 'day')"),
    open(TIME, &["toDateTime"], &[Takes::Convertible, Takes::Zone], Gives::Is(Kind::Time), "ae_to_time({0})"),
    row(TIME, &["toYear"], &[Takes::Time], Gives::Is(Kind::Unsigned(16)), "ae_part('year', {0})"),
    row(TIME, &["toMonth"], &[Takes::Time], Gives::Is(Kind::Unsigned(8)), "ae_part('month', {0})"),
    row(TIME, &["toDayOfWeek"], &[Takes::Time], Gives::Is(Kind::Unsigned(8)), "ae_part('weekday', {0})"),
    row(TIME, &["toDayOfMonth"], &[Takes::Time], Gives::Is(Kind::Unsigned(8)), "ae_part('day', {0})"),
    row(TIME, &["toHour"], &[Takes::Time], Gives::Is(Kind::Unsigned(8)), "ae_part('hour', {0})"),
    row(TIME, &["toMinute"], &[Takes::Time], Gives::Is(Kind::Unsigned(8)), "ae_part('minute', {0})"),
    row(TIME, &["toSecond"], &[Takes::Time], Gives::Is(Kind::Unsigned(8)), "ae_part('second', {0})"),
    row(TIME, &["toYYYYMM"], &[Takes::Time], Gives::Is(Kind::Unsigned(32)), "ae_part('yearmonth', {0})"),
    row(TIME, &["toUnixTimestamp"], &[Takes::Time], Gives::Is(Kind::Unsigned(32)), "{0}"),
    open(TIME, &["toStartOfInterval"], &[Takes::Time, Takes::Interval, Takes::Zone], Gives::Is(Kind::Time), "ae_start({0}, {1})"),
    row(TIME, &["toStartOfYear"], &[Takes::Time], Gives::Is(Kind::Time), "ae_start({0}, 1, 'year')"),
    row(TIME, &["toStartOfMonth"], &[Takes::Time], Gives::Is(Kind::Time), "ae_start({0}, 1, 'month')"),
    row(TIME, &["toStartOfDay"], &[Takes::Time], Gives::Is(Kind::Time), "ae_start({0}, 1, 'day')"),
    row(TIME, &["toStartOfHour"], &[Takes::Time], Gives::Is(Kind::Time), "ae_start({0}, 1, 'hour')"),
    row(TIME, &["toStartOfFifteenMinutes"], &[Takes::Time], Gives::Is(Kind::Time), "ae_start({0}, 15, 'minute')"),
    row(TIME, &["toStartOfTenMinutes"], &[Takes::Time], Gives::Is(Kind::Time), "ae_start({0}, 10, 'minute')"),
    row(TIME, &["toStartOfFiveMinutes"], &[Takes::Time], Gives::Is(Kind::Time), "ae_start({0}, 5, 'minute')"),
    row(TIME, &["toStartOfMinute"], &[Takes::Time], Gives::Is(Kind::Time), "ae_start({0}, 1, 'minute')"),
    row(TIME, &["toStartOfWeek"], &[Takes::Time], Gives::Is(Kind::Time), "ae_start_of_week({0})"),
    row(ENCODING, &["bin"], &[Takes::Any], Gives::Is(Kind::Text), "ae_digits({0}, 2)"),
    row(ENCODING, &["hex"], &[Takes::Any], Gives::Is(Kind::Text), "ae_digits({0}, 16)"),
    row(MATHEMATICAL, &["intDiv"], &[Takes::Number, Takes::Number], Gives::Whole(0), "ae_int_div({0}, {1})"),
    row(MATHEMATICAL, &["log", "ln"], &[Takes::Number], Gives::Is(Kind::Double), "ae_log({0})"),
    row(MATHEMATICAL, &["pow"], &[Takes::Number, Takes::Number], Gives::Is(Kind::Double), "ae_pow({0}, {1})"),
    open(MATHEMATICAL, &["round"], &[Takes::Number, Takes::Integer], Gives::Same(0), "ae_round({all})"),
    open(MATHEMATICAL, &["floor"], &[Takes::Number, Takes::Integer], Gives::Same(0), "ae_floor({all})"),
    open(MATHEMATICAL, &["ceil"], &[Takes::Number, Takes::Integer], Gives::Same(0), "ae_ceil({all})"),
    row(STRING, &["length"], &[Takes::Text], Gives::Is(Kind::Unsigned(64)), "length({0})"),
    row(STRING, &["empty"], &[Takes::Text], Gives::Is(Kind::Boolean), "({0} = '')"),
    row(STRING, &["lower"], &[Takes::Text], Gives::Is(Kind::Text), "lower({0})"),
    row(STRING, &["lowerUTF8", "toLower"], &[Takes::Text], Gives::Is(Kind::Text), "ae_lower({0})"),
    row(STRING, &["upper"], &[Takes::Text], Gives::Is(Kind::Text), "upper({0})"),
    row(STRING, &["upperUTF8", "toUpper"], &[Takes::Text], Gives::Is(Kind::Text), "ae_upper({0})"),
    row(STRING, &["startsWith"], &[Takes::Text, Takes::Text], Gives::Is(Kind::Boolean), "ae_starts_with({0}, {1})"),
    row(STRING, &["endsWith"], &[Takes::Text, Takes::Text], Gives::Is(Kind::Boolean), "ae_ends_with({0}, {1})"),
    row(STRING, &["position"], &[Takes::Text, Takes::Text], Gives::Is(Kind::Unsigned(64)), "instr({1}, {0})"),
    open(STRING, &["substring"], &[Takes::Text, Takes::Integer, Takes::Integer], Gives::Is(Kind::Text), "substr({all})"),
    row(STRING, &["format"], &[Takes::Text, Takes::Any], Gives::Is(Kind::Text), "ae_format({shown})"),
    row(STRING, &["extract"], &[Takes::Text, Takes::Time], Gives::Is(Kind::Unsigned(16)), "ae_part({0}, {1})"),
    row(CONVERSION, &["toUInt8"], &[Takes::Convertible], Gives::Is(Kind::Unsigned(8)), "ae_to_unsigned({0}, 8)"),
    row(CONVERSION, &["toUInt32"], &[Takes::Convertible], Gives::Is(Kind::Unsigned(32)), "ae_to_unsigned({0}, 32)"),
];
