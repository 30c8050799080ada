//! The sync filters that the organisation keeps: the user's own (`userquery`), those for everybody and the templates for new
//! users (`savedquery`). They are read with the first request of a connection and changed one row at a time. What is in them
//! is foreign text, which is judged elsewhere.
//! <https://learn.microsoft.com/dynamics365/customerengagement/on-premises/developer/outlook-client/offline-outlook-filters-templates>

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::Dataverse;
use super::batch::{Method, Operation, Part, Reply};
use super::error::refused;
use super::fetch::{Condition, Fetch, PAGE, Page};
use super::list::{self, Chosen};
use super::odata;
use crate::connector::{Error, ErrorKind, Result, Scope};
use crate::model::{Class, Origin, Selection, StoredFilter, Table, Told};

/// `querytype` of what goes to the mailbox, and of its templates.
const FILTER: i64 = 256;
const TEMPLATE: i64 = 131_072;

/// More filters of one user are no filters that anybody keeps in mind; each may be as long as it likes.
const MOST: usize = 500;

/// What a filter is to be.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    pub name: String,
    pub table: Table,
    pub fetchxml: String,
}

impl std::fmt::Debug for Draft {
    /// Values in conditions may be addresses.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Draft({})", self.table.logical_name())
    }
}

/// The questions for all of them. For the rows of a user, the service takes no more conditions than these two.
pub(super) fn questions() -> [Operation; 2] {
    let own = Condition::all([
        Condition::equals("querytype", FILTER.to_string()),
        Condition::operator("ownerid", "eq-userid"),
    ]);
    let system = Condition::all([
        Condition::is_in("querytype", [FILTER.to_string(), TEMPLATE.to_string()]),
        Condition::equals("statecode", "0"),
    ]);
    let ask = |table: &str, set: &str, id: &str, more: &[&str], which: Condition| {
        let mut columns =
            vec![id, "name", "returnedtypecode", "fetchxml", "querytype", "statecode"];
        columns.extend(more);
        let fetch = Fetch::by_values(table, id, &columns, which);
        odata::get_page(fetch.path(set, &Page::first()))
    };
    [
        ask("userquery", "userqueries", "userqueryid", &[], own),
        ask("savedquery", "savedqueries", "savedqueryid", &["isdefault"], system),
    ]
}

/// What the answers tell.
pub(super) fn read(own: &Reply, system: &Reply, now: Timestamp) -> Told {
    let own = rows(own, "your sync filters", now)
        .and_then(|rows| rows.iter().map(|row| stored(row, "userqueryid", Origin::Own)).collect());
    let saved = rows(system, "the system's sync filters", now);
    let of_kind = |rows: &[Map<String, Json>], kind: i64, origin: Origin| {
        let wanted = |row: &&Map<String, Json>| {
            number(row, "querytype") == Some(kind)
                // Others are for administrators to hand out.
                && (origin == Origin::System || flag(row, "isdefault"))
        };
        let rows = rows.iter().filter(wanted);
        rows.map(|row| stored(row, "savedqueryid", origin)).collect::<Result<Vec<_>, String>>()
    };
    let system = saved.as_ref().map_err(Clone::clone);
    let system = system.and_then(|rows| of_kind(rows, FILTER, Origin::System));
    let templates = saved.and_then(|rows| of_kind(&rows, TEMPLATE, Origin::Template));
    Told { own, system, templates: templates.unwrap_or_default() }
}

/// The rows of an answer, all of them or none.
fn rows(reply: &Reply, what: &str, now: Timestamp) -> Result<Vec<Map<String, Json>>, String> {
    let Reply::One(answer) = reply else { return Err("the answer is none".to_owned()) };
    if !answer.is_success() {
        return Err(refused(answer, &format!("read {what}"), None, now).message);
    }
    let unclear = || "the answer makes no sense".to_owned();
    let json = answer.json().ok_or_else(unclear)?;
    let count = json.get("value").and_then(Json::as_array).map_or(0, Vec::len);
    let more = Page::first().next(&json, count).map_err(str::to_owned)?;
    if more.is_some() || count > MOST || count >= PAGE {
        return Err(format!("there are more than {MOST}"));
    }
    odata::rows(json).ok_or_else(unclear)
}

fn stored(row: &Map<String, Json>, id: &str, origin: Origin) -> Result<StoredFilter, String> {
    let text = |name: &str| row.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let id = odata::guid(row, id).ok_or("a filter has no id")?;
    Ok(StoredFilter {
        id,
        origin,
        name: text("name"),
        table: text("returnedtypecode"),
        fetchxml: text("fetchxml"),
        active: number(row, "statecode").is_none_or(|state| state == 0),
        version: odata::row_version(row),
    })
}

fn number(row: &Map<String, Json>, name: &str) -> Option<i64> {
    row.get(name)?.as_i64()
}

fn flag(row: &Map<String, Json>, name: &str) -> bool {
    row.get(name).and_then(Json::as_bool).unwrap_or_default()
}

impl Dataverse {
    /// The sync filters that the organisation told of when the connection was made.
    pub fn told(&self) -> &Told {
        &self.told
    }

    /// What is listed from now on.
    pub fn select(&mut self, selection: Selection) {
        self.selection = selection;
    }

    /// What is listed now.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Which records a selection chooses.
    ///
    /// # Errors
    /// As for [`list::choose`].
    pub async fn choose(&self, class: Class, selection: &Selection) -> Result<Chosen> {
        list::choose(self, class, selection).await
    }

    /// Asks again which filters there are.
    ///
    /// # Errors
    /// When the organisation gave no answer. What it refuses is told by [`Told`].
    pub async fn ask_filters(&mut self) -> Result<()> {
        let replies = self.client.read(questions().map(Part::One).into()).await?;
        let [own, system] = replies.as_slice() else {
            return Err(Error::new(ErrorKind::Malformed, "the answer has too few parts"));
        };
        self.told = read(own, system, self.client.clock().now());
        Ok(())
    }

    /// Makes a filter of the user's own. Its id follows from the user, the table and the name, so that trying again makes no
    /// second one.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`] when one was made under this name before; otherwise when it is refused.
    pub async fn add_filter(&self, draft: &Draft) -> Result<()> {
        let named = format!("{}/{}", draft.table.logical_name(), draft.name);
        let id = Uuid::new_v5(&self.user, named.as_bytes());
        self.change(vec![made(id, draft, None)], "add the filter").await
    }

    /// Changes what a filter says.
    ///
    /// # Errors
    /// [`ErrorKind::Stale`] when somebody changed it meanwhile; otherwise when it is refused.
    pub async fn edit_filter(&self, filter: &StoredFilter, draft: &Draft) -> Result<()> {
        let body = json!({ "name": draft.name, "fetchxml": draft.fetchxml });
        self.change(vec![update(filter)?.body(&body)], "change the filter").await
    }

    /// Turns a filter on or off.
    ///
    /// # Errors
    /// As for [`Dataverse::edit_filter`].
    pub async fn switch_filter(&self, filter: &StoredFilter, on: bool) -> Result<()> {
        let (state, status) = if on { (0, 1) } else { (1, 2) };
        let body = json!({ "statecode": state, "statuscode": status });
        self.change(vec![update(filter)?.body(&body)], "switch the filter").await
    }

    /// Gives a user who has no filters those that the organisation has for new users.
    ///
    /// # Errors
    /// When the organisation refuses.
    pub async fn instantiate_filters(&self) -> Result<()> {
        let of = |template: &StoredFilter| json!({ "@odata.type": "Microsoft.Dynamics.CRM.savedquery", "savedqueryid": template.id.to_string() });
        let templates: Vec<Json> = self.told.templates.iter().map(of).collect();
        let path = format!("systemusers({})/Microsoft.Dynamics.CRM.InstantiateFilters", self.user);
        let action = Operation::new(Method::Post, path);
        let action = action.body(&json!({ "TemplateCollection": templates }));
        match self.change(vec![action], "make your filters from the templates").await {
            Err(error) if is_no_action(&error) => self.copy_templates().await,
            done => done,
        }
    }

    /// Replaces the user's own filters by those that the organisation has for new users.
    ///
    /// # Errors
    /// When the organisation refuses.
    pub async fn reset_filters(&self) -> Result<()> {
        let action = Operation::new(Method::Post, "ResetUserFilters");
        let action = action.body(&json!({ "QueryType": FILTER }));
        match self.change(vec![action], "reset your filters").await {
            Err(error) if is_no_action(&error) => {
                let own = self.told.own.as_deref().unwrap_or_default();
                let gone = own.iter().map(|filter| {
                    let guard = version(filter)?;
                    Ok(Operation::new(Method::Delete, path(filter)).header("If-Match", guard))
                });
                self.change(gone.collect::<Result<_>>()?, "remove your filters").await?;
                self.copy_templates().await
            }
            done => done,
        }
    }

    /// For organisations without the actions: the same rows, under ids that follow from user and template.
    async fn copy_templates(&self) -> Result<()> {
        let copies = self.told.templates.iter().filter_map(|template| {
            let (name, fetchxml) = (template.name.clone(), template.fetchxml.clone());
            let draft = Draft { name, table: Table::named(&template.table)?, fetchxml };
            let id = Uuid::new_v5(&self.user, template.id.as_bytes());
            Some(made(id, &draft, Some(template.id)))
        });
        match self.change(copies.collect(), "make your filters from the templates").await {
            Err(error) if error.kind == ErrorKind::Exists => Ok(()),
            done => done,
        }
    }

    /// Carries out operations that each stand alone; the first refusal is the answer.
    async fn change(&self, operations: Vec<Operation>, doing: &str) -> Result<()> {
        let parts: Vec<Part> = operations.into_iter().map(Part::One).collect();
        let now = self.client.clock().now();
        for reply in self.client.send(&parts).await? {
            match reply {
                Reply::One(answer) if answer.is_success() => {}
                Reply::One(answer) => return Err(refused(&answer, doing, None, now)),
                Reply::Set(_) => {
                    return Err(Error::new(ErrorKind::Malformed, "the answer makes no sense"));
                }
            }
        }
        Ok(())
    }
}

/// Whether an action is not known there, rather than not allowed or not possible just now.
fn is_no_action(error: &Error) -> bool {
    error.kind != ErrorKind::Forbidden && error.kind.scope() != Scope::Account
}

fn made(id: Uuid, draft: &Draft, template: Option<Uuid>) -> Operation {
    let mut row = json!({
        "name": draft.name,
        "returnedtypecode": draft.table.logical_name(),
        "querytype": FILTER,
        "fetchxml": draft.fetchxml,
    });
    if let (Some(template), Some(row)) = (template, row.as_object_mut()) {
        row.insert(
            "parentqueryid@odata.bind".to_owned(),
            json!(format!("/savedqueries({template})")),
        );
    }
    Operation::new(Method::Patch, format!("userqueries({id})"))
        .header("If-None-Match", "*")
        .body(&row)
}

fn update(filter: &StoredFilter) -> Result<Operation> {
    Ok(Operation::new(Method::Patch, path(filter)).header("If-Match", version(filter)?))
}

fn path(filter: &StoredFilter) -> String {
    format!("userqueries({})", filter.id)
}

/// What a change must name, so that it meets what was seen.
fn version(filter: &StoredFilter) -> Result<String> {
    let version = filter.version.as_deref().ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "the organisation does not tell versions of filters")
    })?;
    Ok(odata::etag(version))
}
