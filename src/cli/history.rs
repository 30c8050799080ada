//! `liaison history`: what was written, when, why, and what came of it.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::find::{self, Thing};
use super::output::{Answer, Page, count, short};
use super::status::moment;
use super::{Exit, Installation, Stop};
use crate::model::{Fields, ItemId, Side, Value};
use crate::store::journal::{self, Action, Entry, Outcome};
use crate::store::round::{self, Round, RoundId};
use crate::store::{self, Connection, Store, observation};
use crate::sync::describe;

/// How far back rounds are looked for.
const ROUNDS: u32 = 10_000;

/// How much of a value is shown.
const VALUE: usize = 40;

/// Show what was written: the latest rounds, one round, or all that ever happened to one thing
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison history                the latest rounds\n  liaison history --round 12     what round 12 wrote\n  liaison history 'Ann Smith'    all that was ever written about her"
)]
pub struct History {
    /// A file name, UID, Message-ID, record or part of a title
    item: Option<String>,
    /// What this round wrote
    #[arg(long, value_name = "NUMBER", conflicts_with = "item")]
    round: Option<i64>,
    /// How many rounds
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    limit: usize,
    /// Also rounds that only looked, for `liaison plan`
    #[arg(long, conflicts_with = "item")]
    all: bool,
}

impl History {
    /// # Errors
    /// When the store is lost, or there is nothing of this name.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        here.load()?;
        let store = here.store().await?;
        if let Some(name) = &self.item {
            return of(&store, name).await;
        }
        if let Some(number) = self.round {
            let id = RoundId(number);
            let read = move |db: &Connection| {
                let entries = journal::of_round(db, id)?.into_iter();
                let titled = entries.map(|entry| Ok((title(db, &entry)?, entry)));
                Ok((round::get(db, id)?, titled.collect::<store::Result<Vec<_>>>()?))
            };
            return match store.read(read).await? {
                (Some(round), entries) => Ok(one(&round, &entries)),
                (None, _) => Err(no_round(number).into()),
            };
        }
        let (limit, all) = (self.limit, self.all);
        let read = move |db: &Connection| {
            let rounds = round::latest(db, ROUNDS)?;
            rounds
                .into_iter()
                .filter(|round| all || round.trigger != "plan")
                .take(limit)
                .map(|round| {
                    let entries = journal::of_round(db, round.id)?;
                    Ok((round, entries))
                })
                .collect::<store::Result<Vec<_>>>()
        };
        Ok(rounds(&store.read(read).await?))
    }
}

/// All that was ever written about the thing of this name.
///
/// # Errors
/// When there is nothing of this name, or the store is lost.
pub async fn of(store: &Store, name: &str) -> anyhow::Result<Answer> {
    let thing = find::one(store, name).await?;
    let of = thing.clone();
    let entries = store.read(move |db| entries(db, &of)).await?;
    Ok(about(&thing, &entries))
}

/// That there is no such round.
pub fn no_round(number: i64) -> Stop {
    Stop::new(Exit::Failed, format!("there is no round {number}"), "`liaison history` lists them")
}

/// All that was ever written about a thing, oldest first.
///
/// # Errors
/// When the store is lost.
pub fn entries(db: &Connection, thing: &Thing) -> store::Result<Vec<Entry>> {
    let mut found = BTreeMap::new();
    for side in [Side::Mailbox, Side::Crm] {
        let Some(id) = thing.id(side) else { continue };
        for entry in journal::of(db, thing.class, side, id)? {
            found.insert(entry.id, entry);
        }
    }
    Ok(found.into_values().collect())
}

fn about(thing: &Thing, entries: &[Entry]) -> Answer {
    let mut page = Page::default();
    page.line(format!("{} “{}”", thing.class, thing.title));
    if entries.is_empty() {
        page.line("  nothing was ever written about it");
    }
    for entry in entries {
        page.append(&told(entry));
    }
    let json: Vec<Json> = entries.iter().map(to_json).collect();
    Answer::new(
        page,
        json!({ "class": thing.class.as_str(), "title": thing.title, "entries": json }),
    )
}

/// What a write was about; what messages say is not in the journal, but in what was last seen.
fn title(db: &Connection, entry: &Entry) -> store::Result<String> {
    let intent = &entry.intent;
    let told = entry.after.as_ref().or(intent.before.as_ref()).filter(|fields| !fields.is_empty());
    if let Some(fields) = told {
        return Ok(describe::title(intent.class, fields));
    }
    let items: Vec<ItemId> = intent.item.iter().cloned().collect();
    let seen = observation::contents(db, Side::Mailbox, intent.class, &items)?;
    let fields = seen.into_values().next().map(|content| content.fields);
    Ok(describe::title(intent.class, &fields.unwrap_or_default()))
}

fn one(round: &Round, entries: &[(String, Entry)]) -> Answer {
    let mut page = Page::default();
    page.line(format!("round {}, {} ({})", round.id, moment(round.started), round.trigger));
    for (title, entry) in entries {
        page.line(format!("{} “{title}”", entry.intent.class));
        page.append(&told(entry));
    }
    if entries.is_empty() {
        page.line("  it wrote nothing");
    }
    let json: Vec<Json> = entries.iter().map(|(_, entry)| to_json(entry)).collect();
    Answer::new(page, json!({ "round": round.id.0, "entries": json, "report": round.report }))
}

fn rounds(found: &[(Round, Vec<Entry>)]) -> Answer {
    let mut page = Page::default();
    let mut rows = Vec::new();
    for (round, entries) in found {
        rows.push(vec![
            round.id.to_string(),
            moment(round.started),
            round.trigger.clone(),
            summary(round, entries),
        ]);
    }
    page.table("><<<", &rows);
    if rows.is_empty() {
        page.line("there was no round yet");
    }
    let json: Vec<Json> = found
        .iter()
        .map(|(round, entries)| {
            json!({
                "round": round.id.0,
                "started": round.started.to_string(),
                "finished": round.finished.map(|at| at.to_string()),
                "trigger": round.trigger,
                "writes": entries.len(),
                "report": round.report,
            })
        })
        .collect();
    Answer::new(page, json!({ "rounds": json }))
}

fn summary(round: &Round, entries: &[Entry]) -> String {
    if round.finished.is_none() {
        return "not ended".to_owned();
    }
    if entries.is_empty() {
        return "nothing written".to_owned();
    }
    let mut counts: BTreeMap<(Outcome, Action), usize> = BTreeMap::new();
    for entry in entries {
        *counts.entry((entry.outcome, entry.intent.action)).or_default() += 1;
    }
    let parts: Vec<String> = counts
        .into_iter()
        .map(|((outcome, action), number)| match outcome {
            Outcome::Done => count(number, action.as_str()),
            other => format!("{} {}", count(number, action.as_str()), other.as_str()),
        })
        .collect();
    parts.join(", ")
}

/// A write in two or three lines: when, what, why, which values.
pub fn told(entry: &Entry) -> Page {
    let mut page = Page::default();
    let intent = &entry.intent;
    let place = intent.side.place();
    let tries =
        if entry.attempts > 1 { format!(", attempt {}", entry.attempts) } else { String::new() };
    page.line(format!(
        "  round {}, {}: {} in {place}, {}{tries} ({})",
        entry.round,
        moment(entry.at),
        intent.action.as_str(),
        entry.outcome.as_str(),
        intent.why,
    ));
    if intent.action == Action::Update {
        let before = intent.before.as_ref();
        for (field, new) in &intent.patch {
            let old = before.and_then(|before| before.get(field));
            page.line(format!("    {field}: {} → {}", value(old), value(new.as_ref())));
        }
    }
    if let Some(error) = &entry.error {
        page.line(format!("    {}", short(error, 200)));
    }
    page
}

fn value(value: Option<&Value>) -> String {
    value.map_or_else(
        || "(empty)".to_owned(),
        |value| format!("“{}”", short(&value.to_string(), VALUE)),
    )
}

/// A write for programs.
pub fn to_json(entry: &Entry) -> Json {
    let intent = &entry.intent;
    let text = |fields: &Fields| -> BTreeMap<String, String> {
        fields.iter().map(|(field, value)| (field.to_string(), value.to_string())).collect()
    };
    let patch: BTreeMap<String, Option<String>> = intent
        .patch
        .iter()
        .map(|(field, value)| (field.to_string(), value.as_ref().map(ToString::to_string)))
        .collect();
    json!({
        "entry": entry.id.0,
        "round": entry.round.0,
        "at": entry.at.to_string(),
        "class": intent.class.as_str(),
        "side": intent.side.as_str(),
        "action": intent.action.as_str(),
        "item": intent.item.as_ref().map(ItemId::as_str),
        "record": intent.record.as_ref().map(ItemId::as_str),
        "why": intent.why,
        "outcome": entry.outcome.as_str(),
        "attempts": entry.attempts,
        "before": intent.before.as_ref().map(text),
        "patch": patch,
        "after": entry.after.as_ref().map(text),
        "error": entry.error,
    })
}
