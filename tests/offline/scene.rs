//! A user who works offline, colleagues who go on working meanwhile, and what must be true at the end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::cli::installation::{Installation, Organisation};
use crate::planner::simulation::Dice;

/// An organisation and somebody who works with it.
pub fn office() -> (Organisation, Installation) {
    let organisation = Organisation::serve();
    let anna = Installation::new(&organisation.url, &organisation.tokens());
    (organisation, anna)
}

/// The id of the one record of an answer.
pub fn id(answer: &Json) -> String {
    answer["records"][0]["id"].as_str().unwrap_or_else(|| panic!("{answer:#}")).to_owned()
}

/// The texts of all cards.
pub fn cards(anna: &Installation) -> Vec<String> {
    let files = fs::read_dir(anna.path("mailbox/contacts")).unwrap();
    files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
}

/// What became of a contact that was there before.
#[derive(Debug, Clone, Default)]
struct Contact {
    job: Option<String>,
    customer: Option<Uuid>,
    is_deleted: bool,
    /// What a colleague wrote.
    their_job: Option<String>,
    their_phone: Option<String>,
}

/// Edits of every kind, entered offline: two fifths creates that refer to one another, half updates, a tenth deletes.
pub struct Scene {
    pub organisation: Organisation,
    pub anna: Installation,
    pub dice: Dice,
    contacts: BTreeMap<Uuid, Contact>,
    /// Records that were made offline: table, and the column and id of what each refers to.
    made: BTreeMap<Uuid, (&'static str, Option<Uuid>)>,
    edits: usize,
    colleagues: usize,
}

fn guid(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
}

impl Scene {
    pub fn set(seed: u64, edits: u64) -> Self {
        let (organisation, anna) = office();
        let dice = Dice::new(seed);
        let (contacts, made) = (BTreeMap::new(), BTreeMap::new());
        let mut scene = Self { organisation, anna, dice, contacts, made, edits: 0, colleagues: 0 };
        let edits = usize::try_from(edits).unwrap();
        let there = edits * 6 / 10;
        for number in 0..there {
            scene.contacts.insert(guid(&format!("there {number}")), Contact::default());
        }
        let rows = scene.contacts.keys().enumerate().map(|(number, id)| {
            json!({ "id": id.to_string(), "firstname": "Ann", "lastname": format!("There{number}"), "jobtitle": "0", "telephone1": "0" })
        });
        let rows = rows.collect();
        scene.command("create", "contact", rows);
        scene.anna.run(&["offline", "contact", "account", "task"]).ends(0);
        scene.enter(edits);
        scene
    }

    fn command(&self, verb: &str, table: &str, rows: Vec<Json>) {
        let mut text = String::new();
        for row in rows {
            writeln!(text, "{row}").unwrap();
        }
        self.anna.write("rows.json", &text);
        self.anna.run(&["record", verb, table, "--from", "rows.json"]).ends(0);
    }

    fn enter(&mut self, edits: usize) {
        let round = self.edits;
        let (creates, deletes) = (edits * 4 / 10, edits / 10);
        let updates = edits - creates - deletes;
        let mut accounts = Vec::new();
        let mut persons = Vec::new();
        let mut rows: [Vec<Json>; 3] = Default::default();
        for number in 0..creates {
            let id = guid(&format!("made {round} {number}"));
            let of = number % 4;
            let (table, to) = match (of, accounts.last(), persons.last()) {
                (0, _, _) | (_, None, _) => ("account", None),
                (1 | 2, Some(account), _) | (_, Some(account), None) => ("contact", Some(*account)),
                (_, _, Some(person)) => ("task", Some(*person)),
            };
            let lookup = |table: &str| to.map(|to: Uuid| format!("{table}/{to}"));
            let (place, row) = match table {
                "account" => {
                    (0, json!({ "id": id.to_string(), "name": format!("New{round} {number}") }))
                }
                "contact" => (
                    1,
                    json!({ "id": id.to_string(), "firstname": "Bob", "lastname": format!("New{round} {number}"), "parentcustomerid": lookup("account") }),
                ),
                _ => (
                    2,
                    json!({ "id": id.to_string(), "subject": format!("New{round} {number}"), "regardingobjectid": lookup("contact") }),
                ),
            };
            match table {
                "account" => accounts.push(id),
                "contact" => persons.push(id),
                _ => {}
            }
            rows[place].push(row);
            self.made.insert(id, (table, to));
        }
        let [account, contact, task] = rows;
        self.command("create", "account", account);
        self.command("create", "contact", contact);
        self.command("create", "task", task);
        let untouched: Vec<Uuid> = self
            .contacts
            .iter()
            .filter(|(_, contact)| !contact.is_deleted && contact.job.is_none())
            .map(|(id, _)| *id)
            .take(updates + deletes)
            .collect();
        let (changed, deleted) = untouched.split_at(untouched.len() * 5 / 6);
        let mut rows = Vec::new();
        for (number, id) in changed.iter().enumerate() {
            let job = format!("job {round} {number}");
            let mut row = json!({ "id": id.to_string(), "jobtitle": job });
            let contact = self.contacts.get_mut(id).unwrap();
            contact.job = Some(job);
            if number % 10 == 0 && !accounts.is_empty() {
                let account = accounts[number % accounts.len()];
                row["parentcustomerid"] = format!("account/{account}").into();
                contact.customer = Some(account);
            }
            rows.push(row);
        }
        self.command("update", "contact", rows);
        let rows = deleted.iter().map(|id| json!(id.to_string())).collect();
        self.command("delete", "contact", rows);
        for id in deleted {
            self.contacts.get_mut(id).unwrap().is_deleted = true;
        }
        self.edits += creates + changed.len() + deleted.len();
    }

    /// More edits, when those before were replayed.
    pub fn enter_more(&mut self) {
        self.anna.run(&["offline", "contact", "account", "task"]);
        self.enter(1000);
    }

    pub fn edits(&self) -> usize {
        self.edits
    }

    pub fn colleagues(&self) -> usize {
        self.colleagues
    }

    /// Colleagues change a twentieth of what was edited: the same column, another one, or what was deleted.
    pub fn colleagues_work(&mut self) {
        let ids: Vec<Uuid> = self.contacts.keys().copied().collect();
        let mut left = self.edits / 20;
        let mut deletes = self.edits / 100;
        for id in ids {
            let contact = self.contacts.get_mut(&id).unwrap();
            if left == 0 || (contact.is_deleted && deletes == 0) || self.dice.chance(60) {
                continue;
            }
            left -= 1;
            self.colleagues += 1;
            let row = if !contact.is_deleted && self.dice.chance(50) {
                let job = format!("their job {left}");
                contact.their_job = Some(job.clone());
                json!({ "jobtitle": job })
            } else {
                deletes -= usize::from(contact.is_deleted);
                let phone = format!("+{left}");
                contact.their_phone = Some(phone.clone());
                json!({ "telephone1": phone })
            };
            self.organisation.change(&format!("contacts({id})"), &row.to_string());
        }
    }

    /// Goes online; what is contested or refused is no failure.
    pub fn online(&self) -> Json {
        let report = self.anna.run(&["online", "--json"]);
        assert!(matches!(report.code, 0 | 3 | 5), "{report:?}");
        report.json()
    }

    /// Every value is on the server, merged, or in the list of collisions; nothing is there twice.
    pub fn check(mut self) {
        let outbox = self.anna.json(&["outbox", "list"]);
        let audit = self.organisation.audit();
        for table in ["account", "contact", "task"] {
            assert_eq!(audit[table]["repeated"], json!([]), "{table} made twice");
        }
        let mut contested: BTreeMap<Uuid, String> = BTreeMap::new();
        for found in outbox["collisions"].as_array().unwrap() {
            assert_eq!(found["column"], "jobtitle", "{found:#}");
            let id = found["id"].as_str().unwrap().parse().unwrap();
            assert!(
                contested.insert(id, found["ours"].as_str().unwrap().to_owned()).is_none(),
                "{id} twice"
            );
        }
        let mut parked: Vec<Uuid> = Vec::new();
        for edit in outbox["edits"].as_array().unwrap() {
            assert_eq!(
                (&edit["state"], &edit["kind"]),
                (&json!("parked"), &json!("delete")),
                "{edit:#}"
            );
            parked.push(edit["id"].as_str().unwrap().parse().unwrap());
        }
        self.organisation.stop();
        let file = self.organisation.databases().pop().unwrap();
        let database = rusqlite::Connection::open(file).unwrap();
        let mut there = rows(
            &database,
            "SELECT contactid, jobtitle, telephone1, parentcustomerid FROM contact",
        );
        for (id, contact) in &self.contacts {
            let row = there.remove(id);
            if contact.is_deleted {
                let is_kept = contact.their_phone.is_some();
                assert_eq!(
                    (row.is_some(), parked.contains(id)),
                    (is_kept, is_kept),
                    "{id} {contact:?}"
                );
                continue;
            }
            let row = row.unwrap_or_else(|| panic!("{id} is lost"));
            let job = contact.their_job.as_ref().or(contact.job.as_ref());
            assert_eq!(
                row[0].as_deref(),
                Some(job.map_or("0", String::as_str)),
                "{id} {contact:?}"
            );
            if contact.their_job.is_some() && contact.job.is_some() {
                assert_eq!(contested.remove(id), contact.job, "{id}");
            }
            assert_eq!(
                row[1].as_deref(),
                Some(contact.their_phone.as_deref().unwrap_or("0")),
                "{id} {contact:?}"
            );
            assert_eq!(row[2], contact.customer.map(|id| id.to_string()), "{id} {contact:?}");
        }
        assert_eq!(contested, BTreeMap::new(), "contested without reason");
        let accounts = rows(&database, "SELECT accountid, NULL, NULL, NULL FROM account");
        let tasks = rows(&database, "SELECT activityid, NULL, NULL, regardingobjectid FROM task");
        let made = |table: &str| self.made.iter().filter(|(_, (of, _))| *of == table).count();
        assert_eq!(
            (accounts.len(), tasks.len(), there.len()),
            (made("account"), made("task"), made("contact"))
        );
        for (id, (table, to)) in &self.made {
            let row = match *table {
                "account" => accounts.get(id),
                "task" => tasks.get(id),
                _ => there.get(id),
            };
            let row = row.unwrap_or_else(|| panic!("{table} {id} is lost"));
            assert_eq!(row[2], to.map(|to| to.to_string()), "{table} {id}");
        }
        intact(&database);
        intact(&rusqlite::Connection::open(self.anna.path("state/offline/test.db")).unwrap());
    }
}

fn rows(database: &rusqlite::Connection, query: &str) -> BTreeMap<Uuid, [Option<String>; 3]> {
    let mut statement = database.prepare(query).unwrap();
    let rows = statement.query_map([], |row| {
        let id: String = row.get(0)?;
        Ok((id.parse().unwrap(), [row.get(1)?, row.get(2)?, row.get(3)?]))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn intact(database: &rusqlite::Connection) {
    let found: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
}
