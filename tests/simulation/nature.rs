//! What servers are like that do everything they promise, and yet not what one would expect.

use std::collections::BTreeMap;

use jiff::Timestamp;
use liaison::model::{ItemId, RecordId, Version};
use serde_json::{Value as Json, json};

use crate::planner::simulation::Dice;
use crate::support::fake::Row;

/// The parts of a version that say nothing about the content begin with this.
const FLAKE: char = '~';

/// A server whose versions change by themselves is listed so often between two changes.
const STEADY: u64 = 5;

/// A server that tells versions by the clock tells those of one half hour alike.
const TICK: i64 = 1800;

/// The longest text that a plug-in of the organisation leaves whole in `jobtitle`.
const KEPT: usize = 8;

/// What the servers of a history are like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Nature {
    /// The mailbox names other versions every few times that it is listed, whether or not anything changed.
    pub flaky: bool,
    /// And so it does each time.
    pub restless: bool,
    /// The mailbox names versions by the time, coarsely: what changes twice in a while keeps its version. It checks what is
    /// written against what stands there all the same.
    pub coarse: bool,
    /// The mailbox adds a property of its own to what it is given.
    pub rewrites: bool,
    /// The mailbox drops properties that it does not know from what it is given.
    pub forgets: bool,
    /// A plug-in cuts a text.
    pub cuts: bool,
    /// A plug-in writes towns in capitals.
    pub folds: bool,
    /// The organisation rounds times to five minutes.
    pub rounds: bool,
    /// Everything takes its time.
    pub slow: bool,
    /// The submission server files what it is given among the sent messages, and is known to, or is not.
    pub files: bool,
    pub files_untold: bool,
}

impl Nature {
    /// `later` chooses what was not chosen from the beginning: histories stay what they were without it.
    pub fn of(dice: &mut Dice, later: &mut Dice) -> Self {
        let mut one = || dice.chance(20);
        Self {
            flaky: one(),
            restless: one(),
            coarse: one(),
            rewrites: one(),
            forgets: one(),
            cuts: one(),
            folds: one(),
            rounds: one(),
            slow: one(),
            files: later.chance(20),
            files_untold: later.chance(20),
        }
    }

    /// Each with one habit less.
    pub fn simpler(self) -> Vec<Self> {
        let less: [fn(&mut Self) -> &mut bool; 11] = [
            |it| &mut it.flaky,
            |it| &mut it.restless,
            |it| &mut it.coarse,
            |it| &mut it.rewrites,
            |it| &mut it.forgets,
            |it| &mut it.cuts,
            |it| &mut it.folds,
            |it| &mut it.rounds,
            |it| &mut it.slow,
            |it| &mut it.files,
            |it| &mut it.files_untold,
        ];
        let without = |habit: fn(&mut Self) -> &mut bool| {
            let mut it = self;
            *habit(&mut it) = false;
            (it != self).then_some(it)
        };
        less.into_iter().filter_map(without).collect()
    }

    /// What the mailbox makes of an item that a program gave it.
    pub fn item(self, bytes: Vec<u8>) -> Vec<u8> {
        let Ok(text) = String::from_utf8(bytes.clone()) else { return bytes };
        let mut text = text;
        if self.forgets {
            text = text.split_inclusive("\r\n").filter(|line| !line.starts_with("X-")).collect();
        }
        if self.rewrites {
            let end = ["END:VCARD", "END:VTODO", "END:VEVENT"];
            if let Some(place) = end.iter().find_map(|end| text.find(end)) {
                let lines = text.lines().filter(|line| line.starts_with("X-SERVER")).count();
                if lines == 0 {
                    text.insert_str(place, "X-SERVER:was here\r\n");
                }
            }
        }
        text.into_bytes()
    }

    /// What plug-ins make of a row, whoever saved it.
    pub fn row(self, row: &mut Row) {
        let columns = &mut row.record.columns;
        let mut change = |name: &str, new: &dyn Fn(&str) -> String| {
            if let Some(Json::String(text)) = columns.get(name) {
                let new = new(text);
                columns.insert(name.to_owned(), json!(new));
            }
        };
        if self.cuts {
            change("jobtitle", &|text| {
                text.chars().take(KEPT).collect::<String>().trim_end().to_owned()
            });
        }
        if self.folds {
            change("address1_city", &str::to_uppercase);
        }
        if self.rounds {
            for name in ["scheduledstart", "scheduledend"] {
                change(name, &|text| match text.parse::<Timestamp>() {
                    Ok(at) => {
                        let second = at.as_second();
                        Timestamp::from_second(second - second.rem_euclid(300)).unwrap().to_string()
                    }
                    Err(_) => text.to_owned(),
                });
            }
        }
    }
}

/// How the mailbox names versions.
#[derive(Debug, Default)]
pub struct Versions {
    /// What stands there, what it is called, and when that began.
    names: BTreeMap<ItemId, (Version, Version, i64)>,
    listed: u64,
}

impl Versions {
    /// The mailbox is listed.
    pub fn listed(&mut self) {
        self.listed += 1;
    }

    /// The name of what stands there.
    pub fn name(&mut self, nature: Nature, id: &ItemId, real: &Version, now: Timestamp) -> Version {
        let mut name = real.clone();
        if nature.coarse {
            let tick = now.as_second() / TICK;
            let fresh = || (real.clone(), real.clone(), tick);
            let known = self.names.entry(id.clone()).or_insert_with(fresh);
            if known.0 != *real && known.2 != tick {
                *known = fresh();
            }
            name = known.1.clone();
        }
        if nature.flaky || nature.restless {
            let steady = if nature.restless { 1 } else { STEADY };
            name = Version::new(format!("{name}{FLAKE}{}", self.listed / steady));
        }
        name
    }

    /// What stood there when it was called this.
    pub fn real(&self, id: &ItemId, name: &Version) -> Version {
        let plain = name.as_str().split(FLAKE).next().unwrap_or_default();
        match self.names.get(id) {
            Some((real, called, _)) if called.as_str() == plain => real.clone(),
            _ => Version::new(plain),
        }
    }

    /// Time goes on: everything is called by what stands there.
    pub fn settle(&mut self) {
        self.names.clear();
    }
}

/// A row that somebody saved.
pub fn saved(nature: Nature, rows: &mut BTreeMap<RecordId, Row>, id: &ItemId) {
    if let Some(row) = RecordId::parse(id).and_then(|id| rows.get_mut(&id)) {
        nature.row(row);
    }
}
