//! A history as data: who does what, what happens on the way, when a round begins. It is made of a seed, and what is left after
//! some of it was taken away is a history, too.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use liaison::model::{Class, Side};
use liaison::plan::{ConflictPolicy, DeleteRule};

use super::nature::Nature;
use crate::planner::simulation::Dice;
use crate::support::faults::{Fault, Point};

pub const CLASSES: [Class; 4] = [Class::Contact, Class::Task, Class::Appointment, Class::Email];

/// What people do at least, and what happens on the way at least.
const ACTS: u64 = 30;
const FAULTS: u64 = 12;

/// Chooses the habits of servers that came later.
const LATER: u64 = 0x5E27_5E27;

/// What was there from the beginning, of each class: one thing made on either side.
pub const OLD: u32 = 2;

/// See the module.
#[derive(Debug, Clone)]
pub struct History {
    pub seed: u64,
    pub conflict: ConflictPolicy,
    pub deletes: DeleteRule,
    pub nature: Nature,
    pub events: Vec<Event>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Act(Act),
    /// An installation looks.
    Round(usize),
    /// This happens on the way of an installation, the n-th time that it comes by there from now on.
    Expect {
        site: usize,
        point: Point,
        nth: u32,
        what: Happening,
    },
    /// The user enters something into the copy of an installation, away from the CRM.
    Enter(usize, Act),
    /// What was entered there goes to the CRM, and the copy is brought up to date.
    Online(usize),
    /// The user takes back what they entered there, of this place in the list.
    Regret(usize, usize),
    /// The user has it say something else.
    Correct {
        site: usize,
        place: usize,
        token: u32,
    },
    /// The user says what becomes of what waits for them there.
    Answer(usize),
    /// The user makes this installation the one that syncs.
    Claim(usize),
    /// Its state folder is copied; the copy is put back; the folder is lost.
    Backup(usize),
    Restore(usize),
    Lose(usize),
    /// Nobody does anything.
    Pass(Duration),
    /// The computer starts with a clock that is late.
    Late(usize, Duration),
}

/// What happens on the way.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    Fault(Fault),
    Act(Act),
    /// The user takes the other installation, and it goes through a whole round meanwhile.
    Other,
}

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The user in the mailbox, the user in the CRM, a colleague there.
    Mail,
    Crm,
    Colleague,
}

/// What somebody does to a thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    pub who: Who,
    pub class: Class,
    pub thing: u32,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Make,
    /// Writes something that was never written before, perhaps at length.
    Write {
        field: &'static str,
        token: u32,
        is_long: bool,
    },
    Empty {
        field: &'static str,
        token: u32,
    },
    /// A property that only the mailbox has.
    Own {
        token: u32,
    },
    /// Other times, to the minute.
    Move {
        minutes: i64,
    },
    Delete,
    /// Out of the sync filter, and back.
    Leave,
    Return,
    /// Another file name, or folder.
    Rename,
    /// Saved without a change.
    Touch,
    /// A mail of the user's is to be sent, or not after all.
    Send,
    TakeBack,
}

impl Who {
    pub fn side(self) -> Side {
        match self {
            Self::Mail => Side::Mailbox,
            Self::Crm | Self::Colleague => Side::Crm,
        }
    }
}

/// The fields of a class that people write into.
pub fn fields(class: Class) -> &'static [&'static str] {
    match class {
        Class::Contact => &["telephone1", "jobtitle", "address1_city", "description"],
        Class::Task => &["description"],
        Class::Appointment => &["location", "description"],
        Class::Email => &[],
    }
}

impl History {
    /// The history of a seed.
    pub fn of(seed: u64) -> Self {
        Maker::new(seed).history()
    }

    /// How much happens: what shrinking makes smaller.
    pub fn size(&self) -> usize {
        self.events.len()
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "conflicts: {:?}, deletions: {:?}", self.conflict, self.deletes)?;
        writeln!(f, "servers: {:?}", self.nature)?;
        for event in &self.events {
            writeln!(f, "  {event}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Act(act) => write!(f, "{act}"),
            Self::Round(site) => write!(f, "installation {site} looks"),
            Self::Enter(site, act) => write!(f, "away, at {site}: {act}"),
            Self::Online(site) => write!(f, "what was entered at {site} goes to the CRM"),
            Self::Answer(site) => write!(f, "the user says what becomes of what waits at {site}"),
            Self::Expect { site, point, nth, what } => {
                write!(f, "(expect, of {site}, {nth} more `{point}`, then {what})")
            }
            other => write!(f, "{other:?}"),
        }
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => write!(f, "{fault:?}"),
            Self::Act(act) => write!(f, "{act}"),
            Self::Other => f.write_str("the other installation takes over"),
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {} {}: {:?}", self.who, self.class, self.thing, self.what)
    }
}

/// Points that a history seldom comes by: only what is deleted on one side is deleted on the other.
const SELDOM: [Point; 4] = [
    Point::BeforeWrite(Side::Mailbox, "delete"),
    Point::AfterWrite(Side::Mailbox, "delete"),
    Point::BeforeWrite(Side::Crm, "delete"),
    Point::AfterWrite(Side::Crm, "delete"),
];

struct Maker {
    dice: Dice,
    seed: u64,
    things: [u32; 4],
    /// What was deleted, as far as a maker of histories knows.
    deleted: BTreeSet<(Class, u32)>,
    tokens: u32,
    events: Vec<Event>,
}

impl Maker {
    fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            seed,
            things: [OLD; 4],
            deleted: BTreeSet::new(),
            tokens: 0,
            events: Vec::new(),
        }
    }

    fn history(mut self) -> History {
        let policies = [ConflictPolicy::Crm, ConflictPolicy::Mailbox, ConflictPolicy::Ask];
        let conflict = *self.dice.pick(&policies);
        let rules = [DeleteRule::ByClass, DeleteRule::Propagate, DeleteRule::Keep];
        let deletes = *self.dice.pick(&rules);
        let nature = Nature::of(&mut self.dice, &mut Dice::new(self.seed ^ LATER));
        let acts = ACTS + self.dice.roll(15);
        let faults = FAULTS + self.dice.roll(6);
        let mut rest = acts;
        while rest > 0 {
            let some = (1 + self.dice.roll(6)).min(rest);
            rest -= some;
            for _ in 0..some {
                if self.dice.chance(25) {
                    // Somebody acts while it is at work.
                    let what = Happening::Act(self.act());
                    self.expect(what);
                } else {
                    let act = self.act();
                    self.events.push(Event::Act(act));
                }
            }
            for _ in 0..(faults * some).div_ceil(acts) {
                self.trouble();
            }
            self.round();
        }
        let Self { seed, events, things, .. } = self;
        let events = super::away::weave(seed, &things, events);
        History { seed, conflict, deletes, nature, events }
    }

    fn round(&mut self) {
        let site = usize::from(self.dice.chance(25));
        match self.dice.roll(60) {
            0 => self.events.push(Event::Lose(site)),
            1 | 2 => self.events.push(Event::Backup(site)),
            3 => self.events.push(Event::Restore(site)),
            4 | 5 => self.events.push(Event::Claim(site)),
            6 => {
                let days = 1 + self.dice.roll(400);
                self.events.push(Event::Pass(Duration::from_hours(24 * days)));
            }
            7 | 8 => {
                let late = Duration::from_mins(1 + self.dice.roll(90));
                self.events.push(Event::Late(site, late));
            }
            _ => {}
        }
        self.events.push(Event::Round(site));
    }

    fn act(&mut self) -> Act {
        let class = *self.dice.pick(&CLASSES);
        let place = CLASSES.iter().position(|it| *it == class).unwrap();
        let who = *self.dice.pick(&[Who::Mail, Who::Mail, Who::Crm, Who::Colleague]);
        let make = self.dice.chance(25);
        if make {
            // Messages come into the mailbox.
            let who = if class == Class::Email { Who::Mail } else { who };
            let thing = self.things[place];
            self.things[place] += 1;
            return Act { who, class, thing, what: What::Make };
        }
        // Mostly the newest: there people meet.
        let things = u64::from(self.things[place]);
        let mut thing = 0;
        for _ in 0..4 {
            thing = u32::try_from(self.dice.roll(things).max(self.dice.roll(things))).unwrap();
            if !self.deleted.contains(&(class, thing)) {
                break;
            }
        }
        let what = self.what(class, who.side());
        if what == What::Delete {
            self.deleted.insert((class, thing));
        }
        Act { who, class, thing, what }
    }

    fn what(&mut self, class: Class, side: Side) -> What {
        let names = fields(class);
        let roll = self.dice.roll(100);
        match (roll, side) {
            (0..=11, _) => What::Delete,
            (12..=13, Side::Crm) => What::Leave,
            (14..=18, Side::Crm) => What::Return,
            (12..=18, Side::Mailbox) => What::Rename,
            (19..=22, Side::Crm) => What::Touch,
            (19..=22, Side::Mailbox) if class != Class::Email => What::Own { token: self.token() },
            (23..=29, _) if class == Class::Task || class == Class::Appointment => {
                What::Move { minutes: i64::try_from(self.dice.roll(5000)).unwrap() }
            }
            (30..=37, _) if !names.is_empty() => {
                What::Empty { field: self.dice.pick::<&str>(names), token: self.token() }
            }
            _ if !names.is_empty() => What::Write {
                field: self.dice.pick::<&str>(names),
                token: self.token(),
                is_long: self.dice.chance(20),
            },
            (_, Side::Crm) => What::Touch,
            (_, Side::Mailbox) => What::Rename,
        }
    }

    fn token(&mut self) -> u32 {
        self.tokens += 1;
        self.tokens
    }

    fn trouble(&mut self) {
        if self.dice.chance(8) {
            self.expect(Happening::Other);
            return;
        }
        let seldom = self.dice.chance(30);
        let point = if seldom { *self.dice.pick(&SELDOM) } else { self.point() };
        let fault = *self.dice.pick(point.faults());
        let (site, nth) = (self.site(), self.nth(point));
        self.events.push(Event::Expect { site, point, nth, what: Happening::Fault(fault) });
        if let Point::BeforeWrite(side, "delete") | Point::AfterWrite(side, "delete") = point {
            // Else nobody may come by there.
            self.delete(side.other());
        }
    }

    /// Somebody deletes something that is older than the latest news.
    fn delete(&mut self, side: Side) {
        let class = *self.dice.pick(&[Class::Contact, Class::Task, Class::Appointment]);
        let place = CLASSES.iter().position(|it| *it == class).unwrap();
        let things = 0..self.things[place];
        let there: Vec<u32> = things.filter(|it| !self.deleted.contains(&(class, *it))).collect();
        let Some(thing) = there.first() else { return };
        self.deleted.insert((class, *thing));
        let who = if side == Side::Mailbox { Who::Mail } else { Who::Colleague };
        self.events.push(Event::Act(Act { who, class, thing: *thing, what: What::Delete }));
    }

    /// Not in the middle of a commit: there nobody sees anything.
    fn expect(&mut self, what: Happening) {
        let point = loop {
            let point = self.point();
            if !matches!(point, Point::BeforeCommit | Point::AfterCommit | Point::AfterPromise) {
                break point;
            }
        };
        let (site, nth) = (self.site(), self.nth(point));
        self.events.push(Event::Expect { site, point, nth, what });
    }

    fn site(&mut self) -> usize {
        usize::from(self.dice.chance(12))
    }

    fn point(&mut self) -> Point {
        *self.dice.pick(&points())
    }

    fn nth(&mut self, point: Point) -> u32 {
        let most = match point {
            Point::BeforeCommit | Point::AfterCommit => 60,
            Point::List(_) => 8,
            Point::AfterPromise | Point::LeaseLook | Point::Read(_) | Point::Batch(_) => 3,
            _ => 1,
        };
        u32::try_from(self.dice.roll(most)).unwrap()
    }
}

/// Every point of the way at which something can happen.
pub fn points() -> Vec<Point> {
    let mut points = vec![
        Point::BeforeCommit,
        Point::AfterCommit,
        Point::AfterPromise,
        Point::Ask,
        Point::LeaseLook,
        Point::LeasePut,
        Point::BeforeWrite(Side::Mailbox, "mark"),
        Point::AfterWrite(Side::Mailbox, "mark"),
    ];
    for side in [Side::Mailbox, Side::Crm] {
        points.extend([Point::Batch(side), Point::List(side), Point::Read(side)]);
        for kind in ["create", "update", "delete"] {
            points.extend([Point::BeforeWrite(side, kind), Point::AfterWrite(side, kind)]);
        }
    }
    points
}
