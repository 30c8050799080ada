//! `liaison status`: whether everything is in step, on one screen, from the store alone. "In step" is only said when nothing
//! waits anywhere.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::absent::Absent;
use super::circumstances::Circumstances;
use super::items::Items;
use super::offline::{self, Standing};
use super::output::{Answer, Page, count, short};
use super::selection::Kept;
use super::waiting::Waiting;
use super::{Exit, Installation, auth, live, zone};
use crate::config::Settings;
use crate::model::{Class, Side};
use crate::store::quarantine::{self, Quarantined};
use crate::store::round::{self, Round};
use crate::store::{self, Connection, link, meta, person};

/// How far back the last round of a class is looked for: a class that is off has none for years.
const ROUNDS: u32 = 500;

/// How many of the things set aside are shown unless all are asked for.
const ASIDE: usize = 3;

/// Tell whether everything is in step, and what waits
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "Example: liaison status --all")]
pub struct Status {
    /// List everything that is set aside, with its reason
    #[arg(long)]
    all: bool,
    /// Show it again whenever it changes, until you end it; needs the running service
    #[arg(long)]
    pub(super) watch: bool,
}

impl Status {
    /// # Errors
    /// When the configuration cannot be used or the store is lost.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        // Within the service, the client watches.
        if self.watch && here.within.is_none() {
            return live::watch(here, Vec::new()).await;
        }
        let loaded = here.load()?;
        let state = State::of(here, &loaded.settings).await?;
        let crm = state.zone.as_deref();
        let zone = zone::choose(&loaded.settings.mailbox.zone, crm, here.clock.now());
        let mut answer = state.answer(&loaded.settings, self.all);
        answer.notes.extend(zone.notice);
        let ending = auth::warnings(here, &loaded.settings);
        answer.notes.extend(ending.iter().map(|warning| format!("→ {warning}")));
        let (notes, copies) = offline::status(here).await?;
        let behind = copies.iter().any(|copy| copy.is_offline || copy.open() > 0);
        if behind && answer.exit == Exit::Done {
            answer.exit = Exit::Partly;
        }
        if let Json::Object(json) = &mut answer.json {
            if behind {
                json.insert("in_step".to_owned(), false.into());
            }
            let copies: Vec<Json> = copies.iter().map(Standing::to_json).collect();
            json.insert("copies".to_owned(), copies.into());
            json.insert("sign_ins_ending".to_owned(), ending.into());
        }
        answer.notes.extend(notes);
        Ok(answer)
    }
}

/// All that the answer is made of.
pub(super) struct State {
    organisation: Option<String>,
    /// Of the CRM user, as it was last told.
    zone: Option<String>,
    /// How many addresses could be several people's.
    doubtful: u32,
    last: Option<Round>,
    filters: Kept,
    pub(super) classes: BTreeMap<Class, ClassState>,
    pub(super) circumstances: Circumstances,
    /// Rounds go on that have not ended yet.
    at_work: bool,
}

/// One class.
pub(super) struct ClassState {
    pub(super) waiting: Waiting,
    pub(super) linked: usize,
    /// Pairs whose record left the sync filter, or is not to be seen.
    resting: usize,
    /// The last round that worked on the class: when, and what came of it.
    pub(super) last: Option<(Timestamp, Json)>,
    items: Items,
    absent: Absent,
    aside: Vec<Quarantined>,
}

impl State {
    /// How things stand by what is stored. The service counts items only where they may have changed.
    pub(super) async fn of(here: &Installation, settings: &Settings) -> anyhow::Result<Self> {
        let store = here.store().await?;
        let classes: Vec<Class> = settings.classes().collect();
        let (settings, now) = (settings.clone(), here.clock.now());
        let within = here.within.clone();
        let counted = within.as_ref().map(|within| within.counted()).unwrap_or_default();
        let mut state = store
            .read(move |db| {
                let circumstances = Circumstances::read(db, &settings, now)?;
                Ok(Self { circumstances, ..Self::read(db, &classes, &counted)? })
            })
            .await?;
        if let Some(within) = within {
            state.at_work = true;
            within.count(state.classes.iter().map(|(class, state)| (*class, state.items.clone())));
        }
        Ok(state)
    }

    fn read(
        db: &Connection,
        classes: &[Class],
        counted: &BTreeMap<Class, Items>,
    ) -> store::Result<Self> {
        let (last, mut reports) = last_rounds(db, classes)?;
        let mut found = BTreeMap::new();
        for class in classes {
            let state = ClassState::read(db, *class, reports.remove(class), counted.get(class))?;
            found.insert(*class, state);
        }
        Ok(Self {
            organisation: meta::get(db, meta::ORGANISATION)?,
            zone: meta::get(db, meta::ZONE)?,
            doubtful: person::open(db)?,
            last,
            filters: Kept::read(db)?,
            classes: found,
            circumstances: Circumstances::default(),
            at_work: false,
        })
    }

    fn answer(&self, settings: &Settings, all: bool) -> Answer {
        let mut page = Page::default();
        let (name, url) = settings
            .sync_organisation()
            .map_or(("", ""), |(name, organisation)| (name, organisation.url.as_str()));
        page.line(format!("organisation  {name}, {url}"));
        page.line(format!("mailbox       {}", settings.mailbox.address));
        page.line(format!("last round    {}", self.last_round()));
        self.circumstances.show(&mut page);
        page.gap();
        let mut rows = Vec::new();
        for (class, state) in &self.classes {
            let off = self.circumstances.off(*class);
            let sentence = off.unwrap_or_else(|| state.sentence());
            rows.push(vec![class.to_string(), sentence, state.numbers()]);
        }
        if rows.is_empty() {
            page.line("no class takes part: see `liaison config show`");
        }
        page.table("<<<", &rows);
        if let Some(email) = self.classes.get(&Class::Email) {
            page.gap();
            page.line(email.items.sentence());
        }
        let mut filters = Page::default();
        for (class, state) in &self.classes {
            for line in state.absent.lines(&self.filters, *class) {
                filters.wrapped("  ", &format!("{class}s: {line}"));
            }
        }
        if !filters.as_str().is_empty() {
            page.gap();
            page.append(&filters);
        }
        for (class, state) in &self.classes {
            state.set_aside(&mut page, *class, if all { usize::MAX } else { ASIDE });
        }
        let mut waiting = Waiting::default();
        for state in self.classes.values() {
            waiting += state.waiting;
        }
        let mut answer = Answer::new(page, self.to_json(settings)).exit(self.exit(waiting));
        answer.notes = waiting.notes();
        // Nothing waits for that: what names them is filed.
        if self.doubtful > 0 {
            let (word, verb) =
                if self.doubtful == 1 { ("address", "belongs") } else { ("addresses", "belong") };
            answer.notes.push(format!(
                "→ {} {word} {verb} to several people: `liaison people`",
                self.doubtful
            ));
        }
        if self.was_interrupted() {
            answer
                .notes
                .push("→ the last round did not end: `liaison sync` looks again".to_owned());
        } else if self.classes.values().any(|state| state.last.is_none()) {
            answer.notes.push("→ look at the first plan: `liaison plan`".to_owned());
        }
        answer
    }

    /// A class that cannot take part is not in step, whatever its last round said.
    fn all_in_step(&self) -> bool {
        let circumstances = &self.circumstances;
        self.classes
            .iter()
            .all(|(class, state)| state.in_step() && circumstances.off(*class).is_none())
    }

    fn was_interrupted(&self) -> bool {
        !self.at_work && self.last.as_ref().is_some_and(|round| round.finished.is_none())
    }

    fn last_round(&self) -> String {
        match &self.last {
            None => "none yet".to_owned(),
            Some(round) => match round.finished {
                Some(at) => format!("{}, {}", round.id, moment(at)),
                None if self.at_work => format!("{}, since {}", round.id, moment(round.started)),
                None => format!("{}, begun {} and not ended", round.id, moment(round.started)),
            },
        }
    }

    fn exit(&self, waiting: Waiting) -> Exit {
        if let Some(exit) = self.circumstances.exit() {
            exit
        } else if waiting.held + waiting.doubtful > 0 {
            Exit::Held
        } else if waiting.conflicts > 0 {
            Exit::Conflicts
        } else if self.was_interrupted() || !self.all_in_step() {
            Exit::Partly
        } else {
            Exit::Done
        }
    }

    fn to_json(&self, settings: &Settings) -> Json {
        let classes: serde_json::Map<String, Json> = self
            .classes
            .iter()
            .map(|(class, state)| (class.to_string(), state.to_json(self.filters.class(*class))))
            .collect();
        let organisation = settings.sync_organisation();
        json!({
            "organisation": {
                "name": organisation.map(|(name, _)| name),
                "url": organisation.map(|(_, organisation)| organisation.url.as_str()),
                "id": self.organisation,
            },
            "mailbox": settings.mailbox.address.as_str(),
            "addresses_in_doubt": self.doubtful,
            "last_round": self.last.as_ref().map(|round| json!({
                "round": round.id.0,
                "started": round.started.to_string(),
                "finished": round.finished.map(|at| at.to_string()),
                "trigger": round.trigger,
            })),
            "in_step": !self.was_interrupted()
                && !self.classes.is_empty()
                && self.circumstances.exit().is_none()
                && self.all_in_step(),
            "instance": self.circumstances.instance(),
            "mismatch": self.circumstances.mismatch(),
            "rights": self.circumstances.rights(),
            "budget": self.circumstances.budget(),
            "classes": classes,
        })
    }
}

/// The last round that worked on a class: when it ended, and what came of it.
type Reports = BTreeMap<Class, (Timestamp, Json)>;

/// The last round, and for each class when one worked on it last and what came of that.
fn last_rounds(db: &Connection, classes: &[Class]) -> store::Result<(Option<Round>, Reports)> {
    let (mut last, mut reports) = (None, BTreeMap::new());
    round::backwards(db, ROUNDS, |round| {
        for class in classes {
            let report = round.report.get("classes").and_then(|all| all.get(class.as_str()));
            if let (Some(report), Some(at)) = (report, round.finished) {
                reports.entry(*class).or_insert_with(|| (at, report.clone()));
            }
        }
        if last.is_none() && round.trigger != "plan" {
            last = Some(round);
        }
        last.is_none() || reports.len() < classes.len()
    })?;
    Ok((last, reports))
}

impl ClassState {
    fn read(
        db: &Connection,
        class: Class,
        last: Option<(Timestamp, Json)>,
        counted: Option<&Items>,
    ) -> store::Result<Self> {
        let (linked, _) = link::count(db, class)?;
        let mut aside = quarantine::all(db, Side::Mailbox, class)?;
        aside.extend(quarantine::all(db, Side::Crm, class)?);
        Ok(Self {
            absent: last.as_ref().map(|(_, report)| Absent::of(report)).unwrap_or_default(),
            // Messages are met through their items: the CRM does not list them.
            resting: if class == Class::Email { 0 } else { link::resting(db, class)? },
            waiting: Waiting::of(db, class)?,
            linked: usize::try_from(linked).unwrap_or(usize::MAX),
            last,
            items: match counted {
                Some(items) => items.clone(),
                None => Items::read(db, class)?,
            },
            aside,
        })
    }

    /// Only when the last round left nothing, and nothing waits since.
    pub(super) fn in_step(&self) -> bool {
        let report = self.last.as_ref().and_then(|(_, report)| report.get("in_step")?.as_bool());
        report == Some(true) && self.waiting.is_nothing() && self.items.pending == 0
    }

    pub(super) fn sentence(&self) -> String {
        let Some((at, report)) = &self.last else {
            return match self.waiting.held {
                0 => "not synced yet".to_owned(),
                held => format!("not synced yet; {} wait for your word", count(held, "operation")),
            };
        };
        if self.in_step() {
            return format!("in step since {}", moment(*at));
        }
        let error = report.get("error").and_then(|error| error.get("message")?.as_str());
        if let Some(error) = error {
            return format!("failed {}: {}", moment(*at), short(error, 100));
        }
        if !self.absent.partial.is_empty() && self.waiting.is_nothing() {
            return format!("not everything was seen {}: nothing is deleted", moment(*at));
        }
        if report.get("unsettled") == Some(&Json::Bool(true)) && self.waiting.is_nothing() {
            return format!("much happened {}: there is more to look at", moment(*at));
        }
        let withheld = report.get("withheld").and_then(Json::as_u64).unwrap_or_default();
        let parts = [
            (usize::try_from(withheld).unwrap_or(usize::MAX), "you have no right to write"),
            (self.waiting.held, "held"),
            (self.waiting.conflicts, "contested"),
            (self.waiting.approved + self.waiting.chosen, "decided, not carried out"),
            (self.waiting.doubtful, "mails in doubt"),
            (self.waiting.queued, "mails on their way"),
            (self.waiting.aside, "set aside"),
            (self.items.pending, "not decided"),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} {word}"))
            .collect();
        if parts.is_empty() {
            return format!("not everything was done {}", moment(*at));
        }
        format!("waits: {}", parts.join(", "))
    }

    fn numbers(&self) -> String {
        match self.resting {
            0 => format!("{} linked", self.linked),
            1 => format!("{} linked, 1 rests", self.linked),
            some => format!("{} linked, {some} rest", self.linked),
        }
    }

    fn set_aside(&self, page: &mut Page, class: Class, lines: usize) {
        if self.aside.is_empty() {
            return;
        }
        page.gap();
        page.line(format!("{class}s set aside ({}):", self.aside.len()));
        for aside in self.aside.iter().take(lines) {
            page.line(format!("  {}: {}", aside.id, short(&aside.reason, 200)));
            if let Some(hint) = &aside.hint {
                page.line(format!("    → {hint}"));
            }
        }
        if self.aside.len() > lines {
            page.line("  … `liaison status --all` lists them");
        }
    }

    fn to_json(&self, filters: &Json) -> Json {
        let aside: Vec<Json> = self
            .aside
            .iter()
            .map(|aside| {
                json!({
                    "side": aside.side.as_str(),
                    "id": aside.id.as_str(),
                    "reason": aside.reason,
                    "hint": aside.hint,
                    "since": aside.since.to_string(),
                    "attempts": aside.attempts,
                    "due": aside.due.map(|due| due.to_string()),
                })
            })
            .collect();
        json!({
            "in_step": self.in_step(),
            "state": self.sentence(),
            "linked": self.linked,
            "resting": self.resting,
            "waiting": self.waiting.to_json(),
            "last": self.last.as_ref().map(|(at, _)| at.to_string()),
            "items": {
                "all": self.items.all,
                "tracked": self.items.tracked,
                "skipped": self.items.skipped,
                "quarantined": self.items.aside,
                "pending": self.items.pending,
            },
            "left_filters": self.absent.left,
            "hidden": self.absent.hidden,
            "not_seen": self.absent.partial,
            "filters": filters,
            "set_aside": aside,
        })
    }
}

/// A moment in the zone of this machine, to the second.
pub fn moment(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
