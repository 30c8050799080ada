//! What somebody entered away from the CRM, and takes back, or says otherwise, before it is there.

use std::sync::Arc;

use liaison::offline::outbox;
use liaison::store::replica::outbox::{Edit, Kind};
use liaison::store::replica::row as rows;
use serde_json::json;

use super::desk::{class_of, number_of, thing_of, tokens_of};
use super::ledger::{Thing, token};
use super::office::Office;
use super::rows::{TABLES, definition};

impl Office {
    /// The user takes back what waits in this place of the list.
    pub fn take_back_entry(self: &Arc<Self>, number: usize, place: usize) {
        let queue = self.queue(number);
        let Some(edit) = queue.get(place % queue.len().max(1)).cloned() else { return };
        let of = self.thing_in(number, &edit);
        let definitions = TABLES
            .iter()
            .filter_map(|(table, _)| Some(((*table).to_owned(), definition(table)?)))
            .collect();
        let store = self.copy(number).with_probe(self.copy_probe(number));
        let id = edit.number;
        let done = store.promise_blocking(move |tx| outbox::drop_edit(tx, &definitions, id));
        self.bury(number);
        // Where the program died, it may be taken back, although nobody was told.
        let queue = self.queue(number);
        let is_there = queue.iter().any(|it| it.number == id);
        // They wanted it deleted more than once.
        let is_left = queue.iter().any(|it| (it.kind, &it.row) == (Kind::Delete, &edit.row));
        let mut ledger = self.ledger.lock().unwrap();
        if is_there {
            if matches!(done, Ok(Ok(_))) {
                ledger.wrong.push(format!("O12 edit {id} was taken back, and waits"));
            }
            return;
        }
        ledger.drop_words(tokens_of(&edit));
        match (edit.kind, of) {
            (Kind::Create, Some(of)) => ledger.undo(of),
            (Kind::Delete, Some(of)) if !is_left => drop(ledger.removals.remove(&(of, number))),
            (Kind::Create | Kind::Update | Kind::Delete, _) => {}
        }
        drop(ledger);
        self.note(|| format!("    {number}, taken back: {:?} of {of:?}", edit.kind));
    }

    /// The user has what waits in this place of the list say something else.
    pub fn correct_entry(self: &Arc<Self>, number: usize, place: usize, new: u32) {
        let mut queue = self.queue(number);
        queue.retain(|edit| edit.kind != Kind::Delete && !tokens_of(edit).is_empty());
        let Some(edit) = queue.get(place % queue.len().max(1)) else { return };
        let mut words = edit.edits.iter();
        let word = words.find_map(|(name, change)| Some((name, number_of(&change.ours)?)));
        let (Some((column, old)), Some(definition)) = (word, definition(&edit.row.table)) else {
            return;
        };
        let values = [(column.clone(), json!(token(new, false)))].into();
        let store = self.copy(number).with_probe(self.copy_probe(number));
        let id = edit.number;
        let done = store.promise_blocking(move |tx| outbox::correct(tx, &definition, id, values));
        self.bury(number);
        let is_there = self.queue(number).iter().any(|it| tokens_of(it).contains(&new));
        let mut ledger = self.ledger.lock().unwrap();
        if !is_there {
            if matches!(done, Ok(Ok(_))) {
                ledger.wrong.push(format!("O12 t{new} was acknowledged, and is nowhere"));
            }
            return;
        }
        let of = ledger.edits.get(&old).map(|edit| (edit.thing, edit.field));
        if let Some(of) = of {
            ledger.correct(number, (old, new), of);
        }
        drop(ledger);
        self.note(|| format!("    {number}, corrected: t{old} is t{new} now"));
    }

    /// What an edit is about.
    fn thing_in(&self, number: usize, edit: &Edit) -> Option<Thing> {
        let row = edit.row.clone();
        let kept = self.copy(number).read_blocking(move |db| rows::get(db, &row)).unwrap();
        let mut values = kept.map(|kept| kept.values).unwrap_or_default();
        let shown = self.row(number, &edit.row).0;
        values.extend(shown.into_iter().flat_map(|view| view.values));
        thing_of(class_of(&edit.row.table)?, &values)
    }
}
