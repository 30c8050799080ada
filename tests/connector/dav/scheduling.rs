//! A server that writes to attendees by itself, and that it does not because of us.

use liaison::clock::Clock;
use liaison::connector::dav::{Dav, Invitations, Options};
use liaison::connector::{Connector as _, Write, Written};
use liaison::model::{Class, Document, ItemId};

use super::ends::{bytes, text};
use crate::support::servers::account;
use crate::support::servers::cyrus::{self, Cyrus};

/// Two users of one server, and somebody outside.
struct Office {
    cyrus: Cyrus,
}

/// What went to people: messages in the inboxes of both users, and mails.
type Sent = (usize, usize, usize);

impl Office {
    fn open() -> Self {
        let options = cyrus::Options { users: &["anna", "bob"], ..cyrus::Options::default() };
        let office = Self { cyrus: Cyrus::start(options) };
        // Calendars and inboxes are made when they are first asked for; until then invitations go out as mail.
        assert_eq!(office.sent(), (0, 0, 0));
        office
    }

    fn connect(&self, user: &str, invitations: Invitations) -> Dav {
        let mut options = Options::new(self.cyrus.calendar(user, "Default"), [Class::Appointment]);
        options.account = Some(account(user));
        options.invitations = invitations;
        Dav::new(options, Clock::system()).unwrap()
    }

    fn sent(&self) -> Sent {
        let inbox = |user| {
            let inbox = self.cyrus.calendar(user, "Inbox");
            let outbox = self.cyrus.calendar(user, "Outbox");
            let dav = self.cyrus.dav_elsewhere(user);
            dav.list(&inbox).len() + dav.list(&outbox).len()
        };
        (inbox("anna"), inbox("bob"), self.cyrus.outgoing_mail().len())
    }

    /// Anna stores a meeting with another program.
    fn invite(&self, name: &str) {
        let url = format!("{}{name}.ics", self.cyrus.calendar("anna", "Default"));
        self.cyrus.dav_elsewhere("anna").put(
            &url,
            "text/calendar",
            meeting(name, "10", "").as_bytes(),
        );
    }
}

fn meeting(uid: &str, hour: &str, more: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y//EN\nBEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20260101T000000Z\n\
         DTSTART:20270101T{hour}0000Z\nDTEND:20270102T110000Z\nRRULE:FREQ=WEEKLY;COUNT=3\nSUMMARY:Meeting\n{more}\
         ORGANIZER;CN=Anna:mailto:anna@example.test\nATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@example.test\n\
         ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=\"Bob, the other: one\":mailto:bob@example.test\n\
         ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:customer@elsewhere.test\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    .replace('\n', "\r\n")
}

async fn write(dav: &Dav, write: Write) -> Written {
    dav.write(Class::Appointment, vec![write]).await.unwrap().remove(0).unwrap()
}

async fn read(dav: &Dav, id: &ItemId) -> Document {
    let mut read = dav.read(Class::Appointment, std::slice::from_ref(id)).await.unwrap();
    read.remove(id).unwrap().unwrap()
}

/// Creates, changes, cancels and removes a meeting.
async fn life(dav: &Dav, uid: &str) {
    let id = ItemId::new(format!("{uid}.ics"));
    let update = |document: Document, text| Write::Update {
        id: id.clone(),
        version: document.version,
        body: bytes(text),
    };
    let create = Write::Create { id: id.clone(), body: bytes(meeting(uid, "10", "")) };
    let made = write(dav, create).await.document.unwrap();
    let moved =
        write(dav, update(made, meeting(uid, "09", "SEQUENCE:1\n"))).await.document.unwrap();
    let without = meeting(uid, "08", "SEQUENCE:2\n")
        .replace("ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:customer@elsewhere.test\r\n", "");
    let fewer = write(dav, update(moved, without)).await.document.unwrap();
    let off = write(dav, update(fewer, meeting(uid, "08", "SEQUENCE:3\nSTATUS:CANCELLED\n"))).await;
    let version = off.document.unwrap().version;
    write(dav, Write::Delete { id: id.clone(), version }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_invitation_leaves_because_of_us() {
    let office = Office::open();
    let anna = office.connect("anna", Invitations::Never);
    for number in 0..5 {
        life(&anna, &format!("ours-{number}")).await;
    }
    assert_eq!(office.sent(), (0, 0, 0));

    // The same, where the user wants it so: else the silence would prove nothing.
    life(&office.connect("anna", Invitations::Allowed), "sent").await;
    let (_, bob, mails) = office.sent();
    assert!(bob > 0 && mails > 0, "{:?}", office.sent());
}

#[tokio::test(flavor = "multi_thread")]
async fn meetings_that_another_program_invited_to_are_changed_in_silence() {
    let office = Office::open();
    let anna = office.connect("anna", Invitations::Never);
    for name in ["changed", "removed"] {
        office.invite(name);
    }
    office.cyrus.await_outgoing_mail(2);
    let before = office.sent();
    assert!(before.1 > 0, "{before:?}");

    let changed = read(&anna, &ItemId::new("changed.ics")).await;
    let body =
        text(&changed).replace("SUMMARY:Meeting", "SUMMARY:Later").replace("T100000Z", "T090000Z");
    let update =
        Write::Update { id: changed.id.clone(), version: changed.version, body: bytes(body) };
    let written = text(&write(&anna, update).await.document.unwrap());
    assert!(written.contains("SUMMARY:Later") && !written.contains("SCHEDULE-AGENT"), "{written}");
    let removed = read(&anna, &ItemId::new("removed.ics")).await;
    write(&anna, Write::Delete { id: removed.id, version: removed.version }).await;
    assert_eq!(office.sent(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_neither_answered_nor_declined() {
    let office = Office::open();
    office.invite("asked");
    office.cyrus.await_outgoing_mail(1);
    let before = office.sent();
    let bob = office.connect("bob", Invitations::Never);
    let listed = bob.list(Class::Appointment).await.unwrap();
    let (id, _) = listed.entries.first_key_value().unwrap();
    let asked = read(&bob, id).await;
    let answer = text(&asked).replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED");
    let update = Write::Update {
        id: id.clone(),
        version: asked.version.clone(),
        body: bytes(answer.clone()),
    };
    let answered = write(&bob, update).await.document.unwrap();
    assert_ne!(answered.version, asked.version);
    write(&bob, Write::Delete { id: id.clone(), version: answered.version }).await;
    assert_eq!(office.sent(), before);

    // The same, where the user wants it so.
    office.invite("asked-again");
    office.cyrus.await_outgoing_mail(2);
    let before = office.sent();
    let bob = office.connect("bob", Invitations::Allowed);
    let listed = bob.list(Class::Appointment).await.unwrap();
    let (id, version) = listed.entries.first_key_value().unwrap();
    write(&bob, Write::Delete { id: id.clone(), version: version.clone() }).await;
    assert!(office.sent().0 > before.0, "{before:?} {:?}", office.sent());
}
