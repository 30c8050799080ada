//! Fifty meetings with other people on a server that invites by itself: made, changed, called off and removed on both sides,
//! and nobody hears of it. The same with the guard switched off shows that the server would have written to everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use liaison::clock::Clock;
use liaison::connector::dav::{Dav, Invitations, Options};
use liaison::model::{Class, Side};
use serde_json::{Value as Json, json};

use super::office::unfolded;
use crate::support::servers::account;
use crate::support::servers::cyrus::{self, Cyrus};
use crate::sync::world::World;

/// Anna invites, and is invited by them. Bo and Carla are served by the same server, the customer is not.
const COLLEAGUES: [&str; 2] = ["bo", "carla"];
const CUSTOMER: &str = "customer@elsewhere.example";

/// What reached people.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sent {
    /// Messages between calendars: in the scheduling inboxes and outboxes of all users.
    scheduling: usize,
    /// Meetings that the server put into the colleagues' calendars.
    delivered: usize,
    /// In the mailboxes of all users.
    mail: usize,
    /// Handed to the mail server, for whomever.
    outgoing: usize,
}

/// What is done with meeting number so and so, on the side that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Moved(Side),
    Uninvited(Side),
    CalledOff(Side),
    Removed(Side),
    Left,
}

impl Fate {
    fn of(number: usize) -> Self {
        match number % 9 {
            0 => Self::Moved(Side::Crm),
            1 => Self::Moved(Side::Mailbox),
            2 => Self::Uninvited(Side::Crm),
            3 => Self::Uninvited(Side::Mailbox),
            4 => Self::CalledOff(Side::Crm),
            5 => Self::CalledOff(Side::Mailbox),
            6 => Self::Removed(Side::Crm),
            7 => Self::Removed(Side::Mailbox),
            _ => Self::Left,
        }
    }
}

/// Where a meeting comes from, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Crm,
    CrmSeries,
    Mailbox,
    MailboxSeries,
    /// Stored in Anna's calendar by somebody else's invitation.
    Invitation,
}

impl Origin {
    fn of(number: usize) -> Self {
        match number / 9 % 5 {
            0 => Self::Crm,
            1 => Self::Mailbox,
            2 => Self::CrmSeries,
            3 => Self::MailboxSeries,
            _ => Self::Invitation,
        }
    }

    fn is_series(self) -> bool {
        matches!(self, Self::CrmSeries | Self::MailboxSeries)
    }
}

struct Meetings {
    world: World,
    cyrus: Cyrus,
    count: usize,
    anna: String,
}

impl Meetings {
    async fn plan(count: usize, invitations: Invitations) -> Self {
        let users = &["anna", "bo", "carla"];
        let cyrus = Cyrus::start(cyrus::Options {
            users,
            domain: "example.org",
            ..cyrus::Options::default()
        });
        let mut world = World::new().await;
        let mut options = Options::new(cyrus.calendar("anna", "Default"), [Class::Appointment]);
        options.account = Some(account("anna"));
        options.invitations = invitations;
        let calendar = Dav::new(options, Clock::system()).unwrap();
        world.engine.mailbox.insert(Class::Appointment, Arc::new(calendar));
        let anna = world.get("anna", "WhoAmI").await["UserId"].as_str().unwrap().to_owned();
        let meetings = Self { world, cyrus, count, anna };
        // Whoever was never there has no inbox that could be written to.
        assert_eq!(meetings.sent(), Sent::default());
        meetings
    }

    fn numbers(&self) -> impl Iterator<Item = (usize, Origin, Fate)> + use<> {
        (0..self.count).map(|number| (number, Origin::of(number), Fate::of(number)))
    }

    /// All of them, on the side where they come from. What is stored without a message is stored while the server does not
    /// invite, as by a program that writes the invitations itself.
    async fn make(&mut self) {
        self.cyrus.invites(false);
        let calendar = self.cyrus.calendar("anna", "Default");
        for (number, origin, _) in self.numbers() {
            match origin {
                Origin::Crm | Origin::CrmSeries => self.make_record(number, origin).await,
                _ => self.cyrus.dav_elsewhere("anna").put(
                    &format!("{calendar}meeting-{number}.ics"),
                    "text/calendar",
                    item(number, origin).as_bytes(),
                ),
            }
        }
        self.cyrus.invites(true);
    }

    async fn make_record(&self, number: usize, origin: Origin) {
        let mut parties = vec![self.organiser()];
        for name in COLLEAGUES {
            let id = self.world.get(name, "WhoAmI").await["UserId"].as_str().unwrap().to_owned();
            parties.push(user(&id, REQUIRED));
        }
        parties.push(json!({ "addressused": CUSTOMER, "participationtypemask": OPTIONAL }));
        let (set, columns) = if origin.is_series() {
            let start = first_day(number);
            let columns = json!({
                "subject": subject(number), "recurrencepatterntype": 0, "interval": 1, "patternendtype": 2, "occurrences": 4,
                "patternstartdate": format!("{start}T00:00:00Z"), "starttime": format!("{start}T09:00:00Z"), "endtime": format!("{start}T10:00:00Z"),
                "recurringappointmentmaster_activity_parties": parties,
            });
            ("recurringappointmentmasters", columns)
        } else {
            let (start, end) = times(number);
            let columns = json!({
                "subject": subject(number), "scheduledstart": start, "scheduledend": end,
                "appointment_activity_parties": parties,
            });
            ("appointments", columns)
        };
        self.world.send("anna", "POST", set, columns).await;
    }

    fn organiser(&self) -> Json {
        user(&self.anna, ORGANISER)
    }

    /// Everything has its fate in the CRM, and then on the server: what came of each.
    async fn change(&mut self) -> [BTreeMap<Side, [usize; 3]>; 2] {
        let records = self.records().await;
        for (number, origin, fate) in self.numbers() {
            self.change_record(number, origin, fate, &records[&subject(number)]).await;
        }
        let first = self.sync().await;
        self.cyrus.invites(false);
        let items = self.items();
        for (number, _, fate) in self.numbers() {
            if let Some((url, text)) = items.get(&subject(number)) {
                self.change_item(url, text, fate);
            }
        }
        self.cyrus.invites(true);
        [first, self.sync().await]
    }

    async fn change_record(&self, number: usize, origin: Origin, fate: Fate, row: &Json) {
        let set = if origin.is_series() { "recurringappointmentmasters" } else { "appointments" };
        let id = row["activityid"].as_str().unwrap();
        let path = format!("{set}({id})");
        let world = &self.world;
        match fate {
            Fate::Moved(Side::Crm) if origin.is_series() => {
                let moved = json!({
                    "Target": { "@odata.type": "Microsoft.Dynamics.CRM.appointment", "seriesid": id, "location": "Elsewhere" },
                    "OriginalStartDate": second_occurrence(number, origin), "IsDeleted": false,
                });
                let action = "appointments/Microsoft.Dynamics.CRM.CreateException";
                world.send("anna", "POST", action, moved).await;
                world.send("anna", "PATCH", &path, json!({ "location": "Room 9" })).await;
            }
            Fate::Moved(Side::Crm) => {
                let later = json!({ "scheduledstart": "2037-06-01T12:00:00Z", "scheduledend": "2037-06-01T13:00:00Z", "location": "Room 9" });
                world.send("anna", "PATCH", &path, later).await;
            }
            Fate::Uninvited(Side::Crm) => {
                let parties = format!("{path}/{}_activity_parties", set.trim_end_matches('s'));
                world.send("anna", "PUT", &parties, json!({ "value": [self.organiser()] })).await;
                world.send("anna", "PATCH", &path, json!({ "location": "Room 9" })).await;
            }
            Fate::CalledOff(Side::Crm) => {
                world
                    .send("anna", "PATCH", &path, json!({ "statecode": 2, "statuscode": 4 }))
                    .await;
            }
            Fate::Removed(Side::Crm) => world.send("anna", "DELETE", &path, Json::Null).await,
            _ => {}
        }
    }

    fn change_item(&self, url: &str, text: &str, fate: Fate) {
        let dav = self.cyrus.dav_elsewhere("anna");
        let text = match fate {
            Fate::Moved(Side::Mailbox) => {
                text.replace("SUMMARY:", "DESCRIPTION:Bring a chair\r\nSUMMARY:")
            }
            Fate::Uninvited(Side::Mailbox) => {
                text.split_inclusive("\r\n").filter(|line| !line.contains(CUSTOMER)).collect()
            }
            Fate::CalledOff(Side::Mailbox) => {
                text.replace("SUMMARY:", "STATUS:CANCELLED\r\nSUMMARY:")
            }
            Fate::Removed(Side::Mailbox) => return dav.delete(url),
            _ => return,
        };
        dav.put(url, "text/calendar", text.as_bytes());
    }

    /// What is planned is approved and carried out, and nothing is left to do: how many were created, changed and removed
    /// on each side.
    async fn sync(&self) -> BTreeMap<Side, [usize; 3]> {
        let class = Class::Appointment;
        let first = self.world.sync(&[class]).await;
        self.world.approve_all();
        let second = self.world.sync(&[class]).await;
        let quiet = self.world.sync(&[class]).await;
        assert_eq!(quiet.operations(), 0, "{quiet:#?}");
        assert!(quiet.classes[&class].in_step(), "{second:#?}\n{quiet:#?}");
        let mut written = BTreeMap::from([(Side::Crm, [0; 3]), (Side::Mailbox, [0; 3])]);
        for report in [first, second] {
            let report = &report.classes[&class];
            let kinds = [&report.created, &report.updated, &report.deleted];
            for (kind, counts) in kinds.into_iter().enumerate() {
                for (side, count) in counts {
                    written.get_mut(side).unwrap()[kind] += count;
                }
            }
        }
        written
    }

    /// All of them in the CRM, by subject.
    async fn records(&self) -> BTreeMap<String, Json> {
        let mut records = BTreeMap::new();
        for set in ["appointments?$filter=instancetypecode eq 0", "recurringappointmentmasters"] {
            for row in self.world.rows(set).await {
                let subject = row["subject"].as_str().unwrap().to_owned();
                assert_eq!(records.insert(subject, row), None, "a meeting is there twice");
            }
        }
        records
    }

    /// All of them on the server, by subject: where, and the text.
    fn items(&self) -> BTreeMap<String, (String, String)> {
        let dav = self.cyrus.dav_elsewhere("anna");
        let paths = dav.list(&self.cyrus.calendar("anna", "Default"));
        let urls: Vec<String> =
            paths.iter().map(|path| format!("{}{path}", self.cyrus.url)).collect();
        let requests: Vec<_> =
            urls.iter().map(|url| ("GET", url.as_str(), [].as_slice(), b"".as_slice())).collect();
        let mut items = BTreeMap::new();
        for (url, answer) in urls.iter().zip(dav.requests(&requests)) {
            let text = unfolded(&String::from_utf8(answer.body).unwrap());
            let subject = text.split("\r\nSUMMARY:").nth(1).unwrap().split("\r\n").next().unwrap();
            let known = items.insert(subject.to_owned(), (url.clone(), text.clone()));
            assert_eq!(known, None, "a meeting is there twice");
        }
        items
    }

    fn sent(&self) -> Sent {
        let mut sent = Sent { outgoing: self.cyrus.outgoing_mail().len(), ..Sent::default() };
        for user in ["anna", "bo", "carla"] {
            let dav = self.cyrus.dav_elsewhere(user);
            for name in ["Inbox", "Outbox"] {
                sent.scheduling += dav.list(&self.cyrus.calendar(user, name)).len();
            }
            if user != "anna" {
                sent.delivered += dav.list(&self.cyrus.calendar(user, "Default")).len();
            }
            sent.mail += self.cyrus.elsewhere(user).list("INBOX").len();
        }
        sent
    }

    /// Another program of Anna's invites the customer, so that what the server had sent before has arrived too.
    fn invite_by_hand(&self) {
        let url = format!("{}by-hand.ics", self.cyrus.calendar("anna", "Default"));
        let text = item(1, Origin::Mailbox).replace("meeting-1", "by-hand");
        let text: String = text
            .split_inclusive("\r\n")
            .filter(|line| !line.contains("bo@example.org") && !line.contains("carla@example.org"))
            .collect();
        self.cyrus.dav_elsewhere("anna").put(&url, "text/calendar", text.as_bytes());
        self.cyrus.await_outgoing_mail(1);
    }
}

/// As what somebody takes part (`participationtypemask`).
const REQUIRED: u8 = 5;
const OPTIONAL: u8 = 6;
const ORGANISER: u8 = 7;

fn user(id: &str, role: u8) -> Json {
    json!({ "partyid_systemuser@odata.bind": format!("/systemusers({id})"), "participationtypemask": role })
}

fn subject(number: usize) -> String {
    format!("Meeting {number}.")
}

fn times(number: usize) -> (String, String) {
    let (day, hour) = (1 + number % 28, 8 + number / 28);
    (format!("2037-05-{day:02}T{hour:02}:00:00Z"), format!("2037-05-{day:02}T{hour:02}:30:00Z"))
}

/// When the second meeting of a series begins.
fn second_occurrence(number: usize, origin: Origin) -> String {
    let first = match origin {
        Origin::CrmSeries => format!("{}T09:00:00Z", first_day(number)),
        _ => times(number).0,
    };
    (first.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24)).to_string()
}

/// Of a series that comes from the CRM.
fn first_day(number: usize) -> String {
    format!("2037-03-{:02}", 2 + number % 20)
}

/// A meeting as another program writes it: nothing in it keeps the server from inviting.
fn item(number: usize, origin: Origin) -> String {
    let (start, end) = times(number);
    let (start, end) = (start.replace(['-', ':'], ""), end.replace(['-', ':'], ""));
    let organiser = if origin == Origin::Invitation { "bo" } else { "anna" };
    let people: BTreeSet<&str> = ["anna", "bo", "carla"].into();
    let attendees: String = people
        .into_iter()
        .map(|name| {
            let answer = if name == organiser { "ACCEPTED" } else { "NEEDS-ACTION;RSVP=TRUE" };
            format!("ATTENDEE;PARTSTAT={answer}:mailto:{name}@example.org\r\n")
        })
        .chain([format!("ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{CUSTOMER}\r\n")])
        .collect();
    let event = |more: &str, start: &str, end: &str| {
        format!(
            "BEGIN:VEVENT\r\nUID:meeting-{number}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:{start}\r\nDTEND:{end}\r\n\
             SUMMARY:Meeting {number}.\r\n{more}ORGANIZER:mailto:{organiser}@example.org\r\n{attendees}END:VEVENT\r\n"
        )
    };
    let events = if origin == Origin::MailboxSeries {
        let later = event(&format!("RECURRENCE-ID:{start}\r\nLOCATION:Cellar\r\n"), &start, &end);
        event("RRULE:FREQ=DAILY;COUNT=3\r\n", &start, &end) + &later
    } else {
        event("", &start, &end)
    };
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Somebody//Else//EN\r\n{events}END:VCALENDAR\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_of_fifty_meetings() {
    let mut meetings = Meetings::plan(50, Invitations::Never).await;
    meetings.make().await;
    let written = meetings.sync().await;
    assert_eq!(written[&Side::Crm][0] + written[&Side::Mailbox][0], 50, "{written:?}");
    let records: BTreeSet<String> = meetings.records().await.into_keys().collect();
    assert_eq!((records.len(), records), (50, meetings.items().into_keys().collect()));
    assert_eq!(meetings.sent(), Sent::default());

    for (written, side) in meetings.change().await.iter().zip([Side::Mailbox, Side::Crm]) {
        let [_, changed, removed] = written[&side];
        assert!(changed > 10 && removed > 3, "{written:?}");
    }
    assert_eq!(meetings.sent(), Sent::default());
    meetings.invite_by_hand();
    assert_eq!(meetings.sent(), Sent { outgoing: 1, ..Sent::default() });
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_would_hear_of_them_without_the_guard() {
    let mut meetings = Meetings::plan(18, Invitations::Allowed).await;
    meetings.make().await;
    meetings.sync().await;
    meetings.change().await;
    let sent = meetings.sent();
    assert!(sent.scheduling > 0 && sent.delivered > 0 && sent.outgoing > 0, "{sent:?}");
}
