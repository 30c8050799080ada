//! What waits in the store, and the command for it. Status is only true if this is.

use std::ops::AddAssign;

use serde_json::{Value as Json, json};

use super::output::count;
use crate::model::{Class, Side};
use crate::store::conflict::{self, Conflict};
use crate::store::{self, Connection, hold, link, outgoing, quarantine};

/// How much of a class waits, and for what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Operations that wait for a person's word.
    pub held: usize,
    /// Operations that were approved and are not carried out yet.
    pub approved: usize,
    /// Conflicts that nobody has decided.
    pub conflicts: usize,
    /// Choices that are not carried out yet.
    pub chosen: usize,
    /// Items and records that could not be read or written.
    pub aside: usize,
    /// Mails of which nobody knows whether they were sent.
    pub doubtful: usize,
    /// Other mails with which something is left to do.
    pub queued: usize,
}

impl Waiting {
    /// What waits of one class.
    ///
    /// # Errors
    /// When the store is lost.
    pub fn of(db: &Connection, class: Class) -> store::Result<Self> {
        let holds = hold::open_holds(db)?;
        let mut waiting = Self {
            held: holds.iter().filter(|hold| hold.class == class).map(|hold| hold.held.len()).sum(),
            approved: hold::approved_keys(db, class)?.len(),
            aside: quarantine::all(db, Side::Mailbox, class)?.len()
                + quarantine::all(db, Side::Crm, class)?.len(),
            ..Self::default()
        };
        if class == Class::Email {
            (waiting.doubtful, waiting.queued) = outgoing::waiting(db)?;
        }
        let of_class = |conflict: &Conflict| -> store::Result<bool> {
            Ok(link::get(db, conflict.link)?.is_some_and(|link| link.class == class))
        };
        for conflict in conflict::open(db)? {
            let undecided = conflict.choice.is_none() && of_class(&conflict)?;
            waiting.conflicts += usize::from(undecided);
        }
        for conflict in conflict::choices(db)? {
            waiting.chosen += usize::from(of_class(&conflict)?);
        }
        Ok(waiting)
    }

    /// What waits of these classes together.
    ///
    /// # Errors
    /// When the store is lost.
    pub fn all(db: &Connection, classes: &[Class]) -> store::Result<Self> {
        let mut sum = Self::default();
        for class in classes {
            sum += Self::of(db, *class)?;
        }
        Ok(sum)
    }

    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// What the person can do, most important first: sentences with the command in them.
    pub fn notes(self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut add = |number: usize, word: &str, (one, many): (&str, &str), what: &str| {
            if number > 0 {
                let verb = if number == 1 { one } else { many };
                notes.push(format!("→ {} {verb} {what}", count(number, word)));
            }
        };
        let (wait, are) = (("waits", "wait"), ("is", "are"));
        let approve = "for your word: see `liaison approve`, allow with `liaison approve --all`";
        add(self.held, "operation", wait, approve);
        let asked = "for your word: were they sent? See `liaison outgoing`";
        add(self.doubtful, "mail", wait, asked);
        add(self.conflicts, "conflict", wait, "for your choice: see `liaison conflicts`");
        let decided = self.approved + self.chosen;
        add(decided, "decision", wait, "to be carried out: `liaison sync`");
        add(self.queued, "mail", wait, "to be sent or told of: see `liaison outgoing`");
        add(self.aside, "item", are, "set aside until corrected: see `liaison status --all`");
        notes
    }

    pub fn to_json(self) -> Json {
        json!({
            "held": self.held,
            "approved": self.approved,
            "conflicts": self.conflicts,
            "chosen": self.chosen,
            "quarantined": self.aside,
            "mails_in_doubt": self.doubtful,
            "mails_queued": self.queued,
        })
    }
}

impl AddAssign for Waiting {
    fn add_assign(&mut self, other: Self) {
        self.held += other.held;
        self.approved += other.approved;
        self.conflicts += other.conflicts;
        self.chosen += other.chosen;
        self.aside += other.aside;
        self.doubtful += other.doubtful;
        self.queued += other.queued;
    }
}
