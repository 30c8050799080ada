//! `liaison conflicts`: what both sides changed differently, and the user's choice.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value as Json, json};

use super::output::{Answer, Page, count, short};
use super::status::moment;
use super::{Exit, Installation, Stop, outbox};
use crate::model::{Class, Fields, Side, Value};
use crate::store::conflict::{self, Conflict, ConflictId, Dispute};
use crate::store::replica::collision::Collision;
use crate::store::{self, Connection, ErrorKind, link};
use crate::sync::describe;

/// How much of a value is shown.
const VALUE: usize = 60;

/// List what both sides changed differently, or choose
///
/// Both values are always kept. Where the policy decided already, a choice flips it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison conflicts                    those that wait\n  liaison conflicts --all              also those that are settled\n  liaison conflicts settle 7 mailbox   the mailbox's value shall stand"
)]
pub struct Conflicts {
    /// Also those that are settled
    #[arg(long)]
    all: bool,
    #[command(subcommand)]
    choice: Option<Choice>,
}

#[derive(Debug, Subcommand)]
enum Choice {
    /// Choose whose value shall stand on both sides
    Settle {
        /// The conflict's number
        number: i64,
        /// Whose value
        winner: Winner,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Winner {
    Mailbox,
    Crm,
}

impl Conflicts {
    /// # Errors
    /// When the store is lost, or there is no such conflict.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        here.load()?;
        match self.choice {
            Some(Choice::Settle { number, winner }) => settle(here, number, winner).await,
            None => {
                let all = self.all;
                let store = here.store().await?;
                let told = store.read(move |db| tell(db, all)).await?;
                let offline = outbox::collisions(here, all).await?;
                Ok(with_offline(list(&told, all), told.is_empty(), &offline))
            }
        }
    }
}

/// What was contested while the user was offline is listed behind.
fn with_offline(mut answer: Answer, is_empty: bool, offline: &[(String, Collision)]) -> Answer {
    if !offline.is_empty() && is_empty {
        answer = Answer::new(Page::default(), answer.json);
    }
    for (name, collision) in offline {
        answer.page.gap();
        answer.page.append(&outbox::contested(name, collision));
    }
    if offline.iter().any(|(_, collision)| collision.choice.is_none()) {
        answer.exit = Exit::Conflicts;
    }
    let json: Vec<Json> =
        offline.iter().map(|(_, collision)| outbox::collision_json(collision)).collect();
    if let Json::Object(answer) = &mut answer.json {
        answer.insert("offline".to_owned(), json.into());
    }
    answer
}

async fn settle(here: &Installation, number: i64, winner: Winner) -> anyhow::Result<Answer> {
    let (id, side) = match winner {
        Winner::Mailbox => (ConflictId(number), Side::Mailbox),
        Winner::Crm => (ConflictId(number), Side::Crm),
    };
    let store = here.store().await?;
    let chosen = store
        .promise(move |tx| {
            conflict::choose(tx, id, side)?;
            conflict::get(tx, id)
        })
        .await
        .map_err(|error| match error.kind {
            ErrorKind::Missing => anyhow::Error::new(Stop::new(
                Exit::Failed,
                format!("there is no conflict {number}"),
                "`liaison conflicts --all` lists them",
            )),
            _ => error.into(),
        })?;
    let mut page = Page::default();
    let what = match chosen.map(|conflict| conflict.dispute) {
        Some(Dispute::Existence { deleted, .. }) if deleted == side => "it shall be deleted",
        Some(Dispute::Existence { .. }) => "it shall stay, and come back where it was deleted",
        Some(Dispute::Field { .. }) | None => "its value shall stand on both sides",
    };
    page.line(format!("conflict {number}: the {side} wins, {what}"));
    let json = json!({ "conflict": number, "choice": side.as_str() });
    Ok(Answer::new(page, json).note("→ the next sync carries it out: `liaison sync`"))
}

/// A conflict with what it is about.
#[derive(Debug)]
pub struct Told {
    pub conflict: Conflict,
    pub about: Option<(Class, String)>,
}

/// The conflicts, open or all, each with the title of its thing.
///
/// # Errors
/// When the store is lost.
pub fn tell(db: &Connection, all: bool) -> store::Result<Vec<Told>> {
    let found = if all { conflict::all(db)? } else { conflict::open(db)? };
    found
        .into_iter()
        .map(|conflict| {
            let about = link::get(db, conflict.link)?.map(|link| {
                let fields = link.bases.map(|bases| bases.item).unwrap_or_default();
                (link.class, describe::title(link.class, &fields))
            });
            Ok(Told { conflict, about })
        })
        .collect()
}

/// The answer to `conflicts`.
pub fn list(told: &[Told], all: bool) -> Answer {
    let mut page = Page::default();
    for told in told {
        page.gap();
        page.append(&one(told));
    }
    if told.is_empty() {
        page.line(if all { "there never was a conflict" } else { "no conflict waits" });
    }
    let json: Vec<Json> = told.iter().map(to_json).collect();
    let answer = Answer::new(page, json!({ "conflicts": json }));
    let undecided =
        |told: &&Told| told.conflict.settled.is_none() && told.conflict.choice.is_none();
    match told.iter().filter(undecided).count() {
        0 if told.is_empty() && !all => {
            answer.note("→ `liaison conflicts --all` shows those that were settled by rule")
        }
        0 => answer,
        waiting => answer
            .note(format!(
                "→ {} for your choice: `liaison conflicts settle NUMBER mailbox|crm`",
                count(waiting, "conflict")
            ))
            .exit(Exit::Conflicts),
    }
}

/// One conflict: both values, who won.
pub fn one(told: &Told) -> Page {
    let conflict = &told.conflict;
    let mut page = Page::default();
    let about = match &told.about {
        Some((class, title)) => format!("{class} “{title}”"),
        None => "something that is forgotten by now".to_owned(),
    };
    match &conflict.dispute {
        Dispute::Field { field, mailbox, crm } => {
            page.line(format!("conflict {}: {about}, {field}", conflict.id));
            page.line(format!("  mailbox  {}", value(mailbox.as_ref())));
            page.line(format!("  crm      {}", value(crm.as_ref())));
        }
        Dispute::Existence { deleted, kept } => {
            page.line(format!("conflict {}: {about}", conflict.id));
            page.line(format!("  deleted in the {deleted}, changed in the {}", deleted.other()));
            page.line(format!("  kept     {}", fields(kept)));
        }
    }
    page.line(format!(
        "  {}, round {}: {}",
        moment(conflict.created),
        conflict.round,
        state(conflict)
    ));
    page
}

fn state(conflict: &Conflict) -> String {
    match (conflict.choice, conflict.settled, conflict.winner) {
        (Some(side), _, _) => format!("you chose the {side}; the next sync carries it out"),
        (None, None, Some(side)) => format!("the {side} stays until you choose"),
        (None, None, None) => "waits for your choice".to_owned(),
        (None, Some(_), Some(side)) => format!("the {side} won"),
        (None, Some(_), None) => "both sides came to agree".to_owned(),
    }
}

fn value(value: Option<&Value>) -> String {
    value.map_or_else(|| "(empty)".to_owned(), |value| short(&value.to_string(), VALUE))
}

fn fields(fields: &Fields) -> String {
    let parts: Vec<String> =
        fields.iter().map(|(field, value)| format!("{field}: {value}")).collect();
    short(&parts.join("; "), VALUE)
}

fn to_json(told: &Told) -> Json {
    let conflict = &told.conflict;
    let text = |value: &Option<Value>| value.as_ref().map(ToString::to_string);
    let dispute = match &conflict.dispute {
        Dispute::Field { field, mailbox, crm } => {
            json!({ "field": field.as_str(), "mailbox": text(mailbox), "crm": text(crm) })
        }
        Dispute::Existence { deleted, .. } => json!({ "deleted": deleted.as_str() }),
    };
    json!({
        "conflict": conflict.id.0,
        "class": told.about.as_ref().map(|(class, _)| class.as_str()),
        "title": told.about.as_ref().map(|(_, title)| title),
        "dispute": dispute,
        "winner": conflict.winner.map(Side::as_str),
        "choice": conflict.choice.map(Side::as_str),
        "created": conflict.created.to_string(),
        "settled": conflict.settled.map(|at| at.to_string()),
        "round": conflict.round.0,
    })
}
