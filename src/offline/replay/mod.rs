//! Sending what waits, wave by wave (`wave`), and settling what came of it (`settle`). Before a wave leaves, it is on the disk
//! that it does: whatever happens then, each of its edits is looked at before anything is sent again.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::{Desk, Error, Result, search, view};
use crate::connector::records::{
    Action, Definition, Definitions, Found, Operation, Outcome, Records,
};
use crate::connector::{self, ErrorKind};
use crate::model::row::{self, RowId, Values};
use crate::plan::patch;
use crate::store::replica::collision::{self, Collision};
use crate::store::replica::outbox::{self as edits, Edit, Kind, State};
use crate::store::replica::row as rows;
use crate::store::{self, Transaction};
use settle::Verdict;
use wave::Wave;

pub mod settle;
pub mod wave;

/// How many edits are looked over for one wave; all of them where that gives none.
const AT_ONCE: u32 = 1200;

/// Fewer edits than these wait for the next wave: requests are counted.
const WORTH_A_REQUEST: usize = 900;

/// How often in a row the organisation may ask for a pause, give no answer, or change under our hands.
const PATIENCE: u32 = 10;

/// A longer pause is handed on.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// After an answer that did not come.
const BREATH: Duration = Duration::from_millis(500);

/// What a replay came to.
#[derive(Debug, Default)]
pub struct Report {
    /// Edits that came to their end.
    pub settled: u64,
    pub collisions: u64,
    pub parked: u64,
    /// What is left: waiting for the organisation, and for a person.
    pub waiting: u64,
    pub open_parked: u64,
    /// Requests that it took, and how long.
    pub requests: u64,
    pub seconds: f64,
    /// Why it ended early.
    pub stopped: Option<connector::Error>,
}

/// Told after each wave: how many edits are settled, of how many.
pub type Tell<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// Sends what waits until nothing is left that can go.
///
/// # Errors
/// When the store is lost, or what the tables look like cannot be learnt. An organisation that is away is part of the report.
pub async fn replay(desk: &Desk, crm: &dyn Records, tell: Tell<'_>) -> Result<Report> {
    let mut report = Report::default();
    let (before, started) = (crm.requests(), desk.clock.monotonic());
    let (all, _) = desk.store.read(edits::count).await?;
    let mut failures = 0;
    let mut sent = None;
    while failures < PATIENCE {
        let Sent { wave, definitions, answers } = match sent.take() {
            Some(sent) => sent,
            None => match prepare(desk).await? {
                Some(wave) => send(desk, crm, wave).await?,
                None => break,
            },
        };
        let pause = match answers {
            Ok(answers) => {
                let pause = throttled(&answers);
                let next = if pause.is_none() { beside(desk, &wave).await? } else { None };
                // What it came to is noted while the next one is on its way.
                let (done, following) = tokio::join!(
                    apply(desk, definitions, wave, answers),
                    send_some(desk, crm, next)
                );
                let done = done?;
                sent = following?;
                report.settled += done.settled;
                report.collisions += done.collisions;
                report.parked += done.parked;
                tell(report.settled, all.max(report.settled));
                failures = if done.moved { 0 } else { failures + 1 };
                pause
            }
            Err(error) => {
                failures += 1;
                if !error.kind.leaves_open() {
                    unsent(desk, wave).await?;
                }
                let pause = pause(&error);
                if pause.is_none() || failures >= PATIENCE {
                    report.stopped = Some(error);
                    break;
                }
                pause
            }
        };
        if let Some(pause) = pause {
            tracing::info!(seconds = pause.as_secs_f64(), "replay waits");
            tokio::time::sleep(pause).await;
        }
    }
    (report.waiting, report.open_parked) = desk.store.read(edits::count).await?;
    report.requests = crm.requests() - before;
    report.seconds = desk.clock.monotonic().saturating_sub(started).as_secs_f64();
    Ok(report)
}

/// The next wave, noted as sent.
async fn prepare(desk: &Desk) -> Result<Option<Wave>> {
    let wave = desk
        .store
        .promise(|tx| {
            let mut wave = wave::next(edits::open(tx, AT_ONCE)?);
            if wave.looks.is_empty() && wave.writes.is_empty() {
                wave = wave::next(edits::open(tx, u32::MAX)?);
            }
            note_sent(tx, &wave)?;
            Ok(wave)
        })
        .await?;
    Ok((!wave.looks.is_empty() || !wave.writes.is_empty()).then_some(wave))
}

/// What can leave while it is noted what came of a wave: a request of edits that do not rest on it, where it left none behind.
async fn beside(desk: &Desk, wave: &Wave) -> Result<Option<Wave>> {
    let Some(last) = wave.writes.last().filter(|_| wave.looks.is_empty()) else { return Ok(None) };
    let (last, under_way) = (last.number, wave.writes.clone());
    desk.store
        .promise(move |tx| {
            if edits::count_until(tx, last)? != under_way.len() {
                return Ok(None);
            }
            let next = wave::beside(edits::open_after(tx, last, AT_ONCE)?, &under_way);
            if next.looks.len() + next.writes.len() < WORTH_A_REQUEST {
                return Ok(None);
            }
            note_sent(tx, &next)?;
            Ok(Some(next))
        })
        .await
        .map_err(Error::from)
}

fn note_sent(tx: &Transaction<'_>, wave: &Wave) -> store::Result<()> {
    let numbers: Vec<i64> = wave.writes.iter().map(|edit| edit.number).collect();
    edits::sending(tx, &numbers)
}

/// A wave that left, and the answers to it, if there were any.
struct Sent {
    wave: Wave,
    definitions: Definitions,
    answers: connector::Result<Vec<connector::Result<Outcome>>>,
}

async fn send_some(desk: &Desk, crm: &dyn Records, wave: Option<Wave>) -> Result<Option<Sent>> {
    match wave {
        Some(wave) => send(desk, crm, wave).await.map(Some),
        None => Ok(None),
    }
}

async fn send(desk: &Desk, crm: &dyn Records, wave: Wave) -> Result<Sent> {
    let definitions = desk.definitions_of(wave.looks.iter().chain(&wave.writes)).await?;
    let looks = wave.looks.iter().map(|edit| (edit, Action::Read));
    let writes = wave.writes.iter().map(|edit| (edit, action(edit)));
    let operations: Vec<Operation> = looks
        .chain(writes)
        .map(|(edit, action)| Operation { row: edit.row.clone(), action })
        .collect();
    let answers = crm.send(&definitions, &operations).await;
    Ok(Sent { wave, definitions, answers })
}

fn action(edit: &Edit) -> Action {
    let values = || {
        let values =
            edit.edits.iter().map(|(column, change)| (column.clone(), change.ours.clone()));
        let is_new = edit.kind == Kind::Create;
        values.filter(|(_, ours)| !(is_new && ours.is_null())).collect::<Values>()
    };
    let version = edit.version.clone();
    match edit.kind {
        Kind::Create => Action::Create(values()),
        Kind::Update => Action::Update { version, values: values() },
        Kind::Delete => Action::Delete { version },
    }
}

/// How long to wait before the same is tried again; `None`: it is not.
fn pause(error: &connector::Error) -> Option<Duration> {
    match error.kind {
        ErrorKind::Throttled(pause) => Some(pause).filter(|pause| *pause <= LONGEST_PAUSE),
        // The answer was lost, or the way is: one look tells.
        ErrorKind::Unreachable | ErrorKind::Failing => Some(BREATH),
        _ => None,
    }
}

/// The longest pause that single operations were refused for.
fn throttled(answers: &[connector::Result<Outcome>]) -> Option<Duration> {
    answers.iter().filter_map(|answer| pause(answer.as_ref().err()?)).max()
}

/// The organisation refused the wave as a whole: nothing of it was done.
async fn unsent(desk: &Desk, wave: Wave) -> Result<()> {
    desk.store
        .write(move |tx| {
            for mut edit in wave.writes {
                edit.state = State::Waiting;
                edit.attempts += 1;
                edits::update(tx, &edit)?;
            }
            Ok(())
        })
        .await?;
    Ok(())
}

/// What applying the answers to a wave came to.
#[derive(Debug, Default)]
struct Applied {
    settled: u64,
    collisions: u64,
    parked: u64,
    /// Whether anything is nearer to its end than before.
    moved: bool,
}

async fn apply(
    desk: &Desk,
    definitions: Definitions,
    wave: Wave,
    answers: Vec<connector::Result<Outcome>>,
) -> Result<Applied> {
    let now = desk.clock.now();
    let looks = wave.looks.len();
    let judged: Vec<(Edit, Verdict)> = wave
        .looks
        .into_iter()
        .chain(wave.writes)
        .zip(answers)
        .enumerate()
        .map(|(place, (mut edit, answer))| {
            if place < looks {
                let verdict = settle::looked(&edit, answer);
                (edit, verdict)
            } else {
                edit.attempts += 1;
                let verdict = settle::written(&edit, answer);
                (edit, verdict)
            }
        })
        .collect();
    let judged = behind_unmade(judged);
    let applied = desk
        .store
        .write(move |tx| {
            let mut applied = Applied::default();
            for (edit, verdict) in judged {
                if let Some(definition) = definitions.get(&edit.row.table) {
                    one(tx, definition, edit, verdict, (now, &mut applied))?;
                }
            }
            Ok(applied)
        })
        .await;
    applied.map_err(Error::from)
}

/// What was refused because the row that it refers to was not made is not to blame: it goes again behind that one.
fn behind_unmade(judged: Vec<(Edit, Verdict)>) -> Vec<(Edit, Verdict)> {
    let mut unmade: BTreeSet<RowId> = BTreeSet::new();
    let mut out = Vec::with_capacity(judged.len());
    for (edit, verdict) in judged {
        let is_behind = super::outbox::mentions(&edit).any(|row| unmade.contains(&row));
        let verdict = match verdict {
            Verdict::Park { .. } if is_behind => Verdict::Unsent,
            verdict => verdict,
        };
        let is_made = matches!(verdict, Verdict::There { .. } | Verdict::Agreed { .. });
        if edit.kind == Kind::Create && !is_made {
            unmade.insert(edit.row.clone());
        }
        out.push((edit, verdict));
    }
    out
}

fn one(
    tx: &Transaction<'_>,
    definition: &Definition,
    mut edit: Edit,
    verdict: Verdict,
    (now, applied): (Timestamp, &mut Applied),
) -> store::Result<()> {
    match verdict {
        Verdict::There { version } => {
            there(tx, definition, &edit, &version)?;
            edits::rebase(tx, &edit.row, &edit.version, &version)?;
            finish(tx, &edit, now, applied)
        }
        Verdict::Gone => {
            search::forget(tx, &edit.row)?;
            rows::remove(tx, &edit.row)?;
            finish(tx, &edit, now, applied)
        }
        Verdict::Agreed { found, collisions } => {
            follow(tx, definition, &edit, &found)?;
            seen(tx, definition, &edit.row, &found)?;
            contest(tx, &edit, collisions, (now, applied))?;
            finish(tx, &edit, now, applied)
        }
        Verdict::Again { found, rest, collisions } => {
            contest(tx, &edit, collisions, (now, applied))?;
            (edit.version, edit.edits, edit.state) = (found.version.clone(), rest, State::Waiting);
            edits::update(tx, &edit)?;
            applied.moved = true;
            seen(tx, definition, &edit.row, &found)
        }
        Verdict::Unsent => {
            applied.moved |= edit.state == State::Look && edit.attempts < PATIENCE;
            edit.state = State::Waiting;
            edits::update(tx, &edit)
        }
        Verdict::Look => {
            applied.moved |= edit.state == State::Waiting && edit.attempts < PATIENCE;
            edit.state = State::Look;
            edits::update(tx, &edit)
        }
        Verdict::Park { reason, found } => {
            if let Some(found) = found {
                edit.version.clone_from(&found.version);
                seen(tx, definition, &edit.row, &found)?;
            }
            (edit.state, edit.reason) = (State::Parked, reason);
            edits::update(tx, &edit)?;
            applied.parked += 1;
            applied.moved = true;
            search::index(tx, definition, &edit.row)
        }
    }
}

/// Later edits of the row were made on this one: they follow if it stands there as it was meant, and nobody changed meanwhile what
/// they change. The others find out by the version, and are merged.
fn follow(
    tx: &Transaction<'_>,
    definition: &Definition,
    edit: &Edit,
    found: &Found,
) -> store::Result<()> {
    if !settle::says(found, &edit.edits) {
        return Ok(());
    }
    let mut kept = rows::get(tx, &edit.row)?.filter(|kept| kept.version == edit.version);
    if let Some(kept) = &mut kept {
        lay(&mut kept.values, &edit.edits);
    }
    let was_seen = |kept: &rows::Kept| {
        settle::is_untouched(definition, edit.kind == Kind::Create, &kept.values, &found.values)
    };
    let is_untouched = kept.as_ref().is_some_and(was_seen);
    let mut stands = found.values.clone();
    let later = edits::of_row(tx, &edit.row)?.into_iter();
    for mut later in later.filter(|it| it.number > edit.number && it.version == edit.version) {
        let follows = match later.kind {
            Kind::Delete => is_untouched,
            Kind::Create | Kind::Update => settle::stands(&later.edits, &stands),
        };
        if !follows {
            break;
        }
        lay(&mut stands, &later.edits);
        later.version.clone_from(&found.version);
        edits::update(tx, &later)?;
    }
    Ok(())
}

fn lay(values: &mut Values, edits: &row::Edits) {
    values.extend(edits.iter().map(|(column, change)| (column.clone(), change.ours.clone())));
}

fn finish(
    tx: &Transaction<'_>,
    edit: &Edit,
    now: Timestamp,
    applied: &mut Applied,
) -> store::Result<()> {
    applied.settled += 1;
    applied.moved = true;
    edits::done(tx, edit.number, now)
}

/// Keeps a row as it was written. It is seen as it was before, and found by the same words.
fn there(
    tx: &Transaction<'_>,
    definition: &Definition,
    edit: &Edit,
    version: &str,
) -> store::Result<()> {
    let kept = rows::get(tx, &edit.row)?;
    let is_new = kept.is_none();
    let mut values = kept.map(|kept| kept.values).unwrap_or_default();
    lay(&mut values, &edit.edits);
    let name = view::name(definition, &values);
    rows::put(tx, &edit.row, version, &values, (&name, true))?;
    if is_new { search::index(tx, definition, &edit.row) } else { Ok(()) }
}

/// Keeps a row as it stands there.
fn seen(
    tx: &Transaction<'_>,
    definition: &Definition,
    row: &RowId,
    found: &Found,
) -> store::Result<()> {
    let name = view::name(definition, &found.values);
    rows::put(tx, row, &found.version, &found.values, (&name, false))?;
    search::index(tx, definition, row)
}

fn contest(
    tx: &Transaction<'_>,
    edit: &Edit,
    collisions: Vec<patch::Collision>,
    (now, applied): (Timestamp, &mut Applied),
) -> store::Result<()> {
    for patch::Collision { column, change: row::Change { base, ours }, theirs } in collisions {
        applied.collisions += 1;
        collision::add(
            tx,
            &Collision {
                number: 0,
                edit: edit.number,
                row: edit.row.clone(),
                name: edit.name.clone(),
                column,
                base,
                ours,
                theirs,
                noted: now,
                choice: None,
            },
        )?;
    }
    Ok(())
}
