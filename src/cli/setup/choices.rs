//! What takes part: the filters of the organisation, and what tracks the items of the mailbox; with the numbers that it is about.

use serde_json::Value as Json;

use super::answers::{is_yes, word};
use super::interview::{self, Choice, Question};
use super::{Wizard, file, remark};
use crate::cli::filter;
use crate::cli::output::{Page, count};
use crate::cli::progress;
use crate::model::{Class, Origin, Side};
use crate::plan::operation::Kind;
use crate::sync::Preview;

/// What can be answered, and what it means.
type Words = &'static [(&'static str, &'static str)];

/// A class, its question, and what can be answered.
const TRACKING: [(Class, &str, &str, Words); 4] = [
    (Class::Contact, "track-contact", "Which contacts go to the CRM?", ITEMS),
    (Class::Task, "track-task", "Which tasks go to the CRM?", ITEMS),
    (Class::Appointment, "track-appointment", "Which appointments go to the CRM?", ITEMS),
    (Class::Email, "track-email", "Which messages go to the CRM?", MESSAGES),
];

const ITEMS: Words = &[
    ("category", "those with the category “Tracked to CRM”, and those I name (usual)"),
    ("manual", "only those I name: `liaison track`"),
    ("all", "all, but private ones"),
];

const MESSAGES: Words = &[
    ("replies", "answers to messages that are in the CRM already (usual)"),
    ("none", "only those I name"),
    ("known-senders", "also those of contacts, leads and accounts"),
    ("email-enabled", "also those of queues, teams and equipment"),
    ("all", "all"),
];

/// Asks what takes part, on a terminal with the numbers.
pub(super) async fn choices(wizard: &mut Wizard<'_>) -> anyhow::Result<()> {
    let settings = wizard.settings()?;
    let classes: Vec<Class> = settings.classes().collect();
    let is_open = |(class, name, ..): &&(Class, &'static str, _, _)| {
        classes.contains(class) && wizard.interview.given(name).is_none()
    };
    let is_asked = TRACKING.iter().any(|one| is_open(&one));
    let offered =
        if wizard.interview.is_terminal && is_asked { numbers(wizard).await? } else { Vec::new() };
    filters(wizard, &offered)?;
    for (class, name, asks, words) in TRACKING {
        if !classes.contains(&class) {
            continue;
        }
        let usual = words.first().map(|(word, _)| *word);
        let question = Question { name, asks, help: "↑↓ to move, Enter to choose", usual };
        let offered =
            words.iter().map(|(word, label)| Choice::new(*word, format!("{word}: {label}")));
        let offered: Vec<Choice> = offered.collect();
        wizard.interview.choose(
            question,
            offered,
            if class == Class::Email { is_rule } else { is_policy },
        )?;
    }
    Ok(())
}

fn is_policy(answer: &str) -> Result<(), String> {
    is_among(ITEMS, answer)
}

fn is_rule(answer: &str) -> Result<(), String> {
    is_among(MESSAGES, answer)
}

fn is_among(words: Words, answer: &str) -> Result<(), String> {
    if words.iter().any(|(word, _)| *word == answer) {
        return Ok(());
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    Err(format!("one of: {}", known.join(", ")))
}

/// Whether the filters of the organisation count, and which of them. Those that are offered are told with what they find.
fn filters(wizard: &mut Wizard<'_>, offered: &[Choice]) -> anyhow::Result<()> {
    let interview = &mut wizard.interview;
    let asks = "Bring in what the filters of your organisation find?";
    let question = Question {
        name: "organisation-filters",
        asks,
        help: "no: only your active contacts, open tasks, and own appointments",
        usual: Some("yes"),
    };
    if let Some(off) = interview.given(OFF).map(str::to_owned) {
        interview.answers.set(OFF, off);
    } else if !offered.is_empty() && interview.given(question.name).is_none() {
        let off = interview.present(OFF).map(str::to_owned);
        let some = Choice::new("some", format!("Some of the {}: I choose …", offered.len()));
        let mut choices = vec![
            Choice::new("yes", "All of them (usual)"),
            some,
            Choice::new("no", "None: only my active contacts, open tasks, own appointments"),
        ];
        if interview.present(question.name).and_then(is_yes) == Some(false) {
            choices.rotate_right(1);
        } else if off.is_some() {
            choices.swap(0, 1);
        }
        let chosen = interview::decide(asks, "↑↓ to move, Enter to choose", choices)?;
        let off = if chosen == "some" { some_off(offered, off.as_deref())? } else { String::new() };
        interview.answers.set(OFF, off);
        interview.answers.set(question.name, word(chosen != "no"));
        return Ok(());
    }
    interview.agree(question)?;
    Ok(())
}

/// The answer with the names of filters that do not count.
const OFF: &str = "filters-off";

/// The names of those that a person did not choose.
fn some_off(offered: &[Choice], off: Option<&str>) -> anyhow::Result<String> {
    let is_off = |name: &str| off.is_some_and(|off| file::names(off).any(|one| one == name));
    let on = offered.iter().enumerate().filter(|(_, choice)| !is_off(&choice.answer));
    let on: Vec<usize> = on.map(|(at, _)| at).collect();
    let left = interview::leave("Which of them?", offered, &on)?;
    let mut names: Vec<String> = left.into_iter().map(|choice| choice.answer).collect();
    names.dedup();
    Ok(names.join("; "))
}

/// How much there is, and which filters there are; those that the organisation keeps and that can be used are offered. What cannot
/// be told is said; nobody has to choose with numbers.
async fn numbers(wizard: &Wizard<'_>) -> anyhow::Result<Vec<Choice>> {
    let mut page = Page::default();
    page.line("Looking at both sides. Nothing is written anywhere …");
    wizard.interview.say(&page)?;
    match counted(wizard).await {
        Ok(page) => wizard.interview.say(&page)?,
        Err(error) => {
            remark(&wizard.interview, &format!("not everything can be counted: {error:#}"))?;
        }
    }
    match filter::listed(wizard.here).await {
        Ok(answer) => {
            let mut page = Page::default();
            page.line("");
            page.line("The sync filters, and what they find:");
            page.append(&answer.page);
            page.line("");
            wizard.interview.say(&page)?;
            let listed = answer.json.get("filters").and_then(Json::as_array);
            Ok(listed.into_iter().flatten().filter_map(offer).collect())
        }
        Err(error) => {
            remark(&wizard.interview, &format!("the filters cannot be listed: {error:#}"))?;
            Ok(Vec::new())
        }
    }
}

/// A filter that the organisation keeps, as it is told to programs: to be chosen, if it can be.
fn offer(filter: &Json) -> Option<Choice> {
    let text = |key: &str| filter.get(key).and_then(Json::as_str);
    let is_usable = matches!(text("state")?, "on" | "unwanted");
    let (name, class) = (text("name")?, text("class")?);
    if !is_usable || text("origin")? == Origin::Configuration.as_str() || name.contains(';') {
        return None;
    }
    let found = filter.get("records").and_then(Json::as_u64);
    let found = found.and_then(|rows| usize::try_from(rows).ok());
    let found = found.map(|rows| format!(", {}", count(rows, "record"))).unwrap_or_default();
    Some(Choice::new(name, format!("{name} ({class}s{found})")))
}

async fn counted(wizard: &Wizard<'_>) -> anyhow::Result<Page> {
    let (bar, tell) = progress::bar(wizard.here.json);
    let (opened, _lock) = wizard.here.open(tell).await?;
    let head = ["", "in the mailbox", "to the CRM by rule", "from the CRM"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for class in &opened.classes {
        let preview = opened.engine.preview(*class).await?;
        let items = preview.report.listed.get(&Side::Mailbox).copied().unwrap_or_default();
        let created = |side| created(&preview, side).to_string();
        rows.push(vec![
            format!("{class}s"),
            items.to_string(),
            created(Side::Crm),
            created(Side::Mailbox),
        ]);
    }
    bar.finish_and_clear();
    let mut page = Page::default();
    page.table("<>>>", &rows);
    Ok(page)
}

/// What would be new on a side.
fn created(preview: &Preview, side: Side) -> usize {
    let go = preview.go.iter().map(|(step, _)| step);
    let steps = go.chain(preview.held.iter().map(|(_, step, _)| step));
    steps.filter(|step| step.write_to(side) == Some(Kind::Create)).count()
}
