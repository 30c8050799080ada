//! What must be true once everything came to rest, whatever happened before:
//!
//! * O1 What somebody wrote, and nobody replaced who saw it, stands on both sides or is in a list of conflicts.
//! * O2 Every thing is there once on each side, and what nobody deleted is there.
//! * O3 What was deleted on a side stays away from it; where deletions are followed and nobody changed anything meanwhile, it is
//!   gone from both.
//! * O4 Nothing is there that nobody made.
//! * O5 A further look plans nothing, and it comes to rest at all.
//! * O6 Nothing is made twice under one id, but where it was deleted in between.
//! * O7 No write is left without an outcome.
//! * O8 The journal knows every write that took place, for as long as it promises to.
//! * O10 Nothing is deleted that nobody deleted on the other side.
//! * O11 Properties that only the mailbox knows are as they were.
//! * O12 What was entered away from the CRM, and acknowledged, took place, or is in a list that its author can look at (O1 says
//!   the same of its words); nothing takes place that nobody entered.
//! * O13 Nothing that was entered takes place twice.
//! * O14 A copy of the CRM says what the CRM says, but for what was entered.
//! * O15 No mail is handed in twice, unless somebody took it back who could not know that it had left, and sent it again; or a state
//!   folder of before it left was put back, and nothing says that it did.
//! * O16 No mail is passed over in silence: it was sent, and the CRM says so and the mailbox has it; or nobody got it, and the CRM
//!   says that; or a person is asked.
//! * O17 `liaison verify` finds nothing that the rules above do not.
//! * O18 A meeting to which a stranger asked is not said to be the user's.
//!
//! (O9, that no secret is ever told, needs none of this: there are no secrets in memory. It is in `cli::privacy`.)

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use liaison::connector::outgoing::Stage;
use liaison::model::{Class, Field, Fields, ItemId, Side, Value};
use liaison::plan::DeleteRule;
use liaison::store::{conflict, journal, link};
use liaison::sync::verify::{Finding, Kind};

use super::history::{CLASSES, History, fields};
use super::ledger::{Ledger, Sight, Thing, sight};
use super::office::{Office, STRANGER, asks, says};
use super::post::mail_of;
use super::servers::Effect;
use crate::support::faults::{Fault, Point};
use crate::support::world::ME;

/// Where a thing stands, and what it says if that can be read.
type Half = (ItemId, Option<Fields>);

/// What stands on both sides at the end.
struct End<'o> {
    office: &'o Office,
    history: &'o History,
    ledger: Ledger,
    /// By thing and side; more than one is wrong.
    there: BTreeMap<(Thing, Side), Vec<Half>>,
    /// What nobody made.
    strange: Vec<String>,
    contested: BTreeSet<u32>,
    /// Both halves of pairs about which something is contested.
    disputed: BTreeSet<ItemId>,
    /// Things that were entered, and are not made yet.
    unmade: BTreeSet<Thing>,
}

/// For how long the journal knows a write: half a year, less the most that the clock of a computer is late.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(181 * 24);

const SIDES: [Side; 2] = [Side::Mailbox, Side::Crm];

/// Everything that is wrong; each sentence begins with the number of the rule.
pub fn judge(office: &Office, history: &History) -> Vec<String> {
    let end = End::of(office, history);
    let mut wrong = end.strange.clone();
    wrong.extend(end.words());
    wrong.extend(end.things());
    wrong.extend(end.deletions());
    wrong.extend(end.effects());
    wrong.extend(end.open_writes());
    wrong.extend(end.own());
    wrong.extend(end.removals());
    wrong.extend(end.ledger.wrong.iter().cloned());
    wrong.extend(end.mails());
    wrong.extend(end.meetings());
    wrong
}

/// O17. What the second judge finds, but where servers change what they are given, and that somebody deleted a filed message in the
/// CRM, which is told and not followed.
pub fn second(office: &Office, history: &History, found: &[(Class, Finding)]) -> Vec<String> {
    let nature = history.nature;
    let changes = nature.cuts || nature.folds || nature.rounds;
    let ledger = office.ledger.lock().unwrap();
    let email = |(class, _): &&Thing| *class == Class::Email;
    let deletes = ledger.things.keys().filter(email).any(|it| ledger.is_deleted(*it, Side::Crm));
    let is_known = |(class, finding): &&(Class, Finding)| match finding.kind {
        Kind::Differs => changes,
        Kind::Gone => *class == Class::Email && deletes,
        _ => false,
    };
    let wrong = found.iter().filter(|found| !is_known(found));
    wrong.map(|(class, found)| format!("O17 {class}: {:?}, {}", found.kind, found.line)).collect()
}

impl<'o> End<'o> {
    fn of(office: &'o Office, history: &'o History) -> Self {
        let ledger = office.ledger.lock().unwrap().clone();
        let (mut there, mut strange) = (BTreeMap::new(), Vec::new());
        for class in CLASSES {
            for side in SIDES {
                for (thing, id) in office.servers.places(side, class) {
                    let thing = thing.map(|number| (class, number));
                    match thing.filter(|thing| ledger.things.contains_key(thing)) {
                        Some(thing) => {
                            let fields = says(office, side, class, &id);
                            let of: &mut Vec<_> = there.entry((thing, side)).or_default();
                            of.push((id, fields));
                        }
                        None => strange.push(format!("O4 nobody made {id} in the {side}")),
                    }
                }
            }
        }
        let mut contested: BTreeSet<u32> = office.contested(0).into_iter().collect();
        contested.extend(office.contested(1));
        let mut unmade = BTreeSet::new();
        for site in [0, 1] {
            let (words, things) = office.listed(site);
            contested.extend(words);
            unmade.extend(things);
        }
        let disputed = disputed(office, &ledger);
        Self { office, history, ledger, there, strange, contested, disputed, unmade }
    }

    fn at(&self, thing: Thing, side: Side) -> Option<&Half> {
        self.there.get(&(thing, side)).and_then(|all| all.first())
    }

    fn fields(&self, thing: Thing, side: Side) -> Option<&Fields> {
        self.at(thing, side)?.1.as_ref()
    }

    /// Not to be compared: its row is out of the sync filter.
    fn is_apart(&self, thing: Thing) -> bool {
        self.at(thing, Side::Crm).is_some_and(|(id, _)| self.office.servers.has_left(id))
    }

    fn is_disputed(&self, thing: Thing) -> bool {
        let is_in = |side| self.at(thing, side).is_some_and(|(id, _)| self.disputed.contains(id));
        SIDES.into_iter().any(is_in)
    }

    /// O1.
    fn words(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (number, edit) in self.ledger.standing() {
            let shows = |side| self.fields(edit.thing, side).map(|of| sight(of, edit.field));
            let stands = |side| match shows(side) {
                Some(Sight::Token(shown)) => shown == number,
                Some(Sight::Empty) => edit.empties,
                Some(Sight::Strange) | None => false,
            };
            let is_there = |side| self.at(edit.thing, side).is_some();
            let both = SIDES.into_iter().all(is_there) && !self.is_apart(edit.thing);
            let visible =
                if both { SIDES.into_iter().all(stands) } else { SIDES.into_iter().any(stands) };
            let kept = if edit.empties {
                // That a field was emptied has no words to look for.
                self.is_disputed(edit.thing) || !SIDES.into_iter().any(is_there)
            } else {
                self.contested.contains(&number)
            };
            if !visible && !kept {
                let (class, thing) = edit.thing;
                wrong.push(format!(
                    "O1 t{number} (written into {} of {class} {thing} in the {}) is lost: the sides show {:?} and {:?}",
                    edit.field,
                    edit.side,
                    shows(Side::Mailbox),
                    shows(Side::Crm),
                ));
            }
        }
        wrong
    }

    /// How often a thing may be there: a server that files what it is given files each mail as often as it was handed in.
    fn most(&self, (class, number): Thing, side: Side) -> usize {
        let nature = self.history.nature;
        if (class, side) == (Class::Email, Side::Mailbox) && (nature.files || nature.files_untold) {
            return self.office.servers.handed_in(number).max(1);
        }
        1
    }

    /// O2, and that both sides say the same.
    fn things(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for ((class, number), made) in &self.ledger.things {
            let thing = (*class, *number);
            for side in SIDES {
                let count = self.there.get(&(thing, side)).map_or(0, Vec::len);
                if count > self.most(thing, side) {
                    wrong.push(format!("O2 {class} {number} is {count} times in the {side}"));
                }
                let deleted = SIDES.into_iter().any(|side| self.ledger.is_deleted(thing, side));
                let is_mail = *class == Class::Email && self.ledger.mails.contains_key(number);
                let is_missed = !deleted && !is_mail && !self.unmade.contains(&thing);
                if count == 0 && is_missed && !self.is_apart(thing) {
                    wrong.push(format!(
                        "O2 {class} {number}, made in the {made}, is not in the {side}"
                    ));
                }
            }
            if let (Some(item), Some(record)) =
                (self.fields(thing, Side::Mailbox), self.fields(thing, Side::Crm))
                && !self.is_apart(thing)
                && !self.is_disputed(thing)
                && *class != Class::Email
            {
                wrong.extend(self.differences(thing, item, record));
            }
        }
        wrong
    }

    fn differences(&self, (class, number): Thing, item: &Fields, record: &Fields) -> Vec<String> {
        let nature = self.history.nature;
        let mut names: Vec<&'static str> = fields(class).to_vec();
        if class != Class::Contact && !nature.rounds {
            names.extend(["scheduledstart", "scheduledend"]);
        }
        let same = |name: &&'static str| {
            let field = Field::of(name);
            match (item.get(&field), record.get(&field)) {
                (Some(item), Some(record)) => {
                    item.agrees(record)
                        || sight_of(name, nature) && {
                            let (one, other) = (one(name, item), one(name, record));
                            sight(&one, name) == sight(&other, name)
                        }
                }
                (None, None) => true,
                _ => false,
            }
        };
        let unlike = names.into_iter().filter(|name| !same(name));
        unlike
            .map(|name| {
                let shown = |fields: &Fields| {
                    fields.get(&Field::of(name)).map_or("-".to_owned(), ToString::to_string)
                };
                format!(
                    "O5 {name} of {class} {number} is {} in the mailbox and {} in the CRM",
                    shown(item),
                    shown(record)
                )
            })
            .collect()
    }

    /// O3.
    fn deletions(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.office.is_forgetful() {
            // Whoever lost what it knew meets what is left of a pair as something new.
            return wrong;
        }
        let effects = self.office.servers.effects.lock().unwrap().clone();
        let holder = usize::from(self.office.servers.holder().as_deref() == Some("place 1"));
        for ((class, number), side) in &self.ledger.deletions {
            let thing = (*class, *number);
            if self.ledger.is_remade(thing) {
                continue;
            }
            // Whoever did not know the pair meets what is left of it as something new: another installation that had not looked
            // since, or this one whose write had no answer yet. A write that arrived, and whose thing somebody deleted at once,
            // looks like one that never arrived; to make the thing again loses nothing, not to make it might lose it.
            let knows = |site| self.ledger.knew.contains(&(thing, *side, site));
            let maker = effects.iter().rev().find(|effect| {
                effect.kind == "create"
                    && effect.side == *side
                    && effect.thing == Some(*number)
                    && effect.class == *class
            });
            // A message that is not listed, and was moved from where it was, is taken for gone for good when its record was deleted.
            let is_astray = *side == Side::Crm && self.ledger.astray.contains(&thing);
            if self.at(thing, *side).is_some() {
                // Made anew by somebody who could not know, it is a pair again.
                if maker.is_none_or(|effect| knows(effect.site)) && !is_astray {
                    wrong
                        .push(format!("O3 {class} {number} was deleted in the {side} and is back"));
                }
                continue;
            }
            let stands = self.ledger.standing().any(|(_, edit)| edit.thing == thing);
            if self.history.deletes == DeleteRule::Propagate
                && *class != Class::Email
                && !stands
                && knows(holder)
                && !self.ledger.left.contains(&thing)
                && self.at(thing, side.other()).is_some()
                && !self.is_disputed(thing)
            {
                wrong.push(format!(
                    "O3 {class} {number} was deleted in the {side} and stays on the other side"
                ));
            }
        }
        wrong
    }

    /// O6, O8 and O10.
    fn effects(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let effects = self.office.servers.effects.lock().unwrap().clone();
        let mut made: BTreeMap<(Side, ItemId), usize> = BTreeMap::new();
        for (number, effect) in effects.iter().enumerate() {
            // For somebody who deleted the other half, or with an installation that did so for somebody: it met what that had not
            // got to yet as something new.
            let followed = || {
                effects[..number].iter().any(|before| {
                    (before.kind, before.site) == ("delete", 1 - effect.site)
                        && (before.class, before.thing) == (effect.class, effect.thing)
                        && before.side == effect.side.other()
                })
            };
            let thing = effect.thing.map(|number| (effect.class, number));
            let deleted =
                |side| thing.is_some_and(|thing| self.ledger.deletions.contains(&(thing, side)));
            match effect.kind {
                "delete" if !deleted(effect.side.other()) && !followed() => {
                    wrong.push(format!(
                        "O10 {} was deleted in the {} by installation {}",
                        effect.id, effect.side, effect.site
                    ));
                }
                "create" => {
                    let count = made.entry((effect.side, effect.id.clone())).or_default();
                    *count += 1;
                    if *count > 1 && !SIDES.into_iter().any(deleted) {
                        wrong.push(format!(
                            "O6 {} was made twice in the {}",
                            effect.id, effect.side
                        ));
                    }
                }
                _ => {}
            }
        }
        if !self.office.is_forgetful() {
            wrong.extend(self.unexplained(&effects));
        }
        wrong
    }

    fn unexplained(&self, effects: &[Effect]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut counts: BTreeMap<(usize, Side, Class, &ItemId, &str), usize> = BTreeMap::new();
        let now = self.office.servers.clock.now();
        // The copy of a mail that was sent is what its own state says.
        let is_copy = |effect: &Effect| {
            effect.side == Side::Mailbox && effect.class == Class::Email && effect.kind == "create"
        };
        // What was delivered twice is made twice where somebody deletes what the first made.
        let is_repeat = |effect: &Effect| {
            let thing = effect.thing.map(|number| (effect.class, number));
            effect.kind == "create"
                && thing.is_some_and(|it| self.ledger.is_deleted(it, effect.side))
                && self.office.was_hit(Point::Batch(effect.side), Fault::Twice)
        };
        let is_due = |effect: &&Effect| {
            let is_young = now.duration_since(effect.at) < REMEMBERED;
            is_young && !is_copy(effect) && !is_repeat(effect)
        };
        for effect in effects.iter().filter(is_due) {
            let key = (effect.site, effect.side, effect.class, &effect.id, effect.kind);
            *counts.entry(key).or_default() += 1;
        }
        for site in [0, 1] {
            let Some(store) = self.office.store(site) else { continue };
            let of_site = counts.iter().filter(|((of, ..), _)| *of == site);
            let look = |db: &_| {
                for ((_, side, class, id, kind), count) in of_site {
                    let entries = journal::of(db, *class, *side, id)?;
                    let known = entries.iter().filter(|it| it.intent.action.as_str() == *kind);
                    // Written down as often as it was tried: a row counts its attempts.
                    let known: usize = known.map(|entry| entry.attempts.max(1) as usize).sum();
                    if known < *count {
                        wrong.push(format!(
                            "O8 {kind} of {id} in the {side}: {count} times, {known} known"
                        ));
                    }
                }
                Ok(())
            };
            store.read_blocking(look).unwrap();
        }
        wrong
    }

    /// O7: of the installation that came to rest. The other one asks before it plans again.
    fn open_writes(&self) -> Vec<String> {
        let holder = usize::from(self.office.servers.holder().as_deref() == Some("place 1"));
        let Some(store) = self.office.store(holder) else { return Vec::new() };
        let open = store.read_blocking(journal::unknown).unwrap();
        let open = open.into_iter().filter(|entry| entry.intent.class != Class::Email);
        open.map(|entry| format!("O7 nobody knows what became of {:?}", entry.intent.action))
            .collect()
    }

    /// O12, of deletions: they took place, or there is nothing left to delete, or they wait for a person.
    fn removals(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (thing, site) in self.ledger.removals.keys() {
            let Some((id, _)) = self.at(*thing, Side::Crm) else { continue };
            // Where somebody else had deleted it, there was nothing left to do.
            let is_done = self.ledger.removed.contains(&(*thing, *site))
                || self.ledger.is_deleted(*thing, Side::Crm);
            if !is_done && !self.office.lists_removal(*site, id) {
                wrong.push(format!("O12 nobody deleted {id} for installation {site}"));
            }
        }
        wrong
    }

    /// O15 and O16.
    fn mails(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        // At an installation that is not the one that syncs, a question waits, and so does the copy of what it sent.
        let open: BTreeSet<ItemId> = [0, 1]
            .iter()
            .flat_map(|site| self.office.outgoing(*site))
            .map(|mail| mail.record)
            .collect();
        for (number, wanted) in &self.ledger.mails {
            let times = self.office.servers.handed_in(*number);
            if times > 1 + wanted.again {
                wrong.push(format!("O15 mail {number} was handed in {times} times"));
            }
            let stage = self.office.servers.stage(*number);
            let in_mailbox = self.at((Class::Email, *number), Side::Mailbox).is_some();
            // Whoever lost what it knew cannot file what it sent, nor tell of what was taken back while it left.
            let is_open = self.office.is_forgetful() || open.contains(&mail_of(*number).item_id());
            let is_told = match (times, stage) {
                (0, Stage::Withdrawn) => !in_mailbox,
                (0, _) => false,
                (_, Stage::Sent) => in_mailbox || is_open,
                (_, Stage::Withdrawn) => wanted.is_taken_back && is_open,
                (_, _) => false,
            };
            if !is_told {
                wrong.push(format!(
                    "O16 mail {number}: handed in {times} times, {stage:?} in the CRM, in the mailbox: {in_mailbox}"
                ));
            }
        }
        wrong
    }

    /// O18. Whoever enters a meeting away from the CRM asks nobody to it.
    fn meetings(&self) -> Vec<String> {
        let organizer = Field::of("organizer");
        let mine = |fields: &Fields| match fields.get(&organizer) {
            Some(Value::People(people)) => people.iter().any(|who| who.address.as_str() == ME),
            _ => false,
        };
        let is_his =
            |(class, number): Thing| class == Class::Appointment && asks(number) == Some(STRANGER);
        let meetings = self.there.iter().filter(|((thing, _), _)| is_his(*thing));
        let halves = meetings.flat_map(|(_, halves)| halves);
        let taken = halves.filter(|(_, fields)| fields.as_ref().is_some_and(mine));
        taken.map(|(id, _)| format!("O18 {id} has become the user's meeting")).collect()
    }

    /// O11.
    fn own(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.history.nature.forgets {
            return wrong;
        }
        for (number, thing) in &self.ledger.own {
            let Some((id, _)) = self.at(*thing, Side::Mailbox) else { continue };
            if SIDES.into_iter().any(|side| self.ledger.is_deleted(*thing, side)) {
                continue;
            }
            let ends = self.office.servers.mailboxes[&thing.0].lock().unwrap();
            let text = String::from_utf8_lossy(&ends.mailbox[id]).into_owned();
            if !text.contains(&format!("X-KEEP-{number}:t{number}\r\n")) {
                wrong.push(format!("O11 X-KEEP-{number} of {id} is lost"));
            }
        }
        wrong
    }
}

/// Whether plug-ins change what this field says, so that only its first word can be compared.
fn sight_of(name: &str, nature: super::nature::Nature) -> bool {
    (nature.cuts && name == "jobtitle") || (nature.folds && name == "address1_city")
}

fn one(name: &'static str, value: &Value) -> Fields {
    Fields::from([(Field::of(name), value.clone())])
}

/// Both halves of pairs about which something is contested, open or not, in either list: where they were then, and are by now.
fn disputed(office: &Office, ledger: &Ledger) -> BTreeSet<ItemId> {
    let mut halves = BTreeSet::new();
    for site in [0, 1] {
        let Some(store) = office.store(site) else { continue };
        let found = store.read_blocking(|db| {
            let mut found = Vec::new();
            for conflict in conflict::all(db)? {
                let link = link::get(db, conflict.link)?;
                found.extend(link.into_iter().flat_map(|link| [link.item, link.record]));
            }
            Ok(found)
        });
        halves.extend(found.unwrap());
    }
    for (_, from, to) in &ledger.moved {
        if halves.contains(from) {
            halves.insert(to.clone());
        }
    }
    halves
}
