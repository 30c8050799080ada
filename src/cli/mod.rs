//! The command line: one file a command. A command gets its arguments and an [`Installation`] and hands back an
//! [`Answer`]; only `output` prints, and only `exit` knows what number a process ends with. Nothing here decides what is synced.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

// What all commands share.

/// Why records that were in the mailbox are not listed any more.
pub mod absent;
/// How much may be asked in a day.
pub mod budget;
/// What a sync depends on: which computer syncs, whose state this is, what the user may do, how much may be asked.
pub mod circumstances;
/// From what the configuration says about secrets to what gives them.
pub mod credentials;
/// From a configuration to the records of an organisation.
pub mod desk;
/// How a process ends.
pub mod exit;
/// The user's configuration file, changed.
mod file;
/// From what a person calls a thing to the thing.
pub mod find;
/// Who waits for a command.
pub mod front;
/// Which installation this is.
pub mod identity;
/// How many items there are, and what was decided about them.
mod items;
/// An installation as the running service keeps it.
pub mod keeper;
/// What an organisation told and is not asked again for a day.
pub mod kept;
/// How things stand while the service runs.
pub mod live;
/// The right to write, of one process at a time.
pub mod lock;
/// Where the program says what it does.
pub mod logging;
/// From the settings of a mailbox to what talks to it.
pub mod mailbox;
/// From a configuration to an engine.
pub mod open;
/// The one door to the screen.
pub mod output;
/// Whose state this is.
pub mod pins;
/// How far a round has come, on a terminal.
pub mod progress;
/// What the running service carries out.
pub mod remote;
/// Many messages at a time.
pub mod select;
/// Which sync filters are in force.
pub mod selection;
/// What the engine must know, out of what the user set.
pub mod settings;
/// How things stand, as the service tells it.
pub mod survey;
/// What waits, and the command for it.
pub mod waiting;
/// In which zone days are counted.
pub mod zone;

// The commands.

/// `liaison approve`
pub mod approve;
/// `liaison auth`
pub mod auth;
/// `liaison completions`
pub mod completions;
/// `liaison config`
pub mod config;
/// `liaison conflicts`
pub mod conflicts;
/// `liaison demo`
pub mod demo;
/// `liaison doctor`
pub mod doctor;
/// `liaison explain`
pub mod explain;
/// `liaison filter`
pub mod filter;
/// `liaison history`
pub mod history;
/// `liaison instance`
pub mod instance;
/// `liaison log`
pub mod log;
/// `liaison man`
pub mod man;
/// `liaison offline`, `liaison online`
pub mod offline;
/// `liaison org`
pub mod org;
/// `liaison outbox`
pub mod outbox;
/// `liaison outgoing`
pub mod outgoing;
/// `liaison people`
pub mod people;
/// `liaison plan`
pub mod plan;
/// `liaison record`
pub mod record;
/// `liaison run`
pub mod run;
/// `liaison sandbox`
pub mod sandbox;
/// `liaison search`
pub mod search;
/// `liaison service`
pub mod service;
/// `liaison setup`
pub mod setup;
/// `liaison status`
pub mod status;
/// `liaison sync`
pub mod sync;
/// `liaison track`, `liaison untrack`, `liaison regarding`
pub mod track;
/// `liaison undo`
pub mod undo;
/// `liaison uninstall`
pub mod uninstall;
/// `liaison verify`
pub mod verify;

pub use exit::{Exit, Stop};
pub use front::Front;
pub use open::Installation;
pub use output::{Answer, Page};

/// Keeps one mailbox and one CRM organisation in step.
///
/// E-mail, contacts, tasks and appointments of a mailbox become records of a Dynamics 365 organisation, and back. Nothing is
/// written before you saw it: the first round of each class waits for `liaison approve`.
#[derive(Debug, Parser)]
#[command(name = "liaison", version, max_term_width = 80, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  liaison setup                from your address to the first sync
  liaison demo                 see everything at work, in a folder of its own
  liaison plan                 what a round would do
  liaison approve --all        allow what waits
  liaison sync                 do it
  liaison explain 'Ann Smith'  why something is (not) in step

Exit codes:
  0 done   1 failed   2 usage   3 partly   4 held   5 conflicts wait
  6 sign-in needed   7 already running   8 another computer syncs
  9 not as it should be   75 try later   78 configuration";

/// What every command understands.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// The configuration file, or the folder of a `config.toml` (else `LIAISON_CONFIG`, else the platform's place)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of what must not be lost (else `LIAISON_STATE`, else the platform's place)
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Log more to the standard error: -v what is done, -vv details (or `LIAISON_LOG=debug`)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Setup(setup::Setup),
    Demo(demo::Demo),
    Run(run::Run),
    Sync(sync::Sync),
    Plan(plan::Plan),
    Approve(approve::Approve),
    Status(status::Status),
    Verify(verify::Verify),
    Conflicts(conflicts::Conflicts),
    People(people::People),
    Explain(explain::Explain),
    History(history::History),
    Undo(undo::Undo),
    Outgoing(outgoing::Outgoing),
    Track(track::Track),
    Untrack(track::Untrack),
    Regarding(track::Regarding),
    Record(record::Record),
    Search(search::Search),
    Offline(offline::Offline),
    Online(offline::Online),
    Outbox(outbox::Outbox),
    Filter(filter::Filter),
    Org(org::Org),
    Instance(instance::Instance),
    Auth(auth::Auth),
    Config(config::Config),
    Doctor(doctor::Doctor),
    Log(log::Log),
    Service(service::Service),
    Uninstall(uninstall::Uninstall),
    Sandbox(sandbox::Sandbox),
    Completions(completions::Completions),
    Man(man::Man),
}

/// It mostly waits. A thread a processor would cost memory on large machines, all day.
const WORKERS: usize = 2;

/// Runs the command of this process's arguments.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(refused) => return output::usage(&refused),
    };
    logging::terminal(arguments.common.verbose);
    let json = arguments.common.json;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let answer = match runtime {
        Ok(runtime) => runtime.block_on(execute(arguments, std::env::args_os().collect())),
        Err(error) => Err(error.into()),
    };
    output::finish(answer, json)
}

async fn execute(arguments: Arguments, words: Vec<OsString>) -> anyhow::Result<Answer> {
    let Arguments { common, command } = arguments;
    let here = Installation::find(&common)?;
    match remote::run(&here, &command, words).await? {
        Some(answer) => Ok(answer),
        None => execute_here(command, &here).await,
    }
}

/// Carries a command out in this process.
async fn execute_here(command: Command, here: &Installation) -> anyhow::Result<Answer> {
    match command {
        Command::Setup(setup) => setup.run(here).await,
        Command::Sync(sync) => sync.run(here).await,
        Command::Plan(plan) => plan.run(here).await,
        Command::Approve(approve) => approve.run(here).await,
        Command::Status(status) => status.run(here).await,
        Command::Verify(verify) => verify.run(here).await,
        Command::Conflicts(conflicts) => conflicts.run(here).await,
        Command::People(people) => people.run(here).await,
        Command::Explain(explain) => explain.run(here).await,
        Command::History(history) => history.run(here).await,
        Command::Undo(undo) => undo.run(here).await,
        Command::Outgoing(outgoing) => outgoing.run(here).await,
        Command::Track(track) => track.run(here).await,
        Command::Untrack(untrack) => untrack.run(here).await,
        Command::Regarding(regarding) => regarding.run(here).await,
        Command::Record(record) => record.run(here).await,
        Command::Search(search) => search.run(here).await,
        Command::Offline(offline) => offline.run(here).await,
        Command::Online(online) => online.run(here).await,
        Command::Outbox(outbox) => outbox.run(here).await,
        Command::Filter(filter) => filter.run(here).await,
        Command::Org(org) => org.run(here).await,
        Command::Instance(instance) => instance.run(here).await,
        Command::Auth(auth) => auth.run(here).await,
        Command::Config(config) => config.run(here),
        Command::Doctor(doctor) => doctor.run(here).await,
        Command::Run(run) => run.run(here).await,
        Command::Demo(demo) => demo.run(here).await,
        Command::Log(log) => log.run(here).await,
        Command::Service(service) => service.run(here).await,
        Command::Uninstall(uninstall) => uninstall.run(here).await,
        Command::Sandbox(sandbox) => sandbox.run().await,
        Command::Completions(completions) => {
            Ok(completions.run(&mut <Arguments as CommandFactory>::command()))
        }
        Command::Man(man) => man.run(<Arguments as CommandFactory>::command()),
    }
}
