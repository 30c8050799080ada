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
    /// Rows that were out of the sync filter at some time, or were not listed although they were in it.
    pub left: BTreeSet<Thing>,
    /// What was given another place in the mailbox, from where and to where, in order.
    pub moved: Vec<(Thing, ItemId, ItemId)>,
    /// Messages that were moved when the mailbox showed something else than it holds: they were in no place where they were looked for.
    pub astray: BTreeSet<Thing>,
    /// Properties that only the mailbox has.
    pub own: BTreeMap<u32, Thing>,
    /// Edits that were entered away from the CRM, by what was written.
    pub entered: BTreeMap<u32, Entered>,
    /// Things that were made there, and how often that took place.
    pub drafts: BTreeMap<Thing, Draft>,
    /// Deletions that were entered at an installation, and what their author had before them.
    pub removals: BTreeMap<(Thing, usize), Seen>,
    /// Those of them that took place.
    pub removed: BTreeSet<(Thing, usize)>,
    /// Words whose author took them back before they were there.
    pub dropped: BTreeSet<u32>,
    /// Mails that the CRM wants sent.
    pub mails: BTreeMap<u32, Wanted>,
    /// What went wrong at once, whatever comes of it.
    pub wrong: Vec<String>,
}

/// What somebody has before them, by field.
pub type Seen = BTreeMap<&'static str, Sight>;

/// An edit that was entered away from the CRM. It replaces what its author saw when it takes place, and nothing else.
#[derive(Debug, Clone)]
pub struct Entered {
    pub site: usize,
    /// How often its author wanted it.
    pub wanted: usize,
    /// What they had before them then, and what that was to replace if it never left.
    pub saw: BTreeSet<Sight>,
    /// How often it took place.
    pub times: usize,
    /// The program was told that it did.
    pub is_answered: bool,
}

/// What people wanted of a mail.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// How often it may leave once more: it was taken back after it had left, and sent again, or nothing that is left knows that it had.
    pub again: usize,
    pub is_taken_back: bool,
}

/// A thing that was made away from the CRM.
#[derive(Debug, Clone, Copy, Default)]
pub struct Draft {
    pub site: usize,
    pub times: usize,
    pub is_answered: bool,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
        let names = super::history::fields(thing.0).iter();
        self.delete_seen(thing, side, &names.map(|name| (*name, sight(fields, name))).collect());
    }

    fn delete_seen(&mut self, thing: Thing, side: Side, seen: &Seen) {
        for (field, sight) in seen {
            self.supersede(thing, field, *sight);
        }
        self.deletions.insert((thing, side));
    }

    /// Somebody wrote something away from the CRM.
    pub fn enter(
        &mut self,
        site: usize,
        number: u32,
        (thing, field): (Thing, &'static str),
        saw: Sight,
    ) {
        let (wanted, saw) = (1, self.take_over(site, (thing, field), saw));
        let (side, empties) = (Side::Crm, false);
        let edit = Edit { thing, side, field, empties, is_replaced: false, is_forfeit: false };
        self.edits.insert(number, edit);
        let entered = Entered { site, wanted, saw, times: 0, is_answered: false };
        self.entered.insert(number, entered);
    }

    /// Somebody enters something over this: what was entered here, and did not leave yet, is made another. What it is over then.
    fn take_over(
        &mut self,
        site: usize,
        (thing, field): (Thing, &'static str),
        saw: Sight,
    ) -> BTreeSet<Sight> {
        let mut all = BTreeSet::from([saw]);
        if let Sight::Token(before) = saw
            && let Some(before) = self.entered.get(&before)
            && before.site == site
            && before.times == 0
        {
            all.extend(before.saw.iter().copied());
            self.replace(thing, field, saw);
        }
        all
    }

    /// Somebody wants it all the same, who saw what stands there by now.
    pub fn enter_again(&mut self, number: u32, saw: Sight) {
        let Some(edit) = self.edits.get(&number).cloned() else { return };
        let Some(site) = self.entered.get(&number).map(|entered| entered.site) else { return };
        let saw = self.take_over(site, (edit.thing, edit.field), saw);
        self.dropped.remove(&number);
        if let Some(entered) = self.entered.get_mut(&number) {
            entered.saw.extend(saw);
            entered.wanted += 1;
            entered.is_answered = false;
        }
    }

    pub fn enter_thing(&mut self, site: usize, thing: Thing) {
        self.things.insert(thing, Side::Crm);
        self.drafts.insert(thing, Draft { site, ..Draft::default() });
    }

    /// A thing that was only entered is taken back: it never was. What else the copy does not have, the power took from it.
    pub fn undo(&mut self, thing: Thing) {
        if self.drafts.get(&thing).is_none_or(|draft| draft.times > 0) {
            return;
        }
        self.things.remove(&thing);
        self.drafts.remove(&thing);
        self.edits.retain(|_, edit| edit.thing != thing);
    }

    /// Its author has it say something else: so does what was entered over it.
    pub fn correct(&mut self, site: usize, (old, new): (u32, u32), of: (Thing, &'static str)) {
        let is_replaced = self.edits.get(&old).is_some_and(|edit| edit.is_replaced);
        for entered in self.entered.values_mut() {
            if entered.saw.contains(&Sight::Token(old)) {
                entered.saw.insert(Sight::Token(new));
            }
        }
        let seen = self.removals.get_mut(&(of.0, site)).into_iter().flat_map(BTreeMap::values_mut);
        seen.filter(|sight| **sight == Sight::Token(old))
            .for_each(|sight| *sight = Sight::Token(new));
        self.enter(site, new, of, Sight::Token(old));
        if let Some(edit) = self.edits.get_mut(&new) {
            edit.is_replaced = is_replaced;
        }
    }

    /// Their author takes these words back, which did not leave yet.
    pub fn drop_words(&mut self, words: BTreeSet<u32>) {
        self.edits.iter_mut().for_each(|(number, edit)| edit.is_forfeit |= words.contains(number));
        self.dropped.extend(words);
    }

    pub fn enter_removal(&mut self, site: usize, thing: Thing, seen: Seen) {
        self.removals.insert((thing, site), seen);
    }

    /// An edit that was entered took place, where this stood, or in a new thing. It may take place again only if nobody told the program that it did,
    /// and what its author saw stands there again: that nobody can tell from an edit that never arrived.
    pub fn take(&mut self, number: u32, stood: Sight, is_new: bool) {
        let Some(entered) = self.entered.get_mut(&number) else {
            self.wrong.push(format!("O12 nobody entered t{number}"));
            return;
        };
        if self.dropped.contains(&number) {
            self.wrong.push(format!("O13 t{number} took place after its author took it back"));
        }
        entered.times += 1;
        let (is_open, saw_it) = (!entered.is_answered, entered.saw.contains(&stood));
        let is_alike = is_open && (saw_it || is_new);
        if entered.times > entered.wanted && !is_alike {
            self.wrong.push(format!("O13 t{number} took place {} times", entered.times));
        }
        let Some(edit) = self.edits.get(&number).cloned() else { return };
        for saw in self.entered[&number].saw.clone() {
            self.supersede(edit.thing, edit.field, saw);
        }
    }

    /// Somebody replaced this who saw it, and with it all that it was entered to replace.
    fn supersede(&mut self, thing: Thing, field: &'static str, seen: Sight) {
        let mut rest = vec![seen];
        let mut known = BTreeSet::new();
        while let Some(sight) = rest.pop() {
            self.replace(thing, field, sight);
            if let Sight::Token(number) = sight
                && known.insert(number)
            {
                rest.extend(self.entered.get(&number).into_iter().flat_map(|it| it.saw.clone()));
            }
        }
    }

    /// A thing that was entered was made.
    pub fn make(&mut self, thing: Thing) {
        let is_deleted =
            [Side::Mailbox, Side::Crm].into_iter().any(|side| self.is_deleted(thing, side));
        let Some(draft) = self.drafts.get_mut(&thing) else {
            self.wrong.push(format!("O12 nobody entered {} {}", thing.0, thing.1));
            return;
        };
        draft.times += 1;
        if draft.times > 1 && (draft.is_answered || !is_deleted) {
            self.wrong.push(format!("O13 {} {} was made {} times", thing.0, thing.1, draft.times));
        }
    }

    /// Whether a thing was made once more: somebody deleted it before the program was told that it was made.
    pub fn is_remade(&self, thing: Thing) -> bool {
        self.drafts.get(&thing).is_some_and(|draft| draft.times > 1)
    }

    /// A deletion that was entered took place.
    pub fn remove(&mut self, site: usize, thing: Thing) {
        match self.removals.get(&(thing, site)).cloned() {
            Some(seen) => {
                self.removed.insert((thing, site));
                self.delete_seen(thing, Side::Crm, &seen);
            }
            None => self.wrong.push(format!("O12 nobody deleted {} {}", thing.0, thing.1)),
        }
    }

    /// The program knows that this took place.
    pub fn answer(&mut self, words: impl Iterator<Item = u32>, thing: Option<Thing>) {
        for number in words {
            if let Some(entered) = self.entered.get_mut(&number) {
                entered.is_answered = true;
            }
        }
        if let Some(draft) = thing.and_then(|thing| self.drafts.get_mut(&thing)) {
            draft.is_answered = true;
        }
    }

    /// An installation forgets what it was told since it last promised anything.
    pub fn forget_answers(&mut self, site: usize) {
        let entered = self.entered.values_mut().filter(|entered| entered.site == site);
        entered.for_each(|entered| entered.is_answered = false);
        let drafts = self.drafts.values_mut().filter(|draft| draft.site == site);
        drafts.for_each(|draft| draft.is_answered = false);
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
