//! A full comparison: both sides, read whole, with each other and with what the store believes. The engine that does it has a
//! copy of the store, in which everything seen before is in doubt; it writes to neither side. It must not know what to do about
//! what it finds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::report::{ClassReport, Failure};
use super::world::{Look, Stored};
use super::{Engine, describe};
use crate::connector::{self, ErrorKind, Scope};
use crate::mapping::email;
use crate::model::{
    Body, Class, Content, Document, Field, ItemId, Link, LinkId, LinkState, Record, RecordId, Side,
    Uid, Version, name,
};
use crate::plan::merge::is_unnamed;
use crate::plan::{Action, Rules, Seen, Step, World};
use crate::store::conflict::{self, Dispute};
use crate::store::quarantine;
use crate::store::regarding::{self, Wish};
use crate::store::{self, cursor, journal, link, observation};

/// How many filed messages are in memory at a time, with their texts: as many as the CRM is asked for at once.
const CHUNK: usize = 50;

/// What is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A linked pair whose halves do not say the same, and both sides seem to have agreed on that.
    Differs,
    /// A link that leads to nothing.
    Gone,
    /// Two things of one name on one side.
    Duplicate,
    /// Two links about one thing.
    Double,
    /// A link to another record than the one that its name makes, which is there, too.
    Misnamed,
    /// A write of which nobody knows whether it took place.
    Unanswered,
    /// Takes part, and has no counterpart.
    Unlinked,
    /// Changed or was deleted on a side since both last agreed.
    Changed,
    /// Would be written, and waits for a person's word.
    Held,
    /// A message in the CRM without the keyword of tracked ones, or one with it that is not there.
    Untagged,
    /// A side that could not be seen whole.
    Unseen,
}

impl Kind {
    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::Gone => "gone",
            Self::Duplicate => "duplicate",
            Self::Double => "double",
            Self::Misnamed => "misnamed",
            Self::Unanswered => "unanswered",
            Self::Unlinked => "unlinked",
            Self::Changed => "changed",
            Self::Held => "held",
            Self::Untagged => "untagged",
            Self::Unseen => "unseen",
        }
    }
}

/// One thing that is not as it should be, in a line for the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    pub line: String,
}

/// What came of the comparison of a class.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    pub findings: Vec<Finding>,
    /// How many items and records there are.
    pub listed: BTreeMap<Side, usize>,
    /// How many pairs were compared.
    pub pairs: usize,
    /// Why nothing could be compared.
    pub error: Option<Failure>,
}

/// What is set aside, in the version that failed.
type Aside = BTreeMap<(Side, ItemId), Version>;

impl Verdict {
    fn failed(error: &connector::Error) -> Self {
        Self { error: ClassReport::failed(error).error, ..Self::default() }
    }

    fn add(&mut self, kind: Kind, line: impl Into<String>) {
        self.findings.push(Finding { kind, line: line.into() });
    }
}

impl Engine {
    /// This engine with another store, for looking only: it holds no lease, sends nothing, and is not to be asked for a round.
    #[must_use]
    pub fn on_a_copy(&self, store: store::Store) -> Self {
        Self { store, fence: None, sending: None, ..self.clone() }
    }

    /// Compares a class. To be asked of an engine on a copy of its store ([`Engine::on_a_copy`]): what the store knows of versions
    /// and cursors is gone after it.
    ///
    /// # Errors
    /// When the store is lost.
    pub async fn verify(&self, class: Class) -> store::Result<Verdict> {
        let now = self.clock.now();
        let (aside, open, contested, round) = self
            .store
            .write(move |tx| {
                let mut aside = BTreeMap::new();
                for side in [Side::Mailbox, Side::Crm] {
                    let of = quarantine::all(tx, side, class)?;
                    aside.extend(of.into_iter().map(|it| ((side, it.id), it.version)));
                }
                for side in [Side::Mailbox, Side::Crm] {
                    cursor::clear(tx, side, class)?;
                    observation::doubt(tx, side, class, super::observe::UNREAD)?;
                }
                link::doubt(tx, class)?;
                let round = store::round::start(tx, "verify", now)?;
                Ok((aside, journal::unknown(tx)?, conflict::open(tx)?, round))
            })
            .await?;
        let look = match self.look(class, round).await? {
            Ok(look) => look,
            Err(error) => return Ok(Verdict::failed(&error)),
        };
        let mut verdict = Verdict { listed: look.listed.clone(), ..Verdict::default() };
        for entry in open.iter().filter(|entry| entry.intent.class == class) {
            let (action, side) = (entry.intent.action.as_str(), entry.intent.side.place());
            let line = format!("round {}: {action} of {class} in {side}", entry.round);
            verdict.add(Kind::Unanswered, line);
        }
        for (side, reason) in &look.partial {
            verdict.add(Kind::Unseen, format!("{class}s in {}: {reason}", side.place()));
        }
        let planned = self.planned(class, (&look, &aside), &mut verdict).await?;
        let disputed = contested
            .into_iter()
            .map(|conflict| match conflict.dispute {
                Dispute::Field { field, .. } => (conflict.link, Some(field)),
                Dispute::Existence { .. } => (conflict.link, None),
            })
            .collect();
        self.compare(&look.world, (&planned, &disputed), &mut verdict);
        names(&look.world, &mut verdict);
        if class == Class::Email {
            if let Err(error) = self.filed(&look, &mut verdict).await? {
                return Ok(Verdict::failed(&error));
            }
        } else {
            self.duplicates(class, &mut verdict).await?;
        }
        verdict.findings.sort_by(|one, two| (one.kind, &one.line).cmp(&(two.kind, &two.line)));
        Ok(verdict)
    }

    /// What a round would write, and the links that it is about. What was refused and is set aside waits until it changes.
    async fn planned(
        &self,
        class: Class,
        (look, aside): (&Look, &Aside),
        verdict: &mut Verdict,
    ) -> store::Result<BTreeSet<LinkId>> {
        let plan = self.plan(class, look).await?;
        let rests = |side: Side, id: Option<&ItemId>| {
            id.is_some_and(|id| {
                let failed = aside.get(&(side, id.clone()));
                matches!(look.world.seen(side, id), Seen::Here { version, .. } if Some(version) == failed)
            })
        };
        let goes = |step: &Step| {
            !rests(Side::Mailbox, step.item.as_ref()) && !rests(Side::Crm, step.record.as_ref())
        };
        let mut links = BTreeSet::new();
        let held = plan.guarded.held.into_iter().map(|(stop, step)| (Some(stop), step));
        let go = plan.guarded.go.into_iter().map(|step| (None, step));
        for (stop, step) in held.chain(go).filter(|(_, step)| step.writes() && goes(step)) {
            links.extend(step.link);
            let line = describe::step(&step, &look.world);
            match stop {
                Some(stop) => verdict.add(Kind::Held, format!("{line}: {stop}")),
                None => verdict.add(kind_of(&step), line),
            }
        }
        Ok(links)
    }

    /// Each linked pair: whether both halves are there, and say the same wherever changes go both ways.
    fn compare(
        &self,
        world: &World,
        (planned, disputed): (&BTreeSet<LinkId>, &BTreeSet<(LinkId, Option<Field>)>),
        verdict: &mut Verdict,
    ) {
        let rules = self.class(world.class).rules;
        let active = world.links.iter().filter(|link| link.state == LinkState::Active);
        // What left the sync filter is left alone, on both sides.
        let stays = |link: &&Link| *world.seen(Side::Crm, &link.record) != Seen::Left;
        for link in active.filter(stays).filter(|link| !disputed.contains(&(link.id, None))) {
            // Who throws a filed message away leaves the CRM as it is, and its link with it.
            let may_go = |side: Side| world.class == Class::Email && side == Side::Mailbox;
            let gone = [Side::Mailbox, Side::Crm].into_iter().find(|side| {
                !may_go(*side) && matches!(world.seen(*side, link.half(*side)), Seen::Gone)
            });
            if let Some(side) = gone {
                let line = format!("{} is gone from {}", title(world, link), side.place());
                verdict.add(Kind::Gone, line);
                continue;
            }
            let halves =
                (here(world, Side::Mailbox, &link.item), here(world, Side::Crm, &link.record));
            let (Some(item), Some(record)) = halves else { continue };
            verdict.pairs += 1;
            let differing: Vec<&str> = differing(world.class, &rules, (item, record))
                .filter(|field| !disputed.contains(&(link.id, Some((*field).clone()))))
                .map(Field::as_str)
                .collect();
            if !differing.is_empty() && !planned.contains(&link.id) {
                let line = format!(
                    "{}: {} differs between the mailbox and the CRM",
                    title(world, link),
                    differing.join(", ")
                );
                verdict.add(Kind::Differs, line);
            }
        }
    }

    /// Messages are met through their items: whether those that are filed are there, marked so, and say what they were filed with.
    async fn filed(&self, look: &Look, verdict: &mut Verdict) -> Stored<()> {
        let class = Class::Email;
        let to_tag = match self.mailbox.get(&class) {
            Some(mailbox) => self.taking_keywords(mailbox.as_ref(), &look.to_tag).await?,
            None => Vec::new(),
        };
        for id in to_tag.iter().chain(&look.to_untag) {
            verdict
                .add(Kind::Untagged, format!("message {id}: its keyword is not as it should be"));
        }
        let (links, wishes, thrown_away) = self
            .store
            .read(move |db| {
                Ok((link::all(db, class)?, regarding::all(db)?, link::astray(db, class)?))
            })
            .await?;
        // Of what went from both sides the link stays: it was filed, should it come back.
        let is_here =
            |link: &Link| link.state == LinkState::Active && !thrown_away.contains_key(&link.uid);
        let active: Vec<Link> = links.into_iter().filter(is_here).collect();
        for links in active.chunks(CHUNK) {
            let items: Vec<ItemId> = links.iter().map(|link| link.item.clone()).collect();
            let side = Side::Mailbox;
            let heads =
                self.store.read(move |db| observation::contents(db, side, class, &items)).await?;
            let ids: Vec<ItemId> = links.iter().map(|link| link.record.clone()).collect();
            let read = match self.crm.read(class, &ids).await {
                Ok(read) => read,
                Err(error) => return Ok(Err(error)),
            };
            for link in links {
                let message = Message { link, head: heads.get(&link.item) };
                match read.get(&link.record) {
                    Some(Ok(Document { body: Body::Record(record), .. })) => {
                        verdict.pairs += 1;
                        self.met(&message, record, wishes.get(&link.uid), verdict);
                    }
                    Some(Err(error)) if error.kind == ErrorKind::Missing => {
                        verdict.add(Kind::Gone, format!("{message} is gone from the CRM"));
                    }
                    Some(Err(error)) if error.kind.scope() == Scope::Account => {
                        return Ok(Err(connector::Error::new(error.kind, error.message.clone())));
                    }
                    // A colleague filed it.
                    Some(Err(error)) if error.kind == ErrorKind::Forbidden => {}
                    Some(Err(error)) => {
                        verdict.add(Kind::Unseen, format!("{message} in the CRM: {error}"));
                    }
                    Some(Ok(_)) | None => {
                        verdict.add(Kind::Unseen, format!("{message} in the CRM: no answer"));
                    }
                }
            }
        }
        Ok(Ok(()))
    }

    /// A message and its record. What another program filed, or was sent from the CRM, is there in the words of others.
    fn met(
        &self,
        message: &Message<'_>,
        record: &Record,
        wish: Option<&Wish>,
        verdict: &mut Verdict,
    ) {
        if wish.is_some_and(|wish| !wish.done && wish.target != email::regarding(record)) {
            let line = format!("{message}: what it is about is not said in the CRM yet");
            verdict.add(Kind::Changed, line);
        }
        let Some(head) = message.head.filter(|_| self.files_as(&message.link.uid, record.id))
        else {
            return;
        };
        match email::differing(head, record, &self.context()) {
            Ok(differing) if differing.is_empty() => {}
            Ok(differing) => {
                let line = format!("{message}: the CRM says another {}", differing.join(", "));
                verdict.add(Kind::Differs, line);
            }
            Err(unreadable) => {
                verdict.add(Kind::Differs, format!("{message}: its record: {unreadable}"));
            }
        }
    }

    /// Whether filing a message of this name makes this record.
    fn files_as(&self, uid: &Uid, record: RecordId) -> bool {
        let (organisation, mailbox) = (self.settings.organisation, &self.settings.mailbox);
        name::born_in_crm(organisation, uid).is_none()
            && name::record_guid(organisation, record.table, mailbox, uid) == record.guid
    }

    /// Things of one name on one side.
    async fn duplicates(&self, class: Class, verdict: &mut Verdict) -> store::Result<()> {
        for side in [Side::Mailbox, Side::Crm] {
            let heads = self.store.read(move |db| observation::heads(db, side, class)).await?;
            let mut named: BTreeMap<Uid, Vec<ItemId>> = BTreeMap::new();
            for (id, head) in heads {
                if let Some(uid) = head.uid {
                    named.entry(uid).or_default().push(id);
                }
            }
            for ids in named.into_values().filter(|ids| ids.len() > 1) {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                let line =
                    format!("{class} more than once in {}: {}", side.place(), ids.join(", "));
                verdict.add(Kind::Duplicate, line);
            }
        }
        Ok(())
    }
}

/// A message that is filed.
struct Message<'a> {
    link: &'a Link,
    /// Nothing where it was thrown away since.
    head: Option<&'a Content>,
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.head {
            Some(head) => write!(f, "message “{}”", email::title(&head.fields)),
            None => write!(f, "message {}", self.link.item),
        }
    }
}

/// Links that are about one thing, and those to another record than the one that was made for the item.
fn names(world: &World, verdict: &mut Verdict) {
    let mut named: BTreeMap<&Uid, usize> = BTreeMap::new();
    for link in world.links.iter().filter(|link| link.state == LinkState::Active) {
        let count = named.entry(&link.uid).or_default();
        *count += 1;
        if *count == 2 {
            verdict.add(Kind::Double, format!("{} is linked twice", title(world, link)));
        }
        let Some(record) = RecordId::parse(&link.record) else {
            verdict
                .add(Kind::Misnamed, format!("{}: no record has such an id", title(world, link)));
            continue;
        };
        let of = (world.organisation, &world.mailbox);
        let made = name::record_guid(of.0, record.table, of.1, &link.uid);
        let made = RecordId::new(record.table, made).item_id();
        if made != link.record && here(world, Side::Crm, &made).is_some() {
            let line =
                format!("{}: the record that was made for it is another", title(world, link));
            verdict.add(Kind::Misnamed, line);
        }
    }
}

/// The fields that do not say the same, of those whose changes go both ways.
fn differing<'a>(
    class: Class,
    rules: &Rules,
    (item, record): (&'a Content, &'a Content),
) -> impl Iterator<Item = &'a Field> {
    let fields: BTreeSet<&Field> = item.fields.keys().chain(record.fields.keys()).collect();
    let both = |field: &&Field| {
        [Side::Mailbox, Side::Crm].into_iter().all(|side| rules.carries(class, field, side))
    };
    let fields: Vec<&Field> = fields.into_iter().filter(both).collect();
    fields.into_iter().filter(|field| match (item.fields.get(field), record.fields.get(field)) {
        (Some(one), Some(other)) => !one.agrees(other),
        (Some(_), None) if is_unnamed(field, &record.fields) => false,
        (one, other) => one.is_some() || other.is_some(),
    })
}

fn kind_of(step: &Step) -> Kind {
    match (&step.action, step.link) {
        (Action::Merge(_), None) => Kind::Unlinked,
        _ => Kind::Changed,
    }
}

fn here<'a>(world: &'a World, side: Side, id: &ItemId) -> Option<&'a Content> {
    match world.seen(side, id) {
        Seen::Here { content, .. } => content.as_deref(),
        Seen::Gone | Seen::Left | Seen::Unseen => None,
    }
}

/// What a person would call a linked pair.
fn title(world: &World, link: &Link) -> String {
    let content = world
        .content(Side::Mailbox, &link.item)
        .or_else(|| world.content(Side::Crm, &link.record))
        .map(|content| &content.fields)
        .or_else(|| link.bases.as_ref().map(|bases| &bases.item));
    let title = content.map(|fields| describe::title(world.class, fields));
    format!("{} “{}”", world.class, title.as_deref().unwrap_or("untitled"))
}
