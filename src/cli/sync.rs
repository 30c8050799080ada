//! `liaison sync`: one round now, class by class, and what came of it.

use clap::ValueEnum;

use super::output::{Answer, Page, count, short};
use super::waiting::Waiting;
use super::{Exit, Installation, kept, plan};
use crate::model::{Class, Side};
use crate::store::{self, Store, observation, quarantine};
use crate::sync::report::Obstacle;
use crate::sync::{ClassReport, Report};

/// Bring both sides in step, now
///
/// Looks at both sides, plans, and carries out what needs no word of yours. What does need it waits: see `liaison approve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: liaison sync --class contact --class task")]
pub struct Sync {
    /// Only show what would be done, as `liaison plan` does
    #[arg(long, conflicts_with = "retry")]
    dry_run: bool,
    /// Only this class (may be repeated)
    #[arg(long = "class", value_name = "CLASS")]
    classes: Vec<ClassName>,
    /// First take back what was set aside because it could not be written
    #[arg(long)]
    retry: bool,
}

/// A class, as it is written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClassName {
    Contact,
    Task,
    Appointment,
    Email,
}

impl ClassName {
    pub fn class(self) -> Class {
        match self {
            Self::Contact => Class::Contact,
            Self::Task => Class::Task,
            Self::Appointment => Class::Appointment,
            Self::Email => Class::Email,
        }
    }
}

/// Those classes that were named, else all that take part, in the order of a full sync.
pub fn chosen(named: &[ClassName], all: &[Class]) -> Vec<Class> {
    let named: Vec<Class> = named.iter().map(|name| name.class()).collect();
    let wanted = if named.is_empty() { all } else { &named };
    Class::ALL.into_iter().filter(|class| wanted.contains(class)).collect()
}

impl Sync {
    /// One round of all classes.
    pub(super) fn round() -> Self {
        Self { dry_run: false, classes: Vec::new(), retry: false }
    }

    /// # Errors
    /// When no round can begin. A class that fails is part of the answer.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        if self.dry_run {
            return plan::show(here, &self.classes, plan::LINES).await;
        }
        here.sign_ins.insist();
        let (bar, tell) = here.front.bar(here.json);
        let (opened, _lock) = here.open(tell).await?;
        let classes = chosen(&self.classes, &opened.classes);
        if self.retry {
            take_back(&opened.engine.store, &classes).await?;
        }
        let report = opened.engine.sync(&classes, "command").await?;
        bar.finish_and_clear();
        // Perhaps a right was taken away.
        let refused = |class: &ClassReport| {
            class.refused > 0
                || class.error.as_ref().is_some_and(|error| error.kind == Obstacle::Failed)
        };
        if report.classes.values().any(refused) {
            kept::doubt_standing(&opened.engine.store).await?;
        }
        let waiting = opened.engine.store.read(move |db| Waiting::all(db, &classes)).await?;
        let mut answer = answer(&report, waiting);
        answer.notes.extend(opened.notices);
        Ok(answer)
    }
}

/// The answer to a sync.
pub fn answer(report: &Report, waiting: Waiting) -> Answer {
    let mut page = table(report);
    for (class, report) in &report.classes {
        troubles(&mut page, *class, report);
    }
    let standby = report.classes.values().filter_map(|class| class.error.as_ref());
    if let Some(standby) = standby.rev().find(|error| error.kind == Obstacle::Standby) {
        page.gap();
        page.wrapped("", &standby.message);
        page.wrapped("→ ", standby.hint.as_deref().unwrap_or_default());
    }
    page.gap();
    let round = report.round.map(|round| format!("round {round}: ")).unwrap_or_default();
    let operations = count(report.operations(), "operation");
    page.line(format!("{round}{operations} in {:.1} s", report.seconds));
    let mut answer = Answer::new(page, report.to_json()).exit(Exit::of(report));
    answer.notes = waiting.notes();
    if answer.exit == Exit::Done {
        answer.notes.push("everything is in step".to_owned());
    }
    answer
}

/// What was done, a row a class.
pub fn table(report: &Report) -> Page {
    let mut page = Page::default();
    if report.classes.is_empty() {
        page.line("no class takes part: see `liaison config show`");
        return page;
    }
    let head =
        ["", "crm new", "chg", "del", "box new", "chg", "del", "same", "held", "clash", "aside"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (class, report) in &report.classes {
        let mut row = vec![class.to_string()];
        for side in [Side::Crm, Side::Mailbox] {
            for counts in [&report.created, &report.updated, &report.deleted] {
                row.push(counts.get(&side).copied().unwrap_or_default().to_string());
            }
        }
        let waits = [report.adopted, report.held, report.conflicts, report.quarantined];
        row.extend(waits.map(|number| number.to_string()));
        rows.push(row);
    }
    page.table("<>>>>>>>>>>", &rows);
    page
}

fn troubles(page: &mut Page, class: Class, report: &ClassReport) {
    if let Some(error) = report.error.as_ref().filter(|error| error.kind != Obstacle::Standby) {
        page.line(format!("{class}s: {}", error.message));
        if let Some(hint) = &error.hint {
            page.line(format!("  → {hint}"));
        }
    }
    for reason in &report.partial {
        let reason = short(reason, 200);
        page.line(format!("{class}s: not everything was seen ({reason}): nothing is deleted"));
    }
    if report.refused > 0 {
        page.line(format!("{class}s: {} refused", count(report.refused, "write")));
    }
    if report.withheld > 0 {
        let (word, verb) =
            (count(report.withheld, "change"), if report.withheld == 1 { "stays" } else { "stay" });
        page.line(format!(
            "{class}s: {word} of the mailbox {verb} there: you have no right to write them to the CRM (`liaison status` says which)"
        ));
    }
    let outgoing = report.outgoing;
    let mails = [
        (outgoing.sent, "sent"),
        (outgoing.failed, "failed: the record says why"),
        (outgoing.unknown, "in doubt"),
        (outgoing.waiting, "on the way"),
    ];
    for (number, word) in mails.into_iter().filter(|(number, _)| *number > 0) {
        page.line(format!("{} {word}", count(number, "mail")));
    }
    if report.unknown > 0 {
        let writes = count(report.unknown, "write");
        page.line(format!("{class}s: {writes} got no answer; the next sync looks first"));
    }
}

/// What could be read but not written is tried again. What cannot be read is read again when it changes.
async fn take_back(store: &Store, classes: &[Class]) -> store::Result<()> {
    let classes = classes.to_vec();
    store
        .write(move |tx| {
            for class in classes {
                for side in [Side::Mailbox, Side::Crm] {
                    let heads = observation::heads(tx, side, class)?;
                    let readable = |id: &_| {
                        heads.get(id).is_some_and(|head: &observation::Head| head.problem.is_none())
                    };
                    let aside = quarantine::all(tx, side, class)?.into_iter();
                    let written: Vec<_> = aside.map(|aside| aside.id).filter(readable).collect();
                    quarantine::remove(tx, side, class, &written)?;
                }
            }
            Ok(())
        })
        .await
}
