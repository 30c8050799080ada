//! Steps in the words of the person whose data it is. For the screen and the store, never for a log.

use crate::model::{Class, Field, Fields, ItemId, Side, Value};
use crate::plan::operation::Kind;
use crate::plan::{Action, Merge, Step, World};

/// One line: what happens where, to what, and why.
pub fn step(step: &Step, world: &World) -> String {
    let nothing = Fields::new();
    let title = title(step.class, fields(step, world).unwrap_or(&nothing));
    let done: Vec<String> = [Side::Crm, Side::Mailbox]
        .into_iter()
        .filter_map(|side| step.write_to(side).map(|kind| write(step, side, kind)))
        .collect();
    let done = if done.is_empty() { note(step) } else { done.join(", ") };
    format!("{} “{title}”: {done} ({})", step.class, step.reason)
}

fn write(step: &Step, side: Side, kind: Kind) -> String {
    let place = side.place();
    match (kind, &step.action) {
        (Kind::Create, _) => format!("create in {place}"),
        (Kind::Delete, _) => format!("delete in {place}"),
        (Kind::Update, Action::Merge(Merge { to_item, to_record, .. })) => {
            let change = if side == Side::Mailbox { to_item } else { to_record };
            let names: Vec<&str> =
                change.iter().flat_map(|change| change.patch.keys()).map(Field::as_str).collect();
            format!("update {} in {place}", names.join(", "))
        }
        (Kind::Update, Action::Delete { .. } | Action::Release { .. } | Action::Forget) => {
            format!("update in {place}")
        }
    }
}

fn note(step: &Step) -> String {
    match &step.action {
        Action::Release { gone: Side::Mailbox } => "keep the record".to_owned(),
        Action::Release { gone: Side::Crm } => "keep the item".to_owned(),
        Action::Forget => "forget it".to_owned(),
        Action::Merge(_) | Action::Delete { .. } => "note that both agree".to_owned(),
    }
}

/// What the thing says, from whichever half was read.
fn fields<'w>(step: &Step, world: &'w World) -> Option<&'w Fields> {
    let content = |side, id: Option<&ItemId>| id.and_then(|id| world.content(side, id));
    if let Some(content) = content(Side::Mailbox, step.item.as_ref())
        .or_else(|| content(Side::Crm, step.record.as_ref()))
    {
        return Some(&content.fields);
    }
    let link = step.link.and_then(|id| world.link(id));
    link.and_then(|link| link.bases.as_ref()).map(|bases| &bases.item)
}

/// What a person would call the thing.
pub fn title(class: Class, fields: &Fields) -> String {
    let text = |name: &'static str| {
        fields.get(&Field::of(name)).map(ToString::to_string).filter(|text| !text.is_empty())
    };
    let words: Vec<String> = match class {
        Class::Contact => {
            ["firstname", "middlename", "lastname"].into_iter().filter_map(text).collect()
        }
        Class::Task | Class::Appointment | Class::Email => text("subject").into_iter().collect(),
    };
    let title = words.join(" ");
    let title = if title.is_empty() {
        text("emailaddress1").unwrap_or_else(|| "untitled".to_owned())
    } else {
        title
    };
    let start = match (class, fields.get(&Field::of("scheduledstart"))) {
        (Class::Appointment, Some(Value::Moment(start))) => {
            format!(", {}", start.strftime("%Y-%m-%d %H:%MZ"))
        }
        _ => String::new(),
    };
    let short: String =
        title.chars().map(|c| if c.is_control() { ' ' } else { c }).take(60).collect();
    let mark = if title.chars().count() > 60 { "…" } else { "" };
    format!("{short}{mark}{start}")
}
