//! How things stand while the service runs: what the store says, and over it what the service is at.

use std::io::{self, IsTerminal};

use jiff::Timestamp;
use serde_json::Value as Json;

use super::output::{self, Answer, Page};
use super::remote::{self, told};
use super::status::moment;
use super::{Exit, Installation, Stop};
use crate::ipc::Client;
use crate::ipc::client::Error;
use crate::ipc::wire::{self, Call, Done, Said, State, Status};

/// The answer of `liaison status`, by the running service.
///
/// # Errors
/// When the service goes away.
pub async fn status(
    here: &Installation,
    client: &mut Client,
    arguments: Vec<String>,
) -> Result<Answer, Stop> {
    let call = Call::Run { command: wire::Command::Status, arguments, json: here.json };
    let Done::Answer(answer) = client.ask(call).await.map_err(told)? else {
        return Err(strange());
    };
    let Done::Status(status) = client.ask(Call::Status).await.map_err(told)? else {
        return Err(strange());
    };
    Ok(over(remote::shown(answer), &status))
}

/// Shows how things stand whenever that changes, until it is ended.
///
/// # Errors
/// When there is no service, or it goes away.
pub async fn watch(here: &Installation, arguments: Vec<String>) -> anyhow::Result<Answer> {
    let absent = || {
        let hint = "start it: `liaison service start`, or `liaison run`";
        Stop::new(Exit::Failed, "the service does not run: nothing would change by itself", hint)
    };
    let connect = async || match remote::connect(here).await {
        Err(Error::Absent) => Err(absent()),
        other => other.map_err(told),
    };
    let (mut events, mut asking) = (connect().await?, connect().await?);
    events.send(Call::Events).await.map_err(told)?;
    loop {
        if let Said::Event(_) = events.next().await.map_err(told)?.said {
            let answer = status(here, &mut asking, arguments.clone()).await?;
            show(&answer, here.json)?;
        }
    }
}

/// On a terminal in the place of what was there; else one after the other, as JSON one a line.
fn show(answer: &Answer, json: bool) -> io::Result<()> {
    let mut page = Page::default();
    if json {
        page.line(&answer.json);
        return output::tell(&page);
    }
    if io::stdout().is_terminal() {
        // Home, and everything below is gone (ECMA-48, CUP and ED).
        page.line("\u{1b}[H\u{1b}[2J");
    }
    page.append(&answer.page);
    answer.notes.iter().for_each(|note| page.line(note));
    page.line("");
    output::tell(&page)
}

/// What the service is at, over what the store says.
fn over(stored: Answer, status: &Status) -> Answer {
    let mut page = Page::default();
    page.wrapped("service       ", &status.sentence);
    if let Some(paused) = &status.paused {
        page.line(format!("paused        until {}", time(paused)));
    } else if let Some(next) = status.classes.iter().filter_map(|it| it.next_round.as_ref()).min() {
        page.line(format!("next round    {} at the latest", time(next)));
    }
    page.append(&stored.page);
    let mut answer = Answer { page, ..stored };
    answer.exit = exit(answer.exit, status.state);
    let known = answer.notes.len();
    for need in &status.needs {
        let is_ours = matches!(
            need.kind,
            wire::NeedKind::SignIn | wire::NeedKind::Configuration | wire::NeedKind::Standby
        );
        if is_ours {
            let command = need.command.as_deref().unwrap_or("see `liaison doctor`");
            answer.notes.insert(answer.notes.len() - known, format!("→ {}: {command}", need.text));
        }
    }
    if let Json::Object(json) = &mut answer.json {
        if status.state != State::InStep {
            json.insert("in_step".to_owned(), false.into());
        }
        // It is made of texts and numbers: there is nothing that could go wrong.
        json.insert("service".to_owned(), serde_json::to_value(status).unwrap_or_default());
    }
    answer
}

/// Fine is only what is fine in both.
fn exit(stored: Exit, state: State) -> Exit {
    if !matches!(stored, Exit::Done | Exit::Partly) {
        return stored;
    }
    match state {
        State::InStep => stored,
        State::Waiting | State::Syncing | State::Paused | State::Held => Exit::Partly,
        State::Offline => Exit::TryLater,
        State::Standby => Exit::Standby,
        State::SignIn => Exit::SignIn,
        State::Error => Exit::Failed,
    }
}

/// A moment as this machine tells the time; other words as they are.
fn time(text: &str) -> String {
    text.parse::<Timestamp>().map_or_else(|_| text.to_owned(), moment)
}

fn strange() -> Stop {
    let hint = "after an upgrade: `liaison service stop`, then `start`";
    Stop::new(Exit::Failed, "the service answered something else", hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_done_only_where_the_store_and_the_service_say_so() {
        for (stored, state, expected) in [
            (Exit::Done, State::InStep, Exit::Done),
            (Exit::Done, State::Syncing, Exit::Partly),
            (Exit::Done, State::SignIn, Exit::SignIn),
            (Exit::Partly, State::Offline, Exit::TryLater),
            (Exit::Held, State::Error, Exit::Held),
        ] {
            assert_eq!(exit(stored, state), expected, "{stored:?} {state:?}");
        }
    }
}
