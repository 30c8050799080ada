//! Which messages are tracked. Every message gets a decision, and `explain` can show each rule that was looked at.
//! Must not know how a message is filed or sent: it sees what the message says and what the caller knows besides.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::model::record::PartyRef;
use crate::model::{Address, Clue, Content, Field, Filed, Method, RecordId, Similar, Value};

use super::pattern::Pattern;
use super::{Decision, Mark, PRIVATE, TRACKED_KEYWORD};

pub mod folder;
pub mod thread;
pub mod token;

pub use folder::FolderRule;

/// How far automatic tracking goes. Each step includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Automatic {
    /// Only what the user tracks.
    None,
    /// Answers to messages that are tracked.
    Replies,
    /// Messages from contacts, leads and accounts.
    KnownSenders,
    /// Messages from whatever else in the CRM has an address: queues, teams, equipment, tables of one's own.
    EmailEnabled,
    All,
}

/// How the user wants messages to be tracked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub automatic: Automatic,
    /// Whether rules may track messages with a `Sensitivity` of private or confidential.
    pub include_private: bool,
    /// Whose messages stay out.
    pub block: Vec<Pattern>,
    /// Folders whose messages are tracked.
    pub folders: Vec<FolderRule>,
    pub token: token::Form,
    /// Whether answers are also recognised by the likeness of subject and people, which may be wrong.
    pub smart: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            automatic: Automatic::Replies,
            include_private: false,
            block: Vec::new(),
            folders: Vec::new(),
            token: token::Form::default(),
            smart: false,
        }
    }
}

impl Policy {
    /// Differs when messages may be decided over differently.
    pub fn fingerprint(&self) -> String {
        format!("{:x}", Sha256::digest(format!("{self:?}")))
    }
}

/// What the caller knows about a message and cannot be read from it.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The folder it lies in, parts divided by `/` or `.`; empty for the inbox.
    pub folder: &'a str,
    /// The user's own addresses.
    pub me: &'a BTreeSet<Address>,
    pub known: &'a Known,
}

/// What is known of the CRM, as far as it was asked.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The messages that clues lead to.
    pub filed: BTreeMap<Clue, Filed>,
    /// The addresses of contacts, leads and accounts.
    pub people: BTreeSet<Address>,
    /// The addresses of anything else that is no user.
    pub enabled: BTreeSet<Address>,
    /// What smart matching compares with; empty where it is off.
    pub similar: Vec<Similar>,
}

/// A rule that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The word for the rule: see [`RULES`].
    pub rule: &'static str,
    pub result: Outcome,
}

/// What a rule said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It decided: the message is tracked, or skipped.
    Tracks,
    Skips,
    /// It has nothing to say about this message.
    Passes,
    /// The configuration does not use it.
    Off,
}

impl Outcome {
    const ALL: [(Self, char); 4] =
        [(Self::Tracks, 't'), (Self::Skips, 's'), (Self::Passes, '-'), (Self::Off, '0')];

    fn letter(self) -> char {
        Self::ALL
            .into_iter()
            .find(|(outcome, _)| *outcome == self)
            .map_or('-', |(_, letter)| letter)
    }
}

/// The decision over a message and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub decision: Decision,
    /// In the order looked at; the last one decided, unless none did.
    pub steps: Vec<Step>,
    /// The message in the CRM that it answers, whether or not that is why it is tracked.
    pub parent: Option<Parent>,
}

/// The message that another one answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    pub method: Method,
    pub record: RecordId,
    /// What the parent is about, and its answer therefore too.
    pub regarding: Option<PartyRef>,
}

impl Verdict {
    /// Whether no rule had a word to say.
    pub fn falls_through(&self) -> bool {
        !self.steps.iter().any(|step| matches!(step.result, Outcome::Tracks | Outcome::Skips))
    }

    /// The steps in short, a letter each, for the store.
    pub fn looked(&self) -> String {
        self.steps.iter().map(|step| step.result.letter()).collect()
    }
}

/// Reads back what [`Verdict::looked`] wrote; what it does not know is left out.
pub fn steps(looked: &str) -> Vec<Step> {
    let result = |letter| Outcome::ALL.into_iter().find(|(_, of)| *of == letter);
    RULES
        .iter()
        .zip(looked.chars())
        .filter_map(|((rule, _), letter)| Some(Step { rule, result: result(letter)?.0 }))
        .collect()
}

/// Who sent a message: whom the rules about senders have to be asked about.
pub fn senders(message: &Content) -> Vec<Address> {
    people(message, "from")
}

/// Whether the decision over a message depends on what the CRM says of its sender.
pub fn asks_for_senders(policy: &Policy) -> bool {
    (Automatic::KnownSenders..=Automatic::EmailEnabled).contains(&policy.automatic)
}

/// Decides over one message; the first rule that matches wins.
pub fn decide(
    message: &Content,
    mark: Option<Mark>,
    around: Surroundings<'_>,
    policy: &Policy,
) -> Verdict {
    let known = around.known;
    let parent = thread::parent(message, &policy.token, &known.filed)
        .map(|(method, Filed { record, regarding })| Parent { method, record, regarding })
        .or_else(|| {
            let record = policy.smart.then(|| thread::alike(message, &known.similar)).flatten()?;
            Some(Parent { method: Method::SmartMatching, record, regarding: None })
        });
    let case = Case { message, mark, around, policy, parent: parent.as_ref() };
    let mut steps = Vec::new();
    for (rule, look) in RULES {
        let (result, phrase) = look(&case);
        steps.push(Step { rule, result });
        let decision = match result {
            Outcome::Tracks => Decision::tracked(phrase),
            Outcome::Skips => Decision::skipped(phrase),
            Outcome::Passes | Outcome::Off => continue,
        };
        return Verdict { decision, steps, parent };
    }
    Verdict { decision: Decision::skipped("no rule tracks it"), steps, parent }
}

/// Whether the blocklist keeps this message out.
pub fn is_blocked(message: &Content, me: &BTreeSet<Address>, block: &[Pattern]) -> bool {
    let blocked = |address: &Address| block.iter().any(|pattern| pattern.matches(address));
    let from = senders(message);
    if from.iter().any(|address| !me.contains(address)) {
        return from.iter().any(blocked);
    }
    // What one wrote oneself stays out when it went to nobody else.
    let mut to = ["to", "cc", "bcc"].into_iter().flat_map(|role| people(message, role)).peekable();
    to.peek().is_some() && to.all(|address| blocked(&address))
}

/// What a rule looks at.
struct Case<'a> {
    message: &'a Content,
    mark: Option<Mark>,
    around: Surroundings<'a>,
    policy: &'a Policy,
    parent: Option<&'a Parent>,
}

type Rule = fn(&Case<'_>) -> (Outcome, &'static str);

/// All rules in their order. The store keeps what each said by its place: a new one goes to the end of its letters only with a
/// new decision over everything, which a changed policy brings about anyway.
const RULES: [(&str, Rule); 9] = [
    ("mark", own_mark),
    ("drafts-junk-bin", drafts_junk_bin),
    ("blocklist", blocklist),
    ("private", private),
    ("folder", folder_rule),
    ("replies", replies),
    ("known-senders", known_senders),
    ("email-enabled", email_enabled),
    ("all", all),
];

const OFF: (Outcome, &str) = (Outcome::Off, "");
const PASSES: (Outcome, &str) = (Outcome::Passes, "");

fn own_mark(case: &Case<'_>) -> (Outcome, &'static str) {
    match case.mark {
        Some(Mark::Tracked) => (Outcome::Tracks, "you track it"),
        Some(Mark::Untracked) => (Outcome::Skips, "you untracked it"),
        None if has(case.message, &[TRACKED_KEYWORD]) => (Outcome::Tracks, "keyword `$CrmTracked`"),
        None => PASSES,
    }
}

/// Flags of messages (RFC 9051 §2.3.2) and what clients call the folders of RFC 6154.
fn drafts_junk_bin(case: &Case<'_>) -> (Outcome, &'static str) {
    let folder = case.around.folder.rsplit(['/', '.']).next().unwrap_or_default().trim();
    let lies_in = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(folder));
    if has(case.message, &["\\Draft"]) || lies_in(&["drafts", "draft", "templates"]) {
        (Outcome::Skips, "drafts stay out")
    } else if has(case.message, &["$Junk", "Junk", "$Phishing"])
        || lies_in(&["junk", "spam", "junk e-mail", "junk email", "bulk mail"])
    {
        (Outcome::Skips, "junk stays out")
    } else if has(case.message, &["\\Deleted"])
        || lies_in(&["trash", "bin", "deleted", "deleted items", "deleted messages"])
    {
        (Outcome::Skips, "what is in the bin stays out")
    } else {
        PASSES
    }
}

fn blocklist(case: &Case<'_>) -> (Outcome, &'static str) {
    if case.policy.block.is_empty() {
        OFF
    } else if is_blocked(case.message, case.around.me, &case.policy.block) {
        (Outcome::Skips, "on your blocklist")
    } else {
        PASSES
    }
}

fn private(case: &Case<'_>) -> (Outcome, &'static str) {
    match (case.policy.include_private, case.message.traits.private) {
        (true, _) => OFF,
        (false, true) => (Outcome::Skips, PRIVATE),
        (false, false) => PASSES,
    }
}

fn folder_rule(case: &Case<'_>) -> (Outcome, &'static str) {
    if case.policy.folders.is_empty() {
        OFF
    } else if folder::rule_for(&case.policy.folders, case.around.folder).is_some() {
        (Outcome::Tracks, "its folder is tracked")
    } else {
        PASSES
    }
}

fn replies(case: &Case<'_>) -> (Outcome, &'static str) {
    if case.policy.automatic < Automatic::Replies {
        return OFF;
    }
    let Some(parent) = case.parent else { return PASSES };
    let phrase = match parent.method {
        Method::InReplyTo => "it answers a message that is tracked",
        Method::TrackingToken => "it has the tracking token of a message that is tracked",
        Method::ConversationIndex => "it is of the conversation of a message that is tracked",
        Method::SmartMatching => "subject and people are those of a message that is tracked",
    };
    (Outcome::Tracks, phrase)
}

fn known_senders(case: &Case<'_>) -> (Outcome, &'static str) {
    if case.policy.automatic < Automatic::KnownSenders {
        OFF
    } else if senders(case.message).iter().any(|from| case.around.known.people.contains(from)) {
        (Outcome::Tracks, "the CRM knows the sender")
    } else {
        PASSES
    }
}

fn email_enabled(case: &Case<'_>) -> (Outcome, &'static str) {
    if case.policy.automatic < Automatic::EmailEnabled {
        OFF
    } else if senders(case.message).iter().any(|from| case.around.known.enabled.contains(from)) {
        (Outcome::Tracks, "its sender has an address in the CRM")
    } else {
        PASSES
    }
}

fn all(case: &Case<'_>) -> (Outcome, &'static str) {
    if case.policy.automatic == Automatic::All {
        (Outcome::Tracks, "every email is tracked")
    } else {
        OFF
    }
}

fn people(message: &Content, role: &'static str) -> Vec<Address> {
    match message.fields.get(&Field::of(role)) {
        Some(Value::People(people)) => people.iter().map(|person| person.address.clone()).collect(),
        _ => Vec::new(),
    }
}

/// Whether a message has one of these flags or keywords, which know no case (RFC 9051 §2.3.2).
fn has(message: &Content, marks: &[&str]) -> bool {
    message.traits.marks.iter().any(|has| marks.iter().any(|mark| mark.eq_ignore_ascii_case(has)))
}

#[cfg(test)]
mod tests;
