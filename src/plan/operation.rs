//! What a plan is made of: plain values that can be compared, printed, stored by key and held.

use std::collections::BTreeSet;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::model::{Class, Field, Fields, ItemId, LinkId, Patch, Side, Uid, Value, Version};

/// What is to be done about one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub class: Class,
    /// The link, where there is one already.
    pub link: Option<LinkId>,
    /// The item; `None` where it is still to be made.
    pub item: Option<ItemId>,
    /// The record: where it is to be made, the id it will have.
    pub record: Option<ItemId>,
    pub uid: Uid,
    pub action: Action,
    pub reason: Reason,
    /// Fields that both sides changed differently.
    pub contests: Vec<Contest>,
}

/// What becomes of the pair.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Both sides are brought to one value, field by field; a half that is not there is made.
    Merge(Merge),
    /// The half on this side, which says this, is deleted, if it still is this version, and the link forgotten.
    Delete { side: Side, expect: Version, says: Fields },
    /// One half is gone and the other stays; the link remembers it. No remote write.
    Release { gone: Side },
    /// Nothing is left of the pair. No remote write.
    Forget,
}

/// The outcome of a merge.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Merge {
    pub to_item: Option<Change>,
    pub to_record: Option<Change>,
    /// Fields on which both sides agree as they stand, or by rule need not: their bases move without a write.
    pub settled: BTreeSet<Field>,
}

/// A write to one side.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The version that the change was worked out from; `None` makes a new one.
    pub expect: Option<Version>,
    pub patch: Patch,
    /// What it writes over: what stands in the fields of the patch.
    pub over: Fields,
}

/// A field that both sides changed differently, with both values.
#[derive(Debug, Clone, PartialEq)]
pub struct Contest {
    /// `None`: the thing as a whole, deleted on the side without a value and changed on the other.
    pub field: Option<Field>,
    pub item: Option<Value>,
    pub record: Option<Value>,
    /// Who won by policy; `None` waits for a person, and nothing was written.
    pub winner: Option<Side>,
}

/// Why a step is planned: what `explain`, `history` and the journal show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// An item takes part by this rule.
    Tracked(String),
    /// A record is in the sync filter.
    Filtered,
    /// A side changed.
    Changed(Side),
    BothChanged,
    /// Both were there before and belong together by this evidence.
    Twins(Evidence),
    /// As `Tracked` or `Filtered`, but something much alike stands on the other side: a person should look.
    Ambiguous,
    Deleted(Side),
    DeletedAndChanged(Side),
    LeftFilter,
    BothGone,
    /// An appointment became a series, or the other way round: this is the row that it was.
    Converted,
    /// A person chose.
    Chosen,
}

/// How a pair was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// One was made from the other: the derived id says so.
    Name,
    /// The same global id (`globalobjectid`).
    Uid,
    /// Contacts: an e-mail address and the name.
    AddressAndName,
    /// Appointments and tasks: subject and times.
    SubjectAndTimes,
}

/// The identity of a step with all it would write: an approval is given for this and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub String);

impl Step {
    /// Whether anything is written to a side.
    pub fn writes(&self) -> bool {
        self.write_to(Side::Mailbox).is_some() || self.write_to(Side::Crm).is_some()
    }

    /// What is written to this side.
    pub fn write_to(&self, side: Side) -> Option<Kind> {
        let kind =
            |change: &Change| if change.expect.is_some() { Kind::Update } else { Kind::Create };
        match (&self.action, side) {
            (Action::Merge(merge), Side::Mailbox) => merge.to_item.as_ref().map(kind),
            (Action::Merge(merge), Side::Crm) => merge.to_record.as_ref().map(kind),
            (Action::Delete { side: on, .. }, _) => (*on == side).then_some(Kind::Delete),
            (Action::Release { .. } | Action::Forget, _) => None,
        }
    }

    /// What the step is about and what kind of write it is, whatever the values: held steps are recognised by it.
    pub fn subject(&self) -> String {
        let name = |id: Option<&ItemId>| id.map_or("", ItemId::as_str).to_owned();
        let kind = |side| self.write_to(side).map_or("-", Kind::as_str);
        format!(
            "{} {} | {} | {} {}",
            self.class,
            name(self.item.as_ref()),
            name(self.record.as_ref()),
            kind(Side::Mailbox),
            kind(Side::Crm)
        )
    }

    /// What a subject says is done to a side: the inverse of [`Step::subject`] as far as that is asked.
    pub fn kind_in(subject: &str, side: Side) -> Option<Kind> {
        let (_, kinds) = subject.rsplit_once(" | ")?;
        let (mailbox, crm) = kinds.split_once(' ')?;
        let word = if side == Side::Mailbox { mailbox } else { crm };
        [Kind::Create, Kind::Update, Kind::Delete].into_iter().find(|kind| kind.as_str() == word)
    }

    /// The key of exactly this step: what becomes what. Versions are no part of it, since there are servers that change them by
    /// themselves, and nobody could approve anything there.
    pub fn key(&self) -> Key {
        let mut hash = Sha256::new();
        hash.update(self.subject());
        let mut part = |change: &Option<Change>| {
            let Some(change) = change else { return };
            hash.update("\0\0");
            for (field, new) in &change.patch {
                hash.update(format!("\0{field}"));
                for value in [change.over.get(field), new.as_ref()] {
                    digest(&mut hash, value);
                }
            }
        };
        match &self.action {
            Action::Merge(merge) => {
                part(&merge.to_item);
                part(&merge.to_record);
            }
            Action::Delete { says, .. } => {
                for (field, value) in says {
                    hash.update(format!("\0{field}"));
                    digest(&mut hash, Some(value));
                }
            }
            Action::Release { .. } | Action::Forget => {}
        }
        let whole = format!("{:x}", hash.finalize());
        Key(whole.chars().take(32).collect())
    }
}

fn digest(hash: &mut Sha256, value: Option<&Value>) {
    hash.update(format!("\0{value:?}\0"));
    hash.update(value.map(ToString::to_string).unwrap_or_default());
}

/// The kind of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Create,
    Update,
    Delete,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for Step {
    /// One line without content: ids, kinds of write and names of fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |side| match side {
            Side::Mailbox => self.item.as_ref().map_or("new item", ItemId::as_str),
            Side::Crm => self.record.as_ref().map_or("new record", ItemId::as_str),
        };
        let mut parts = Vec::new();
        for side in [Side::Crm, Side::Mailbox] {
            if let Some(kind) = self.write_to(side) {
                parts.push(format!(
                    "{} {} in {side}{}",
                    kind.as_str(),
                    place(side),
                    self.fields_of(side, kind)
                ));
            }
        }
        if parts.is_empty() {
            let word = match &self.action {
                Action::Release { gone } => format!("keep what is left, gone in {gone}"),
                Action::Forget => "forget".to_owned(),
                Action::Merge(_) | Action::Delete { .. } => "note".to_owned(),
            };
            parts.push(format!("{word} {} = {}", place(Side::Mailbox), place(Side::Crm)));
        }
        write!(f, "{}: {} ({})", self.class, parts.join("; "), self.reason)
    }
}

impl Step {
    fn fields_of(&self, side: Side, kind: Kind) -> String {
        let Action::Merge(merge) = &self.action else { return String::new() };
        let change = match side {
            Side::Mailbox => &merge.to_item,
            Side::Crm => &merge.to_record,
        };
        match (kind, change) {
            (Kind::Update, Some(change)) => {
                let names: Vec<&str> = change.patch.keys().map(Field::as_str).collect();
                format!(": {}", names.join(", "))
            }
            _ => String::new(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tracked(rule) => write!(f, "tracked: {rule}"),
            Self::Filtered => f.write_str("in the sync filter"),
            Self::Changed(side) => write!(f, "changed in the {side}"),
            Self::BothChanged => f.write_str("changed on both sides"),
            Self::Twins(evidence) => write!(f, "on both sides already: {evidence}"),
            Self::Ambiguous => f.write_str("much like something on the other side"),
            Self::Deleted(side) => write!(f, "deleted in the {side}"),
            Self::DeletedAndChanged(side) => {
                write!(f, "deleted in the {side}, changed on the other side")
            }
            Self::LeftFilter => f.write_str("left the sync filter"),
            Self::BothGone => f.write_str("gone on both sides"),
            Self::Converted => f.write_str("it stands in another table by now"),
            Self::Chosen => f.write_str("as chosen"),
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "one was made from the other",
            Self::Uid => "same global id",
            Self::AddressAndName => "same e-mail address and name",
            Self::SubjectAndTimes => "same subject and times",
        })
    }
}
