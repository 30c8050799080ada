//! `liaison record create`, `update`, `delete`: entered first, then sent, where somebody is there to take it.

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::super::desk::{Place, told};
use super::super::output::{Answer, Page};
use super::super::{Exit, Stop};
use super::{input, usage};
use crate::offline::desk::Wish;
use crate::offline::outbox::{self as entering, Entered};
use crate::offline::replay::Report;
use crate::store::replica::collision;
use crate::store::replica::outbox::{self, Edit, Kind, State};

#[derive(Debug, clap::Args)]
pub struct Create {
    pub table: String,
    /// What it shall say; a lookup goes by name (account:Contoso) or id
    #[arg(value_name = "COLUMN=VALUE")]
    values: Vec<String>,
    /// Make the records of a file of JSON objects instead (`-`: the standard input)
    #[arg(long, value_name = "FILE", conflicts_with = "values")]
    pub(super) from: Option<PathBuf>,
    /// Its id, if it shall have a certain one
    #[arg(long, value_name = "GUID", conflicts_with = "from")]
    id: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Update {
    pub table: String,
    /// Its id or its name
    #[arg(required_unless_present = "from")]
    record: Option<String>,
    /// What it shall say; an empty value empties the column
    #[arg(value_name = "COLUMN=VALUE")]
    values: Vec<String>,
    /// Change the records of a file of JSON objects, each with its id (`-`: the standard input)
    #[arg(long, value_name = "FILE", conflicts_with = "record")]
    pub(super) from: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct Delete {
    pub table: String,
    /// Their ids or names
    #[arg(value_name = "RECORD", required_unless_present = "from")]
    records: Vec<String>,
    /// Delete the records of a file of ids, or of JSON objects with ids (`-`: the standard input)
    #[arg(long, value_name = "FILE", conflicts_with = "records")]
    pub(super) from: Option<PathBuf>,
}

impl Create {
    pub fn wishes(&self) -> anyhow::Result<Vec<Wish>> {
        let Some(from) = &self.from else {
            let id = self.id.as_deref().map(input::guid).transpose()?;
            return Ok(vec![Wish::Create { id, values: input::assignments(&self.values)? }]);
        };
        let wish = |member| {
            let (id, values) = input::object(&self.table, member)?;
            let id = id.as_deref().map(input::guid).transpose()?;
            Ok(Wish::Create { id, values })
        };
        input::members(from)?.into_iter().map(wish).collect()
    }
}

impl Update {
    pub fn wishes(&self) -> anyhow::Result<Vec<Wish>> {
        let Some(from) = &self.from else {
            let row = self.record.clone().unwrap_or_default();
            return Ok(vec![Wish::Update { row, values: input::assignments(&self.values)? }]);
        };
        let wish = |member| {
            let (id, values) = input::object(&self.table, member)?;
            let row = id.ok_or_else(|| usage("a record has no id", "give each its `id`"))?;
            Ok(Wish::Update { row, values })
        };
        input::members(from)?.into_iter().map(wish).collect()
    }
}

impl Delete {
    pub fn wishes(&self) -> anyhow::Result<Vec<Wish>> {
        let Some(from) = &self.from else {
            let wish = |row: &String| Wish::Delete { row: row.clone() };
            return Ok(self.records.iter().map(wish).collect());
        };
        let wish = |member: Json| {
            let row = match member {
                Json::String(id) => Some(id),
                member => input::object(&self.table, member)?.0,
            };
            let row = row.ok_or_else(|| usage("a record has no id", "give each its `id`"))?;
            Ok(Wish::Delete { row })
        };
        input::members(from)?.into_iter().map(wish).collect()
    }
}

/// Enters, sends where it can, and tells what became of each.
///
/// # Errors
/// When something of it cannot be done, or was refused: then it was not kept either.
pub async fn run(place: &Place, table: &str, wishes: Vec<Wish>) -> anyhow::Result<Answer> {
    let entered = place.desk.enter(table, wishes).await.map_err(told)?;
    let report = match &place.desk.crm {
        Some(_) => place.catch_up().await?,
        None => None,
    };
    let became = became(place, &entered).await?;
    if report.is_some() {
        refused(place, &became).await?;
        place.desk.tidy(&entered).await.map_err(told)?;
    }
    let mut answer = answer(&became);
    if let (Json::Object(json), Json::Object(more)) = (&mut answer.json, place.json()) {
        json.extend(more);
    }
    answer.notes.extend(contested(place, &became, report.as_ref()).await?);
    answer.notes.extend(place.notes().await?);
    Ok(answer)
}

/// What became of one entry.
struct Became {
    entered: Entered,
    /// The edit as it is now, if it is one.
    edit: Option<Edit>,
}

async fn became(place: &Place, entered: &[Entered]) -> anyhow::Result<Vec<Became>> {
    let entered = entered.to_vec();
    Ok(place
        .desk
        .store
        .read(move |db| {
            let now = |entered: Entered| {
                let edit = match &entered {
                    Entered::Edit { number, .. } => outbox::get(db, *number)?,
                    Entered::Nothing { .. } | Entered::Undone { .. } | Entered::Unknown { .. } => {
                        None
                    }
                };
                Ok(Became { entered, edit })
            };
            entered.into_iter().map(now).collect()
        })
        .await?)
}

/// Somebody is here to be told: what was refused does not stay in the outbox.
async fn refused(place: &Place, became: &[Became]) -> anyhow::Result<()> {
    let parked: Vec<&Edit> = became
        .iter()
        .filter_map(|became| became.edit.as_ref())
        .filter(|edit| edit.state == State::Parked)
        .collect();
    let Some(first) = parked.first() else { return Ok(()) };
    let (reason, row) = (first.reason.clone(), first.row.clone());
    let definitions = place.desk.definitions_of(parked.iter().copied()).await.map_err(told)?;
    let numbers: Vec<i64> = parked.iter().map(|edit| edit.number).rev().collect();
    let count = numbers.len();
    let dropped = place
        .desk
        .store
        .promise(move |tx| {
            let mut dropped = 0;
            for number in numbers {
                dropped += usize::from(entering::drop_edit(tx, &definitions, number)?.is_ok());
            }
            Ok(dropped)
        })
        .await?;
    let kept = match count - dropped {
        0 => "nothing of it was kept; correct it and try again".to_owned(),
        kept => format!("{kept} stay in the outbox: `liaison outbox list`"),
    };
    let more = if count > 1 { format!(", and {} more", count - 1) } else { String::new() };
    Err(Stop::new(Exit::Failed, format!("{row} was refused: {reason}{more}"), kept).into())
}

/// What colleagues had changed meanwhile.
async fn contested(
    place: &Place,
    became: &[Became],
    report: Option<&Report>,
) -> anyhow::Result<Vec<String>> {
    if report.is_none_or(|report| report.collisions == 0) {
        return Ok(Vec::new());
    }
    let mine: Vec<i64> =
        became.iter().filter_map(|became| Some(became.edit.as_ref()?.number)).collect();
    let found = place.desk.store.read(|db| collision::list(db, false)).await?;
    let told = |collision: &collision::Collision| {
        format!(
            "{} of “{}”: a colleague wrote something else meanwhile, which stays; `liaison outbox settle {} mine` takes yours",
            collision.column, collision.name, collision.number
        )
    };
    Ok(found.iter().filter(|found| mine.contains(&found.edit)).map(told).collect())
}

fn answer(became: &[Became]) -> Answer {
    let mut page = Page::default();
    let mut rows = Vec::new();
    for Became { entered, edit } in became {
        let row = entered.row();
        let (word, text) = match (entered, edit) {
            (Entered::Nothing { .. }, _) => ("nothing", "says so already".to_owned()),
            (Entered::Undone { .. }, _) => ("undone", "was never sent: gone".to_owned()),
            (_, Some(edit)) if edit.state != State::Done => {
                let number = edit.number;
                ("waiting", format!("{} waits in the outbox (edit {number})", past(edit.kind)))
            }
            (_, Some(edit)) => ("done", past(edit.kind).to_owned()),
            (_, None) => ("done", "done".to_owned()),
        };
        let name = edit.as_ref().map(|edit| edit.name.clone()).unwrap_or_default();
        page.line(format!("{row}  {name}  {text}"));
        rows.push(json!({
            "table": row.table,
            "id": row.id.to_string(),
            "name": name,
            "outcome": word,
            "edit": edit.as_ref().map(|edit| edit.number),
        }));
    }
    Answer::new(page, json!({ "records": rows }))
}

fn past(kind: Kind) -> &'static str {
    match kind {
        Kind::Create => "created",
        Kind::Update => "changed",
        Kind::Delete => "deleted",
    }
}
