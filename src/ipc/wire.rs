//! What is said over the socket. Every set of values is closed: what is not listed here is an error on either side.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A line of the client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Comes back in every line that belongs to it.
    pub id: u64,
    #[serde(rename = "do")]
    pub call: Call,
}

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Call {
    /// The first request of a connection, once.
    Hello { version: u32, program: String },
    /// How things stand.
    Status,
    /// How things stand, and again whenever that changes, until the connection ends.
    Events,
    /// A round now, of these classes or of all that take part; answered when it is over.
    Sync {
        #[serde(default)]
        classes: Vec<Class>,
    },
    /// No more rounds until `resume`, or for so many seconds.
    Pause {
        #[serde(default)]
        seconds: Option<u64>,
    },
    /// Rounds again.
    Resume,
    /// Takes over a changed configuration or sign-in, and opens everything anew.
    Reload,
    /// A command with its arguments, as on the command line, and with the same answer.
    Run {
        command: Command,
        #[serde(default)]
        arguments: Vec<String>,
        /// Whether a program reads the answer: then nobody is asked anything.
        #[serde(default)]
        json: bool,
    },
    /// The answer to a question that came with this request's number.
    Reply { yes: bool },
}

/// The commands that work through the service. The others need no running service, or end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    Approve,
    Conflicts,
    Explain,
    Filter,
    History,
    Instance,
    Offline,
    Online,
    Org,
    Outbox,
    Outgoing,
    People,
    Plan,
    Record,
    Regarding,
    Search,
    Status,
    Sync,
    Track,
    Undo,
    Untrack,
    Verify,
}

impl Command {
    /// As it is written on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Conflicts => "conflicts",
            Self::Explain => "explain",
            Self::Filter => "filter",
            Self::History => "history",
            Self::Instance => "instance",
            Self::Offline => "offline",
            Self::Online => "online",
            Self::Org => "org",
            Self::Outbox => "outbox",
            Self::Outgoing => "outgoing",
            Self::People => "people",
            Self::Plan => "plan",
            Self::Record => "record",
            Self::Regarding => "regarding",
            Self::Search => "search",
            Self::Status => "status",
            Self::Sync => "sync",
            Self::Track => "track",
            Self::Undo => "undo",
            Self::Untrack => "untrack",
            Self::Verify => "verify",
        }
    }
}

/// What is kept in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    Contact,
    Task,
    Appointment,
    Email,
}

/// A line of the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// Of the request.
    pub id: u64,
    #[serde(flatten)]
    pub said: Said,
}

/// What the service says of a request. [`Said::Done`] and [`Said::Failed`] end it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    Done(Done),
    Failed(Failed),
    Progress(Progress),
    /// Wants a [`Call::Reply`].
    Question(Question),
    Event(Event),
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Done {
    Welcome { version: u32, program: String },
    Status(Box<Status>),
    Answer(Answer),
    Nothing,
}

/// Why a request could not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub kind: Trouble,
    pub message: String,
    /// What can be done about it.
    pub hint: Option<String>,
    /// What the same command would have ended with on the command line.
    pub exit: u8,
}

/// What kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The line is none of this protocol. The connection ends.
    Protocol,
    /// The service speaks another version. The connection ends.
    Version,
    /// There are too many clients or requests.
    Busy,
    /// The command could not be carried out.
    Command,
    /// The service is about to end.
    Stopping,
}

/// How far something has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub class: Class,
    pub doing: Doing,
    pub done: u64,
    pub of: u64,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doing {
    Listing,
    ReadingCrm,
    ReadingMailbox,
    Writing,
    Done,
}

/// A question with two answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What it is about, in lines.
    pub about: String,
    pub question: String,
}

/// What a command said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// For a person: lines for the standard output.
    pub text: String,
    /// The same for programs; as under `--json`.
    pub json: Json,
    /// What to do next: lines for the standard error.
    pub notes: Vec<String>,
    /// As the exit code of the command.
    pub exit: u8,
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// How things stand now. Several changes in short order may come as one.
    Status(Box<Status>),
}

/// The version of [`Status`], which is also what `liaison status --json` has under `service`.
pub const STATUS_VERSION: u32 = 1;

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub version: u32,
    /// The worst of everything below.
    pub state: State,
    /// One sentence for a person.
    pub sentence: String,
    /// The name of the organisation in the configuration.
    pub organisation: Option<String>,
    /// The address of the mailbox.
    pub mailbox: Option<String>,
    pub classes: Vec<ClassStatus>,
    /// What a person must do, most important first.
    pub needs: Vec<Need>,
    /// Until when no rounds begin: a moment (RFC 3339), or `until resume`; nothing when they do.
    pub paused: Option<String>,
    /// Whether the user works without the CRM by choice.
    pub offline: bool,
    /// Since when the service runs (RFC 3339).
    pub running_since: String,
}

/// From fine to bad. The order decides which one stands for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing waits anywhere.
    InStep,
    /// Something waits that needs no person: it is under way, or tried again.
    Waiting,
    /// A round is going on.
    Syncing,
    /// The user paused it.
    Paused,
    /// By choice, or since somebody cannot be reached.
    Offline,
    /// Something waits for a person: a hold, a conflict, a mail in doubt, something set aside.
    Held,
    /// Another computer syncs.
    Standby,
    /// Somebody must sign in.
    SignIn,
    /// Something does not work.
    Error,
}

/// How one class stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassStatus {
    pub class: Class,
    pub state: State,
    pub sentence: String,
    /// Pairs that are kept in step.
    pub linked: u64,
    /// The end of the last round (RFC 3339).
    pub last_round: Option<String>,
    /// When the next one begins at the latest (RFC 3339).
    pub next_round: Option<String>,
}

/// Something for a person to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    pub kind: NeedKind,
    /// How much of it.
    pub count: u64,
    /// One sentence.
    pub text: String,
    /// The command for it, if there is one.
    pub command: Option<String>,
}

/// What a person is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeedKind {
    SignIn,
    Configuration,
    Standby,
    Approve,
    Doubt,
    Conflict,
    Aside,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(text: &str) -> Result<Call, String> {
        let line = format!("{{\"id\":7,\"do\":{text}}}");
        serde_json::from_str::<Request>(&line).map(|it| it.call).map_err(|it| it.to_string())
    }

    #[test]
    fn requests_are_written_as_they_are_documented() {
        assert_eq!(call("\"status\""), Ok(Call::Status));
        let contact = Call::Sync { classes: vec![Class::Contact] };
        assert_eq!(call("{\"sync\":{\"classes\":[\"contact\"]}}"), Ok(contact));
        assert_eq!(call("{\"sync\":{}}"), Ok(Call::Sync { classes: Vec::new() }));
        let approve = Call::Run {
            command: Command::Approve,
            arguments: vec!["--all".to_owned()],
            json: false,
        };
        let text = "{\"run\":{\"command\":\"approve\",\"arguments\":[\"--all\"]}}";
        assert_eq!(call(text), Ok(approve));
    }

    #[test]
    fn what_is_not_listed_is_refused_by_name() {
        for (text, named) in [
            ("\"reboot\"", "reboot"),
            ("{\"sync\":{\"class\":[]}}", "class"),
            ("{\"sync\":{\"classes\":[\"lead\"]}}", "lead"),
            ("{\"run\":{\"command\":\"demo\"}}", "demo"),
            ("{\"pause\":{\"seconds\":-1}}", "-1"),
        ] {
            let refused = call(text).unwrap_err();
            assert!(refused.contains(named), "{text}: {refused}");
        }
        let more = "{\"id\":1,\"do\":\"status\",\"now\":true}";
        assert!(serde_json::from_str::<Request>(more).is_err());
    }

    #[test]
    fn a_command_is_named_as_on_the_command_line() {
        for command in [Command::Approve, Command::Outgoing, Command::Untrack] {
            let written = serde_json::to_string(&command).unwrap();
            assert_eq!(written, format!("\"{}\"", command.as_str()));
        }
    }

    #[test]
    fn an_answer_survives_the_wire() {
        let answer = Response {
            id: 3,
            said: Said::Done(Done::Answer(Answer {
                text: "a\nb\n".to_owned(),
                json: serde_json::json!({ "x": [1, null] }),
                notes: vec!["→".to_owned()],
                exit: 4,
            })),
        };
        let line = serde_json::to_string(&answer).unwrap();
        assert!(line.starts_with("{\"id\":3,\"done\":{\"answer\":"), "{line}");
        assert_eq!(serde_json::from_str::<Response>(&line).unwrap(), answer);
    }
}
