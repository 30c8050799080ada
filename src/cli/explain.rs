//! `liaison explain`: why a thing takes part or not, what it is linked to, what both sides last agreed on, and what it waits for.
//! From the store alone: what was decided is shown, not what would be decided now.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::Installation;
use super::conflicts::{self, Told};
use super::find::{self, Thing};
use super::history;
use super::output::{Answer, Page, short};
use super::status::moment;
use crate::filter::email;
use crate::model::{Bases, Class, ItemId, LinkState, Side, Uid};
use crate::store::decision::{self, Decision, Outcome};
use crate::store::hold;
use crate::store::journal::Entry;
use crate::store::quarantine::{self, Quarantined};
use crate::store::regarding::{self, Wish};
use crate::store::{self, Connection, Store, conflict, link, mark, observation};

/// How much of a value is shown.
const VALUE: usize = 50;

/// Explain one thing: tracked or not and why, linked to what, and what it waits for
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison explain ann-smith.vcf\n  liaison explain contact/0b6c…-….\n  liaison explain '<20260102.17@example.org>'\n  liaison explain 'Ann Smith'"
)]
pub struct Explain {
    /// A file name, UID, Message-ID, record or part of a title
    item: String,
}

impl Explain {
    /// # Errors
    /// When there is nothing of this name, or the store is lost.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        here.load()?;
        about(&here.store().await?, &self.item).await
    }
}

/// All that there is to say about the thing of this name.
///
/// # Errors
/// When there is nothing of this name, or the store is lost.
pub async fn about(store: &Store, name: &str) -> anyhow::Result<Answer> {
    let thing = find::one(store, name).await?;
    let known = store.read(move |db| Known::read(db, thing)).await?;
    Ok(known.answer())
}

/// All that the store knows about a thing.
struct Known {
    thing: Thing,
    bases: Option<Bases>,
    /// Whether each half is as it was when both last agreed.
    settled: (bool, bool),
    /// Whether its record was not listed the last time, though it is linked.
    unlisted: bool,
    decision: Option<Decision>,
    mark: Option<bool>,
    /// What it is about, by the user's word.
    wish: Option<Wish>,
    problems: Vec<(Side, String)>,
    held: Vec<(i64, String, String)>,
    conflicts: Vec<Told>,
    aside: Vec<Quarantined>,
    entries: Vec<Entry>,
}

impl Known {
    fn read(db: &Connection, thing: Thing) -> store::Result<Self> {
        let class = thing.class;
        let heads = [Side::Mailbox, Side::Crm].map(|side| observation::heads(db, side, class));
        let [items, records] = heads;
        let (items, records) = (items?, records?);
        let seen = |side: Side, id: Option<&ItemId>| {
            let heads = if side == Side::Mailbox { &items } else { &records };
            id.and_then(|id| heads.get(id))
        };
        let item = seen(Side::Mailbox, thing.item.as_ref());
        let record = seen(Side::Crm, thing.record.as_ref());
        let settled = thing.link.as_ref().map_or((true, true), |link| {
            let same = |head: Option<&observation::Head>, settled: Option<&_>| {
                head.is_none_or(|head| Some(&head.version) == settled)
            };
            let messages = class == Class::Email;
            (
                messages || same(item, link.item_version.as_ref()),
                messages || same(record, link.record_version.as_ref()),
            )
        });
        let unlisted = class != Class::Email && thing.link.is_some() && record.is_none();
        let problem = |side, head: Option<&observation::Head>| Some((side, head?.problem.clone()?));
        let problems = [problem(Side::Mailbox, item), problem(Side::Crm, record)];
        let marks = mark::all(db, class)?;
        let bases = match &thing.link {
            Some(of) => link::bases(db, &[of.id])?.remove(&of.id),
            None => None,
        };
        let decision = match &thing.item {
            Some(id) => decision::get(db, class, id)?,
            None => None,
        };
        let wish = match (&thing.uid, class) {
            (Some(uid), Class::Email) => regarding::all(db)?.remove(uid),
            _ => None,
        };
        Ok(Self {
            bases,
            settled,
            unlisted,
            decision,
            mark: thing.uid.as_ref().and_then(|uid| marks.get(uid)).copied(),
            wish,
            problems: problems.into_iter().flatten().collect(),
            held: held(db, &thing)?,
            conflicts: disputed(db, &thing)?,
            aside: aside(db, &thing)?,
            entries: history::entries(db, &thing)?,
            thing,
        })
    }

    fn answer(&self) -> Answer {
        let mut page = Page::default();
        let thing = &self.thing;
        page.line(format!("{} “{}”", thing.class, thing.title));
        let name = |id: Option<&ItemId>| id.map_or("(not there)", ItemId::as_str).to_owned();
        page.line(format!("  mailbox  {}", name(thing.item.as_ref())));
        page.line(format!("  crm      {}", name(thing.record.as_ref())));
        if let Some(uid) = &thing.uid {
            page.line(format!("  uid      {uid}"));
        }
        page.gap();
        page.line(format!("tracked: {}", self.tracked()));
        let steps = self.rules();
        for step in &steps {
            page.line(format!("  {:16} {}", step.rule, word(step.result)));
        }
        if let Some(parent) = self.decision.as_ref().and_then(|decision| decision.parent.as_ref()) {
            page.line(format!("  answers {parent}"));
        }
        if let Some(wish) = &self.wish {
            let about = wish.target.as_ref().map_or("nothing".to_owned(), ToString::to_string);
            let when = if wish.done { "" } else { " (from the next sync)" };
            page.line(format!("  about {about}: you said so{when}"));
        }
        page.gap();
        page.line(format!("linked: {}", self.linked()));
        if let Some(bases) = self.bases.as_ref().filter(|bases| **bases != Bases::default()) {
            agreement(&mut page, bases);
        }
        page.gap();
        self.waits(&mut page);
        if self.conflicts.iter().any(|told| !waits(told)) {
            page.gap();
            page.line("contested before:");
            self.contested(&mut page, |told| !waits(told));
        }
        page.gap();
        page.line("written:");
        for entry in &self.entries {
            page.append(&history::told(entry));
        }
        if self.entries.is_empty() {
            page.line("  nothing");
        }
        Answer::new(page, self.to_json(&steps))
    }

    fn tracked(&self) -> String {
        let said = match self.mark {
            Some(true) => Some("yes: you track it".to_owned()),
            Some(false) => Some("no: you untracked it".to_owned()),
            None => None,
        };
        match (&self.decision, said, &self.thing.link) {
            (_, Some(said), _) => said,
            (Some(decision), None, _) => {
                let word = match decision.outcome {
                    Outcome::Tracked => "yes",
                    Outcome::Skipped => "no",
                    Outcome::Pending => "not decided",
                    Outcome::Failed => "could not be looked at",
                };
                format!(
                    "{word}: {} (round {}, {})",
                    decision.rule,
                    decision.round,
                    moment(decision.at)
                )
            }
            (None, None, Some(link)) if link.origin == Side::Crm => {
                "yes: its record was in the sync filter".to_owned()
            }
            (None, None, Some(_)) => "yes: it is linked".to_owned(),
            (None, None, None) if self.thing.item.is_none() => {
                "its record was seen; what comes from the CRM takes part by the sync filters"
                    .to_owned()
            }
            (None, None, None) => "not decided yet: the next sync does".to_owned(),
        }
    }

    /// Rule by rule, as the message was decided over.
    fn rules(&self) -> Vec<email::Step> {
        self.decision.as_ref().map(|decision| email::steps(&decision.looked)).unwrap_or_default()
    }

    fn linked(&self) -> String {
        let Some(link) = &self.thing.link else { return "no".to_owned() };
        let origin = match link.origin {
            Side::Mailbox => "made in the mailbox first",
            Side::Crm => "made in the CRM first",
        };
        let first = self.entries.iter().find(|entry| entry.intent.link.is_none());
        let how = match first {
            Some(entry) => format!("round {}, {}", entry.round, entry.intent.why),
            None => "both were there before".to_owned(),
        };
        let state = match (link.state, self.settled) {
            _ if self.mark == Some(false) => "it rests, both sides keep what they have",
            (LinkState::Released { gone: Side::Mailbox }, _) => {
                "released: gone in the mailbox, the record stays"
            }
            (LinkState::Released { gone: Side::Crm }, _) => {
                "released: gone in the CRM, the item stays"
            }
            (LinkState::Active, _) if self.unlisted => {
                "its record is in no sync filter, or not yours to read: the item stays"
            }
            (LinkState::Active, (true, true)) => "both sides agree",
            (LinkState::Active, (false, true)) => "the mailbox changed; the next sync looks at it",
            (LinkState::Active, (true, false)) => "the CRM changed; the next sync looks at it",
            (LinkState::Active, (false, false)) => "both changed; the next sync looks at it",
        };
        format!("yes, {origin} ({how}): {state}")
    }

    fn waits(&self, page: &mut Page) {
        let mut lines = Page::default();
        for (number, reason, text) in &self.held {
            lines.line(format!("  hold {number}: {text}"));
            lines.line(format!("    why: {reason}; allow with `liaison approve {number}`"));
        }
        self.contested(&mut lines, waits);
        for aside in &self.aside {
            lines.line(format!("  set aside in the {}: {}", aside.side, short(&aside.reason, 200)));
            if let Some(hint) = &aside.hint {
                lines.line(format!("    → {hint}"));
            }
        }
        if self.aside.is_empty() {
            for (side, problem) in &self.problems {
                lines.line(format!("  cannot be read in the {side}: {}", short(problem, 200)));
            }
        }
        if lines.as_str().is_empty() {
            page.line("waits: for nothing");
        } else {
            page.line("waits:");
            page.append(&lines);
        }
    }

    fn contested(&self, page: &mut Page, shown: impl Fn(&Told) -> bool) {
        for told in self.conflicts.iter().filter(|told| shown(told)) {
            for line in conflicts::one(told).as_str().lines() {
                page.line(format!("  {line}"));
            }
        }
    }

    fn to_json(&self, steps: &[email::Step]) -> Json {
        let thing = &self.thing;
        let bases: Vec<Json> = self
            .bases
            .iter()
            .flat_map(|bases| {
                fields(bases).into_iter().map(|(field, item, record)| {
                    json!({ "field": field, "mailbox": item, "crm": record })
                })
            })
            .collect();
        let rules: Vec<Json> = steps
            .iter()
            .map(|step| json!({ "rule": step.rule, "result": word(step.result) }))
            .collect();
        let held: Vec<Json> = self
            .held
            .iter()
            .map(|(number, reason, text)| json!({ "hold": number, "reason": reason, "text": text }))
            .collect();
        json!({
            "class": thing.class.as_str(),
            "title": thing.title,
            "item": thing.item.as_ref().map(ItemId::as_str),
            "record": thing.record.as_ref().map(ItemId::as_str),
            "uid": thing.uid.as_ref().map(Uid::as_str),
            "tracked": self.tracked(),
            "decision": self.decision.as_ref().map(|decision| json!({
                "outcome": decision.outcome.as_str(),
                "rule": decision.rule,
                "round": decision.round.0,
                "answers": decision.parent.as_ref().map(ItemId::as_str),
            })),
            "regarding": self.wish.as_ref().map(|wish| {
                wish.target.as_ref().map_or("nothing".to_owned(), ToString::to_string)
            }),
            "rules": rules,
            "linked": thing.link.is_some(),
            "link": self.linked(),
            "base": bases,
            "held": held,
            "conflicts": self.conflicts.iter().map(|told| told.conflict.id.0).collect::<Vec<_>>(),
            "set_aside": self.aside.iter().map(|aside| &aside.reason).collect::<Vec<_>>(),
            "written": self.entries.iter().map(history::to_json).collect::<Vec<_>>(),
        })
    }
}

/// Whether a conflict waits for a choice, or for one to be carried out.
fn waits(told: &Told) -> bool {
    told.conflict.settled.is_none() || told.conflict.choice.is_some()
}

fn held(db: &Connection, thing: &Thing) -> store::Result<Vec<(i64, String, String)>> {
    // A subject names item and record between bars.
    let names: Vec<&str> =
        [&thing.item, &thing.record].into_iter().flatten().map(ItemId::as_str).collect();
    let mut found = Vec::new();
    for hold in hold::open_holds(db)?.into_iter().filter(|hold| hold.class == thing.class) {
        for held in hold.held {
            let about = held.subject.split(" | ").flat_map(|part| [part, after_class(part)]);
            if about.into_iter().any(|part| names.contains(&part)) {
                found.push((hold.id.0, hold.reason.clone(), held.text));
            }
        }
    }
    Ok(found)
}

fn after_class(part: &str) -> &str {
    part.split_once(' ').map_or(part, |(_, rest)| rest)
}

fn disputed(db: &Connection, thing: &Thing) -> store::Result<Vec<Told>> {
    let Some(link) = &thing.link else { return Ok(Vec::new()) };
    let about = Some((thing.class, thing.title.clone()));
    let found = conflict::of(db, link.id)?;
    Ok(found.into_iter().map(|conflict| Told { conflict, about: about.clone() }).collect())
}

fn aside(db: &Connection, thing: &Thing) -> store::Result<Vec<Quarantined>> {
    let mut found = Vec::new();
    for side in [Side::Mailbox, Side::Crm] {
        if let Some(id) = thing.id(side) {
            found.extend(quarantine::get(db, side, thing.class, id)?);
        }
    }
    Ok(found)
}

/// What both last agreed on: one value where it is the same, else both.
fn agreement(page: &mut Page, bases: &Bases) {
    page.line("  when both last agreed:");
    for (field, item, record) in fields(bases) {
        let shown = |value: &Option<String>| {
            value.as_deref().map_or_else(|| "(empty)".to_owned(), |text| short(text, VALUE))
        };
        if item == record {
            page.line(format!("    {field}: {}", shown(&item)));
        } else {
            page.line(format!("    {field}: mailbox {}, crm {}", shown(&item), shown(&record)));
        }
    }
}

fn fields(bases: &Bases) -> Vec<(String, Option<String>, Option<String>)> {
    let names: BTreeSet<_> = bases.item.keys().chain(bases.record.keys()).collect();
    names
        .into_iter()
        .map(|field| {
            let text = |of: &crate::model::Fields| of.get(field).map(ToString::to_string);
            (field.to_string(), text(&bases.item), text(&bases.record))
        })
        .collect()
}

/// What a rule said, in words.
pub fn word(result: email::Outcome) -> &'static str {
    match result {
        email::Outcome::Tracks => "tracks it",
        email::Outcome::Skips => "leaves it out",
        email::Outcome::Passes => "has nothing to say",
        email::Outcome::Off => "is off",
    }
}
