//! The records of the organisation, as rows: who is a customer, what is to be done, who meets whom, which mails were filed. All ids are fixed, so that
//! a row is the same one on every run. It must not know how rows are sent.

use jiff::Zoned;
use jiff::civil::Date;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::api::{Row, User};
use super::calendar::days_from;
use super::people::{ANNA, Person, acquaintances, companies, strangers};
use super::{cards, id, mail, pick};
use crate::model::{Address, Table, Uid, name};

/// The contact who is only in the CRM and whom Anna calls under a new number later.
pub const CALLED: usize = 2;
/// The one who is deleted.
pub const LEFT: usize = 9;
/// Those who are promoted, besides one whose card was in the mailbox first.
pub const PROMOTED: [usize; 2] = [4, 12];
/// The task whose due date moves.
pub const POSTPONED: usize = 3;
/// How many of [`strangers`] are Anna's; a colleague looks after the others.
const ANNAS: usize = 30;
/// Anna's, but no longer active: outside of her filter.
const INACTIVE: usize = 29;
/// Has another telephone number here than on the card.
const OTHER_NUMBER: usize = 20;

/// The GUIDs of the users.
#[derive(Debug, Clone, Copy)]
pub struct Users {
    pub anna: Uuid,
    pub bo: Uuid,
    pub carla: Uuid,
}

impl Users {
    fn of(self, user: User) -> Uuid {
        match user {
            User::Anna => self.anna,
            User::Bo => self.bo,
            User::Carla => self.carla,
        }
    }
}

/// All rows in the order in which they can be made: each refers only to those before it.
pub fn rows(organisation: Uuid, users: Users, now: &Zoned) -> Vec<Row> {
    let today = now.date();
    let mut rows = accounts();
    rows.extend(contacts());
    rows.extend(tasks(today));
    rows.extend(appointments(users, today));
    rows.push(series(users, today));
    rows.extend(emails(organisation, users, now));
    rows.extend(leads());
    rows
}

/// The GUID of somebody whom only the CRM knows.
pub fn contact_id(number: usize) -> Uuid {
    id(&format!("contact record {number}"))
}

/// The GUID of a task.
pub fn task_id(number: usize) -> Uuid {
    id(&format!("task record {number}"))
}

/// The subject of a task.
pub fn task_subject(number: usize) -> String {
    format!("{} #{}", pick(&ERRANDS, number), number + 1)
}

/// The contact whom Anna's colleague makes for her after the first sync.
pub fn newcomer() -> Row {
    let columns = json!({
        "firstname": "Ottilie", "lastname": "Zaunkönig", "jobtitle": "Curator",
        "emailaddress1": "ottilie.zaunkoenig@museum.example.org", "telephone1": "+49 30 23125 900",
    });
    row(User::Anna, "contacts", "contactid", id("newcomer record"), columns)
}

/// `2026-01-02T10:00:00Z`, some days from a day.
pub fn moment(today: Date, days: i64, hour: i8) -> String {
    days_from(today, days).at(hour, 0, 0, 0).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn row(owner: User, set: &'static str, key: &'static str, id: Uuid, columns: Json) -> Row {
    let columns = match columns {
        Json::Object(columns) => columns,
        _ => Map::new(),
    };
    Row { owner, set, key, id, columns, state: None }
}

fn activity(
    owner: User,
    set: &'static str,
    id: Uuid,
    columns: Json,
    state: Option<(i32, i32)>,
) -> Row {
    Row { state, ..row(owner, set, "activityid", id, columns) }
}

fn account_id(host: &str) -> Uuid {
    id(&format!("account {host}"))
}

fn accounts() -> Vec<Row> {
    let one = |(number, company): (usize, super::people::Company)| {
        let columns = json!({
            "name": company.name, "emailaddress1": format!("info@{}", company.host), "websiteurl": format!("https://{}/", company.host),
            "address1_city": company.city, "address1_country": company.country, "accountnumber": format!("A-{:04}", number + 1),
        });
        let owner = if number < 12 { User::Anna } else { User::Bo };
        row(owner, "accounts", "accountid", account_id(company.host), columns)
    };
    companies().into_iter().enumerate().map(one).collect()
}

/// Those who have a card too, without a link; those whom only the CRM knows; those of colleagues.
fn contacts() -> Vec<Row> {
    let wanted = |person: &Person| {
        cards::IN_BOTH.contains(&person.number) || person.number == cards::DOUBLED
    };
    let both = acquaintances().into_iter().filter(wanted).map(|person| {
        let mut columns = json!({
            "firstname": person.given, "lastname": person.family, "emailaddress1": person.address,
            "parentcustomerid_account@odata.bind": format!("/accounts({})", account_id(person.host)),
        });
        if person.number == OTHER_NUMBER && let Some(columns) = columns.as_object_mut() {
            columns.insert("telephone1".into(), "+44 20 7946 0777".into());
        }
        row(User::Anna, "contacts", "contactid", id(&format!("known record {}", person.number)), columns)
    });
    let others = strangers().into_iter().map(|person| {
        let columns = json!({
            "firstname": person.given, "lastname": person.family, "emailaddress1": person.address, "jobtitle": person.title,
            "telephone1": person.work, "mobilephone": person.mobile, "address1_line1": person.street, "address1_city": person.city,
            "address1_postalcode": person.postcode, "address1_country": person.country,
            "description": format!("Prefers to be written to in {}.\r\nNever calls back.", person.language),
            "parentcustomerid_account@odata.bind": format!("/accounts({})", account_id(person.host)),
        });
        let owner = if person.number < ANNAS { User::Anna } else if person.number % 2 == 0 { User::Bo } else { User::Carla };
        let contact = row(owner, "contacts", "contactid", contact_id(person.number), columns);
        Row { state: (person.number == INACTIVE).then_some((1, 2)), ..contact }
    });
    both.chain(others).collect()
}

/// Ten open and three completed ones of Anna's, two of Bo's.
fn tasks(today: Date) -> Vec<Row> {
    let one = |number: usize| {
        let days = i64::try_from(number).unwrap_or_default() * 2 - 4;
        let mut columns = json!({
            "subject": task_subject(number), "scheduledend": moment(today, days, 16), "prioritycode": number % 3,
            "description": "As agreed on the telephone.\r\nSee the contract.",
        });
        if let Some(columns) = columns.as_object_mut()
            && number.is_multiple_of(2)
        {
            let bind = format!("/contacts({})", contact_id(number));
            columns.insert("regardingobjectid_contact_task@odata.bind".into(), bind.into());
        }
        let owner = if number < 13 { User::Anna } else { User::Bo };
        let state = match number {
            8 => Some((0, 3)),
            10..=12 => Some((1, 5)),
            _ => None,
        };
        activity(owner, "tasks", task_id(number), columns, state)
    };
    (0..15).map(one).collect()
}

/// Six that Anna organises, three where Bo asked her, two without her; one takes the whole day, one is cancelled.
fn appointments(users: Users, today: Date) -> Vec<Row> {
    let one = |number: usize| {
        let organiser = if number < 6 { User::Anna } else { User::Bo };
        let mut parties = vec![user_party(users, organiser, 7)];
        match number {
            0..=5 => parties.push(contact_party(number, 5)),
            6..=8 => parties.extend([
                user_party(users, User::Anna, if number == 8 { 6 } else { 5 }),
                contact_party(number, 5),
            ]),
            _ => parties.push(user_party(users, User::Carla, 5)),
        }
        let whole_day = number == 4;
        let days = i64::try_from(number).unwrap_or_default() * 3 - 5;
        let (start, end) = if whole_day {
            (moment(today, days, 0), moment(today, days + 1, 0))
        } else {
            (moment(today, days, 9), moment(today, days, 10))
        };
        let columns = json!({
            "subject": format!("{} {}", pick(&MEETINGS, number), number + 1), "location": pick(&["Room 3", "Videokonferenz", "東京オフィス"], number),
            "scheduledstart": start, "scheduledend": end, "isalldayevent": whole_day, "description": "Please bring the figures.",
            "appointment_activity_parties": parties,
        });
        let state = if number == 5 { (2, 4) } else { (3, 5) };
        activity(
            organiser,
            "appointments",
            id(&format!("appointment record {number}")),
            columns,
            Some(state),
        )
    };
    (0..11).map(one).collect()
}

/// Every Wednesday, eight times.
fn series(users: Users, today: Date) -> Row {
    let days = 1 + (2 + 7 - i64::from(today.weekday().to_monday_zero_offset())) % 7;
    let columns = json!({
        "subject": "Sales round", "location": "Room 1", "description": "What is new, what is stuck.",
        "recurrencepatterntype": 1, "interval": 1, "daysofweekmask": 8, "patternendtype": 2, "occurrences": 8,
        "patternstartdate": moment(today, days - 1, 0), "starttime": moment(today, days - 1, 13), "endtime": moment(today, days - 1, 14),
        "recurringappointmentmaster_activity_parties": [user_party(users, User::Anna, 7), user_party(users, User::Bo, 5)],
    });
    activity(User::Anna, "recurringappointmentmasters", id("series record"), columns, Some((3, 5)))
}

/// What colleagues filed: a mail that Anna has as well, under the id that every mailbox gives it; one that she has only the answer to; one of theirs.
fn emails(organisation: Uuid, users: Users, now: &Zoned) -> Vec<Row> {
    let shared = mail::thread_id(0, 0);
    // An e-mail belongs to no one mailbox: every address gives it the same id.
    let derived = |mailbox: Address| {
        name::record_guid(organisation, Table::Email, &mailbox, &Uid::new(shared.as_str()))
    };
    let answerer = mail::answerer().map(|person| person.address).unwrap_or_default();
    let partner = mail::thread_partner(0).map(|person| person.address).unwrap_or_default();
    let row = |owner: User, id: Uuid, message: &str, subject: &str, outgoing: bool, other: &str| {
        let (me, them) = if outgoing { (1, 2) } else { (2, 1) };
        let columns = json!({
            "subject": subject, "messageid": format!("<{message}>"), "directioncode": outgoing, "description": "<p>As discussed.</p>",
            "email_activity_parties": [user_party(users, owner, me), {"addressused": other, "participationtypemask": them}],
        });
        activity(owner, "emails", id, columns, Some((1, if outgoing { 3 } else { 4 })))
    };
    let shared_row = Address::parse(ANNA.address).map(derived).map(|id| {
        let columns = json!({
            "subject": mail::thread_subject(0), "messageid": format!("<{shared}>"), "directioncode": false, "description": "<p>As discussed.</p>",
            "actualend": mail::thread_date(now, 0, 0).timestamp().to_string(),
            "email_activity_parties": [
                {"addressused": partner, "participationtypemask": 1}, user_party(users, User::Anna, 2), user_party(users, User::Bo, 3),
            ],
        });
        activity(User::Bo, "emails", id, columns, Some((1, 4)))
    });
    let others = [
        row(
            User::Carla,
            id("filed 1"),
            mail::FILED_ELSEWHERE,
            "Our offer of last week",
            true,
            &answerer,
        ),
        row(
            User::Bo,
            id("filed 2"),
            "bo-4711@example.org",
            "Besuch im Juni",
            true,
            "ute.suessmilch@nordlicht.example.com",
        ),
    ];
    shared_row.into_iter().chain(others).collect()
}

fn leads() -> Vec<Row> {
    let one = |(number, (given, family)): (usize, &(&str, &str))| {
        let columns = json!({
            "firstname": given, "lastname": family, "companyname": format!("{family} & Co."), "subject": "Asked at the fair",
            "emailaddress1": format!("caller{number}@unknown{}.example.net", number % 3),
        });
        row(
            if number < 3 { User::Anna } else { User::Carla },
            "leads",
            "leadid",
            id(&format!("lead {number}")),
            columns,
        )
    };
    [("Pat", "Nobody"), ("Ümit", "Kimse"), ("某", "山田"), ("Иван", "Никто"), ("Juana", "Nadie")]
        .iter()
        .enumerate()
        .map(one)
        .collect()
}

fn user_party(users: Users, user: User, mask: i32) -> Json {
    json!({ "partyid_systemuser@odata.bind": format!("/systemusers({})", users.of(user)), "participationtypemask": mask })
}

fn contact_party(number: usize, mask: i32) -> Json {
    json!({ "partyid_contact@odata.bind": format!("/contacts({})", contact_id(number)), "participationtypemask": mask })
}

const ERRANDS: [&str; 5] = [
    "Call about the frame contract",
    "Angebot nachfassen",
    "Préparer la visite",
    "サンプルを送る",
    "Проверить оплату",
];
const MEETINGS: [&str; 4] = ["Kick-off", "Vertragsgespräch", "Visite d'usine", "打ち合わせ"];
