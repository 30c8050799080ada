//! A record as a mail that goes out: whether it can, to whom, and its bytes.
//!
//! * Whoever is to get it secretly is in the envelope only.
//! * It goes to everybody or to nobody: one recipient without an address that can be written to stops it.
//! * What a record says cannot add a field or a recipient: names and subject become single lines, addresses are plain, and
//!   `Message-ID`, `In-Reply-To` and `Thread-Index` are left out where they hold anything but plain signs.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use uuid::Uuid;

use super::super::{Context, Unreadable};
use super::{
    BCC, CC, CONVERSATIONINDEX, DESCRIPTION, FROM, INREPLYTO, SENTON, SUBJECT, TO, body, compose,
    names, read_record,
};
use crate::mapping::email::ATTACHMENTS;
use crate::model::record::{Party, Role};
use crate::model::{Address, Attachment, Fields, People, Person, Record, Uid, Value, name};

/// The longest value of a field that is not folded (RFC 5322 §2.1.1).
const UNFOLDED: usize = 900;

/// More pictures than that nobody puts into a text.
const PICTURES: usize = 200;

/// What sending must know besides the record.
#[derive(Debug)]
pub struct Posting<'a> {
    pub context: &'a Context,
    /// The address that a sender has of whom the CRM knows none.
    pub mailbox: &'a Address,
    /// Whether it may go to an address that belongs to no record.
    pub strangers: bool,
    /// When it goes out.
    pub at: Timestamp,
}

/// A mail, ready to be handed in.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// Header and body, with CRLF, in lines that every server takes.
    pub message: Vec<u8>,
    pub from: Address,
    /// Everybody who gets it, each once.
    pub to: Vec<Address>,
    pub title: String,
}

impl fmt::Debug for Letter {
    /// Keeps content and addresses out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Letter({} recipients, {} bytes)", self.to.len(), self.message.len())
    }
}

/// Why a record does not go out as a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// Somebody else is its sender: it is none of ours.
    NotMine,
    /// It cannot, for this reason; addresses are named.
    Unsendable(String),
}

impl From<Unreadable> for Unfit {
    fn from(Unreadable(reason): Unreadable) -> Self {
        Self::Unsendable(reason)
    }
}

/// The `Message-ID` of the mail that a record becomes: the one that the record has, else one made from the record's id, so that
/// it is the same on every machine and after every crash.
pub fn letter_name(organisation: Uuid, record: Uuid, given: Option<&str>) -> Uid {
    let plain = |uid: &Uid| {
        uid.as_str().bytes().all(|b| b.is_ascii_graphic() && !b"<>()[],;:\\\"".contains(&b))
            && uid.as_str().split('@').count() == 2
    };
    let given = given.and_then(names::message_id).filter(plain);
    given.unwrap_or_else(|| name::item_uid(organisation, record))
}

/// The mail under this name that a record becomes. `subject` gets the record's and gives the one that is sent.
///
/// # Errors
/// [`Unfit`] when it does not go out.
pub fn letter(
    record: &Record,
    uid: &Uid,
    posting: &Posting<'_>,
    subject: impl FnOnce(&str) -> String,
) -> Result<Letter, Unfit> {
    let sender = sender(record, posting)?;
    let from = sender.address.clone();
    let mut to: Vec<Address> = Vec::new();
    for address in recipients(record, posting)? {
        if !to.contains(&address) {
            to.push(address);
        }
    }
    let mut fields = read_record(record, posting.context)?.fields;
    let given = match fields.get(&SUBJECT) {
        Some(Value::Text(text) | Value::Cut(text)) => text.clone(),
        _ => String::new(),
    };
    fields.remove(&SUBJECT);
    fields.extend(Value::text(&body::one_line(&subject(&given))).map(|text| (SUBJECT, text)));
    fields.remove(&BCC);
    fields.insert(FROM, Value::People(People::from_iter([sender])));
    for field in [TO, CC] {
        if let Some(Value::People(people)) = fields.remove(&field) {
            let people = people
                .iter()
                .map(|person| Person { address: wired(&person.address), ..person.clone() });
            fields.insert(field, Value::People(people.collect()));
        }
    }
    fields.insert(SENTON, Value::Moment(posting.at));
    leave_out_oddities(&mut fields);
    draw_out_pictures(&mut fields);
    let title = super::title(&fields);
    let message = lines(compose::message(uid, &fields));
    Ok(Letter { message, from, to, title })
}

fn sender(record: &Record, posting: &Posting<'_>) -> Result<Person, Unfit> {
    let mut senders = record.parties.iter().filter(|party| party.role == Role::Sender);
    let (Some(party), None) = (senders.next(), senders.next()) else {
        return Err(Unfit::Unsendable("the mail has not exactly one sender".to_owned()));
    };
    let owner = record.columns.get("_ownerid_value").and_then(|owner| owner.as_str());
    let is_owner = |party: &Party| {
        party.target.as_ref().is_some_and(|target| {
            target.table == "systemuser"
                && owner.and_then(|owner| Uuid::parse_str(owner).ok()) == Some(target.guid)
        })
    };
    let address = Address::parse(&party.address);
    let mine = address.as_ref().is_some_and(|address| posting.context.me.contains(address));
    match address {
        Some(address) if mine => names::person(&party.name, address.as_str()),
        // What the CRM calls the user may be no address that the submission server lets this user use.
        _ if is_owner(party) => names::person(&party.name, posting.mailbox.as_str()),
        _ => return Err(Unfit::NotMine),
    }
    .ok_or_else(|| Unfit::Unsendable("the sender has no address to write from".to_owned()))
}

fn recipients(record: &Record, posting: &Posting<'_>) -> Result<Vec<Address>, Unfit> {
    let (mut found, mut bad, mut strange) = (Vec::new(), Vec::new(), Vec::new());
    let parties =
        record.parties.iter().filter(|party| matches!(party.role, Role::To | Role::Cc | Role::Bcc));
    for party in parties {
        let called = if party.address.is_empty() { &party.name } else { &party.address };
        let called = body::one_line(called);
        match names::person("", &party.address).filter(|person| can_be_written_to(&person.address))
        {
            None => bad.push(called),
            Some(_) if party.target.is_none() && !posting.strangers => strange.push(called),
            Some(person) => found.push(person.address),
        }
    }
    let mut reasons = Vec::new();
    if !bad.is_empty() {
        reasons.push(format!("no e-mail address that can be written to: {}", bad.join(", ")));
    }
    if !strange.is_empty() {
        let names = strange.join(", ");
        reasons
            .push(format!("unresolved recipients, which the organisation does not allow: {names}"));
    }
    if found.is_empty() && reasons.is_empty() {
        reasons.push("the mail has no recipients".to_owned());
    }
    if reasons.is_empty() { Ok(found) } else { Err(Unfit::Unsendable(reasons.join("; "))) }
}

fn can_be_written_to(address: &Address) -> bool {
    address.as_str().rsplit_once('@').is_some_and(|(user, domain)| {
        !user.is_empty() && !user.contains('@') && url::Host::parse(domain).is_ok()
    })
}

/// The address with its domain in the form that every server knows (RFC 5890 §2.3.2.1).
fn wired(address: &Address) -> Address {
    let ascii = address.as_str().rsplit_once('@').and_then(|(user, domain)| {
        let domain = url::Host::parse(domain).ok().filter(|_| !domain.is_ascii())?;
        Address::parse(&format!("{user}@{domain}"))
    });
    ascii.unwrap_or_else(|| address.clone())
}

fn leave_out_oddities(fields: &mut Fields) {
    let is_plain = |value: Option<&Value>| match value {
        Some(Value::Text(text) | Value::Cut(text)) => {
            text.len() <= UNFOLDED
                && text.bytes().all(|b| b.is_ascii_graphic() && !b"<>".contains(&b))
        }
        _ => false,
    };
    for field in [INREPLYTO, CONVERSATIONINDEX] {
        if !is_plain(fields.get(&field)) {
            fields.remove(&field);
        }
    }
}

/// Pictures that stand in the text as such (`data:image/png;base64,…`) become files that the text names: few programs show the
/// others.
fn draw_out_pictures(fields: &mut Fields) {
    let Some(Value::Text(html)) = fields.get(&DESCRIPTION) else { return };
    let mut rest = html.as_str();
    let mut text = String::with_capacity(html.len());
    let mut pictures: Vec<Attachment> = Vec::new();
    while let Some((before, after)) = rest.split_once("data:image/") {
        text.push_str(before);
        rest = after;
        match picture(after, pictures.len()).filter(|_| pictures.len() < PICTURES) {
            Some((picture, later)) => {
                text.push_str("cid:");
                text.push_str(&picture.filename);
                pictures.push(picture);
                rest = later;
            }
            None => text.push_str("data:image/"),
        }
    }
    text.push_str(rest);
    if pictures.is_empty() {
        return;
    }
    if let Some(Value::Attachments(files)) = fields.get(&ATTACHMENTS) {
        pictures.extend(files.iter().cloned());
    }
    fields.insert(DESCRIPTION, Value::Text(text));
    fields.insert(ATTACHMENTS, Value::Attachments(pictures));
}

/// The picture that this text begins with, behind `data:image/`, and what follows it.
fn picture(text: &str, number: usize) -> Option<(Attachment, &str)> {
    let (kind, data) = text.split_once(";base64,")?;
    let plain = !kind.is_empty()
        && kind.len() <= 20
        && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b));
    if !plain {
        return None;
    }
    let end = data
        .bytes()
        .position(|b| !(b.is_ascii_alphanumeric() || b"+/=".contains(&b)))
        .unwrap_or(data.len());
    let (data, rest) = data.split_at_checked(end)?;
    let bytes = STANDARD.decode(data).ok().filter(|bytes| !bytes.is_empty())?;
    let mimetype = format!("image/{kind}");
    let name = format!("picture-{number}.{}", names::ending(&mimetype));
    Some((names::attachment(&name, &mimetype, bytes), rest))
}

/// Every line ended by CRLF, the last one too.
fn lines(mut message: Vec<u8>) -> Vec<u8> {
    if !message.ends_with(b"\r\n") {
        message.extend_from_slice(b"\r\n");
    }
    message
}

#[cfg(test)]
mod tests;
