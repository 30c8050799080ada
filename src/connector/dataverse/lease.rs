//! The row that says which installation of a user syncs: a personal view (`userquery`), the one kind of row that every user may
//! own and that no list of customers shows. It finds nothing and is deactivated, so that nobody is offered it; its description
//! holds what there is to say, as JSON.
//!
//! It is claimed with `If-None-Match: *` and changes hands with `If-Match`. Where the table checks no versions
//! (`IsOptimisticConcurrencyEnabled`), the row is read again and compared just before.
//! <https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/userquery>

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::Dataverse;
use super::batch::{Answer, Method, Operation, Part, Reply};
use super::error::refused;
use super::fetch::{Condition, Fetch, Page};
use super::odata::{self, etag, returning};
use crate::connector::lease::{Entry, Instance, Lease, Looked, Tenure, is_lost_race};
use crate::connector::{Error, ErrorKind, Result};
use crate::model::{Version, name};

/// What the view is called; it is met by its id.
const NAME: &str = "Liaison: the computer that syncs";

const SET: &str = "userqueries";
const ID: &str = "userqueryid";

/// A view that finds nothing.
const NOTHING: &str = "<fetch><entity name=\"contact\"><attribute name=\"contactid\"/><filter>\
                       <condition attribute=\"contactid\" operator=\"null\"/></filter></entity></fetch>";

/// States of a view (`userquery`: 0 Active, 1 Inactive).
const INACTIVE: (i32, i32) = (1, 2);

/// What was learnt with the first request.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) looked: Looked,
    /// Whether the table checks `If-Match`.
    pub(super) versioned: bool,
}

/// The paths to be asked together with who we are, when the row's id is not known yet: the user's row by its name, and whether
/// its table checks versions.
pub(super) fn questions() -> [Operation; 2] {
    let mine = Condition::all([
        Condition::operator("ownerid", "eq-userid"),
        Condition::equals("name", NAME),
    ]);
    let row = Fetch::by_values("userquery", ID, &[ID, "description", "versionnumber"], mine);
    let table = "EntityDefinitions(LogicalName='userquery')?$select=LogicalName,IsOptimisticConcurrencyEnabled";
    [odata::get_page(row.path(SET, &Page::first())), Operation::new(Method::Get, table)]
}

/// What the answers to [`questions`] say.
pub(super) fn read(row: &Reply, table: &Reply, id: Uuid) -> Known {
    let answered = |reply: &Reply| match reply {
        Reply::One(answer) if answer.is_success() => answer.json(),
        Reply::One(_) | Reply::Set(_) => None,
    };
    let looked = match answered(row).and_then(odata::rows) {
        None => Looked::Untold,
        Some(rows) => match rows.iter().find(|row| odata::guid(row, ID) == Some(id)) {
            None => Looked::Absent,
            Some(row) => entry(row).map_or(Looked::Untold, Looked::There),
        },
    };
    let versioned = answered(table).is_some_and(|table| {
        let flag = table.get("IsOptimisticConcurrencyEnabled");
        flag.and_then(Json::as_bool) == Some(true)
    });
    Known { looked, versioned }
}

/// What the description holds.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    /// `None`: nobody's.
    instance: Option<String>,
    host: String,
    #[serde(default)]
    place: String,
    epoch: u64,
    since: String,
    last_round: Option<String>,
}

impl Written {
    fn of(tenure: &Tenure) -> Self {
        let holder = tenure.holder.as_ref();
        Self {
            instance: holder.map(|holder| holder.id.to_string()),
            host: holder.map(|holder| holder.host.clone()).unwrap_or_default(),
            place: holder.map(|holder| holder.place.clone()).unwrap_or_default(),
            epoch: tenure.epoch,
            since: tenure.since.to_string(),
            last_round: tenure.last_round.map(|at| at.to_string()),
        }
    }

    fn tenure(self) -> Option<Tenure> {
        let id = match &self.instance {
            Some(id) => Some(Uuid::parse_str(id).ok()?),
            None => None,
        };
        Some(Tenure {
            holder: id.map(|id| Instance { id, host: self.host, place: self.place }),
            epoch: self.epoch,
            since: self.since.parse().ok()?,
            last_round: self.last_round.and_then(|at| at.parse().ok()),
        })
    }
}

/// A row that somebody else wrote something into is taken for somebody else's: only a person's word replaces it.
fn entry(row: &Map<String, Json>) -> Option<Entry> {
    let version = Version::new(odata::row_version(row)?);
    let text = row.get("description").and_then(Json::as_str).unwrap_or_default();
    let written = serde_json::from_str::<Written>(text).ok().and_then(Written::tenure);
    let tenure = written.unwrap_or_else(|| Tenure {
        holder: Some(Instance {
            id: Uuid::nil(),
            host: "an unknown computer".to_owned(),
            place: String::new(),
        }),
        epoch: 0,
        since: jiff::Timestamp::UNIX_EPOCH,
        last_round: None,
    });
    Some(Entry { tenure, version })
}

fn nonsense() -> Error {
    Error::new(ErrorKind::Malformed, "the row that says which computer syncs makes no sense")
}

impl Dataverse {
    /// What the organisation said with the first request of who syncs.
    pub fn lease(&self) -> &Looked {
        &self.lease.looked
    }

    fn lease_id(&self) -> Uuid {
        name::lease_guid(self.organisation, self.user)
    }

    fn lease_path(&self) -> String {
        format!("{SET}({})?$select=description", self.lease_id())
    }

    async fn look_at_lease(&self) -> Result<Option<Entry>> {
        let question = Part::One(odata::get(self.lease_path()));
        let Some(Reply::One(answer)) = self.client.read(vec![question]).await?.pop() else {
            return Err(nonsense());
        };
        match self.lease_row(&answer, "read which computer syncs") {
            Err(error) if error.kind == ErrorKind::Missing => Ok(None),
            found => found.map(Some),
        }
    }

    fn lease_row(&self, answer: &Answer, doing: &str) -> Result<Entry> {
        if !answer.is_success() {
            let now = self.client.clock().now();
            return Err(refused(answer, doing, Some(self.lease_id()), now));
        }
        match answer.json() {
            Some(Json::Object(row)) => entry(&row).ok_or_else(nonsense),
            _ => Err(nonsense()),
        }
    }

    /// A row is born active: it is put to sleep in the same change set. Where that is refused, it stays awake rather than unmade.
    async fn create_lease(&self, description: &str) -> Result<Entry> {
        let row = json!({
            "name": NAME, "returnedtypecode": "contact", "querytype": 0, "fetchxml": NOTHING,
            "description": description,
        });
        let create = || {
            returning(Operation::new(Method::Patch, self.lease_path()))
                .header("If-None-Match", "*")
                .body(&row)
        };
        let (state, status) = INACTIVE;
        let asleep = json!({ "statecode": state, "statuscode": status });
        let sleep = returning(Operation::new(Method::Patch, self.lease_path()))
            .header("If-Match", "*")
            .body(&asleep);
        match self.send_lease(Part::ChangeSet(vec![create(), sleep])).await {
            Err(error) if error.kind == ErrorKind::Rejected => {
                self.send_lease(Part::One(create())).await
            }
            done => done,
        }
    }

    async fn replace_lease(&self, description: &str, old: &Entry) -> Result<Entry> {
        let guard = if self.lease.versioned {
            etag(old.version.as_str())
        } else {
            let there = self.look_at_lease().await?;
            if there.map(|there| there.tenure).as_ref() != Some(&old.tenure) {
                let message = "another computer was faster";
                return Err(Error::new(ErrorKind::Stale, message));
            }
            "*".to_owned()
        };
        let change = returning(Operation::new(Method::Patch, self.lease_path()))
            .header("If-Match", guard)
            .body(&json!({ "description": description }));
        self.send_lease(Part::One(change)).await
    }

    async fn send_lease(&self, part: Part) -> Result<Entry> {
        let answer = match self.client.send(&[part]).await?.pop() {
            Some(Reply::One(answer)) => answer,
            Some(Reply::Set(mut answers)) => answers.pop().ok_or_else(nonsense)?,
            None => return Err(nonsense()),
        };
        self.lease_row(&answer, "write down which computer syncs")
    }
}

#[async_trait]
impl Lease for Dataverse {
    async fn look(&self) -> Result<Option<Entry>> {
        self.look_at_lease().await
    }

    async fn put(&self, tenure: &Tenure, instead_of: Option<&Entry>) -> Result<Entry> {
        let description = serde_json::to_string(&Written::of(tenure)).map_err(|error| {
            Error::new(ErrorKind::Local, "who syncs cannot be written down").caused_by(error)
        })?;
        let done = match instead_of {
            None => self.create_lease(&description).await,
            Some(old) => self.replace_lease(&description, old).await,
        };
        match done {
            // The answer was lost, or it is another's: what stands there tells.
            Err(error) if error.kind.leaves_open() || is_lost_race(error.kind) => {
                match self.look_at_lease().await? {
                    Some(there) if there.tenure == *tenure => Ok(there),
                    _ => Err(error),
                }
            }
            done => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_not_ours_is_somebodys() {
        let tenure = Tenure {
            holder: Some(Instance {
                id: Uuid::from_u128(7),
                host: "desk".to_owned(),
                place: "there".to_owned(),
            }),
            epoch: 3,
            since: "2026-03-01T12:00:00Z".parse().unwrap(),
            last_round: Some("2026-03-02T12:00:00.5Z".parse().unwrap()),
        };
        let row = |description: Json| {
            let row = json!({"@odata.etag": "W/\"12\"", "description": description});
            entry(row.as_object().unwrap())
        };
        let text = serde_json::to_string(&Written::of(&tenure)).unwrap();
        let read = row(json!(text)).unwrap();
        assert_eq!((read.tenure, read.version), (tenure.clone(), Version::new("12")));
        let free = Tenure { holder: None, ..tenure };
        let text = serde_json::to_string(&Written::of(&free)).unwrap();
        assert_eq!(row(json!(text)).unwrap().tenure, free);
        for odd in [json!(null), json!(""), json!("hello"), json!("{}"), json!(7)] {
            let read = row(odd).unwrap().tenure;
            assert!(read.holder.is_some_and(|holder| holder.id.is_nil()) && read.epoch == 0);
        }
        assert_eq!(entry(json!({"description": ""}).as_object().unwrap()), None);
    }
}
