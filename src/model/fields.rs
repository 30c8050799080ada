//! What an item says, in terms both sides share: named fields with typed values.
//!
//! A field carries the name of the Dataverse column it stands for; where one side spreads a value over
//! several places, the field is the thing itself (`recurrence`, `requiredattendees`). Equal values are
//! spelled equally: readers bring text, times and addresses into one form, so that `==` is agreement.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::item::{Class, Side};
use super::people::People;
use super::time::Recurrence;

/// The name of a field: a Dataverse column (`emailaddress1`), or `exception:<original start>` for one
/// occurrence of a series, so that different occurrences never compete.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field(Cow<'static, str>);

const EXCEPTION: &str = "exception:";

impl Field {
    /// A field known when the program was written.
    pub const fn of(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// A field by a name from the store or the configuration.
    pub fn named(name: impl Into<String>) -> Self {
        Self(Cow::Owned(name.into()))
    }

    /// The field of one occurrence, by the start it has in the pattern.
    pub fn exception(original_start: Timestamp) -> Self {
        Self(Cow::Owned(format!("{EXCEPTION}{original_start}")))
    }

    /// The original start, if this is the field of an occurrence.
    pub fn original_start(&self) -> Option<Timestamp> {
        self.0.strip_prefix(EXCEPTION)?.parse().ok()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name under which the configuration sets the direction: all occurrences go by `recurrence`.
    pub fn rule_name(&self) -> &str {
        if self.0.starts_with(EXCEPTION) { "recurrence" } else { &self.0 }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an item says. A field that is not there is empty.
pub type Fields = BTreeMap<Field, Value>;

/// What to change: `None` empties the field.
pub type Patch = BTreeMap<Field, Option<Value>>;

/// The patch that says all of this.
pub fn all_of(fields: &Fields) -> Patch {
    fields.iter().map(|(field, value)| (field.clone(), Some(value.clone()))).collect()
}

/// One value, in the form both sides compare.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Text with `\n` line ends and no white space at its ends. Never empty: an empty text is no value.
    Text(String),
    /// The part of a text that a side could hold, ending in [`CUT_MARK`]. Never written to the other side.
    Cut(String),
    Number(i64),
    Flag(bool),
    /// A day, for birthdays.
    Date(Date),
    /// A moment, whole seconds.
    Moment(Timestamp),
    /// Attendees or recipients; never empty.
    People(People),
    /// On the heap: most values are no larger than a text, and there are very many of them.
    Recurrence(Box<Recurrence>),
    /// One occurrence of a series that is not as the pattern has it.
    Occurrence(Occurrence),
    /// The files of a message; never empty.
    Attachments(Vec<Attachment>),
}

/// What a cut text ends with, so that people see it and readers know it.
pub const CUT_MARK: char = '…';

impl Value {
    /// Text as a value, trimmed, with `\n` line ends; `None` when nothing is left.
    pub fn text(text: &str) -> Option<Self> {
        let unified = if text.contains('\r') {
            Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
        } else {
            Cow::Borrowed(text)
        };
        let trimmed = unified.trim();
        (!trimmed.is_empty()).then(|| Self::Text(trimmed.to_owned()))
    }

    /// Whether both say the same, as far as the side that could hold less can tell.
    pub fn agrees(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Cut(part), Self::Text(whole)) | (Self::Text(whole), Self::Cut(part)) => {
                whole.starts_with(part.trim_end_matches(CUT_MARK).trim_end())
            }
            _ => self == other,
        }
    }
}

impl fmt::Debug for Value {
    /// Names the kind of value only: content stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Cut(_) => "Cut",
            Self::Number(_) => "Number",
            Self::Flag(_) => "Flag",
            Self::Date(_) => "Date",
            Self::Moment(_) => "Moment",
            Self::People(_) => "People",
            Self::Recurrence(_) => "Recurrence",
            Self::Occurrence(_) => "Occurrence",
            Self::Attachments(_) => "Attachments",
        })
    }
}

impl fmt::Display for Value {
    /// For the person whose data it is: `conflicts`, `explain`, the plan.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Cut(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => f.write_str(if *flag { "yes" } else { "no" }),
            Self::Date(date) => write!(f, "{date}"),
            Self::Moment(moment) => write!(f, "{moment}"),
            Self::People(people) => {
                let people: Vec<String> = people.iter().map(ToString::to_string).collect();
                f.write_str(&people.join(", "))
            }
            Self::Recurrence(recurrence) => write!(f, "{recurrence}"),
            Self::Occurrence(Occurrence::Cancelled) => f.write_str("does not take place"),
            Self::Occurrence(Occurrence::Changed(fields)) => {
                let fields: Vec<String> =
                    fields.iter().map(|(field, value)| format!("{field}: {value}")).collect();
                f.write_str(&fields.join("; "))
            }
            Self::Attachments(files) => {
                let names: Vec<&str> = files.iter().map(|file| file.filename.as_str()).collect();
                f.write_str(&names.join(", "))
            }
        }
    }
}

/// An e-mail address in lower case: every system in use compares the whole address without case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(String);

impl Address {
    /// The address without `mailto:` and white space; `None` when that is nothing, or no line could hold it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bare = match text.get(..7) {
            Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => {
                text.get(7..).unwrap_or_default()
            }
            _ => text,
        };
        let bare = bare.trim().to_lowercase();
        let fits = !bare.is_empty() && !bare.contains(char::is_control);
        fits.then_some(Self(bare))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One occurrence of a series that differs from the pattern.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occurrence {
    /// It does not take place (`EXDATE`, a deleted exception).
    Cancelled,
    /// All fields of the occurrence, not only those that differ.
    Changed(Fields),
}

impl fmt::Debug for Occurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "Cancelled",
            Self::Changed(_) => "Changed",
        })
    }
}

/// A file that belongs to a message. Two are the same when name, type and content are.
#[derive(Clone, Eq)]
pub struct Attachment {
    pub filename: String,
    pub mimetype: String,
    pub size: u64,
    /// SHA-256 of the content, in hexadecimal.
    pub digest: String,
    /// The content; empty where only the description was read.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attachment({} bytes)", self.size)
    }
}

impl Attachment {
    pub fn new(filename: impl Into<String>, mimetype: impl Into<String>, bytes: Vec<u8>) -> Self {
        let digest = format!("{:x}", Sha256::digest(&bytes));
        Self {
            filename: filename.into(),
            mimetype: mimetype.into(),
            size: bytes.len() as u64,
            digest,
            bytes,
        }
    }

    fn identity(&self) -> (&str, &str, &str) {
        (&self.filename, &self.mimetype, &self.digest)
    }
}

impl PartialEq for Attachment {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Ord for Attachment {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl PartialOrd for Attachment {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Which way a field travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    TwoWay,
    ToCrm,
    ToMailbox,
    None,
}

impl Direction {
    /// Whether a change made on `from` goes to the other side.
    pub fn carries(self, from: Side) -> bool {
        match (self, from) {
            (Self::TwoWay, _) | (Self::ToCrm, Side::Mailbox) | (Self::ToMailbox, Side::Crm) => true,
            (Self::ToCrm, Side::Crm) | (Self::ToMailbox, Side::Mailbox) | (Self::None, _) => false,
        }
    }
}

/// A field of a class: its default direction and whether the configuration may change that.
#[derive(Debug, Clone, Copy)]
pub struct FieldRule {
    pub name: &'static str,
    pub direction: Direction,
    pub fixed: bool,
}

const fn free(name: &'static str) -> FieldRule {
    FieldRule { name, direction: Direction::TwoWay, fixed: false }
}

const fn fixed(name: &'static str) -> FieldRule {
    FieldRule { name, direction: Direction::TwoWay, fixed: true }
}

const fn one_way(name: &'static str, direction: Direction) -> FieldRule {
    FieldRule { name, direction, fixed: true }
}

/// The fields of a class, after the field tables of Dynamics
/// (<https://learn.microsoft.com/power-platform/admin/what-fields-synchronized-outlook>).
pub fn field_rules(class: Class) -> &'static [FieldRule] {
    match class {
        Class::Contact => CONTACT,
        Class::Task => TASK,
        Class::Appointment => APPOINTMENT,
        Class::Email => EMAIL,
    }
}

const CONTACT: &[FieldRule] = &[
    fixed("firstname"),
    fixed("middlename"),
    fixed("lastname"),
    free("salutation"),
    free("suffix"),
    free("nickname"),
    free("jobtitle"),
    free("department"),
    // The account's name, written into the vCard's ORG; ORG never changes the account.
    one_way("parentcustomerid", Direction::ToMailbox),
    free("emailaddress1"),
    free("emailaddress2"),
    free("emailaddress3"),
    free("telephone1"),
    free("business2"),
    free("telephone2"),
    free("home2"),
    free("telephone3"),
    free("mobilephone"),
    free("fax"),
    free("pager"),
    free("callback"),
    free("company"),
    free("assistantname"),
    free("assistantphone"),
    free("managername"),
    free("spousesname"),
    free("childrensnames"),
    free("websiteurl"),
    free("ftpsiteurl"),
    free("governmentid"),
    free("birthdate"),
    free("anniversary"),
    free("description"),
    free("address1_line1"),
    free("address1_line2"),
    free("address1_postofficebox"),
    free("address1_city"),
    free("address1_stateorprovince"),
    free("address1_postalcode"),
    free("address1_country"),
    free("address2_line1"),
    free("address2_line2"),
    free("address2_postofficebox"),
    free("address2_city"),
    free("address2_stateorprovince"),
    free("address2_postalcode"),
    free("address2_country"),
    free("address3_line1"),
    free("address3_line2"),
    free("address3_postofficebox"),
    free("address3_city"),
    free("address3_stateorprovince"),
    free("address3_postalcode"),
    free("address3_country"),
];

const TASK: &[FieldRule] = &[
    free("subject"),
    free("description"),
    free("scheduledstart"),
    free("scheduledend"),
    free("actualend"),
    free("percentcomplete"),
    fixed("prioritycode"),
    fixed("statuscode"),
];

const APPOINTMENT: &[FieldRule] = &[
    free("subject"),
    free("location"),
    free("description"),
    fixed("scheduledstart"),
    fixed("scheduledend"),
    fixed("isalldayevent"),
    fixed("prioritycode"),
    fixed("statuscode"),
    fixed("organizer"),
    fixed("requiredattendees"),
    fixed("optionalattendees"),
    fixed("recurrence"),
];

/// A message is filed once and never edited on either side.
const EMAIL: &[FieldRule] = &[
    one_way("subject", Direction::ToCrm),
    one_way("description", Direction::ToCrm),
    one_way("from", Direction::ToCrm),
    one_way("to", Direction::ToCrm),
    one_way("cc", Direction::ToCrm),
    one_way("bcc", Direction::ToCrm),
    one_way("messageid", Direction::ToCrm),
    one_way("inreplyto", Direction::ToCrm),
    one_way("conversationindex", Direction::ToCrm),
    one_way("senton", Direction::ToCrm),
    one_way("directioncode", Direction::ToCrm),
    one_way("prioritycode", Direction::ToCrm),
    one_way("attachments", Direction::ToCrm),
];
