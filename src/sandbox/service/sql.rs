//! `?sql=`: the small part of SQL that the Web API takes, one table, turned into `OData` query
//! options.

use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::Table;

/// `SELECT [DISTINCT] [TOP n] columns FROM table [WHERE …] [ORDER BY …]` as options. Conditions are
/// comparisons joined by AND or OR.
pub(super) fn options(statement: &str, table: &Table) -> Result<Vec<(String, String)>, Refusal> {
    let words = words(statement)?;
    let mut rest = words.as_slice();
    keyword(&mut rest, "select")?;
    let mut options = Vec::new();
    if next_is(rest, "top") {
        let number = rest.get(1).and_then(|word| {
            word.trim_matches(|letter| letter == '(' || letter == ')').parse::<u32>().ok()
        });
        let number = number.ok_or_else(|| bad("TOP needs a number"))?;
        options.push(("$top".to_owned(), number.to_string()));
        rest = rest.get(2..).unwrap_or_default();
    }
    let columns = until(&mut rest, &["from"]).join(" ");
    let columns: Vec<String> = columns.split(',').map(|column| column.trim().to_owned()).collect();
    if columns.iter().any(|column| column == "*") {
        return Err(bad("SELECT * is not supported"));
    }
    options.push((
        "$select".to_owned(),
        columns.into_iter().map(|column| property(table, &column)).collect::<Vec<_>>().join(","),
    ));
    keyword(&mut rest, "from")?;
    let name = rest.first().ok_or_else(|| bad("FROM needs a table"))?;
    if !name.eq_ignore_ascii_case(table.logical) {
        return Err(bad(&format!(
            "the table '{name}' is not that of the entity set '{}'",
            table.set
        )));
    }
    rest = rest.get(1..).unwrap_or_default();
    if next_is(rest, "where") {
        rest = rest.get(1..).unwrap_or_default();
        let condition = until(&mut rest, &["order"]);
        options.push(("$filter".to_owned(), filter(table, &condition)));
    }
    if next_is(rest, "order") && rest.get(1).is_some_and(|word| word.eq_ignore_ascii_case("by")) {
        let order = rest.get(2..).unwrap_or_default().join(" ");
        let keys = order.split(',').map(|key| {
            key.split_whitespace()
                .map(|word| property(table, word))
                .collect::<Vec<_>>()
                .join(" ")
                .to_lowercase()
        });
        options.push(("$orderby".to_owned(), keys.collect::<Vec<_>>().join(",")));
        rest = &[];
    }
    if rest.is_empty() {
        Ok(options)
    } else {
        Err(bad(&format!("'{}' is not supported", rest.first().map_or("", String::as_str))))
    }
}

fn bad(reason: &str) -> Refusal {
    Refusal::argument(format!("Invalid SQL: {reason}."))
}

/// Lookups are spelled `_x_value` in `OData`.
fn property(table: &Table, name: &str) -> String {
    match table.column(&name.to_ascii_lowercase()) {
        Some(column) => crate::sandbox::query::value::property_name(column),
        None => name.to_owned(),
    }
}

fn filter(table: &Table, words: &[String]) -> String {
    let word = |word: &String| match word.to_ascii_lowercase().as_str() {
        "=" => "eq".to_owned(),
        "<>" | "!=" => "ne".to_owned(),
        ">" => "gt".to_owned(),
        ">=" => "ge".to_owned(),
        "<" => "lt".to_owned(),
        "<=" => "le".to_owned(),
        "is" => "eq".to_owned(),
        lower @ ("and" | "or" | "not" | "null") => lower.to_owned(),
        _ if word.starts_with('\'') => word.clone(),
        _ => property(table, word),
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ").replace("eq not null", "ne null")
}

/// Words, operators and quoted strings.
fn words(statement: &str) -> Result<Vec<String>, Refusal> {
    if statement.len() > 10_000 {
        return Err(bad("the statement is too long"));
    }
    let mut words = Vec::new();
    let mut word = String::new();
    let mut letters = statement.trim().trim_end_matches(';').chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => {
                word.push(letter);
                loop {
                    match letters.next() {
                        Some('\'') if letters.peek() == Some(&'\'') => {
                            letters.next();
                            word.push_str("''");
                        }
                        Some('\'') => break,
                        Some(inner) => word.push(inner),
                        None => return Err(bad("a string has no end")),
                    }
                }
                word.push('\'');
                words.push(std::mem::take(&mut word));
            }
            _ if letter.is_whitespace() || "=<>!".contains(letter) => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                if !letter.is_whitespace() {
                    let mut operator = letter.to_string();
                    operator.extend(letters.next_if(|next| "=>".contains(*next)));
                    words.push(operator);
                }
            }
            _ => word.push(letter),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

fn next_is(rest: &[String], word: &str) -> bool {
    rest.first().is_some_and(|first| first.eq_ignore_ascii_case(word))
}

fn keyword(rest: &mut &[String], word: &str) -> Result<(), Refusal> {
    match rest.split_first() {
        Some((first, after)) if first.eq_ignore_ascii_case(word) => {
            *rest = after;
            Ok(())
        }
        _ => Err(bad(&format!("{} is missing", word.to_uppercase()))),
    }
}

fn until(rest: &mut &[String], ends: &[&str]) -> Vec<String> {
    let length = rest
        .iter()
        .position(|word| ends.iter().any(|end| word.eq_ignore_ascii_case(end)))
        .unwrap_or(rest.len());
    let (before, after) = rest.split_at(length);
    *rest = after;
    before.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::schema;

    #[test]
    fn a_select_becomes_options() {
        let table = schema::table("contact").unwrap();
        let sql = "SELECT TOP 3 lastname, ownerid FROM contact WHERE lastname = 'O''Neil' AND statecode<>1 ORDER BY lastname DESC";
        let options = options(sql, table).unwrap();
        let text: Vec<String> =
            options.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            text,
            [
                "$top=3",
                "$select=lastname,_ownerid_value",
                "$filter=lastname eq 'O''Neil' and statecode ne 1",
                "$orderby=lastname desc"
            ]
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let table = schema::table("contact").unwrap();
        for sql in [
            "DELETE FROM contact",
            "SELECT * FROM contact",
            "SELECT a FROM account",
            "SELECT 'x",
            "SELECT a FROM contact GROUP BY a",
        ] {
            assert!(options(sql, table).is_err(), "{sql}");
        }
    }
}
