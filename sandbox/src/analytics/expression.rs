//! An expression of the client's as one of SQLite's, with its type. Pure.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, CeilFloorKind, DateTimeField, DuplicateTreatment, Expr, FunctionArg,
    FunctionArgExpr, FunctionArguments, InTarget, Interval, ObjectNamePart, UnaryOperator, Value,
    visit_expressions_mut,
};

use super::catalog::{Function, Gives, Parameter, Takes};
use super::kind::{Kind, Unit};
use super::refusal::Refusal;

/// A column of a table, of a subquery or of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub name: String,
    pub kind: Kind,
}

/// A translated expression.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    /// What SQLite is asked. Of an interval: the number, a comma, and the unit.
    pub sql: String,
    pub kind: Kind,
    /// A column that stands outside of every aggregate function and is not grouped by.
    pub bare: Option<String>,
    /// Whether it has an aggregate function.
    pub aggregate: bool,
}

/// What an expression may name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    /// Seconds since 1970.
    pub now: i64,
    pub columns: &'a [Column],
    /// Names of `AS`, which come before columns.
    pub aliases: &'a [(String, Typed)],
    /// What the rows are grouped by.
    pub groups: &'a [String],
}

/// A text as SQLite writes it.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as SQLite writes it.
pub(super) fn named(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Translates.
pub(super) fn translate(expr: &Expr, scope: &Scope) -> Result<Typed, Refusal> {
    let mut typed = match expr {
        Expr::Identifier(name) => column(&name.value, scope)?,
        Expr::Nested(inner) => translate(inner, scope)?,
        Expr::Value(value) => literal(&value.value, expr)?,
        Expr::Interval(interval) => self::interval(interval, expr)?,
        Expr::UnaryOp { op, expr: operand } => unary(*op, operand, expr, scope)?,
        Expr::BinaryOp { left, op, right } => binary(left, op, right, expr, scope)?,
        Expr::Between {
            expr: value,
            negated,
            low,
            high,
        } => {
            let parts = all([&**value, low, high], scope)?;
            comparable(&parts[0], &parts[1], expr)?;
            comparable(&parts[0], &parts[2], expr)?;
            let [value, low, high] = [0, 1, 2].map(|at| &parts[at].sql);
            let sql = format!("({value} {}BETWEEN {low} AND {high})", not(*negated));
            with(sql, Kind::Boolean, &parts)
        }
        Expr::In {
            expr: value,
            target: InTarget::List(list),
            negated,
            global: false,
        } => within(value, list, *negated, expr, scope)?,
        Expr::Like {
            negated,
            any: false,
            expr: value,
            pattern,
            escape_char: None,
        } => like("ae_like", *negated, [value, pattern], expr, scope)?,
        Expr::ILike {
            negated,
            any: false,
            expr: value,
            pattern,
            escape_char: None,
        } => like("ae_ilike", *negated, [value, pattern], expr, scope)?,
        other => calling(other, scope)?,
    };
    if scope.groups.contains(&typed.sql) {
        typed.bare = None;
    }
    Ok(typed)
}

/// What is true or false.
pub(super) fn condition(expr: &Expr, scope: &Scope) -> Result<Typed, Refusal> {
    let typed = translate(expr, scope)?;
    match fits(Takes::Condition, &typed) {
        true => Ok(typed),
        false => Err(Refusal::new(format!(
            "expected a boolean, but `{}` is of the {} type",
            shown(expr),
            typed.kind.family()
        ))),
    }
}

/// An expression as refusals show it: with its columns in quotation marks.
fn shown(expr: &Expr) -> String {
    let mut expr = expr.clone();
    let _ = visit_expressions_mut(&mut expr, |part| {
        if let Expr::Identifier(name) = part {
            name.quote_style = Some('"');
        }
        ControlFlow::<()>::Continue(())
    });
    expr.to_string()
}

fn column(name: &str, scope: &Scope) -> Result<Typed, Refusal> {
    if let Some((_, typed)) = scope.aliases.iter().find(|(alias, _)| alias == name) {
        return Ok(typed.clone());
    }
    let found = scope.columns.iter().find(|column| column.name == name);
    let found =
        found.ok_or_else(|| Refusal::new(format!("unable to find type of column: {name}")))?;
    Ok(Typed {
        sql: named(name),
        kind: found.kind.clone(),
        bare: Some(name.to_owned()),
        aggregate: false,
    })
}

fn constant(sql: String, kind: Kind) -> Typed {
    with(sql, kind, &[])
}

/// Of what the parts are made of.
fn with(sql: String, kind: Kind, parts: &[Typed]) -> Typed {
    Typed {
        sql,
        kind,
        bare: parts.iter().find_map(|part| part.bare.clone()),
        aggregate: parts.iter().any(|part| part.aggregate),
    }
}

fn all<'e>(
    exprs: impl IntoIterator<Item = &'e Expr>,
    scope: &Scope,
) -> Result<Vec<Typed>, Refusal> {
    exprs
        .into_iter()
        .map(|expr| translate(expr, scope))
        .collect()
}

fn literal(value: &Value, expr: &Expr) -> Result<Typed, Refusal> {
    match value {
        Value::Number(text, false) => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(whole), _) => Ok(constant(whole.to_string(), Kind::of_integer(whole))),
            (_, Ok(number)) if number.is_finite() => {
                Ok(constant(format!("{number:?}"), Kind::Double))
            }
            _ => Err(Refusal::unsupported(text)),
        },
        Value::SingleQuotedString(text) if !text.contains('\0') => {
            Ok(constant(quoted(text), Kind::Text))
        }
        Value::Boolean(value) => Ok(constant(u8::from(*value).to_string(), Kind::Boolean)),
        _ => Err(Refusal::unsupported(expr)),
    }
}

/// `INTERVAL '42' DAY`: the number is a text, as documented.
fn interval(interval: &Interval, expr: &Expr) -> Result<Typed, Refusal> {
    let count = match &*interval.value {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => text.parse::<i64>().ok(),
            _ => None,
        },
        _ => None,
    };
    let unit = interval.leading_field.as_ref().and_then(unit);
    let simple = interval.last_field.is_none() && interval.leading_precision.is_none();
    match (count, unit, simple) {
        (Some(count), Some((unit, name)), true) => {
            let sql = format!("{count}, '{name}'");
            Ok(constant(sql, Kind::Interval(unit)))
        }
        _ => Err(Refusal::unsupported(expr)),
    }
}

fn unit(field: &DateTimeField) -> Option<(Unit, &'static str)> {
    Some(match field {
        DateTimeField::Second => (Unit::Second, "second"),
        DateTimeField::Minute => (Unit::Minute, "minute"),
        DateTimeField::Hour => (Unit::Hour, "hour"),
        DateTimeField::Day => (Unit::Day, "day"),
        DateTimeField::Month => (Unit::Month, "month"),
        DateTimeField::Year => (Unit::Year, "year"),
        _ => return None,
    })
}

fn unary(op: UnaryOperator, operand: &Expr, expr: &Expr, scope: &Scope) -> Result<Typed, Refusal> {
    let inner = translate(operand, scope)?;
    let (sql, kind) = match op {
        UnaryOperator::Not => {
            let inner = condition(operand, scope)?;
            (format!("(NOT {})", inner.sql), Kind::Boolean)
        }
        UnaryOperator::Minus if inner.kind.is_number() => {
            let zero = Kind::Unsigned(8);
            (format!("(-{})", inner.sql), zero.difference(&inner.kind))
        }
        _ => return Err(Refusal::unsupported(shown(expr))),
    };
    Ok(with(sql, kind, &[inner]))
}

fn binary(
    left: &Expr,
    op: &BinaryOperator,
    right: &Expr,
    expr: &Expr,
    scope: &Scope,
) -> Result<Typed, Refusal> {
    use BinaryOperator as Op;
    let parts = [translate(left, scope)?, translate(right, scope)?];
    let [a, b] = &parts;
    let (sql, kind) = match op {
        Op::And | Op::Or => {
            condition(left, scope)?;
            condition(right, scope)?;
            (format!("({} {op} {})", a.sql, b.sql), Kind::Boolean)
        }
        Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq => {
            comparable(a, b, expr)?;
            (format!("({} {op} {})", a.sql, b.sql), Kind::Boolean)
        }
        Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo => arithmetic(a, op, b)
            .ok_or_else(|| {
                let (a, b) = (a.kind.family(), b.kind.family());
                let why = format!("cannot use the {a} and {b} types in {}", shown(expr));
                Refusal::new(why)
            })?,
        _ => return Err(Refusal::unsupported(shown(expr))),
    };
    Ok(with(sql, kind, &parts))
}

fn arithmetic(a: &Typed, op: &BinaryOperator, b: &Typed) -> Option<(String, Kind)> {
    use BinaryOperator as Op;
    let (sql_a, sql_b) = (&a.sql, &b.sql);
    let shifted = |time: &Typed, sign: i8, by: &Typed| {
        let sql = format!("ae_shift({}, {sign}, {})", time.sql, by.sql);
        (sql, time.kind.clone())
    };
    match (&a.kind, op, &b.kind) {
        (time, Op::Plus, Kind::Interval(_)) if time.is_time() => return Some(shifted(a, 1, b)),
        (time, Op::Minus, Kind::Interval(_)) if time.is_time() => return Some(shifted(a, -1, b)),
        (Kind::Interval(_), Op::Plus, time) if time.is_time() => return Some(shifted(b, 1, a)),
        (from, Op::Minus, to) if from.is_time() && to.is_time() => {
            return Some((format!("({sql_a} - {sql_b})"), Kind::Signed(32)));
        }
        (from, _, to) if !from.is_number() || !to.is_number() => return None,
        _ => {}
    }
    Some(match op {
        Op::Minus => (format!("({sql_a} - {sql_b})"), a.kind.difference(&b.kind)),
        Op::Divide => {
            let sql = format!("(CAST({sql_a} AS REAL) / {sql_b})");
            (sql, Kind::Double)
        }
        Op::Modulo => {
            let sql = format!("ae_modulo({sql_a}, {sql_b})");
            (sql, a.kind.common(&b.kind))
        }
        _ => (format!("({sql_a} {op} {sql_b})"), a.kind.sum(&b.kind)),
    })
}

/// Numbers with numbers, times with times, else each with its own.
fn comparable(a: &Typed, b: &Typed, expr: &Expr) -> Result<(), Refusal> {
    let fits = (a.kind.is_number() && b.kind.is_number())
        || (a.kind.is_time() && b.kind.is_time())
        || (a.kind == Kind::Text && b.kind == Kind::Text);
    let (a, b) = (a.kind.family(), b.kind.family());
    let why = || format!("cannot compare the {a} and {b} types in {}", shown(expr));
    match fits {
        true => Ok(()),
        false => Err(Refusal::new(why())),
    }
}

fn within(
    value: &Expr,
    list: &[Expr],
    negated: bool,
    expr: &Expr,
    scope: &Scope,
) -> Result<Typed, Refusal> {
    let mut parts = vec![translate(value, scope)?];
    for item in list {
        let item = translate(item, scope)?;
        comparable(&parts[0], &item, expr)?;
        parts.push(item);
    }
    let list: Vec<&str> = parts[1..].iter().map(|part| part.sql.as_str()).collect();
    let sql = format!(
        "({} {}IN ({}))",
        parts[0].sql,
        not(negated),
        list.join(", ")
    );
    Ok(with(sql, Kind::Boolean, &parts))
}

fn like(
    function: &str,
    negated: bool,
    operands: [&Expr; 2],
    expr: &Expr,
    scope: &Scope,
) -> Result<Typed, Refusal> {
    let parts = all(operands, scope)?;
    comparable(&parts[0], &parts[1], expr)?;
    let sql = format!(
        "({}{function}({}, {}))",
        not(negated),
        parts[0].sql,
        parts[1].sql
    );
    Ok(with(sql, Kind::Boolean, &parts))
}

fn not(negated: bool) -> &'static str {
    match negated {
        true => "NOT ",
        false => "",
    }
}

/// A call, also one that the parser knows by a form of its own.
fn calling(expr: &Expr, scope: &Scope) -> Result<Typed, Refusal> {
    let of = |name: &str, exprs: &[&Expr]| {
        let arguments = all(exprs.iter().copied(), scope)?;
        call(name, Vec::new(), arguments, None, expr, scope)
    };
    match expr {
        Expr::Function(function) => self::function(function, expr, scope),
        Expr::Position { expr: needle, r#in } => of("position", &[needle, r#in]),
        Expr::Substring {
            expr: text,
            substring_from: Some(from),
            substring_for,
            ..
        } => {
            let mut exprs: Vec<&Expr> = vec![text, from];
            exprs.extend(substring_for.as_deref());
            of("substring", &exprs)
        }
        Expr::Extract {
            field, expr: time, ..
        } => {
            let (_, name) = unit(field).ok_or_else(|| Refusal::unsupported(shown(expr)))?;
            let arguments = vec![constant(quoted(name), Kind::Text), translate(time, scope)?];
            call("extract", Vec::new(), arguments, None, expr, scope)
        }
        Expr::Ceil { expr: of, field } => rounding("ceil", of, field, expr, scope),
        Expr::Floor { expr: of, field } => rounding("floor", of, field, expr, scope),
        _ => Err(Refusal::unsupported(shown(expr))),
    }
}

fn rounding(
    name: &str,
    operand: &Expr,
    field: &CeilFloorKind,
    expr: &Expr,
    scope: &Scope,
) -> Result<Typed, Refusal> {
    let mut arguments = vec![translate(operand, scope)?];
    match field {
        CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => {}
        CeilFloorKind::Scale(scale) => arguments.push(literal(&scale.value, expr)?),
        CeilFloorKind::DateTimeField(_) => return Err(Refusal::unsupported(shown(expr))),
    }
    call(name, Vec::new(), arguments, None, expr, scope)
}

fn function(
    function: &sqlparser::ast::Function,
    expr: &Expr,
    scope: &Scope,
) -> Result<Typed, Refusal> {
    let plain = !function.uses_odbc_syntax
        && function.within_group.is_empty()
        && function.filter.is_none()
        && function.null_treatment.is_none()
        && function.over.is_none();
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else {
        return Err(Refusal::new(format!(
            "unknown function call: {}",
            function.name
        )));
    };
    let (parameters, arguments) = (listed(&function.parameters), listed(&function.args));
    match (plain, parameters, arguments) {
        (true, Some((None, parameters)), Some((distinct, arguments))) => {
            // Before its arguments are looked at: an unknown function is refused as such
            if Function::find(&name.value).is_none() {
                return Err(Refusal::new(format!(
                    "unknown function call: {}",
                    name.value
                )));
            }
            let (parameters, arguments) = (all(parameters, scope)?, all(arguments, scope)?);
            call(&name.value, parameters, arguments, distinct, expr, scope)
        }
        _ => Err(Refusal::unsupported(shown(expr))),
    }
}

/// The expressions of a list of arguments, and whether `DISTINCT` stands before them.
fn listed(arguments: &FunctionArguments) -> Option<(Option<DuplicateTreatment>, Vec<&Expr>)> {
    match arguments {
        FunctionArguments::None => Some((None, Vec::new())),
        FunctionArguments::Subquery(_) => None,
        FunctionArguments::List(list) if !list.clauses.is_empty() => None,
        FunctionArguments::List(list) => {
            let exprs = list.args.iter().map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                _ => None,
            });
            Some((list.duplicate_treatment, exprs.collect::<Option<_>>()?))
        }
    }
}

fn call(
    name: &str,
    mut parameters: Vec<Typed>,
    arguments: Vec<Typed>,
    distinct: Option<DuplicateTreatment>,
    expr: &Expr,
    scope: &Scope,
) -> Result<Typed, Refusal> {
    let function = Function::find(name)
        .ok_or_else(|| Refusal::new(format!("unknown function call: {name}")))?;
    let wrong = |what: &str| Refusal::new(format!("{what} in {}", shown(expr)));
    if function.parameter == Parameter::Count && parameters.is_empty() {
        parameters.push(constant("10".to_owned(), Kind::Unsigned(8)));
    }
    let wanted = usize::from(function.parameter != Parameter::None);
    if parameters.len() != wanted || parameters.iter().any(|it| !is_number_literal(it)) {
        return Err(wrong("wrong parameters"));
    }
    let may_be_distinct = function.sql.contains("{distinct}") || name.eq_ignore_ascii_case("count");
    match distinct {
        None if arguments.len() == 1 && name.eq_ignore_ascii_case("count") => {
            return Err(wrong(
                "only `count()` and `count(DISTINCT column)` are documented, not what is",
            ));
        }
        Some(DuplicateTreatment::Distinct) if may_be_distinct && arguments.len() == 1 => {}
        None => {}
        Some(_) => return Err(wrong("`DISTINCT` is not documented")),
    }
    check(function, name, &arguments, expr)?;
    if function.is_aggregate() && arguments.iter().any(|it| it.aggregate) {
        return Err(wrong("an aggregate function is inside another one"));
    }
    parameters.extend(arguments);
    let parts = parameters;
    let kind = given(function, name, &parts)?;
    let sql = expanded(function, &parts, distinct.is_some(), scope.now);
    let mut typed = with(sql, kind, &parts);
    if function.is_aggregate() {
        (typed.bare, typed.aggregate) = (None, true);
    }
    Ok(typed)
}

fn is_number_literal(typed: &Typed) -> bool {
    typed.kind.is_number() && typed.sql.parse::<f64>().is_ok()
}

/// Whether the arguments are as many as documented, and of the types.
fn check(function: &Function, name: &str, arguments: &[Typed], expr: &Expr) -> Result<(), Refusal> {
    let most = function.takes.len();
    let any_number = function.sql.contains("{shown}");
    let count = arguments.len();
    if count < most - function.optional || (count > most && !any_number) {
        let name = name.to_lowercase();
        let why = format!(
            "{name}() does not take {count} arguments in {}",
            shown(expr)
        );
        return Err(Refusal::new(why));
    }
    for (at, argument) in arguments.iter().enumerate() {
        let takes = function.takes[at.min(most - 1)];
        if !fits(takes, argument) {
            let (family, at) = (argument.kind.family(), at + 1);
            let shown = shown(expr);
            let why = match takes {
                Takes::Zone => "the sandbox knows no time zone but `Etc/UTC`".to_owned(),
                _ => format!("cannot use the {family} type as argument {at} in {shown}"),
            };
            return Err(Refusal::new(why));
        }
    }
    Ok(())
}

fn fits(takes: Takes, argument: &Typed) -> bool {
    let kind = &argument.kind;
    match takes {
        Takes::Any => !matches!(kind, Kind::Interval(_) | Kind::List(_)),
        Takes::Convertible => kind.is_number() || kind.is_time() || *kind == Kind::Text,
        Takes::Ordered => kind.is_number() || kind.is_time(),
        Takes::Number => kind.is_number(),
        Takes::Integer | Takes::Condition => kind.is_number() && *kind != Kind::Double,
        Takes::Text => *kind == Kind::Text,
        Takes::Time => kind.is_time(),
        Takes::Interval => matches!(kind, Kind::Interval(_)),
        Takes::Zone => ["'Etc/UTC'", "'UTC'"].contains(&argument.sql.as_str()),
    }
}

fn given(function: &Function, name: &str, parts: &[Typed]) -> Result<Kind, Refusal> {
    let kind = |at: usize| &parts[at].kind;
    Ok(match &function.gives {
        Gives::Is(kind) => kind.clone(),
        Gives::Same(at) => kind(*at).clone(),
        Gives::Sum(at) => match kind(*at) {
            Kind::Double => Kind::Double,
            Kind::Signed(_) => Kind::Signed(64),
            _ => Kind::Unsigned(64),
        },
        Gives::Whole(at) => match kind(*at) {
            Kind::Double => Kind::Signed(64),
            kind => kind.clone(),
        },
        Gives::List(at) => Kind::List(Box::new(kind(*at).clone())),
        Gives::Common(a, b) => {
            let (a, b) = (kind(*a), kind(*b));
            if a.family() != b.family() {
                return Err(Refusal::new(format!(
                    "the 2nd and 3rd arguments to {}() function must have the same type but instead had {} and {}",
                    name.to_uppercase(),
                    a.family(),
                    b.family()
                )));
            }
            match a.is_number() {
                true => a.common(b),
                false => a.clone(),
            }
        }
    })
}

/// The replacement with its places filled. In one pass: what is filled in may look like a place.
fn expanded(function: &Function, parts: &[Typed], distinct: bool, now: i64) -> String {
    let sqls = |shown: bool| {
        let texts = parts.iter().map(|part| match part.kind {
            Kind::Time if shown => format!("ae_time_text({})", part.sql),
            Kind::Date if shown => format!("ae_date_text({})", part.sql),
            _ => part.sql.clone(),
        });
        texts.collect::<Vec<_>>().join(", ")
    };
    let first = parts.first();
    let mut sql = String::new();
    let mut rest = function.sql;
    while let Some((before, (place, after))) = rest
        .split_once('{')
        .and_then(|(before, place)| Some((before, place.split_once('}')?)))
    {
        sql += before;
        sql += &match place {
            "all" => sqls(false),
            "shown" => sqls(true),
            "now" => now.to_string(),
            "bits" => first.map_or(64, |part| part.kind.bits()).to_string(),
            "distinct" if distinct => "DISTINCT ".to_owned(),
            "distinct" => String::new(),
            "counted" => match first {
                Some(part) => format!("DISTINCT {}", part.sql),
                None => "*".to_owned(),
            },
            "zero" if first.is_some_and(|part| part.kind == Kind::Double) => "0.0".to_owned(),
            "zero" => "0".to_owned(),
            at => {
                let part = at.parse().ok().and_then(|at: usize| parts.get(at));
                part.map_or_else(String::new, |part| part.sql.clone())
            }
        };
        rest = after;
    }
    sql + rest
}
