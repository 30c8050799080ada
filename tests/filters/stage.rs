//! Anna's mailbox and her organisation, in which colleagues and the administrator work too.

use std::fs;

use serde_json::{Value as Json, json};

use crate::cli::installation::{Installation, Organisation, Ran};

pub struct Stage {
    pub organisation: Organisation,
    pub here: Installation,
}

/// A filter by last names.
pub fn named(names: &[&str]) -> String {
    let values: String = names.iter().map(|name| format!("<value>{name}</value>")).collect();
    format!(
        "<fetch><entity name=\"contact\"><attribute name=\"contactid\"/><filter><condition attribute=\"lastname\" \
         operator=\"in\">{values}</condition></filter></entity></fetch>"
    )
}

impl Stage {
    /// With these settings beside the usual ones, and no system filter.
    pub fn new(more: &str) -> Self {
        let organisation = Organisation::serve();
        let here = Installation::new(&organisation.url, &organisation.tokens());
        let stage = Self { organisation, here };
        stage.configure(more);
        for filter in
            stage.rows("admin", "savedqueries?$select=savedqueryid&$filter=querytype%20eq%20256")
        {
            let id = filter["savedqueryid"].as_str().unwrap();
            stage.change(
                "admin",
                &format!("savedqueries({id})"),
                &json!({"statecode": 1, "statuscode": 2}),
            );
        }
        stage
    }

    pub fn configure(&self, more: &str) {
        let token = format!("cat '{}'", self.organisation.tokens().join("anna").display());
        self.here.configure(&self.organisation.url, &token, more);
    }

    /// Contacts of Anna's that came into the mailbox.
    pub fn with_contacts(self, names: &[&str]) -> Self {
        for name in names {
            self.contact("anna", name);
        }
        self.here.run(&["plan"]).ends(4);
        self.here.run(&["approve", "--all"]).ends(0);
        self.here.run(&["sync"]).ends(0);
        assert_eq!(self.items(), sorted(names));
        self
    }

    /// A new contact of this user's, and its id.
    pub fn contact(&self, user: &str, name: &str) -> String {
        let (status, body) =
            self.ask(user, "POST", "contacts", &json!({"firstname": "N", "lastname": name}));
        assert_eq!(status, 204, "{body}");
        self.id_of(name)
    }

    pub fn id_of(&self, name: &str) -> String {
        let query = format!("contacts?$select=contactid&$filter=lastname%20eq%20'{name}'");
        self.rows("admin", &query)[0]["contactid"].as_str().unwrap().to_owned()
    }

    /// The last names of the cards in the mailbox.
    pub fn items(&self) -> Vec<String> {
        let files = fs::read_dir(self.here.path("mailbox/contacts")).unwrap();
        let texts = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        let name = |text: String| {
            let line = text.lines().find_map(|line| line.strip_prefix("N:")).unwrap().to_owned();
            line.split(';').next().unwrap().to_owned()
        };
        sorted(&texts.map(name).collect::<Vec<_>>())
    }

    /// Anna's own filter for contacts.
    pub fn own(&self) -> String {
        let own = "userqueries?$select=userqueryid&$filter=querytype%20eq%20256%20and%20returnedtypecode%20eq%20'contact'";
        self.rows("anna", own)[0]["userqueryid"].as_str().unwrap().to_owned()
    }

    /// Changes what Anna's own filter says, elsewhere.
    pub fn edit_own(&self, fetchxml: &str) {
        self.change(
            "anna",
            &format!("userqueries({})", self.own()),
            &json!({"fetchxml": fetchxml}),
        );
    }

    /// A filter that the administrator makes for everybody.
    pub fn system(&self, name: &str, table: &str, fetchxml: &str) {
        let body = json!({"name": name, "returnedtypecode": table, "querytype": 256, "fetchxml": fetchxml});
        let (status, body) = self.ask("admin", "POST", "savedqueries", &body);
        assert_eq!(status, 204, "{body}");
    }

    pub fn rows(&self, user: &str, query: &str) -> Vec<Json> {
        let (status, body) = self.ask(user, "GET", query, &Json::Null);
        assert_eq!(status, 200, "{body}");
        let json: Json = serde_json::from_str(&body).unwrap();
        json["value"].as_array().unwrap().clone()
    }

    pub fn change(&self, user: &str, path: &str, columns: &Json) {
        let (status, body) = self.ask(user, "PATCH", path, columns);
        assert_eq!(status, 204, "{body}");
    }

    /// Gives a contact to another user.
    pub fn assign(&self, name: &str, to: &str) {
        let query = format!(
            "systemusers?$select=systemuserid&$filter=internalemailaddress%20eq%20'{to}@example.org'"
        );
        let user = self.rows("admin", &query)[0]["systemuserid"].as_str().unwrap().to_owned();
        let owner = json!({"ownerid@odata.bind": format!("/systemusers({user})")});
        self.change("admin", &format!("contacts({})", self.id_of(name)), &owner);
    }

    /// What somebody else does: status and body.
    pub fn ask(&self, user: &str, method: &str, path: &str, body: &Json) -> (u16, String) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.organisation.request_as(user, method, &format!("api/data/v9.2/{path}"), &body)
    }

    /// Orders something to go wrong.
    pub fn fault(&self, order: &Json) {
        self.organisation.steer("faults", &order.to_string());
    }

    /// Changes what a user may do.
    pub fn privilege(&self, order: &Json) {
        self.organisation.steer("privileges", &order.to_string());
    }

    pub fn sync(&self) -> Ran {
        self.here.run(&["sync", "--class", "contact"])
    }

    /// What `status` says, on one line, so that it does not matter where lines break.
    pub fn status(&self) -> String {
        let ran = self.here.run(&["status"]);
        format!("{} {}", ran.out, ran.err).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    pub fn says(&self, parts: &[&str]) {
        let status = self.status();
        for part in parts {
            assert!(status.contains(part), "no “{part}” in: {status}");
        }
    }

    pub fn json(&self) -> Json {
        self.here.json(&["status"])["classes"]["contact"].clone()
    }
}

pub fn sorted<T: AsRef<str>>(names: &[T]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(|name| name.as_ref().to_owned()).collect();
    names.sort();
    names
}
