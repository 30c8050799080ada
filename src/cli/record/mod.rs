//! `liaison record`: rows of any table, online and offline alike. What a value means is decided elsewhere.

use clap::Subcommand;
use serde_json::{Value as Json, json};

use super::desk::{Place, told};
use super::output::{Answer, Page, short};
use super::{Exit, Installation, Stop};
use crate::connector::records::{Column, Definition, Kind};
use crate::offline::edit;
use crate::offline::view::View;

/// What is entered.
pub mod change;
/// What is written.
pub mod input;

pub use input::assignments;

/// How much of a value is shown in a list.
const VALUE: usize = 60;

/// Look at, make, change and delete records of the CRM, with or without it
///
/// Works the same when the CRM cannot be reached: reads the copy that `liaison offline` made, and keeps what you enter until it
/// can be sent. TABLE is the logical name, such as contact, account, lead, opportunity, task.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison record get contact 'Ann Smith'\n  liaison record create contact firstname=Ann lastname=Smith \\\n      parentcustomerid=account:Contoso gendercode=Female\n  liaison record update task 'Call Ann' statuscode=Completed\n  liaison record list lead leadsourcecode=Web --json"
)]
pub struct Record {
    #[command(subcommand)]
    action: Action,
    /// The organisation, by its name in the configuration (else the one that the mailbox goes with)
    #[arg(long, global = true, value_name = "NAME")]
    org: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List records, by name
    List {
        table: String,
        /// Only those that say so: COLUMN=VALUE
        #[arg(value_name = "COLUMN=VALUE")]
        conditions: Vec<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one record
    Get {
        table: String,
        /// Its id or its name
        record: String,
    },
    /// List the columns of a table, and what they take
    Fields { table: String },
    /// Make records
    Create(change::Create),
    /// Change records
    Update(change::Update),
    /// Delete records
    Delete(change::Delete),
}

impl Record {
    /// Whether it reads a file that the person names.
    pub fn reads_a_file(&self) -> bool {
        match &self.action {
            Action::Create(create) => create.from.is_some(),
            Action::Update(update) => update.from.is_some(),
            Action::Delete(delete) => delete.from.is_some(),
            Action::List { .. } | Action::Get { .. } | Action::Fields { .. } => false,
        }
    }

    /// # Errors
    /// When the records cannot be had, or what is asked for cannot be done.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        // What is written on the command line is read before anybody is asked.
        let place = || here.desk(self.org.as_deref());
        match self.action {
            Action::List { table, conditions, limit } => {
                let conditions: Vec<(String, Json)> =
                    assignments(&conditions)?.into_iter().collect();
                list(&place().await?, &table, &conditions, limit).await
            }
            Action::Get { table, record } => get(&place().await?, &table, &record).await,
            Action::Fields { table } => fields(&place().await?, &table).await,
            Action::Create(create) => {
                let wishes = create.wishes()?;
                change::run(&place().await?, &create.table, wishes).await
            }
            Action::Update(update) => {
                let wishes = update.wishes()?;
                change::run(&place().await?, &update.table, wishes).await
            }
            Action::Delete(delete) => {
                let wishes = delete.wishes()?;
                change::run(&place().await?, &delete.table, wishes).await
            }
        }
    }
}

async fn get(place: &Place, table: &str, record: &str) -> anyhow::Result<Answer> {
    let (definition, view) = place.desk.get(table, record).await.map_err(told)?;
    let mut page = Page::default();
    page.line(format!("{}  {}", view.row, view.name));
    let rows: Vec<Vec<String>> = view
        .values
        .iter()
        .map(|(column, value)| {
            let shown = edit::shown(&definition, column, value);
            vec![format!("  {column}"), short(&shown, 400)]
        })
        .collect();
    page.table("<<", &rows);
    let mut json = to_json(&definition, &view);
    if let (Json::Object(json), Json::Object(more)) = (&mut json, place.json()) {
        json.extend(more);
    }
    let mut answer = Answer::new(page, json);
    if view.waiting + view.parked > 0 {
        let (waiting, parked) = (view.waiting, view.parked);
        answer =
            answer.note(format!("with {waiting} edits that wait and {parked} that were refused"));
    }
    answer.notes.extend(place.notes().await?);
    Ok(answer)
}

async fn list(
    place: &Place,
    table: &str,
    conditions: &[(String, Json)],
    limit: usize,
) -> anyhow::Result<Answer> {
    let (definition, views) = place.desk.list(table, conditions, limit).await.map_err(told)?;
    let mut answer = listed(&definition, &views, limit);
    if let (Json::Object(json), Json::Object(more)) = (&mut answer.json, place.json()) {
        json.extend(more);
    }
    answer.notes.extend(place.notes().await?);
    Ok(answer)
}

fn listed(definition: &Definition, views: &[View], limit: usize) -> Answer {
    let mut page = Page::default();
    let rows: Vec<Vec<String>> = views.iter().map(line).collect();
    page.table("<<<", &rows);
    if views.is_empty() {
        page.line(format!("no {} like this", definition.logical));
    }
    let json: Vec<Json> = views.iter().map(|view| to_json(definition, view)).collect();
    let answer = Answer::new(page, json!({ "records": json }));
    if views.len() < limit {
        return answer;
    }
    answer.note(format!("the first {limit}; --limit shows more"))
}

/// A record on one line: its id, its name, whether something of it waits.
pub fn line(view: &View) -> Vec<String> {
    let state = match (view.waiting, view.parked) {
        (0, 0) => "",
        (_, 0) => "waits in the outbox",
        _ => "refused: see `liaison outbox list`",
    };
    vec![view.row.to_string(), short(&view.name, VALUE), state.to_owned()]
}

/// A record for programs.
pub fn to_json(definition: &Definition, view: &View) -> Json {
    let labels: serde_json::Map<String, Json> = view
        .values
        .iter()
        .map(|(column, value)| (column, edit::shown(definition, column, value), value))
        .filter(|(_, label, value)| value.as_str() != Some(label))
        .map(|(column, label, _)| (column.clone(), label.into()))
        .collect();
    json!({
        "table": view.row.table,
        "id": view.row.id.to_string(),
        "name": view.name,
        "version": view.version,
        "values": view.values,
        "labels": labels,
        "waiting": view.waiting,
        "parked": view.parked,
    })
}

async fn fields(place: &Place, table: &str) -> anyhow::Result<Answer> {
    let definition = place.desk.definition(table).await.map_err(told)?;
    let mut page = Page::default();
    let rows: Vec<Vec<String>> = definition
        .columns
        .iter()
        .map(|(name, column)| vec![name.clone(), rights(column).to_owned(), takes(&column.kind)])
        .collect();
    page.table("<<<", &rows);
    let json: Vec<Json> = definition
        .columns
        .iter()
        .map(|(name, column)| {
            json!({
                "column": name,
                "create": column.create,
                "update": column.update,
                "read": column.read,
                "required": column.required,
                "takes": takes(&column.kind),
            })
        })
        .collect();
    let json = json!({ "table": definition.logical, "id": definition.id, "name": definition.name, "columns": json });
    let mut answer = Answer::new(page, json);
    answer.notes.extend(place.notes().await?);
    Ok(answer)
}

fn rights(column: &Column) -> &'static str {
    match (column.create, column.update) {
        (true, true) if column.required => "needed",
        (true, true) => "",
        (true, false) => "once",
        (false, true) => "later",
        (false, false) => "read",
    }
}

fn takes(kind: &Kind) -> String {
    let bound = |bound: Option<String>| bound.unwrap_or_default();
    let labels = |options: Vec<(i32, &String)>| {
        let options: Vec<String> =
            options.iter().map(|(value, label)| format!("{label} ({value})")).collect();
        short(&options.join(", "), 200)
    };
    match kind {
        Kind::Text { max: Some(max) } => format!("text, at most {max}"),
        Kind::Text { max: None } => "text".to_owned(),
        Kind::Integer { min, max } => {
            let text = |number: &Option<i64>| bound(number.map(|number| number.to_string()));
            format!("number {}…{}", text(min), text(max))
        }
        Kind::Number { min, max } => {
            format!("number {}…{}", bound(min.clone()), bound(max.clone()))
        }
        Kind::Boolean => "yes or no".to_owned(),
        Kind::Moment => "time".to_owned(),
        Kind::Day => "day".to_owned(),
        Kind::Choice { options } | Kind::State { options } => {
            labels(options.iter().map(|(value, label)| (*value, label)).collect())
        }
        Kind::Status { options } => {
            labels(options.iter().map(|(value, (_, label))| (*value, label)).collect())
        }
        Kind::Lookup { targets } => {
            let tables: Vec<&str> = targets.keys().map(String::as_str).collect();
            format!("a record: {}", tables.join(", "))
        }
        Kind::Guid => "GUID".to_owned(),
        Kind::Other => "not edited here".to_owned(),
    }
}

/// Something on the command line that makes no sense.
fn usage(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Stop::new(Exit::Usage, message, hint).into()
}
