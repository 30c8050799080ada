//! Which edits go out together: as many as one request takes, in the order of entry, none before what it rests on. Pure.
//!
//! An edit rests on an earlier one of the same row, and on the create of a row it refers to. A delete rests also on every earlier
//! edit that refers to its row: with an account the service deletes the contacts that were not moved away from it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::outbox::mentions;
use crate::connector::records::MAX_OPERATIONS;
use crate::model::row::RowId;
use crate::store::replica::outbox::{Edit, Kind, State};

/// About how many bytes of values go into one request.
const MAX_BYTES: usize = 6 << 20;

/// What goes out next.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wave {
    /// Rows to look at: of edits whose fate is not known, or whose row was changed meanwhile.
    pub looks: Vec<Edit>,
    pub writes: Vec<Edit>,
    /// Edits that wait for a parked one: number and the parked one's.
    pub blocked: Vec<(i64, i64)>,
}

/// Why an edit does not go out with this wave.
#[derive(Clone, Copy)]
struct Root {
    number: i64,
    is_parked: bool,
}

#[derive(Default)]
struct Held {
    rows: BTreeMap<RowId, Root>,
    creates: BTreeMap<RowId, Root>,
    mentioned: BTreeMap<RowId, Root>,
}

impl Held {
    fn hold(&mut self, edit: &Edit, root: Root) {
        self.rows.entry(edit.row.clone()).or_insert(root);
        if edit.kind == Kind::Create {
            self.creates.entry(edit.row.clone()).or_insert(root);
        }
        for row in mentions(edit) {
            self.mentioned.entry(row).or_insert(root);
        }
    }

    /// What this edit rests on.
    fn under(&self, edit: &Edit) -> Option<Root> {
        let delete = || match edit.kind {
            Kind::Delete => self.mentioned.get(&edit.row).copied(),
            Kind::Create | Kind::Update => None,
        };
        let referred = || mentions(edit).find_map(|row| self.creates.get(&row).copied());
        self.rows.get(&edit.row).copied().or_else(referred).or_else(delete)
    }
}

/// The next wave of these edits, which are in the order of entry.
pub fn next(edits: Vec<Edit>) -> Wave {
    behind(edits, Held::default())
}

/// As [`next`], of edits entered after some of which it is not noted yet what became of them.
pub fn beside(edits: Vec<Edit>, under_way: &[Edit]) -> Wave {
    let mut held = Held::default();
    for edit in under_way {
        held.hold(edit, Root { number: edit.number, is_parked: false });
    }
    behind(edits, held)
}

fn behind(edits: Vec<Edit>, mut held: Held) -> Wave {
    let mut wave = Wave::default();
    let mut going = BTreeSet::new();
    let mut mentioned = BTreeSet::new();
    let mut bytes = 0;
    for edit in edits {
        let later = Root { number: edit.number, is_parked: false };
        if edit.state == State::Parked {
            held.hold(&edit, Root { is_parked: true, ..later });
            continue;
        }
        if let Some(root) = held.under(&edit) {
            if root.is_parked {
                wave.blocked.push((edit.number, root.number));
            }
            held.hold(&edit, root);
            continue;
        }
        let is_full = wave.looks.len() + wave.writes.len() >= MAX_OPERATIONS || bytes > MAX_BYTES;
        let is_unseen = edit.version.is_empty() && edit.kind != Kind::Create;
        let behind = going.contains(&edit.row)
            || (edit.kind == Kind::Delete && mentioned.contains(&edit.row));
        if is_full || behind {
            held.hold(&edit, later);
            continue;
        }
        if edit.state == State::Look || is_unseen {
            held.hold(&edit, later);
            wave.looks.push(edit);
            continue;
        }
        bytes += weight(&edit);
        going.insert(edit.row.clone());
        mentioned.extend(mentions(&edit));
        wave.writes.push(edit);
    }
    wave
}

fn weight(edit: &Edit) -> usize {
    let values = edit.edits.iter().map(|(column, change)| {
        column.len() + change.ours.as_str().map_or(64, |text| text.len() * 2)
    });
    512 + values.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::Value as Json;
    use uuid::Uuid;

    use super::*;
    use crate::model::row::{Change, Edits, lookup};

    fn row(id: u128) -> RowId {
        RowId::new("account", Uuid::from_u128(id))
    }

    fn edit(number: i64, kind: Kind, of: u128, to: Option<u128>) -> Edit {
        let ours = to.map_or(Json::Null, |to| lookup(&row(to), None));
        let edits = Edits::from([("parent".to_owned(), Change { base: Json::Null, ours })]);
        Edit {
            number,
            row: row(of),
            kind,
            version: "1".to_owned(),
            edits,
            name: String::new(),
            state: State::Waiting,
            attempts: 0,
            reason: String::new(),
            entered: Timestamp::UNIX_EPOCH,
        }
    }

    fn numbers(edits: &[Edit]) -> Vec<i64> {
        edits.iter().map(|edit| edit.number).collect()
    }

    #[test]
    fn what_rests_on_another_goes_behind_it() {
        let edits = vec![
            edit(1, Kind::Create, 1, None),
            edit(2, Kind::Create, 2, Some(1)), // in the same request, behind it
            // What it was made on is not known before the answer.
            Edit { version: String::new(), ..edit(3, Kind::Update, 1, None) },
            edit(4, Kind::Update, 4, Some(5)),
            edit(5, Kind::Delete, 5, None), // only when 4 is done
            edit(6, Kind::Update, 6, None),
        ];
        let wave = next(edits);
        assert_eq!(numbers(&wave.writes), [1, 2, 4, 6]);
        assert!(wave.looks.is_empty());
        assert_eq!(wave.blocked, []);
    }

    #[test]
    fn what_rests_on_what_is_under_way_waits() {
        let under_way = [edit(1, Kind::Create, 1, None), edit(2, Kind::Update, 2, Some(9))];
        let edits = vec![
            edit(3, Kind::Create, 3, Some(1)),
            edit(4, Kind::Update, 2, None),
            edit(5, Kind::Delete, 9, None),
            edit(6, Kind::Create, 6, Some(3)),
            edit(7, Kind::Update, 7, Some(9)),
        ];
        assert_eq!(numbers(&beside(edits, &under_way).writes), [7]);
    }

    #[test]
    fn what_rests_on_a_parked_one_waits_with_it() {
        let parked = Edit { state: State::Parked, ..edit(1, Kind::Create, 1, None) };
        let looked = Edit { state: State::Look, ..edit(4, Kind::Update, 4, None) };
        let edits = vec![
            parked,
            edit(2, Kind::Create, 2, Some(1)),
            edit(3, Kind::Create, 3, Some(2)),
            looked,
            edit(5, Kind::Create, 5, Some(4)), // the row is there: only its change is open
            edit(6, Kind::Update, 4, None),
        ];
        let wave = next(edits);
        assert_eq!(numbers(&wave.writes), [5]);
        assert_eq!(numbers(&wave.looks), [4]);
        assert_eq!(wave.blocked, [(2, 1), (3, 1)]);
    }

    #[test]
    fn a_request_holds_no_more_than_it_may() {
        let edits =
            (0..2500).map(|number| edit(number, Kind::Create, number.unsigned_abs().into(), None));
        let wave = next(edits.collect());
        assert_eq!(wave.writes.len(), MAX_OPERATIONS);
        assert_eq!(wave.writes.first().map(|edit| edit.number), Some(0));
    }
}
