//! Contacts: a vCard (2.1, 3.0, 4.0) and a row of `contact`.
//!
//! Decides which property means which column (the table is in `families`), how a name is read from `FN` alone, and what a
//! contact without a name is called. A card is changed line by line: what is not mapped, and what is beyond the mapped
//! slots (a fourth e-mail address), survives byte for byte. Knows no link and no history.
//!
//! * A card is written in the version that it has. A new one is 3.0: the one version that every `CardDAV` server must take
//!   (RFC 6352 §3) and that Google and iCloud speak.
//! * `parentcustomerid` is the account's name as text and only read from the CRM: a company's name is no evidence of which
//!   account is meant. It is what `ORG` says.
//! * `fullname` is computed by the CRM and never written.
//! * A date without a year, and one before 1753, stays in the card and out of the CRM.
//! * A contact without first, middle and last name goes by nickname, company, address or number, as its last name, on
//!   both sides alike (`form::named`).

use crate::model::{Content, Fields};

use super::text::{self, Line};
use super::{Change, Context, Unreadable, Unwritable};

pub mod address;
pub mod card;
pub mod families;
pub mod form;
pub mod name;
pub mod record;
pub mod write;

#[cfg(test)]
mod tests;

use card::Card;
pub use record::{read_record, write_record};

/// What a vCard says.
///
/// # Errors
/// [`Unreadable`] when the file is not exactly one vCard of a person, or has no or two names to know it by.
pub fn read_item(bytes: &[u8], _context: &Context) -> Result<Content, Unreadable> {
    Card::parse(bytes)?.content()
}

/// The new text of a card; without a change the old one, byte for byte. A card without a UID gets one with its first change.
///
/// # Errors
/// [`Unwritable`] when `old` is no card, a value is of a kind that the field does not have, or nothing at all would name
/// a new contact.
pub fn write_item(
    change: Change<'_>,
    old: Option<&[u8]>,
    _context: &Context,
) -> Result<Vec<u8>, Unwritable> {
    let unwritable = |unreadable: Unreadable| Unwritable(unreadable.0);
    if let Some(old) = old {
        return write::write(&Card::parse(old).map_err(unwritable)?, change);
    }
    let blank = text::render(&[
        Line::new("BEGIN", "VCARD"),
        Line::new("VERSION", "3.0"),
        Line::new("PRODID", "-//Liaison//Liaison//EN"),
        Line::new("UID", text::escape(change.uid.as_str())),
        Line::new("END", "VCARD"),
    ]);
    if title(&form::patched(&Fields::new(), change.patch)).is_empty() {
        let reason = "nothing in it can name the contact: no name, company, address or number";
        return Err(Unwritable(reason.to_owned()));
    }
    write::write(&Card::parse(&blank).map_err(unwritable)?, change)
}

/// A short name for lists; empty when the contact has none.
pub fn title(fields: &Fields) -> String {
    form::display_name(&form::named(fields.clone()))
}
