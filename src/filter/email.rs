//! Which messages are tracked. Every message gets a decision, and `explain` can show each rule that was looked at.
//! Must not know how a message is filed or sent: it sees what the message says and what the caller knows besides.

use std::collections::BTreeSet;

use crate::model::{Address, Content, Field, Uid, Value};

use super::{Decision, Mark, PRIVATE, TRACKED_KEYWORD};

/// How far automatic tracking goes. Each step includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Automatic {
    /// Only what the user tracks.
    None,
    /// Answers to messages that are tracked.
    Replies,
    /// Messages from people that the CRM knows.
    KnownSenders,
    All,
}

/// How the user wants messages to be tracked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub automatic: Automatic,
    /// Whether rules may track messages with a `Sensitivity` of private or confidential.
    pub include_private: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { automatic: Automatic::Replies, include_private: false }
    }
}

/// What the caller knows about a message and cannot be read from it.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The folder it lies in, parts divided by `/` or `.`; empty for the inbox.
    pub folder: &'a str,
    /// The global names of the messages that are in the CRM.
    pub promoted: &'a BTreeSet<Uid>,
    /// The addresses of contacts, leads and accounts.
    pub known: &'a BTreeSet<Address>,
}

/// A rule that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The word for the rule: `mark`, `drafts-junk-bin`, `private`, `replies`, `known-senders`, `all`.
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

/// The decision over a message and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub decision: Decision,
    /// In the order looked at; the last one decided, unless none did.
    pub steps: Vec<Step>,
}

/// Who sent a message: whom `known-senders` has to be asked about.
pub fn senders(message: &Content) -> Vec<Address> {
    match message.fields.get(&Field::of("from")) {
        Some(Value::People(people)) => people.iter().map(|person| person.address.clone()).collect(),
        _ => Vec::new(),
    }
}

/// Decides over one message; the first rule that matches wins.
pub fn decide(
    message: &Content,
    mark: Option<Mark>,
    around: Surroundings<'_>,
    policy: Policy,
) -> Verdict {
    let mut steps = Vec::new();
    for (rule, look) in RULES {
        let (result, phrase) = look(message, mark, around, policy);
        steps.push(Step { rule, result });
        match result {
            Outcome::Tracks => return Verdict { decision: Decision::tracked(phrase), steps },
            Outcome::Skips => return Verdict { decision: Decision::skipped(phrase), steps },
            Outcome::Passes | Outcome::Off => {}
        }
    }
    Verdict { decision: Decision::skipped("no rule tracks it"), steps }
}

type Rule = fn(&Content, Option<Mark>, Surroundings<'_>, Policy) -> (Outcome, &'static str);

const RULES: [(&str, Rule); 6] = [
    ("mark", own_mark),
    ("drafts-junk-bin", drafts_junk_bin),
    ("private", private),
    ("replies", replies),
    ("known-senders", known_senders),
    ("all", all),
];

fn own_mark(
    message: &Content,
    mark: Option<Mark>,
    _: Surroundings<'_>,
    _: Policy,
) -> (Outcome, &'static str) {
    match mark {
        Some(Mark::Tracked) => (Outcome::Tracks, "you track it"),
        Some(Mark::Untracked) => (Outcome::Skips, "you untracked it"),
        None if has(message, &[TRACKED_KEYWORD]) => (Outcome::Tracks, "keyword `$CrmTracked`"),
        None => (Outcome::Passes, ""),
    }
}

/// Flags of messages (RFC 9051 §2.3.2) and what clients call the folders of RFC 6154.
fn drafts_junk_bin(
    message: &Content,
    _: Option<Mark>,
    around: Surroundings<'_>,
    _: Policy,
) -> (Outcome, &'static str) {
    let folder = around.folder.rsplit(['/', '.']).next().unwrap_or_default().trim();
    let lies_in = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(folder));
    if has(message, &["\\Draft"]) || lies_in(&["drafts", "draft", "templates"]) {
        (Outcome::Skips, "drafts stay out")
    } else if has(message, &["$Junk", "Junk", "$Phishing"])
        || lies_in(&["junk", "spam", "junk e-mail", "junk email", "bulk mail"])
    {
        (Outcome::Skips, "junk stays out")
    } else if has(message, &["\\Deleted"])
        || lies_in(&["trash", "bin", "deleted", "deleted items", "deleted messages"])
    {
        (Outcome::Skips, "what is in the bin stays out")
    } else {
        (Outcome::Passes, "")
    }
}

fn private(
    message: &Content,
    _: Option<Mark>,
    _: Surroundings<'_>,
    policy: Policy,
) -> (Outcome, &'static str) {
    match (policy.include_private, message.traits.private) {
        (true, _) => (Outcome::Off, ""),
        (false, true) => (Outcome::Skips, PRIVATE),
        (false, false) => (Outcome::Passes, ""),
    }
}

fn replies(
    message: &Content,
    _: Option<Mark>,
    around: Surroundings<'_>,
    policy: Policy,
) -> (Outcome, &'static str) {
    if policy.automatic < Automatic::Replies {
        (Outcome::Off, "")
    } else if message.traits.references.iter().any(|uid| around.promoted.contains(uid)) {
        (Outcome::Tracks, "it answers a message that is tracked")
    } else {
        (Outcome::Passes, "")
    }
}

fn known_senders(
    message: &Content,
    _: Option<Mark>,
    around: Surroundings<'_>,
    policy: Policy,
) -> (Outcome, &'static str) {
    let known = match message.fields.get(&Field::of("from")) {
        Some(Value::People(people)) => {
            people.iter().any(|person| around.known.contains(&person.address))
        }
        _ => false,
    };
    if policy.automatic < Automatic::KnownSenders {
        (Outcome::Off, "")
    } else if known {
        (Outcome::Tracks, "the CRM knows the sender")
    } else {
        (Outcome::Passes, "")
    }
}

fn all(
    _: &Content,
    _: Option<Mark>,
    _: Surroundings<'_>,
    policy: Policy,
) -> (Outcome, &'static str) {
    match policy.automatic {
        Automatic::All => (Outcome::Tracks, "every email is tracked"),
        Automatic::None | Automatic::Replies | Automatic::KnownSenders => (Outcome::Off, ""),
    }
}

/// Whether a message has one of these flags or keywords, which know no case (RFC 9051 §2.3.2).
fn has(message: &Content, marks: &[&str]) -> bool {
    message.traits.marks.iter().any(|has| marks.iter().any(|mark| mark.eq_ignore_ascii_case(has)))
}

#[cfg(test)]
mod tests;
