//! `liaison plan`: what a round would do, for a person to read before it happens.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::output::{Answer, Page, count, short};
use super::sync::{ClassName, chosen};
use super::{Exit, Installation};
use crate::model::{Class, Side};
use crate::plan::Step;
use crate::plan::operation::Kind;
use crate::sync::Preview;

/// How many lines of one kind are shown unless all are asked for.
pub const LINES: usize = 20;

/// Show what a round would do, without doing it
///
/// What would wait for your word comes with the reason and can be allowed with `liaison approve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: liaison plan --class contact --all")]
pub struct Plan {
    /// Only this class (may be repeated)
    #[arg(long = "class", value_name = "CLASS")]
    classes: Vec<ClassName>,
    /// Every line, not only 20 of each kind
    #[arg(long)]
    all: bool,
}

impl Plan {
    /// # Errors
    /// When nothing can be looked at.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let lines = if self.all { usize::MAX } else { LINES };
        show(here, &self.classes, lines).await
    }
}

/// The plan of these classes, with so many lines of each kind.
///
/// # Errors
/// When nothing can be looked at.
pub async fn show(
    here: &Installation,
    classes: &[ClassName],
    lines: usize,
) -> anyhow::Result<Answer> {
    let (bar, tell) = here.front.bar(here.json);
    let (opened, _lock) = here.open(tell).await?;
    let mut previews = BTreeMap::new();
    for class in chosen(classes, &opened.classes) {
        previews.insert(class, opened.engine.preview(class).await?);
    }
    bar.finish_and_clear();
    let mut answer = answer(&previews, lines);
    answer.notes.extend(opened.notices);
    if let Some(standby) = opened.engine.standby() {
        answer.notes.push(standby.message);
        answer.notes.extend(standby.hint.map(|hint| format!("→ {hint}")));
    }
    Ok(answer)
}

/// The answer to `plan`.
pub fn answer(previews: &BTreeMap<Class, Preview>, lines: usize) -> Answer {
    let page = page(previews, lines);
    let json: serde_json::Map<String, Json> =
        previews.iter().map(|(class, preview)| (class.to_string(), to_json(preview))).collect();
    let mut answer = Answer::new(page, json!({ "classes": json })).exit(exit(previews));
    let waits =
        previews.values().any(|preview| !preview.held.is_empty() || preview.held_people.is_some());
    let goes =
        previews.values().any(|preview| !preview.go.is_empty() || !preview.people.is_empty());
    if waits {
        answer.notes.push(
            "→ allow what waits with `liaison approve --all` (or `liaison approve NUMBER`), then \
             `liaison sync`"
                .to_owned(),
        );
    } else if goes {
        answer.notes.push("→ do it: `liaison sync`".to_owned());
    }
    answer
}

/// Summary counts first, then what would be done and what would wait.
pub fn page(previews: &BTreeMap<Class, Preview>, lines: usize) -> Page {
    let mut page = Page::default();
    summary(&mut page, previews);
    for (class, preview) in previews {
        if let Some(error) = &preview.report.error {
            page.gap();
            page.line(format!("{class}s cannot be planned: {}", error.message));
            if let Some(hint) = &error.hint {
                page.line(format!("  → {hint}"));
            }
        }
        for reason in &preview.report.partial {
            page.gap();
            page.line(format!(
                "{class}s: not everything was seen ({}): nothing is deleted",
                short(reason, 400)
            ));
        }
        let go: Vec<&str> = preview.go.iter().map(|(_, line)| line.as_str()).collect();
        group(&mut page, &format!("{class}s, would be done"), &go, lines);
        let mut held: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (reason, _, line) in &preview.held {
            held.entry(reason).or_default().push(line);
        }
        for (reason, held) in held {
            group(&mut page, &format!("{class}s, would wait: {reason}"), &held, lines);
        }
        people(&mut page, preview, lines);
    }
    page
}

/// Records for people whom the CRM does not know.
fn people(page: &mut Page, preview: &Preview, lines: usize) {
    let texts = |lines: &[String]| lines.iter().map(String::clone).collect::<Vec<_>>();
    let (go, held) = (texts(&preview.people), preview.held_people.clone());
    let show = |page: &mut Page, title: &str, found: &[String]| {
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        group(page, title, &found, lines);
    };
    show(page, "people, would be made", &go);
    if let Some((reason, held)) = held {
        show(page, &format!("people, would wait: {reason}"), &held);
    }
}

fn summary(page: &mut Page, previews: &BTreeMap<Class, Preview>) {
    let head = ["", "items", "records", "crm new", "chg", "del", "box new", "chg", "del", "held"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (class, preview) in previews {
        let listed = |side| preview.report.listed.get(&side).copied().unwrap_or_default();
        let mut row = vec![
            class.to_string(),
            listed(Side::Mailbox).to_string(),
            if *class == Class::Email { "-".to_owned() } else { listed(Side::Crm).to_string() },
        ];
        row.extend(counts(preview).values().map(ToString::to_string));
        row.push((preview.held.len() + held_people(preview)).to_string());
        rows.push(row);
    }
    page.table("<>>>>>>>>>", &rows);
}

const COLUMNS: [(Side, Kind); 6] = [
    (Side::Crm, Kind::Create),
    (Side::Crm, Kind::Update),
    (Side::Crm, Kind::Delete),
    (Side::Mailbox, Kind::Create),
    (Side::Mailbox, Kind::Update),
    (Side::Mailbox, Kind::Delete),
];

/// How many writes of each kind there are on each side, held or not, in the order of the columns.
fn counts(preview: &Preview) -> BTreeMap<usize, usize> {
    let steps = || preview.go.iter().map(|(step, _)| step).chain(preview.held.iter().map(second));
    let number = |(side, kind)| steps().filter(|step| step.write_to(side) == Some(kind)).count();
    COLUMNS.into_iter().map(number).enumerate().collect()
}

fn held_people(preview: &Preview) -> usize {
    preview.held_people.as_ref().map_or(0, |(_, held)| held.len())
}

fn second((_, step, _): &(String, Step, String)) -> &Step {
    step
}

fn group(page: &mut Page, title: &str, found: &[&str], lines: usize) {
    if found.is_empty() {
        return;
    }
    page.gap();
    page.line(format!("{title} ({})", found.len()));
    for line in found.iter().take(lines) {
        page.line(format!("  {line}"));
    }
    if found.len() > lines {
        page.line(format!(
            "  … and {} (`--all` shows them)",
            count(found.len() - lines, "more line")
        ));
    }
}

fn to_json(preview: &Preview) -> Json {
    let mut writes: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for ((side, kind), (_, number)) in COLUMNS.into_iter().zip(counts(preview)) {
        writes.entry(side.as_str()).or_default().insert(kind.as_str(), number);
    }
    let held: Vec<Json> = preview
        .held
        .iter()
        .map(|(reason, _, line)| json!({ "reason": reason, "line": line }))
        .collect();
    let go: Vec<&str> = preview.go.iter().map(|(_, line)| line.as_str()).collect();
    let people = json!({
        "go": preview.people,
        "held": preview.held_people.as_ref().map(|(reason, lines)| json!({ "reason": reason, "lines": lines })),
    });
    json!({
        "writes": writes,
        "go": go,
        "held": held,
        "people": people,
        "report": preview.report.to_json(),
    })
}

fn exit(previews: &BTreeMap<Class, Preview>) -> Exit {
    let failures = previews.values().map(|preview| preview.report.error.as_ref());
    let is_held = |preview: &Preview| !preview.held.is_empty() || preview.held_people.is_some();
    let held = || if previews.values().any(is_held) { Exit::Held } else { Exit::Done };
    Exit::of_failures(failures).unwrap_or_else(held)
}
