//! Work away from the CRM, and mails that it wants sent, woven into a history: what the history was without them stays as it is.
//! Somebody enters a few things while others go on working with them; then the organisation can be reached again, with something
//! on the way. And so with mails.

use liaison::model::{Class, Side};

use super::history::{Act, Event, Happening, What, Who, fields};
use crate::planner::simulation::Dice;
use crate::support::faults::{Fault, Point};

/// Chooses otherwise than what the history was made with.
const OTHER: u64 = 0x0FF1_1CE5;

/// And this otherwise again.
const REGRET: u64 = 0x4E64_4E64;

/// Where the names of what is made and written here begin.
const THINGS: u32 = 1000;
const TOKENS: u32 = 10_000;
const REGRETS: u32 = 20_000;

const TABLES: [Class; 3] = [Class::Contact, Class::Task, Class::Appointment];

struct Weaver<'h> {
    dice: Dice,
    /// How many things of each class there are in the whole history.
    things: &'h [u32; 4],
    made: Vec<(Class, u32)>,
    tokens: u32,
    /// What happens before the event of this number.
    woven: Vec<(usize, Event)>,
}

/// The events of a history with work away from the CRM among them.
pub fn weave(seed: u64, things: &[u32; 4], events: Vec<Event>) -> Vec<Event> {
    let (dice, made, woven) = (Dice::new(seed ^ OTHER), Vec::new(), Vec::new());
    let mut weaver = Weaver { dice, things, made, tokens: TOKENS, woven };
    for _ in 0..=weaver.dice.roll(3) {
        weaver.stretch(events.len());
    }
    for thing in 0..2 + weaver.dice.roll(3) {
        weaver.mail(events.len(), THINGS + u32::try_from(thing).unwrap());
    }
    let mut woven = weaver.woven;
    woven.sort_by_key(|(place, _)| *place);
    let mut woven = woven.into_iter().peekable();
    let mut all = Vec::new();
    for (number, event) in events.into_iter().enumerate() {
        while let Some((_, event)) = woven.next_if(|(place, _)| *place <= number) {
            all.push(event);
        }
        all.push(event);
    }
    all.extend(woven.map(|(_, event)| event));
    regret(seed, all)
}

/// Some of what was entered is taken back or corrected, before it goes anywhere, or when it came back.
fn regret(seed: u64, events: Vec<Event>) -> Vec<Event> {
    let mut dice = Dice::new(seed ^ REGRET);
    let mut tokens = REGRETS;
    let mut change = |site| {
        let place = usize::try_from(dice.roll(6)).unwrap();
        tokens += 1;
        match dice.roll(6) {
            0 => Some(Event::Regret(site, place)),
            1 => Some(Event::Correct { site, place, token: tokens }),
            _ => None,
        }
    };
    let mut all = Vec::new();
    for event in events {
        let Event::Online(site) = event else {
            all.push(event);
            continue;
        };
        all.extend(change(site));
        all.push(event);
        all.extend(change(site));
    }
    all
}

impl Weaver<'_> {
    /// Somebody is away for a while.
    fn stretch(&mut self, length: usize) {
        let site = usize::from(self.dice.chance(20));
        let mut place = self.number(length as u64);
        let mut known: Vec<Act> = Vec::new();
        for _ in 0..2 + self.dice.roll(5) {
            if self.dice.chance(15) {
                self.expect((place, site), &STOPS);
            }
            let act = match known.last() {
                // Mostly of what was entered before: there it matters what came first.
                Some(last) if self.dice.chance(35) => self.more(last.class, last.thing),
                _ => self.entry(),
            };
            self.woven.push((place, Event::Enter(site, act.clone())));
            if self.dice.chance(55) {
                let other = self.other(&act);
                self.woven.push((place, Event::Act(other)));
            }
            place += self.number(4);
            known.push(act);
        }
        for _ in 0..=self.dice.roll(4) {
            self.trouble((place, site), &known);
        }
        self.woven.push((place, Event::Online(site)));
        if self.dice.chance(40) {
            place += self.number(6);
            self.woven.push((place, Event::Answer(site)));
            self.trouble((place, site), &known);
            self.woven.push((place, Event::Online(site)));
        }
    }

    /// The user wants a mail sent, perhaps not after all, or once more; and something happens on its way.
    fn mail(&mut self, length: usize, thing: u32) {
        let mut place = self.number(length as u64);
        let act = |what| Act { who: Who::Crm, class: Class::Email, thing, what };
        self.woven.push((place, Event::Act(act(What::Send))));
        for _ in 0..=self.dice.roll(4) {
            let site = usize::from(self.dice.chance(15));
            if self.dice.chance(12) {
                let point = *self.dice.pick(&WAY);
                let taken_back = if self.dice.chance(50) { What::TakeBack } else { What::Send };
                let what = match self.dice.roll(3) {
                    0 => Happening::Other,
                    _ => Happening::Act(act(taken_back)),
                };
                self.woven.push((place, Event::Expect { site, point, nth: 0, what }));
            } else {
                let (point, what) = self.fault(&mail_points());
                let nth = match point {
                    Point::MailBeforeCommit | Point::MailAfterPromise => 6,
                    _ => 1,
                };
                let nth = u32::try_from(self.dice.roll(nth)).unwrap();
                self.woven.push((place, Event::Expect { site, point, nth, what }));
            }
        }
        if self.dice.chance(40) {
            place += self.number(12);
            let site = usize::from(self.dice.chance(15));
            self.woven.push((place, Event::Answer(site)));
        }
        if self.dice.chance(15) {
            place += self.number(6);
            self.woven.push((place, Event::Act(act(What::TakeBack))));
            place += self.number(6);
            self.woven.push((place, Event::Act(act(What::Send))));
        }
    }

    fn entry(&mut self) -> Act {
        let class = *self.dice.pick(&TABLES);
        if self.dice.chance(20) {
            return self.make(class);
        }
        if !self.made.is_empty() && self.dice.chance(25) {
            let (class, thing) = *self.dice.pick(&self.made);
            return self.more(class, thing);
        }
        let thing = self.old(class);
        self.more(class, thing)
    }

    fn entry_of(&mut self, kind: &str) -> Act {
        let class = *self.dice.pick(&TABLES);
        if kind == "create" {
            return self.make(class);
        }
        let thing = self.old(class);
        let what = if kind == "delete" { What::Delete } else { self.write(class, None) };
        Act { who: Who::Crm, class, thing, what }
    }

    fn make(&mut self, class: Class) -> Act {
        let thing = THINGS + u32::try_from(self.made.len()).unwrap();
        self.made.push((class, thing));
        Act { who: Who::Crm, class, thing, what: What::Make }
    }

    /// A thing of the history, perhaps of later.
    fn old(&mut self, class: Class) -> u32 {
        let place = TABLES.iter().position(|it| *it == class).unwrap();
        u32::try_from(self.dice.roll(u64::from(self.things[place]))).unwrap()
    }

    fn more(&mut self, class: Class, thing: u32) -> Act {
        let what = if self.dice.chance(18) { What::Delete } else { self.write(class, None) };
        Act { who: Who::Crm, class, thing, what }
    }

    /// What others do to a thing that somebody works with: mostly to the same field.
    fn other(&mut self, act: &Act) -> Act {
        let who = *self.dice.pick(&[Who::Colleague, Who::Colleague, Who::Mail]);
        let field = match &act.what {
            What::Write { field, .. } if self.dice.chance(60) => Some(*field),
            _ => None,
        };
        let what = match self.dice.roll(100) {
            0..=11 => What::Delete,
            12..=21 if who.side() == Side::Crm => What::Touch,
            22..=33 => {
                let field = field.unwrap_or_else(|| self.field(act.class));
                What::Empty { field, token: self.token() }
            }
            _ => self.write(act.class, field),
        };
        Act { who, class: act.class, thing: act.thing, what }
    }

    fn write(&mut self, class: Class, field: Option<&'static str>) -> What {
        let field = field.unwrap_or_else(|| self.field(class));
        What::Write { field, token: self.token(), is_long: self.dice.chance(20) }
    }

    fn field(&mut self, class: Class) -> &'static str {
        self.dice.pick::<&str>(fields(class))
    }

    fn token(&mut self) -> u32 {
        self.tokens += 1;
        self.tokens
    }

    /// Something happens when what was entered is on its way: a fault, or somebody acts.
    fn trouble(&mut self, (place, site): (usize, usize), known: &[Act]) {
        if self.dice.chance(80) {
            return self.expect((place, site), &points());
        }
        let what = match known.last() {
            Some(act) if self.dice.chance(75) => Happening::Act(self.other(act)),
            _ => Happening::Other,
        };
        let point = *self.dice.pick(&[
            Point::Wave,
            Point::Look,
            Point::CopyList,
            Point::CopyRows,
            Point::BeforeEdit("update"),
            Point::AfterEdit("update"),
            Point::AfterEdit("create"),
        ]);
        self.woven.push((place, Event::Expect { site, point, nth: 0, what }));
    }

    fn expect(&mut self, (place, site): (usize, usize), points: &[Point]) {
        let (point, what) = self.fault(points);
        let most = match point {
            _ if points.len() == STOPS.len() => 1,
            Point::CopyBeforeCommit | Point::CopyAfterCommit => 8,
            Point::CopyAfterPromise => 2,
            _ => 1,
        };
        let nth = u32::try_from(self.dice.roll(most)).unwrap();
        self.woven.push((place, Event::Expect { site, point, nth, what }));
        if let Point::BeforeEdit(kind) | Point::AfterEdit(kind) = point {
            // Else nobody may come by there.
            let act = self.entry_of(kind);
            self.woven.push((place, Event::Enter(site, act)));
        }
    }

    /// Each kind of fault at each point is as likely.
    fn fault(&mut self, points: &[Point]) -> (Point, Happening) {
        let of = |point: &Point| point.faults().iter().map(|fault| (*point, *fault)).collect();
        let all: Vec<(Point, Fault)> = points.iter().flat_map(|it| -> Vec<_> { of(it) }).collect();
        let (point, fault) = *self.dice.pick(&all);
        (point, Happening::Fault(fault))
    }

    fn number(&mut self, sides: u64) -> usize {
        usize::try_from(self.dice.roll(sides)).unwrap()
    }
}

/// Where something can happen while it is entered.
const STOPS: [Point; 3] =
    [Point::CopyBeforeCommit, Point::CopyAfterCommit, Point::CopyAfterPromise];

/// Every point of the way of what is entered at which something can happen.
pub fn points() -> Vec<Point> {
    let mut points = vec![Point::Wave, Point::Look, Point::CopyList, Point::CopyRows];
    for kind in ["create", "update", "delete"] {
        points.extend([Point::BeforeEdit(kind), Point::AfterEdit(kind)]);
    }
    points.extend(STOPS);
    points
}

/// Where somebody can act while a mail is on its way.
const WAY: [Point; 7] = [
    Point::MailRead,
    Point::BeforeTake,
    Point::AfterTake,
    Point::BeforeSubmit,
    Point::AfterSubmit,
    Point::BeforeTell,
    Point::AfterTell,
];

/// Every point of the way of a mail at which something can happen.
pub fn mail_points() -> Vec<Point> {
    let mut points = WAY.to_vec();
    points.extend([
        Point::MailList,
        Point::FinalStop,
        Point::MailBeforeCommit,
        Point::MailAfterPromise,
    ]);
    points
}
