//! `liaison filter preview`: which records would come in and which would leave, by name, before anything moves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::{Definition, find, row};
use crate::cli::output::{Answer, Page, count, short};
use crate::cli::selection::{Filters, Reached};
use crate::cli::sync::ClassName;
use crate::cli::{Exit, Installation, Stop};
use crate::config::settings::OnLeave;
use crate::connector::Connector;
use crate::filter::fetch;
use crate::filter::union::{State, read};
use crate::model::record::PartyRef;
use crate::model::{Class, LinkState, Origin, RecordId, Selection, Side, StoredFilter, Table};
use crate::store::{link, observation};

/// How many names are asked for, of each class and direction.
const NAMES: usize = 1000;

/// Show which records would enter and leave, by name, before anything moves
///
/// Without a filter: what the next round would bring in and let go. With one: what switching it would do, or with --where or
/// --fetchxml, what it would do if it said that.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison filter preview\n  liaison filter preview 'My town'\n  liaison filter preview 'My town' --where 'address1_city like Ulm%'\n  liaison filter preview --class task --where 'prioritycode eq 2'"
)]
pub(super) struct Preview {
    /// The filter that is switched or changed
    name: Option<String>,
    /// Only this class; with --where or --fetchxml and no name, that of a new filter
    #[arg(long, value_name = "CLASS", conflicts_with = "name")]
    class: Option<ClassName>,
    #[command(flatten)]
    pub(super) definition: Definition,
    /// Every name, not only 20 of each kind
    #[arg(long)]
    all: bool,
}

/// What would happen to one class.
struct Moves {
    enter: BTreeSet<RecordId>,
    leave: BTreeSet<RecordId>,
    /// Those of `leave` that are in the mailbox.
    linked: BTreeSet<RecordId>,
    /// Why not everything is known.
    doubts: Vec<String>,
    names: BTreeMap<PartyRef, String>,
}

impl Preview {
    pub(super) async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let reached = here.reach().await?;
        let changed = self.changed(&reached)?;
        let only = self.class.map(ClassName::class);
        let mut classes = BTreeMap::new();
        for class in reached.filters.classes.keys().copied() {
            if only.is_some_and(|only| only != class)
                || changed.as_ref().is_some_and(|(of, _)| *of != class)
            {
                continue;
            }
            let to = changed.as_ref().map(|(_, selection)| selection);
            classes.insert(class, moves(&reached, class, to).await?);
        }
        let lines = if self.all { usize::MAX } else { 20 };
        let mut page = Page::default();
        let mut json = serde_json::Map::new();
        for (class, moves) in &classes {
            let stays = reached.settings.sync.of(*class).on_leave == OnLeave::Keep;
            page.gap();
            moves.show(&mut page, *class, stays, lines);
            json.insert(class.to_string(), moves.to_json(stays));
        }
        let doubtful = classes.values().any(|moves| !moves.doubts.is_empty());
        let exit = if doubtful { Exit::Partly } else { Exit::Done };
        Ok(Answer::new(page, json!({ "classes": json })).exit(exit))
    }

    /// The class whose filters are thought to be others, and what they would be.
    fn changed(&self, reached: &Reached) -> anyhow::Result<Option<(Class, Selection)>> {
        let Some(name) = &self.name else {
            if !self.definition.is_given() {
                return Ok(None);
            }
            let class = self.class.ok_or_else(|| {
                let hint = "name the filter that would say so, or --class CLASS for a new one";
                Stop::new(Exit::Usage, "which filter?", hint)
            })?;
            let class = class.class();
            return Ok(Some((class, self.with_new(reached, class)?)));
        };
        let (class, source) = find(reached, name)?;
        let Some((class, _)) = class else {
            let message = format!("“{name}” is about {}, which is not synced", source.table);
            return Err(Stop::new(Exit::Failed, message, "`liaison filter list`").into());
        };
        let stored = row(reached, source);
        let state = match (&source.state, stored) {
            _ if self.definition.is_given() => {
                let table = Table::named(&source.table);
                State::On(self.definition.read(&source.name, class, table)?)
            }
            (State::On(_), _) => State::Off,
            (_, Some(stored)) => {
                State::On(read(class, stored).map_err(|fetch::Invalid(reason)| {
                    let message = format!("“{name}” cannot be used: {reason}");
                    Stop::new(Exit::Failed, message, "`liaison filter show` shows it")
                })?)
            }
            (_, None) => State::Off,
        };
        let mut filters = reached.filters.clone();
        let sources = filters.classes.get_mut(&class).map(|union| union.sources.iter_mut());
        if let Some(found) = sources.into_iter().flatten().find(|one| *one == source) {
            found.state = state;
        }
        Ok(Some((class, filters.selection())))
    }

    /// As if the user had one filter more.
    fn with_new(&self, reached: &Reached, class: Class) -> anyhow::Result<Selection> {
        let filter = self.definition.read("new", class, None)?;
        let mut told = reached.dataverse.told().clone();
        if let Ok(own) = &mut told.own {
            own.push(StoredFilter {
                id: uuid::Uuid::nil(),
                origin: Origin::Own,
                name: filter.name().to_owned(),
                table: filter.table().logical_name().to_owned(),
                fetchxml: filter.as_fetchxml().to_owned(),
                active: true,
                version: None,
            });
        }
        Ok(Filters::of(&reached.settings, &told, false).selection())
    }
}

/// What the next round would meet, or what would differ if the filters were others.
async fn moves(
    reached: &Reached,
    class: Class,
    changed: Option<&Selection>,
) -> anyhow::Result<Moves> {
    let (dataverse, now) = (&reached.dataverse, reached.dataverse.selection());
    let (links, seen) = reached
        .store
        .read(move |db| Ok((link::all(db, class)?, observation::versions(db, Side::Crm, class)?)))
        .await?;
    let mut doubts = Vec::new();
    let before: BTreeSet<RecordId> = match changed {
        None => seen.keys().filter_map(RecordId::parse).collect(),
        Some(_) => chosen(reached, class, now, &mut doubts).await?,
    };
    let after = chosen(reached, class, changed.unwrap_or(now), &mut doubts).await?;
    doubts.dedup();
    let active: BTreeSet<RecordId> = links
        .iter()
        .filter(|link| link.state == LinkState::Active)
        .filter_map(|link| RecordId::parse(&link.record))
        .collect();
    let enter: BTreeSet<RecordId> = after.difference(&before).copied().collect();
    // From what was not listed, nothing follows.
    let leave: BTreeSet<RecordId> =
        before.difference(&after).copied().filter(|_| doubts.is_empty()).collect();
    let linked = leave.intersection(&active).copied().collect();
    let asked: Vec<PartyRef> =
        enter.iter().take(NAMES).chain(leave.iter().take(NAMES)).map(party).collect();
    let names = dataverse.names(&asked).await?;
    Ok(Moves { enter, leave, linked, doubts, names })
}

/// What a selection chooses; none where a class is left without a filter.
async fn chosen(
    reached: &Reached,
    class: Class,
    selection: &Selection,
    doubts: &mut Vec<String>,
) -> anyhow::Result<BTreeSet<RecordId>> {
    let has_filter = selection.selectors.keys().any(|table| table.class() == class);
    if !has_filter && !selection.doubts.contains_key(&class) {
        return Ok(BTreeSet::new());
    }
    let chosen = reached.dataverse.choose(class, selection).await?;
    doubts.extend(chosen.reasons);
    Ok(chosen.rows.into_keys().collect())
}

fn party(id: &RecordId) -> PartyRef {
    PartyRef { table: id.table.logical_name().to_owned(), guid: id.guid }
}

impl Moves {
    fn show(&self, page: &mut Page, class: Class, stays: bool, lines: usize) {
        let (enter, leave) = (self.enter.len(), self.leave.len());
        page.line(format!(
            "{class}s: {} would enter, {} would leave",
            count(enter, "record"),
            count(leave, "record")
        ));
        for (sign, ids) in [('+', &self.enter), ('-', &self.leave)] {
            for id in ids.iter().take(lines) {
                let then = match (self.linked.contains(id), stays) {
                    (false, _) => "",
                    (true, true) => "  (its item stays)",
                    (true, false) => "  (its item would go, once you allow it)",
                };
                page.line(format!("  {sign} {}{then}", self.name(id)));
            }
            if ids.len() > lines {
                page.line(format!("  {sign} … and {} more", ids.len() - lines));
            }
        }
        for doubt in &self.doubts {
            page.line(format!("  not everything is known: {}", short(doubt, 300)));
        }
    }

    fn name(&self, id: &RecordId) -> String {
        match self.names.get(&party(id)) {
            Some(name) => short(name, 60),
            None => id.item_id().to_string(),
        }
    }

    fn to_json(&self, stays: bool) -> Json {
        let list = |ids: &BTreeSet<RecordId>| -> Vec<Json> {
            let one = |id: &RecordId| {
                json!({
                    "id": id.item_id().as_str(),
                    "name": self.names.get(&party(id)),
                    "in_mailbox": self.linked.contains(id),
                })
            };
            ids.iter().map(one).collect()
        };
        json!({
            "enter": list(&self.enter),
            "leave": list(&self.leave),
            "on_leave": if stays { "keep" } else { "remove" },
            "doubts": self.doubts,
        })
    }
}
