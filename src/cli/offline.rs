//! `liaison offline` and `liaison online`: the copy is made and brought up to date, what waits is replayed, and who looks at the
//! copy is told so.

use std::sync::Mutex;

use jiff::{Span, Timestamp};
use serde_json::{Value as Json, json};

use super::desk::{Away, Place, chosen, named, told};
use super::output::{Answer, Page, count};
use super::{Exit, Installation, Stop, progress};
use crate::config::Settings;
use crate::offline::filters::Chosen;
use crate::offline::replay;
use crate::offline::replica::{self as copy, Report, Table};
use crate::store::replica::{self, collision, outbox, row};
use crate::store::{self, Store, meta};

/// Under which the tables are kept that the user named last.
const TABLES: &str = "tables";

/// Take records along and work without the CRM
///
/// Sends what waits, brings the copy of your records up to date, and uses only the copy from then on, until `liaison online`.
/// What you enter meanwhile is kept and sent then. Without it, the copy is used by itself while the CRM cannot be reached.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison offline                       take along what the settings say\n  liaison offline contact account task  only these tables\n  liaison offline --for 8h              go online again by itself\n  liaison offline --forget              delete the copy"
)]
pub struct Offline {
    /// The tables to take along (else those of the settings, or those named last)
    #[arg(value_name = "TABLE")]
    tables: Vec<String>,
    /// Be online again after this long, like 8h or 2d
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<String>,
    /// Delete the copy from this computer
    #[arg(long, conflicts_with_all = ["tables", "duration"])]
    forget: bool,
    /// With --forget: even if edits wait in it, which are lost then
    #[arg(long, requires = "forget")]
    drop_outbox: bool,
    /// The organisation, by its name in the configuration (else the one that the mailbox goes with)
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
}

/// Work with the CRM again: send what waits, and bring the copy up to date
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: liaison online")]
pub struct Online {
    /// The organisation, by its name in the configuration (else the one that the mailbox goes with)
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
}

impl Offline {
    /// # Errors
    /// When the copy cannot be made: then nobody is offline.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let mut place = here.copy(self.org.as_deref()).await?;
        if self.forget {
            return forget(place, here, self.drop_outbox).await;
        }
        let now = here.clock.now();
        let until = self.duration.as_deref().map(|text| after(text, now)).transpose()?;
        here.connect_desk(&mut place).await?;
        let Some(_lock) = place.lock()? else { return Err(busy(&place)) };
        let replayed = place.replay().await?;
        stop(&replayed)?;
        let settings = here.load()?.settings;
        let report = refresh(&place, &settings, self.tables).await?;
        let away = json!({ "since": now.as_second(), "until": until.map(Timestamp::as_second) });
        let size = place
            .desk
            .store
            .promise(move |tx| {
                meta::set(tx, replica::AWAY, &away.to_string())?;
                replica::size(tx)
            })
            .await?;
        place.away = Some(Away::Chosen { since: now, until });
        let mut page = replay_page(&replayed);
        page.append(&refresh_page(&report, size));
        let mut json = to_json(&place, &replayed, Some(&report), size);
        if let Json::Object(json) = &mut json {
            json.insert("until".to_owned(), until.map(|until| until.to_string()).into());
        }
        let mut answer = Answer::new(page, json).exit(ending(&replayed, Some(&report)));
        answer.notes.extend(place.notes().await?);
        Ok(answer)
    }
}

impl Online {
    /// # Errors
    /// When the organisation cannot be reached; what waits goes on waiting.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let mut place = here.copy(self.org.as_deref()).await?;
        place.desk.store.promise(|tx| meta::remove(tx, replica::AWAY)).await?;
        here.connect_desk(&mut place).await?;
        let Some(_lock) = place.lock()? else { return Err(busy(&place)) };
        let replayed = place.replay().await?;
        let was_taken = !place.desk.store.read(replica::refresh::all).await?.is_empty();
        let report = match (was_taken, &replayed.stopped) {
            (true, None) => {
                let settings = here.load()?.settings;
                Some(refresh(&place, &settings, Vec::new()).await?)
            }
            _ => None,
        };
        let size = place.desk.store.read(replica::size).await?;
        let mut page = replay_page(&replayed);
        if let Some(report) = &report {
            page.append(&refresh_page(report, size));
        }
        let json = to_json(&place, &replayed, report.as_ref(), size);
        let mut answer = Answer::new(page, json).exit(ending(&replayed, report.as_ref()));
        answer
            .notes
            .extend(replayed.stopped.as_ref().map(|error| format!("it ended early: {error}")));
        answer.notes.extend(place.notes().await?);
        Ok(answer)
    }
}

/// A sync of the mailbox asks the CRM: while the user is offline, it does not run.
///
/// # Errors
/// [`Exit::TryLater`] while the organisation that the mailbox goes with is offline.
pub async fn refuse_sync(here: &Installation, settings: &Settings) -> anyhow::Result<()> {
    if !is_away(here, settings).await? {
        return Ok(());
    }
    Err(Stop::new(
        Exit::TryLater,
        "you are offline: the mailbox is not kept in step with the CRM meanwhile",
        "`liaison online` ends it",
    )
    .into())
}

/// Whether the user went offline with the organisation that the mailbox goes with.
///
/// # Errors
/// When its copy is lost.
pub async fn is_away(here: &Installation, settings: &Settings) -> anyhow::Result<bool> {
    let Ok((name, _)) = named(settings, None) else { return Ok(false) };
    let Some(store) = here.replica(name).await? else { return Ok(false) };
    Ok(chosen(&store, here.clock.now()).await?.is_some())
}

/// How the copy of an organisation stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    pub organisation: String,
    /// Whether the user went offline.
    pub is_offline: bool,
    /// Edits that were not sent yet, that were refused, and that a colleague's went before.
    pub waiting: u64,
    pub parked: u64,
    pub contested: u64,
}

impl Standing {
    /// Edits that are not settled.
    pub fn open(&self) -> u64 {
        self.waiting + self.parked + self.contested
    }

    pub fn to_json(&self) -> Json {
        json!({
            "organisation": self.organisation,
            "offline": self.is_offline,
            "waiting": self.waiting,
            "parked": self.parked,
            "contested": self.contested,
        })
    }
}

/// What `liaison status` says of the copies: who is offline, and what waits.
///
/// # Errors
/// When a copy is lost.
pub async fn status(here: &Installation) -> anyhow::Result<(Vec<String>, Vec<Standing>)> {
    let (mut notes, mut copies) = (Vec::new(), Vec::new());
    for name in here.load()?.settings.organisations.keys() {
        let Some(store) = here.replica(name).await? else { continue };
        let away = chosen(&store, here.clock.now()).await?;
        let (waiting, parked) = store.read(outbox::count).await?;
        let contested = store.read(collision::count).await?;
        notes.extend(away.as_ref().map(|_| {
            format!("offline: `{name}` is not asked, and the mailbox not kept in step; `liaison online` ends it")
        }));
        if waiting > 0 {
            let edits = count(usize::try_from(waiting).unwrap_or(usize::MAX), "edit");
            notes.push(format!("→ {edits} in the outbox of `{name}`: `liaison online` sends them"));
        }
        if parked + contested > 0 {
            notes.push(format!(
                "→ {parked} edits for `{name}` refused, {contested} contested: `liaison outbox list --org {name}`"
            ));
        }
        copies.push(Standing {
            organisation: name.clone(),
            is_offline: away.is_some(),
            waiting,
            parked,
            contested,
        });
    }
    Ok((notes, copies))
}

async fn refresh(place: &Place, settings: &Settings, named: Vec<String>) -> anyhow::Result<Report> {
    let store = place.desk.store.clone();
    let tables = tables(&store, settings, named).await?;
    let filters = settings.offline.filters.clone();
    let bar = progress::counter(place.quiet, "taking along");
    let shown = Mutex::new(bar.clone());
    let tell = move |table: &str, done: u64, all: u64| {
        if let Ok(bar) = shown.lock() {
            bar.set_message(table.to_owned());
            bar.set_length(all);
            bar.set_position(done);
        }
    };
    let crm = place.crm()?;
    let chosen = Chosen { tables, filters };
    let report = copy::refresh(&place.desk, crm.as_ref(), &chosen, &tell).await.map_err(told);
    bar.finish_and_clear();
    report
}

/// The tables that were named now, or last, or in the settings.
async fn tables(
    store: &Store,
    settings: &Settings,
    named: Vec<String>,
) -> anyhow::Result<Vec<String>> {
    if !named.is_empty() {
        let text = named.join(" ");
        store.promise(move |tx| meta::set(tx, TABLES, &text)).await?;
        return Ok(named);
    }
    let kept = store.read(|db| meta::get(db, TABLES)).await?;
    let kept = kept.map(|text| text.split(' ').map(str::to_owned).collect());
    Ok(kept.unwrap_or_else(|| settings.offline.tables.clone()))
}

/// Deletes the copy, unless something waits in it.
async fn forget(place: Place, here: &Installation, drop_outbox: bool) -> anyhow::Result<Answer> {
    let Some(_lock) = place.lock()? else { return Err(busy(&place)) };
    let (waiting, parked) = place.desk.store.read(outbox::count).await?;
    let contested = place.desk.store.read(collision::count).await?;
    if waiting + parked + contested > 0 && !drop_outbox {
        return Err(Stop::new(
            Exit::Held,
            format!(
                "{} wait in it, and {contested} collisions for your word",
                count(usize::try_from(waiting + parked).unwrap_or(usize::MAX), "edit")
            ),
            "`liaison online` sends them, `liaison outbox list` shows them; `--drop-outbox` loses them",
        )
        .into());
    }
    let path = place.desk.store.path().map(std::path::Path::to_owned);
    let rows: u64 = place.desk.store.read(row::counts).await?.iter().map(|(_, count)| count).sum();
    let (name, folder) = (place.name.clone(), here.directories.state.join("offline"));
    drop(place);
    if let Some(path) = path {
        store::open::remove(&path)?;
    }
    let mut page = Page::default();
    page.line(format!("the copy of `{name}` is deleted from {}", folder.display()));
    Ok(Answer::new(page, json!({ "organisation": name, "forgotten": rows })))
}

fn busy(place: &Place) -> anyhow::Error {
    Stop::new(
        Exit::AlreadyRunning,
        format!("another process is replaying or refreshing the copy of `{}`", place.name),
        "wait until it is done",
    )
    .into()
}

/// Going offline with an outbox that could not be sent would make its edits older still; the user decides.
fn stop(replayed: &replay::Report) -> anyhow::Result<()> {
    match &replayed.stopped {
        None => Ok(()),
        Some(error) => Err(Stop::new(
            Exit::TryLater,
            format!("what waits could not be sent: {error}"),
            "nothing is lost; try again, or go on working: the copy is as it was",
        )
        .into()),
    }
}

fn after(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let span: Option<Span> = text.parse().ok();
    let until = span.and_then(|span| {
        now.to_zoned(jiff::tz::TimeZone::system()).checked_add(span).ok().map(|at| at.timestamp())
    });
    until.filter(|until| *until > now).ok_or_else(|| {
        Stop::new(Exit::Usage, format!("`{text}` is no duration"), "write it like 30m, 8h or 2d")
            .into()
    })
}

fn ending(replayed: &replay::Report, refreshed: Option<&Report>) -> Exit {
    let broken = refreshed.is_some_and(|report| {
        !report.skipped.is_empty() || report.tables.iter().any(|table| table.broken.is_some())
    });
    match replayed {
        replay::Report { stopped: Some(_), .. } => Exit::TryLater,
        replay::Report { open_parked: 1.., .. } => Exit::Partly,
        replay::Report { collisions: 1.., .. } => Exit::Conflicts,
        _ if broken => Exit::Partly,
        _ => Exit::Done,
    }
}

fn replay_page(replayed: &replay::Report) -> Page {
    let mut page = Page::default();
    let replay::Report { settled, collisions, parked, waiting, .. } = replayed;
    if settled + collisions + parked + waiting > 0 {
        page.line(format!(
            "replayed: {settled} edits there, {collisions} contested, {parked} refused, {waiting} wait ({} requests)",
            replayed.requests
        ));
    }
    page
}

fn refresh_page(report: &Report, size: u64) -> Page {
    let mut page = Page::default();
    let row = |table: &Table| {
        vec![
            table.name.clone(),
            table.rows.to_string(),
            format!("{} read", table.read),
            format!("{} left", table.left),
            table
                .broken
                .clone()
                .map(|reason| format!("not complete: {reason}"))
                .unwrap_or_default(),
        ]
    };
    page.table("<>>><", &report.tables.iter().map(row).collect::<Vec<_>>());
    for (table, reason) in &report.skipped {
        page.line(format!("{table}: not taken along: {reason}"));
    }
    let (whole, tenth) = (size >> 20, ((size & 0xf_ffff) * 10) >> 20);
    page.line(format!("the copy takes {whole}.{tenth} MB ({} requests)", report.requests));
    page
}

fn to_json(place: &Place, replayed: &replay::Report, report: Option<&Report>, size: u64) -> Json {
    let table = |table: &Table| json!({ "table": table.name, "rows": table.rows, "read": table.read, "left": table.left, "broken": table.broken });
    let skipped = |(table, reason): &(String, String)| json!({ "table": table, "reason": reason });
    let mut json = place.json();
    if let Json::Object(json) = &mut json {
        json.insert(
            "replay".to_owned(),
            json!({
                "settled": replayed.settled,
                "collisions": replayed.collisions,
                "refused": replayed.parked,
                "waiting": replayed.waiting,
                "parked": replayed.open_parked,
                "requests": replayed.requests,
                "seconds": replayed.seconds,
                "stopped": replayed.stopped.as_ref().map(ToString::to_string),
            }),
        );
        json.insert(
            "refresh".to_owned(),
            report.map_or(Json::Null, |report| {
                json!({
                    "tables": report.tables.iter().map(table).collect::<Vec<_>>(),
                    "skipped": report.skipped.iter().map(skipped).collect::<Vec<_>>(),
                    "requests": report.requests,
                })
            }),
        );
        json.insert("bytes".to_owned(), size.into());
    }
    json
}
