//! What ties messages to one conversation, and how that was recognised.

use super::fields::Address;
use super::item::Uid;
use super::record::{PartyRef, RecordId};

/// Something in a message by which another one in the CRM may be found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clue {
    /// The name of a message that this one answers.
    Name(Uid),
    /// A tracking token in the subject.
    Token(String),
    /// The beginning of a `Thread-Index`: the conversation as a whole, as it stands in `conversationindex`.
    Conversation(String),
}

impl Clue {
    /// What leads there, as it stands in the message.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Name(uid) => uid.as_str(),
            Self::Token(text) | Self::Conversation(text) => text,
        }
    }
}

/// A message in the CRM that a clue leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filed {
    pub record: RecordId,
    /// What it is about.
    pub regarding: Option<PartyRef>,
}

/// How two messages were found to belong together: the values of `email.correlationmethod`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    InReplyTo = 3,
    TrackingToken = 4,
    ConversationIndex = 5,
    SmartMatching = 6,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InReplyTo => "In-Reply-To",
            Self::TrackingToken => "tracking token",
            Self::ConversationIndex => "conversation index",
            Self::SmartMatching => "subject and people",
        }
    }
}

/// A message in the CRM as smart matching sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Similar {
    pub record: RecordId,
    pub subject: String,
    pub people: Vec<Address>,
}
