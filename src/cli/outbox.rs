//! `liaison outbox`: what was entered and is not in the CRM yet, what was refused, and what colleagues changed meanwhile.

use std::collections::BTreeMap;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value as Json, json};

use super::desk::{Place, told};
use super::output::{Answer, Page, count, short};
use super::record::assignments;
use super::status::moment;
use super::{Exit, Installation, Stop};
use crate::model::row;
use crate::offline::edit::Purpose;
use crate::offline::outbox as entering;
use crate::offline::replay::wave;
use crate::store::replica::collision::{self, Choice, Collision};
use crate::store::replica::outbox::{self, Edit, Kind, State};

/// How much of a value is shown.
const VALUE: usize = 60;

/// How many of those that came to their end are shown.
const SETTLED: u32 = 200;

/// Show what waits to be sent, and decide about what was refused
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison outbox list\n  liaison outbox edit 7 emailaddress1=ann@example.com\n  liaison outbox settle 3 mine    your value after all, not the colleague's"
)]
pub struct Outbox {
    #[command(subcommand)]
    action: Option<Action>,
    /// The organisation, by its name in the configuration (else the one that the mailbox goes with)
    #[arg(long, global = true, value_name = "NAME")]
    org: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the edits that wait, those that were refused, and the collisions
    List {
        /// Also what came to its end
        #[arg(long)]
        all: bool,
    },
    /// Show all of one edit
    Show { edit: i64 },
    /// Let refused edits be sent again
    Retry {
        /// Their numbers; none means all that were refused
        edits: Vec<i64>,
    },
    /// Change what an edit says, and let it be sent again
    Edit {
        edit: i64,
        /// What it shall say instead
        #[arg(value_name = "COLUMN=VALUE", required = true)]
        values: Vec<String>,
    },
    /// Take edits back: they are not sent
    Drop {
        #[arg(required = true)]
        edits: Vec<i64>,
    },
    /// Say whose value shall stand after a collision
    Settle {
        /// The collision's number
        collision: i64,
        /// Whose value
        winner: Winner,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Winner {
    Mine,
    Theirs,
}

impl Outbox {
    /// # Errors
    /// When the copy is lost, or there is no such edit.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let place = here.copy(self.org.as_deref()).await?;
        match self.action.unwrap_or(Action::List { all: false }) {
            Action::List { all } => list(&place, all).await,
            Action::Show { edit } => show(&place, edit).await,
            Action::Retry { edits } => retry(&place, edits).await,
            Action::Edit { edit, values } => {
                let values = assignments(&values)?;
                // A lookup by name may need the organisation.
                let place = if place.away.is_some() {
                    place
                } else {
                    here.desk(self.org.as_deref()).await?
                };
                correct(&place, edit, &values).await
            }
            Action::Drop { edits } => drop_edits(&place, edits).await,
            Action::Settle { collision, winner } => settle(&place, collision, winner).await,
        }
    }
}

async fn list(place: &Place, all: bool) -> anyhow::Result<Answer> {
    let (edits, settled, collisions) = place
        .desk
        .store
        .read(move |db| {
            let settled = if all { outbox::settled(db, SETTLED)? } else { Vec::new() };
            Ok((outbox::open(db, u32::MAX)?, settled, collision::list(db, all)?))
        })
        .await?;
    let blocked: BTreeMap<i64, i64> = wave::next(edits.clone()).blocked.into_iter().collect();
    let mut page = Page::default();
    let rows: Vec<Vec<String>> = settled
        .iter()
        .rev()
        .chain(&edits)
        .map(|edit| {
            vec![
                edit.number.to_string(),
                edit.kind.as_str().to_owned(),
                edit.row.table.clone(),
                short(&edit.name, VALUE),
                state(edit, &blocked),
            ]
        })
        .collect();
    page.table("><<<<", &rows);
    for collision in &collisions {
        page.gap();
        page.append(&contested(&place.name, collision));
    }
    if rows.is_empty() && collisions.is_empty() {
        page.line("nothing waits");
    }
    let edits: Vec<Json> =
        settled.iter().rev().chain(&edits).map(|edit| to_json(edit, &blocked)).collect();
    let collisions: Vec<Json> = collisions.iter().map(collision_json).collect();
    let json = json!({ "organisation": place.name, "edits": edits, "collisions": collisions });
    let mut answer = Answer::new(page, json);
    answer.notes = place.notes().await?;
    Ok(answer)
}

/// Why an edit is not there yet.
fn state(edit: &Edit, blocked: &BTreeMap<i64, i64>) -> String {
    match (edit.state, blocked.get(&edit.number)) {
        (_, Some(other)) => format!("waits for edit {other}"),
        (State::Waiting, None) => "waits".to_owned(),
        (State::Look, None) => "sent; what became of it is looked up first".to_owned(),
        (State::Parked, None) => format!("refused: {}", edit.reason),
        (State::Done, None) => "done".to_owned(),
    }
}

/// The collisions of all copies, each with the name of its organisation.
///
/// # Errors
/// When a copy is lost.
pub async fn collisions(
    here: &Installation,
    all: bool,
) -> anyhow::Result<Vec<(String, Collision)>> {
    let mut found = Vec::new();
    for name in here.load()?.settings.organisations.keys() {
        if let Some(store) = here.replica(name).await? {
            let collisions = store.read(move |db| collision::list(db, all)).await?;
            found.extend(collisions.into_iter().map(|collision| (name.clone(), collision)));
        }
    }
    Ok(found)
}

/// One collision, with what may be done about it.
pub fn contested(name: &str, found: &Collision) -> Page {
    let mut page = Page::default();
    let value = |value: &Json| match row::shown(value) {
        text if text.is_empty() => "(empty)".to_owned(),
        text => short(&text, VALUE),
    };
    let Collision { number, column, .. } = found;
    page.line(format!("collision {number}: {} “{}”, {column}", found.row.table, found.name));
    page.line(format!("  it was  {}", value(&found.base)));
    page.line(format!("  yours   {}", value(&found.ours)));
    page.line(format!("  theirs  {}", value(&found.theirs)));
    let state = match found.choice {
        None => {
            format!("theirs stands; `liaison outbox settle {number} mine --org {name}` takes yours")
        }
        Some(Choice::Mine) => "you took yours".to_owned(),
        Some(Choice::Theirs) => "you let theirs stand".to_owned(),
    };
    page.line(format!("  {}: {state}", moment(found.noted)));
    page
}

async fn show(place: &Place, number: i64) -> anyhow::Result<Answer> {
    let (edit, open) = place
        .desk
        .store
        .read(move |db| Ok((outbox::get(db, number)?, outbox::open(db, u32::MAX)?)))
        .await?;
    let edit = edit.ok_or_else(|| none(number))?;
    let blocked: BTreeMap<i64, i64> = wave::next(open).blocked.into_iter().collect();
    let mut page = Page::default();
    page.line(format!("edit {number}: {} {} “{}”", edit.kind.as_str(), edit.row, edit.name));
    let rows: Vec<Vec<String>> = edit
        .edits
        .iter()
        .map(|(column, change)| {
            let (base, ours) = (row::shown(&change.base), row::shown(&change.ours));
            let base =
                if edit.kind == Kind::Create { String::new() } else { format!("was {base}") };
            vec![format!("  {column}"), short(&ours, VALUE), short(&base, VALUE)]
        })
        .collect();
    page.table("<<<", &rows);
    page.line(format!("  entered {}; {}", moment(edit.entered), state(&edit, &blocked)));
    let mut json = to_json(&edit, &blocked);
    if let Json::Object(json) = &mut json {
        let values: serde_json::Map<String, Json> = edit
            .edits
            .iter()
            .map(|(column, change)| {
                (column.clone(), json!({ "base": change.base, "ours": change.ours }))
            })
            .collect();
        json.insert("values".to_owned(), Json::Object(values));
    }
    Ok(Answer::new(page, json))
}

async fn retry(place: &Place, numbers: Vec<i64>) -> anyhow::Result<Answer> {
    let again = place
        .desk
        .store
        .promise(move |tx| {
            let mut numbers = numbers;
            if numbers.is_empty() {
                let open = outbox::open(tx, u32::MAX)?;
                let parked = open.iter().filter(|edit| edit.state == State::Parked);
                numbers = parked.map(|edit| edit.number).collect();
            }
            let mut again = Vec::new();
            for number in numbers {
                match entering::retry(tx, number)? {
                    Ok(edit) => again.push(edit.number),
                    Err(error) => return Ok(Err(error)),
                }
            }
            Ok(Ok(again))
        })
        .await?
        .map_err(told)?;
    let mut page = Page::default();
    page.line(format!("{} will be sent again", count(again.len(), "edit")));
    let answer = Answer::new(page, json!({ "again": again }));
    Ok(answer.note("→ `liaison online` sends them"))
}

async fn correct(
    place: &Place,
    number: i64,
    written: &BTreeMap<String, Json>,
) -> anyhow::Result<Answer> {
    let edit = place.desk.store.read(move |db| outbox::get(db, number)).await?;
    let edit = edit.ok_or_else(|| none(number))?;
    let definition = place.desk.definition(&edit.row.table).await.map_err(told)?;
    let purpose = if edit.kind == Kind::Create { Purpose::Create } else { Purpose::Update };
    let values = place.desk.values(&definition, written, purpose).await.map_err(told)?;
    let edit = place
        .desk
        .store
        .promise(move |tx| entering::correct(tx, &definition, number, values))
        .await?
        .map_err(told)?;
    let mut page = Page::default();
    page.line(format!("edit {number} of “{}” will be sent so", edit.name));
    let answer = Answer::new(page, to_json(&edit, &BTreeMap::new()));
    Ok(answer.note("→ `liaison online` sends it"))
}

async fn drop_edits(place: &Place, numbers: Vec<i64>) -> anyhow::Result<Answer> {
    let edits = numbers.clone();
    let known = place
        .desk
        .store
        .read(move |db| {
            let found = edits.iter().map(|number| outbox::get(db, *number));
            found.collect::<crate::store::Result<Vec<_>>>()
        })
        .await?;
    let definitions = place.desk.definitions_of(known.iter().flatten()).await.map_err(told)?;
    let dropped = place
        .desk
        .store
        .promise(move |tx| {
            let mut dropped = Vec::new();
            for number in numbers {
                match entering::drop_edit(tx, &definitions, number)? {
                    Ok(edit) => dropped.push(edit.number),
                    Err(error) => return Ok(Err(error)),
                }
            }
            Ok(Ok(dropped))
        })
        .await?
        .map_err(told)?;
    let mut page = Page::default();
    page.line(format!("{} taken back", count(dropped.len(), "edit")));
    Ok(Answer::new(page, json!({ "dropped": dropped })))
}

async fn settle(place: &Place, number: i64, winner: Winner) -> anyhow::Result<Answer> {
    let found = place.desk.store.read(move |db| collision::get(db, number)).await?;
    let found = found.ok_or_else(|| {
        Stop::new(
            Exit::Failed,
            format!("there is no collision {number}"),
            "`liaison outbox list` shows them",
        )
    })?;
    let definition = place.desk.definition(&found.row.table).await.map_err(told)?;
    let choice = match winner {
        Winner::Mine => Choice::Mine,
        Winner::Theirs => Choice::Theirs,
    };
    let now = place.desk.clock.now();
    place
        .desk
        .store
        .promise(move |tx| entering::choose(tx, &definition, (number, choice), now))
        .await?
        .map_err(told)?;
    let mut page = Page::default();
    let json = json!({ "collision": number, "choice": choice.as_str() });
    match winner {
        Winner::Theirs => {
            page.line(format!("collision {number}: what the colleague wrote stands"));
            Ok(Answer::new(page, json))
        }
        Winner::Mine => {
            page.line(format!("collision {number}: what you wrote shall stand"));
            Ok(Answer::new(page, json).note("→ `liaison online` sends it"))
        }
    }
}

fn none(number: i64) -> anyhow::Error {
    let message = format!("there is no edit {number}");
    Stop::new(Exit::Failed, message, "`liaison outbox list --all` shows them").into()
}

fn to_json(edit: &Edit, blocked: &BTreeMap<i64, i64>) -> Json {
    json!({
        "edit": edit.number,
        "kind": edit.kind.as_str(),
        "table": edit.row.table,
        "id": edit.row.id.to_string(),
        "name": edit.name,
        "state": edit.state.as_str(),
        "waits_for": blocked.get(&edit.number),
        "reason": edit.reason,
        "attempts": edit.attempts,
        "entered": edit.entered.to_string(),
    })
}

/// A collision for programs.
pub fn collision_json(found: &Collision) -> Json {
    json!({
        "collision": found.number,
        "edit": found.edit,
        "table": found.row.table,
        "id": found.row.id.to_string(),
        "name": found.name,
        "column": found.column,
        "base": found.base,
        "ours": found.ours,
        "theirs": found.theirs,
        "choice": found.choice.map(Choice::as_str),
        "noted": found.noted.to_string(),
    })
}
