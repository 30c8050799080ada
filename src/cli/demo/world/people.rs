//! The invented people of the demo: names in twenty languages, their companies, addresses and numbers. Nobody here is real: all mail addresses lie
//! below `example.org`, `.com` and `.net` (RFC 2606), all numbers in ranges that the regulators keep for fiction. It must not know how a person is
//! written down on either side.

use super::pick;
use super::places::{PLACES, Place};

/// The owner of the mailbox.
pub const ANNA: Party = Party { name: "Anna Andersson", address: "anna@example.org" };
/// A colleague in the same business unit.
pub const BO: Party = Party { name: "Bo Berg", address: "bo@example.org" };
/// Another one.
pub const CARLA: Party = Party { name: "Carla Conti", address: "carla@example.org" };

/// A name with an address, as mail and invitations carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Party {
    pub name: &'static str,
    pub address: &'static str,
}

/// How many people of a place have a card in the mailbox.
const IN_MAILBOX: usize = 6;

/// Somebody to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Counts from 0 within [`acquaintances`] or [`strangers`].
    pub number: usize,
    pub given: &'static str,
    pub family: &'static str,
    pub address: String,
    pub language: &'static str,
    pub company: &'static str,
    pub host: &'static str,
    pub title: &'static str,
    pub street: String,
    pub city: &'static str,
    pub postcode: &'static str,
    pub country: &'static str,
    pub work: String,
    pub mobile: String,
}

impl Person {
    /// Given and family name.
    pub fn name(&self) -> String {
        format!("{} {}", self.given, self.family)
    }
}

/// A company, which the CRM holds as an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Company {
    pub name: &'static str,
    pub host: &'static str,
    pub city: &'static str,
    pub country: &'static str,
}

/// The 120 people with a card in the mailbox.
pub fn acquaintances() -> Vec<Person> {
    of_every_place(|rank| rank < IN_MAILBOX)
}

/// The 40 people whom only the CRM knows.
pub fn strangers() -> Vec<Person> {
    of_every_place(|rank| rank >= IN_MAILBOX)
}

/// The 20 companies, one a place.
pub fn companies() -> Vec<Company> {
    let company = |place: &Place| Company {
        name: place.company,
        host: place.host,
        city: place.city,
        country: place.country,
    };
    PLACES.iter().map(company).collect()
}

fn of_every_place(wanted: impl Fn(usize) -> bool) -> Vec<Person> {
    let all = PLACES.iter().flat_map(|place| {
        place.people.iter().enumerate().map(move |(rank, names)| (place, rank, *names))
    });
    all.filter(|(_, rank, _)| wanted(*rank))
        .enumerate()
        .map(|(number, (place, rank, names))| person(place, rank, names, number))
        .collect()
}

fn person(
    place: &Place,
    rank: usize,
    (given, family, local): (&'static str, &'static str, &'static str),
    number: usize,
) -> Person {
    // Whom only the CRM knows has a number of their own as well.
    let line = if rank < IN_MAILBOX { number } else { 150 + number };
    Person {
        number,
        given,
        family,
        address: format!("{local}@{}", place.host),
        language: place.language,
        company: place.company,
        host: place.host,
        title: pick(&TITLES, number),
        street: format!("{} {}", place.street, 1 + number % 90),
        city: place.city,
        postcode: place.postcode,
        country: place.country,
        work: work_number(line),
        mobile: mobile_number(line),
    }
}

/// A business number, of a range that is kept for fiction in the United Kingdom, North America, Germany, France or Sweden.
fn work_number(line: usize) -> String {
    match line % 5 {
        0 => format!("+44 20 7946 0{line:03}"),
        1 => format!("+1 202 555 01{:02}", line % 100),
        2 => format!("+49 30 23125 {line:03}"),
        3 => format!("+33 1 99 00 {:02} {:02}", line / 100, line % 100),
        _ => format!("+46 8 465 004 {:02}", line % 100),
    }
}

/// A mobile number of such a range in the United Kingdom or Germany.
fn mobile_number(line: usize) -> String {
    if line.is_multiple_of(2) {
        format!("+44 7700 900{line:03}")
    } else {
        format!("+49 171 39200{:02}", line % 100)
    }
}

const TITLES: [&str; 10] = [
    "Head of Purchasing",
    "Chief Engineer",
    "Sales Manager",
    "Projektleiterin",
    "Directrice des achats",
    "Legal Counsel",
    "Office Manager",
    "Jefe de compras",
    "Warehouse Supervisor",
    "Research Fellow",
];
