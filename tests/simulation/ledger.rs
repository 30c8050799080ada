//! What people did. Every edit writes something that was never written before, so that what becomes of it can be seen; and it
//! is noted what its author had before them, since that is what the edit was meant to replace.

use std::collections::{BTreeMap, BTreeSet};

use liaison::model::{Class, Field, Fields, ItemId, Side, Value};

/// A thing of the history.
pub type Thing = (Class, u32);

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Who was made, and where.
    pub things: BTreeMap<Thing, Side>,
    /// By what was written.
    pub edits: BTreeMap<u32, Edit>,
    pub deletions: BTreeSet<(Thing, Side)>,
    /// Which installations knew, when a thing was deleted on a side, what its other half was.
    pub knew: BTreeSet<(Thing, Side, usize)>,
    /// Rows that were out of the sync filter at some time.
    pub left: BTreeSet<Thing>,
    /// What was given another place in the mailbox, from where and to where, in order.
    pub moved: Vec<(Thing, ItemId, ItemId)>,
    /// What was moved when the mailbox showed something else than it holds: it was in no place where it was looked for.
    pub astray: BTreeSet<Thing>,
    /// Properties that only the mailbox has.
    pub own: BTreeMap<u32, Thing>,
}

/// One edit of one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    pub thing: Thing,
    pub side: Side,
    pub field: &'static str,
    /// Whether the field was emptied.
    pub empties: bool,
    /// Somebody replaced it who saw it.
    pub is_replaced: bool,
    /// It was known to a memory alone that was lost: it stood in a list of conflicts, or it emptied a field.
    pub is_forfeit: bool,
}

/// What a field shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    Empty,
    Token(u32),
    Strange,
}

/// How something is written, so that it can be found.
pub fn token(number: u32, is_long: bool) -> String {
    if is_long { format!("t{number} and so on and so forth") } else { format!("t{number}") }
}

/// What a field shows; plug-ins may have cut it or written it in capitals.
pub fn sight(fields: &Fields, field: &'static str) -> Sight {
    match fields.get(&Field::of(field)) {
        None => Sight::Empty,
        Some(Value::Text(text) | Value::Cut(text)) => written(text),
        Some(_) => Sight::Strange,
    }
}

/// What is written here.
pub fn written(text: &str) -> Sight {
    let word = text.split_whitespace().next().unwrap_or_default();
    let digits = word.strip_prefix(['t', 'T']).map(|rest| rest.trim_end_matches('…'));
    digits.and_then(|digits| digits.parse().ok()).map_or(Sight::Strange, Sight::Token)
}

impl Ledger {
    /// Somebody wrote something where this stood.
    pub fn edit(&mut self, number: u32, edit: Edit, before: Sight) {
        self.replace(edit.thing, edit.field, before);
        self.edits.insert(number, edit);
    }

    /// Somebody deleted a thing that said this.
    pub fn delete(&mut self, thing: Thing, side: Side, fields: &Fields) {
        for field in super::history::fields(thing.0) {
            self.replace(thing, field, sight(fields, field));
        }
        self.deletions.insert((thing, side));
    }

    fn replace(&mut self, thing: Thing, field: &'static str, before: Sight) {
        match before {
            Sight::Token(number) => {
                if let Some(edit) = self.edits.get_mut(&number) {
                    edit.is_replaced = true;
                }
            }
            Sight::Empty => {
                let edits = self.edits.values_mut();
                for edit in edits.filter(|edit| edit.thing == thing && edit.field == field) {
                    edit.is_replaced |= edit.empties;
                }
            }
            Sight::Strange => {}
        }
    }

    /// Nobody remembers any more what there was where a field was emptied.
    pub fn forget_emptied(&mut self) {
        self.edits.values_mut().for_each(|edit| edit.is_forfeit |= edit.empties);
    }

    /// What nobody replaced.
    pub fn standing(&self) -> impl Iterator<Item = (u32, &Edit)> {
        let edits = self.edits.iter().filter(|(_, edit)| !edit.is_replaced && !edit.is_forfeit);
        edits.map(|(number, edit)| (*number, edit))
    }

    pub fn is_deleted(&self, thing: Thing, side: Side) -> bool {
        self.deletions.contains(&(thing, side))
    }
}
