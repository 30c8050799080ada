//! A contact as a row of `contact`
//! (<https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/contact>).

use jiff::civil::Date;
use serde_json::{Map, Value as Json};

use crate::mapping::{Change, Context, Unreadable, Unwritable};
use crate::model::fields::{CUT_MARK, FieldRule, field_rules};
use crate::model::link::Traits;
use crate::model::{Class, Content, Field, Fields, Record, RecordPatch, Table, Value, name};

use super::form;

/// The account or contact this one belongs to, as text: the formatted value of the lookup.
const PARENT: &str = "parentcustomerid";
const PARENT_NAME: &str = "_parentcustomerid_value@OData.Community.Display.V1.FormattedValue";

/// What a row says.
///
/// # Errors
/// [`Unreadable`] when a column is of another type than documented.
pub fn read_record(record: &Record, context: &Context) -> Result<Content, Unreadable> {
    let mut fields = Fields::new();
    for FieldRule { name, .. } in field_rules(Class::Contact) {
        let value = match text_of(&record.columns, name)? {
            None => None,
            Some(text) if form::is_date(name) => date_of(name, text)?,
            Some(text) => form::text(name, text).map(|value| {
                let limit = context.lengths.of(Table::Contact, name);
                let cut = limit == Some(units(text)) && text.ends_with(CUT_MARK);
                if cut { Value::Cut(value.to_string()) } else { value }
            }),
        };
        fields.extend(value.map(|value| (Field::of(name), value)));
    }
    Ok(Content {
        uid: name::item_uid(context.organisation, record.id.guid),
        fields: form::named(fields),
        traits: Traits::default(),
    })
}

/// The columns to write. The account is not among them: its name does not tell which account is meant. A new row always has
/// a last name, since the views of the CRM show nothing else.
///
/// # Errors
/// [`Unwritable`] for a field that has no column, or a value of another kind than the column's.
pub fn write_record(
    change: Change<'_>,
    old: Option<&Record>,
    context: &Context,
) -> Result<RecordPatch, Unwritable> {
    let mut columns = Map::new();
    for (field, value) in change.patch {
        let name = field.as_str();
        if field_rules(Class::Contact).iter().all(|rule| rule.name != name) {
            return Err(Unwritable(format!("a contact has no column {name}")));
        }
        if name != PARENT {
            columns.insert(name.to_owned(), json_of(name, value.as_ref(), context)?);
        }
    }
    if old.is_none() {
        let whole = form::patched(&Fields::new(), change.patch);
        if let Some(last) = whole.get(&Field::of("lastname")) {
            columns.insert("lastname".to_owned(), json_of("lastname", Some(last), context)?);
        }
        columns.retain(|_, value| !value.is_null());
    }
    Ok(RecordPatch { columns, ..RecordPatch::default() })
}

fn text_of<'a>(columns: &'a Map<String, Json>, name: &str) -> Result<Option<&'a str>, Unreadable> {
    let column = if name == PARENT { PARENT_NAME } else { name };
    match columns.get(column) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(Unreadable(format!("column {name} is not text"))),
    }
}

/// Date-only columns are `1980-02-03`; a time after that is left out.
fn date_of(name: &str, text: &str) -> Result<Option<Value>, Unreadable> {
    let day = text.split('T').next().unwrap_or_default();
    let date: Date = day.parse().map_err(|_| Unreadable(format!("column {name} is not a date")))?;
    Ok(form::date(date))
}

fn json_of(name: &str, value: Option<&Value>, context: &Context) -> Result<Json, Unwritable> {
    match value {
        None => Ok(Json::Null),
        Some(Value::Text(text) | Value::Cut(text)) if !form::is_date(name) => {
            let limit = context.lengths.of(Table::Contact, name);
            let text = form::text(name, text);
            Ok(text.map_or(Json::Null, |text| Json::String(limited(text.to_string(), limit))))
        }
        Some(Value::Date(date)) if form::is_date(name) => {
            Ok(form::date(*date).map_or(Json::Null, |_| Json::String(date.to_string())))
        }
        Some(_) => Err(Unwritable(format!("{name} has a value of another kind"))),
    }
}

/// Text as long as the column takes, its end marked where it was cut. The marks fill the column to its last unit, by which
/// the reader knows them.
fn limited(text: String, limit: Option<usize>) -> String {
    let Some(limit) = limit.filter(|limit| units(&text) > *limit) else { return text };
    let mut left = limit.saturating_sub(CUT_MARK.len_utf16());
    let mut cut: String = text
        .chars()
        .take_while(|c| {
            let fits = c.len_utf16() <= left;
            left = if fits { left - c.len_utf16() } else { 0 };
            fits
        })
        .collect();
    while units(&cut) < limit {
        cut.push(CUT_MARK);
    }
    cut
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}
