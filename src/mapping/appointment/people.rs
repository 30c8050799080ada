//! Organizer and attendees: `ORGANIZER` and `ATTENDEE` lines ⇄ activity parties.

use std::collections::{BTreeMap, BTreeSet};

use super::{OPTIONAL, ORGANIZER, REQUIRED};
use crate::mapping::Context;
use crate::mapping::calendar::{end_of_properties, set};
use crate::mapping::text::{Component, Edits, Line, Text};
use crate::model::record::{Party, Role};
use crate::model::{Address, Field, Fields, Patch, People, Person, Value};

/// Whether a patch touches who takes part.
pub fn touched(patch: &Patch) -> bool {
    [ORGANIZER, REQUIRED, OPTIONAL].iter().any(|field| patch.contains_key(field))
}

/// What the lines of a component say: rooms and equipment are left out, the organizer is no attendee of his own.
pub fn read_lines(text: &Text<'_>, component: &Component, me: &BTreeSet<Address>) -> Fields {
    let mut found = Found::default();
    if let Some((_, line)) = text.property(component, "ORGANIZER") {
        found.organizer = person(line);
    }
    for (_, line) in text.properties(component) {
        if let Some((role, person)) = attendee(line) {
            found.add(role, person);
        }
    }
    found.fields(me)
}

/// What parties say. Those without an address are left out: nobody in the mailbox could be meant.
pub fn read_parties(parties: &[Party], context: &Context) -> Fields {
    let mut found = Found::default();
    for party in parties {
        let Some(person) = of_party(party) else { continue };
        match party.role {
            Role::Organizer => found.organizer = found.organizer.or(Some(person)),
            Role::Required | Role::Optional => found.add(party.role, person),
            Role::Sender | Role::To | Role::Cc | Role::Bcc => {}
        }
    }
    found.fields(&context.me)
}

#[derive(Default)]
struct Found {
    organizer: Option<Person>,
    required: BTreeSet<Person>,
    optional: BTreeSet<Person>,
}

impl Found {
    fn add(&mut self, role: Role, person: Person) {
        match role {
            Role::Optional => self.optional.insert(person),
            _ => self.required.insert(person),
        };
    }

    /// Who is both required and optional is required, and who organises is no guest. An appointment that the user has with nobody
    /// else has no organizer: the CRM must name one, and a calendar does not. Guests whom nobody is said to have asked were asked
    /// by the user: so the CRM has it, and the file must not be made an invitation of ours on that ground. Where the user is a
    /// guest himself, somebody else asked, whom the CRM cannot name when he is no user of it. The user is a guest wherever
    /// somebody else asks: by a list or another address of his.
    fn fields(mut self, me: &BTreeSet<Address>) -> Fields {
        let mine = |person: &Person| me.contains(&person.address);
        let user = || me.first().map(|me| Person { name: String::new(), address: me.clone() });
        let invited = self.required.iter().chain(&self.optional).any(mine);
        match &self.organizer {
            None if !invited => self.organizer = user(),
            Some(organizer) if !invited && !mine(organizer) => self.required.extend(user()),
            _ => {}
        }
        if let Some(organizer) = &self.organizer {
            self.required.remove(organizer);
            self.optional.remove(organizer);
        }
        self.optional.retain(|person| !self.required.contains(person));
        if self.required.is_empty() && self.optional.is_empty() {
            self.organizer = self.organizer.filter(|organizer| !mine(organizer));
        }
        [
            (ORGANIZER, People::from_iter(self.organizer).value()),
            (REQUIRED, People::from_iter(self.required).value()),
            (OPTIONAL, People::from_iter(self.optional).value()),
        ]
        .into_iter()
        .filter_map(|(field, value)| Some((field, value?)))
        .collect()
    }
}

/// Writes who takes part: lines of people who stay keep all they say, others go or come.
///
/// New lines carry `SCHEDULE-AGENT=CLIENT` (RFC 6638 §7.1): the server must not write to anyone because we did.
pub fn write_lines(
    edits: &mut Edits,
    text: &Text<'_>,
    component: &Component,
    patch: &Patch,
    whole: &Fields,
    me: &BTreeSet<Address>,
) {
    if !touched(patch) {
        return;
    }
    let mine = |person: &Person| me.contains(&person.address);
    let old = text.property(component, "ORGANIZER").map(|(_, line)| line);
    let asked = old.and_then(person);
    if patch.contains_key(&ORGANIZER) {
        let line = people(whole, &ORGANIZER).next().map(|organizer| {
            match old.filter(|line| person(line).as_ref() == Some(organizer)) {
                Some(line) => line.clone(),
                None => addressed("ORGANIZER", organizer).with_param("SCHEDULE-AGENT", "CLIENT"),
            }
        });
        set(edits, text, component, "ORGANIZER", line);
    }
    let organizer = people(whole, &ORGANIZER).next();
    let mut wanted: BTreeMap<&Person, Role> = BTreeMap::new();
    wanted.extend(people(whole, &OPTIONAL).map(|person| (person, Role::Optional)));
    wanted.extend(people(whole, &REQUIRED).map(|person| (person, Role::Required)));
    let mut there = BTreeSet::new();
    for (index, line) in text.properties(component) {
        let Some((role, person)) = attendee(line) else { continue };
        if Some(&person) == organizer {
            continue;
        }
        match wanted.get(&person) {
            None => edits.remove(index..index + 1),
            Some(new) if *new != role => edits.replace(index, with_role(line.clone(), *new)),
            Some(_) => {}
        }
        there.insert(person);
    }
    // The invitation that reached the user in another way goes on saying so.
    let unnamed = [asked.as_ref(), organizer].iter().all(|it| it.is_some_and(|it| !mine(it)));
    let new = wanted
        .iter()
        .filter(|(person, _)| !there.contains(**person))
        .filter(|(person, role)| !(unnamed && mine(person) && **role == Role::Required))
        .map(|(person, role)| {
            with_role(addressed("ATTENDEE", person), *role)
                .with_param("PARTSTAT", "NEEDS-ACTION")
                .with_param("SCHEDULE-AGENT", "CLIENT")
        });
    edits.insert(end_of_properties(component), new);
}

/// All parties of a row: parties who stay are kept as they are, also those whom we cannot name.
pub fn parties(whole: &Fields, old: &[Party], context: &Context) -> Vec<Party> {
    let organizer = people(whole, &ORGANIZER).next();
    let mut parties: Vec<Party> = old
        .iter()
        .filter(|party| match (of_party(party), party.role) {
            (None, _) => true,
            (Some(person), Role::Organizer) => organizer.is_none_or(|new| *new == person),
            (Some(person), Role::Required | Role::Optional) => Some(&person) == organizer,
            (Some(_), Role::Sender | Role::To | Role::Cc | Role::Bcc) => true,
        })
        .cloned()
        .collect();
    let known = |person: &Person, role: Role| {
        let same = |party: &&Party| party.role == role && of_party(party).as_ref() == Some(person);
        old.iter()
            .find(same)
            .or_else(|| old.iter().find(|party| of_party(party).as_ref() == Some(person)))
    };
    let party = |person: &Person, role: Role| match known(person, role) {
        Some(party) => Party { role, ..party.clone() },
        None => Party {
            role,
            address: person.address.as_str().to_owned(),
            name: person.name.clone(),
            target: context.people.get(&person.address).cloned(),
        },
    };
    if let Some(organizer) = organizer {
        let new = party(organizer, Role::Organizer);
        let there = parties.iter().any(|party| party.role == Role::Organizer);
        // Only a user may be an organizer; nobody else is made one in his place.
        let user = new.target.as_ref().is_some_and(|target| target.table == "systemuser");
        if user && !there {
            parties.push(new);
        } else if !user && !there {
            parties.extend(old.iter().filter(|party| party.role == Role::Organizer).cloned());
        }
    }
    let mut guests = people(whole, &REQUIRED).chain(people(whole, &OPTIONAL));
    let invited = guests.any(|person| context.me.contains(&person.address));
    let asked = parties.iter().any(|party| party.role == Role::Organizer);
    if organizer.is_none() && !asked && !invited {
        parties.extend(myself(context));
    }
    parties.extend(people(whole, &REQUIRED).map(|person| party(person, Role::Required)));
    parties.extend(people(whole, &OPTIONAL).map(|person| party(person, Role::Optional)));
    parties
}

/// The user as organizer: every appointment of the CRM has one, and the sync filters look for it.
fn myself(context: &Context) -> Option<Party> {
    context.me.iter().find_map(|address| {
        let target = context.people.get(address).filter(|who| who.table == "systemuser")?.clone();
        let (role, name) = (Role::Organizer, String::new());
        Some(Party { role, address: address.as_str().to_owned(), name, target: Some(target) })
    })
}

fn people<'a>(fields: &'a Fields, field: &Field) -> impl Iterator<Item = &'a Person> + use<'a> {
    match fields.get(field) {
        Some(Value::People(people)) => Some(people.iter()),
        _ => None,
    }
    .into_iter()
    .flatten()
}

fn of_party(party: &Party) -> Option<Person> {
    let address = mail_address(&party.address)?;
    Some(Person { name: party.name.clone(), address })
}

/// Someone who is asked to come, and how urgently.
fn attendee(line: &Line) -> Option<(Role, Person)> {
    if !line.is("ATTENDEE") {
        return None;
    }
    let word = |name| line.param(name).unwrap_or_default().to_ascii_uppercase();
    if matches!(word("CUTYPE").as_str(), "RESOURCE" | "ROOM") {
        return None;
    }
    let role = match word("ROLE").as_str() {
        "OPT-PARTICIPANT" | "NON-PARTICIPANT" => Role::Optional,
        _ => Role::Required,
    };
    Some((role, person(line)?))
}

fn person(line: &Line) -> Option<Person> {
    let address = mail_address(line.value()).or_else(|| mail_address(line.param("EMAIL")?))?;
    Some(Person { name: line.param("CN").unwrap_or_default().trim().to_owned(), address })
}

fn mail_address(text: &str) -> Option<Address> {
    Address::parse(text).filter(|address| address.as_str().contains('@'))
}

fn addressed(name: &str, person: &Person) -> Line {
    let line = Line::new(name, format!("mailto:{}", person.address));
    if person.name.is_empty() { line } else { line.with_param("CN", person.name.clone()) }
}

fn with_role(line: Line, role: Role) -> Line {
    let word = if role == Role::Optional { "OPT-PARTICIPANT" } else { "REQ-PARTICIPANT" };
    line.without_param("ROLE").with_param("ROLE", word)
}
