//! `[sync.CLASS]`.

use std::collections::BTreeMap;

use super::{email, filing};
use crate::config::error::{Error, Result, did_you_mean};
use crate::config::section::Section;
use crate::config::settings::{Conflict, Deletes, Deletion, Filing, OnLeave, Sync, Tracking};
use crate::config::tree::{Node, Value};
use crate::filter::fetch::{self, Filter};
use crate::filter::track;
use crate::filter::track::Track;
use crate::model::fields::{Direction, FieldRule, field_rules};
use crate::model::{Class, Table};

pub(super) fn read(class: Class, mut section: Section<'_>) -> Result<Sync> {
    let sync = Sync {
        direction: section.word("direction", DIRECTIONS)?,
        track: tracking(class, &mut section)?,
        conflict: section.word(
            "conflict",
            &[("crm", Conflict::Crm), ("mailbox", Conflict::Mailbox), ("ask", Conflict::Ask)],
        )?,
        on_leave: section
            .word("on_leave", &[("keep", OnLeave::Keep), ("remove", OnLeave::Remove)])?,
        deletes: deletes(&mut section)?,
        fields: fields(class, &mut section)?,
        filters: if class == Class::Email { Vec::new() } else { filters(class, &mut section)? },
        organisation_filters: class != Class::Email
            && section.flag("organisation_filters")?.is_some_and(|(take_part, _)| take_part),
        filters_off: if class == Class::Email { Vec::new() } else { filters_off(&mut section)? },
        filing: if class == Class::Email { filing::read(&mut section)? } else { Filing::default() },
        send: class == Class::Email && section.flag("send")?.is_some_and(|(send, _)| send),
    };
    section.finish()?;
    Ok(sync)
}

fn filters_off(section: &mut Section<'_>) -> Result<Vec<String>> {
    let list = section.list("filters_off")?.iter();
    let name = |node: &Node| match &node.value {
        Value::Text(name) if !name.trim().is_empty() => Ok(name.trim().to_owned()),
        _ => {
            let error = section.reading.error(node.place, "`filters_off` has names in it");
            Err(error.hint("write it like this: filters_off = [\"Board\"]"))
        }
    };
    list.map(name).collect()
}

const DIRECTIONS: &[(&str, Direction)] = &[
    ("two-way", Direction::TwoWay),
    ("to-crm", Direction::ToCrm),
    ("to-mailbox", Direction::ToMailbox),
    ("off", Direction::None),
];

const FIELD_DIRECTIONS: &[(&str, Direction)] = &[
    ("both", Direction::TwoWay),
    ("to-crm", Direction::ToCrm),
    ("to-mailbox", Direction::ToMailbox),
    ("none", Direction::None),
];

fn tracking(class: Class, section: &mut Section<'_>) -> Result<Tracking> {
    if class == Class::Email {
        return Ok(Tracking::Email(Box::new(email::read(section)?)));
    }
    let include_private = section.word("private", &[("skip", false), ("include", true)])?;
    let words = [("manual", Track::Manual), ("category", Track::Category), ("all", Track::All)];
    let track = section.word("track", &words)?;
    let (category, place) = section.required("category")?;
    if category.trim().is_empty() {
        let error = section.reading.error(place, "`category` is empty");
        return Err(error.hint("to go without a category: track = \"manual\""));
    }
    let category = category.trim().to_owned();
    Ok(Tracking::Items(track::Policy { track, category, include_private }))
}

fn deletes(section: &mut Section<'_>) -> Result<Deletes> {
    let words =
        [("propagate", Deletion::Propagate), ("keep", Deletion::Keep), ("rule", Deletion::Rule)];
    let inner = section.section("deletes")?;
    let mut inner = inner.ok_or_else(|| section.missing("deletes"))?;
    let deletes =
        Deletes { mailbox: inner.word("mailbox", &words)?, crm: inner.word("crm", &words)? };
    inner.finish()?;
    Ok(deletes)
}

fn fields(class: Class, section: &mut Section<'_>) -> Result<BTreeMap<String, Direction>> {
    let Some(inner) = section.section("fields")? else { return Ok(BTreeMap::new()) };
    let mut found = BTreeMap::new();
    for (name, node) in inner.all() {
        let error = |message: String| section.reading.error(node.place, message);
        let rules = field_rules(class);
        let Some(rule) = rules.iter().find(|rule| rule.name == name) else {
            let free = rules.iter().filter(|rule| !rule.fixed).map(|rule| rule.name);
            return Err(error(format!("a {class} has no field `{name}`")).hint(unknown(name, free)));
        };
        let Value::Text(word) = &node.value else {
            return Err(error(format!("`{name}` is text, not {}", node.value.kind())));
        };
        let direction = section.one_of(name, word, node.place, FIELD_DIRECTIONS)?;
        if rule.fixed && direction != rule.direction {
            return Err(fixed(class, rule, error(format!("the direction of `{name}` is fixed"))));
        }
        if direction != rule.direction {
            found.insert(name.to_owned(), direction);
        }
    }
    Ok(found)
}

fn unknown<'a>(name: &str, free: impl Iterator<Item = &'a str> + Clone) -> String {
    if free.clone().next().is_none() {
        return "the fields of this class are all fixed".to_owned();
    }
    did_you_mean(name, free)
}

/// Why a direction cannot be changed.
fn fixed(class: Class, rule: &FieldRule, error: Error) -> Error {
    error.hint(match (class, rule.direction) {
        (Class::Email, _) => "a message is filed once and never changed on either side",
        (_, Direction::ToMailbox) => {
            "the CRM takes it from another record, which an item of the mailbox cannot change"
        }
        (_, Direction::TwoWay | Direction::ToCrm | Direction::None) => {
            "without it both sides would no longer mean the same thing"
        }
    })
}

fn filters(class: Class, section: &mut Section<'_>) -> Result<Vec<Filter>> {
    let mut found = Vec::new();
    for node in section.list("filters")? {
        match &node.value {
            Value::Text(word) if word == "default" => found.extend(fetch::defaults(class)),
            Value::Text(word) => {
                let error =
                    section.reading.error(node.place, format!("no filter is called `{word}`"));
                return Err(error.hint(
                    "\"default\", or { name = \"…\", where = [\"column operator value\"] }",
                ));
            }
            _ => found.push(filter(class, section, node)?),
        }
    }
    Ok(found)
}

fn filter<'a>(class: Class, section: &Section<'a>, node: &'a Node) -> Result<Filter> {
    let mut own = section.element("filters", node)?;
    let (name, _) = own.required("name")?;
    let table = table(class, &mut own)?;
    let refuse = |fetch::Invalid(reason)| {
        section.reading.error(node.place, format!("filter `{name}`: {reason}"))
    };
    let filter = if let Some((text, place)) = own.text("fetchxml")? {
        let filter = Filter::fetchxml(name, class, text).map_err(refuse)?;
        if table.is_some_and(|table| table != filter.table()) {
            let message = format!("filter `{name}`: `table` and `fetchxml` do not agree");
            return Err(section.reading.error(place, message));
        }
        filter
    } else {
        let mut conditions = Vec::new();
        for node in own.list("where")? {
            let Value::Text(condition) = &node.value else {
                let kind = node.value.kind();
                let message = format!("filter `{name}`: a condition is text, not {kind}");
                return Err(section.reading.error(node.place, message));
            };
            conditions.push(condition);
        }
        let table = table.ok_or_else(|| {
            let error = section.reading.error(node.place, format!("filter `{name}`: which table?"));
            let tables = tables(class).map(|table| format!("table = \"{}\"", table.logical_name()));
            error.hint(tables.collect::<Vec<_>>().join(" or "))
        })?;
        Filter::conditions(name, table, &conditions).map_err(refuse)?
    };
    own.finish()?;
    Ok(filter)
}

/// The table that is named, else the only one of the class.
fn table(class: Class, own: &mut Section<'_>) -> Result<Option<Table>> {
    let known: Vec<(&str, Table)> =
        tables(class).map(|table| (table.logical_name(), table)).collect();
    match (own.text("table")?, known.as_slice()) {
        (Some((word, place)), known) => own.one_of("table", word, place, known).map(Some),
        (None, [(_, only)]) => Ok(Some(*only)),
        (None, _) => Ok(None),
    }
}

fn tables(class: Class) -> impl Iterator<Item = Table> {
    Table::ALL.into_iter().filter(move |table| table.class() == class)
}
