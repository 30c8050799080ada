//! One readable condition as `FetchXML`: `column operator value`. Knows which operators take how many values, not whether
//! a column is there.
//! <https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/reference/operators>

use super::Invalid;
use super::xml::Element;

/// Reads a condition. Values may stand in quotes; those of a list are divided by commas.
///
/// # Errors
/// [`Invalid`] when it cannot be read, with what is wrong.
pub(super) fn parse(text: &str) -> Result<Element, Invalid> {
    let text = text.trim();
    let (column, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if !is_column(column) {
        return Err(Invalid(format!(
            "`{text}` does not start with a column: write `column operator value`"
        )));
    }
    let rest = rest.trim();
    let (operator, values) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let condition = Element::new("condition").with("attribute", column).with("operator", operator);
    let values =
        split(values).ok_or_else(|| Invalid(format!("`{text}`: a quote is not closed")))?;
    let Some((_, takes)) = OPERATORS.iter().find(|(operators, _)| operators.contains(&operator))
    else {
        return Err(Invalid(format!(
            "`{text}`: unknown operator `{operator}`; often used: eq, ne, gt, ge, lt, le, in, not-in, like, null, \
             not-null, on-or-after, last-x-days, eq-userid"
        )));
    };
    let list = |values: Vec<String>| {
        values.into_iter().fold(condition.clone(), |condition, value| {
            condition.holding(Element { text: value, ..Element::new("value") })
        })
    };
    match (takes, values.as_slice()) {
        (Takes::Nothing, []) => Ok(condition),
        (Takes::One, [value]) => Ok(condition.with("value", value)),
        (Takes::Number, [value]) if value.parse::<u32>().is_ok_and(|number| number > 0) => {
            Ok(condition.with("value", value))
        }
        (Takes::Two, [_, _]) | (Takes::Several, [_, ..]) => Ok(list(values)),
        (takes, _) => Err(Invalid(format!("`{text}`: `{operator}` takes {}", takes.as_str()))),
    }
}

#[derive(Clone, Copy)]
enum Takes {
    Nothing,
    One,
    Number,
    Two,
    Several,
}

impl Takes {
    fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "no value",
            Self::One => "one value (in quotes if it has a comma)",
            Self::Number => "one whole number above 0",
            Self::Two => "two values, divided by a comma",
            Self::Several => "one or more values, divided by commas",
        }
    }
}

const OPERATORS: &[(&[&str], Takes)] = &[
    (
        &[
            "null",
            "not-null",
            "eq-userid",
            "ne-userid",
            "eq-userteams",
            "eq-useroruserteams",
            "eq-useroruserhierarchy",
            "eq-useroruserhierarchyandteams",
            "eq-businessid",
            "ne-businessid",
            "yesterday",
            "today",
            "tomorrow",
            "last-seven-days",
            "next-seven-days",
            "last-week",
            "this-week",
            "next-week",
            "last-month",
            "this-month",
            "next-month",
            "last-year",
            "this-year",
            "next-year",
        ],
        Takes::Nothing,
    ),
    (
        &[
            "eq",
            "ne",
            "neq",
            "gt",
            "ge",
            "lt",
            "le",
            "like",
            "not-like",
            "begins-with",
            "not-begin-with",
            "ends-with",
            "not-end-with",
            "on",
            "on-or-before",
            "on-or-after",
            "above",
            "eq-or-above",
            "under",
            "eq-or-under",
            "not-under",
        ],
        Takes::One,
    ),
    (
        &[
            "last-x-hours",
            "next-x-hours",
            "last-x-days",
            "next-x-days",
            "last-x-weeks",
            "next-x-weeks",
            "last-x-months",
            "next-x-months",
            "last-x-years",
            "next-x-years",
            "olderthan-x-minutes",
            "olderthan-x-hours",
            "olderthan-x-days",
            "olderthan-x-weeks",
            "olderthan-x-months",
            "olderthan-x-years",
        ],
        Takes::Number,
    ),
    (&["between", "not-between"], Takes::Two),
    (&["in", "not-in", "contain-values", "not-contain-values"], Takes::Several),
];

/// A logical name: lower case, as the metadata spells it.
fn is_column(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.len() <= 128
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// Values divided by commas, except inside of quotes; `None` when a quote is not closed.
fn split(text: &str) -> Option<Vec<String>> {
    let mut values = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let quote = rest.chars().next().filter(|first| matches!(first, '\'' | '"'));
        let (value, after) = match quote {
            Some(quote) => {
                let (value, after) = rest.strip_prefix(quote)?.split_once(quote)?;
                let after = after.trim_start();
                (value, if after.is_empty() { after } else { after.strip_prefix(',')? })
            }
            None => rest.split_once(',').map_or((rest, ""), |(value, after)| (value.trim(), after)),
        };
        values.push(value.to_owned());
        rest = after.trim();
    }
    Some(values)
}
