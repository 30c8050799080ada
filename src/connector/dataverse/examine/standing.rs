//! What a user is in an organisation: how they get in, with which licence, what they may do with each class, and which classes
//! the organisation's own server keeps in step. Asked at first and once a day, and kept in between.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::rights::{Access, Rights};
use super::{answer, delivery, rights, rows};
use crate::connector::dataverse::batch::{Method, Operation, Part, Reply};
use crate::connector::dataverse::fetch::{Condition, Fetch, Page};
use crate::connector::dataverse::{Dataverse, odata};
use crate::connector::finding::{Finding, Grade, Topic};
use crate::connector::{Error, ErrorKind, Result};
use crate::model::Class;
use crate::model::fields::Direction;

/// What may be asked a day by a user with a licence of the full kind, and by one with a lesser one.
/// <https://learn.microsoft.com/power-platform/admin/api-request-limits-allocations>
const FULL: u64 = 40_000;
const LESSER: u64 = 6_000;

/// Licences of the lesser kind (`systemuser.caltype`): Basic, Device Basic, Essential, Device Essential.
const LESSER_LICENCES: [i64; 4] = [2, 4, 5, 6];

/// What a user is in an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Standing {
    pub access: Access,
    /// `systemuser.caltype`, where it was told.
    pub licence: Option<i64>,
    /// By the names of the classes that take part.
    classes: BTreeMap<String, ClassStanding>,
    /// In words, worst first: what does not work, or not fully.
    pub says: Vec<Said>,
    /// What it was asked for.
    purpose: String,
}

/// What the user may do with one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassStanding {
    pub read: bool,
    pub create: bool,
    pub write: bool,
    pub delete: bool,
    /// The organisation's own server keeps it in step.
    pub by_server: bool,
}

impl Default for ClassStanding {
    /// What was not told is tried.
    fn default() -> Self {
        Self { read: true, create: true, write: true, delete: true, by_server: false }
    }
}

impl ClassStanding {
    /// Whether the class can take part at all.
    pub fn takes_part(self) -> bool {
        self.read && !self.by_server
    }
}

/// Something that does not work, or not fully.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Whether it does not work at all.
    pub bad: bool,
    pub says: String,
    pub hint: Option<String>,
}

impl Standing {
    /// What was kept of an earlier answer; `None` when it answers another question or comes from another version of this program.
    pub fn kept(json: &Json, directions: &BTreeMap<Class, Direction>) -> Option<Self> {
        let kept: Self = serde_json::from_value(json.clone()).ok()?;
        (kept.purpose == purpose(directions)).then_some(kept)
    }

    pub fn to_json(&self) -> Json {
        serde_json::to_value(self).unwrap_or(Json::Null)
    }

    pub fn of(&self, class: Class) -> ClassStanding {
        self.classes.get(class.as_str()).copied().unwrap_or_default()
    }

    /// How many operations a day the licence allows.
    pub fn budget(&self) -> u64 {
        match self.licence {
            Some(licence) if LESSER_LICENCES.contains(&licence) => LESSER,
            Some(_) | None => FULL,
        }
    }

    /// What the answers to [`questions`] say, and the same as findings.
    pub(super) fn read(
        dataverse: &Dataverse,
        told: &[Reply; QUESTIONS],
        directions: &BTreeMap<Class, Direction>,
    ) -> (Self, Vec<Finding>) {
        let [privileges, names, access, licence, mailboxes] = told;
        let mut findings = Vec::new();
        let access = Access::of(rows(dataverse, access).ok());
        findings.extend(access.finding());
        let rights = match answer(dataverse, privileges) {
            Ok(privileges) => {
                let names = rows(dataverse, names).unwrap_or_default();
                Rights::read(&privileges, &names)
                    .ok_or_else(|| "the answer makes no sense".to_owned())
            }
            Err(error) => Err(error.message),
        };
        match &rights {
            Ok(rights) => findings.append(&mut rights.clone().findings(access, directions)),
            Err(reason) => findings.push(untold(reason)),
        }
        let by_server = match rows(dataverse, mailboxes) {
            Ok(mailboxes) => {
                findings.append(&mut delivery::findings(&mailboxes, directions));
                delivery::kept_by_server(&mailboxes)
            }
            Err(error) => {
                let says = format!(
                    "whether the server keeps the mailbox in step by itself is not told: {}",
                    error.message
                );
                findings.push(Finding::new(Topic::Feature, Grade::Limited, says));
                Vec::new()
            }
        };
        let of = |class: Class| {
            let verbs = match &rights {
                Ok(rights) => rights.verbs(access, class),
                Err(_) => {
                    [true, access != Access::Read, access != Access::Read, access != Access::Read]
                }
            };
            let [read, create, write, delete] = verbs;
            let read = read && access != Access::Administration;
            ClassStanding { read, create, write, delete, by_server: by_server.contains(&class) }
        };
        let licence = rows(dataverse, licence).ok();
        let standing = Self {
            access,
            licence: licence.and_then(|rows| rows.first()?.get("caltype")?.as_i64()),
            classes: directions.keys().map(|class| (class.to_string(), of(*class))).collect(),
            says: said(&findings),
            purpose: purpose(directions),
        };
        (standing, findings)
    }
}

fn said(findings: &[Finding]) -> Vec<Said> {
    let worse = findings.iter().filter(|finding| finding.grade != Grade::Good);
    let mut said: Vec<Said> = worse
        .map(|finding| Said {
            bad: finding.grade == Grade::Bad,
            says: finding.says.clone(),
            hint: finding.hint.clone(),
        })
        .collect();
    said.sort_by_key(|said| !said.bad);
    said
}

fn purpose(directions: &BTreeMap<Class, Direction>) -> String {
    let all: Vec<String> =
        directions.iter().map(|(class, direction)| format!("{class} {direction:?}")).collect();
    all.join(", ")
}

fn untold(reason: &str) -> Finding {
    let says = format!("what you may do is not told ({reason}); it shows with the first sync");
    Finding::new(Topic::Rights, Grade::Limited, says)
}

pub(super) const QUESTIONS: usize = 5;

pub(super) fn questions(dataverse: &Dataverse) -> [Operation; QUESTIONS] {
    let privileges =
        format!("systemusers({})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges", dataverse.user());
    let mine = |column: &str| {
        let id = "systemuserid";
        let me = Condition::operator(id, "eq-userid");
        Fetch::by_values("systemuser", id, &[id, column], me).path("systemusers", &Page::first())
    };
    [
        Operation::new(Method::Get, privileges),
        odata::get_page(rights::names()),
        odata::get_page(mine("accessmode")),
        odata::get_page(mine("caltype")),
        odata::get_page(delivery::path()),
    ]
}

impl Dataverse {
    /// Asks what the user is in the organisation, for the classes that take part, in one request.
    ///
    /// # Errors
    /// When the organisation is out of service. What it does not tell is taken for allowed.
    pub async fn standing(&self, directions: &BTreeMap<Class, Direction>) -> Result<Standing> {
        let questions = questions(self).into_iter().map(Part::One).collect();
        let replies = self.client.read(questions).await?;
        let told: &[Reply; QUESTIONS] = replies.as_slice().try_into().map_err(|_| {
            Error::new(ErrorKind::Malformed, "the answer has another number of parts")
        })?;
        Ok(Standing::read(self, told, directions).0)
    }
}
