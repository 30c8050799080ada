//! Puts together what a plan follows from, out of what was seen and what is stored. Content is only loaded where the
//! versions do not already tell that nothing changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::observe::{Asked, Looker};
use super::sieve::Sifted;
use super::stock::{Assembly, Stock};
use super::{ClassSettings, Engine, Progress, observe, recover, stock};
use crate::connector::{self, Connector, ErrorKind, Scope};
use crate::mapping::Filing;
use crate::model::{
    Class, Completeness, Content, ItemId, Link, LinkState, Listing, Selected, Side, Uid, Version,
};
use crate::plan::guard::{self, Guarded, Situation};
use crate::plan::{self, Seen, World};
use crate::store::round::RoundId;
use crate::store::{self, link, observation};

/// So many items that are gone are asked for by their names.
const ASKED_MAX: usize = 25;

/// Both sides as they were seen in this pass.
#[derive(Debug, Clone)]
pub struct Look {
    /// Shared: it holds the content of all that may be filed.
    pub world: Arc<World>,
    pub situation: Situation,
    /// How many items and records were listed.
    pub listed: BTreeMap<Side, usize>,
    /// Why a side was not seen whole.
    pub partial: BTreeMap<Side, String>,
    /// Linked records that the sync filters do not list.
    pub absent: Absent,
    /// What each sync filter found.
    pub selected: Vec<Selected>,
    /// Whether it is remembered that the filters are these, and found this.
    pub filters_are_known: bool,
    /// What messages are filed with.
    pub filing: BTreeMap<Uid, Filing>,
    /// Messages that are to be given the keyword of tracked ones, and those that are to lose it.
    pub to_tag: BTreeSet<ItemId>,
    pub to_untag: BTreeSet<ItemId>,
}

/// Linked records that are in no sync filter, as a direct look found them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Absent {
    /// They are there: they only left.
    pub left: usize,
    /// They could not be looked at: no right, or no answer.
    pub hidden: usize,
}

/// A plan after the guard, and everything that was planned.
#[derive(Debug, Clone)]
pub struct Planned {
    pub guarded: Guarded,
    /// Whether both sides were seen whole, so that what is not planned any more is obsolete.
    pub whole: bool,
    /// How many writes to the CRM were left out because the user has no right to them.
    pub withheld: usize,
}

/// Where the store keeps what the sync filters of a class were.
pub fn filter_key(class: Class) -> String {
    format!("filter/{class}")
}

/// Where the store keeps how many records each sync filter of a class found.
pub fn found_key(class: Class) -> String {
    format!("found/{class}")
}

/// Where the store keeps that a person has approved the first sync of a class.
pub fn started_key(class: Class) -> String {
    format!("started/{class}")
}

/// The outer error is the loss of the store, the inner that of a side.
pub(super) type Stored<T> = store::Result<connector::Result<T>>;

impl Engine {
    /// Looks at both sides.
    pub(super) async fn look(&self, class: Class, round: RoundId) -> Stored<Look> {
        match self.ask(class).await? {
            Ok(asked) => self.take_in(class, round, asked).await,
            Err(error) => Ok(Err(error)),
        }
    }

    /// Looks at both sides. `None`: nothing happened, and nothing was left to do.
    pub(super) async fn look_if_needed(
        &self,
        class: Class,
        round: RoundId,
    ) -> Stored<Option<Look>> {
        let asked = match self.ask(class).await? {
            Ok(asked) => asked,
            Err(error) => return Ok(Err(error)),
        };
        if class == Class::Email && asked.news.is_quiet() && self.settled(class).await?.is_some() {
            return Ok(Ok(None));
        }
        Ok(self.take_in(class, round, asked).await?.map(Some))
    }

    /// Asks the mailbox what happened.
    async fn ask(&self, class: Class) -> Stored<Asked> {
        (self.progress)(Progress::Listing { class });
        match self.mailbox_of(class) {
            Ok(mailbox) => observe::ask(self, mailbox, Side::Mailbox, class).await,
            Err(error) => Ok(Err(error)),
        }
    }

    pub(super) fn mailbox_of(&self, class: Class) -> connector::Result<&dyn Connector> {
        self.mailbox.get(&class).map(AsRef::as_ref).ok_or_else(|| {
            connector::Error::new(
                ErrorKind::Unsupported,
                format!("no mailbox is configured for {class}s"),
            )
            .hint(format!("add a [mailbox.{class}s] section, or leave the class out"))
        })
    }

    async fn take_in(&self, class: Class, round: RoundId, asked: Asked) -> Stored<Look> {
        let mailbox = match self.mailbox_of(class) {
            Ok(mailbox) => mailbox,
            Err(error) => return Ok(Err(error)),
        };
        let looker = Looker { engine: self, connector: mailbox, side: Side::Mailbox, class, round };
        if class == Class::Email {
            return self.take_in_mail(&looker, asked).await;
        }
        let items = match observe::side(&looker, asked).await? {
            Ok(items) => items,
            Err(error) => return Ok(Err(error)),
        };
        let records = match self.records(class, round).await? {
            Ok(records) => records,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = recover::run(self, class, &items, &records).await? {
            return Ok(Err(error));
        }
        let listed = items.entries.len();
        self.put_together((class, round, mailbox), (items, listed), records, None).await
    }

    /// As [`Engine::take_in`]. Messages have no records of a sync filter: they are met through their items.
    async fn take_in_mail(&self, looker: &Looker<'_>, asked: Asked) -> Stored<Look> {
        let mut sieve = self.sieve().await?;
        let mail = match observe::mail(looker, asked, &mut sieve).await? {
            Ok(mail) => mail,
            Err(error) => return Ok(Err(error)),
        };
        let mut sifted = match self.sift(looker.round, sieve).await? {
            Ok(sifted) => sifted,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = recover::mail(self).await? {
            return Ok(Err(error));
        }
        let kept = sifted.kept.clone();
        let items = self.store.read(move |db| mail.listing(db, &kept)).await?;
        sifted.to_tag.retain(|id| items.0.entries.contains_key(id));
        let completeness = Completeness::Partial("messages are not listed in the CRM".to_owned());
        let records = Listing { entries: BTreeMap::new(), completeness };
        let of = (looker.class, looker.round, looker.connector);
        self.put_together(of, items, records, Some(sifted)).await
    }

    /// The records of the sync filter.
    async fn records(&self, class: Class, round: RoundId) -> Stored<Listing> {
        let (crm, side) = (self.crm.as_ref(), Side::Crm);
        match observe::ask(self, crm, side, class).await? {
            Ok(asked) => {
                let looker = Looker { engine: self, connector: crm, side, class, round };
                observe::side(&looker, asked).await
            }
            Err(error) => Ok(Err(error)),
        }
    }

    async fn put_together(
        &self,
        (class, round, mailbox): (Class, RoundId, &dyn Connector),
        (items, listed): (Listing, usize),
        records: Listing,
        sifted: Option<Sifted>,
    ) -> Stored<Look> {
        let (kept, now) = (sifted.as_ref().map(|sifted| sifted.kept.clone()), self.clock.now());
        let mut stored =
            self.store.read(move |db| Stock::load(db, class, kept.as_ref(), now)).await?;
        let mut seen = Assembly::new(&mut stored, &items, &records);
        let probed = match self.probe(class, mailbox, Side::Mailbox, &items, &stored.links).await {
            Ok(probed) => probed,
            Err(error) => return Ok(Err(error)),
        };
        let probed = match find_moved(class, mailbox, &items, &stored.links, probed).await {
            Ok(probed) => probed,
            Err(error) => return Ok(Err(error)),
        };
        seen.items.extend(probed.seen);
        let probed =
            match self.probe(class, self.crm.as_ref(), Side::Crm, &records, &stored.links).await {
                Ok(probed) => probed,
                Err(error) => return Ok(Err(error)),
            };
        let absent = Absent::of(&records, &probed, &stored.links);
        seen.records.extend(probed.seen);
        let farewells = probed.farewells;
        seen.let_rest(&stored);
        self.set_copies_aside(class, &mut seen, &stored).await?;
        let sifted = if let Some(mut sifted) = sifted {
            if let Err(error) = self.find_filed(&mut seen, &mut sifted).await {
                return Ok(Err(error));
            }
            seen.fill_in(std::mem::take(&mut sifted.contents));
            sifted
        } else {
            let tracked = self.decide(class, round, &mut seen, &stored).await?;
            Sifted { tracked, ..Sifted::default() }
        };
        let Sifted { tracked, filing, to_tag, to_untag, .. } = sifted;
        let (links, loaded) = self.load(class, seen, &stored).await?;
        let situation = self.situation((class, listed), &stored, &items, &records);
        let selected = self.crm.selected(class);
        let filters_are_known = stored.remembers(&self.class(class).filter, &selected);
        let partial = not_seen(class, &items, &records);
        let world = World {
            class,
            organisation: self.settings.organisation,
            mailbox: self.settings.mailbox.clone(),
            me: self.settings.me.clone(),
            now,
            items: loaded.items,
            records: loaded.records,
            partial: partial.keys().copied().collect(),
            tracked,
            links,
            farewells,
            choices: stored.choices,
            verdicts: stored.verdicts,
        };
        let listed = BTreeMap::from([(Side::Mailbox, listed), (Side::Crm, records.entries.len())]);
        Ok(Ok(Look {
            world: Arc::new(world),
            situation,
            listed,
            partial,
            absent,
            selected,
            filters_are_known,
            filing,
            to_tag,
            to_untag,
        }))
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
            .map(|link| link.half(side).clone())
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
        seen.fill_in(items);
        stock::fill_in(&mut seen.records, records);
        let mut links = stored.links.clone();
        for link in &mut links {
            link.bases = bases.get(&link.id).cloned().map(Box::new);
        }
        Ok((links, seen))
    }

    fn situation(
        &self,
        (class, listed): (Class, usize),
        stored: &Stock,
        items: &Listing,
        records: &Listing,
    ) -> Situation {
        let emptied = |listing: &Listing, listed: usize| {
            let active = |link: &Link| link.state == LinkState::Active;
            listing.is_complete() && listed == 0 && stored.links.iter().any(active)
        };
        let counted = [(Side::Mailbox, items, listed), (Side::Crm, records, records.entries.len())];
        let filter = self.class(class).filter;
        Situation {
            first: !stored.started,
            linked: stored.links.len(),
            emptied: counted
                .into_iter()
                .filter_map(|(side, listing, listed)| emptied(listing, listed).then_some(side))
                .collect(),
            filter_changed: stored.filter.as_ref().is_some_and(|old| *old != filter),
            filter_dried: self.crm.selected(class).iter().any(|filter| {
                let before = stored.found.get(&filter.name);
                filter.rows == Some(0) && before.is_some_and(|rows| *rows > 0)
            }),
            held: stored.held.clone(),
            approved: stored.approved.clone(),
        }
    }

    /// Plans, and lets the guard divide the plan.
    pub(super) async fn plan(&self, class: Class, look: &Look) -> store::Result<Planned> {
        let ClassSettings { rules, may, .. } = self.class(class);
        let limits = self.settings.limits;
        let (world, situation) = (Arc::clone(&look.world), look.situation.clone());
        // A side that lists nothing at all may have lost its folder: what waits or was approved is not obsolete by that.
        let whole = look.partial.is_empty() && look.situation.emptied.is_empty();
        let (guarded, withheld) = store::aside(move || {
            let (steps, withheld) = may.within(plan::plan(&world, &rules));
            Ok((guard::guard(steps, &limits, &situation), withheld))
        })
        .await?;
        Ok(Planned { guarded, whole, withheld })
    }
}

/// Why a side was not seen whole. Messages are not listed in the CRM at all.
fn not_seen(class: Class, items: &Listing, records: &Listing) -> BTreeMap<Side, String> {
    [(Side::Mailbox, items), (Side::Crm, records)]
        .into_iter()
        .filter_map(|(side, listing)| match &listing.completeness {
            Completeness::Partial(reason) if class != Class::Email || side == Side::Mailbox => {
                Some((side, reason.clone()))
            }
            Completeness::Partial(_) | Completeness::Complete => None,
        })
        .collect()
}

impl Absent {
    fn of(records: &Listing, probed: &Probed, links: &[Link]) -> Self {
        let mut absent = Self::default();
        // Of a listing that broke off, nobody was looked at.
        if !records.is_complete() {
            return absent;
        }
        for link in links.iter().filter(|link| link.state == LinkState::Active) {
            match probed.seen.get(&link.record) {
                Some(Seen::Left) => absent.left += 1,
                Some(Seen::Unseen) => absent.hidden += 1,
                Some(Seen::Here { .. } | Seen::Gone) | None => {}
            }
        }
        absent
    }
}

/// What is gone from where it was may stand elsewhere, and a listing of before does not show it there: it is asked for by its name.
/// Messages are not: they are many, and lie in many folders. Neither is much at once, over which a person decides.
async fn find_moved(
    class: Class,
    mailbox: &dyn Connector,
    items: &Listing,
    links: &[Link],
    mut probed: Probed,
) -> connector::Result<Probed> {
    let is_gone = |link: &&Link| {
        let was_there = link.state != LinkState::Released { gone: Side::Mailbox };
        was_there && probed.seen.get(&link.item) == Some(&Seen::Gone)
    };
    let gone: BTreeMap<Uid, ItemId> =
        links.iter().filter(is_gone).map(|link| (link.uid.clone(), link.item.clone())).collect();
    if class == Class::Email || gone.is_empty() || gone.len() > ASKED_MAX {
        return Ok(probed);
    }
    let uids: Vec<Uid> = gone.keys().cloned().collect();
    for (uid, place) in mailbox.find(class, &uids).await? {
        let was = gone.get(&uid).filter(|_| !items.entries.contains_key(&place));
        probed.seen.extend(was.map(|was| (was.clone(), Seen::Unseen)));
    }
    Ok(probed)
}

/// What a direct look told.
#[derive(Default)]
struct Probed {
    seen: BTreeMap<ItemId, Seen>,
    farewells: BTreeMap<ItemId, (Version, Content)>,
}
