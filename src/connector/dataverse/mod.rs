//! A Dataverse (Dynamics 365) organisation as one side of the sync.
//!
//! Everything goes through one door, [`client::Client`], and in one form, the `$batch` of [`batch`]. On the way out,
//! [`mod@write`] makes operations of patches and [`fetch`] queries of filters; on the way back, [`record`] makes records of rows
//! and [`error`] kinds of refusals. [`metadata`] knows what the organisation's tables look like. What a column means is not
//! known here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::auth::Credential;
use super::http::{Http, Limits};
use super::meter::Meter;
use super::tls::{self, Trust};
use super::{Connector, Error, ErrorKind, Result, Write, Written};
use crate::clock::Clock;
use crate::model::record::{Identity, Newcomer, PartyRef};
use crate::model::{
    Address, Class, Clue, Document, FileRules, Filed, ItemId, Listing, Origin, Selected, Selection,
    Selector, Table, Told, Uid, name,
};

pub mod batch;
pub mod client;
pub mod error;
pub mod examine;
pub mod fetch;
pub mod filters;
mod lease;
pub mod list;
pub mod metadata;
pub mod odata;
pub mod people;
mod postbox;
pub mod read;
pub mod record;
pub mod table;
pub mod threads;
pub mod write;

#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;

pub use client::Requests;
pub use examine::standing::{ClassStanding, Said, Standing};
pub use examine::{Access, Purpose, examine};
pub use metadata::Metadata;

use batch::{Method, Operation, Part, Reply};
use client::Client;
use fetch::{Condition, Fetch, Page};

/// What must be known to reach an organisation.
#[derive(Debug, Clone)]
pub struct Options {
    /// As in the configuration.
    pub name: String,
    /// The organisation's address, as in a browser.
    pub url: String,
    /// What gives the bearer token.
    pub credential: Arc<Credential>,
    /// What makes its certificate good.
    pub trust: Trust,
    /// `FetchXML` by table: what takes part is the union, until something else is selected. A class without a filter does not
    /// take part.
    pub filters: BTreeMap<Table, Vec<String>>,
    pub limits: Limits,
}

/// An organisation, as its user sees it.
#[derive(Debug)]
pub struct Dataverse {
    name: String,
    client: Client,
    metadata: Metadata,
    told: Told,
    selection: Selection,
    /// What each filter found when its class was last listed.
    found: Mutex<BTreeMap<Class, Vec<Selected>>>,
    organisation: Uuid,
    business_unit: Uuid,
    user: Uuid,
    me: BTreeSet<Address>,
    zone: Option<String>,
    files: FileRules,
    lease: lease::Known,
    access: Access,
}

impl Dataverse {
    /// Asks who we are and what the tables look like, in one request. `kept` is what [`Metadata::to_json`] gave within the last
    /// day; what does not fit this organisation is asked again.
    ///
    /// # Errors
    /// When the organisation cannot be reached, does not accept the token, or is no Dataverse organisation.
    pub async fn connect(options: Options, clock: Clock, kept: Option<Json>) -> Result<Self> {
        Self::connect_within(options, clock, kept, None).await
    }

    /// As [`Dataverse::connect`]; every request is told to the meter before it is sent.
    ///
    /// # Errors
    /// As for [`Dataverse::connect`], and when the meter refuses.
    pub async fn connect_within(
        options: Options,
        clock: Clock,
        kept: Option<Json>,
        meter: Option<Arc<dyn Meter>>,
    ) -> Result<Self> {
        let http = Http::new(&tls::client_config(&options.trust)?, options.limits)?;
        let client = Client::new(http, &options.url, options.credential, clock)?.within(meter);
        let [sizes, types] = file_rules().map(str::to_owned);
        let mut questions: Vec<Operation> =
            ["WhoAmI".to_owned(), my_row(), my_zone(), sizes, types]
                .map(|path| Operation::new(Method::Get, path))
                .into();
        questions.extend(filters::questions());
        questions.extend(lease::questions());
        if kept.is_none() {
            questions.extend(Metadata::questions());
        }
        let replies = client.read(questions.into_iter().map(Part::One).collect()).await?;
        let now = client.clock().now();
        let [
            Reply::One(who),
            Reply::One(me),
            Reply::One(zone),
            Reply::One(sizes),
            Reply::One(types),
            own,
            system,
            lease_row,
            lease_table,
            rest @ ..,
        ] = replies.as_slice()
        else {
            return Err(nonsense());
        };
        let who = match who.json() {
            Some(Json::Object(who)) if who.contains_key("OrganizationId") => who,
            _ if !who.is_success() => return Err(error::refused(who, "ask who we are", None, now)),
            _ => return Err(nonsense()),
        };
        let id = |name: &str| odata::guid(&who, name).ok_or_else(nonsense);
        let (organisation, user) = (id("OrganizationId")?, id("UserId")?);
        let asked = kept.is_none();
        let metadata = match kept.and_then(|kept| Metadata::kept(&kept, organisation)) {
            Some(metadata) => metadata,
            None if asked => Metadata::read(organisation, rest, now)?,
            None => {
                let questions = Metadata::questions().into_iter().map(Part::One).collect();
                Metadata::read(organisation, &client.read(questions).await?, now)?
            }
        };
        let access = Access::of(me.json().and_then(odata::rows));
        let (me, zone) = (addresses(me.json()), standard_name(zone.json()));
        let files = read_file_rules(sizes.json(), types.json());
        let lease = lease::read(lease_row, lease_table, name::lease_guid(organisation, user));
        let (name, business_unit) = (options.name, id("BusinessUnitId")?);
        Ok(Self {
            name,
            client,
            metadata,
            told: filters::read(own, system, now),
            selection: nameless(options.filters),
            found: Mutex::default(),
            organisation,
            business_unit,
            user,
            me,
            zone,
            files,
            lease,
            access,
        })
    }

    /// The organisation's name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn organisation(&self) -> Uuid {
        self.organisation
    }

    pub fn business_unit(&self) -> Uuid {
        self.business_unit
    }

    /// The user that the token stands for.
    pub fn user(&self) -> Uuid {
        self.user
    }

    /// The user's own addresses.
    pub fn me(&self) -> &BTreeSet<Address> {
        &self.me
    }

    /// How the user gets in, as of the first request.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The time zone of the user's own settings, by its Windows name. `None` when the organisation did not tell. Days of a
    /// pattern and original starts of a series are counted in it.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// Which files the organisation takes with an activity. What it did not tell is no rule.
    pub fn files(&self) -> &FileRules {
        &self.files
    }

    /// What the tables look like.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The longest text that each column takes, in UTF-16 units.
    pub fn lengths(&self) -> BTreeMap<(Table, String), usize> {
        self.metadata.lengths()
    }

    /// What was asked of the organisation so far.
    pub fn requested(&self) -> Requests {
        self.client.requests()
    }
}

#[async_trait]
impl Connector for Dataverse {
    async fn list(&self, class: Class) -> Result<Listing> {
        let (listing, selected) = list::list(self, class, &self.selection).await?;
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(class, selected);
        Ok(listing)
    }

    async fn read(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        read::read(self, class, ids).await
    }

    async fn write(&self, class: Class, writes: Vec<Write>) -> Result<Vec<Result<Written>>> {
        write::write(self, class, &writes).await
    }

    async fn find(&self, class: Class, uids: &[Uid]) -> Result<BTreeMap<Uid, ItemId>> {
        people::find(self, class, uids).await
    }

    /// Whom addresses belong to: system user, contact, account, lead, in that order, the user's own rows first. Those that
    /// belong to nobody, or to several of the best kind, are left out.
    async fn resolve(&self, addresses: &[Address]) -> Result<BTreeMap<Address, PartyRef>> {
        people::resolve(self, addresses).await
    }

    async fn threads(&self, clues: &[Clue]) -> Result<BTreeMap<Clue, Filed>> {
        threads::find(self, clues).await
    }

    async fn names(&self, records: &[PartyRef]) -> Result<BTreeMap<PartyRef, String>> {
        threads::names(self, records).await
    }

    async fn enabled(&self, addresses: &[Address]) -> Result<BTreeSet<Address>> {
        threads::enabled(self, addresses).await
    }

    async fn identify(&self, addresses: &[Address]) -> Result<BTreeMap<Address, Identity>> {
        people::identify(self, addresses).await
    }

    async fn introduce(&self, newcomers: &[Newcomer]) -> Result<Vec<Result<()>>> {
        write::parties::introduce(self, newcomers).await
    }

    async fn assign(
        &self,
        records: &[ItemId],
        people: &BTreeMap<Address, PartyRef>,
    ) -> Result<Vec<Result<()>>> {
        write::parties::assign(self, records, people).await
    }

    fn requests(&self) -> u64 {
        self.requested().requests
    }

    fn selected(&self, class: Class) -> Vec<Selected> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.get(&class).cloned().unwrap_or_default()
    }

    /// An organisation tells nobody that something changed.
    async fn wait(&self, _class: Class) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "a CRM cannot be waited for; it is asked again"))
    }
}

/// Filters that nobody gave a name.
fn nameless(filters: BTreeMap<Table, Vec<String>>) -> Selection {
    let selector =
        |fetchxml| Selector { name: String::new(), origin: Origin::Configuration, fetchxml };
    let of = |texts: Vec<String>| texts.into_iter().map(selector).collect();
    let selectors = filters.into_iter().map(|(table, texts)| (table, of(texts))).collect();
    Selection { selectors, ..Selection::default() }
}

fn nonsense() -> Error {
    Error::new(ErrorKind::Malformed, "the answer to WhoAmI makes no sense")
        .hint("is this the address of a Dynamics 365 organisation?")
}

/// The path of the user's own row, before we know its id.
fn my_row() -> String {
    let id = "systemuserid";
    let me = Condition::operator(id, "eq-userid");
    Fetch::by_values("systemuser", id, &[id, "internalemailaddress", "accessmode"], me)
        .path("systemusers", &Page::first())
}

/// The path of the name of the user's own time zone.
fn my_zone() -> String {
    let id = "systemuserid";
    let me = Condition::operator(id, "eq-userid");
    Fetch::by_values("usersettings", id, &[id, "timezonecode"], me)
        .with_linked("timezonedefinition", "timezonecode", "zone", &["standardname"])
        .path("usersettingscollection", &Page::first())
}

/// The paths of the organisation's rules for files: older organisations know none for types, and refuse the question.
/// <https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/organization>
fn file_rules() -> [&'static str; 2] {
    [
        "organizations?$select=maxuploadfilesize,blockedattachments",
        "organizations?$select=blockedmimetypes,allowedmimetypes",
    ]
}

fn read_file_rules(sizes: Option<Json>, types: Option<Json>) -> FileRules {
    let row = |answer: Option<Json>| {
        answer.and_then(odata::rows).and_then(|rows| rows.into_iter().next()).unwrap_or_default()
    };
    let (sizes, types) = (row(sizes), row(types));
    let words = |row: &Map<String, Json>, column: &str| {
        FileRules::words(row.get(column).and_then(Json::as_str).unwrap_or_default())
    };
    FileRules {
        largest: sizes.get("maxuploadfilesize").and_then(Json::as_u64).filter(|size| *size > 0),
        blocked_endings: words(&sizes, "blockedattachments"),
        blocked_types: words(&types, "blockedmimetypes"),
        allowed_types: words(&types, "allowedmimetypes"),
    }
}

/// A user who may not read the own settings has no known zone.
fn standard_name(answer: Option<Json>) -> Option<String> {
    let rows = answer.and_then(odata::rows)?;
    let name = rows.first()?.get("zone.standardname")?.as_str()?;
    Some(name.to_owned())
}

/// A user who may not read the own row has no known address.
fn addresses(answer: Option<Json>) -> BTreeSet<Address> {
    let address = |row: &Map<String, Json>| {
        row.get("internalemailaddress")?.as_str().and_then(Address::parse)
    };
    answer.and_then(odata::rows).unwrap_or_default().iter().filter_map(address).collect()
}
