//! Values as columns of a Dataverse row, and back. Which column means what is decided by the modules of the classes.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value as Json};

use super::Lengths;
use crate::model::fields::CUT_MARK;
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
pub fn read_text(lengths: &Lengths, table: Table, column: &str, row: &Columns) -> Option<Value> {
    let text = row.get(column)?.as_str()?;
    let value = Value::text(text)?;
    let full = lengths.of(table, column) == Some(text.encode_utf16().count());
    match value {
        Value::Text(text) if full && text.ends_with(CUT_MARK) => Some(Value::Cut(text)),
        value => Some(value),
    }
}

/// A moment for a `DateTime` column: UTC, whole seconds.
pub fn moment_column(moment: Timestamp) -> Json {
    Json::from(moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// What a `DateTime` column says, in whole seconds.
pub fn read_moment(column: &str, row: &Columns) -> Option<Timestamp> {
    let moment: Timestamp = row.get(column)?.as_str()?.trim().parse().ok()?;
    Timestamp::from_second(moment.as_second()).ok()
}

/// A day for a column with the behaviour *date only*.
pub fn date_column(date: Date) -> Json {
    Json::from(date.to_string())
}

/// What a column with the behaviour *date only* says.
pub fn read_date(column: &str, row: &Columns) -> Option<Date> {
    row.get(column)?.as_str()?.get(..10)?.parse().ok()
}

/// A whole number or option.
pub fn read_number(column: &str, row: &Columns) -> Option<i64> {
    row.get(column)?.as_i64()
}

/// Whether a flag is set; one that is not there is not.
pub fn read_flag(column: &str, row: &Columns) -> bool {
    row.get(column).and_then(Json::as_bool).unwrap_or(false)
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
        read_text(&lengths(most), Table::Task, "subject", &[("subject".to_owned(), column)].into_iter().collect())
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
        let moment = read_moment("at", &row).unwrap();
        assert_eq!(moment_column(moment), "2026-01-02T10:00:00Z");
        assert_eq!(read_moment("gone", &row), None);
    }
}
