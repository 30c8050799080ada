//! One end that is checked: how to reach it, who else works on it, and what items of its class look like.

use std::collections::BTreeMap;
use std::sync::Arc;

use liaison::connector::{Connector, Error, Result, Write, Written};
use liaison::model::{Body, Class, Document, ItemId, Uid, Version};

/// An end and how to reach it.
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) class: Class,
    /// A connector that knows nothing yet.
    pub(super) connect: Box<dyn Fn() -> Arc<dyn Connector> + Send + Sync>,
    /// One with a wrong password; `None` where there are none.
    pub(super) stranger: Option<Box<dyn Fn() -> Arc<dyn Connector> + Send + Sync>>,
    /// Takes the end out of service (`false`) and back (`true`).
    pub(super) serve: Box<dyn Fn(bool) + Send + Sync>,
    pub(super) elsewhere: Box<dyn Elsewhere>,
    /// Whether there is a wire, and requests on it.
    pub(super) wire: bool,
    /// Whether another program can put there what is none of its items.
    pub(super) takes_anything: bool,
    /// How many items are many for it: more than it takes at a time.
    pub(super) many: usize,
}

/// Somebody else who works on the same items, without any code of ours.
pub(super) trait Elsewhere: Send + Sync {
    /// Creates items, or puts another text in their place where the class allows that.
    fn put(&self, items: &[(&str, Vec<u8>)]);

    /// Creates one under a name of its own choice, as far as this end has names: of a file, of a resource, of a folder.
    /// `false` where there can be none of that name.
    fn put_as(&self, name: &str, uid: &str, body: &[u8]) -> bool;

    /// Deletes for good.
    fn delete(&self, uid: &str);

    /// Deletes everything for good.
    fn clear(&self);

    /// All items there are.
    fn bodies(&self) -> Vec<Vec<u8>>;

    /// Sets or clears a mark; only of messages.
    fn mark(&self, uid: &str, mark: &str, set: bool);

    /// The marks of a message.
    fn marks(&self, uid: &str) -> Vec<String>;
}

impl Subject {
    pub(super) fn connector(&self) -> Arc<dyn Connector> {
        (self.connect)()
    }

    /// Messages do not change.
    pub(super) fn changes(&self) -> bool {
        self.class != Class::Email
    }

    /// Everything, of which it is certain that it is everything.
    pub(super) async fn list(&self, connector: &dyn Connector) -> BTreeMap<ItemId, Version> {
        let listing = connector.list(self.class).await.unwrap();
        assert!(listing.is_complete(), "{:?}", listing.completeness);
        listing.entries
    }

    pub(super) async fn read(&self, connector: &dyn Connector, id: &ItemId) -> Result<Document> {
        let read = connector.read(self.class, std::slice::from_ref(id)).await;
        let mut read = read.unwrap_or_else(|error| panic!("{id:?}: {error:?}"));
        assert_eq!(read.len(), 1, "an answer for each id, and nothing else");
        read.remove(id).expect("an answer for the id that was asked for")
    }

    pub(super) async fn write(&self, connector: &dyn Connector, write: Write) -> Result<Written> {
        let mut written = connector.write(self.class, vec![write]).await.unwrap();
        assert_eq!(written.len(), 1, "an answer for each write");
        written.remove(0)
    }

    /// Creates an item.
    pub(super) async fn create(&self, connector: &dyn Connector, uid: &str, text: &str) -> Written {
        self.write(connector, self.creation(connector, uid, text)).await.unwrap()
    }

    pub(super) fn creation(&self, connector: &dyn Connector, uid: &str, text: &str) -> Write {
        let id = connector.address(self.class, &Uid::new(uid));
        Write::Create { id, body: Body::Bytes(self.item(uid, text)) }
    }

    /// The id of an item by its UID, as the connector finds it.
    pub(super) async fn find(&self, connector: &dyn Connector, uid: &str) -> Option<ItemId> {
        let uid = Uid::new(uid);
        connector.find(self.class, std::slice::from_ref(&uid)).await.unwrap().remove(&uid)
    }

    /// An item that says this text.
    pub(super) fn item(&self, uid: &str, text: &str) -> Vec<u8> {
        self.item_with(uid, text, "")
    }

    /// An item with further lines: properties or header fields.
    pub(super) fn item_with(&self, uid: &str, text: &str, more: &str) -> Vec<u8> {
        let calendar = |component: &str, times: &str| {
            format!(
                "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//Test//EN\r\nBEGIN:{component}\r\nUID:{uid}\r\n\
                 DTSTAMP:20260101T000000Z\r\n{times}SUMMARY:{text}\r\n{more}END:{component}\r\nEND:VCALENDAR\r\n"
            )
        };
        let item = match self.class {
            Class::Contact => format!(
                "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{text}\r\nN:{text};;;;\r\n{more}END:VCARD\r\n"
            ),
            Class::Appointment => {
                calendar("VEVENT", "DTSTART:20260105T100000Z\r\nDURATION:PT1H\r\n")
            }
            Class::Task => calendar("VTODO", "DUE:20260105T100000Z\r\n"),
            Class::Email => format!(
                "Message-ID: <{uid}>\r\nFrom: anna@example.test\r\nTo: bob@example.test\r\n\
                 Date: Mon, 5 Jan 2026 10:00:00 +0000\r\nSubject: about\r\nMIME-Version: 1.0\r\n\
                 Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n{more}\r\n{text}\r\n"
            ),
        };
        item.into_bytes()
    }
}

/// The text of an item without the breaks of long lines.
pub(super) fn unfolded(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "")
}

/// Whether an item has this UID or Message-ID.
pub(super) fn is(body: &[u8], uid: &str) -> bool {
    let names = [format!("UID:{uid}"), format!("Message-ID: <{uid}>")];
    unfolded(body).lines().any(|line| names.iter().any(|name| name == line))
}

/// What a document says, unfolded.
pub(super) fn text(document: &Document) -> String {
    unfolded(bytes(document))
}

pub(super) fn bytes(document: &Document) -> &[u8] {
    match &document.body {
        Body::Bytes(bytes) => bytes,
        other => panic!("a mailbox has no {other:?}"),
    }
}

/// What a write that must fail failed with.
pub(super) fn failure(written: Result<Written>) -> Error {
    written.expect_err("must fail")
}
