//! What people do to things on either side, and what they see of them: with the readers and writers that the product has.

use std::collections::BTreeSet;

use liaison::mapping::{self, Change, Context};
use liaison::model::{
    Body, Class, Document, Field, Fields, ItemId, Patch, Record, RecordId, Side, Table, Uid,
    Version, all_of,
};
use uuid::Uuid;

use super::cell;
use super::fake::Shared;
use super::world::{ME, ORGANISATION};

/// Someone at work on the things of a class.
#[derive(Debug, Clone)]
pub struct Hand {
    pub class: Class,
    pub mailbox: Shared,
    pub crm: Shared,
    pub context: Context,
}

impl Hand {
    /// What stands at `id`, if it can be read; `None` where nothing is.
    pub fn fields(&self, side: Side, id: &ItemId) -> Option<Result<Fields, String>> {
        let content = match side {
            Side::Mailbox => {
                let bytes = self.mailbox.lock().unwrap().mailbox.get(id)?.clone();
                mapping::read_item(self.class, &document(id, Body::Bytes(bytes)), &self.context)
            }
            Side::Crm => mapping::read_record(&self.record(id)?, &self.context),
        };
        Some(content.map(|content| content.fields).map_err(|error| error.to_string()))
    }

    fn record(&self, id: &ItemId) -> Option<Record> {
        let row = RecordId::parse(id)?;
        self.crm.lock().unwrap().crm.rows.get(&row).map(|row| row.record.clone())
    }

    /// Changes what stands at `id`, or makes the thing. Returns where it is.
    pub fn edit(&self, side: Side, key: &str, id: Option<&ItemId>, patch: &Patch) -> ItemId {
        let there = id.and_then(|id| self.fields(side, id)).and_then(Result::ok);
        let whole = match &there {
            Some(old) => cell::edited(old, patch),
            None => cell::fresh(self.class, patch),
        };
        let patch: Patch = match &there {
            Some(old) => cell::difference(old, &whole),
            None => all_of(&whole),
        };
        let uid = match whole.get(&Field::of("messageid")) {
            Some(name) => uid(&name.to_string()),
            None => uid(key),
        };
        let change = Change { uid: &uid, patch: &patch, whole: &whole };
        let id = id.filter(|_| there.is_some());
        match side {
            Side::Mailbox => self.edit_item(key, id, change),
            Side::Crm => self.edit_record(key, id, change),
        }
    }

    fn edit_item(&self, key: &str, id: Option<&ItemId>, change: Change<'_>) -> ItemId {
        let old = id.and_then(|id| self.mailbox.lock().unwrap().mailbox.get(id).cloned());
        let bytes = match self.class {
            Class::Email => message(change.uid, change.whole),
            class => mapping::write_item(class, change, old.as_deref(), &self.context).unwrap(),
        };
        let id = id.cloned().unwrap_or_else(|| self.new_item(key));
        self.mailbox.lock().unwrap().mailbox.insert(id.clone(), bytes);
        id
    }

    fn edit_record(&self, key: &str, id: Option<&ItemId>, change: Change<'_>) -> ItemId {
        let table = Table::of(self.class, change.whole);
        let id = id.cloned().unwrap_or_else(|| {
            RecordId::new(table, Uuid::new_v5(&ORGANISATION, key.as_bytes())).item_id()
        });
        let row = RecordId::parse(&id).unwrap();
        let old = self.record(&id);
        let mut patch = mapping::write_record(table, change, old.as_ref(), &self.context).unwrap();
        if old.is_none() && row.table == Table::Appointment {
            // The service names its own appointments otherwise.
            patch.columns.remove("globalobjectid");
        }
        self.crm.lock().unwrap().crm.put(row, patch).unwrap();
        id
    }

    fn new_item(&self, key: &str) -> ItemId {
        ItemId::new(match self.class {
            Class::Contact => format!("{key}.vcf"),
            Class::Task | Class::Appointment => format!("{key}.ics"),
            Class::Email => format!("INBOX/{key}"),
        })
    }
}

/// The global name of a thing of the story.
pub fn uid(key: &str) -> Uid {
    Uid::new(format!("{key}@example.org"))
}

fn document(id: &ItemId, body: Body) -> Document {
    Document { id: id.clone(), version: Version::new(""), body, marks: BTreeSet::new() }
}

/// A message; it has the name that the story gives it, else one made of its key.
fn message(uid: &Uid, fields: &Fields) -> Vec<u8> {
    let text = |name: &'static str| fields.get(&Field::of(name)).map(ToString::to_string);
    let mut lines = vec![
        format!("From: {}", text("from").unwrap_or_default()),
        format!("To: {ME}"),
        format!("Subject: {}", text("subject").unwrap_or_default()),
        format!("Message-ID: <{uid}>"),
        "Date: Tue, 01 Jun 2027 08:00:00 +0000".to_owned(),
        "MIME-Version: 1.0".to_owned(),
        "Content-Type: text/plain; charset=utf-8".to_owned(),
    ];
    lines.extend(text("inreplyto").map(|id| format!("In-Reply-To: <{id}@example.org>")));
    lines.extend([String::new(), "Good morning.".to_owned(), String::new()]);
    lines.join("\r\n").into_bytes()
}
