//! The condition operators of FetchXML, which the `Microsoft.Dynamics.CRM.*` query functions of OData share. It decides what an
//! operator asks of a column; it does not know how either language is spelled around it.
//!
//! <https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/reference/operators>

use super::relative::{Relative, Unit};
use super::value::{self, Value};
use super::{Compare, QueryError, Test};
use crate::sandbox::schema::{Column, Kind};

/// The longest pattern that is matched.
const MAX_PATTERN: usize = 4000;

/// What `operator` with these values asks of the column.
pub fn test(operator: &str, column: &Column, values: &[String]) -> Result<Test, QueryError> {
    if let Some(compare) = Compare::parse(operator) {
        return Ok(Test::Is(compare, typed(column, single(operator, values)?)?));
    }
    if let Some(found) = fixed(operator) {
        return none(operator, values).and(Ok(found));
    }
    if let Some(relative) = relative(operator, values)? {
        return match column.kind {
            Kind::DateTime | Kind::Date => Ok(Test::When(relative)),
            _ => Err(bad(operator, column)),
        };
    }
    match operator {
        "neq" => Ok(Test::Is(Compare::NotEqual, typed(column, single(operator, values)?)?)),
        "in" | "contain-values" => Ok(Test::In(all(operator, column, values)?)),
        "not-in" | "not-contain-values" => Ok(Test::NotIn(all(operator, column, values)?)),
        "between" => pair(operator, column, values).map(|(low, high)| Test::Between(low, high)),
        "not-between" => {
            pair(operator, column, values).map(|(low, high)| Test::NotBetween(low, high))
        }
        _ => matching(operator, column, values),
    }
}

/// A pattern that finds `text`, in which the wildcards of SQL Server keep their meaning
/// (<https://learn.microsoft.com/power-apps/developer/data-platform/wildcard-characters>), anywhere (`before` and `after`), at
/// the start or at the end.
pub fn pattern(before: bool, text: &str, after: bool) -> Result<Value, QueryError> {
    if text.chars().count() > MAX_PATTERN {
        return Err(QueryError::argument("The pattern is too long."));
    }
    let mut pattern = String::new();
    if before {
        pattern.push('%');
    }
    let mut rest = text.chars();
    while let Some(found) = rest.next() {
        match found {
            '\\' => pattern.push_str("\\\\"),
            '[' => bracket(&mut rest, &mut pattern)?,
            other => pattern.push(other),
        }
    }
    if after {
        pattern.push('%');
    }
    Ok(Value::Text(pattern))
}

/// `[x]` stands for the character itself. A `[` that nothing closes is a plain one.
fn bracket(rest: &mut std::str::Chars<'_>, pattern: &mut String) -> Result<(), QueryError> {
    let mut ahead = rest.clone();
    match (ahead.next(), ahead.next()) {
        (Some(only), Some(']')) => {
            if matches!(only, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(only);
            *rest = ahead;
            Ok(())
        }
        _ if rest.clone().any(|c| c == ']') => {
            Err(QueryError::argument("Character ranges in patterns are not supported here."))
        }
        _ => {
            pattern.push('[');
            Ok(())
        }
    }
}

fn fixed(operator: &str) -> Option<Test> {
    Some(match operator {
        "null" => Test::Null,
        "not-null" => Test::NotNull,
        "eq-userid" | "eq-useroruserteams" => Test::User,
        "ne-userid" => Test::NotUser,
        "eq-businessid" => Test::BusinessUnit,
        "ne-businessid" => Test::NotBusinessUnit,
        "eq-userteams" => Test::Never,
        _ => return None,
    })
}

fn matching(operator: &str, column: &Column, values: &[String]) -> Result<Test, QueryError> {
    let (negated, before, after) = match operator {
        "like" => (false, false, false),
        "not-like" => (true, false, false),
        "begins-with" => (false, false, true),
        "not-begin-with" => (true, false, true),
        "ends-with" => (false, true, false),
        "not-end-with" => (true, true, false),
        _ => {
            return Err(QueryError::coded(
                "0x80041106",
                format!("Invalid or unsupported condition operator '{operator}'."),
            ));
        }
    };
    if !matches!(column.kind, Kind::Text { .. } | Kind::Memo { .. }) {
        return Err(bad(operator, column));
    }
    let pattern = pattern(before, single(operator, values)?, after)?;
    Ok(if negated { Test::NotLike(pattern) } else { Test::Like(pattern) })
}

/// The relative date that an operator means, if it is one.
fn relative(operator: &str, values: &[String]) -> Result<Option<Relative>, QueryError> {
    if let Some(found) = calendar(operator) {
        return none(operator, values).and(Ok(Some(found)));
    }
    if let Some(kind) = operator.strip_prefix("on") {
        let make: fn(jiff::civil::Date) -> Relative = match kind {
            "" => Relative::On,
            "-or-before" => Relative::OnOrBefore,
            "-or-after" => Relative::OnOrAfter,
            _ => return Ok(None),
        };
        let text = single(operator, values)?;
        let day = value::date(text.trim()).ok_or_else(|| invalid(operator))?;
        return Ok(Some(make(day)));
    }
    let Some((make, unit)) = counted(operator) else { return Ok(None) };
    let count = single(operator, values)?.trim().parse::<u32>().map_err(|_| invalid(operator))?;
    if count == 0 {
        return Err(invalid(operator));
    }
    Ok(Some(make(unit, count)))
}

fn calendar(operator: &str) -> Option<Relative> {
    Some(match operator {
        "today" => Relative::Day(0),
        "yesterday" => Relative::Day(-1),
        "tomorrow" => Relative::Day(1),
        "last-seven-days" => Relative::LastX(Unit::Day, 7),
        "next-seven-days" => Relative::NextX(Unit::Day, 7),
        "last-week" => Relative::Last(Unit::Week),
        "this-week" => Relative::This(Unit::Week),
        "next-week" => Relative::Next(Unit::Week),
        "last-month" => Relative::Last(Unit::Month),
        "this-month" => Relative::This(Unit::Month),
        "next-month" => Relative::Next(Unit::Month),
        "last-year" => Relative::Last(Unit::Year),
        "this-year" => Relative::This(Unit::Year),
        "next-year" => Relative::Next(Unit::Year),
        _ => return None,
    })
}

type Counted = fn(Unit, u32) -> Relative;

fn counted(operator: &str) -> Option<(Counted, Unit)> {
    let forms: [(&str, Counted); 3] = [
        ("last-x-", Relative::LastX),
        ("next-x-", Relative::NextX),
        ("older-than-x-", Relative::OlderThanX),
    ];
    forms.into_iter().find_map(|(prefix, make)| {
        let unit = match operator.strip_prefix(prefix)? {
            "minutes" if prefix == "older-than-x-" => Unit::Minute,
            "hours" => Unit::Hour,
            "days" => Unit::Day,
            "weeks" => Unit::Week,
            "months" => Unit::Month,
            "years" => Unit::Year,
            _ => return None,
        };
        Some((make, unit))
    })
}

fn all(operator: &str, column: &Column, values: &[String]) -> Result<Vec<Value>, QueryError> {
    if values.is_empty() {
        return Err(wrong_number(operator));
    }
    values.iter().map(|text| typed(column, text)).collect()
}

fn pair(operator: &str, column: &Column, values: &[String]) -> Result<(Value, Value), QueryError> {
    match values {
        [low, high] => Ok((typed(column, low)?, typed(column, high)?)),
        _ => Err(wrong_number(operator)),
    }
}

fn single<'a>(operator: &str, values: &'a [String]) -> Result<&'a str, QueryError> {
    match values {
        [only] => Ok(only),
        _ => Err(wrong_number(operator)),
    }
}

fn none(operator: &str, values: &[String]) -> Result<(), QueryError> {
    // Editors of views write an empty value attribute for these.
    if values.iter().all(String::is_empty) { Ok(()) } else { Err(wrong_number(operator)) }
}

fn typed(column: &Column, text: &str) -> Result<Value, QueryError> {
    value::from_text(column, text).ok_or_else(|| {
        QueryError::coded(
            "0x80041108",
            format!(
                "The value of the condition on attribute '{}' is not of type {}.",
                column.name,
                value::edm(column)
            ),
        )
    })
}

fn wrong_number(operator: &str) -> QueryError {
    QueryError::argument(format!(
        "The condition operator '{operator}' has a wrong number of values."
    ))
}

fn invalid(operator: &str) -> QueryError {
    QueryError::argument(format!("The value of the condition operator '{operator}' is not valid."))
}

fn bad(operator: &str, column: &Column) -> QueryError {
    QueryError::coded(
        "0x80041106",
        format!(
            "The condition operator '{operator}' is not valid for the attribute '{}'.",
            column.name
        ),
    )
}
