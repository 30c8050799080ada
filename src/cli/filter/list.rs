//! `liaison filter list` and `show`: every filter, whose it is, whether it counts, what it finds.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{find, place, row};
use crate::cli::Installation;
use crate::cli::output::{Answer, Page, count, short};
use crate::cli::selection::Reached;
use crate::filter::union::{Source, State, Union};
use crate::model::{Class, Selection};

/// List all sync filters, with whose they are and how many records they find
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: liaison filter list --json")]
pub(super) struct List {}

/// Show what one filter says
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: liaison filter show 'My Outlook Contacts'")]
pub(super) struct Show {
    /// Its name, or its id
    name: String,
}

/// What a query finds: a number, or why there is none.
type Found = Result<usize, String>;

impl List {
    pub(super) async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let reached = here.reach().await?;
        let mut page = Page::default();
        let mut json = Vec::new();
        let mut doubts = Vec::new();
        for (class, union) in &reached.filters.classes {
            let found = ask(&reached, *class, union).await;
            page.gap();
            page.line(format!("{class}s"));
            let rows: Vec<_> = union.sources.iter().map(|it| columns(it, &found)).collect();
            show(&mut page, &rows);
            json.extend(union.sources.iter().map(|it| to_json(Some(*class), it, &found)));
            doubts.extend(union.doubts.iter().map(|doubt| format!("{class}s: {doubt}")));
        }
        if !reached.filters.elsewhere.is_empty() {
            page.gap();
            page.line("of the organisation, about what is not synced here");
            let none = BTreeMap::new();
            let elsewhere = reached.filters.elsewhere.iter();
            let rows: Vec<_> = elsewhere.clone().map(|it| columns(it, &none)).collect();
            show(&mut page, &rows);
            json.extend(elsewhere.map(|source| to_json(None, source, &none)));
        }
        let mut answer = Answer::new(page, json!({ "filters": json, "doubts": doubts }));
        answer.notes = doubts;
        Ok(answer)
    }
}

fn show(page: &mut Page, rows: &[Vec<String>]) {
    if rows.is_empty() {
        page.line("  no filter: nothing comes from the CRM");
    }
    page.table("<<<<>", rows);
}

/// What each query of a class finds, by its text.
async fn ask(reached: &Reached, class: Class, union: &Union) -> BTreeMap<String, Found> {
    let mut selection = Selection::default();
    for (table, selector) in union.selectors() {
        selection.selectors.entry(table).or_default().push(selector);
    }
    // As they are asked: table by table.
    let texts: Vec<&String> =
        selection.selectors.values().flatten().map(|selector| &selector.fetchxml).collect();
    if texts.is_empty() {
        return BTreeMap::new();
    }
    match reached.dataverse.choose(class, &selection).await {
        Ok(chosen) => {
            let why = chosen.reasons.join("; ");
            let found = chosen.selected.into_iter().map(|it| it.rows.ok_or_else(|| why.clone()));
            texts.into_iter().cloned().zip(found).collect()
        }
        Err(error) => {
            texts.into_iter().map(|text| (text.clone(), Err(error.message.clone()))).collect()
        }
    }
}

fn of<'a>(source: &Source, found: &'a BTreeMap<String, Found>) -> Option<&'a Found> {
    match &source.state {
        State::On(filter) => found.get(filter.as_fetchxml()),
        State::Off | State::Unusable(_) | State::Unwanted => None,
    }
}

fn columns(source: &Source, found: &BTreeMap<String, Found>) -> Vec<String> {
    let says = match (&source.state, of(source, found)) {
        (State::Unusable(reason), _) => format!("cannot be used: {}", short(reason, 120)),
        (_, Some(Ok(rows))) => count(*rows, "record"),
        (_, Some(Err(reason))) => format!("not answered: {}", short(reason, 120)),
        (_, None) => String::new(),
    };
    let state = match source.state {
        State::On(_) => "on",
        State::Off => "off",
        State::Unusable(_) => "broken",
        State::Unwanted => "unused",
    };
    let table = source.table.clone();
    vec![format!("  {state}"), source.name.clone(), place(source.origin).to_owned(), table, says]
}

fn to_json(class: Option<Class>, source: &Source, found: &BTreeMap<String, Found>) -> Json {
    let found = of(source, found);
    json!({
        "class": class.map(Class::as_str),
        "name": source.name,
        "origin": source.origin.as_str(),
        "id": source.id.map(|id| id.to_string()),
        "table": source.table,
        "state": source.state.as_str(),
        "records": found.and_then(|found| found.as_ref().ok()),
        "reason": match (&source.state, found) {
            (State::Unusable(reason), _) | (_, Some(Err(reason))) => Some(reason),
            _ => None,
        },
    })
}

impl Show {
    pub(super) async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let reached = here.reach().await?;
        let (class, source) = find(&reached, &self.name)?;
        let found = match class {
            Some((class, union)) => ask(&reached, class, union).await,
            None => BTreeMap::new(),
        };
        let fetchxml = match (&source.state, row(&reached, source)) {
            (State::On(filter), _) => filter.as_fetchxml(),
            (_, Some(stored)) => &stored.fetchxml,
            (_, None) => "",
        };
        let mut page = Page::default();
        page.table("<<<<>", &[columns(source, &found)]);
        if let Some(id) = source.id {
            page.line(format!("  id {id}"));
        }
        page.gap();
        page.line(short(fetchxml, 64 << 10));
        let mut json = to_json(class.map(|(class, _)| class), source, &found);
        if let Some(json) = json.as_object_mut() {
            json.insert("fetchxml".to_owned(), json!(fetchxml));
        }
        Ok(Answer::new(page, json))
    }
}
