//! What a state folder holds, without a configuration and without asking anybody: what would only be forgotten, since it can be
//! found again, and what is nowhere else.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::cli::output::{Page, count};
use crate::model::Class;
use crate::store::replica::{self, collision, outbox, row};
use crate::store::{self, Connection, Store, conflict, hold, journal, link, mark, outgoing, round};

/// How many writes without an answer are named.
const NAMED: usize = 20;

/// What a state folder holds.
#[derive(Debug, Default)]
pub struct Holdings {
    pub has_store: bool,
    /// Pairs, by class.
    links: Vec<(Class, u32)>,
    rounds: usize,
    marks: usize,
    /// Operations that wait for a word.
    held: usize,
    copies: Vec<Copy>,
    // Nowhere else:
    /// Writes of which nobody knows whether they took place, in words.
    open: Vec<String>,
    /// Conflicts whose losing value is only here.
    conflicts: usize,
    /// Mails of which it is not known whether they were sent, and mails on their way.
    mails: usize,
}

/// An offline copy.
#[derive(Debug)]
struct Copy {
    name: String,
    rows: u64,
    /// Edits that were not sent, or were refused.
    edits: u64,
    contested: u64,
}

impl Holdings {
    /// # Errors
    /// When a store cannot be read.
    pub async fn of(state: &Path) -> anyhow::Result<Self> {
        let (path, offline) = (state.join("store.db"), state.join("offline"));
        let mut holdings = Self::default();
        if path.exists() {
            let store = tokio::task::spawn_blocking(move || Store::open(&path)).await??;
            holdings = store.read(Self::read).await?;
        }
        for name in databases(&offline) {
            let path = offline.join(format!("{name}.db"));
            let copy = tokio::task::spawn_blocking(move || replica::open(&path)).await??;
            holdings.copies.push(copy.read(move |db| Copy::read(db, name)).await?);
        }
        Ok(holdings)
    }

    fn read(db: &Connection) -> store::Result<Self> {
        let (mut links, mut marks) = (Vec::new(), 0);
        for class in Class::ALL {
            marks += mark::all(db, class)?.len();
            let (linked, released) = link::count(db, class)?;
            links.push((class, linked + released));
        }
        let open = journal::unknown(db)?.into_iter().map(|entry| {
            let side = entry.intent.side.place();
            let (class, action) = (entry.intent.class, entry.intent.action.as_str());
            format!("round {}: {action} of {class} in {side}", entry.round)
        });
        let (doubtful, queued) = outgoing::waiting(db)?;
        let rounds = round::latest(db, 1)?.first().map_or(0, |round| round.id.0);
        Ok(Self {
            has_store: true,
            links,
            rounds: usize::try_from(rounds).unwrap_or_default(),
            marks,
            held: hold::open_holds(db)?.iter().map(|hold| hold.held.len()).sum(),
            copies: Vec::new(),
            open: open.collect(),
            conflicts: conflict::open(db)?.len(),
            mails: doubtful + queued,
        })
    }

    /// Whether something would be lost.
    pub fn is_lost(&self) -> bool {
        !self.open.is_empty()
            || self.conflicts + self.mails > 0
            || self.copies.iter().any(|copy| copy.edits + copy.contested > 0)
    }

    /// What can be found again.
    pub fn describe(&self, page: &mut Page) {
        if !self.has_store && self.copies.is_empty() {
            page.line("    nothing");
        }
        if self.has_store {
            let pairs: Vec<String> = self
                .links
                .iter()
                .map(|(class, number)| count(*number as usize, class.as_str()))
                .collect();
            page.line(format!("    which items and records belong together: {}", pairs.join(", ")));
            page.line(format!("    the history of {}", count(self.rounds, "round")));
            page.line(format!(
                "    {} of yours, {} held",
                count(self.marks, "mark"),
                count(self.held, "operation")
            ));
        }
        for copy in &self.copies {
            page.line(format!("    the offline copy of `{}`: {} rows", copy.name, copy.rows));
        }
    }

    /// What would be lost.
    pub fn describe_lost(&self, page: &mut Page) {
        if !self.is_lost() {
            return;
        }
        page.line("waits here and is nowhere else:");
        for line in self.open.iter().take(NAMED) {
            page.line(format!("  a write without an answer, {line}"));
        }
        if self.open.len() > NAMED {
            page.line(format!("  and {} more of these", self.open.len() - NAMED));
        }
        if self.conflicts > 0 {
            page.line(format!("  {}: the value that lost", count(self.conflicts, "open conflict")));
        }
        if self.mails > 0 {
            page.line(format!(
                "  {} on its way, or in doubt: `liaison outgoing`",
                count(self.mails, "mail")
            ));
        }
        for Copy { name, edits, contested, .. } in &self.copies {
            if edits + contested > 0 {
                page.line(format!("  for `{name}`: {edits} edits not sent, {contested} contested: `liaison outbox`"));
            }
        }
    }

    pub fn to_json(&self) -> Json {
        let links: serde_json::Map<String, Json> = self
            .links
            .iter()
            .map(|(class, number)| (class.to_string(), (*number).into()))
            .collect();
        let copies: Vec<Json> = self
            .copies
            .iter()
            .map(|copy| {
                json!({ "organisation": copy.name, "rows": copy.rows, "edits": copy.edits, "contested": copy.contested })
            })
            .collect();
        json!({
            "links": links,
            "rounds": self.rounds,
            "marks": self.marks,
            "held": self.held,
            "copies": copies,
            "open_writes": self.open,
            "conflicts": self.conflicts,
            "mails": self.mails,
            "would_be_lost": self.is_lost(),
        })
    }
}

impl Copy {
    fn read(db: &Connection, name: String) -> store::Result<Self> {
        let (waiting, parked) = outbox::count(db)?;
        Ok(Self {
            name,
            rows: row::counts(db)?.iter().map(|(_, count)| count).sum(),
            edits: waiting + parked,
            contested: collision::count(db)?,
        })
    }
}

/// The names of the databases in this folder.
fn databases(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".db").map(str::to_owned))
        .collect();
    names.sort();
    names
}
