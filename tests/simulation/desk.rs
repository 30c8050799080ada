//! Work away from the CRM: what is entered into the copy of an installation, how it goes to the organisation once that can be
//! reached, and what its author says about what waits. It takes place in an office like everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;
use liaison::connector::Result;
use liaison::connector::records::{Action, Found, Operation, Outcome, Records};
use liaison::model::row::Values;
use liaison::model::{Class, ItemId, RowId, Side};
use liaison::offline::desk::Wish;
use liaison::offline::filters::Chosen;
use liaison::offline::outbox::{self, Entered};
use liaison::offline::replay;
use liaison::offline::{Desk, replica, view};
use liaison::store::replica::collision::{self, Choice, Collision};
use liaison::store::replica::outbox::{self as queue, Edit, Kind, State};
use liaison::store::replica::{self as copy, row as rows};
use liaison::store::{AFTER_COMMIT, AFTER_PROMISE, Probe, Store};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::history::{Act, Happening, What, fields};
use super::ledger::{Seen, Sight, Thing, token, written};
use super::office::{Office, ROUNDS, SLOWLY};
use super::rows::{Rows, TABLES, definition, record_of, row_of, title};
use super::servers::{key, thing};
use crate::support::disk::Disk;
use crate::support::faults::{Death, Fault, Point};
use crate::support::world::ORGANISATION;

/// Where somebody works away from the CRM.
pub struct Workplace {
    pub path: PathBuf,
    pub disk: Disk,
    pub store: Option<Store>,
    pub death: Option<Death>,
    /// What was entered is on its way.
    pub is_busy: bool,
    /// The program was told what became of some of it, and did not write that down yet.
    is_told: bool,
}

impl Workplace {
    pub fn new(path: PathBuf) -> Self {
        let disk = Disk::new(&path);
        Self { path, disk, store: None, death: None, is_busy: false, is_told: false }
    }
}

/// What a person has before them: a row, and what it says.
type Before = Option<(RowId, Values)>;

impl Office {
    /// Somebody enters something. Where the thing is not in the copy, nothing happens.
    ///
    /// # Errors
    /// With what went wrong.
    pub async fn enter(
        self: &Arc<Self>,
        number: usize,
        act: &Act,
    ) -> std::result::Result<(), String> {
        let Some((table, _)) = TABLES.iter().find(|(_, class)| *class == act.class) else {
            return Ok(());
        };
        let before = self.before(number, table, (act.class, act.thing));
        let Some((row, wish)) = wish(act, table, &before) else { return Ok(()) };
        let desk = self.desk(number, None);
        let entered = desk.enter(table, vec![wish]).await;
        drop(desk);
        let died = self.bury(number);
        let is_there = self.is_entered(number, act, &row);
        match entered {
            Ok(_) if !is_there => {
                return Err(format!("O12 {act} was acknowledged, and is nowhere"));
            }
            Err(error) if !died => return Err(format!("O12 {act} was not taken: {error}")),
            Ok(_) | Err(_) => {}
        }
        if is_there {
            self.note_entered(number, act, &row, before);
        }
        Ok(())
    }

    /// Whether something is to be found in the copy that was entered just now.
    fn is_entered(&self, number: usize, act: &Act, row: &RowId) -> bool {
        let (now, edits) = self.row(number, row);
        match &act.what {
            What::Make => now.is_some(),
            What::Delete => now.is_none_or(|view| view.is_deleted),
            What::Write { token, .. } => edits.iter().any(|edit| tokens_of(edit).contains(token)),
            _ => !edits.is_empty(),
        }
    }

    pub fn row(&self, number: usize, row: &RowId) -> (Option<view::View>, Vec<Edit>) {
        let row = row.clone();
        let found = self
            .copy(number)
            .read_blocking(move |db| Ok((view::get(db, &row)?, queue::of_row(db, &row)?)));
        found.unwrap()
    }

    fn before(&self, number: usize, table: &str, of: Thing) -> Before {
        let table = table.to_owned();
        let views = self.copy(number).read_blocking(move |db| view::list(db, &table)).unwrap();
        let is_it = |view: &view::View| thing_of(of.0, &view.values) == Some(of);
        views.into_iter().find(is_it).map(|view| (view.row, view.values))
    }

    fn note_entered(&self, number: usize, act: &Act, row: &RowId, before: Before) {
        let of = (act.class, act.thing);
        let was = before.map(|(_, values)| seen(act.class, &values)).unwrap_or_default();
        let is_gone = self.row(number, row).0.is_none();
        let mut ledger = self.ledger.lock().unwrap();
        match &act.what {
            What::Make => ledger.enter_thing(number, of),
            What::Delete if is_gone => ledger.undo(of),
            What::Delete => ledger.enter_removal(number, of, was),
            What::Write { field, token, .. } => {
                let saw = was.get(field).copied().unwrap_or(Sight::Empty);
                ledger.enter(number, *token, (of, field), saw);
            }
            _ => {}
        }
    }

    /// The organisation can be reached: what waits goes there, and the copy is brought up to date.
    ///
    /// # Errors
    /// With what went wrong.
    pub async fn online(self: &Arc<Self>, number: usize) -> std::result::Result<(), String> {
        let office = Arc::downgrade(self);
        let crm = Arc::new(Rows { site: number, all: Arc::clone(&self.servers), office });
        let desk = self.desk(number, Some(Arc::clone(&crm) as Arc<dyn Records>));
        self.sites[number].lock().unwrap().desk.is_busy = true;
        let replayed = replay::replay(&desk, crm.as_ref(), &|_, _| ()).await;
        let mut refreshed = None;
        if replayed.as_ref().is_ok_and(|report| report.stopped.is_none()) {
            let tables = TABLES.map(|(table, _)| table.to_owned()).to_vec();
            let chosen = Chosen { tables, filters: BTreeMap::new() };
            let done = replica::refresh(&desk, crm.as_ref(), &chosen, &|_, _, _| ()).await;
            refreshed = Some(done.map(drop));
        }
        drop(desk);
        self.sites[number].lock().unwrap().desk.is_busy = false;
        if self.bury(number) {
            return Ok(());
        }
        let report = replayed.map_err(|error| format!("O0 a replay failed: {error}"))?;
        self.note(|| {
            let (settled, collisions, parked) = (report.settled, report.collisions, report.parked);
            let stopped = report.stopped.as_ref().map_or("", |_| ", stopped");
            format!("    {number}, entered: {settled} settled, {collisions} contested, {parked} parked{stopped}")
        });
        match refreshed {
            Some(Err(liaison::offline::Error::Store(error))) => {
                Err(format!("O0 the copy was lost: {error}"))
            }
            _ => Ok(()),
        }
    }

    /// A person says what becomes of what waits for them: of the first of each kind that it is to be as they entered it.
    pub fn answer(self: &Arc<Self>, number: usize) {
        let now = self.sites[number].lock().unwrap().clock.now();
        self.retry_first(number);
        if self.bury(number) {
            return;
        }
        if let Some(first) = self.collisions(number).into_iter().next() {
            let store = self.copy(number).with_probe(self.copy_probe(number));
            self.choose(number, &store, &first, now);
        }
        self.bury(number);
    }

    fn retry_first(self: &Arc<Self>, number: usize) {
        let store = self.copy(number).with_probe(self.copy_probe(number));
        let parked = self.queue(number).into_iter().find(|edit| edit.state == State::Parked);
        let Some(edit) = parked else { return };
        let kept = edit.row.clone();
        let kept = store.read_blocking(move |db| rows::get(db, &kept)).unwrap();
        let of = edit.number;
        let retried = store.promise_blocking(move |tx| outbox::retry(tx, of));
        // Where the program died, it may be entered, although nobody was told.
        if !matches!(retried, Ok(Err(_)))
            && edit.kind == Kind::Delete
            && let Some(kept) = kept
            && let Some(of) = class_of(&edit.row.table).and_then(|it| thing_of(it, &kept.values))
        {
            let was = seen(of.0, &kept.values);
            self.ledger.lock().unwrap().enter_removal(number, of, was);
        }
    }

    fn choose(&self, number: usize, store: &Store, of: &Collision, now: jiff::Timestamp) {
        let Some(definition) = definition(&of.row.table) else { return };
        let sight = |view: Option<view::View>| {
            let value = view.and_then(|view| view.values.get(&of.column).cloned());
            value.map_or(Sight::Empty, |value| sight_of(&value))
        };
        let saw = sight(self.row(number, &of.row).0);
        let chosen = (of.number, Choice::Mine);
        let done = store.promise_blocking(move |tx| outbox::choose(tx, &definition, chosen, now));
        let Sight::Token(token) = sight_of(&of.ours) else { return };
        let mut ledger = self.ledger.lock().unwrap();
        match done {
            Ok(Ok(Entered::Edit { .. })) => ledger.enter_again(token, saw),
            // It may be entered, although nobody was told.
            Err(_) => ledger.enter_again(token, saw),
            Ok(_) => {}
        }
    }

    /// What waits goes there until nothing is left that can go; then the copy says what the organisation says.
    ///
    /// # Errors
    /// With what went wrong.
    pub async fn clear_desk(self: &Arc<Self>, number: usize) -> std::result::Result<(), String> {
        for _ in 0..ROUNDS {
            self.pass(std::time::Duration::from_hours(1));
            self.online(number).await?;
            let queue = self.queue(number);
            let waits = |edit: &Edit| edit.state == State::Parked;
            // What is entered here refers to no other row: an edit rests on those of its row.
            let rests = |edit: &Edit| queue.iter().any(|it| waits(it) && it.row == edit.row);
            if queue.iter().all(|edit| waits(edit) || rests(edit)) {
                return self.compare_copy(number);
            }
        }
        Err(format!("O7 what was entered at installation {number} does not come to its end"))
    }

    fn compare_copy(&self, number: usize) -> std::result::Result<(), String> {
        let entered: BTreeSet<RowId> =
            self.queue(number).into_iter().map(|edit| edit.row).collect();
        let there = self.servers.crm.lock().unwrap().clone();
        for (table, _) in TABLES {
            let kept = self.copy(number).read_blocking(move |db| rows::versions(db, table));
            let ids = there.crm.rows.keys().filter_map(|id| {
                let id = id.item_id();
                let row = row_of(&id).filter(|row| row.table == table && !entered.contains(row))?;
                let document = there.read(Side::Crm, &id).ok()?;
                Some((row.id, Some(document.version.as_str().to_owned())))
            });
            let there: BTreeMap<Uuid, Option<String>> = ids.collect();
            let is_open = |id: &Uuid| entered.contains(&RowId::new(table, *id));
            let kept = kept.unwrap().into_iter().filter(|(id, _)| !is_open(id));
            if kept.collect::<BTreeMap<_, _>>() != there {
                return Err(format!(
                    "O14 the copy of {number} is not what the CRM says of {table}"
                ));
            }
        }
        Ok(())
    }

    /// What was entered and is not at its end, in the order of entry: a person can look at it.
    pub fn queue(&self, number: usize) -> Vec<Edit> {
        self.copy(number).read_blocking(|db| queue::open(db, u32::MAX)).unwrap()
    }

    fn collisions(&self, number: usize) -> Vec<Collision> {
        self.copy(number).read_blocking(|db| collision::list(db, false)).unwrap()
    }

    /// Whether a person finds their deletion of a row among what was entered.
    pub fn lists_removal(&self, number: usize, id: &ItemId) -> bool {
        let row = row_of(id);
        let is_it = |edit: &Edit| edit.kind == Kind::Delete && Some(&edit.row) == row.as_ref();
        self.queue(number).iter().any(is_it)
    }

    /// What a person finds in the lists of what was entered: words that wait or lost, and things that are not made yet.
    pub fn listed(&self, number: usize) -> (BTreeSet<u32>, BTreeSet<Thing>) {
        let edits = self.queue(number);
        let mut words: BTreeSet<u32> = edits.iter().flat_map(tokens_of).collect();
        for collision in self.collisions(number) {
            words.extend(number_of(&collision.ours));
        }
        let made = edits.iter().filter(|edit| edit.kind == Kind::Create).filter_map(|edit| {
            let values = edit.edits.iter();
            let values = values.map(|(name, change)| (name.clone(), change.ours.clone())).collect();
            thing_of(class_of(&edit.row.table)?, &values)
        });
        (words, made.collect())
    }

    /// Something that was entered changed a row.
    pub fn took_place(&self, number: usize, operation: &Operation, before: Option<&Found>) {
        let Some(class) = class_of(&operation.row.table) else { return };
        let empty = Values::new();
        let was = before.map_or(&empty, |found| &found.values);
        let mut ledger = self.ledger.lock().unwrap();
        let (of, values) = match &operation.action {
            Action::Create(values) => (thing_of(class, values), values),
            Action::Update { values, .. } => (thing_of(class, was), values),
            Action::Read | Action::Delete { .. } => (thing_of(class, was), &empty),
        };
        let Some(of) = of else { return };
        match &operation.action {
            Action::Create(_) => ledger.make(of),
            Action::Delete { .. } => ledger.remove(number, of),
            Action::Update { .. } | Action::Read => {}
        }
        for (column, value) in values {
            if let Some(token) = number_of(value) {
                let stood = was.get(column).map_or(Sight::Empty, sight_of);
                ledger.take(token, stood, before.is_none());
            }
        }
        drop(ledger);
        if matches!(operation.action, Action::Delete { .. }) {
            let id = record_of(&operation.row).item_id();
            let mut ledger = self.ledger.lock().unwrap();
            self.note_who_knew(&mut ledger, of, Side::Crm, &id);
        }
        self.note(|| format!("    {number}, entered: {:?} of {} {}", operation.action, of.0, of.1));
    }

    /// The program was told what became of what it sent.
    pub fn answered(&self, number: usize, asked: &[Operation], told: &[Result<Outcome>]) {
        self.sites[number].lock().unwrap().desk.is_told = true;
        let mut ledger = self.ledger.lock().unwrap();
        for (operation, told) in asked.iter().zip(told) {
            if !matches!(told, Ok(Outcome::Written(_) | Outcome::Deleted)) {
                continue;
            }
            if let Action::Create(values) | Action::Update { values, .. } = &operation.action {
                let class = class_of(&operation.row.table);
                let of = class.and_then(|class| thing_of(class, values));
                ledger.answer(values.values().filter_map(number_of), of);
            }
        }
    }

    /// The way of what was entered: as of any other write.
    ///
    /// # Errors
    /// When the process is dead, or dies here.
    pub async fn reach_desk(self: Arc<Self>, number: usize, point: Point) -> Result<Option<Fault>> {
        if self.servers.nature.slow {
            self.pass(SLOWLY);
        }
        self.come_by((number, point), |site| &mut site.desk.death, Self::looks).await
    }

    /// The program itself has a round meanwhile.
    fn looks(self: Arc<Self>, number: usize, point: Point) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.note(|| format!("    {number} at `{point}`: it looks"));
            self.round_within(number).await;
        })
    }

    /// The copy of an installation, without stop points: for people and for the oracle.
    pub fn copy(&self, number: usize) -> Store {
        let mut site = self.sites[number].lock().unwrap();
        if site.desk.store.is_none() {
            site.desk.store = Some(copy::open(&site.desk.path).unwrap());
        }
        site.desk.store.clone().unwrap()
    }

    fn desk(self: &Arc<Self>, number: usize, crm: Option<Arc<dyn Records>>) -> Desk {
        let store = self.copy(number).with_probe(self.copy_probe(number));
        let clock = self.sites[number].lock().unwrap().clock.clone();
        Desk { store, clock, crm, zone: TimeZone::UTC }
    }

    pub fn copy_probe(self: &Arc<Self>, number: usize) -> Probe {
        let office = Arc::downgrade(self);
        Arc::new(move |stop| {
            let Some(office) = office.upgrade() else { return false };
            let mut site = office.sites[number].lock().unwrap();
            if stop.name == AFTER_PROMISE && site.may_lose_power() {
                site.desk.disk.flush();
            }
            if stop.name == AFTER_COMMIT {
                site.desk.is_told = false;
            }
            let point = Point::stop_of_copy(stop.name);
            if let Some(Happening::Fault(fault)) = site.come_by(point) {
                office.hit(point, fault);
                site.desk.death = Death::of(fault);
            }
            site.desk.death.is_none()
        })
    }

    /// Whether the process that worked with the copy died.
    pub fn bury(&self, number: usize) -> bool {
        let (death, is_told) = {
            let desk = &mut self.sites[number].lock().unwrap().desk;
            (desk.death.take(), std::mem::take(&mut desk.is_told))
        };
        let Some(death) = death else { return false };
        if is_told {
            self.ledger.lock().unwrap().forget_answers(number);
        }
        self.note(|| format!("what worked with the copy of {number} died: {death:?}"));
        if death == Death::Power {
            self.power_fails(number);
        }
        true
    }
}

/// The row that is meant, and what a person wants of it.
fn wish(act: &Act, table: &str, before: &Before) -> Option<(RowId, Wish)> {
    let title = title(act.class);
    let name = key(act.class, act.thing);
    let at = |text: &str| json!(text);
    if act.what == What::Make {
        let id = Uuid::new_v5(&ORGANISATION, name.as_bytes());
        let mut values = BTreeMap::from([(title.to_owned(), json!(name))]);
        match act.class {
            Class::Task => {
                values.insert("scheduledend".to_owned(), at("2030-01-05T12:00:00Z"));
            }
            Class::Appointment => {
                values.insert("scheduledstart".to_owned(), at("2030-01-05T10:00:00Z"));
                values.insert("scheduledend".to_owned(), at("2030-01-05T11:00:00Z"));
            }
            Class::Contact | Class::Email => {}
        }
        return Some((RowId::new(table, id), Wish::Create { id: Some(id), values }));
    }
    let (row, _) = before.as_ref()?;
    let key = row.id.to_string();
    let wish = match &act.what {
        What::Write { field, token: number, is_long } => {
            let values = BTreeMap::from([((*field).to_owned(), json!(token(*number, *is_long)))]);
            Wish::Update { row: key, values }
        }
        What::Delete => Wish::Delete { row: key },
        _ => return None,
    };
    Some((row.clone(), wish))
}

pub fn class_of(table: &str) -> Option<Class> {
    TABLES.iter().find(|(name, _)| *name == table).map(|(_, class)| *class)
}

pub fn thing_of(class: Class, values: &Values) -> Option<Thing> {
    let name = values.get(title(class)).and_then(Json::as_str)?;
    Some((class, thing(class, name)?))
}

fn sight_of(value: &Json) -> Sight {
    match value.as_str() {
        None | Some("") => Sight::Empty,
        Some(text) => written(text),
    }
}

pub fn number_of(value: &Json) -> Option<u32> {
    match sight_of(value) {
        Sight::Token(number) => Some(number),
        Sight::Empty | Sight::Strange => None,
    }
}

pub fn tokens_of(edit: &Edit) -> BTreeSet<u32> {
    edit.edits.values().filter_map(|change| number_of(&change.ours)).collect()
}

/// What a row shows in the fields that people write into.
fn seen(class: Class, values: &Values) -> Seen {
    let sight = |name: &&'static str| (*name, values.get(*name).map_or(Sight::Empty, sight_of));
    fields(class).iter().map(sight).collect()
}
