//! `liaison verify`: everything compared with everything, and nothing touched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::offline::{self, Standing};
use super::output::{Answer, Page, count, short};
use super::plan::LINES;
use super::sync::{ClassName, chosen};
use super::waiting::Waiting;
use super::{Exit, Installation};
use crate::model::{Class, Side};
use crate::store::{Store, open};
use crate::sync::report::Failure;
use crate::sync::verify::{Finding, Kind, Verdict};

/// The copy that it works on, below the state folder.
const COPY: &str = "verify.db";

/// Compare both sides and the store with each other, whole, and change nothing
///
/// Reads the mailbox and the CRM from beginning to end, whatever was seen before, and says what is not as it should be: pairs
/// that say two things, links that lead to nothing, things that are there twice, writes of which nobody knows whether they took
/// place, and what waits. It works on a copy of the store, which is deleted at the end, and writes to neither side.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code 0: all is as it should be; 9: something is not.\n\nExample: liaison verify --class contact"
)]
pub struct Verify {
    /// Only this class (may be repeated)
    #[arg(long = "class", value_name = "CLASS")]
    classes: Vec<ClassName>,
    /// Every line, not only 20 of each kind
    #[arg(long)]
    all: bool,
}

impl Verify {
    /// # Errors
    /// When nothing can be looked at.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let (bar, tell) = here.front.bar(here.json);
        let (opened, _lock) = here.open(tell).await?;
        let classes = chosen(&self.classes, &opened.classes);
        let store = &opened.engine.store;
        let mut report = Report { damage: damage(store).await?, ..Report::default() };
        if report.damage.is_none() {
            let copy = Copy::of(store, &here.directories.state.join(COPY)).await?;
            let engine = opened.engine.on_a_copy(copy.store.clone());
            for class in &classes {
                report.classes.insert(*class, engine.verify(*class).await?);
            }
            report.waiting = store.read(move |db| Waiting::all(db, &classes)).await?;
        }
        let (notes, copies) = offline::status(here).await?;
        report.copies = copies;
        bar.finish_and_clear();
        let mut answer = report.answer(if self.all { usize::MAX } else { LINES });
        answer.notes.extend(notes);
        answer.notes.extend(opened.notices);
        Ok(answer)
    }
}

/// What is wrong with the file itself.
async fn damage(store: &Store) -> anyhow::Result<Option<String>> {
    match store.verify().await {
        Ok(()) => Ok(None),
        Err(error) if error.kind == crate::store::ErrorKind::Corrupt => Ok(Some(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// A copy of the store that goes when it is dropped.
struct Copy {
    // Closed before its files go.
    store: Store,
    _files: Files,
}

impl Copy {
    async fn of(store: &Store, path: &Path) -> anyhow::Result<Self> {
        // What a process left that was killed here.
        open::remove(path)?;
        let files = Files(path.to_owned());
        Ok(Self { store: store.copy(path).await?, _files: files })
    }
}

/// The files of a store, which go when this does.
struct Files(PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        if let Err(error) = open::remove(&self.0) {
            tracing::warn!(%error, "the copy of the store cannot be deleted");
        }
    }
}

/// All that was found.
#[derive(Default)]
struct Report {
    damage: Option<String>,
    classes: BTreeMap<Class, Verdict>,
    waiting: Waiting,
    /// The offline copies and what waits in them.
    copies: Vec<Standing>,
}

impl Report {
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.classes.values().flat_map(|verdict| &verdict.findings)
    }

    fn in_order(&self) -> bool {
        self.damage.is_none()
            && self.findings().next().is_none()
            && self.classes.values().all(|verdict| verdict.error.is_none())
            && self.waiting.is_nothing()
            && self.copies.iter().all(|copy| copy.open() == 0)
    }

    fn answer(&self, lines: usize) -> Answer {
        let mut answer = Answer::new(self.page(lines), self.to_json()).exit(self.exit());
        if self.damage.is_some() {
            answer.notes.push(
                "→ the store is damaged: stop the service, move `store.db` aside, and \
                 `liaison sync`: what is in step is recognised by its names"
                    .to_owned(),
            );
        }
        let mut said = Vec::new();
        for finding in self.findings() {
            let advice = advice(finding.kind);
            if !said.contains(&advice) {
                said.push(advice);
            }
        }
        answer.notes.extend(said.into_iter().map(|advice| format!("→ {advice}")));
        answer.notes.extend(self.waiting.notes());
        answer
    }

    fn page(&self, lines: usize) -> Page {
        let mut page = Page::default();
        page.line(match &self.damage {
            None => "store        whole".to_owned(),
            Some(damage) => format!("store        damaged: {}", short(damage, 400)),
        });
        for (class, verdict) in &self.classes {
            let listed = |side| verdict.listed.get(&side).copied().unwrap_or_default();
            let records = match class {
                Class::Email => String::new(),
                _ => format!(", {}", count(listed(Side::Crm), "record")),
            };
            let said = match (&verdict.error, verdict.findings.len()) {
                (Some(error), _) => format!("could not be compared: {}", error.message),
                (None, 0) => "as it should be".to_owned(),
                (None, number) => count(number, "finding"),
            };
            page.line(format!(
                "{:<12} {}{records}, {} compared: {said}",
                class.to_string(),
                count(listed(Side::Mailbox), "item"),
                count(verdict.pairs, "pair"),
            ));
            if let Some(hint) = verdict.error.as_ref().and_then(|error| error.hint.as_ref()) {
                page.line(format!("  → {hint}"));
            }
        }
        for kind in KINDS {
            let found: Vec<&Finding> =
                self.findings().filter(|finding| finding.kind == kind).collect();
            if found.is_empty() {
                continue;
            }
            page.gap();
            page.line(format!("{} ({})", sentence(kind), found.len()));
            for finding in found.iter().take(lines) {
                page.line(format!("  {}", short(&finding.line, 400)));
            }
            if let Some(more) = found.len().checked_sub(lines).filter(|more| *more > 0) {
                page.line(format!("  … and {} (`--all` shows them)", count(more, "more line")));
            }
        }
        page.gap();
        page.line(if self.in_order() {
            "everything is as it should be"
        } else {
            "not everything is as it should be"
        });
        page
    }

    fn to_json(&self) -> Json {
        let class = |(class, verdict): (&Class, &Verdict)| {
            let findings: Vec<Json> = verdict
                .findings
                .iter()
                .map(|finding| json!({ "kind": finding.kind.as_str(), "line": finding.line }))
                .collect();
            let listed = |side| verdict.listed.get(&side).copied().unwrap_or_default();
            let json = json!({
                "items": listed(Side::Mailbox),
                "records": listed(Side::Crm),
                "pairs": verdict.pairs,
                "findings": findings,
                "error": verdict.error.as_ref().map(Failure::to_json),
            });
            (class.to_string(), json)
        };
        let classes: serde_json::Map<String, Json> = self.classes.iter().map(class).collect();
        json!({
            "in_order": self.in_order(),
            "damage": self.damage,
            "classes": classes,
            "waiting": self.waiting.to_json(),
            "copies": self.copies.iter().map(Standing::to_json).collect::<Vec<_>>(),
        })
    }

    /// Findings count before a class that could not be looked at: they stay true.
    fn exit(&self) -> Exit {
        if self.in_order() {
            return Exit::Done;
        }
        let is_found = self.damage.is_some() || self.findings().next().is_some();
        let failures = self.classes.values().map(|verdict| verdict.error.as_ref());
        let failed = Exit::of_failures(failures).filter(|_| !is_found);
        failed.unwrap_or(Exit::Differs)
    }
}

/// All kinds, in the order they are shown.
const KINDS: [Kind; 11] = [
    Kind::Differs,
    Kind::Gone,
    Kind::Duplicate,
    Kind::Double,
    Kind::Misnamed,
    Kind::Unanswered,
    Kind::Unlinked,
    Kind::Changed,
    Kind::Held,
    Kind::Untagged,
    Kind::Unseen,
];

fn sentence(kind: Kind) -> &'static str {
    match kind {
        Kind::Differs => "pairs that say two things",
        Kind::Gone => "links that lead to nothing",
        Kind::Duplicate => "there more than once",
        Kind::Double => "linked more than once",
        Kind::Misnamed => "linked to another record than its own",
        Kind::Unanswered => "writes without an answer",
        Kind::Unlinked => "takes part, and stands on one side only",
        Kind::Changed => "changed since both sides last agreed",
        Kind::Held => "waits for your word",
        Kind::Untagged => "messages with a wrong keyword",
        Kind::Unseen => "could not be seen whole",
    }
}

/// What a person can do about it.
fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::Differs => {
            "a pair that says two things: change it on the side that is wrong, then `liaison sync`; \
             `liaison explain` tells how it came about"
        }
        Kind::Gone | Kind::Unlinked | Kind::Changed | Kind::Unanswered | Kind::Untagged => {
            "`liaison sync` sees to what changed or is missing; then `liaison verify` again"
        }
        Kind::Duplicate => {
            "what is there more than once: delete the copies that you do not want, then `liaison sync`"
        }
        Kind::Double | Kind::Misnamed => {
            "links at odds: `liaison explain` shows both; delete the copy that is too much, then \
             `liaison sync`"
        }
        Kind::Held => "what waits: see `liaison approve`",
        Kind::Unseen => "a side was not seen whole: see `liaison doctor`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::report::Obstacle;

    #[test]
    fn what_waits_anywhere_is_not_in_order() {
        for copy in [
            Standing { waiting: 1, ..Standing::default() },
            Standing { parked: 1, ..Standing::default() },
            Standing { contested: 1, ..Standing::default() },
        ] {
            let report = Report { copies: vec![copy], ..Report::default() };
            assert_eq!(
                (report.in_order(), report.exit()),
                (false, Exit::Differs),
                "{:?}",
                report.copies
            );
        }
        let waiting = Waiting { aside: 1, ..Waiting::default() };
        let report = Report { waiting, ..Report::default() };
        assert_eq!((report.in_order(), report.exit()), (false, Exit::Differs));
        assert_eq!(Report::default().exit(), Exit::Done);
    }

    #[test]
    fn a_class_that_was_not_seen_is_not_in_order() {
        let failure = |kind| Failure { message: "no".to_owned(), hint: None, kind, pause: None };
        for (kind, exit) in [
            (Obstacle::SignIn, Exit::SignIn),
            (Obstacle::Locked, Exit::SignIn),
            (Obstacle::Later, Exit::TryLater),
            (Obstacle::Failed, Exit::Failed),
        ] {
            let verdict = Verdict { error: Some(failure(kind)), ..Verdict::default() };
            let classes = BTreeMap::from([(Class::Contact, verdict.clone())]);
            let mut report = Report { classes, ..Report::default() };
            assert_eq!((report.in_order(), report.exit()), (false, exit));
            let line = "something".to_owned();
            let found = Verdict { findings: vec![Finding { kind: Kind::Gone, line }], ..verdict };
            report.classes.insert(Class::Task, found);
            assert_eq!(report.exit(), Exit::Differs, "what was found stays true");
        }
    }
}
