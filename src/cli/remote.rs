//! A command that is carried out by the running service: it goes there as it was written, and what comes back is shown as if it had
//! run here. Without a service, it runs here.

use std::ffi::OsString;

use super::output::{self, Answer, Page};
use super::{Command, Exit, Installation, Stop, live, progress};
use crate::daemon::facts::model;
use crate::ipc::client::Error;
use crate::ipc::wire::{self, Call, Doing, Done, Said};
use crate::ipc::{self, Client};
use crate::model::Side;
use crate::sync::Progress;

/// Carries a command out by the service. `None`: there is none, or the command is to run here.
///
/// # Errors
/// When the service says no, or goes away.
pub async fn run(
    here: &Installation,
    command: &Command,
    words: Vec<OsString>,
) -> anyhow::Result<Option<Answer>> {
    let Some(name) = remote(command) else { return Ok(None) };
    // The service could not know what is meant.
    let Some(arguments) = after(words, name) else { return Ok(None) };
    let mut client = match connect(here).await {
        Ok(client) => client,
        Err(Error::Absent) => return Ok(None),
        Err(error) => return Err(told(error).into()),
    };
    if let Command::Status(status) = command {
        return Ok(Some(if status.watch {
            live::watch(here, arguments).await?
        } else {
            live::status(here, &mut client, arguments).await?
        }));
    }
    let call = Call::Run { command: name, arguments, json: here.json };
    let id = client.send(call).await.map_err(told)?;
    let (bar, tell) = progress::bar(here.json);
    loop {
        match client.next().await.map_err(told)?.said {
            Said::Progress(progress) => tell(heard(&progress)),
            Said::Question(question) => {
                let yes = bar.suspend(|| {
                    let mut about = Page::default();
                    question.about.lines().for_each(|line| about.line(line));
                    output::ask(&about, &question.question, here.json)
                })?;
                client.reply(id, yes).await.map_err(told)?;
            }
            Said::Done(Done::Answer(answer)) => {
                bar.finish_and_clear();
                return Ok(Some(shown(answer)));
            }
            Said::Failed(failed) => return Err(told(Error::Failed(failed)).into()),
            Said::Done(_) | Said::Event(_) => {}
        }
    }
}

/// Lets the service begin anew, if there is one: somebody signed in or out.
pub async fn nudge(here: &Installation) {
    if let Ok(mut client) = connect(here).await
        && let Err(error) = client.ask(Call::Reload).await
    {
        tracing::warn!("the running service was not told");
        tracing::debug!(%error, "the running service");
    }
}

/// A connection to the service of this installation.
///
/// # Errors
/// [`Error::Absent`] when there is none.
pub async fn connect(here: &Installation) -> Result<Client, Error> {
    Client::connect(&ipc::socket(&here.directories.runtime), ipc::PROGRAM).await
}

/// What the service says, as this program says things.
pub fn told(error: Error) -> Stop {
    match error {
        Error::Failed(failed) => {
            let exit = Exit::from_code(failed.exit);
            let hint = failed.hint.unwrap_or_else(|| "see `liaison status`".to_owned());
            Stop::new(exit, failed.message, hint)
        }
        error @ (Error::Absent | Error::Broken(_)) => Stop::new(
            Exit::TryLater,
            error.to_string(),
            "see `liaison status`; after an upgrade: `liaison service stop`, then `start`",
        ),
    }
}

/// The command as the service knows it, unless it is to run here.
fn remote(command: &Command) -> Option<wire::Command> {
    Some(match command {
        Command::Sync(_) => wire::Command::Sync,
        Command::Plan(_) => wire::Command::Plan,
        Command::Approve(_) => wire::Command::Approve,
        Command::Conflicts(_) => wire::Command::Conflicts,
        Command::People(_) => wire::Command::People,
        Command::Explain(_) => wire::Command::Explain,
        Command::History(_) => wire::Command::History,
        Command::Undo(_) => wire::Command::Undo,
        Command::Outgoing(_) => wire::Command::Outgoing,
        Command::Track(_) => wire::Command::Track,
        Command::Untrack(_) => wire::Command::Untrack,
        Command::Regarding(_) => wire::Command::Regarding,
        Command::Record(record) if !record.reads_a_file() => wire::Command::Record,
        Command::Status(_) => wire::Command::Status,
        Command::Verify(_) => wire::Command::Verify,
        Command::Search(_) => wire::Command::Search,
        Command::Offline(_) => wire::Command::Offline,
        Command::Online(_) => wire::Command::Online,
        Command::Outbox(_) => wire::Command::Outbox,
        Command::Filter(filter) if !filter.reads_a_file() => wire::Command::Filter,
        Command::Org(_) => wire::Command::Org,
        Command::Instance(_) => wire::Command::Instance,
        // Files are named and read where the person is.
        Command::Record(_) | Command::Filter(_) => return None,
        Command::Run(_)
        | Command::Setup(_)
        | Command::Auth(_)
        | Command::Log(_)
        | Command::Man(_)
        | Command::Service(_)
        | Command::Uninstall(_)
        | Command::Demo(_)
        | Command::Config(_)
        | Command::Doctor(_)
        | Command::Sandbox(_)
        | Command::Completions(_) => return None,
    })
}

/// The arguments of a command, out of the words that this process was started with. What is written before its name are options
/// that it understands, too. `None` when they are no text.
fn after(words: Vec<OsString>, command: wire::Command) -> Option<Vec<String>> {
    let mut arguments: Vec<String> = Vec::new();
    let mut found = false;
    let mut is_value = false;
    for word in words.into_iter().skip(1) {
        let word = word.into_string().ok()?;
        if !found && !is_value && word == command.as_str() {
            found = true;
            continue;
        }
        is_value = matches!(word.as_str(), "--config" | "--state");
        arguments.push(word);
    }
    found.then_some(arguments)
}

pub(super) fn shown(answer: wire::Answer) -> Answer {
    let mut page = Page::default();
    answer.text.lines().for_each(|line| page.line(line));
    let mut shown = Answer::new(page, answer.json).exit(Exit::from_code(answer.exit));
    shown.notes = answer.notes;
    shown
}

fn heard(progress: &wire::Progress) -> Progress {
    let class = model(progress.class);
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let (done, of) = (count(progress.done), count(progress.of));
    match progress.doing {
        Doing::Listing => Progress::Listing { class },
        Doing::ReadingCrm => Progress::Reading { class, side: Side::Crm, done, of },
        Doing::ReadingMailbox => Progress::Reading { class, side: Side::Mailbox, done, of },
        Doing::Writing => Progress::Writing { class, done, of },
        Doing::Done => Progress::Done { class },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_arguments_are_what_stands_around_the_name_of_the_command() {
        for (line, expected) in [
            ("liaison approve --all", Some("--all")),
            ("liaison --json approve 3 --state /s", Some("--json 3 --state /s")),
            ("liaison --state approve approve 3", Some("--state approve 3")),
            ("liaison -vv approve", Some("-vv")),
            ("liaison approve approve", Some("approve")),
            ("liaison sync", None),
        ] {
            let found = after(words(line), wire::Command::Approve);
            assert_eq!(found.map(|it| it.join(" ")).as_deref(), expected, "{line}");
        }
    }
}
