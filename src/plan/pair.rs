//! What belongs together: by link, by derived name, by global id, and else by evidence that leaves no doubt.

use std::collections::{BTreeMap, BTreeSet};

use super::operation::Evidence;
use super::{Seen, World};
use crate::model::name;
use crate::model::{
    Class, Content, Field, Fields, ItemId, Link, RecordId, Side, Table, Uid, Value,
};

/// Everything in the world, sorted into pairs and what stands alone.
#[derive(Debug, Default)]
pub struct Pairs<'w> {
    pub linked: Vec<Linked<'w>>,
    pub twins: Vec<Twins<'w>>,
    pub alone: Vec<Alone<'w>>,
    /// Rows of a pair that stands in another table.
    pub remnants: Vec<Remnant<'w>>,
    /// Items whose record is linked with another item: copies, or twins that were paired by hand.
    pub taken: Vec<&'w ItemId>,
}

/// A link and where its halves are now: a file may have been renamed, a record made anew.
#[derive(Debug)]
pub struct Linked<'w> {
    pub link: &'w Link,
    pub item: &'w ItemId,
    pub record: &'w ItemId,
}

/// An item and a record without a link that are one thing.
#[derive(Debug)]
pub struct Twins<'w> {
    pub item: &'w ItemId,
    pub record: &'w ItemId,
    pub evidence: Evidence,
}

/// An item or record without a counterpart.
#[derive(Debug)]
pub struct Alone<'w> {
    pub side: Side,
    pub id: &'w ItemId,
    pub content: &'w Content,
    /// Something much alike is on the other side, but which one it is cannot be told.
    pub ambiguous: bool,
}

/// A row of an appointment that became a series, or the other way round: the pair has another row by now, in the table that
/// its item belongs to. Something came between making the one and deleting the other.
#[derive(Debug)]
pub struct Remnant<'w> {
    pub uid: &'w Uid,
    pub record: &'w ItemId,
}

type Free<'w> = BTreeMap<&'w ItemId, &'w Content>;

/// Sorts the world into pairs.
pub fn pair(world: &World) -> Pairs<'_> {
    let mut pairs = Pairs::default();
    let mut items = free(world, Side::Mailbox);
    let mut records = free(world, Side::Crm);
    follow_links(world, &mut items, &mut records, &mut pairs);
    by_table(world, &mut items, &mut records, &mut pairs);
    by_name(world, &mut items, &mut records, &mut pairs);
    by_uid(&mut items, &mut records, &mut pairs);
    remnants(world, &mut records, &mut pairs);
    let doubtful = by_evidence(world, &mut items, &mut records, &mut pairs);
    for (side, free) in [(Side::Mailbox, items), (Side::Crm, records)] {
        pairs.alone.extend(free.into_iter().map(|(id, content)| Alone {
            side,
            id,
            content,
            ambiguous: doubtful.contains(&(side, id)),
        }));
    }
    pairs
}

/// What is there, was read and has no link.
fn free(world: &World, side: Side) -> Free<'_> {
    let linked: BTreeSet<&ItemId> = world.links.iter().map(|link| link.half(side)).collect();
    let seen = match side {
        Side::Mailbox => &world.items,
        Side::Crm => &world.records,
    };
    seen.iter()
        .filter(|(id, _)| !linked.contains(id))
        .filter_map(|(id, seen)| match seen {
            Seen::Here { content: Some(content), .. } => Some((id, content.as_ref())),
            Seen::Here { content: None, .. } | Seen::Gone | Seen::Left | Seen::Unseen => None,
        })
        .collect()
}

/// A half that is gone under its old id but stands under another with the same global id has only moved. An item that somebody made
/// anew from the record, who knew nothing of the pair, is the pair's, too: it has the record's name.
fn follow_links<'w>(
    world: &'w World,
    items: &mut Free<'w>,
    records: &mut Free<'w>,
    pairs: &mut Pairs<'w>,
) {
    let mut items_by_uid = uids(items);
    let mut records_by_uid = uids(records);
    for link in &world.links {
        let moved =
            |side: Side, free: &mut Free<'w>, by_uid: &mut BTreeMap<&'w Uid, &'w ItemId>| {
                let old = link.half(side);
                if *world.seen(side, old) != Seen::Gone {
                    return old;
                }
                let named = match side {
                    Side::Mailbox => RecordId::parse(&link.record),
                    Side::Crm => None,
                };
                let named = named.map(|row| name::item_uid(world.organisation, row.guid));
                let new = by_uid.remove(&link.uid);
                let Some(new) = new.or_else(|| by_uid.remove(&named?)) else { return old };
                free.remove(new);
                new
            };
        let item = moved(Side::Mailbox, items, &mut items_by_uid);
        let record = moved(Side::Crm, records, &mut records_by_uid);
        pairs.linked.push(Linked { link, item, record });
    }
}

fn uids<'w>(free: &Free<'w>) -> BTreeMap<&'w Uid, &'w ItemId> {
    // Of several with one id the first keeps it; the others stand alone and are told apart by the observer.
    free.iter().rev().map(|(id, content)| (&content.uid, *id)).collect()
}

/// Of two rows that one appointment has, the one in the table that its item belongs to.
fn by_table<'w>(
    world: &'w World,
    items: &mut Free<'w>,
    records: &mut Free<'w>,
    pairs: &mut Pairs<'w>,
) {
    let rows = rows(world, records);
    let here: Vec<(&ItemId, &Content)> =
        items.iter().map(|(id, content)| (*id, *content)).collect();
    for (item, content) in here {
        let Some(rows) = rows.get(&content.uid) else { continue };
        let table = Table::of(world.class, &content.fields);
        let right = rows.iter().find(|(_, row)| row.table == table);
        let replaces = |right: &RecordId| {
            rows.iter().any(|(_, row)| is_conversion(world.organisation, *right, *row))
        };
        if let Some((record, _)) = right.filter(|(_, right)| replaces(right)) {
            take(items, records, item, record, Evidence::Uid, pairs);
        }
    }
}

/// The rows of appointments, by the global id they carry.
fn rows<'w>(world: &World, records: &Free<'w>) -> BTreeMap<&'w Uid, Vec<(&'w ItemId, RecordId)>> {
    let mut rows: BTreeMap<&Uid, Vec<(&ItemId, RecordId)>> = BTreeMap::new();
    if world.class == Class::Appointment {
        for (id, content) in records {
            rows.entry(&content.uid).or_default().extend(RecordId::parse(id).map(|row| (*id, row)));
        }
    }
    rows
}

/// Whether one of the rows was made to replace the other: the derived id is the proof.
fn is_conversion(organisation: uuid::Uuid, one: RecordId, other: RecordId) -> bool {
    let made = |new: RecordId, old: RecordId| {
        new.table != old.table
            && new.guid == name::converted_guid(organisation, new.table, old.guid)
    };
    made(one, other) || made(other, one)
}

/// Takes out the other row of every pair that has two. Nobody may make an item of it.
fn remnants<'w>(world: &'w World, records: &mut Free<'w>, pairs: &mut Pairs<'w>) {
    let rows = rows(world, records);
    let linked = pairs.linked.iter().map(|pair| (&pair.link.uid, pair.item, pair.record));
    let twins = pairs.twins.iter().filter_map(|pair| {
        let content = world.content(Side::Mailbox, pair.item)?;
        Some((&content.uid, pair.item, pair.record))
    });
    let mut found = Vec::new();
    for (uid, item, record) in linked.chain(twins) {
        let (Some(rows), Some(kept)) = (rows.get(uid), RecordId::parse(record)) else { continue };
        // Which of the two is the right one shows the item; where nothing changed, the pair is right.
        let right = match world.seen(Side::Mailbox, item) {
            Seen::Here { content: Some(content), .. } => {
                Some(Table::of(world.class, &content.fields))
            }
            Seen::Here { content: None, .. } => Some(kept.table),
            Seen::Gone | Seen::Left | Seen::Unseen => None,
        };
        for (id, row) in
            rows.iter().filter(|(_, row)| is_conversion(world.organisation, kept, *row))
        {
            records.remove(id);
            if right.is_some_and(|right| right != row.table) {
                found.push(Remnant { uid, record: id });
            }
        }
    }
    pairs.remnants = found;
}

/// One was made from the other: the derived name is the proof. An item whose record is another item's by now is left out:
/// it must not be paired by weaker evidence, and its creation would only meet that record.
fn by_name<'w>(
    world: &'w World,
    items: &mut Free<'w>,
    records: &mut Free<'w>,
    pairs: &mut Pairs<'w>,
) {
    let linked: BTreeSet<&ItemId> = world.links.iter().map(|link| &link.record).collect();
    let here: Vec<(&ItemId, &Content)> =
        items.iter().map(|(id, content)| (*id, *content)).collect();
    for (item, content) in here {
        for table in Table::ALL.into_iter().filter(|table| table.class() == world.class) {
            let guid = name::record_guid(world.organisation, table, &world.mailbox, &content.uid);
            let record = RecordId::new(table, guid).item_id();
            if let Some((record, _)) = records.get_key_value(&record) {
                take(items, records, item, record, Evidence::Name, pairs);
                break;
            }
            if linked.contains(&record) {
                items.remove(item);
                pairs.taken.push(item);
                break;
            }
        }
    }
}

/// Appointments name themselves: `globalobjectid` is the iCalendar UID.
fn by_uid<'w>(items: &mut Free<'w>, records: &mut Free<'w>, pairs: &mut Pairs<'w>) {
    let mut by_uid = uids(records);
    let here: Vec<(&ItemId, &Content)> =
        items.iter().map(|(id, content)| (*id, *content)).collect();
    for (item, content) in here {
        if let Some(record) = by_uid.remove(&content.uid) {
            take(items, records, item, record, Evidence::Uid, pairs);
        }
    }
}

/// Pairs what agrees in the evidence of the class, one to one; returns what has several candidates.
///
/// Certain only where everything was seen: the true counterpart may stand where we did not look. What was made from a record
/// goes by its name alone.
fn by_evidence<'w>(
    world: &World,
    items: &mut Free<'w>,
    records: &mut Free<'w>,
    pairs: &mut Pairs<'w>,
) -> BTreeSet<(Side, &'w ItemId)> {
    let class = world.class;
    let mut by_key: BTreeMap<String, (BTreeSet<&ItemId>, BTreeSet<&ItemId>)> = BTreeMap::new();
    for (id, content) in items.iter() {
        if name::born_in_crm(world.organisation, &content.uid).is_some() {
            continue;
        }
        for key in evidence(class, &content.fields) {
            by_key.entry(key).or_default().0.insert(id);
        }
    }
    for (id, content) in records.iter() {
        for key in evidence(class, &content.fields) {
            by_key.entry(key).or_default().1.insert(id);
        }
    }
    let mut records_of: BTreeMap<&ItemId, BTreeSet<&ItemId>> = BTreeMap::new();
    let mut items_of: BTreeMap<&ItemId, BTreeSet<&ItemId>> = BTreeMap::new();
    for (item, record) in by_key.values().flat_map(|(items, records)| {
        items.iter().flat_map(move |item| records.iter().map(move |record| (*item, *record)))
    }) {
        records_of.entry(item).or_default().insert(record);
        items_of.entry(record).or_default().insert(item);
    }
    let mut doubtful = BTreeSet::new();
    for (item, candidates) in &records_of {
        for record in candidates {
            let certain = world.partial.is_empty()
                && candidates.len() == 1
                && items_of.get(record).is_some_and(|items| items.len() == 1);
            if certain {
                take(items, records, item, record, kind_of_evidence(class), pairs);
            } else {
                doubtful.insert((Side::Mailbox, *item));
                doubtful.insert((Side::Crm, *record));
            }
        }
    }
    doubtful
}

fn take<'w>(
    items: &mut Free<'w>,
    records: &mut Free<'w>,
    item: &'w ItemId,
    record: &'w ItemId,
    evidence: Evidence,
    pairs: &mut Pairs<'w>,
) {
    items.remove(item);
    records.remove(record);
    pairs.twins.push(Twins { item, record, evidence });
}

fn kind_of_evidence(class: Class) -> Evidence {
    match class {
        Class::Contact => Evidence::AddressAndName,
        Class::Task | Class::Appointment | Class::Email => Evidence::SubjectAndTimes,
    }
}

/// What two things must share to be taken for one, each key being enough. Messages only go by their `Message-ID`.
fn evidence(class: Class, fields: &Fields) -> Vec<String> {
    let text = |name: &'static str| match fields.get(&Field::of(name)) {
        Some(Value::Text(text) | Value::Cut(text)) => {
            text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
        }
        _ => String::new(),
    };
    let moment = |name: &'static str| {
        fields.get(&Field::of(name)).map(ToString::to_string).unwrap_or_default()
    };
    match class {
        Class::Contact => {
            let name = [text("firstname"), text("middlename"), text("lastname")].join(" ");
            if name.trim().is_empty() {
                return Vec::new();
            }
            ["emailaddress1", "emailaddress2", "emailaddress3"]
                .into_iter()
                .map(text)
                .filter(|address| !address.is_empty())
                .map(|address| format!("{address}\n{name}"))
                .collect()
        }
        Class::Task | Class::Appointment => {
            let (start, end) = (moment("scheduledstart"), moment("scheduledend"));
            if text("subject").is_empty() || (start.is_empty() && end.is_empty()) {
                return Vec::new();
            }
            vec![format!("{}\n{start}\n{end}", text("subject"))]
        }
        Class::Email => Vec::new(),
    }
}
