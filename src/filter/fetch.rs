//! Sync filters: which records of a table take part, as `FetchXML`. Filters of one class form a union; a class without one
//! does not sync.
//!
//! A filter is kept in one canonical form that asks for nothing but ids and versions, so that its text is also its
//! identity. Must not know how pages are asked for: `page`, `count` and cookies are the connector's.
//! <https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/overview>

use sha2::{Digest, Sha256};

use crate::model::{Class, Table};

mod condition;
mod xml;

use xml::Element;

/// Why a filter is refused: a sentence for the person who wrote it, lower case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

/// One sync filter, known to be well-formed and about its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    name: String,
    table: Table,
    fetchxml: String,
}

impl Filter {
    /// A filter from `FetchXML`. Columns, orders and paging are taken out: a filter says which rows, and nothing else.
    ///
    /// # Errors
    /// [`Invalid`] when the text is not well-formed, too large or too deep, about no table of the class, or would list a
    /// part only (`top`, `aggregate`).
    pub fn fetchxml(name: &str, class: Class, text: &str) -> Result<Self, Invalid> {
        let mut fetch = xml::parse(text)?;
        let table = reduce(&mut fetch, class)?;
        Ok(Self { name: name.to_owned(), table, fetchxml: fetch.to_string() })
    }

    /// A filter from conditions, all of which must hold: `statecode eq 0`, `ownerid eq-userid`, `statuscode in 1, 2`,
    /// `fullname like 'Ann%'`, `emailaddress1 not-null`, `createdon last-x-days 30`.
    ///
    /// # Errors
    /// [`Invalid`] when a condition cannot be read.
    pub fn conditions<S: AsRef<str>>(
        name: &str,
        table: Table,
        conditions: &[S],
    ) -> Result<Self, Invalid> {
        if conditions.is_empty() {
            return Err(Invalid("a filter needs at least one condition".to_owned()));
        }
        let mut filter = Element::new("filter").with("type", "and");
        for text in conditions {
            filter.children.push(condition::parse(text.as_ref())?);
        }
        let entity = Element::new("entity").with("name", table.logical_name()).holding(filter);
        let fetch = Element::new("fetch").holding(entity).to_string();
        Self::fetchxml(name, table.class(), &fetch)
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn table(&self) -> Table {
        self.table
    }

    /// The canonical `FetchXML`: the rows' ids and versions, in no order, without paging.
    pub fn as_fetchxml(&self) -> &str {
        &self.fetchxml
    }
}

/// The filters that a class has unless the user chose others: contacts I own and active, tasks I own and open,
/// appointments and series that I organise or am invited to and that are not cancelled. Messages have none.
pub fn defaults(class: Class) -> Vec<Filter> {
    let of = |name: &str, table: Table, fetchxml: &str| Filter {
        name: name.to_owned(),
        table,
        fetchxml: fetchxml.to_owned(),
    };
    match class {
        Class::Contact => vec![of("my active contacts", Table::Contact, MY_CONTACTS)],
        Class::Task => vec![of("my open tasks", Table::Task, MY_TASKS)],
        Class::Appointment => vec![
            of("my appointments", Table::Appointment, MY_APPOINTMENTS),
            of("my series", Table::RecurringAppointmentMaster, MY_SERIES),
        ],
        Class::Email => Vec::new(),
    }
}

/// A name for a set of filters that changes when, and only when, the set does. What is listed under one fingerprint says
/// nothing about what was listed under another: a changed filter is never evidence that something is gone.
pub fn fingerprint(filters: &[Filter]) -> String {
    let mut texts: Vec<&str> = filters.iter().map(Filter::as_fetchxml).collect();
    texts.sort_unstable();
    texts.dedup();
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    }
    format!("{:x}", digest.finalize())
}

/// Joins with other tables that a query may have, and conditions in all.
/// <https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/join-tables#limitations>
const LINKS_MAX: usize = 15;
const CONDITIONS_MAX: usize = 500;

/// Attributes that change nothing about which rows there are, or that belong to paging.
const IDLE: &[&str] = &[
    "version",
    "output-format",
    "mapping",
    "distinct",
    "no-lock",
    "page",
    "count",
    "paging-cookie",
    "returntotalrecordcount",
    "latematerialize",
    "savedqueryid",
    "useraworderby",
    "utc-offset",
    "options",
];

/// Brings a query to the canonical form and says which table it is about.
fn reduce(fetch: &mut Element, class: Class) -> Result<Table, Invalid> {
    if fetch.name != "fetch" {
        return Err(Invalid(format!("a filter starts with `fetch`, not with `{}`", fetch.name)));
    }
    if fetch.attributes.get("aggregate").is_some_and(|value| value == "false") {
        fetch.attributes.remove("aggregate");
    }
    if let Some(name) = fetch.attributes.keys().find(|name| !IDLE.contains(&name.as_str())) {
        return Err(Invalid(format!("a filter must list every row: take out `{name}`")));
    }
    let [entity] = fetch.children.as_mut_slice() else {
        return Err(Invalid("a filter has exactly one `entity`".to_owned()));
    };
    if entity.name != "entity" {
        return Err(Invalid(format!("`fetch` holds an `entity`, not `{}`", entity.name)));
    }
    let named = entity.attributes.get("name").map(String::as_str).unwrap_or_default();
    let Some(table) = Table::named(named).filter(|table| table.class() == class) else {
        let right = Table::ALL.into_iter().filter(|table| table.class() == class);
        let right: Vec<String> = right.map(|table| format!("`{}`", table.logical_name())).collect();
        return Err(Invalid(format!(
            "the filter is about `{named}`; a filter of class {class} is about {}",
            right.join(" or ")
        )));
    };
    let mut counts = Counts::default();
    tidy(entity, &mut counts)?;
    let columns = [table.id_column(), "versionnumber"];
    let columns = columns.map(|column| Element::new("attribute").with("name", column));
    entity.children.splice(0..0, columns);
    fetch.text.clear();
    fetch.attributes.clear();
    if counts.links > 0 {
        // A row joined with several others would be listed several times.
        fetch.attributes.insert("distinct".to_owned(), "true".to_owned());
    }
    Ok(table)
}

#[derive(Default)]
struct Counts {
    links: usize,
    conditions: usize,
}

/// Takes out of an element what does not choose rows, and refuses what is not known. The depth is bounded by the parser.
fn tidy(element: &mut Element, counts: &mut Counts) -> Result<(), Invalid> {
    let (kept, children): (&[&str], &[&str]) = match element.name.as_str() {
        "entity" => (&["name"], &["filter", "link-entity"]),
        "link-entity" => {
            (&["name", "from", "to", "alias", "link-type", "intersect"], &["filter", "link-entity"])
        }
        "filter" => (&["type"], &["filter", "condition", "link-entity"]),
        "condition" => (&["attribute", "operator", "value", "valueof", "entityname"], &["value"]),
        _ => (&[], &[]),
    };
    element.attributes.retain(|name, _| kept.contains(&name.as_str()));
    let lists_columns = matches!(element.name.as_str(), "entity" | "link-entity");
    if lists_columns {
        element.children.retain(|child| {
            !matches!(child.name.as_str(), "attribute" | "all-attributes" | "no-attrs" | "order")
        });
    }
    if element.name != "value" {
        element.text.clear();
    }
    counts.links += usize::from(element.name == "link-entity");
    counts.conditions += usize::from(element.name == "condition");
    if counts.links > LINKS_MAX || counts.conditions > CONDITIONS_MAX {
        return Err(Invalid(format!(
            "a filter has at most {LINKS_MAX} `link-entity` and {CONDITIONS_MAX} `condition`"
        )));
    }
    check(element)?;
    for child in &mut element.children {
        if !children.contains(&child.name.as_str()) {
            return Err(Invalid(format!("`{}` cannot hold `{}`", element.name, child.name)));
        }
        tidy(child, counts)?;
    }
    Ok(())
}

/// What must be there in an element for the server to understand it.
fn check(element: &Element) -> Result<(), Invalid> {
    let has = |name: &str| element.attributes.get(name).map(String::as_str).unwrap_or_default();
    let open = |text: &str| is_placeholder(text);
    if element.attributes.values().any(|value| open(value)) || open(&element.text) {
        // Part of a quick find, which fills it in when somebody types; left as it is, it would mean the text itself.
        return Err(Invalid("it waits for a search term (`{0}`)".to_owned()));
    }
    match element.name.as_str() {
        "condition" if has("attribute").is_empty() => {
            Err(Invalid("a `condition` needs an `attribute`".to_owned()))
        }
        "condition" if !is_word(has("operator")) => {
            Err(Invalid(format!("the `condition` on `{}` needs an `operator`", has("attribute"))))
        }
        "link-entity" if has("name").is_empty() => {
            Err(Invalid("a `link-entity` needs a `name`".to_owned()))
        }
        "filter" if !matches!(has("type"), "" | "and" | "or") => {
            Err(Invalid(format!("a `filter` is of type `and` or `or`, not `{}`", has("type"))))
        }
        _ => Ok(()),
    }
}

/// `{0}`, alone or between wildcards. A GUID in braces is none.
fn is_placeholder(text: &str) -> bool {
    text.split('{').skip(1).any(|rest| {
        let inside = rest.split_once('}').map(|(inside, _)| inside);
        inside.is_some_and(|inside| {
            (1..=2).contains(&inside.len()) && inside.bytes().all(|byte| byte.is_ascii_digit())
        })
    })
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

// In the canonical form, as a test checks.

const MY_CONTACTS: &str = r#"<fetch><entity name="contact"><attribute name="contactid"/><attribute name="versionnumber"/><filter type="and"><condition attribute="ownerid" operator="eq-userid"/><condition attribute="statecode" operator="eq" value="0"/></filter></entity></fetch>"#;

const MY_TASKS: &str = r#"<fetch><entity name="task"><attribute name="activityid"/><attribute name="versionnumber"/><filter type="and"><condition attribute="ownerid" operator="eq-userid"/><condition attribute="statecode" operator="eq" value="0"/></filter></entity></fetch>"#;

// State: open or scheduled. Parties: required or optional attendee, organiser.

const MY_APPOINTMENTS: &str = r#"<fetch distinct="true"><entity name="appointment"><attribute name="activityid"/><attribute name="versionnumber"/><filter type="and"><condition attribute="statecode" operator="in"><value>0</value><value>3</value></condition></filter><link-entity alias="party" from="activityid" link-type="inner" name="activityparty" to="activityid"><filter type="and"><condition attribute="partyid" operator="eq-userid"/><condition attribute="participationtypemask" operator="in"><value>5</value><value>6</value><value>7</value></condition></filter></link-entity></entity></fetch>"#;

const MY_SERIES: &str = r#"<fetch distinct="true"><entity name="recurringappointmentmaster"><attribute name="activityid"/><attribute name="versionnumber"/><filter type="and"><condition attribute="statecode" operator="in"><value>0</value><value>3</value></condition></filter><link-entity alias="party" from="activityid" link-type="inner" name="activityparty" to="activityid"><filter type="and"><condition attribute="partyid" operator="eq-userid"/><condition attribute="participationtypemask" operator="in"><value>5</value><value>6</value><value>7</value></condition></filter></link-entity></entity></fetch>"#;

#[cfg(test)]
mod tests;
