//! Values as columns of a Dataverse row, and back. Which column means what is decided by the modules of the classes.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::{Lengths, Unreadable};
use crate::model::fields::CUT_MARK;
use crate::model::record::State;
use crate::model::{Table, Value};

/// A row or the columns to change, as the Web API has them.
pub type Columns = Map<String, Json>;

/// A text for a column, cut where the column is too short: the last code unit is then [`CUT_MARK`].
///
/// Lengths count UTF-16 code units, as the service does. Where a pair of them would be torn, a blank takes the place of its half.
pub fn text_column(lengths: &Lengths, table: Table, column: &str, text: &str) -> Json {
    let Some(most) = lengths.of(table, column) else { return Json::from(text) };
    if text.encode_utf16().count() <= most {
        return Json::from(text);
    }
    let Some(room) = most.checked_sub(CUT_MARK.len_utf16()) else { return Json::from("") };
    let mut cut = String::new();
    let mut used = 0;
    for c in text.chars() {
        if used + c.len_utf16() > room {
            break;
        }
        used += c.len_utf16();
        cut.push(c);
    }
    cut.extend(std::iter::repeat_n(' ', room - used));
    cut.push(CUT_MARK);
    Json::from(cut)
}

/// Puts a text into the columns to write, or `empty` where there is none. What is cut is there already and is left alone.
pub fn set_text(
    columns: &mut Columns,
    lengths: &Lengths,
    (table, column): (Table, &str),
    value: Option<&Value>,
    empty: Json,
) {
    let json = match value {
        Some(Value::Text(text)) => text_column(lengths, table, column, text),
        Some(_) => return,
        None => empty,
    };
    columns.insert(column.to_owned(), json);
}

/// What a text column says: [`Value::Cut`] where it is as long as can be and ends in [`CUT_MARK`].
///
/// # Errors
/// When the column is of another type: taken for empty it would empty the item.
pub fn read_text(
    lengths: &Lengths,
    table: Table,
    column: &str,
    row: &Columns,
) -> Result<Option<Value>, Unreadable> {
    let Some(text) = typed(column, row, Json::as_str)? else { return Ok(None) };
    let full = lengths.of(table, column) == Some(text.encode_utf16().count());
    Ok(match Value::text(text) {
        Some(Value::Text(text)) if full && text.ends_with(CUT_MARK) => Some(Value::Cut(text)),
        value => value,
    })
}

/// A moment for a `DateTime` column: UTC, whole seconds.
pub fn moment_column(moment: Timestamp) -> Json {
    Json::from(moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// What a `DateTime` column says, in whole seconds.
///
/// # Errors
/// As [`read_text`].
pub fn read_moment(column: &str, row: &Columns) -> Result<Option<Timestamp>, Unreadable> {
    typed(column, row, |json| {
        let moment: Timestamp = json.as_str()?.trim().parse().ok()?;
        Timestamp::from_second(moment.as_second()).ok()
    })
}

/// A whole number or option.
///
/// # Errors
/// As [`read_text`].
pub fn read_number(column: &str, row: &Columns) -> Result<Option<i64>, Unreadable> {
    typed(column, row, Json::as_i64)
}

/// Whether a flag is set; one that is not there is not.
///
/// # Errors
/// As [`read_text`].
pub fn read_flag(column: &str, row: &Columns) -> Result<bool, Unreadable> {
    Ok(typed(column, row, Json::as_bool)?.unwrap_or(false))
}

/// The state of an activity that is closed (completed or canceled). Closed rows refuse changes: whoever writes must reopen them
/// and close them again with this.
///
/// # Errors
/// As [`read_text`].
pub fn closed(row: &Columns) -> Result<Option<State>, Unreadable> {
    let code = |column| {
        read_number(column, row).map(|code| code.and_then(|code| i32::try_from(code).ok()))
    };
    Ok(match (code("statecode")?, code("statuscode")?) {
        (Some(statecode @ (1 | 2)), Some(statuscode)) => Some(State { statecode, statuscode }),
        _ => None,
    })
}

/// A column that is there and not null.
fn typed<'a, T>(
    column: &str,
    row: &'a Columns,
    read: impl FnOnce(&'a Json) -> Option<T>,
) -> Result<Option<T>, Unreadable> {
    match row.get(column) {
        None | Some(Json::Null) => Ok(None),
        Some(json) => read(json)
            .map(Some)
            .ok_or_else(|| Unreadable(format!("the column {column} is of another type"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(most: usize) -> Lengths {
        Lengths([((Table::Task, "subject".to_owned()), most)].into())
    }

    fn there_and_back(text: &str, most: usize) -> Option<Value> {
        let column = text_column(&lengths(most), Table::Task, "subject", text);
        assert!(column.as_str().unwrap().encode_utf16().count() <= most, "{text}");
        let row = [("subject".to_owned(), column)].into_iter().collect();
        read_text(&lengths(most), Table::Task, "subject", &row).unwrap()
    }

    #[test]
    fn long_texts_are_cut_with_a_mark_and_known_again() {
        for (text, most, expected) in [
            ("abc", 3, Value::Text("abc".to_owned())),
            ("abcd", 3, Value::Cut("ab…".to_owned())),
            ("ab…", 3, Value::Cut("ab…".to_owned())),
            ("ab…", 4, Value::Text("ab…".to_owned())),
            // The pair does not fit: its half becomes a blank.
            ("a😀cd", 3, Value::Cut("a …".to_owned())),
            ("😀😀", 4, Value::Text("😀😀".to_owned())),
            ("😀😀x", 4, Value::Cut("😀 …".to_owned())),
        ] {
            assert!(there_and_back(text, most) == Some(expected), "{text} in {most}");
        }
        assert_eq!(there_and_back("abc", 0), None);
    }

    #[test]
    fn cut_texts_agree_with_the_whole() {
        let cut = there_and_back("a😀cd", 3).unwrap();
        assert!(cut.agrees(&Value::Text("a😀cd".to_owned())));
    }

    #[test]
    fn moments_are_whole_seconds() {
        let row: Columns =
            [("at".to_owned(), Json::from("2026-01-02T10:00:00.5Z"))].into_iter().collect();
        let moment = read_moment("at", &row).unwrap().unwrap();
        assert_eq!(moment_column(moment), "2026-01-02T10:00:00Z");
        assert_eq!(read_moment("gone", &row), Ok(None));
        assert!(read_flag("at", &row).is_err() && read_number("at", &row).is_err());
    }
}
