//! The first round: whether this computer is the one that syncs, what would be done, and doing it.

use serde_json::{Value as Json, json};

use super::interview::Question;
use super::{Wizard, remark, told};
use crate::cli::approve::Approve;
use crate::cli::open::silent;
use crate::cli::output::{self, Answer, Page};
use crate::cli::service::Service;
use crate::cli::sync::Sync;
use crate::cli::{Exit, exit, instance, plan, remote};

/// Lines of each kind of the first plan.
const LINES: usize = 8;

/// Shows the first plan, and carries it out if that is wanted.
pub(super) async fn round(wizard: &mut Wizard<'_>) -> anyhow::Result<Answer> {
    if remote::connect(wizard.here).await.is_ok() {
        let mut page = Page::default();
        page.line("Everything is set up. The service runs, and takes over what was changed.");
        let json = told(wizard, vec![("running", Json::from(true))]);
        return Ok(Answer::new(page, json).note("→ how does it stand? `liaison status`"));
    }
    let is_ours = claim(wizard).await?;
    if !is_ours {
        let mut page = Page::default();
        page.line("Everything is set up. This computer looks, and writes nothing.");
        let json = told(wizard, vec![("syncs", Json::from(false))]);
        let answer = Answer::new(page, json).exit(Exit::Standby);
        return Ok(answer.note("→ make it the one that syncs: `liaison instance claim`"));
    }
    let shown = plan::show(wizard.here, &[], LINES).await?;
    wizard.interview.say(&shown.page)?;
    let mut more = vec![("syncs", Json::from(true)), ("plan", shown.json.clone())];
    match shown.exit {
        // Nothing to ask about: both sides are in step, or will be by themselves.
        Exit::Done | Exit::Held => {}
        exit => {
            let mut page = Page::default();
            page.line(
                "Everything is set up, but the first plan could not be made whole: see above.",
            );
            let answer = Answer::new(page, told(wizard, more)).exit(exit);
            return Ok(answer.note("→ look again: `liaison plan`"));
        }
    }
    if is_empty(&shown.json) {
        more.push(("started", Json::from(start(wizard).await?)));
        let mut page = Page::default();
        page.line("Everything is set up, and both sides are in step.");
        let answer = Answer::new(page, told(wizard, more));
        return Ok(answer.note("→ how does it stand? `liaison status`"));
    }
    let approved = wizard.interview.agree(Question {
        name: "approve",
        asks: "Carry this out now? (yes/no)",
        help: "no: it waits; `liaison plan --all` shows all of it, `liaison approve` allows it",
        usual: Some("no"),
    })?;
    more.push(("approved", Json::from(approved)));
    if !approved {
        let mut page = Page::default();
        page.line("Everything is set up. The first plan waits for your word.");
        let answer = Answer::new(page, told(wizard, more)).exit(shown.exit);
        return Ok(answer.note("→ see all of it with `liaison plan --all`, allow it with `liaison approve --all`, then `liaison sync`"));
    }
    let allowed = Approve::everything().run(wizard.here).await?;
    let synced = Sync::round().run(wizard.here).await?;
    more.extend([("approval", allowed.json), ("sync", synced.json.clone())]);
    let mut page = synced.page;
    wizard.interview.say(&page)?;
    if wizard.interview.is_terminal {
        page = Page::default();
    }
    more.push(("started", Json::from(start(wizard).await?)));
    page.gap();
    page.line("Everything is set up.");
    let mut answer = Answer::new(page, told(wizard, more)).exit(synced.exit);
    answer.notes = synced.notes;
    Ok(answer.note("→ how does it stand? `liaison status`"))
}

/// Whether a plan, as it is told to programs, has nothing to do and nothing to ask.
fn is_empty(plan: &Json) -> bool {
    let is_none = |at: Option<&Json>| match at {
        Some(Json::Array(steps)) => steps.is_empty(),
        other => other.is_none_or(Json::is_null),
    };
    let classes = plan.get("classes").and_then(Json::as_object);
    classes.into_iter().flat_map(|classes| classes.values()).all(|class| {
        ["/go", "/held", "/people/go", "/people/held"].iter().all(|at| is_none(class.pointer(at)))
    })
}

/// Starts the service, if that is wanted. Where it cannot be, that is said: everything else is done.
async fn start(wizard: &mut Wizard<'_>) -> anyhow::Result<bool> {
    let usual = if wizard.interview.is_terminal { "yes" } else { "no" };
    let is_wanted = wizard.interview.agree(Question {
        name: "start",
        asks: "Keep it in step from now on, in the background? (yes/no)",
        help: "starts the service now and with each session; `liaison service` says more",
        usual: Some(usual),
    })?;
    if !is_wanted {
        return Ok(false);
    }
    match Service::install().run(wizard.here).await {
        Ok(started) => {
            let mut page = started.page;
            started.notes.iter().for_each(|note| page.wrapped("", note));
            wizard.interview.say(&page)?;
            Ok(started.exit == Exit::Done)
        }
        Err(error) => {
            let why = output::sentence(&error);
            remark(&wizard.interview, &format!("the service could not be started: {why}"))?;
            if let Some(hint) = exit::hint(&error) {
                remark(&wizard.interview, &hint)?;
            }
            Ok(false)
        }
    }
}

/// Whether this computer is the one that syncs, or is made so.
async fn claim(wizard: &mut Wizard<'_>) -> anyhow::Result<bool> {
    let (opened, lock) = wizard.here.open(silent()).await?;
    let other = opened.engine.standby().map(|standby| standby.message);
    drop((opened, lock));
    let mut page = Page::default();
    let usual = match &other {
        Some(other) => {
            page.wrapped("! ", other);
            page.line("If this computer is to sync, the other one stops at its next round.");
            "no"
        }
        None => "yes",
    };
    wizard.interview.say(&page)?;
    let is_wanted = wizard.interview.agree(Question {
        name: "claim",
        asks: "Make this computer the one that syncs? (yes/no)",
        help: "exactly one computer moves data; every other one only looks",
        usual: Some(usual),
    })?;
    if !is_wanted {
        return Ok(false);
    }
    let claimed = instance::claim(wizard.here).await?;
    wizard.interview.say(&claimed.page)?;
    wizard.checks.push(json!({ "instance": claimed.json }));
    Ok(true)
}
