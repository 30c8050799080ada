//! The next step for one mail: from what is stored of it, how it stands in the CRM, and whether the mailbox has it. Pure: it is
//! the one place that says when a mail may be handed in.
//!
//! A mail leaves in one state only, *ready*, and is *sending* on the disk before its first byte does. Whatever was sending when
//! the program ended, or when an answer did not come, may have left: then only the mailbox or a person can tell. So may what was
//! taken here before another computer had its turn.

use jiff::Timestamp;

use crate::connector::outgoing::Stage;
use crate::store::outgoing::{Mail, State};

/// Whether the mailbox holds a message of the mail's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nobody looked, or could.
    Unasked,
    Nowhere,
    There,
}

/// What is known of a mail.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub stored: Option<&'a Mail>,
    pub stage: Stage,
    pub found: Found,
    /// Whether it was frozen in this round, so that its record cannot say something else by now.
    pub fresh: bool,
    /// Whether a copy could not be filed in this round.
    pub unfiled: bool,
    /// Since when this installation is the one that sends, if there are others.
    pub tenure: Option<Timestamp>,
    pub now: Timestamp,
}

/// What is to be done with a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Nothing,
    /// Read the record, and keep what it says as it is to go out.
    Freeze,
    /// Tell the CRM that it is about to be sent.
    Take,
    /// Hand it in.
    Submit,
    /// It was sent: keep that.
    Believe,
    /// Nobody knows whether it was sent: ask the person.
    Ask,
    /// It was taken back before it left: forget it.
    Withdraw,
    /// File a copy in the mailbox.
    Copy,
    /// Tell the CRM what came of it.
    Tell,
    /// The CRM knows already, or does not want to know any more.
    Close,
}

/// The next step.
pub fn decide(facts: Facts<'_>) -> Step {
    let Some(mail) = facts.stored else { return unknown_to_us(facts) };
    match mail.state {
        State::Ready => ready(mail, facts),
        State::Sending | State::Unknown => match (facts.stage, facts.found) {
            (_, Found::There) | (Stage::Sent, _) => Step::Believe,
            (_, Found::Nowhere) if mail.state == State::Sending => Step::Ask,
            _ => Step::Nothing,
        },
        State::Sent if !mail.copied && !facts.unfiled => Step::Copy,
        State::Sent => match facts.stage {
            Stage::Sent | Stage::Gone if mail.told => Step::Nothing,
            Stage::Sent | Stage::Gone => Step::Close,
            // Whoever put an older copy of the organisation back must not have it sent once more.
            Stage::Pending | Stage::Sending => Step::Tell,
            Stage::Withdrawn if mail.told => Step::Nothing,
            Stage::Withdrawn => Step::Tell,
        },
        State::Refused => match facts.stage {
            // Somebody wants it tried again.
            Stage::Pending if mail.told && facts.found != Found::There => Step::Freeze,
            Stage::Pending | Stage::Sending => Step::Tell,
            _ if mail.told => Step::Nothing,
            Stage::Sent | Stage::Withdrawn | Stage::Gone => Step::Close,
        },
    }
}

/// Whether the mailbox must be searched before anything is decided.
pub fn must_look(stored: Option<&Mail>, stage: Stage, named: bool) -> bool {
    match stored.map(|mail| mail.state) {
        // Named or taken, and not by this store: another one may have sent it.
        None => stage == Stage::Sending || (stage == Stage::Pending && named),
        Some(State::Sending | State::Unknown) => true,
        Some(State::Ready) => stage == Stage::Sending,
        Some(State::Sent | State::Refused) => false,
    }
}

fn unknown_to_us(facts: Facts<'_>) -> Step {
    match (facts.stage, facts.found) {
        (Stage::Pending | Stage::Sending, Found::There) => Step::Believe,
        (Stage::Pending, Found::Nowhere) => Step::Freeze,
        (Stage::Sending, Found::Nowhere) => Step::Ask,
        _ => Step::Nothing,
    }
}

fn ready(mail: &Mail, facts: Facts<'_>) -> Step {
    match (facts.stage, facts.found) {
        (_, Found::There) => Step::Believe,
        (Stage::Pending, _) if facts.fresh => Step::Take,
        (Stage::Pending, _) => Step::Freeze,
        // Another computer had its turn meanwhile: it may have sent what was taken here, and not told of it yet.
        (Stage::Sending, Found::Nowhere)
            if facts.tenure.is_some_and(|since| since > mail.changed) =>
        {
            Step::Ask
        }
        // A person wants it sent again of which only the name was left.
        (Stage::Sending, Found::Nowhere) if mail.size == 0 => Step::Freeze,
        (Stage::Sending, Found::Nowhere) if facts.now >= mail.due => Step::Submit,
        (Stage::Sending, _) => Step::Nothing,
        (Stage::Sent | Stage::Withdrawn | Stage::Gone, _) => Step::Withdraw,
    }
}

#[cfg(test)]
mod tests;
