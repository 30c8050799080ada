//! What people do to things, on either side.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use liaison::mapping::Context;
use liaison::model::fields::Address;
use liaison::model::{Class, Field, Fields, ItemId, Patch, Person, RecordId, Side, Value};

use super::{NOW, Office, STRANGER};
use crate::simulation::history::{Act, What};
use crate::simulation::ledger::{Edit, Thing, sight, token};
use crate::simulation::rows::title;
use crate::simulation::servers::key;
use crate::support::hand::Hand;
use crate::support::world::{ME, ORGANISATION, add_line, me};

impl Office {
    /// Somebody does something. Where the thing is not, nothing happens.
    pub fn act(&self, act: &Act) {
        match act.what {
            What::Send => self.want_sent(act),
            What::TakeBack => self.take_back(act.thing),
            What::Make => self.make(act),
            _ => {
                let (side, class) = (act.who.side(), act.class);
                if let Some(id) = self.servers.place(side, class, act.thing)
                    && let Some(Ok(fields)) = self.hand(class).fields(side, &id)
                {
                    self.change(act, &id, &fields);
                }
            }
        }
    }

    /// The CRM wants a mail sent.
    fn want_sent(&self, act: &Act) {
        let is_sent = self.servers.send_mail(act.thing);
        let mut ledger = self.ledger.lock().unwrap();
        ledger.things.insert((act.class, act.thing), act.who.side());
        let wanted = ledger.mails.entry(act.thing).or_default();
        wanted.again += usize::from(is_sent && self.servers.handed_in(act.thing) > 0);
    }

    fn take_back(&self, mail: u32) {
        if self.servers.take_back(mail) {
            self.ledger.lock().unwrap().mails.entry(mail).or_default().is_taken_back = true;
        }
    }

    fn make(&self, act: &Act) {
        let (side, class) = (act.who.side(), act.class);
        let name = Some(Value::Text(key(class, act.thing)));
        let name = Patch::from([(Field::of(title(class)), name)]);
        let patch = name.into_iter().chain(usual(class, act.thing)).collect();
        let id = self.hand(class).edit(side, &key(class, act.thing), None, &patch);
        self.saved(side, &id);
        self.ledger.lock().unwrap().things.insert((class, act.thing), side);
    }

    /// Somebody does something to what says `fields`.
    fn change(&self, act: &Act, id: &ItemId, fields: &Fields) {
        let (side, class) = (act.who.side(), act.class);
        let thing = (class, act.thing);
        let hand = self.hand(class);
        let edits = |patch: &Patch| drop(hand.edit(side, &key(class, act.thing), Some(id), patch));
        let mut ledger = self.ledger.lock().unwrap();
        match &act.what {
            What::Make | What::Send | What::TakeBack => {}
            What::Write { field, token: number, is_long } => {
                let text = Value::Text(token(*number, *is_long));
                edits(&Patch::from([(Field::of(field), Some(text))]));
                let edit = edit(thing, side, field, false);
                ledger.edit(*number, edit, sight(fields, field));
            }
            What::Empty { field, token: number } => {
                if !fields.contains_key(&Field::of(field)) {
                    return;
                }
                edits(&Patch::from([(Field::of(field), None)]));
                let mut edit = edit(thing, side, field, true);
                edit.is_forfeit = self.says_nothing(side, class, id, field);
                ledger.edit(*number, edit, sight(fields, field));
            }
            What::Own { token: number } => {
                let line = format!("X-KEEP-{number}:t{number}");
                let mailbox = &self.servers.mailboxes[&class];
                add_line(&mut mailbox.lock().unwrap(), id, &line);
                ledger.own.insert(*number, thing);
            }
            What::Move { minutes } => edits(&moved(class, *minutes)),
            What::Delete => {
                let ends = if side == Side::Crm { &hand.crm } else { &hand.mailbox };
                ends.lock().unwrap().remove(side, id);
                ledger.delete(thing, side, fields);
                self.note_who_knew(&mut ledger, thing, side, id);
            }
            What::Leave | What::Return => {
                let mut ends = hand.crm.lock().unwrap();
                let row = ends.crm.touch(RecordId::parse(id).unwrap()).unwrap();
                row.left = act.what == What::Leave;
                if row.left {
                    ledger.left.insert(thing);
                }
            }
            What::Rename => {
                let mut ends = hand.mailbox.lock().unwrap();
                let bytes = ends.mailbox.remove(id).unwrap();
                let new = renamed(class, id);
                ends.mailbox.insert(new.clone(), bytes);
                ledger.moved.push((thing, id.clone(), new));
            }
            What::Touch => {
                hand.crm.lock().unwrap().crm.touch(RecordId::parse(id).unwrap());
            }
        }
        drop(ledger);
        self.saved(side, id);
    }

    /// Whether it tells nobody that a field was emptied here. Nothing tells whoever does not know the pair yet that there was something:
    /// then what the other side says fills what is empty. And what a write without an answer filled, somebody emptied before it was
    /// looked at: so it stood before. And what was filled and emptied between two looks, never was.
    fn says_nothing(&self, side: Side, class: Class, id: &ItemId, field: &'static str) -> bool {
        [0, 1].into_iter().any(|site| {
            !self.agreed(site, side, class, id).contains_key(&Field::of(field))
                || self.is_in_doubt(site, side, id)
        })
    }

    fn saved(&self, side: Side, id: &ItemId) {
        if side == Side::Crm {
            self.servers.saved(id);
        }
    }

    pub fn hand(&self, class: Class) -> Hand {
        Hand {
            class,
            mailbox: Arc::clone(&self.servers.mailboxes[&class]),
            crm: Arc::clone(&self.servers.crm),
            context: Context {
                organisation: ORGANISATION,
                zone: TimeZone::UTC,
                me: me(),
                lengths: self.settings.lengths.clone(),
                people: self.servers.crm.lock().unwrap().crm.people.clone(),
                filing: BTreeMap::new(),
            },
        }
    }
}

fn edit(thing: Thing, side: Side, field: &'static str, empties: bool) -> Edit {
    Edit { thing, side, field, empties, is_replaced: false, is_forfeit: false }
}

/// Who asks somebody to an appointment: of three, the user asks to one, and a stranger to another.
pub fn asks(appointment: u32) -> Option<&'static str> {
    match appointment % 3 {
        0 => None,
        1 => Some(ME),
        _ => Some(STRANGER),
    }
}

/// What a new thing says besides its title.
fn usual(class: Class, thing: u32) -> Patch {
    let people = |addresses: &[&str]| {
        let people = addresses.iter().map(|it| Address::parse(it).unwrap());
        Some(Value::People(people.map(|address| Person { name: String::new(), address }).collect()))
    };
    let at = |text: &str| Some(Value::Moment(text.parse().unwrap()));
    match class {
        Class::Contact => Patch::new(),
        Class::Task => Patch::from([(Field::of("scheduledend"), at("2030-01-05T12:00:00Z"))]),
        Class::Appointment => {
            let mut patch = Patch::from([
                (Field::of("scheduledstart"), at("2030-01-05T10:00:00Z")),
                (Field::of("scheduledend"), at("2030-01-05T11:00:00Z")),
            ]);
            if let Some(who) = asks(thing) {
                let other = if who == ME { "leo@example.org" } else { ME };
                patch.insert(Field::of("organizer"), people(&[who]));
                patch.insert(Field::of("requiredattendees"), people(&["lea@example.org", other]));
            }
            patch
        }
        Class::Email => Patch::from([(Field::of("from"), people(&["lea@example.org"]))]),
    }
}

/// Another time.
fn moved(class: Class, minutes: i64) -> Patch {
    let start = NOW.parse::<Timestamp>().unwrap() + SignedDuration::from_mins(60 * 24 + minutes);
    let end = start + SignedDuration::from_hours(1);
    let at = |field, at| (Field::of(field), Some(Value::Moment(at)));
    match class {
        Class::Task => Patch::from([at("scheduledend", start)]),
        _ => Patch::from([at("scheduledstart", start), at("scheduledend", end)]),
    }
}

/// Another name: messages go into another folder.
fn renamed(class: Class, id: &ItemId) -> ItemId {
    let name = id.as_str().rsplit('/').next().unwrap();
    ItemId::new(match class {
        Class::Email if id.as_str().starts_with("INBOX") => format!("Archive/{name}"),
        Class::Email => format!("INBOX/{name}"),
        _ => format!("r{name}"),
    })
}
