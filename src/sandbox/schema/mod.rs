//! What the organisation's tables look like: columns, types, lengths, option sets, lookups and
//! collections, as the Dataverse table reference describes them. It is plain data and knows neither
//! HTTP nor SQL.
//!
//! Storage convention that every other module relies on: one STRICT table an entity, named as its
//! logical name, each column under its own name. GUIDs are lower-case text; `DateTime` is text like
//! `2026-01-02T10:00:00Z`, `Date` is `1980-02-03`, a boolean is 0 or 1. A lookup column `x` is two
//! SQL columns: `x` (the GUID) and `x_type` (the logical name of what it points to).
//! `activitypointer` is a view over all activities.

use std::sync::LazyLock;

mod activities;
mod administration;
mod parties;
mod people;

/// The type of a column, with what limits its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The primary key, a GUID. A client may choose it on create.
    Key,
    /// A GUID that points nowhere in particular.
    Guid,
    /// One line, at most `max` UTF-16 units.
    Text {
        max: u32,
    },
    /// Several lines, at most `max` UTF-16 units.
    Memo {
        max: u32,
    },
    /// A whole number within the two bounds.
    Integer {
        min: i64,
        max: i64,
    },
    /// A 64-bit number (`versionnumber`).
    BigInt,
    Boolean,
    /// A moment in UTC.
    DateTime,
    /// A day without time or zone.
    Date,
    /// One of the numbered options.
    Picklist {
        options: &'static [(i32, &'static str)],
    },
    /// `statecode`.
    State {
        options: &'static [(i32, &'static str)],
    },
    /// `statuscode`: status, the state it belongs to, label. The first status of a state is that
    /// state's default.
    Status {
        options: &'static [(i32, i32, &'static str)],
    },
    /// A reference to a row of one of the target tables.
    Lookup {
        targets: &'static [&'static str],
    },
    /// Base64 text.
    Binary,
    /// The logical name of a table.
    EntityName,
}

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    /// `IsValidForCreate`: otherwise a create drops the value in silence.
    pub create: bool,
    /// `IsValidForUpdate`: otherwise an update drops the value in silence.
    pub update: bool,
    /// `IsValidForRead`.
    pub read: bool,
    /// `RequiredLevel` is `SystemRequired`: a create without it is refused.
    pub required: bool,
}

impl Column {
    /// A column that can be created, updated and read, and may be empty.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, create: true, update: true, read: true, required: false }
    }

    /// The same column, written by the service alone.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.create = false;
        self.update = false;
        self
    }

    /// The same column, fixed once the row exists.
    #[must_use]
    pub const fn create_only(mut self) -> Self {
        self.update = false;
        self
    }

    /// The same column, ignored on create (`statecode` of activities).
    #[must_use]
    pub const fn update_only(mut self) -> Self {
        self.create = false;
        self
    }

    /// The same column, without which there is no row.
    #[must_use]
    pub const fn needed(mut self) -> Self {
        self.required = true;
        self
    }
}

/// A one-to-many navigation property, such as `email_activity_parties`.
#[derive(Debug, Clone, Copy)]
pub struct Collection {
    pub name: &'static str,
    /// Logical name of the table that holds the rows.
    pub table: &'static str,
    /// The lookup column in that table which points back.
    pub key: &'static str,
}

/// A single-valued navigation property: the spelling used by `@odata.bind` and `$expand`.
#[derive(Debug, Clone)]
pub struct Navigation {
    pub name: String,
    /// The lookup column behind it.
    pub column: &'static str,
    /// The tables this spelling may point to: one, save for `ownerid`.
    pub targets: Vec<&'static str>,
}

/// Who owns rows of a table, and so which privilege depths mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// `ownerid` is a user or team.
    User,
    /// The row belongs to a business unit (`systemuser`, `businessunit`).
    Unit,
    /// Rows belong to the whole organisation.
    Organisation,
    /// Rows share the rights of the row they hang on (`activityparty`, attachments).
    Parent,
}

/// One table.
#[derive(Debug, Clone)]
pub struct Table {
    pub logical: &'static str,
    pub schema: &'static str,
    /// Entity set name: the spelling in URLs.
    pub set: &'static str,
    /// Object type code.
    pub code: i32,
    /// Primary key column.
    pub id: &'static str,
    pub primary_name: &'static str,
    pub columns: Vec<Column>,
    pub collections: &'static [Collection],
    pub navigations: Vec<Navigation>,
    pub ownership: Ownership,
    /// What stands after `prvRead`, `prvWrite`, … in privilege names.
    pub privilege: &'static str,
    /// Alternate keys, each one column.
    pub keys: &'static [&'static str],
    /// A kind of activity (not the union itself).
    pub activity: bool,
    pub change_tracking: bool,
    pub optimistic: bool,
    /// `IsAvailableOffline`.
    pub offline: bool,
    pub notes: bool,
    /// `IsDuplicateDetectionEnabled`.
    pub duplicates: bool,
}

impl Table {
    /// The column of that logical name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The single-valued navigation property of exactly that spelling.
    pub fn navigation(&self, name: &str) -> Option<&Navigation> {
        self.navigations.iter().find(|navigation| navigation.name == name)
    }

    /// The collection-valued navigation property of exactly that spelling.
    pub fn collection(&self, name: &str) -> Option<&'static Collection> {
        self.collections.iter().find(|collection| collection.name == name)
    }
}

/// The table of that logical name.
pub fn table(logical: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.logical == logical)
}

/// The table of that entity set name.
pub fn by_set(set: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.set == set)
}

/// All tables, in a fixed order.
pub fn tables() -> &'static [Table] {
    &TABLES
}

static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    people::tables()
        .into_iter()
        .chain(activities::tables())
        .chain(administration::tables())
        .map(finish)
        .collect()
});

/// What one module says of a table before the common columns and the navigation properties are
/// added.
struct Draft {
    logical: &'static str,
    schema: &'static str,
    set: &'static str,
    code: i32,
    id: &'static str,
    primary_name: &'static str,
    columns: Vec<Column>,
    collections: &'static [Collection],
    ownership: Ownership,
    privilege: &'static str,
    keys: &'static [&'static str],
    flags: Flags,
}

#[derive(Clone, Copy, Default)]
struct Flags {
    activity: bool,
    change_tracking: bool,
    optimistic: bool,
    offline: bool,
    notes: bool,
    duplicates: bool,
}

/// The lookups and stamps that every table of that ownership carries.
fn common(ownership: Ownership) -> Vec<Column> {
    let mut columns = vec![
        Column::new("createdon", Kind::DateTime).read_only(),
        Column::new("createdby", Kind::Lookup { targets: USER }).read_only(),
        Column::new("modifiedon", Kind::DateTime).read_only(),
        Column::new("modifiedby", Kind::Lookup { targets: USER }).read_only(),
        Column::new("versionnumber", Kind::BigInt).read_only(),
        Column::new("overriddencreatedon", Kind::DateTime).create_only(),
        Column::new(
            "importsequencenumber",
            Kind::Integer { min: i64::from(i32::MIN), max: i64::from(i32::MAX) },
        )
        .create_only(),
    ];
    if ownership == Ownership::User {
        columns.extend([
            Column::new("ownerid", Kind::Lookup { targets: &["systemuser", "team"] }),
            Column::new("owningbusinessunit", Kind::Lookup { targets: &["businessunit"] })
                .read_only(),
            Column::new("owninguser", Kind::Lookup { targets: USER }).read_only(),
            Column::new("owningteam", Kind::Lookup { targets: &["team"] }).read_only(),
        ]);
    }
    columns
}

const USER: &[&str] = &["systemuser"];

fn finish(draft: Draft) -> Table {
    let mut columns = vec![Column::new(draft.id, Kind::Key).create_only()];
    columns.extend(draft.columns);
    for column in common(draft.ownership) {
        if !columns.iter().any(|own| own.name == column.name) {
            columns.push(column);
        }
    }
    let navigations =
        columns.iter().flat_map(|column| navigations(draft.logical, column)).collect();
    Table {
        logical: draft.logical,
        schema: draft.schema,
        set: draft.set,
        code: draft.code,
        id: draft.id,
        primary_name: draft.primary_name,
        columns,
        collections: draft.collections,
        navigations,
        ownership: draft.ownership,
        privilege: draft.privilege,
        keys: draft.keys,
        activity: draft.flags.activity,
        change_tracking: draft.flags.change_tracking,
        optimistic: draft.flags.optimistic,
        offline: draft.flags.offline,
        notes: draft.flags.notes,
        duplicates: draft.flags.duplicates,
    }
}

/// A polymorphic lookup has one property a target (`parentcustomerid_account`), regarding of an
/// activity ends with the activity's own name (`regardingobjectid_account_task`), an owner is one
/// property for users and teams.
fn navigations(logical: &str, column: &Column) -> Vec<Navigation> {
    let Kind::Lookup { targets } = column.kind else { return Vec::new() };
    let suffixed = matches!(
        column.name,
        "regardingobjectid"
            | "partyid"
            | "objectid"
            | "parentcustomerid"
            | "customerid"
            | "activityid"
    );
    if !suffixed {
        return vec![Navigation {
            name: column.name.to_owned(),
            column: column.name,
            targets: targets.to_vec(),
        }];
    }
    let spelled = |target: &&'static str| {
        let name = match (column.name, logical) {
            ("regardingobjectid", "activitypointer" | "mailbox") => {
                format!("regardingobjectid_{target}")
            }
            ("regardingobjectid", _) => format!("regardingobjectid_{target}_{logical}"),
            _ => format!("{}_{target}", column.name),
        };
        Navigation { name, column: column.name, targets: vec![*target] }
    };
    targets.iter().map(spelled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_every_reference_resolves() {
        let mut sets = BTreeSet::new();
        for entry in tables() {
            assert!(sets.insert(entry.set), "{} twice", entry.set);
            let mut names = BTreeSet::new();
            for column in &entry.columns {
                assert!(names.insert(column.name), "{}.{} twice", entry.logical, column.name);
                if let Kind::Lookup { targets } = column.kind {
                    for target in targets {
                        assert!(
                            table(target).is_some(),
                            "{}.{} points to {target}",
                            entry.logical,
                            column.name
                        );
                    }
                }
            }
            assert!(entry.column(entry.primary_name).is_some(), "{}", entry.logical);
            for collection in entry.collections {
                let other = table(collection.table).expect(collection.name);
                let key = other.column(collection.key).expect(collection.name);
                assert!(
                    matches!(key.kind, Kind::Lookup { targets } if targets.contains(&entry.logical)),
                    "{}",
                    collection.name
                );
            }
        }
    }

    #[test]
    fn navigation_properties_are_spelled_as_documented() {
        assert!(table("task").unwrap().navigation("regardingobjectid_account_task").is_some());
        assert!(table("task").unwrap().navigation("regardingobjectid_account").is_none());
        assert!(table("contact").unwrap().navigation("parentcustomerid_account").is_some());
        assert!(table("activityparty").unwrap().navigation("partyid_systemuser").is_some());
        assert_eq!(
            table("email").unwrap().navigation("ownerid").unwrap().targets,
            ["systemuser", "team"]
        );
    }
}
