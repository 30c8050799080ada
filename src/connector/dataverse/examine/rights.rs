//! What the user may do with the records of each class, and what follows for the sync. Knows the organisation's names of
//! privileges; asks nobody.
//! <https://learn.microsoft.com/power-platform/admin/security-roles-privileges>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::connector::dataverse::fetch::{Condition, Fetch, Page};
use crate::connector::dataverse::odata;
use crate::connector::finding::{Finding, Grade, Topic};
use crate::model::fields::Direction;
use crate::model::{Class, Side};

/// How far a privilege reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    Own,
    Unit,
    UnitsBelow,
    All,
}

impl Depth {
    /// Every depth, the farthest first.
    const DOWN: [Self; 4] = [Self::All, Self::UnitsBelow, Self::Unit, Self::Own];

    fn parse(word: &str) -> Option<Self> {
        match word {
            "Basic" => Some(Self::Own),
            "Local" => Some(Self::Unit),
            "Deep" => Some(Self::UnitsBelow),
            "Global" => Some(Self::All),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Own => "your own",
            Self::Unit => "those of your business unit",
            Self::UnitsBelow => "those of your business unit and the units below",
            Self::All => "all",
        }
    }
}

/// What a privilege allows, and how a person calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Read,
    Create,
    Write,
    Delete,
    Append,
    AppendTo,
}

impl Verb {
    /// What is told of every class.
    const TOLD: [Self; 4] = [Self::Read, Self::Create, Self::Write, Self::Delete];

    /// As in the names of privileges.
    fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Create => "Create",
            Self::Write => "Write",
            Self::Delete => "Delete",
            Self::Append => "Append",
            Self::AppendTo => "AppendTo",
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Write => "change",
            Self::Delete => "delete",
            Self::Append => "append",
            Self::AppendTo => "append to",
        }
    }
}

const CONTACT: &str = "Contact";

/// All activities share one set of privileges.
const ACTIVITY: &str = "Activity";

fn noun(class: Class) -> &'static str {
    match class {
        Class::Contact => CONTACT,
        Class::Task | Class::Appointment | Class::Email => ACTIVITY,
    }
}

fn privilege(verb: Verb, noun: &str) -> String {
    format!("prv{}{noun}", verb.name())
}

/// Every privilege that something depends on.
fn needed() -> impl Iterator<Item = String> {
    let of = |noun: &'static str| Verb::TOLD.into_iter().map(move |verb| privilege(verb, noun));
    let ties = [(Verb::Append, ACTIVITY), (Verb::AppendTo, CONTACT)];
    of(CONTACT).chain(of(ACTIVITY)).chain(ties.map(|(verb, noun)| privilege(verb, noun)))
}

/// The path of the ids of the privileges: not every version of the service names those of a user.
pub(super) fn names() -> String {
    let (id, name) = ("privilegeid", "name");
    Fetch::by_values("privilege", id, &[id, name], Condition::is_in(name, needed()))
        .path("privileges", &Page::first())
}

/// How the user gets into the organisation (`systemuser.accessmode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    Full,
    Read,
    /// Sees settings and no records.
    Administration,
    #[default]
    Unknown,
}

impl Access {
    pub(in crate::connector::dataverse) fn of(rows: Option<Vec<Map<String, Json>>>) -> Self {
        let mode = rows.and_then(|rows| rows.first()?.get("accessmode")?.as_i64());
        match mode {
            Some(0 | 4 | 5) => Self::Full,
            Some(1 | 3) => Self::Administration,
            Some(2) => Self::Read,
            Some(_) | None => Self::Unknown,
        }
    }

    pub(super) fn finding(self) -> Option<Finding> {
        let finding = |grade, says| Some(Finding::new(Topic::Rights, grade, says));
        match self {
            Self::Full => None,
            Self::Read => finding(
                Grade::Limited,
                "your access mode is read-only: whatever your roles allow, nothing of the mailbox comes into the CRM",
            ),
            Self::Administration => finding(
                Grade::Bad,
                "your access mode is that of an administrator or of support: it does not reach records",
            ),
            Self::Unknown => {
                finding(Grade::Limited, "your access mode (read-write, read-only) is not told")
            }
        }
    }
}

/// The privileges of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rights {
    /// By name.
    depths: BTreeMap<String, Depth>,
    /// Whatever the privileges are.
    read_only: bool,
}

impl Rights {
    /// The answer of `RetrieveUserPrivileges`; `names` are rows of `privilege`. Of a privilege that several roles give, the
    /// farthest counts. `None` when the answer is another one.
    pub(super) fn read(answer: &Json, names: &[Map<String, Json>]) -> Option<Self> {
        let text = |row: &Map<String, Json>, column: &str| {
            row.get(column).and_then(Json::as_str).map(str::to_owned)
        };
        let id = |row: &Map<String, Json>| odata::guid(row, "PrivilegeId");
        let names: BTreeMap<Uuid, String> = names
            .iter()
            .filter_map(|row| Some((odata::guid(row, "privilegeid")?, text(row, "name")?)))
            .collect();
        let mut depths: BTreeMap<String, Depth> = BTreeMap::new();
        for row in answer.get("RolePrivileges")?.as_array()?.iter().filter_map(Json::as_object) {
            let told = text(row, "PrivilegeName").filter(|name| !name.is_empty());
            let name = told.or_else(|| names.get(&id(row)?).cloned());
            let depth = text(row, "Depth").as_deref().and_then(Depth::parse);
            if let (Some(name), Some(depth)) = (name, depth) {
                let kept = depths.entry(name).or_insert(depth);
                *kept = depth.max(*kept);
            }
        }
        Some(Self { depths, read_only: false })
    }

    /// What the user may do with each class that takes part, and what that leaves out.
    pub(super) fn findings(
        mut self,
        access: Access,
        directions: &BTreeMap<Class, Direction>,
    ) -> Vec<Finding> {
        self.read_only = access == Access::Read;
        let mut findings = Vec::new();
        for noun in [CONTACT, ACTIVITY] {
            let classes = || directions.keys().copied().filter(|class| self::noun(*class) == noun);
            if classes().next().is_some() {
                findings.push(self.told(noun, classes()));
            }
        }
        for (class, direction) in directions {
            if self.depth(Verb::Read, noun(*class)).is_none() {
                let says = format!("{class}s are not synced: you may not read them in the CRM");
                findings.push(self.lacking(Grade::Bad, says, &[(Verb::Read, noun(*class))]));
            } else if direction.carries(Side::Mailbox) {
                findings.extend(self.writing(*class, *direction));
                if [Verb::Create, Verb::Write]
                    .iter()
                    .any(|verb| self.depth(*verb, noun(*class)).is_some())
                {
                    findings.extend(self.deleting(*class));
                    findings.extend(self.tying(*class));
                }
            }
        }
        findings
    }

    /// Whether the user may read, create, change and delete records of a class.
    pub(super) fn verbs(&self, access: Access, class: Class) -> [bool; 4] {
        let rights = Self { read_only: access == Access::Read, ..self.clone() };
        Verb::TOLD.map(|verb| rights.depth(verb, noun(class)).is_some())
    }

    fn depth(&self, verb: Verb, noun: &str) -> Option<Depth> {
        if self.read_only && verb != Verb::Read {
            return None;
        }
        self.depths.get(&privilege(verb, noun)).copied()
    }

    fn told(&self, noun: &str, classes: impl Iterator<Item = Class>) -> Finding {
        let who: Vec<String> = classes.map(|class| format!("{class}s")).collect();
        let verbs = |depth: Option<Depth>| {
            let same = |verb: &Verb| self.depth(*verb, noun) == depth;
            let words: Vec<&str> = Verb::TOLD.into_iter().filter(same).map(Verb::as_str).collect();
            (!words.is_empty()).then(|| words.join(", "))
        };
        let mut may: Vec<String> = Depth::DOWN
            .into_iter()
            .filter_map(|depth| Some(format!("{} {}", verbs(Some(depth))?, depth.as_str())))
            .collect();
        may.extend(verbs(None).map(|verbs| format!("not {verbs} any")));
        let says = format!("{}: you may {}", who.join(", "), may.join("; "));
        Finding::new(Topic::Rights, Grade::Good, says)
    }

    /// A record is created and then changed: a message, for one, is filed and then set to received.
    fn writing(&self, class: Class, direction: Direction) -> Option<Finding> {
        let noun = noun(class);
        let missing: Vec<(Verb, &str)> = [Verb::Create, Verb::Write]
            .into_iter()
            .filter(|verb| self.depth(*verb, noun).is_none())
            .map(|verb| (verb, noun))
            .collect();
        let words: Vec<&str> = missing.iter().map(|(verb, _)| verb.as_str()).collect();
        let may_not = format!("you may not {} them there", words.join(" or "));
        let (grade, what) = match (class, missing.as_slice()) {
            (_, []) => return None,
            (Class::Email, _) => (Grade::Bad, "emails are not filed in the CRM".to_owned()),
            (_, [_, _]) if direction == Direction::ToCrm => {
                (Grade::Bad, format!("{class}s do not get into the CRM"))
            }
            (_, [_, _]) => {
                (Grade::Limited, format!("{class}s go only from the CRM to the mailbox"))
            }
            (_, [(Verb::Create, _), ..]) => {
                (Grade::Limited, format!("new {class}s of the mailbox do not get into the CRM"))
            }
            (_, _) => (
                Grade::Limited,
                format!("changes of {class}s in the mailbox do not get into the CRM"),
            ),
        };
        Some(self.lacking(grade, format!("{what}: {may_not}"), &missing))
    }

    /// A message stays in the CRM whatever becomes of it in the mailbox.
    fn deleting(&self, class: Class) -> Option<Finding> {
        let noun = noun(class);
        if class == Class::Email || self.depth(Verb::Delete, noun).is_some() {
            return None;
        }
        let says = format!(
            "{class}s deleted in the mailbox stay in the CRM: you may not delete them there"
        );
        Some(self.lacking(Grade::Limited, says, &[(Verb::Delete, noun)]))
    }

    /// Whoever takes part in an activity is tied to it.
    fn tying(&self, class: Class) -> Option<Finding> {
        let missing: Vec<(Verb, &str)> = [(Verb::Append, ACTIVITY), (Verb::AppendTo, CONTACT)]
            .into_iter()
            .filter(|(verb, noun)| self.depth(*verb, noun).is_none())
            .collect();
        let with_people = matches!(class, Class::Appointment | Class::Email);
        if !with_people || missing.is_empty() {
            return None;
        }
        let says = format!(
            "{class}s with people who are contacts in the CRM may be refused: you may not tie the two together"
        );
        Some(self.lacking(Grade::Limited, says, &missing))
    }

    fn lacking(&self, grade: Grade, says: String, missing: &[(Verb, &str)]) -> Finding {
        let finding = Finding::new(Topic::Feature, grade, says);
        if self.read_only {
            return finding;
        }
        let names: Vec<String> =
            missing.iter().map(|(verb, noun)| privilege(*verb, noun)).collect();
        finding.hint(format!("ask an administrator for the privilege {}", names.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rights(privileges: &[(&str, &str)]) -> Rights {
        let rows: Vec<Json> = privileges
            .iter()
            .map(|(name, depth)| json!({"PrivilegeName": name, "Depth": depth}))
            .collect();
        Rights::read(&json!({"RolePrivileges": rows}), &[]).unwrap()
    }

    fn told(rights: Rights, access: Access, classes: &[(Class, Direction)]) -> Vec<String> {
        let found = rights.findings(access, &classes.iter().copied().collect());
        found.into_iter().map(|one| format!("{:?}: {}", one.grade, one.says)).collect()
    }

    const CONTACTS: [(&str, &str); 4] = [
        ("prvReadContact", "Global"),
        ("prvCreateContact", "Basic"),
        ("prvWriteContact", "Deep"),
        ("prvDeleteContact", "Basic"),
    ];

    #[test]
    fn what_is_allowed_is_told_by_how_far_it_reaches() {
        let contacts = [(Class::Contact, Direction::TwoWay)];
        let reach = "Good: contacts: you may read all; change those of your business unit and the units below; create, delete your own";
        assert_eq!(told(rights(&CONTACTS), Access::Full, &contacts), [reach]);
        // The farthest of several roles counts, in whatever order they come.
        let twice = [
            ("prvReadContact", "Basic"),
            ("prvReadContact", "Global"),
            ("prvReadContact", "Local"),
        ];
        let mut more = CONTACTS.to_vec();
        more.extend(twice);
        assert_eq!(told(rights(&more), Access::Full, &contacts), [reach]);
    }

    #[test]
    fn what_is_missing_says_what_does_not_work() {
        let without = |verbs: &[&str], direction| {
            let left: Vec<_> = CONTACTS
                .into_iter()
                .filter(|(name, _)| !verbs.iter().any(|verb| name.contains(verb)))
                .collect();
            let mut said = told(rights(&left), Access::Full, &[(Class::Contact, direction)]);
            said.remove(0);
            said
        };
        let (both, to_crm, to_mailbox) =
            (Direction::TwoWay, Direction::ToCrm, Direction::ToMailbox);
        let one = |verbs: &[&str], direction| without(verbs, direction).concat();
        assert!(
            one(&["Create", "Write"], both).starts_with("Limited: contacts go only from the CRM")
        );
        assert!(one(&["Create", "Write"], to_crm).starts_with("Bad: contacts do not get"));
        assert_eq!(one(&["Create", "Write", "Delete"], to_mailbox), "");
        assert!(one(&["Create"], both).starts_with("Limited: new contacts"));
        assert!(one(&["Write"], both).starts_with("Limited: changes of contacts"));
        assert!(one(&["Delete"], both).starts_with("Limited: contacts deleted"));
        for direction in [both, to_crm, to_mailbox] {
            assert!(one(&["Read"], direction).starts_with("Bad: contacts are not synced"));
        }
    }

    #[test]
    fn a_read_only_user_gets_what_the_crm_has_and_gives_nothing() {
        let classes = [(Class::Contact, Direction::TwoWay), (Class::Email, Direction::ToCrm)];
        let mut all = CONTACTS.to_vec();
        all.extend([
            ("prvReadActivity", "Local"),
            ("prvCreateActivity", "Local"),
            ("prvWriteActivity", "Local"),
        ]);
        let said = told(rights(&all), Access::Read, &classes);
        assert_eq!(said[0], "Good: contacts: you may read all; not create, change, delete any");
        assert!(said.iter().any(|one| one.starts_with("Bad: emails are not filed")), "{said:?}");
        assert!(said.iter().any(|one| one.starts_with("Limited: contacts go only")), "{said:?}");
        let said = told(rights(&all), Access::Full, &classes);
        assert!(said.last().unwrap().contains("tie the two"), "{said:?}");
    }

    #[test]
    fn privileges_without_names_are_known_by_their_ids() {
        let id = "7863E80F-0AB2-4D67-A641-37D9F342C7E3";
        let answer = json!({"RolePrivileges": [
            {"PrivilegeId": id, "Depth": "Local"},
            {"PrivilegeId": "9e0a4c38-0000-4d67-a641-37d9f342c7e3", "Depth": "Local"},
            {"PrivilegeId": 7, "Depth": {}},
            "hello",
        ]});
        let names = json!({"privilegeid": id.to_lowercase(), "name": "prvReadContact"});
        let rights = Rights::read(&answer, &[names.as_object().unwrap().clone()]).unwrap();
        assert_eq!(rights.depths, BTreeMap::from([("prvReadContact".to_owned(), Depth::Unit)]));
        for bad in [json!({}), json!([]), json!({"RolePrivileges": "x"})] {
            assert_eq!(Rights::read(&bad, &[]), None);
        }
    }
}
