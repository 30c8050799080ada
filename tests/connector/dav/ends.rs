//! The servers behind one face, and items to put there.

use std::collections::BTreeMap;

use liaison::clock::Clock;
use liaison::connector::dav::{Dav, Options};
use liaison::connector::{Connector as _, Cursor, News, Part};
use liaison::model::{Body, Class, Document, ItemId, Version};

use crate::support::servers::cyrus::{self, Cyrus};
use crate::support::servers::radicale::Radicale;
use crate::support::servers::xandikos::Xandikos;
use crate::support::servers::{account, elsewhere};

/// A server with collections of anna.
pub(super) enum End {
    Radicale(Radicale),
    Xandikos(Xandikos),
    Cyrus(Cyrus),
}

impl End {
    /// One of each.
    pub(super) fn all() -> [Self; 3] {
        [
            Self::Radicale(Radicale::start()),
            Self::Xandikos(Xandikos::start()),
            Self::Cyrus(Cyrus::start(cyrus::Options::default())),
        ]
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Radicale(_) => "Radicale",
            Self::Xandikos(_) => "Xandikos",
            Self::Cyrus(_) => "Cyrus",
        }
    }

    /// Of the server.
    pub(super) fn root(&self) -> &str {
        match self {
            Self::Radicale(Radicale { url, .. })
            | Self::Xandikos(Xandikos { url, .. })
            | Self::Cyrus(Cyrus { url, .. }) => url,
        }
    }

    /// Of the collection for a class; events and tasks share one.
    pub(super) fn url(&self, class: Class) -> String {
        match (self, class) {
            (Self::Radicale(server), Class::Contact) => server.collection("anna", "contacts"),
            (Self::Radicale(server), _) => server.collection("anna", "calendar"),
            (Self::Xandikos(server), Class::Contact) => server.address_book(),
            (Self::Xandikos(server), _) => server.calendar(),
            (Self::Cyrus(server), Class::Contact) => server.address_book("anna", "Default"),
            (Self::Cyrus(server), _) => server.calendar("anna", "Default"),
        }
    }

    pub(super) fn options(&self, class: Class) -> Options {
        let classes = match class {
            Class::Contact => vec![Class::Contact],
            _ => vec![Class::Appointment, Class::Task],
        };
        let mut options = Options::new(self.url(class), classes);
        if !matches!(self, Self::Xandikos(_)) {
            options.account = Some(account("anna"));
        }
        options
    }

    pub(super) fn connect(&self, class: Class) -> Dav {
        Dav::new(self.options(class), Clock::system()).unwrap()
    }

    /// Another client.
    pub(super) fn elsewhere(&self) -> elsewhere::Dav {
        elsewhere::Dav::new("anna")
    }

    /// Another client stores items, each under its name.
    pub(super) fn put(&self, class: Class, items: &[(&str, String)]) {
        let base = self.url(class);
        let items: Vec<(String, &[u8])> =
            items.iter().map(|(name, text)| (format!("{base}{name}"), text.as_bytes())).collect();
        let items: Vec<(&str, &[u8])> =
            items.iter().map(|(url, text)| (url.as_str(), *text)).collect();
        self.elsewhere().put_all(content_type(class), &items);
    }
}

pub(super) fn content_type(class: Class) -> &'static str {
    if class == Class::Contact { "text/vcard" } else { "text/calendar" }
}

/// The name of a file. Xandikos takes a file for what its name ends with.
pub(super) fn file(class: Class) -> &'static str {
    if class == Class::Contact { "one.vcf" } else { "one.ics" }
}

/// An item of a class, with things in it that nobody here knows.
pub(super) fn item(class: Class, uid: &str, title: &str) -> String {
    let lines = match class {
        Class::Contact => format!(
            "BEGIN:VCARD\nVERSION:3.0\nUID:{uid}\nFN:{title}\nN:{title};;;;\nX-KEEP;X-P=q:this\nEND:VCARD\n"
        ),
        Class::Task | Class::Appointment | Class::Email => {
            let (name, times) = if class == Class::Task {
                ("VTODO", "DUE:20270101T100000Z")
            } else {
                ("VEVENT", "DTSTART:20270101T100000Z\nDTEND:20270101T110000Z")
            };
            format!(
                "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y//EN\nBEGIN:{name}\nUID:{uid}\nDTSTAMP:20260101T000000Z\n\
                 {times}\nSUMMARY:{title}\nX-KEEP;X-P=q:this\nEND:{name}\nEND:VCALENDAR\n"
            )
        }
    };
    lines.replace('\n', "\r\n")
}

pub(super) fn bytes(text: impl Into<String>) -> Body {
    Body::Bytes(text.into().into_bytes())
}

pub(super) fn text(document: &Document) -> String {
    let Body::Bytes(bytes) = &document.body else { panic!("no text") };
    let text = String::from_utf8(bytes.clone()).unwrap();
    text.replace("\r\n ", "")
}

/// Everything, from news that must be everything.
pub(super) fn whole(news: &News) -> &BTreeMap<ItemId, Version> {
    match &news.parts[""] {
        Part::Whole(entries) => entries,
        changes @ Part::Changes { .. } => panic!("{changes:?}"),
    }
}

/// What is new or changed, and what is gone.
pub(super) fn changes(news: &News) -> (Vec<&str>, Vec<&str>) {
    match news.parts.get("") {
        None => (Vec::new(), Vec::new()),
        Some(Part::Changes { changed, gone }) => (
            changed.keys().map(ItemId::as_str).collect(),
            gone.iter().map(ItemId::as_str).collect(),
        ),
        Some(whole) => panic!("{whole:?}"),
    }
}

pub(super) fn names(entries: &BTreeMap<ItemId, Version>) -> Vec<&str> {
    entries.keys().map(ItemId::as_str).collect()
}

pub(super) async fn everything(dav: &Dav, class: Class) -> News {
    dav.news(class, &Cursor::new()).await.unwrap()
}
