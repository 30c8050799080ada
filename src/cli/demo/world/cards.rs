//! Contacts as vCard 2.1, 3.0 and 4.0, with what address books really write. It must not know where they are kept.

use super::people::{Person, acquaintances};
use super::text::{CRLF, LF, Lines, escape, quoted_printable};
use super::{id, pick};

/// The category that tracks an item.
pub const TRACKED: &str = "Tracked to CRM";

/// People whom the CRM knows too, without any link between record and card.
pub const IN_BOTH: [usize; 10] = [3, 8, 15, 20, 33, 46, 59, 72, 88, 101];
/// Has two cards here and one record there: which is which cannot be told.
pub const DOUBLED: usize = 65;

/// A file of the address book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    pub file: String,
    pub text: String,
    pub tracked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V21,
    V30,
    V40,
}

/// All cards that are as they should be.
pub fn cards() -> Vec<Card> {
    let mut cards: Vec<Card> = acquaintances().iter().map(card).collect();
    cards.extend(acquaintances().iter().filter(|person| person.number == DOUBLED).map(second));
    cards
}

/// Whether somebody's card is in the category that tracks it: every other one is.
pub fn tracked(number: usize) -> bool {
    number == DOUBLED || (number + number / 20).is_multiple_of(2)
}

/// The `UID` of somebody's card.
pub fn uid(number: usize) -> String {
    let id = id(&format!("contact {number}"));
    if version(number) == Version::V40 { format!("urn:uuid:{id}") } else { id.to_string() }
}

/// The card of the customer whom Anna meets after the first sync.
pub fn newcomer(name: (&str, &str), address: &str, phone: &str) -> Card {
    let mut lines = Lines::new(CRLF);
    lines.block("BEGIN:VCARD\nVERSION:3.0\nPRODID:-//Example//Address Book//EN\n");
    lines.add("UID", &id(&format!("contact {address}")).to_string());
    lines.add("N", &format!("{};{};;;", escape(name.1), escape(name.0)));
    lines.add("FN", &escape(&format!("{} {}", name.0, name.1)));
    lines.add("EMAIL;TYPE=INTERNET,WORK", address);
    lines.add("TEL;TYPE=WORK,VOICE", phone);
    lines.add("CATEGORIES", TRACKED);
    lines.block("END:VCARD\n");
    Card { file: "contact-new.vcf".into(), text: lines.finish(), tracked: true }
}

fn version(number: usize) -> Version {
    match number {
        _ if number % 20 == 7 => Version::V21,
        _ if number % 3 == 1 => Version::V40,
        _ => Version::V30,
    }
}

fn card(person: &Person) -> Card {
    let number = person.number;
    let text = match version(number) {
        Version::V21 => old(person),
        Version::V30 | Version::V40 => current(person, version(number)),
    };
    Card { file: format!("contact-{number:03}.vcf"), text, tracked: tracked(number) }
}

/// What an import left behind: the same person once more, under another `UID`.
fn second(person: &Person) -> Card {
    let mut lines = Lines::new(CRLF);
    lines.block("BEGIN:VCARD\nVERSION:3.0\nPRODID:-//Example//Import//EN\n");
    lines.add("UID", &id("second card").to_string());
    lines.add("N", &format!("{};{};;;", escape(person.family), escape(person.given)));
    lines.add("FN", &escape(&person.name()));
    lines.add("EMAIL;TYPE=INTERNET", &person.address);
    lines.add("NOTE", "Imported from the old telephone.");
    lines.add("CATEGORIES", TRACKED);
    lines.block("END:VCARD\n");
    Card { file: "contact-import.vcf".into(), text: lines.finish(), tracked: true }
}

/// vCard 3.0 (RFC 2426) or 4.0 (RFC 6350).
fn current(person: &Person, version: Version) -> String {
    let four = version == Version::V40;
    let number = person.number;
    let mut lines = Lines::new(if number % 17 == 5 { LF } else { CRLF });
    lines.add("BEGIN", "VCARD");
    lines.add("VERSION", if four { "4.0" } else { "3.0" });
    lines.add("PRODID", "-//Example//Address Book//EN");
    lines.add("UID", &uid(number));
    lines.add("N", &format!("{};{};;;", escape(person.family), escape(person.given)));
    lines.add("FN", &escape(&person.name()));
    let work = if four { "TEL;TYPE=work,voice;VALUE=uri" } else { "TEL;TYPE=WORK,VOICE" };
    let uri =
        |phone: &str| if four { format!("tel:{phone}").replace(' ', "-") } else { phone.into() };
    lines.add(work, &uri(&person.work));
    let cell = if four { "TEL;TYPE=cell;VALUE=uri;PREF=1" } else { "TEL;TYPE=CELL,PREF" };
    lines.add(cell, &uri(&person.mobile));
    if number.is_multiple_of(10) {
        lines.add("item1.TEL", "+44 20 7946 0199");
        lines.add("item1.X-ABLabel", "Reception");
        lines.add("TEL;TYPE=fax,work", "+44 20 7946 0198");
    }
    lines.add(
        if four { "EMAIL;TYPE=work;PREF=1" } else { "EMAIL;TYPE=INTERNET,PREF" },
        &person.address,
    );
    lines.add("ORG", &format!("{};{}", escape(person.company), pick(&DEPARTMENTS, number)));
    lines.add("TITLE", &escape(person.title));
    let place =
        [&person.street, person.city, "", person.postcode, person.country].map(escape).join(";");
    lines.add("ADR;TYPE=work", &format!(";;{place}"));
    further(person, four, &mut lines);
    if tracked(number) {
        lines.add("CATEGORIES", &format!("{TRACKED},{}", pick(&CATEGORIES, number)));
    } else {
        lines.add("CATEGORIES", pick(&CATEGORIES, number));
    }
    lines.add("REV", "20240229T101500Z");
    lines.add("END", "VCARD");
    lines.finish()
}

/// What only some cards have.
fn further(person: &Person, four: bool, lines: &mut Lines) {
    let number = person.number;
    if number % 9 == 2 {
        let local = person.address.split('@').next().unwrap_or_default();
        lines.add("EMAIL;TYPE=home", &format!("{local}@example.net"));
        lines.add("EMAIL", &format!("{local}.office@example.com"));
        // One more than a record has room for.
        lines.add("EMAIL;TYPE=x-archive", &format!("{local}.archive@example.com"));
        lines.add("ADR;TYPE=home", &format!(";Flat 2;1 Example Close;{};;;", escape(person.city)));
    }
    if number % 7 == 3 {
        lines.add("BDAY", if four { "19780214" } else { "1978-02-14" });
        lines.add("NICKNAME", "Kiki");
    }
    if number % 28 == 1 {
        // A birthday without a year (RFC 6350 §4.3.1).
        lines.add("ANNIVERSARY", "--0229");
    }
    if number % 12 == 4 {
        let image = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
        if four {
            lines.add("PHOTO", &format!("data:image/png;base64,{image}"));
        } else {
            lines.add("PHOTO;ENCODING=b;TYPE=PNG", image);
        }
    }
    if number % 5 == 1 {
        let note = format!(
            "Met at the fair in {}.\nLikes: tea, \"long\" walks; no calls before 9:00.",
            person.city
        );
        lines.add("NOTE", &escape(&note));
        lines.add("URL;TYPE=work", &format!("https://{}/", person.host));
    }
    if number % 11 == 6 {
        lines.add(
            "X-SOCIALPROFILE;TYPE=x-example;X-USER=\"some one\"",
            "https://social.example.org/@someone",
        );
        lines.add("X-ABSHOWAS", "PERSON");
        lines.add("IMPP", "xmpp:someone@example.org");
        lines.add("item2.X-ABRELATEDNAMES;TYPE=pref", "Robin");
        lines.add("item2.X-ABLabel", "_$!<Assistant>!$_");
        lines.add("GEO", if four { "geo:50.94,6.96" } else { "50.94;6.96" });
        lines.add(if four { "LANG" } else { "X-LANG" }, person.language);
    }
}

/// vCard 2.1: bare type parameters, and quoted-printable for everything that is not ASCII.
fn old(person: &Person) -> String {
    let mut text = String::new();
    let mut line = |property: &str, value: &str| {
        if value.is_ascii() {
            text.extend([property, ":", value, CRLF]);
        } else {
            let value = quoted_printable(value, CRLF);
            text.extend([property, ";CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:", &value, CRLF]);
        }
    };
    line("BEGIN", "VCARD");
    line("VERSION", "2.1");
    line("N", &format!("{};{}", person.family, person.given));
    line("FN", &person.name());
    line("ORG", person.company);
    line("TEL;WORK;VOICE", &person.work);
    line("TEL;CELL", &person.mobile);
    line("EMAIL;INTERNET;PREF", &person.address);
    line(
        "ADR;WORK",
        &format!(";;{};{};;{};{}", person.street, person.city, person.postcode, person.country),
    );
    line("NOTE", "From an old telephone.\r\nSecond line.");
    if tracked(person.number) {
        line("CATEGORIES", TRACKED);
    }
    line("UID", &uid(person.number));
    line("END", "VCARD");
    text
}

const DEPARTMENTS: [&str; 5] = ["Einkauf", "R&D", "営業部", "Бухгалтерия", "Logistique"];
const CATEGORIES: [&str; 6] = ["Customers", "Suppliers", "Fair 2024", "Kunden", "友人", "Press"];
