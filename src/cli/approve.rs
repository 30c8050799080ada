//! `liaison approve`: what waits for the user's word, and the word.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::output::{Answer, Page, count, short};
use super::{Exit, Installation, Stop};
use crate::model::Side;
use crate::plan::Step;
use crate::plan::operation::Kind;
use crate::store::hold::{self, Hold, HoldId};

/// How many operations of a hold are shown as examples.
const EXAMPLES: usize = 5;

/// Show what waits for your word, or give it
///
/// An approval is for exactly the operations that were shown. What changed meanwhile is held again.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison approve          what waits\n  liaison approve 3 4      allow these\n  liaison approve --all    allow everything, then: liaison sync"
)]
pub struct Approve {
    /// Numbers of holds
    #[arg(value_name = "HOLD", conflicts_with = "all")]
    holds: Vec<i64>,
    /// Everything that waits
    #[arg(long)]
    all: bool,
}

impl Approve {
    /// Everything that waits.
    pub(super) fn everything() -> Self {
        Self { holds: Vec::new(), all: true }
    }

    /// # Errors
    /// When the store is lost, or there is no such hold.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        here.load()?;
        let store = here.store().await?;
        let open = store.read(hold::open_holds).await?;
        if self.holds.is_empty() && !self.all {
            return Ok(list(&open));
        }
        let wanted: Vec<Hold> = if self.all {
            open
        } else {
            self.holds.iter().map(|number| named(&open, *number)).collect::<Result<_, _>>()?
        };
        let (ids, now): (Vec<HoldId>, _) =
            (wanted.iter().map(|hold| hold.id).collect(), here.clock.now());
        store
            .promise(move |tx| ids.iter().try_for_each(|id| hold::approve(tx, *id, now).map(drop)))
            .await?;
        Ok(approved(&wanted))
    }
}

fn named(open: &[Hold], number: i64) -> Result<Hold, Stop> {
    open.iter().find(|hold| hold.id.0 == number).cloned().ok_or_else(|| {
        let known: Vec<String> = open.iter().map(|hold| hold.id.to_string()).collect();
        let hint = if known.is_empty() {
            "nothing waits".to_owned()
        } else {
            format!("what waits: {}", known.join(", "))
        };
        Stop::new(Exit::Failed, format!("there is no hold {number}"), hint)
    })
}

fn list(open: &[Hold]) -> Answer {
    let mut page = Page::default();
    if open.is_empty() {
        page.line("nothing waits for your word");
        return Answer::new(page, json!({ "holds": [] }));
    }
    for hold in open {
        page.gap();
        page.line(format!(
            "hold {}: {}s, {}",
            hold.id,
            hold.class,
            count(hold.held.len(), "operation")
        ));
        page.line(format!("  why: {}", hold.reason));
        page.line(format!("  what: {}", what([hold].into_iter())));
        for held in hold.held.iter().take(EXAMPLES) {
            page.line(format!("    {}", short(&held.text, 160)));
        }
        if hold.held.len() > EXAMPLES {
            page.line("    … all of them: `liaison plan --all`");
        }
    }
    let json: Vec<Json> = open.iter().map(to_json).collect();
    Answer::new(page, json!({ "holds": json }))
        .note("→ allow: `liaison approve NUMBER…` or `liaison approve --all`, then `liaison sync`")
        .exit(Exit::Held)
}

fn approved(holds: &[Hold]) -> Answer {
    let mut page = Page::default();
    let operations: usize = holds.iter().map(|hold| hold.held.len()).sum();
    if operations == 0 {
        page.line("nothing waits for your word");
        return Answer::new(page, json!({ "approved": 0 }));
    }
    page.line(format!("approved {}", count(operations, "operation")));
    for hold in holds {
        page.line(format!("  {}s: {}", hold.class, what([hold].into_iter())));
    }
    let json: Vec<Json> = holds.iter().map(to_json).collect();
    Answer::new(page, json!({ "approved": operations, "holds": json }))
        .note("→ the next sync carries them out: `liaison sync`")
}

/// `create 120 in the CRM, update 3 in the mailbox`.
fn what<'a>(holds: impl Iterator<Item = &'a Hold>) -> String {
    let mut counts: BTreeMap<(Side, Kind), usize> = BTreeMap::new();
    for held in holds.flat_map(|hold| &hold.held) {
        for side in [Side::Mailbox, Side::Crm] {
            if let Some(kind) = Step::kind_in(&held.subject, side) {
                *counts.entry((side, kind)).or_default() += 1;
            }
        }
    }
    let parts: Vec<String> = counts
        .into_iter()
        .rev()
        .map(|((side, kind), number)| format!("{} {number} in {}", kind.as_str(), side.place()))
        .collect();
    parts.join(", ")
}

fn to_json(hold: &Hold) -> Json {
    let operations: Vec<&str> = hold.held.iter().map(|held| held.text.as_str()).collect();
    json!({
        "hold": hold.id.0,
        "class": hold.class.as_str(),
        "reason": hold.reason,
        "round": hold.round.0,
        "created": hold.created.to_string(),
        "operations": operations,
    })
}
