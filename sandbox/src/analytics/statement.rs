//! A statement of the client's: read, held to the documentation, and translated. Pure.
//!
//! Source: <https://developers.cloudflare.com/analytics/analytics-engine/sql-reference/statements/>, and what live refusals have shown.

use sqlparser::ast::{
    Expr, FormatClause, GroupByExpr, LimitClause, ObjectName, ObjectNamePart, OrderBy, OrderByKind,
    OrderBySort, Query, Select, SelectItem, SetExpr, Statement as Parsed, TableFactor, Value,
    WildcardAdditionalOptions,
};
use sqlparser::dialect::ClickHouseDialect;
use sqlparser::parser::Parser;

use super::expression::{Column, Scope, Typed, condition, named, quoted, translate};
use super::kind::Kind;
use super::point::MOST;
use super::refusal::Refusal;

/// The longest statement, as live refusals have shown.
const LONGEST: usize = 10_000;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    JsonEachRow,
    TabSeparated,
}

/// What is asked for.
#[derive(Debug)]
pub(super) enum Asked {
    /// `SHOW TABLES`
    Tables,
    /// `SHOW TIMEZONES` and `SHOW TIMEZONE`
    Zones,
    Select(Plan),
}

/// A translated `SELECT`.
#[derive(Debug)]
pub(super) struct Plan {
    /// For SQLite, without the limit.
    pub sql: String,
    pub columns: Vec<Column>,
    pub limit: Option<usize>,
    pub offset: usize,
}

/// What a statement is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct World<'a> {
    pub account: &'a str,
    /// The account's data sets.
    pub tables: &'a [String],
    /// Seconds since 1970.
    pub now: i64,
}

/// The columns of every table:
/// <https://developers.cloudflare.com/analytics/analytics-engine/sql-api/#table-structure>.
pub(super) fn columns() -> Vec<Column> {
    let column = |name: String, kind| Column { name, kind };
    let fixed = [
        ("dataset", Kind::Text),
        ("timestamp", Kind::Time),
        ("_sample_interval", Kind::Unsigned(32)),
        ("index1", Kind::Text),
    ];
    let fixed = fixed.map(|(name, kind)| column(name.to_owned(), kind));
    let blobs = (1..=MOST).map(|n| column(format!("blob{n}"), Kind::Text));
    let doubles = (1..=MOST).map(|n| column(format!("double{n}"), Kind::Double));
    fixed.into_iter().chain(blobs).chain(doubles).collect()
}

/// Reads a statement.
pub(super) fn read(text: &str, world: &World) -> Result<(Asked, Format), Refusal> {
    if text.len() > LONGEST {
        let why = format!("SQL was excessively long, exceeded maximum length: {LONGEST}");
        return Err(Refusal::new(why));
    }
    if let Some(shown) = show(text)? {
        return Ok(shown);
    }
    let parsed = Parser::parse_sql(&ClickHouseDialect {}, text).map_err(Refusal::new)?;
    match parsed.as_slice() {
        [Parsed::Query(query)] => {
            let format = format(query.format_clause.as_ref())?;
            Ok((Asked::Select(plan(query, world)?), format))
        }
        [] => Err(Refusal::new("there is no statement")),
        [_] => Err(Refusal::new(
            "only SELECT and SHOW statements are supported",
        )),
        _ => Err(Refusal::new("only one statement is supported")),
    }
}

/// A `SHOW` statement.
fn show(text: &str) -> Result<Option<(Asked, Format)>, Refusal> {
    let text = text.trim().trim_end_matches(';').to_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let asked = match words.get(..2) {
        Some(["show", "tables"]) => Asked::Tables,
        Some(["show", "timezones" | "timezone"]) => Asked::Zones,
        _ => return Ok(None),
    };
    let format = match &words[2..] {
        [] => Format::Json,
        ["format", name] => named_format(name)?,
        _ => return Err(Refusal::new(format!("unsupported statement: {text}"))),
    };
    Ok(Some((asked, format)))
}

fn format(clause: Option<&FormatClause>) -> Result<Format, Refusal> {
    match clause {
        None => Ok(Format::Json),
        Some(FormatClause::Identifier(name)) => named_format(&name.value),
        Some(FormatClause::Null) => named_format("NULL"),
    }
}

fn named_format(name: &str) -> Result<Format, Refusal> {
    let known = [
        ("json", Format::Json),
        ("jsoneachrow", Format::JsonEachRow),
        ("tabseparated", Format::TabSeparated),
    ];
    let found = known
        .iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known));
    let (_, format) = found.ok_or_else(|| Refusal::new(format!("unknown format: {name}")))?;
    Ok(*format)
}

fn plan(query: &Query, world: &World) -> Result<Plan, Refusal> {
    let select = plain(query)?;
    let (source, columns) = from(select, world)?;
    let rows = Scope {
        now: world.now,
        columns: &columns,
        aliases: &[],
        groups: &[],
    };
    let outputs = outputs(select, &rows)?;
    let filter = filter(select, &rows)?;
    let outer = Scope {
        aliases: &outputs,
        ..rows
    };
    let (groups, having) = grouping(select, &outer)?;
    // Only what the answer has can be sorted by, as live refusals have shown
    let answer = Scope {
        columns: &[],
        ..outer
    };
    let order = order(query.order_by.as_ref(), &answer)?;
    let (limit, offset) = limits(query.limit_clause.as_ref())?;
    let list = outputs.iter();
    let list = list.map(|(name, it)| format!("{} AS {}", it.sql, named(name)));
    let mut sql = format!("SELECT {}{source}", list.collect::<Vec<_>>().join(", "));
    let clauses = [
        ("WHERE", filter),
        ("GROUP BY", (!groups.is_empty()).then(|| groups.join(", "))),
        ("HAVING", having),
        ("ORDER BY", (!order.is_empty()).then(|| order.join(", "))),
    ];
    for (word, clause) in clauses {
        sql += &clause.map_or_else(String::new, |clause| format!(" {word} {clause}"));
    }
    let columns = outputs.into_iter().map(|(name, it)| Column {
        name,
        kind: it.kind,
    });
    Ok(Plan {
        sql,
        columns: columns.collect(),
        limit,
        offset,
    })
}

fn filter(select: &Select, scope: &Scope) -> Result<Option<String>, Refusal> {
    let Some(expr) = &select.selection else {
        return Ok(None);
    };
    let typed = condition(expr, scope)?;
    match typed.aggregate {
        true => Err(Refusal::new("an aggregate function cannot be in WHERE")),
        false => Ok(Some(typed.sql)),
    }
}

/// What rows are grouped by, and which groups are wanted. Where there are groups, or an aggregate function makes one of all rows,
/// nothing else may name a column.
fn grouping(select: &Select, scope: &Scope) -> Result<(Vec<String>, Option<String>), Refusal> {
    let groups = groups(select, scope)?;
    let grouped = Scope {
        groups: &groups,
        ..*scope
    };
    let having = select.having.as_ref();
    let having = having.map(|it| condition(it, &grouped)).transpose()?;
    if !groups.is_empty() || scope.aliases.iter().any(|(_, it)| it.aggregate) {
        let inner = Scope {
            aliases: &[],
            ..grouped
        };
        let outputs = outputs(select, &inner)?;
        no_bare(outputs.iter().map(|(_, it)| it).chain(&having))?;
    }
    Ok((groups, having.map(|it| it.sql)))
}

/// The `SELECT` of a query that has no clause beyond the documented ones.
fn plain(query: &Query) -> Result<&Select, Refusal> {
    let plain = query.with.is_none()
        && query.fetch.is_none()
        && query.locks.is_empty()
        && query.for_clause.is_none()
        && query.settings.is_none()
        && query.pipe_operators.is_empty();
    match &*query.body {
        SetExpr::Select(select) if plain => check(select).map(|()| &**select),
        _ => Err(unsupported(query)),
    }
}

fn unsupported(what: &impl std::fmt::Display) -> Refusal {
    Refusal::new(format!("unsupported query: {what}"))
}

/// That a `SELECT` has no clause beyond the documented ones.
fn check(select: &Select) -> Result<(), Refusal> {
    let plain = select.distinct.is_none()
        && select.select_modifiers.is_none()
        && select.top.is_none()
        && select.exclude.is_none()
        && select.into.is_none()
        && select.lateral_views.is_empty()
        && select.prewhere.is_none()
        && select.connect_by.is_empty()
        && select.cluster_by.is_empty()
        && select.distribute_by.is_empty()
        && select.sort_by.is_empty()
        && select.named_window.is_empty()
        && select.qualify.is_none()
        && select.value_table_mode.is_none();
    match plain {
        true => Ok(()),
        false => Err(unsupported(select)),
    }
}

/// ` FROM …`, and the columns that are there.
fn from(select: &Select, world: &World) -> Result<(String, Vec<Column>), Refusal> {
    let [table] = select.from.as_slice() else {
        return match select.from.is_empty() {
            true => Ok((String::new(), Vec::new())),
            false => Err(unsupported(select)),
        };
    };
    if !table.joins.is_empty() {
        return Err(unsupported(table));
    }
    match &table.relation {
        TableFactor::Table {
            name,
            alias: None,
            args: None,
            version: None,
            sample: None,
            with_ordinality: false,
            ..
        } => {
            let table = self::table(name)?;
            if !world.tables.iter().any(|known| known == table) {
                return Err(Refusal::new(format!("unknown table: {table}")));
            }
            let (account, dataset) = (quoted(world.account), quoted(table));
            let sql = format!(
                " FROM (SELECT * FROM tables WHERE account = {account} AND dataset = {dataset})"
            );
            Ok((sql, columns()))
        }
        TableFactor::Derived {
            lateral: false,
            subquery,
            alias: None,
            sample: None,
        } if subquery.format_clause.is_none() => {
            let plan = plan(subquery, world)?;
            let limit = plan.limit.map_or(-1, usize::cast_signed);
            let sql = format!(" FROM ({} LIMIT {limit} OFFSET {})", plan.sql, plan.offset);
            Ok((sql, plan.columns))
        }
        other => Err(unsupported(other)),
    }
}

fn table(name: &ObjectName) -> Result<&str, Refusal> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(name)] => Ok(&name.value),
        _ => Err(Refusal::new(format!("unknown table: {name}"))),
    }
}

/// What the answer has, by its names.
fn outputs(select: &Select, scope: &Scope) -> Result<Vec<(String, Typed)>, Refusal> {
    let mut outputs = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = match expr {
                    Expr::Identifier(name) => name.value.clone(),
                    other => other.to_string(),
                };
                outputs.push((name, translate(expr, scope)?));
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                outputs.push((alias.value.clone(), translate(expr, scope)?));
            }
            SelectItem::Wildcard(options) if is_plain(options) => {
                for column in scope.columns {
                    let name = Expr::Identifier(column.name.as_str().into());
                    outputs.push((column.name.clone(), translate(&name, scope)?));
                }
            }
            other => return Err(unsupported(other)),
        }
    }
    for (name, typed) in &outputs {
        if let Kind::Interval(_) = typed.kind {
            return Err(Refusal::new(format!(
                "`{name}` is an interval, not a value"
            )));
        }
    }
    Ok(outputs)
}

fn is_plain(options: &WildcardAdditionalOptions) -> bool {
    let token = options.wildcard_token.clone();
    let plain = WildcardAdditionalOptions {
        wildcard_token: token,
        ..Default::default()
    };
    *options == plain
}

fn groups(select: &Select, scope: &Scope) -> Result<Vec<String>, Refusal> {
    let exprs = match &select.group_by {
        GroupByExpr::Expressions(exprs, modifiers) if modifiers.is_empty() => exprs,
        other => return Err(unsupported(other)),
    };
    let mut groups = Vec::new();
    for expr in exprs {
        let typed = translate(expr, scope)?;
        if typed.aggregate {
            return Err(Refusal::new("an aggregate function cannot be in GROUP BY"));
        }
        groups.push(not_a_place(typed.sql));
    }
    Ok(groups)
}

/// A whole number would be the place of a column.
fn not_a_place(sql: String) -> String {
    match sql.parse::<i64>() {
        Ok(_) => format!("({sql} + 0)"),
        Err(_) => sql,
    }
}

/// Refuses a column that has many values where one is asked for.
fn no_bare<'a>(all: impl Iterator<Item = &'a Typed>) -> Result<(), Refusal> {
    let mut bare = all.filter_map(|typed| typed.bare.as_deref());
    match bare.next() {
        None => Ok(()),
        Some(column) => Err(Refusal::new(format!(
            "column {column} is neither in GROUP BY nor in an aggregate function"
        ))),
    }
}

fn order(clause: Option<&OrderBy>, scope: &Scope) -> Result<Vec<String>, Refusal> {
    let Some(clause) = clause else {
        return Ok(Vec::new());
    };
    let OrderByKind::Expressions(exprs) = &clause.kind else {
        return Err(unsupported(clause));
    };
    let mut order = Vec::new();
    for expr in exprs {
        let direction = match expr.options.sort {
            None | Some(OrderBySort::Asc) => "ASC",
            Some(OrderBySort::Desc) => "DESC",
            Some(_) => return Err(unsupported(expr)),
        };
        if expr.with_fill.is_some() || expr.options.nulls_first.is_some() {
            return Err(unsupported(expr));
        }
        let typed = translate(&expr.expr, scope)?;
        order.push(format!("{} {direction}", not_a_place(typed.sql)));
    }
    Ok(order)
}

fn limits(clause: Option<&LimitClause>) -> Result<(Option<usize>, usize), Refusal> {
    let number = |expr: &Expr| match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, false) => text.parse().map_err(|_| unsupported(expr)),
            _ => Err(unsupported(expr)),
        },
        _ => Err(unsupported(expr)),
    };
    match clause {
        None => Ok((None, 0)),
        Some(LimitClause::LimitOffset {
            limit,
            offset,
            limit_by,
        }) if limit_by.is_empty() => {
            let limit = limit.as_ref().map(number).transpose()?;
            let offset = offset.as_ref().map(|it| number(&it.value)).transpose()?;
            Ok((limit, offset.unwrap_or_default()))
        }
        Some(other) => Err(unsupported(other)),
    }
}
