//! From what a person calls a thing to the thing: a file name, an id, a `Message-ID` or `UID`, a record, or a part of its title.
//! Looks into what was last seen; asks nobody.

use std::collections::BTreeSet;

use super::exit::{Exit, Stop};
use super::output::short;
use crate::model::{Class, Content, Fields, ItemId, Link, RecordId, Side, Table, Uid};
use crate::store::observation::{self, Head};
use crate::store::{self, Connection, Store, journal, link};
use crate::sync::describe;

/// How many candidates are named where several fit.
const CANDIDATES: usize = 10;

/// One thing, as far as it is known on either side.
#[derive(Debug, Clone)]
pub struct Thing {
    pub class: Class,
    pub item: Option<ItemId>,
    pub record: Option<ItemId>,
    pub uid: Option<Uid>,
    /// What a person would call it.
    pub title: String,
    /// Without bases.
    pub link: Option<Link>,
}

impl Thing {
    /// Its id on one side.
    pub fn id(&self, side: Side) -> Option<&ItemId> {
        match side {
            Side::Mailbox => self.item.as_ref(),
            Side::Crm => self.record.as_ref(),
        }
    }

    /// A line to tell it from others.
    fn line(&self) -> String {
        let id = self.item.as_ref().or(self.record.as_ref()).map_or("", ItemId::as_str);
        format!("{}:{id}  “{}”", self.class, self.title)
    }
}

/// The one thing that goes by this name.
///
/// # Errors
/// When there is none, or more than one.
pub async fn one(store: &Store, name: &str) -> anyhow::Result<Thing> {
    let wanted = name.to_owned();
    let mut found = store.read(move |db| all(db, &wanted)).await?;
    let shown = short(name, 60);
    match (found.pop(), found.len()) {
        (Some(thing), 0) => Ok(thing),
        (None, _) => Err(Stop::new(
            Exit::Failed,
            format!("nothing that was seen so far is called “{shown}”"),
            "name a file, a UID, a Message-ID, a record or a part of the title; `liaison sync` or \
             `liaison plan` looks again",
        )
        .into()),
        (Some(last), others) => {
            let mut lines: Vec<String> = found.iter().chain([&last]).map(Thing::line).collect();
            lines.sort();
            let more = if lines.len() > CANDIDATES { "\n     …" } else { "" };
            lines.truncate(CANDIDATES);
            Err(Stop::new(
                Exit::Failed,
                format!("“{shown}” fits {} things", others + 1),
                format!("name one of them:\n     {}{more}", lines.join("\n     ")),
            )
            .into())
        }
    }
}

/// Everything that goes by this name: exact ids and names before parts of titles, what is there before what is gone. A class
/// and a colon before it (`task:broken.ics`) leave out the others.
///
/// # Errors
/// When the store is lost.
pub fn all(db: &Connection, name: &str) -> store::Result<Vec<Thing>> {
    let (classes, name) = match name.split_once(':').map(|(word, rest)| (Class::named(word), rest))
    {
        Some((Some(class), rest)) => (vec![class], rest.trim()),
        _ => (Class::ALL.to_vec(), name.trim()),
    };
    let mut known = Vec::new();
    for class in classes {
        known.extend(things(db, class)?);
    }
    let named = Named::new(name);
    let mut exact: Vec<Thing> = Vec::new();
    for thing in known.iter().filter(|thing| named.is(thing)) {
        exact.push(titled(db, thing.clone())?);
    }
    if !exact.is_empty() {
        return Ok(exact);
    }
    let gone = gone(db, name)?;
    if !gone.is_empty() {
        return Ok(gone);
    }
    let part = name.to_lowercase();
    let mut found = Vec::new();
    for thing in known {
        let thing = titled(db, thing)?;
        if !part.is_empty() && thing.title.to_lowercase().contains(&part) {
            found.push(thing);
        }
    }
    let whole: Vec<Thing> =
        found.iter().filter(|thing| thing.title.to_lowercase() == part).cloned().collect();
    Ok(if whole.len() == 1 { whole } else { found })
}

/// What a thing says now, on this side if it was read there.
///
/// # Errors
/// When the store is lost.
pub fn content(db: &Connection, thing: &Thing, side: Side) -> store::Result<Option<Content>> {
    let Some(id) = thing.id(side) else { return Ok(None) };
    Ok(observation::contents(db, side, thing.class, std::slice::from_ref(id))?.remove(id))
}

/// All of a class: the links, then what is on one side only.
fn things(db: &Connection, class: Class) -> store::Result<Vec<Thing>> {
    let links = link::all(db, class)?;
    let linked = |side| -> BTreeSet<ItemId> {
        let half = |link: &Link| match side {
            Side::Mailbox => link.item.clone(),
            Side::Crm => link.record.clone(),
        };
        links.iter().map(half).collect()
    };
    let (items, records) = (linked(Side::Mailbox), linked(Side::Crm));
    let mut found: Vec<Thing> = Vec::new();
    for (id, head) in observation::heads(db, Side::Mailbox, class)? {
        if !items.contains(&id) {
            found.push(alone(class, Side::Mailbox, id, &head));
        }
    }
    for (id, head) in observation::heads(db, Side::Crm, class)? {
        if !records.contains(&id) {
            found.push(alone(class, Side::Crm, id, &head));
        }
    }
    found.extend(links.into_iter().map(|link| Thing {
        class,
        item: Some(link.item.clone()),
        record: Some(link.record.clone()),
        uid: Some(link.uid.clone()),
        title: String::new(),
        link: Some(link),
    }));
    Ok(found)
}

fn alone(class: Class, side: Side, id: ItemId, head: &Head) -> Thing {
    let (item, record) = match side {
        Side::Mailbox => (Some(id), None),
        Side::Crm => (None, Some(id)),
    };
    Thing { class, item, record, uid: head.uid.clone(), title: String::new(), link: None }
}

/// What is on neither side any more, but was written about.
fn gone(db: &Connection, name: &str) -> store::Result<Vec<Thing>> {
    let mut found = Vec::new();
    for class in Class::ALL {
        let tables = Table::ALL.into_iter().filter(|table| table.class() == class);
        let guid = uuid::Uuid::parse_str(name);
        let records = tables
            .filter_map(|table| Some(RecordId::new(table, *guid.as_ref().ok()?).item_id()))
            .chain([ItemId::new(name)])
            .map(|id| (Side::Crm, id));
        for (side, id) in records.chain([(Side::Mailbox, ItemId::new(name))]) {
            let Some(entry) = journal::of(db, class, side, &id)?.pop() else { continue };
            let fields = entry.intent.before.or(entry.after).unwrap_or_default();
            found.push(Thing {
                class,
                item: entry.intent.item,
                record: entry.intent.record,
                uid: None,
                title: describe::title(class, &fields),
                link: None,
            });
        }
    }
    Ok(found)
}

/// The thing with its title: what the mailbox calls it, else the CRM, else what both last agreed on.
fn titled(db: &Connection, thing: Thing) -> store::Result<Thing> {
    let mut fields: Option<Fields> = None;
    for side in [Side::Mailbox, Side::Crm] {
        if fields.is_none() {
            fields = content(db, &thing, side)?.map(|content| content.fields);
        }
    }
    if let (None, Some(link)) = (&fields, &thing.link) {
        let bases = link::bases(db, &[link.id])?.remove(&link.id);
        fields = bases.map(|bases| bases.item);
    }
    let title = describe::title(thing.class, &fields.unwrap_or_default());
    Ok(Thing { title, ..thing })
}

/// A name in all the spellings that people have at hand.
struct Named<'a> {
    name: &'a str,
    /// The last part of a path, without the flags of a Maildir name.
    file: &'a str,
    /// A `Message-ID` without its brackets, in lower case.
    uid: String,
    guid: Option<uuid::Uuid>,
}

impl<'a> Named<'a> {
    fn new(name: &'a str) -> Self {
        let file = name.rsplit('/').next().unwrap_or(name);
        let bare = name.trim_start_matches('<').trim_end_matches('>');
        Self {
            name,
            file: file.split(":2,").next().unwrap_or(file),
            uid: bare.to_lowercase(),
            guid: uuid::Uuid::parse_str(bare).ok(),
        }
    }

    /// `FOLDER/UID` as a mail program knows it; the id has the folder's `UIDVALIDITY` before the UID.
    fn is_uid_of(&self, id: &ItemId) -> bool {
        let uid = id.as_str().rsplit('/').next().and_then(|rest| rest.split_once('.'));
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        uid.is_some_and(|(validity, uid)| {
            number(validity) && number(uid) && self.name == format!("{}/{uid}", id.collection())
        })
    }

    fn is(&self, thing: &Thing) -> bool {
        let item = thing.item.as_ref().is_some_and(|id| {
            id.as_str() == self.name
                || id.as_str().rsplit('/').next() == Some(self.file)
                || (thing.class == Class::Email && self.is_uid_of(id))
        });
        let uid = thing.uid.as_ref().is_some_and(|uid| {
            let uid = uid.as_str().trim_start_matches('<').trim_end_matches('>');
            uid.to_lowercase() == self.uid
        });
        let record = thing.record.as_ref().is_some_and(|id| {
            id.as_str() == self.name
                || (self.guid.is_some() && RecordId::parse(id).map(|id| id.guid) == self.guid)
        });
        !self.name.is_empty() && (item || uid || record)
    }
}
