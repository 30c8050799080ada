//! How things stand by what is stored, as the running service tells it to the tray and to others: a state and a sentence a class,
//! and what a person must do.

use serde_json::Value as Json;

use super::offline::{self, Standing};
use super::status::{ClassState, State as Stored};
use super::waiting::Waiting;
use super::{Installation, output};
use crate::daemon::facts::wired;
use crate::daemon::house::Survey;
use crate::ipc::wire::{ClassStatus, Need, NeedKind, State};
use crate::sync::report::Obstacle;

/// See the module.
///
/// # Errors
/// When the configuration cannot be used or the store is lost.
pub async fn survey(here: &Installation) -> anyhow::Result<Survey> {
    let settings = here.load()?.settings;
    let stored = Stored::of(here, &settings).await?;
    let (_, copies) = offline::status(here).await?;
    let sum = |of: fn(&Standing) -> u64| {
        usize::try_from(copies.iter().map(of).sum::<u64>()).unwrap_or(usize::MAX)
    };
    let mut waiting = Waiting::default();
    let mut classes = Vec::new();
    for (class, state) in &stored.classes {
        waiting += state.waiting;
        let off = stored.circumstances.off(*class);
        classes.push(ClassStatus {
            class: wired(*class),
            state: if off.is_some() { State::Error } else { state_of(state) },
            sentence: off.unwrap_or_else(|| state.sentence()),
            linked: number(state.linked),
            last_round: state.last.as_ref().map(|(at, _)| at.to_string()),
            next_round: None,
        });
    }
    let mut needs = needs(waiting);
    add(
        &mut needs,
        NeedKind::Conflict,
        sum(|copy| copy.contested),
        "edit",
        "contested by a colleague",
        OUTBOX,
    );
    add(&mut needs, NeedKind::Aside, sum(|copy| copy.parked), "edit", "refused by the CRM", OUTBOX);
    Ok(Survey {
        organisation: settings.sync_organisation().map(|(name, _)| name.to_owned()),
        mailbox: Some(settings.mailbox.address.to_string()),
        classes,
        needs,
        offline: copies.iter().any(|copy| copy.is_offline),
        outbox: sum(|copy| copy.waiting) > 0,
    })
}

const OUTBOX: &str = "liaison outbox list";

/// Of one class. What stopped the last round, the service knows better.
fn state_of(class: &ClassState) -> State {
    let waiting = class.waiting;
    let failed = || {
        let (_, report) = class.last.as_ref()?;
        let kind = report.get("error").filter(|error| !error.is_null())?.get("kind");
        kind.and_then(Json::as_str).and_then(Obstacle::named)
    };
    if class.in_step() {
        State::InStep
    } else if waiting.held + waiting.doubtful + waiting.conflicts + waiting.aside > 0 {
        State::Held
    } else {
        match failed() {
            Some(Obstacle::SignIn | Obstacle::Locked) => State::SignIn,
            Some(Obstacle::Standby) => State::Standby,
            Some(Obstacle::Failed) => State::Error,
            Some(Obstacle::Later) => State::Offline,
            None => State::Waiting,
        }
    }
}

fn needs(waiting: Waiting) -> Vec<Need> {
    let mut needs = Vec::new();
    let outgoing = "liaison outgoing";
    for (kind, count, word, what, command) in [
        (NeedKind::Approve, waiting.held, "operation", "held for your word", "liaison approve"),
        (NeedKind::Doubt, waiting.doubtful, "mail", "in doubt: sent or not?", outgoing),
        (NeedKind::Conflict, waiting.conflicts, "conflict", "to be decided", "liaison conflicts"),
        (NeedKind::Aside, waiting.aside, "item", "set aside", "liaison status --all"),
    ] {
        add(&mut needs, kind, count, word, what, command);
    }
    needs
}

fn add(needs: &mut Vec<Need>, kind: NeedKind, count: usize, word: &str, what: &str, command: &str) {
    if count > 0 {
        let text = format!("{} {what}", output::count(count, word));
        let count = number(count);
        needs.push(Need { kind, count, text, command: Some(command.to_owned()) });
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
