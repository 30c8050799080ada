//! `liaison undo`: takes back what a round wrote, after showing it.

use serde_json::{Value as Json, json};

use super::history::no_round;
use super::open::silent;
use super::output::{Answer, Page, count, short};
use super::{Exit, Installation};
use crate::store::round::{self, RoundId};
use crate::sync::undo::{Inverse, Outcome, Undo as Plan, Undone};

/// Take back what a round wrote
///
/// What was made is deleted, what was changed gets its old values back, what was deleted is made again; each only where it is
/// still as the round left it. Nobody is sent anything. Without --yes it only shows what it would do.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison history        which round was it?\n  liaison undo 12        what taking it back would do\n  liaison undo 12 --yes  take it back"
)]
pub struct Undo {
    /// The round's number
    round: i64,
    /// Do it
    #[arg(long)]
    yes: bool,
}

impl Undo {
    /// # Errors
    /// When there is no such round, or either side cannot be reached.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let (opened, _lock) = here.open(silent()).await?;
        let id = RoundId(self.round);
        if opened.engine.store.read(move |db| round::get(db, id)).await?.is_none() {
            return Err(no_round(self.round).into());
        }
        let plan = opened.engine.plan_undo(id).await??;
        if !self.yes {
            return Ok(shown(self.round, &plan));
        }
        let undone = opened.engine.undo(id, plan).await?;
        Ok(told(self.round, &undone))
    }
}

fn shown(number: i64, plan: &Plan) -> Answer {
    let mut page = Page::default();
    if plan.inverses.is_empty() {
        page.line(format!("nothing of round {number} can be taken back"));
    } else {
        page.line(format!("to take back round {number}: {}", count(plan.inverses.len(), "write")));
    }
    for inverse in &plan.inverses {
        page.line(format!("  {}", inverse.line));
    }
    skipped(&mut page, plan);
    let lines: Vec<&str> = plan.inverses.iter().map(|inverse| inverse.line.as_str()).collect();
    let json =
        json!({ "round": number, "inverses": lines, "skipped": plan.skipped, "done": false });
    let answer = Answer::new(page, json);
    if plan.inverses.is_empty() {
        return answer;
    }
    answer.note(format!("→ do it: `liaison undo {number} --yes`"))
}

fn skipped(page: &mut Page, plan: &Plan) {
    if plan.skipped.is_empty() {
        return;
    }
    page.line("left as it is:");
    for line in &plan.skipped {
        page.line(format!("  {line}"));
    }
}

fn told(number: i64, undone: &Undone) -> Answer {
    let mut page = Page::default();
    let done = undone.outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Done).count();
    page.line(format!(
        "round {} took back {} of {} of round {number}",
        undone.round,
        done,
        count(undone.outcomes.len(), "write")
    ));
    for (inverse, outcome) in &undone.outcomes {
        page.line(format!("  {}{}", inverse.line, word(outcome)));
    }
    skipped(&mut page, &undone.plan);
    let json: Vec<Json> = undone.outcomes.iter().map(to_json).collect();
    let json = json!({
        "round": number,
        "undo_round": undone.round.0,
        "outcomes": json,
        "skipped": undone.plan.skipped,
        "done": true,
    });
    let exit = match (done, undone.outcomes.len()) {
        (done, all) if done == all => Exit::Done,
        (0, _) => Exit::Failed,
        _ => Exit::Partly,
    };
    Answer::new(page, json).exit(exit)
}

fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => String::new(),
        Outcome::Refused(reason) => format!(": refused: {}", short(reason, 200)),
        Outcome::Unknown(reason) => format!(": no answer: {}", short(reason, 200)),
    }
}

fn to_json((inverse, outcome): &(Inverse, Outcome)) -> Json {
    let (word, reason) = match outcome {
        Outcome::Done => ("done", None),
        Outcome::Refused(reason) => ("refused", Some(reason)),
        Outcome::Unknown(reason) => ("unknown", Some(reason)),
    };
    json!({ "what": inverse.line, "outcome": word, "reason": reason })
}
