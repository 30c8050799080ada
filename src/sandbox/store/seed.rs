//! The first rows of an organisation: units, roles, users with their mailboxes and settings, system
//! filters and templates. The rows that users make are not made here.

use super::queries::{
    OFFLINE_FILTER, OFFLINE_TEMPLATE, OUTLOOK_FILTER, OUTLOOK_TEMPLATE, system_queries,
};
use super::{Counters, Row, insert, text};
use crate::sandbox::clock;
use crate::sandbox::schema::{self, Table};
use crate::sandbox::security::{Depth, RIGHTS, Right};
use crate::sandbox::zone;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;

/// A user that the organisation shall have.
#[derive(Debug, Clone)]
pub struct User {
    /// Short name: of the token file, and the start of `domainname`.
    pub name: String,
    pub first: String,
    pub last: String,
    /// `internalemailaddress`.
    pub address: String,
    pub role: Role,
    /// In the branch, a unit below the head office, instead of the head office itself.
    pub branch: bool,
    /// `accessmode` 2: reads, and writes nothing.
    pub read_only: bool,
}

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything with the rows of the own business unit.
    Salesperson,
    /// Everything with the own rows.
    Basic,
    /// Everything.
    Administrator,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Salesperson => "Salesperson",
            Self::Basic => "Basic User",
            Self::Administrator => "System Administrator",
        }
    }
}

impl User {
    /// A salesperson of the head office, whose address is `name@example.org`.
    pub fn new(name: &str, first: &str, last: &str) -> Self {
        Self {
            name: name.to_owned(),
            first: first.to_owned(),
            last: last.to_owned(),
            address: format!("{name}@example.org"),
            role: Role::Salesperson,
            branch: false,
            read_only: false,
        }
    }

    /// anna, bo and carla are colleagues; dora only reads; erik sits in another unit and sees only
    /// what is his; admin may do all.
    pub fn defaults() -> Vec<Self> {
        vec![
            Self::new("anna", "Anna", "Andersson"),
            Self::new("bo", "Bo", "Berg"),
            Self::new("carla", "Carla", "Conti"),
            Self { read_only: true, ..Self::new("dora", "Dora", "Dietz") },
            Self { role: Role::Basic, branch: true, ..Self::new("erik", "Erik", "Ek") },
            Self { role: Role::Administrator, ..Self::new("admin", "Ada", "Admin") },
        ]
    }
}

/// What stands behind `@` in `domainname`.
const DOMAIN: &str = "sandbox.example";
const HEAD: &str = "Head Office";
const BRANCH: &str = "Branch";
/// File extensions that the service blocks when it is new.
const BLOCKED: &str = "ade;adp;app;asa;ashx;asmx;asp;bas;bat;cdx;cer;chm;class;cmd;com;config;cpl;crt;csh;dll;exe;fxp;hlp;hta;htr;htw;ida;idc;idq;inf;\
                       ins;isp;its;jar;js;jse;ksh;lnk;mad;maf;mag;mam;maq;mar;mas;mat;mau;mav;maw;mda;mdb;mde;mdt;mdw;mdz;msc;msh;msi;msp;mst;ops;pcd;pif;\
                       prf;prg;printer;pst;reg;rem;scf;scr;sct;shb;shs;shtm;shtml;soap;stm;tmp;url;vb;vbe;vbs;vsmacros;vss;vst;vsw;ws;wsc;wsf;wsh";

/// Makes what an organisation has before it has users.
pub(super) fn first(
    connection: &Connection,
    counters: &mut Counters,
    now: i64,
) -> Result<(), rusqlite::Error> {
    let mut seed = Seed { connection, counters, now };
    seed.row(
        "organization",
        &[
            ("name", Value::Text("Sandbox".into())),
            ("maxuploadfilesize", Value::Integer(5_242_880)),
            ("blockedattachments", Value::Text(BLOCKED.into())),
            ("expirechangetrackingindays", Value::Integer(7)),
            ("trackingprefix", Value::Text("CRM:".into())),
            ("trackingtokeniddigits", Value::Integer(3)),
            ("trackingtokenidbase", Value::Integer(1)),
            ("allowunresolvedpartiesonemailsend", Value::Integer(1)),
            ("recurrenceexpansionsynchcreatemax", Value::Integer(15)),
            ("languagecode", Value::Integer(1033)),
            ("localeid", Value::Integer(1033)),
            ("isduplicatedetectionenabled", Value::Integer(1)),
        ],
    )?;
    let head = seed.row("businessunit", &[("name", Value::Text(HEAD.into()))])?;
    let above = Value::Text(head.clone());
    let branch = seed.row(
        "businessunit",
        &[
            ("name", Value::Text(BRANCH.into())),
            ("parentbusinessunitid", above),
            ("parentbusinessunitid_type", Value::Text("businessunit".into())),
        ],
    )?;
    for (name, unit) in [(HEAD, &head), (BRANCH, &branch)] {
        let mut columns = vec![
            ("name", Value::Text(name.into())),
            ("isdefault", Value::Integer(1)),
            ("teamtype", Value::Integer(0)),
        ];
        columns.extend(lookup("businessunitid", "businessunit", unit));
        seed.row("team", &columns)?;
    }
    seed.zones()?;
    seed.privileges()?;
    for role in [Role::Salesperson, Role::Basic, Role::Administrator] {
        seed.role(role, &head)?;
    }
    Ok(())
}

/// Makes the users that are not there yet, and gives those that are the address they shall have.
pub(super) fn later(
    connection: &Connection,
    counters: &mut Counters,
    now: i64,
    users: &[User],
) -> Result<(), rusqlite::Error> {
    let mut seed = Seed { connection, counters, now };
    for user in users {
        match user_id(connection, &user.name)? {
            Some(id) => {
                let sql = "UPDATE systemuser SET internalemailaddress = ?1 WHERE systemuserid = ?2 AND internalemailaddress <> ?1";
                connection.execute(sql, params![user.address, id])?;
                connection.execute("UPDATE mailbox SET emailaddress = ?1 WHERE ownerid = ?2 AND emailaddress <> ?1", params![user.address, id])?;
            }
            None => seed.user(user)?,
        }
    }
    Ok(())
}

/// The GUID of the user of that short name.
pub fn user_id(connection: &Connection, name: &str) -> Result<Option<String>, rusqlite::Error> {
    connection
        .query_row(
            "SELECT systemuserid FROM systemuser WHERE domainname = ?",
            [format!("{name}@{DOMAIN}")],
            |row| row.get(0),
        )
        .optional()
}

fn lookup(column: &'static str, target: &'static str, id: &str) -> [(&'static str, Value); 2] {
    let kind = match column {
        "businessunitid" => "businessunitid_type",
        "ownerid" => "ownerid_type",
        "owninguser" => "owninguser_type",
        "owningbusinessunit" => "owningbusinessunit_type",
        "parentqueryid" => "parentqueryid_type",
        "defaultmailbox" => "defaultmailbox_type",
        _ => "regardingobjectid_type",
    };
    [(column, Value::Text(id.to_owned())), (kind, Value::Text(target.to_owned()))]
}

struct Seed<'a> {
    connection: &'a Connection,
    counters: &'a mut Counters,
    now: i64,
}

impl Seed<'_> {
    /// Inserts a row with a new id and the stamps.
    fn row(&mut self, logical: &str, columns: &[(&str, Value)]) -> Result<String, rusqlite::Error> {
        let table = schema::table(logical).ok_or(rusqlite::Error::InvalidQuery)?;
        let mut row: Row =
            columns.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        if text(&row, table.id).is_none() {
            row.insert(table.id.to_owned(), Value::Text(self.counters.random.guid()));
        }
        self.counters.version += 1;
        row.insert("versionnumber".to_owned(), Value::Integer(self.counters.version));
        for stamp in ["createdon", "modifiedon"] {
            row.insert(stamp.to_owned(), Value::Text(clock::text(self.now)));
        }
        for (column, value) in [("statecode", 0), ("statuscode", 1)] {
            if table.column(column).is_some() {
                row.entry(column.to_owned()).or_insert(Value::Integer(value));
            }
        }
        insert(self.connection, table, &row)?;
        Ok(text(&row, table.id).unwrap_or_default().to_owned())
    }

    fn zones(&mut self) -> Result<(), rusqlite::Error> {
        for zone in zone::ZONES {
            self.row(
                "timezonedefinition",
                &[
                    ("timezonecode", Value::Integer(zone.code)),
                    ("standardname", Value::Text(zone.standard.to_owned())),
                    ("userinterfacename", Value::Text(zone.display())),
                    ("bias", Value::Integer(zone.bias)),
                ],
            )?;
        }
        Ok(())
    }

    /// One row for each privilege that any table has.
    fn privileges(&mut self) -> Result<(), rusqlite::Error> {
        let names: BTreeSet<&str> = schema::tables().iter().map(|table| table.privilege).collect();
        for (right, name) in names.into_iter().flat_map(|name| RIGHTS.map(|right| (right, name))) {
            self.row(
                "privilege",
                &[
                    ("name", Value::Text(format!("prv{}{name}", right.name()))),
                    ("accessright", Value::Integer(right.flag())),
                    ("canbebasic", Value::Integer(1)),
                    ("canbelocal", Value::Integer(1)),
                    ("canbedeep", Value::Integer(1)),
                    ("canbeglobal", Value::Integer(1)),
                ],
            )?;
        }
        Ok(())
    }

    fn role(&mut self, role: Role, unit: &str) -> Result<(), rusqlite::Error> {
        let mut columns = vec![("name", Value::Text(role.name().to_owned()))];
        columns.extend(lookup("businessunitid", "businessunit", unit));
        let id = self.row("role", &columns)?;
        for (table, right) in
            schema::tables().iter().flat_map(|table| RIGHTS.map(|right| (table, right)))
        {
            if let Some(depth) = granted(role, table, right) {
                let name = crate::sandbox::security::privilege(right, table);
                let sql = "INSERT OR IGNORE INTO role_privilege (roleid, privilege, depth) VALUES (?1, ?2, ?3)";
                self.connection.execute(sql, params![id, name, depth.number()])?;
            }
        }
        Ok(())
    }

    fn user(&mut self, user: &User) -> Result<(), rusqlite::Error> {
        let unit: String = self.connection.query_row(
            "SELECT businessunitid FROM businessunit WHERE name = ?",
            [if user.branch { BRANCH } else { HEAD }],
            |row| row.get(0),
        )?;
        let directory = self.counters.random.guid();
        let mut columns = vec![
            ("firstname", Value::Text(user.first.clone())),
            ("lastname", Value::Text(user.last.clone())),
            ("fullname", Value::Text(format!("{} {}", user.first, user.last))),
            ("internalemailaddress", Value::Text(user.address.clone())),
            ("domainname", Value::Text(format!("{}@{DOMAIN}", user.name))),
            ("azureactivedirectoryobjectid", Value::Text(directory)),
            ("accessmode", Value::Integer(if user.read_only { 2 } else { 0 })),
            ("caltype", Value::Integer(0)),
            ("isdisabled", Value::Integer(0)),
            ("islicensed", Value::Integer(1)),
            ("issyncwithdirectory", Value::Integer(1)),
            ("emailrouteraccessapproval", Value::Integer(1)),
            ("isemailaddressapprovedbyo365admin", Value::Integer(1)),
            ("incomingemaildeliverymethod", Value::Integer(1)),
            ("outgoingemaildeliverymethod", Value::Integer(1)),
            ("defaultfilterspopulated", Value::Integer(1)),
        ];
        columns.extend(lookup("businessunitid", "businessunit", &unit));
        let id = self.row("systemuser", &columns)?;
        self.connection.execute(
            "INSERT INTO user_role (systemuserid, roleid) SELECT ?1, roleid FROM role WHERE name = ?2",
            params![id, user.role.name()],
        )?;
        let mailbox = self.mailbox(user, &id, &unit)?;
        self.connection.execute(
            "UPDATE systemuser SET defaultmailbox = ?1, defaultmailbox_type = 'mailbox' WHERE systemuserid = ?2",
            params![mailbox, id],
        )?;
        self.settings(&id, &unit)?;
        self.filters(&id, &unit)
    }

    fn mailbox(&mut self, user: &User, id: &str, unit: &str) -> Result<String, rusqlite::Error> {
        let mut columns = vec![
            ("name", Value::Text(format!("{} {}", user.first, user.last))),
            ("emailaddress", Value::Text(user.address.clone())),
            ("incomingemaildeliverymethod", Value::Integer(1)),
            ("outgoingemaildeliverymethod", Value::Integer(1)),
            ("actdeliverymethod", Value::Integer(0)),
            ("emailrouteraccessapproval", Value::Integer(1)),
            ("isemailaddressapprovedbyo365admin", Value::Integer(1)),
            ("incomingemailstatus", Value::Integer(0)),
            ("outgoingemailstatus", Value::Integer(0)),
            ("actstatus", Value::Integer(0)),
            ("mailboxstatus", Value::Integer(0)),
        ];
        columns.extend(lookup("regardingobjectid", "systemuser", id));
        columns.extend(owned(id, unit));
        self.row("mailbox", &columns)
    }

    fn settings(&mut self, id: &str, unit: &str) -> Result<(), rusqlite::Error> {
        let mut columns = vec![
            ("systemuserid", Value::Text(id.to_owned())),
            ("incomingemailfilteringmethod", Value::Integer(1)),
            ("timezonecode", Value::Integer(zone::DEFAULT)),
            ("localeid", Value::Integer(1033)),
            ("uilanguageid", Value::Integer(1033)),
            ("paginglimit", Value::Integer(50)),
            ("synccontactcompany", Value::Integer(1)),
            ("issendasallowed", Value::Integer(0)),
        ];
        columns.extend(lookup("businessunitid", "businessunit", unit));
        self.row("usersettings", &columns).map(|_| ())
    }

    /// The default filters, which every user gets from the templates. The templates are made with
    /// the first user.
    fn filters(&mut self, id: &str, unit: &str) -> Result<(), rusqlite::Error> {
        let templates: i64 =
            self.connection.query_row("SELECT COUNT(*) FROM savedquery", [], |row| row.get(0))?;
        if templates == 0 {
            for (name, logical, kind, fetch) in system_queries() {
                self.row(
                    "savedquery",
                    &[
                        ("name", Value::Text(name)),
                        ("returnedtypecode", Value::Text(logical.to_owned())),
                        ("querytype", Value::Integer(kind)),
                        (
                            "isdefault",
                            Value::Integer(i64::from(
                                kind == OUTLOOK_TEMPLATE || kind == OFFLINE_TEMPLATE,
                            )),
                        ),
                        ("isuserdefined", Value::Integer(0)),
                        ("canbedeleted", Value::Integer(0)),
                        ("fetchxml", Value::Text(fetch)),
                    ],
                )?;
            }
        }
        for columns in instantiated(self.connection, "isdefault = 1", id, unit)? {
            let columns: Vec<(&str, Value)> =
                columns.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            self.row("userquery", &columns)?;
        }
        Ok(())
    }
}

/// The user queries that templates become. `predicate` selects templates, in SQL.
pub fn instantiated(
    connection: &Connection,
    predicate: &str,
    id: &str,
    unit: &str,
) -> Result<Vec<Row>, rusqlite::Error> {
    let sql = format!(
        "SELECT savedqueryid, name, returnedtypecode, querytype, fetchxml FROM savedquery
         WHERE querytype IN ({OUTLOOK_TEMPLATE}, {OFFLINE_TEMPLATE}) AND {predicate} ORDER BY returnedtypecode, querytype"
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        let (template, name, kind): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(3)?);
        let mut columns = vec![
            ("name", Value::Text(name)),
            ("returnedtypecode", row.get(2)?),
            (
                "querytype",
                Value::Integer(if kind == OUTLOOK_TEMPLATE {
                    OUTLOOK_FILTER
                } else {
                    OFFLINE_FILTER
                }),
            ),
            ("fetchxml", row.get(4)?),
        ];
        columns.extend(lookup("parentqueryid", "savedquery", &template));
        columns.extend(owned(id, unit));
        Ok(columns.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    })?;
    rows.collect()
}

fn owned(id: &str, unit: &str) -> Vec<(&'static str, Value)> {
    [
        lookup("ownerid", "systemuser", id),
        lookup("owninguser", "systemuser", id),
        lookup("owningbusinessunit", "businessunit", unit),
    ]
    .concat()
}

/// What a role grants. Everybody reads users, units, roles, saved queries and time zones; settings, mailboxes
/// and user queries are one's own.
fn granted(role: Role, table: &Table, right: Right) -> Option<Depth> {
    let administrator = role == Role::Administrator;
    match table.logical {
        // Part of the product: nobody makes a time zone.
        "timezonedefinition" => matches!(right, Right::Read).then_some(Depth::Global),
        _ if administrator => Some(Depth::Global),
        "usersettings" => matches!(right, Right::Read | Right::Write).then_some(Depth::Basic),
        "mailbox" => matches!(right, Right::Read).then_some(Depth::Basic),
        "userquery" => Some(Depth::Basic),
        "systemuser" | "businessunit" | "team" | "queue" | "role" | "privilege"
        | "organization" | "savedquery" => {
            matches!(right, Right::Read | Right::AppendTo).then_some(Depth::Global)
        }
        _ if role == Role::Basic => Some(Depth::Basic),
        _ => Some(Depth::Local),
    }
}
