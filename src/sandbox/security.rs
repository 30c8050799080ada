//! Who may do what with which row: roles give privileges, a privilege reaches the caller's own rows
//! (Basic), the business unit's (Local), those of the units below it too (Deep), or all (Global); a
//! share adds single rows.

use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::{Ownership, Table};
use crate::sandbox::store::{self, Row};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;

/// What a privilege allows. The numbers are `privilege.accessright`, which are also the flags of a
/// share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    Read = 1,
    Write = 2,
    Append = 4,
    AppendTo = 16,
    Create = 32,
    Delete = 65_536,
    Share = 262_144,
    Assign = 524_288,
}

/// All rights in the order in which the service lists them.
pub const RIGHTS: [Right; 8] = [
    Right::Read,
    Right::Write,
    Right::Share,
    Right::Assign,
    Right::Append,
    Right::AppendTo,
    Right::Create,
    Right::Delete,
];

impl Right {
    /// As in privilege names: `prvRead…`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Append => "Append",
            Self::AppendTo => "AppendTo",
            Self::Create => "Create",
            Self::Delete => "Delete",
            Self::Share => "Share",
            Self::Assign => "Assign",
        }
    }

    /// The flag in a share's mask and in `privilege.accessright`.
    pub fn flag(self) -> i64 {
        i64::from(self as i32)
    }
}

/// How far a privilege reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    Basic = 1,
    Local = 2,
    Deep = 4,
    Global = 8,
}

impl Depth {
    /// As in `RetrieveUserPrivileges`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Basic => "Basic",
            Self::Local => "Local",
            Self::Deep => "Deep",
            Self::Global => "Global",
        }
    }

    /// The depth of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Basic, Self::Local, Self::Deep, Self::Global]
            .into_iter()
            .find(|depth| depth.name() == name)
    }

    /// The number under which it is stored.
    pub fn number(self) -> i64 {
        i64::from(self as i32)
    }

    fn from_number(number: i64) -> Self {
        match number {
            8.. => Self::Global,
            4.. => Self::Deep,
            2.. => Self::Local,
            _ => Self::Basic,
        }
    }
}

/// The user in whose name an operation runs, with everything that decides what it may do.
#[derive(Debug, Clone)]
pub struct Caller {
    /// `systemuserid`.
    pub id: String,
    /// Business unit.
    pub unit: String,
    /// `systemuser.accessmode`: 0 read-write, 2 read.
    pub accessmode: i64,
    /// The unit and all units below it.
    units: Vec<String>,
    /// The user and the user's teams.
    principals: Vec<String>,
    /// By privilege name.
    depths: BTreeMap<String, Depth>,
    shares: bool,
}

impl Caller {
    /// Reads the user's row, roles and teams.
    pub fn load(connection: &Connection, id: &str) -> Result<Self, Refusal> {
        let found = connection
            .prepare_cached("SELECT businessunitid, COALESCE(accessmode, 0), COALESCE(isdisabled, 0) FROM systemuser WHERE systemuserid = ?")?
            .query_row([id], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, bool>(2)?)))
            .optional()?;
        let Some((unit, accessmode, disabled)) = found else {
            return Err(Refusal::new(
                403,
                "0x80072560",
                "The user is not a member of the organization.",
            ));
        };
        if disabled {
            let message = format!(
                "The user with SystemUserId={id} in OrganizationContext=sandbox is disabled."
            );
            return Err(Refusal::new(403, "0x80040225", message));
        }
        let mut principals = vec![id.to_owned()];
        principals.extend(list(
            connection,
            "SELECT teamid FROM team_member WHERE systemuserid = ?",
            id,
        )?);
        let units = list(
            connection,
            "WITH RECURSIVE below (id) AS (SELECT ?1 UNION SELECT businessunitid FROM businessunit, below WHERE parentbusinessunitid = below.id)
             SELECT id FROM below",
            &unit,
        )?;
        let depths = connection
            .prepare_cached(
                "SELECT privilege, MAX(depth) FROM role_privilege JOIN user_role USING (roleid) WHERE systemuserid = ? GROUP BY privilege",
            )?
            .query_map([id], |row| Ok((row.get(0)?, Depth::from_number(row.get(1)?))))?
            .collect::<Result<_, _>>()?;
        let shares = principals.iter().try_fold(false, |found, principal| {
            let shared: bool = connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM share WHERE principalid = ?)")?
                .query_row([principal], |row| row.get(0))?;
            Ok::<_, rusqlite::Error>(found || shared)
        })?;
        Ok(Self { id: id.to_owned(), unit, accessmode, units, principals, depths, shares })
    }

    /// Every privilege of the user and how far it reaches.
    pub fn privileges(&self) -> impl Iterator<Item = (&str, Depth)> {
        self.depths.iter().map(|(name, depth)| (name.as_str(), *depth))
    }

    /// How far that right reaches in that table; `None` is not at all.
    pub fn depth(&self, right: Right, table: &Table) -> Option<Depth> {
        self.depths.get(&privilege(right, table)).copied()
    }

    /// Refuses a right that the user has nowhere in the table, and any write of a read-only user.
    pub fn require(&self, right: Right, table: &Table) -> Result<(), Refusal> {
        if right != Right::Read && self.accessmode == 2 {
            let message = format!(
                "The user with id {} has read-only access mode and may not perform this operation (missing {} privilege).",
                self.id,
                privilege(right, table)
            );
            return Err(Refusal::new(403, "0x80040220", message));
        }
        match self.depth(right, table) {
            Some(_) => Ok(()),
            None => Err(Refusal::new(
                403,
                "0x80040220",
                format!(
                    "Principal user (Id={}, type=8, roleCount=1, privilegeCount={}, accessMode='{} Read-Write'), is missing {} privilege on OTC={} for entity '{}'.",
                    self.id,
                    self.depths.len(),
                    self.accessmode,
                    privilege(right, table),
                    table.code,
                    table.logical
                ),
            )),
        }
    }

    /// A predicate in SQL that holds for the rows of the table, named by `alias`, that the user may
    /// read.
    pub fn readable(&self, table: &Table, alias: &str) -> String {
        let Some(depth) = self.depth(Right::Read, table) else { return "0".to_owned() };
        if depth == Depth::Global {
            return "1".to_owned();
        }
        match table.ownership {
            Ownership::Organisation => "1".to_owned(),
            Ownership::User => self.owned(depth, alias, &format!("{alias}.{}", table.id)),
            Ownership::Unit if table.logical == "usersettings" => {
                format!("{alias}.systemuserid = '{}'", self.id)
            }
            Ownership::Unit => "1".to_owned(),
            Ownership::Parent => {
                let key = if table.logical == "activityparty" { "activityid" } else { "objectid" };
                let owned = self.owned(depth, "above", "above.activityid");
                format!(
                    "EXISTS (SELECT 1 FROM activity above WHERE above.activityid = {alias}.{key} AND {owned})"
                )
            }
        }
    }

    fn owned(&self, depth: Depth, alias: &str, id: &str) -> String {
        let mine = format!("{alias}.ownerid IN ({})", literals(&self.principals));
        let reach = match depth {
            Depth::Basic => mine,
            Depth::Local => format!("({alias}.owningbusinessunit = '{}' OR {mine})", self.unit),
            Depth::Deep => {
                format!("({alias}.owningbusinessunit IN ({}) OR {mine})", literals(&self.units))
            }
            Depth::Global => "1".to_owned(),
        };
        if !self.shares {
            return reach;
        }
        let principals = literals(&self.principals);
        format!(
            "({reach} OR {id} IN (SELECT objectid FROM share WHERE principalid IN ({principals}) AND rights & 1))"
        )
    }

    /// Whether the right covers that row.
    pub fn allows(
        &self,
        connection: &Connection,
        right: Right,
        table: &Table,
        row: &Row,
    ) -> Result<bool, Refusal> {
        let Some(depth) = self.depth(right, table) else { return Ok(false) };
        if depth == Depth::Global {
            return Ok(true);
        }
        match table.ownership {
            Ownership::Organisation => Ok(true),
            Ownership::Unit if table.logical == "usersettings" => {
                Ok(store::text(row, "systemuserid") == Some(self.id.as_str()))
            }
            Ownership::Unit => {
                Ok(right == Right::Read || store::text(row, table.id) == Some(self.id.as_str()))
            }
            Ownership::User => self.covers(connection, right, depth, &Owned::of(row, table.id)),
            Ownership::Parent => {
                let above = store::text(row, "activityid")
                    .or_else(|| store::text(row, "objectid"))
                    .unwrap_or_default();
                match Owned::of_activity(connection, above)? {
                    Some(owned) => self.covers(connection, right, depth, &owned),
                    None => Ok(true),
                }
            }
        }
    }

    fn covers(
        &self,
        connection: &Connection,
        right: Right,
        depth: Depth,
        row: &Owned,
    ) -> Result<bool, Refusal> {
        let unit = |units: &[String]| row.unit.as_ref().is_some_and(|unit| units.contains(unit));
        let mine = row.owner.as_ref().is_some_and(|owner| self.principals.contains(owner));
        let reached = mine
            || match depth {
                Depth::Basic => false,
                Depth::Local => row.unit.as_ref() == Some(&self.unit),
                Depth::Deep => unit(&self.units),
                Depth::Global => true,
            };
        Ok(reached || (self.shares && self.shared(connection, right, &row.id)?))
    }

    fn shared(&self, connection: &Connection, right: Right, id: &str) -> Result<bool, Refusal> {
        for principal in &self.principals {
            let rights: Option<i64> = connection
                .prepare_cached(
                    "SELECT rights FROM share WHERE objectid = ?1 AND principalid = ?2",
                )?
                .query_row([id, principal], |row| row.get(0))
                .optional()?;
            if rights.is_some_and(|rights| rights & right.flag() != 0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Refuses with 403 unless the right covers that row.
    pub fn check(
        &self,
        connection: &Connection,
        right: Right,
        table: &Table,
        row: &Row,
    ) -> Result<(), Refusal> {
        self.require(right, table)?;
        if self.allows(connection, right, table, row)? {
            return Ok(());
        }
        let message = format!(
            "SecLib::AccessCheckEx failed. Returned hr = -2147187962, ObjectID: {}, OwnerId: {},  OwnerIdType: 8 and CallingUser: {}. ObjectTypeCode: {}, \
             objectBusinessUnitId: {}, AccessRights: {}Access",
            store::text(row, table.id).unwrap_or_default(),
            store::text(row, "ownerid").unwrap_or_default(),
            self.id,
            table.code,
            store::text(row, "owningbusinessunit").unwrap_or_default(),
            right.name()
        );
        Err(Refusal::new(403, "0x80048306", message))
    }
}

/// `prvReadContact`; all activities share one set, and what hangs on them shares it too.
pub fn privilege(right: Right, table: &Table) -> String {
    format!("prv{}{}", right.name(), table.privilege)
}

/// Whose a row is.
struct Owned {
    id: String,
    owner: Option<String>,
    unit: Option<String>,
}

impl Owned {
    fn of(row: &Row, id: &str) -> Self {
        let text = |column: &str| store::text(row, column).map(str::to_owned);
        Self {
            id: text(id).unwrap_or_default(),
            owner: text("ownerid"),
            unit: text("owningbusinessunit"),
        }
    }

    fn of_activity(connection: &Connection, id: &str) -> Result<Option<Self>, Refusal> {
        Ok(connection
            .prepare_cached(
                "SELECT activityid, ownerid, owningbusinessunit FROM activity WHERE activityid = ?",
            )?
            .query_row([id], |row| {
                Ok(Self { id: row.get(0)?, owner: row.get(1)?, unit: row.get(2)? })
            })
            .optional()?)
    }
}

fn list(connection: &Connection, sql: &str, id: &str) -> Result<Vec<String>, rusqlite::Error> {
    connection.prepare_cached(sql)?.query_map([id], |row| row.get(0))?.collect()
}

/// GUIDs as an SQL list. They come from the service's own rows, and are hexadecimal and hyphens
/// only.
fn literals(ids: &[String]) -> String {
    let literals: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    literals.join(", ")
}
