//! Puts together what a plan follows from, out of what was seen and what is stored. Content is only loaded where the
//! versions do not already tell that nothing changed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Engine, Progress, observe};
use crate::connector::{self, Connector, ErrorKind, Scope};
use crate::filter::{self, Mark};
use crate::model::{
    Class, Completeness, Content, Fields, ItemId, Link, LinkId, Listing, Side, Traits, Uid, Version,
};
use crate::plan::guard::{self, Guarded, Situation};
use crate::plan::{self, Key, Seen, Verdict, World};
use crate::store::conflict::{self, Dispute};
use crate::store::decision::{self, Decision, Outcome};
use crate::store::observation::{self, Head};
use crate::store::quarantine::{self, Failure};
use crate::store::round::RoundId;
use crate::store::{self, hold, link, mark, meta};

/// Both sides as they were seen in this pass.
#[derive(Debug, Clone)]
pub struct Look {
    pub world: World,
    pub situation: Situation,
    /// How many items and records were listed.
    pub listed: BTreeMap<Side, usize>,
    /// Why a side was not seen whole.
    pub partial: BTreeMap<Side, String>,
}

/// A plan after the guard, and everything that was planned.
#[derive(Debug, Clone)]
pub struct Planned {
    pub guarded: Guarded,
    /// Whether both sides were seen whole, so that what is not planned any more is obsolete.
    pub whole: bool,
}

/// Where the store keeps what the sync filters of a class were.
pub fn filter_key(class: Class) -> String {
    format!("filter/{class}")
}

/// Where the store keeps that a person has approved the first sync of a class.
pub fn started_key(class: Class) -> String {
    format!("started/{class}")
}

type Stored<T> = store::Result<connector::Result<T>>;

impl Engine {
    /// Looks at both sides.
    pub(super) async fn look(&self, class: Class, round: RoundId) -> Stored<Look> {
        (self.progress)(Progress::Listing { class });
        let Some(mailbox) = self.mailbox.get(&class) else {
            let error = connector::Error::new(
                ErrorKind::Unsupported,
                format!("no mailbox is configured for {class}s"),
            );
            return Ok(Err(
                error.hint(format!("add a [mailbox.{class}s] section, or leave the class out"))
            ));
        };
        let items = match observe::side(self, mailbox.as_ref(), Side::Mailbox, class, round).await?
        {
            Ok(items) => items,
            Err(error) => return Ok(Err(error)),
        };
        let records = match self.records(class, round).await? {
            Ok(records) => records,
            Err(error) => return Ok(Err(error)),
        };
        self.put_together(class, round, mailbox.as_ref(), items, records).await
    }

    /// The records of the sync filter. Messages have none: they are met through their items.
    async fn records(&self, class: Class, round: RoundId) -> Stored<Listing> {
        if class == Class::Email {
            let completeness =
                Completeness::Partial("messages are not listed in the CRM".to_owned());
            return Ok(Ok(Listing { entries: BTreeMap::new(), completeness }));
        }
        observe::side(self, self.crm.as_ref(), Side::Crm, class, round).await
    }

    async fn put_together(
        &self,
        class: Class,
        round: RoundId,
        mailbox: &dyn Connector,
        items: Listing,
        records: Listing,
    ) -> Stored<Look> {
        let stored = self.store.read(move |db| Stock::load(db, class)).await?;
        let mut seen = Assembly::new(&stored, &items, &records);
        let probed = match self.probe(class, mailbox, Side::Mailbox, &items, &stored.links).await {
            Ok(probed) => probed,
            Err(error) => return Ok(Err(error)),
        };
        seen.items.extend(probed.seen);
        let probed =
            match self.probe(class, self.crm.as_ref(), Side::Crm, &records, &stored.links).await {
                Ok(probed) => probed,
                Err(error) => return Ok(Err(error)),
            };
        seen.records.extend(probed.seen);
        let farewells = probed.farewells;
        seen.let_rest(&stored);
        self.set_copies_aside(class, round, &mut seen, &stored).await?;
        let tracked = match self.decide(class, round, &mut seen, &stored).await? {
            Ok(tracked) => tracked,
            Err(error) => return Ok(Err(error)),
        };
        let (links, loaded) = self.load(class, seen, &stored).await?;
        let situation = self.situation(class, &stored, &items, &records);
        let partial: BTreeMap<Side, String> = [(Side::Mailbox, &items), (Side::Crm, &records)]
            .into_iter()
            .filter_map(|(side, listing)| match &listing.completeness {
                Completeness::Partial(reason) if class != Class::Email || side == Side::Mailbox => {
                    Some((side, reason.clone()))
                }
                Completeness::Partial(_) | Completeness::Complete => None,
            })
            .collect();
        let world = World {
            class,
            organisation: self.settings.organisation,
            mailbox: self.settings.mailbox.clone(),
            me: self.settings.me.clone(),
            now: self.clock.now(),
            items: loaded.items,
            records: loaded.records,
            partial: partial.keys().copied().collect(),
            tracked,
            links,
            farewells,
            choices: stored.choices,
            verdicts: stored.verdicts,
        };
        let listed = BTreeMap::from([
            (Side::Mailbox, items.entries.len()),
            (Side::Crm, records.entries.len()),
        ]);
        Ok(Ok(Look { world, situation, listed, partial }))
    }

    /// Looks at what links lead to and the listing does not show: only a direct look tells gone from hidden.
    async fn probe(
        &self,
        class: Class,
        connector: &dyn Connector,
        side: Side,
        listing: &Listing,
        links: &[Link],
    ) -> connector::Result<Probed> {
        let absent: BTreeSet<ItemId> = links
            .iter()
            .map(|link| half(link, side).clone())
            .filter(|id| !listing.entries.contains_key(id))
            .collect();
        let mut probed = Probed::default();
        if !listing.is_complete() || absent.is_empty() {
            probed.seen = absent.into_iter().map(|id| (id, Seen::Unseen)).collect();
            return Ok(probed);
        }
        let absent: Vec<ItemId> = absent.into_iter().collect();
        let context = self.context();
        for (id, result) in connector.read(class, &absent).await? {
            let seen = match (result, side) {
                (Ok(document), Side::Crm) => {
                    if let (Class::Task, Ok(content)) =
                        (class, observe::read(class, &document, &context))
                    {
                        probed.farewells.insert(id.clone(), (document.version, content));
                    }
                    Seen::Left
                }
                // It came back while we looked: the next round sees it.
                (Ok(_), Side::Mailbox) => Seen::Unseen,
                (Err(error), _) if error.kind == ErrorKind::Missing => Seen::Gone,
                (Err(error), _) if error.kind.scope() == Scope::Account => return Err(error),
                (Err(_), _) => Seen::Unseen,
            };
            probed.seen.insert(id, seen);
        }
        Ok(probed)
    }

    /// Two items with one global name are one thing twice. The linked one, else the first, goes on; the others wait.
    async fn set_copies_aside(
        &self,
        class: Class,
        _round: RoundId,
        seen: &mut Assembly,
        stored: &Stock,
    ) -> store::Result<()> {
        let linked: BTreeSet<&ItemId> = stored.links.iter().map(|link| &link.item).collect();
        let mut by_uid: BTreeMap<&Uid, Vec<&ItemId>> = BTreeMap::new();
        for (id, head) in &seen.heads {
            if let Some(uid) = &head.uid {
                by_uid.entry(uid).or_default().push(id);
            }
        }
        let mut failures = Vec::new();
        for ids in by_uid.values().filter(|ids| ids.len() > 1) {
            let keeper = ids.iter().find(|id| linked.contains(**id)).or(ids.first());
            for id in ids.iter().filter(|id| Some(**id) != keeper.copied()) {
                let version = seen
                    .heads
                    .get(*id)
                    .map_or_else(|| Version::new(""), |head| head.version.clone());
                failures.push(Failure {
                    side: Side::Mailbox,
                    class,
                    id: (*id).clone(),
                    version,
                    reason: format!(
                        "it has the same UID as {}",
                        keeper.map_or("", |id| id.as_str())
                    ),
                    hint: Some("delete one of the two, or give it a UID of its own".to_owned()),
                });
            }
        }
        for failure in &failures {
            seen.heads.remove(&failure.id);
            if linked.contains(&failure.id) {
                seen.items.insert(failure.id.clone(), Seen::Unseen);
            } else {
                seen.items.remove(&failure.id);
            }
        }
        // Several copies of one message (in several folders) are ordinary.
        if failures.is_empty() || class == Class::Email {
            return Ok(());
        }
        let now = self.clock.now();
        self.store
            .write(move |tx| {
                for failure in &failures {
                    quarantine::put(tx, failure, now)?;
                }
                Ok(())
            })
            .await
    }

    /// Decides which unlinked items take part, and stores the decisions. Items that do not, and are private, are left out.
    async fn decide(
        &self,
        class: Class,
        round: RoundId,
        seen: &mut Assembly,
        stored: &Stock,
    ) -> Stored<BTreeMap<ItemId, String>> {
        let settings = self.class(class);
        let linked: BTreeSet<&ItemId> = stored.links.iter().map(|link| &link.item).collect();
        let free: Vec<ItemId> =
            seen.heads.keys().filter(|id| !linked.contains(id)).cloned().collect();
        let wanted = free.clone();
        let contents = self
            .store
            .read(move |db| observation::contents(db, Side::Mailbox, class, &wanted))
            .await?;
        let known = match self.known_senders(class, &contents).await {
            Ok(known) => known,
            Err(error) => return Ok(Err(error)),
        };
        let promoted: BTreeSet<Uid> = if class == Class::Email {
            stored.links.iter().map(|link| link.uid.clone()).collect()
        } else {
            BTreeSet::new()
        };
        let (mut tracked, mut decisions) = (BTreeMap::new(), Vec::new());
        for (id, content) in &contents {
            let mark = stored
                .marks
                .get(&content.uid)
                .map(|tracked| if *tracked { Mark::Tracked } else { Mark::Untracked });
            let decided = if class == Class::Email {
                let folder = id.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
                let around =
                    filter::email::Surroundings { folder, promoted: &promoted, known: &known };
                filter::email::decide(content, mark, around, settings.email).decision
            } else {
                filter::track::decide(class, content, mark, &settings.tracking)
            };
            let outcome = if decided.tracked { Outcome::Tracked } else { Outcome::Skipped };
            if stored
                .decisions
                .get(id)
                .is_none_or(|old| old.outcome != outcome || old.rule != decided.rule)
            {
                let (item, rule, at) = (id.clone(), decided.rule.clone(), self.clock.now());
                decisions.push(Decision { class, item, outcome, rule, round, at });
            }
            if decided.tracked {
                tracked.insert(id.clone(), decided.rule);
            } else if content.traits.private && !settings.tracking.include_private {
                seen.items.remove(id);
            }
        }
        self.store.write(move |tx| decision::upsert(tx, &decisions)).await?;
        if class == Class::Email
            && let Err(error) = self.find_filed(seen, &contents, &tracked).await
        {
            return Ok(Err(error));
        }
        Ok(Ok(tracked))
    }

    /// Which senders the CRM knows; asked only where a rule wants it.
    async fn known_senders(
        &self,
        class: Class,
        contents: &BTreeMap<ItemId, Content>,
    ) -> connector::Result<BTreeSet<crate::model::Address>> {
        let wanted = class == Class::Email
            && self.class(class).email.automatic == filter::email::Automatic::KnownSenders;
        if !wanted {
            return Ok(BTreeSet::new());
        }
        let senders: BTreeSet<_> =
            contents.values().flat_map(|content| filter::email::senders(content)).collect();
        let senders: Vec<_> = senders.into_iter().collect();
        let people = self.crm.resolve(&senders).await?;
        Ok(people
            .into_iter()
            .filter(|(_, party)| party.table != "systemuser")
            .map(|(address, _)| address)
            .collect())
    }

    /// Messages that someone filed already, by whatever program, are adopted and not filed again.
    async fn find_filed(
        &self,
        seen: &mut Assembly,
        contents: &BTreeMap<ItemId, Content>,
        tracked: &BTreeMap<ItemId, String>,
    ) -> connector::Result<()> {
        let uids: Vec<Uid> = tracked
            .keys()
            .filter_map(|id| contents.get(id))
            .map(|content| content.uid.clone())
            .collect();
        if uids.is_empty() {
            return Ok(());
        }
        for (uid, record) in self.crm.find(Class::Email, &uids).await? {
            let content = Content { uid, fields: Fields::new(), traits: Traits::default() };
            let here =
                Seen::Here { version: Version::new("filed"), content: Some(Box::new(content)) };
            seen.records.insert(record, here);
        }
        Ok(())
    }

    /// Loads content and bases where they are needed.
    async fn load(
        &self,
        class: Class,
        mut seen: Assembly,
        stored: &Stock,
    ) -> store::Result<(Vec<Link>, Assembly)> {
        let needs = seen.needs(stored);
        let (items, records, links) = (needs.items, needs.records, needs.links);
        let (items, records, bases) = self
            .store
            .read(move |db| {
                Ok((
                    observation::contents(db, Side::Mailbox, class, &items)?,
                    observation::contents(db, Side::Crm, class, &records)?,
                    link::bases(db, &links)?,
                ))
            })
            .await?;
        for (map, contents) in [(&mut seen.items, items), (&mut seen.records, records)] {
            for (id, loaded) in contents {
                if let Some(Seen::Here { content, .. }) = map.get_mut(&id) {
                    *content = Some(Box::new(loaded));
                }
            }
        }
        let mut links = stored.links.clone();
        for link in &mut links {
            link.bases = bases.get(&link.id).cloned().map(Box::new);
        }
        Ok((links, seen))
    }

    fn situation(
        &self,
        class: Class,
        stored: &Stock,
        items: &Listing,
        records: &Listing,
    ) -> Situation {
        let emptied = |listing: &Listing| {
            listing.is_complete() && listing.entries.is_empty() && !stored.links.is_empty()
        };
        let filter = self.class(class).filter;
        Situation {
            first: !stored.started,
            linked: stored.links.len(),
            emptied: [(Side::Mailbox, items), (Side::Crm, records)]
                .into_iter()
                .filter_map(|(side, listing)| emptied(listing).then_some(side))
                .collect(),
            filter_changed: stored.filter.as_ref().is_some_and(|old| *old != filter),
            held: stored.held.clone(),
            approved: stored.approved.clone(),
        }
    }

    /// Plans, and lets the guard divide the plan.
    pub(super) async fn plan(&self, class: Class, look: &Look) -> store::Result<Planned> {
        let (rules, limits) = (self.class(class).rules, self.settings.limits);
        let (world, situation) = (look.world.clone(), look.situation.clone());
        let whole = look.partial.is_empty();
        let guarded = tokio::task::spawn_blocking(move || {
            let steps = plan::plan(&world, &rules);
            guard::guard(steps, &limits, &situation)
        })
        .await
        .map_err(|error| {
            store::Error::new(store::ErrorKind::Stopped, "planning was interrupted")
                .caused_by(error)
        })?;
        Ok(Planned { guarded, whole })
    }
}

/// What a direct look told.
#[derive(Default)]
struct Probed {
    seen: BTreeMap<ItemId, Seen>,
    farewells: BTreeMap<ItemId, (Version, Content)>,
}

fn half(link: &Link, side: Side) -> &ItemId {
    match side {
        Side::Mailbox => &link.item,
        Side::Crm => &link.record,
    }
}

/// What the store knows of a class.
struct Stock {
    links: Vec<Link>,
    items: BTreeMap<ItemId, Head>,
    records: BTreeMap<ItemId, Head>,
    quarantined: BTreeMap<(Side, ItemId), Version>,
    decisions: BTreeMap<ItemId, Decision>,
    marks: BTreeMap<Uid, bool>,
    choices: BTreeMap<(LinkId, crate::model::Field), Option<crate::model::Value>>,
    verdicts: BTreeMap<LinkId, Verdict>,
    held: BTreeSet<String>,
    approved: BTreeSet<Key>,
    started: bool,
    filter: Option<String>,
}

impl Stock {
    fn load(db: &store::Connection, class: Class) -> store::Result<Self> {
        let mut quarantined = BTreeMap::new();
        for side in [Side::Mailbox, Side::Crm] {
            for entry in quarantine::all(db, side, class)? {
                quarantined.insert((side, entry.id), entry.version);
            }
        }
        let (mut choices, mut verdicts) = (BTreeMap::new(), BTreeMap::new());
        for conflict in conflict::choices(db)? {
            let Some(choice) = conflict.choice else { continue };
            match conflict.dispute {
                Dispute::Field { field, mailbox, crm } => {
                    let value = if choice == Side::Mailbox { mailbox } else { crm };
                    choices.insert((conflict.link, field), value);
                }
                Dispute::Existence { deleted, .. } => {
                    let verdict =
                        if choice == deleted { Verdict::Delete } else { Verdict::Restore };
                    verdicts.insert(conflict.link, verdict);
                }
            }
        }
        Ok(Self {
            links: link::all(db, class)?,
            items: observation::heads(db, Side::Mailbox, class)?,
            records: observation::heads(db, Side::Crm, class)?,
            quarantined,
            decisions: decision::all(db, class)?,
            marks: mark::all(db, class)?,
            choices,
            verdicts,
            held: hold::held_subjects(db, class)?,
            approved: hold::approved_keys(db, class)?.into_values().map(Key).collect(),
            started: meta::get(db, &started_key(class))?.is_some(),
            filter: meta::get(db, &filter_key(class))?,
        })
    }
}

/// The world as it grows.
struct Assembly {
    items: BTreeMap<ItemId, Seen>,
    records: BTreeMap<ItemId, Seen>,
    /// The readable items.
    heads: BTreeMap<ItemId, Head>,
}

/// What must be loaded whole.
struct Needs {
    items: Vec<ItemId>,
    records: Vec<ItemId>,
    links: Vec<LinkId>,
}

impl Assembly {
    fn new(stored: &Stock, items: &Listing, records: &Listing) -> Self {
        let mut assembly =
            Self { items: BTreeMap::new(), records: BTreeMap::new(), heads: BTreeMap::new() };
        for (side, listing) in [(Side::Mailbox, items), (Side::Crm, records)] {
            let linked: BTreeSet<&ItemId> =
                stored.links.iter().map(|link| half(link, side)).collect();
            let heads = if side == Side::Mailbox { &stored.items } else { &stored.records };
            let mut map = BTreeMap::new();
            for id in listing.entries.keys() {
                let Some(head) = heads.get(id) else { continue };
                let aside = stored.quarantined.get(&(side, id.clone())) == Some(&head.version);
                if head.uid.is_none() || head.problem.is_some() || aside {
                    if linked.contains(id) {
                        map.insert(id.clone(), Seen::Unseen);
                    }
                    continue;
                }
                map.insert(id.clone(), Seen::Here { version: head.version.clone(), content: None });
                if side == Side::Mailbox {
                    assembly.heads.insert(id.clone(), head.clone());
                }
            }
            match side {
                Side::Mailbox => assembly.items = map,
                Side::Crm => assembly.records = map,
            }
        }
        assembly
    }

    /// What the user untracked rests: neither half is judged, both keep what they have, and nothing is made a second time,
    /// since the link stays. Tracked again, it is merged with what either side said when both last agreed.
    fn let_rest(&mut self, stored: &Stock) {
        let rests = |link: &&Link| stored.marks.get(&link.uid) == Some(&false);
        for link in stored.links.iter().filter(rests) {
            self.items.insert(link.item.clone(), Seen::Unseen);
            self.heads.remove(&link.item);
        }
    }

    fn needs(&self, stored: &Stock) -> Needs {
        let same = |map: &BTreeMap<ItemId, Seen>, id: &ItemId, settled: Option<&Version>| matches!(map.get(id), Some(Seen::Here { version, .. }) if Some(version) == settled);
        let mut quiet: (BTreeSet<&ItemId>, BTreeSet<&ItemId>) = Default::default();
        let mut links = Vec::new();
        for link in &stored.links {
            let item = same(&self.items, &link.item, link.item_version.as_ref());
            let record = same(&self.records, &link.record, link.record_version.as_ref());
            if item {
                quiet.0.insert(&link.item);
            }
            if record {
                quiet.1.insert(&link.record);
            }
            let chosen = stored.choices.keys().any(|(of, _)| *of == link.id)
                || stored.verdicts.contains_key(&link.id);
            if !(item && record) || chosen {
                links.push(link.id);
            }
        }
        let loud = |map: &BTreeMap<ItemId, Seen>, quiet: &BTreeSet<&ItemId>| {
            map.iter()
                .filter(|(id, seen)| {
                    matches!(seen, Seen::Here { content: None, .. }) && !quiet.contains(id)
                })
                .map(|(id, _)| id.clone())
                .collect()
        };
        Needs { items: loud(&self.items, &quiet.0), records: loud(&self.records, &quiet.1), links }
    }
}
