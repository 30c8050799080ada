//! No invitation leaves because of us (RFC 6638). A server that schedules by itself writes to attendees when a meeting of the
//! user is stored, changed or removed, and to the organiser when the user's answer changes or an invitation is removed. What
//! keeps it from that, and what does not, tried out on Cyrus 3.6:
//!
//! * `SCHEDULE-AGENT=CLIENT` on every attendee from the first byte on (§7.1): nothing is ever sent, not on creation, change,
//!   cancellation or removal. So everything we create carries it, on the organiser too, since the user may be an attendee.
//! * Adding it later does not help: for the attendee that is a removal, and the server cancels (§3.2.1.1).
//! * `Schedule-Reply: F` (§8.1) keeps an invitation that is removed from being declined. It does not stop an organiser's
//!   updates or cancellations, nor, on Cyrus, the answer to an invitation that is changed.
//! * `Scheduling-Enabled: F`, which only Cyrus knows, stops all of it.
//!
//! Hence, where a meeting was stored by another program and its attendees are the server's business: Cyrus is told to keep
//! still. Elsewhere the user's own meeting is neither changed nor removed by us, but refused with a sentence. An invitation is
//! changed as long as the user's answer stays, and may be removed.
//!
//! What is added stays in the item and is handed out when it is read: mapping keeps parameters it does not know and gathers
//! nothing from them, so no change comes of it. Lines that were the server's business stay so, or other programs could no longer
//! invite with them.

use std::collections::BTreeSet;

use super::line::{self, Line};
use crate::connector::{Error, ErrorKind, Result};

/// A server that writes to attendees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scheduler {
    /// Who the user is, in lower case; empty where that is unknown.
    pub(super) addresses: BTreeSet<String>,
    /// It sends nothing because of a request that says so.
    pub(super) obeys: bool,
}

/// Whose business a meeting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stance {
    /// The server writes to nobody because of it.
    Silent,
    /// The user was invited by somebody; the server would send answers.
    Guest,
    /// The user invites; the server would send invitations and cancellations. Also where that cannot be told.
    Host,
}

/// What to store instead of this new item.
///
/// # Errors
/// [`ErrorKind::Rejected`] for a line that servers may read in another way than we do.
pub(super) fn created(body: &[u8]) -> Result<Vec<u8>> {
    silenced(body, &BTreeSet::new())
}

impl Scheduler {
    /// What to store instead of this changed item.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] when there is no way to do it without a message, and as for [`created`].
    pub(super) fn updated(&self, before: &[u8], after: &[u8]) -> Result<Vec<u8>> {
        let stance = self.stance(before);
        match stance {
            Stance::Silent => silenced(after, &BTreeSet::new()),
            Stance::Guest | Stance::Host if self.obeys => silenced(after, &live(before)),
            Stance::Guest if self.answers(before) == self.answers(after) => {
                silenced(after, &live(before))
            }
            Stance::Guest => Err(refuse("the server would send this answer to the organiser")),
            Stance::Host => {
                Err(refuse("the server would write to everybody invited to this meeting"))
            }
        }
    }

    /// # Errors
    /// [`ErrorKind::Rejected`] when there is no way to remove this item without a message.
    pub(super) fn deleted(&self, before: &[u8]) -> Result<()> {
        match self.stance(before) {
            Stance::Silent | Stance::Guest => Ok(()),
            Stance::Host if self.obeys => Ok(()),
            Stance::Host => {
                Err(refuse("the server would send a cancellation to everybody invited"))
            }
        }
    }

    fn is_me(&self, person: &Person) -> bool {
        self.addresses.contains(&person.address)
    }

    fn stance(&self, text: &[u8]) -> Stance {
        let people = people(text);
        let organisers = || people.iter().filter(|person| person.organises);
        // The organiser as attendee is written to by nobody.
        let guests = || {
            let is_organiser =
                |one: &Person| organisers().any(|other| other.address == one.address);
            people.iter().filter(move |one| !one.organises && !is_organiser(one))
        };
        if guests().next().is_none() {
            return Stance::Silent;
        }
        let is_live = guests().any(|guest| guest.is_live);
        let is_answered = organisers().any(|organiser| organiser.is_live);
        if organisers().any(|organiser| self.is_me(organiser)) {
            return if is_live { Stance::Host } else { Stance::Silent };
        }
        if guests().any(|guest| self.is_me(guest)) && organisers().next().is_some() {
            return if is_answered { Stance::Guest } else { Stance::Silent };
        }
        if is_live || is_answered { Stance::Host } else { Stance::Silent }
    }

    /// What the server would answer for the user, by occurrence: any change of it may send a message.
    fn answers(&self, text: &[u8]) -> BTreeSet<(Vec<u8>, Vec<u8>)> {
        let mut answers = BTreeSet::new();
        for component in line::components(text) {
            let named = |name| component.iter().filter(move |line| line.is(name));
            let occurrence: Vec<u8> =
                named("RECURRENCE-ID").flat_map(Line::value).copied().collect();
            let mut say = |what: &[u8]| {
                answers.insert((occurrence.clone(), what.to_owned()));
            };
            say(b"there");
            for name in ["RRULE", "RDATE", "STATUS"] {
                named(name).for_each(|line| say(line.value()));
            }
            named("EXDATE")
                .flat_map(|line| line.value().split(|byte| *byte == b','))
                .for_each(&mut say);
            for line in named("ATTENDEE").filter(|line| self.is_me(&Person::of(line))) {
                line.parameter("PARTSTAT").iter().for_each(|answer| say(answer));
            }
        }
        answers
    }
}

/// Somebody in a meeting.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Person {
    organises: bool,
    /// In lower case.
    address: String,
    /// The server writes to them.
    is_live: bool,
}

impl Person {
    fn of(line: &Line) -> Self {
        let address = String::from_utf8_lossy(line.value()).trim().to_lowercase();
        Self { organises: line.is("ORGANIZER"), address, is_live: !is_silent(line) }
    }
}

fn people(text: &[u8]) -> Vec<Person> {
    let lines = line::components(text).into_iter().flatten();
    lines.filter(concerns_people).map(|line| Person::of(&line)).collect()
}

/// Whom the server writes to: who they are, and as what.
fn live(text: &[u8]) -> BTreeSet<(bool, String)> {
    let people = people(text).into_iter().filter(|person| person.is_live);
    people.map(|person| (person.organises, person.address)).collect()
}

fn concerns_people(line: &Line) -> bool {
    line.is("ATTENDEE") || line.is("ORGANIZER")
}

/// What cannot be read is not silent.
fn is_silent(line: &Line) -> bool {
    let agents = line.parameter("SCHEDULE-AGENT");
    let is_none = |agent: &Vec<u8>| {
        agent.eq_ignore_ascii_case(b"CLIENT") || agent.eq_ignore_ascii_case(b"NONE")
    };
    line.is_whole() && !agents.is_empty() && agents.iter().all(is_none)
}

/// The text with everybody in it silenced but those whom it is better to leave alone.
fn silenced(text: &[u8], keep: &BTreeSet<(bool, String)>) -> Result<Vec<u8>> {
    line::edited(text, |line| {
        if !concerns_people(line) {
            return Ok(None);
        }
        if !line.is_whole() {
            return Err(Error::new(ErrorKind::Rejected, "a line about an attendee cannot be read")
                .hint(
                    "open the item in your calendar program and write down anew who takes part",
                ));
        }
        let mut line = line.clone();
        // It makes a server send even what it otherwise would not (RFC 6638 §7.2).
        let is_forced = line.remove("SCHEDULE-FORCE-SEND");
        let person = Person::of(&line);
        if !person.is_live || keep.contains(&(person.organises, person.address)) {
            return Ok(is_forced.then_some(line));
        }
        line.set("SCHEDULE-AGENT", "CLIENT");
        Ok(Some(line))
    })
}

fn refuse(reason: &str) -> Error {
    Error::new(ErrorKind::Rejected, format!("not done, since {reason}"))
        .hint("do it in your calendar program, which tells them")
}

#[cfg(test)]
mod tests;
