//! The SQL tables, made from the schema: one STRICT table an entity, the union of the activities as
//! a view, and the service's own books.

use super::{quoted, sql_columns};
use crate::sandbox::schema::{self, Column, Kind, Table};
use rusqlite::Connection;

/// Makes what is missing; says whether the organisation is new.
pub(super) fn create(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let fresh: i64 = connection.query_row(
        "SELECT COUNT(*) = 0 FROM sqlite_schema WHERE name = 'meta'",
        [],
        |row| row.get(0),
    )?;
    if fresh == 0 {
        return Ok(false);
    }
    connection.execute_batch(BOOKS)?;
    for table in schema::tables() {
        let sql = if table.logical == "activitypointer" { union(table) } else { statement(table) };
        connection.execute_batch(&sql)?;
    }
    for table in schema::tables().iter().filter(|table| table.activity) {
        connection.execute_batch(&triggers(table.logical))?;
    }
    connection.execute_batch(INDEXES)?;
    Ok(true)
}

/// The service's own books. `activity` holds every activity of whatever kind, so that a GUID is
/// unique over all of them and rows that hang on an activity can be judged by its owner.
const BOOKS: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) STRICT;
CREATE TABLE audit (logical TEXT NOT NULL, id TEXT NOT NULL, creates INTEGER NOT NULL, PRIMARY KEY (logical, id)) STRICT, WITHOUT ROWID;
CREATE TABLE tombstone (logical TEXT NOT NULL, id TEXT NOT NULL, versionnumber INTEGER NOT NULL, deletedon INTEGER NOT NULL,
  PRIMARY KEY (logical, id)) STRICT, WITHOUT ROWID;
CREATE INDEX tombstone_version ON tombstone (logical, versionnumber);
CREATE TABLE activity (activityid TEXT PRIMARY KEY NOT NULL, type TEXT NOT NULL, ownerid TEXT, owningbusinessunit TEXT) STRICT, WITHOUT ROWID;
CREATE INDEX activity_owner ON activity (ownerid);
CREATE TABLE user_role (systemuserid TEXT NOT NULL, roleid TEXT NOT NULL, PRIMARY KEY (systemuserid, roleid)) STRICT, WITHOUT ROWID;
CREATE TABLE role_privilege (roleid TEXT NOT NULL, privilege TEXT NOT NULL, depth INTEGER NOT NULL, PRIMARY KEY (roleid, privilege)) STRICT, WITHOUT ROWID;
CREATE TABLE team_member (teamid TEXT NOT NULL, systemuserid TEXT NOT NULL, PRIMARY KEY (teamid, systemuserid)) STRICT, WITHOUT ROWID;
CREATE TABLE share (objectid TEXT NOT NULL, principalid TEXT NOT NULL, rights INTEGER NOT NULL, PRIMARY KEY (objectid, principalid)) STRICT, WITHOUT ROWID;
CREATE TABLE upload (token TEXT PRIMARY KEY NOT NULL, target TEXT NOT NULL) STRICT;
CREATE TABLE upload_block (token TEXT NOT NULL, block TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (token, block)) STRICT;
";

const INDEXES: &str = "
CREATE INDEX contact_email ON contact (emailaddress1 COLLATE NOCASE);
CREATE INDEX contact_email2 ON contact (emailaddress2 COLLATE NOCASE);
CREATE INDEX contact_parent ON contact (parentcustomerid);
CREATE INDEX account_email ON account (emailaddress1 COLLATE NOCASE);
CREATE INDEX lead_email ON lead (emailaddress1 COLLATE NOCASE);
CREATE INDEX party_activity ON activityparty (activityid);
CREATE INDEX party_party ON activityparty (partyid);
CREATE INDEX attachment_object ON activitymimeattachment (objectid);
CREATE INDEX annotation_object ON annotation (objectid);
CREATE INDEX appointment_series ON appointment (seriesid);
CREATE INDEX email_message ON email (messageid);
";

fn statement(table: &Table) -> String {
    let columns: Vec<String> = table.columns.iter().flat_map(definitions).collect();
    let (logical, name) = (table.logical, quoted(table.logical));
    let index = |column: &str| format!("CREATE INDEX {logical}_{column} ON {name} ({column});\n");
    let wanted = [
        ("ownerid", table.column("ownerid").is_some()),
        ("regardingobjectid", table.column("regardingobjectid").is_some()),
        ("versionnumber", table.change_tracking),
    ];
    let indexes: String =
        wanted.iter().filter(|(_, on)| *on).map(|(column, _)| index(column)).collect();
    format!("CREATE TABLE {name} ({}) STRICT;\n{indexes}", columns.join(", "))
}

fn definitions(column: &Column) -> Vec<String> {
    let sort = match column.kind {
        Kind::Key => "TEXT PRIMARY KEY NOT NULL",
        Kind::Integer { .. }
        | Kind::BigInt
        | Kind::Boolean
        | Kind::Picklist { .. }
        | Kind::State { .. }
        | Kind::Status { .. } => "INTEGER",
        Kind::Guid
        | Kind::Text { .. }
        | Kind::Memo { .. }
        | Kind::DateTime
        | Kind::Date
        | Kind::Lookup { .. }
        | Kind::Binary
        | Kind::EntityName => "TEXT",
    };
    sql_columns(column.name, column.kind)
        .iter()
        .map(|name| format!("{} {sort}", quoted(name)))
        .collect()
}

/// The union of the activities. State and status of the kinds are folded into the union's own
/// numbers.
fn union(pointer: &Table) -> String {
    let select = |kind: &&Table| {
        let columns: Vec<String> =
            pointer.columns.iter().flat_map(|column| source(column, kind)).collect();
        format!("SELECT {} FROM {}", columns.join(", "), quoted(kind.logical))
    };
    let kinds: Vec<&Table> = schema::tables().iter().filter(|table| table.activity).collect();
    let selects: Vec<String> = kinds.iter().map(select).collect();
    format!("CREATE VIEW activitypointer AS {};\n", selects.join(" UNION ALL "))
}

fn source(column: &Column, kind: &Table) -> Vec<String> {
    match column.name {
        "statuscode" => vec!["statecode + 1 AS statuscode".to_owned()],
        name if kind.column(name).is_none() => vec![format!("NULL AS {}", quoted(name))],
        name => sql_columns(name, column.kind).iter().map(|name| quoted(name)).collect(),
    }
}

fn triggers(logical: &str) -> String {
    let table = quoted(logical);
    format!(
        "CREATE TRIGGER {logical}_added AFTER INSERT ON {table} BEGIN
           INSERT INTO activity (activityid, type, ownerid, owningbusinessunit) VALUES (new.activityid, '{logical}', new.ownerid, new.owningbusinessunit); END;
         CREATE TRIGGER {logical}_assigned AFTER UPDATE OF ownerid, owningbusinessunit ON {table} BEGIN
           UPDATE activity SET ownerid = new.ownerid, owningbusinessunit = new.owningbusinessunit WHERE activityid = new.activityid; END;
         CREATE TRIGGER {logical}_removed AFTER DELETE ON {table} BEGIN DELETE FROM activity WHERE activityid = old.activityid; END;
        "
    )
}
