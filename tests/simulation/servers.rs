//! The mailbox, the organisation and the place where it is written down who syncs, as one user has them: four collections and
//! one set of rows in memory, with the habits of real servers. What programs did to them is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use liaison::clock::Clock;
use liaison::connector::header;
use liaison::connector::lease::{Entry, Lease, Tenure};
use liaison::connector::{Connector, Error, ErrorKind, Result, Write, Written};
use liaison::model::record::PartyRef;
use liaison::model::{
    Address, Body, Class, Document, ItemId, Listing, RecordId, Side, Uid, Version,
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::history::CLASSES;
use super::nature::{Nature, Versions, saved};
use crate::support::fake::{Ends, Fake, Shared, uid};
use crate::support::faults::{Course, Fault, Point, unreachable};
use crate::support::world::me;

/// See the module.
#[derive(Debug)]
pub struct Servers {
    pub nature: Nature,
    pub clock: Clock,
    pub mailboxes: BTreeMap<Class, Shared>,
    pub crm: Shared,
    pub effects: Mutex<Vec<Effect>>,
    /// How often which message was handed in, by its name.
    pub taken: Mutex<BTreeMap<Uid, usize>>,
    names: BTreeMap<Class, Mutex<Versions>>,
    marks: Mutex<BTreeMap<ItemId, BTreeSet<String>>>,
    lease: Mutex<Option<Entry>>,
}

/// What a program did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub site: usize,
    pub side: Side,
    pub class: Class,
    pub id: ItemId,
    pub kind: &'static str,
    /// Which thing of the history that is.
    pub thing: Option<u32>,
    pub at: Timestamp,
}

/// All that servers hold.
#[derive(Debug, Clone, Default)]
pub struct Content {
    mailboxes: BTreeMap<Class, Ends>,
    crm: Ends,
    lease: Option<Entry>,
    marks: BTreeMap<ItemId, BTreeSet<String>>,
}

impl Servers {
    pub fn new(nature: Nature, clock: Clock, mut content: Content) -> Self {
        // Of all who take part in meetings, the CRM knows the user only.
        let user = PartyRef { table: "systemuser".to_owned(), guid: Uuid::from_u128(7) };
        content.crm.crm.people.extend(me().into_iter().map(|me| (me, user.clone())));
        let mut mailboxes = content.mailboxes;
        let mut mailbox =
            |class| Arc::new(Mutex::new(mailboxes.remove(&class).unwrap_or_default()));
        Self {
            nature,
            clock,
            mailboxes: CLASSES.into_iter().map(|class| (class, mailbox(class))).collect(),
            crm: Arc::new(Mutex::new(content.crm)),
            effects: Mutex::default(),
            taken: Mutex::default(),
            names: CLASSES.into_iter().map(|class| (class, Mutex::default())).collect(),
            marks: Mutex::new(content.marks),
            lease: Mutex::new(content.lease),
        }
    }

    pub fn content(&self) -> Content {
        let all = self.mailboxes.iter();
        Content {
            mailboxes: all.map(|(class, ends)| (*class, ends.lock().unwrap().clone())).collect(),
            crm: self.crm.lock().unwrap().clone(),
            lease: self.lease.lock().unwrap().clone(),
            marks: self.marks.lock().unwrap().clone(),
        }
    }

    /// Where the things of a class stand on a side.
    pub fn places(&self, side: Side, class: Class) -> Vec<(Option<u32>, ItemId)> {
        match side {
            Side::Mailbox => {
                let ends = self.mailboxes[&class].lock().unwrap();
                let thing = |bytes: &[u8]| thing(class, &String::from_utf8_lossy(bytes));
                ends.mailbox.iter().map(|(id, bytes)| (thing(bytes), id.clone())).collect()
            }
            Side::Crm => {
                let ends = self.crm.lock().unwrap();
                let of_class = ends.crm.rows.iter().filter(|(id, _)| id.table.class() == class);
                let title = |row: &crate::support::fake::Row| {
                    let columns = &row.record.columns;
                    let title = columns.get("lastname").or_else(|| columns.get("subject"));
                    title.and_then(Json::as_str).and_then(|title| thing(class, title))
                };
                of_class.map(|(id, row)| (title(row), id.item_id())).collect()
            }
        }
    }

    /// Where a thing stands on a side.
    pub fn place(&self, side: Side, class: Class, thing: u32) -> Option<ItemId> {
        let mut places = self.places(side, class).into_iter();
        places.find_map(|(found, id)| (found == Some(thing)).then_some(id))
    }

    /// Whether a row was taken out of the sync filter.
    pub fn has_left(&self, id: &ItemId) -> bool {
        let row = RecordId::parse(id).unwrap();
        self.crm.lock().unwrap().crm.rows.get(&row).is_some_and(|row| row.left)
    }

    /// What plug-ins do when somebody saved a row.
    pub fn saved(&self, id: &ItemId) {
        saved(self.nature, &mut self.crm.lock().unwrap().crm.rows, id);
    }

    /// Time goes on.
    pub fn settle(&self) {
        self.names.values().for_each(|names| names.lock().unwrap().settle());
    }

    fn thing_at(&self, side: Side, class: Class, id: &ItemId) -> Option<u32> {
        self.places(side, class).into_iter().find(|(_, at)| at == id).and_then(|(thing, _)| thing)
    }
}

/// What a thing is called in its title, where no other words can be taken for it.
pub fn key(class: Class, thing: u32) -> String {
    format!("K{}{thing}z", letter(class))
}

fn letter(class: Class) -> char {
    match class {
        Class::Contact => 'c',
        Class::Task => 't',
        Class::Appointment => 'a',
        Class::Email => 'm',
    }
}

/// Which thing this text is about.
pub fn thing(class: Class, text: &str) -> Option<u32> {
    let start = format!("K{}", letter(class));
    text.match_indices(&start).find_map(|(place, found)| {
        let rest = &text[place + found.len()..];
        let end = rest.find('z')?;
        rest[..end].parse().ok()
    })
}

/// A side of the servers as one installation gets to it.
#[derive(Debug, Clone)]
pub struct Server {
    pub side: Side,
    /// Of a collection in the mailbox.
    pub class: Class,
    pub site: usize,
    pub all: Arc<Servers>,
}

impl Server {
    fn fake(&self) -> Fake {
        let ends = match self.side {
            Side::Mailbox => &self.all.mailboxes[&self.class],
            Side::Crm => &self.all.crm,
        };
        Fake { side: self.side, ends: Arc::clone(ends) }
    }

    fn names(&self) -> &Mutex<Versions> {
        &self.all.names[&self.class]
    }

    fn name(&self, id: &ItemId, real: &Version) -> Version {
        if self.side == Side::Crm {
            return real.clone();
        }
        let mut real = real.clone();
        // The version of a message is its keywords.
        if let Some(marks) = self.all.marks.lock().unwrap().get(id) {
            let marks: Vec<&str> = marks.iter().map(String::as_str).collect();
            real = Version::new(format!("{real}+{}", marks.join("+")));
        }
        let now = self.all.clock.now();
        self.names().lock().unwrap().name(self.all.nature, id, &real, now)
    }

    fn document(&self, mut document: Document) -> Document {
        document.version = self.name(&document.id, &document.version);
        if let Some(marks) = self.all.marks.lock().unwrap().get(&document.id) {
            document.marks.clone_from(marks);
        }
        document
    }

    fn mark(&self, id: &ItemId, mark: &str, set: bool) -> Result<Written> {
        let document = self.fake().ends.lock().unwrap().read(self.side, id)?;
        let mut marks = self.all.marks.lock().unwrap();
        let of = marks.entry(id.clone()).or_default();
        if set {
            of.insert(mark.to_owned())
        } else {
            of.remove(mark)
        };
        drop(marks);
        Ok(Written { id: id.clone(), document: Some(self.document(document)) })
    }

    fn one(&self, class: Class, mut write: Write) -> Result<Written> {
        if let Write::Mark { id, mark, set } = &write {
            return self.mark(id, mark, *set);
        }
        let (id, kind) = (write.id().clone(), kind(&write));
        if let (Side::Mailbox, Write::Update { version, .. } | Write::Delete { version, .. }) =
            (self.side, &mut write)
        {
            let real = self.names().lock().unwrap().real(&id, version);
            let plain = real.as_str().split('+').next().unwrap_or_default();
            *version = Version::new(plain);
        }
        if let (Side::Mailbox, Write::Create { id, body: Body::Bytes(bytes) }) = (self.side, &write)
            && self.has_name_of(id.collection(), bytes)
        {
            return Err(Error::new(ErrorKind::Exists, "another item has its name"));
        }
        let before = self.all.thing_at(self.side, class, &id);
        let done = self.fake().ends.lock().unwrap().write(self.side, write)?;
        self.habits(&id);
        let thing = before.or_else(|| self.all.thing_at(self.side, class, &id));
        let (site, side, at) = (self.site, self.side, self.all.clock.now());
        let effect = Effect { site, side, class, id: id.clone(), kind, thing, at };
        self.all.effects.lock().unwrap().push(effect);
        let document = match done.document {
            Some(_) => {
                let there = self.fake().ends.lock().unwrap().read(self.side, &id)?;
                Some(self.document(there))
            }
            None => None,
        };
        Ok(Written { id, document })
    }

    /// No two resources of a collection may have one `UID` (RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1). A message is not filed beside another
    /// one of its `Message-ID`, as with IMAP.
    fn has_name_of(&self, collection: &str, bytes: &[u8]) -> bool {
        let name = |bytes: &[u8]| uid(bytes).or_else(|| header::message_id(bytes));
        let ends = self.fake().ends;
        let ends = ends.lock().unwrap();
        let new = name(bytes);
        let here = ends
            .mailbox
            .iter()
            .filter(|(id, _)| self.class != Class::Email || id.collection() == collection);
        new.is_some() && here.into_iter().any(|(_, bytes)| name(bytes) == new)
    }

    /// What the server makes of what it was given.
    fn habits(&self, id: &ItemId) {
        match self.side {
            Side::Mailbox => {
                let ends = self.fake().ends;
                let mut ends = ends.lock().unwrap();
                if let Some(bytes) = ends.mailbox.remove(id) {
                    ends.mailbox.insert(id.clone(), self.all.nature.item(bytes));
                }
            }
            Side::Crm => self.all.saved(id),
        }
    }
}

fn kind(write: &Write) -> &'static str {
    match write {
        Write::Create { .. } => "create",
        Write::Update { .. } => "update",
        Write::Delete { .. } => "delete",
        Write::Mark { .. } => "mark",
    }
}

#[async_trait]
impl Connector for Server {
    async fn list(&self, class: Class) -> Result<Listing> {
        let mut listing = self.fake().list(class).await?;
        if self.side == Side::Mailbox {
            self.names().lock().unwrap().listed();
        }
        for (id, version) in &mut listing.entries {
            *version = self.name(id, version);
        }
        Ok(listing)
    }

    async fn read(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        let read = self.fake().read(class, ids).await?;
        Ok(read.into_iter().map(|(id, it)| (id, it.map(|it| self.document(it)))).collect())
    }

    async fn write(&self, class: Class, writes: Vec<Write>) -> Result<Vec<Result<Written>>> {
        Ok(writes.into_iter().map(|write| self.one(class, write)).collect())
    }

    async fn find(&self, class: Class, uids: &[Uid]) -> Result<BTreeMap<Uid, ItemId>> {
        if self.side == Side::Crm || self.class != Class::Email {
            return self.fake().find(class, uids).await;
        }
        let ends = self.fake().ends;
        let ends = ends.lock().unwrap();
        let named = |bytes: &[u8]| header::message_id(bytes);
        let all = ends.mailbox.iter();
        let all = all.filter_map(|(id, bytes)| Some((named(bytes)?, id.clone())));
        Ok(all.filter(|(uid, _)| uids.contains(uid)).collect())
    }

    async fn sent_place(&self, uid: &Uid) -> Result<Option<ItemId>> {
        Ok((self.class == Class::Email).then(|| ItemId::new(format!("Sent/{uid}"))))
    }

    fn address(&self, class: Class, uid: &Uid) -> ItemId {
        self.fake().address(class, uid)
    }

    async fn resolve(&self, addresses: &[Address]) -> Result<BTreeMap<Address, PartyRef>> {
        self.fake().resolve(addresses).await
    }

    async fn wait(&self, class: Class) -> Result<()> {
        self.fake().wait(class).await
    }
}

/// Where it is written down who syncs, as one installation gets to it.
pub struct Register {
    pub all: Arc<Servers>,
    pub course: Arc<dyn Course>,
}

#[async_trait]
impl Lease for Register {
    async fn look(&self) -> Result<Option<Entry>> {
        match self.course.reach(Point::LeaseLook).await? {
            Some(Fault::Unreachable) => Err(unreachable()),
            _ => Ok(self.all.lease.lock().unwrap().clone()),
        }
    }

    async fn put(&self, tenure: &Tenure, instead_of: Option<&Entry>) -> Result<Entry> {
        let fault = self.course.reach(Point::LeasePut).await?;
        match fault {
            Some(Fault::Unreachable) => return Err(unreachable()),
            Some(Fault::Stale) => return Err(Error::new(ErrorKind::Stale, "not now")),
            _ => {}
        }
        let entry = {
            let mut lease = self.all.lease.lock().unwrap();
            match (lease.as_ref(), instead_of) {
                (None, None) => {}
                (Some(there), Some(meant)) if there.version == meant.version => {}
                (Some(_), None) => return Err(Error::new(ErrorKind::Exists, "it is there")),
                _ => return Err(Error::new(ErrorKind::Stale, "it is another by now")),
            }
            let number = lease.as_ref().map_or(0, |it| it.version.as_str().parse().unwrap_or(0));
            let version = Version::new(format!("{}", number + 1));
            let entry = Entry { tenure: tenure.clone(), version };
            *lease = Some(entry.clone());
            entry
        };
        if fault == Some(Fault::Lost) { Err(unreachable()) } else { Ok(entry) }
    }
}

impl Servers {
    /// Whose turn it is to sync, by its state folder.
    pub fn holder(&self) -> Option<String> {
        let lease = self.lease.lock().unwrap();
        lease.as_ref().and_then(|entry| Some(entry.tenure.holder.as_ref()?.place.clone()))
    }
}
