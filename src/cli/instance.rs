//! `liaison instance`: which computer keeps the mailbox and the organisation in step, and making it this one.

use serde_json::{Value as Json, json};

use super::identity::Identity;
use super::lock::Lock;
use super::open::{Opened, silent};
use super::output::{Answer, Page};
use super::status::moment;
use super::{Exit, Installation, Stop};
use crate::connector::lease::Tenure;
use crate::sync::Engine;
use crate::sync::fence::{Fence, Reserve, Role};

/// Tell which computer syncs, or make it this one
///
/// Exactly one installation keeps your mailbox and your organisation in step. The first that syncs takes the role; where that is
/// written down, in your own part of the CRM, every other one reads it, and writes nothing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison instance status       who syncs?\n  liaison instance claim --yes  this computer, from now on\n  liaison instance release      nobody, until somebody claims it or syncs"
)]
pub struct Instance {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Tell which computer syncs
    Status,
    /// Make this computer the one that syncs; the other one stops at its next round
    Claim(Claim),
    /// Give it up: the next computer that syncs takes it
    Release,
}

#[derive(Debug, clap::Args)]
struct Claim {
    /// Do it without asking
    #[arg(long)]
    yes: bool,
}

impl Instance {
    /// # Errors
    /// When the organisation cannot be reached, or who syncs cannot be written down there.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let (opened, lock) = here.open(silent()).await?;
        match self.what {
            What::Status => status(&opened).await,
            What::Claim(claim) => take(here, (opened, lock), claim.yes).await,
            What::Release => release(here, &opened).await,
        }
    }
}

/// Makes this computer the one that syncs, without asking.
///
/// # Errors
/// As for [`Instance::run`].
pub(super) async fn claim(here: &Installation) -> anyhow::Result<Answer> {
    take(here, here.open(silent()).await?, true).await
}

fn fence(opened: &Opened) -> anyhow::Result<&Fence> {
    opened.engine.fence.as_deref().ok_or_else(|| anyhow::anyhow!("there is nothing to hold"))
}

async fn status(opened: &Opened) -> anyhow::Result<Answer> {
    let fence = fence(opened)?;
    fence.keep().await?;
    let (mut page, exit) = (Page::default(), exit(opened));
    match (fence.role(), &opened.identity.reserve) {
        (Role::Holder(entry), None) => {
            page.line("this computer syncs");
            describe(&mut page, &entry.tenure);
        }
        (Role::Holder(entry), Some(_)) => describe(&mut page, &entry.tenure),
        (Role::Other(entry), _) => {
            page.line("another computer syncs");
            describe(&mut page, &entry.tenure);
        }
        (Role::Free(_), _) => page.line("no computer syncs yet"),
        (Role::Unprotected | Role::Unknown, _) => {
            page.line("which computer syncs cannot be read in this organisation");
        }
    }
    let mut answer = Answer::new(page, told(opened)).exit(exit);
    if let Some(standby) = opened.engine.standby() {
        answer.notes.push(standby.message);
        answer.notes.extend(standby.hint.map(|hint| format!("→ {hint}")));
    }
    Ok(answer)
}

fn exit(opened: &Opened) -> Exit {
    if opened.engine.standby().is_some() { Exit::Standby } else { Exit::Done }
}

fn describe(page: &mut Page, tenure: &Tenure) {
    let host = tenure.holder.as_ref().map_or("nobody", |holder| holder.host.as_str());
    page.line(format!("computer    {host}"));
    page.line(format!("since       {}", moment(tenure.since)));
    let last = tenure.last_round.map_or_else(|| "nothing yet".to_owned(), moment);
    page.line(format!("last wrote  {last}"));
}

fn told(opened: &Opened) -> Json {
    let Identity { instance, .. } = &opened.identity;
    let role = opened.engine.fence.as_ref().map(|fence| fence.role());
    let tenure = match &role {
        Some(Role::Holder(entry) | Role::Other(entry)) => Some(&entry.tenure),
        Some(Role::Free(entry)) => entry.as_ref().map(|entry| &entry.tenure),
        Some(Role::Unprotected | Role::Unknown) | None => None,
    };
    let holder = tenure.and_then(|tenure| tenure.holder.as_ref());
    json!({
        "this": { "id": instance.id.to_string(), "host": instance.host },
        "syncs": matches!(role, Some(Role::Holder(_))) && opened.engine.standby().is_none(),
        "holder": holder.map(|holder| json!({ "id": holder.id.to_string(), "host": holder.host })),
        "epoch": tenure.map(|tenure| tenure.epoch),
        "since": tenure.map(|tenure| tenure.since.to_string()),
        "last_round": tenure.and_then(|tenure| Some(tenure.last_round?.to_string())),
        "says": opened.engine.standby().map(|standby| standby.message),
    })
}

async fn take(
    here: &Installation,
    (opened, lock): (Opened, Lock),
    yes: bool,
) -> anyhow::Result<Answer> {
    let role = fence(&opened)?.role();
    if matches!(role, Role::Holder(_)) && opened.identity.reserve.is_none() {
        let mut page = Page::default();
        page.line("this computer syncs already");
        return Ok(Answer::new(page, told(&opened)));
    }
    if !yes {
        let mut page = Page::default();
        question(&mut page, &role, opened.identity.reserve.as_ref());
        let question = "make this computer the one that syncs?";
        if !here.front.ask(&page, question, here.json).await? {
            let answer = Answer::new(page, told(&opened)).exit(Exit::Held);
            return Ok(answer.note("→ do it: `liaison instance claim --yes`"));
        }
    }
    let Opened { engine, identity, .. } = opened;
    let identity = identity.settle(&engine.store, &here.directories.state, &here.clock).await?;
    let fence = anew(&engine, &identity)?;
    let before = fence.claim().await.map_err(|error| {
        let hint = "your user must be allowed to create and change personal views (prvCreateUserQuery, \
                    prvWriteUserQuery)";
        match error.hint {
            Some(_) => error,
            None => error.hint(hint),
        }
    })?;
    fence.keep().await?;
    drop(lock);
    let mut page = Page::default();
    page.line("this computer syncs now");
    if let Some(holder) = before.and_then(|tenure| tenure.holder) {
        page.line(format!("“{}” stops at its next round", holder.host));
    }
    let json = json!({
        "this": { "id": identity.instance.id.to_string(), "host": identity.instance.host },
        "syncs": true,
    });
    Ok(Answer::new(page, json).note("→ go on: `liaison sync`"))
}

/// The fence for the installation that this is from now on.
fn anew(engine: &Engine, identity: &Identity) -> anyhow::Result<Fence> {
    let Some(fence) = &engine.fence else { anyhow::bail!("there is nothing to hold") };
    Ok(fence.anew(identity.instance.clone()))
}

fn question(page: &mut Page, role: &Role, reserve: Option<&Reserve>) {
    if let Some(Reserve::Moved(from)) = reserve {
        page.line(format!("this state was made on {from}; what is still at work there stops"));
    }
    match role {
        Role::Other(entry) | Role::Holder(entry) => {
            describe(page, &entry.tenure);
            page.line("it stops at its next round; nothing is lost, and nothing becomes two");
        }
        Role::Free(_) | Role::Unprotected | Role::Unknown => page.line("no other computer syncs"),
    }
}

/// Gives up being the computer that syncs; whether it was.
///
/// # Errors
/// When that cannot be written down in the organisation, or the store is lost.
pub async fn give_up(here: &Installation, opened: &Opened) -> anyhow::Result<bool> {
    let fence = fence(opened)?;
    if opened.identity.reserve.is_some() || !fence.release().await? {
        return Ok(false);
    }
    opened.identity.give_up(&opened.engine.store, &here.directories.state).await?;
    fence.keep().await?;
    Ok(true)
}

async fn release(here: &Installation, opened: &Opened) -> anyhow::Result<Answer> {
    if !give_up(here, opened).await? {
        let hint = "see `liaison instance status`";
        return Err(Stop::new(Exit::Failed, "this computer is not the one that syncs", hint).into());
    }
    let mut page = Page::default();
    page.line("no computer syncs now: the next one that does takes the role");
    let answer = Answer::new(page, json!({ "syncs": false }));
    Ok(answer.note("→ this one again: `liaison instance claim`"))
}
