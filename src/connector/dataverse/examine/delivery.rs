//! Whether the organisation's own server keeps the user's mailbox in step (server-side synchronisation). Two that do so write
//! against each other.
//! <https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/mailbox>

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::connector::dataverse::fetch::{Condition, Fetch, Page};
use crate::connector::finding::{Finding, Grade, Topic};
use crate::model::Class;
use crate::model::fields::Direction;

/// What the server may do with a mailbox, and for which classes.
struct Delivery {
    classes: &'static [Class],
    method: &'static str,
    /// The value of `method` that means the server. The two methods count differently.
    by_server: i64,
    /// How it went: 0 not run, 1 success, 2 failure.
    status: &'static str,
    setting: &'static str,
}

const DELIVERIES: [Delivery; 2] = [
    Delivery {
        classes: &[Class::Email],
        method: "incomingemaildeliverymethod",
        by_server: 2,
        status: "incomingemailstatus",
        setting: "Incoming Email",
    },
    Delivery {
        classes: &[Class::Contact, Class::Task, Class::Appointment],
        method: "actdeliverymethod",
        by_server: 1,
        status: "actstatus",
        setting: "Appointments, Contacts, and Tasks",
    },
];

const SUCCESS: i64 = 1;

/// What the server may do with what the user sends. 2: it sends.
const OUTGOING: &str = "outgoingemaildeliverymethod";

/// The user's active mailboxes, as far as sending is concerned.
pub(in crate::connector::dataverse) fn outgoing() -> Fetch {
    Fetch::by_values("mailbox", "mailboxid", &["mailboxid", OUTGOING], mine())
}

/// Why nothing may be sent from here, by what the user's mailboxes say.
pub(in crate::connector::dataverse) fn sent_by_server(
    mailboxes: &[Map<String, Json>],
) -> Option<String> {
    let by_server = |row: &Map<String, Json>| row.get(OUTGOING).and_then(Json::as_i64) == Some(2);
    if mailboxes.is_empty() {
        return Some("the organisation does not tell who sends this user's e-mails".to_owned());
    }
    mailboxes.iter().any(by_server).then(|| {
        "the organisation's own server sends this user's e-mails: two would send each twice"
            .to_owned()
    })
}

fn mine() -> Condition {
    Condition::all([
        Condition::operator("regardingobjectid", "eq-userid"),
        Condition::equals("statecode", "0"),
    ])
}

/// The path of the user's active mailboxes.
pub(super) fn path() -> String {
    let id = "mailboxid";
    let mut columns = vec![id];
    columns.extend(DELIVERIES.iter().flat_map(|delivery| [delivery.method, delivery.status]));
    Fetch::by_values("mailbox", id, &columns, mine()).path("mailboxes", &Page::first())
}

/// The classes that the server keeps in step, and has succeeded in.
pub(super) fn kept_by_server(mailboxes: &[Map<String, Json>]) -> Vec<Class> {
    let number = |row: &Map<String, Json>, column: &str| row.get(column).and_then(Json::as_i64);
    let keeps = |delivery: &&Delivery| {
        mailboxes.iter().any(|row| {
            number(row, delivery.method) == Some(delivery.by_server)
                && number(row, delivery.status) == Some(SUCCESS)
        })
    };
    DELIVERIES.iter().filter(keeps).flat_map(|delivery| delivery.classes).copied().collect()
}

/// What the user's mailboxes say about the classes that take part.
pub(super) fn findings(
    mailboxes: &[Map<String, Json>],
    directions: &BTreeMap<Class, Direction>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for delivery in &DELIVERIES {
        let classes: Vec<String> = delivery
            .classes
            .iter()
            .filter(|class| directions.contains_key(class))
            .map(|class| format!("{class}s"))
            .collect();
        let number = |row: &Map<String, Json>, column: &str| row.get(column).and_then(Json::as_i64);
        let by_server: Vec<bool> = mailboxes
            .iter()
            .filter(|row| number(row, delivery.method) == Some(delivery.by_server))
            .map(|row| number(row, delivery.status) == Some(SUCCESS))
            .collect();
        if classes.is_empty() || by_server.is_empty() {
            continue;
        }
        let classes = classes.join(", ");
        let (grade, says) = if by_server.contains(&true) {
            let says = format!(
                "the organisation's own server synchronises {classes} with this mailbox already: \
                 two at work would make duplicates"
            );
            (Grade::Bad, says)
        } else {
            let says = format!(
                "the organisation's own server is set to synchronise {classes}, but has not \
                 succeeded yet; when it does, two would be at work"
            );
            (Grade::Limited, says)
        };
        findings.push(Finding::new(Topic::Feature, grade, says).hint(format!(
            "in the CRM's settings of your mailbox set “{}” to None, or here direction = \"off\"",
            delivery.setting
        )));
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_one_sends() {
        let told = |rows: &[Json]| {
            let rows: Vec<_> = rows.iter().map(|row| row.as_object().unwrap().clone()).collect();
            sent_by_server(&rows).is_some()
        };
        let by = |method: i64| json!({ "outgoingemaildeliverymethod": method });
        assert!(!told(&[by(0)]) && !told(&[by(1)]) && !told(&[json!({})]));
        assert!(told(&[by(2)]) && told(&[by(1), by(2)]));
        assert!(told(&[]), "who sends is not told");
    }

    #[test]
    fn the_server_is_named_where_it_is_at_work_and_only_there() {
        let told = |row: Json, classes: &[Class]| {
            let directions = classes.iter().map(|class| (*class, Direction::TwoWay)).collect();
            let found = findings(&[row.as_object().unwrap().clone()], &directions);
            found.into_iter().map(|one| (one.grade, one.says)).collect::<Vec<_>>()
        };
        let all = [Class::Contact, Class::Task, Class::Email];
        // Dynamics 365 for Outlook is 1 for e-mail and 0 for the others; None is 0 and 2.
        for quiet in [
            json!({"incomingemaildeliverymethod": 1, "actdeliverymethod": 0, "actstatus": 1}),
            json!({"incomingemaildeliverymethod": 0, "actdeliverymethod": 2, "incomingemailstatus": 1}),
            json!({"incomingemaildeliverymethod": 3, "actdeliverymethod": null}),
            json!({}),
        ] {
            assert_eq!(told(quiet.clone(), &all), [], "{quiet}");
        }
        let row = json!({
            "incomingemaildeliverymethod": 2, "incomingemailstatus": 0,
            "actdeliverymethod": 1, "actstatus": 1,
        });
        let both = told(row.clone(), &all);
        assert_eq!(both.iter().map(|one| one.0).collect::<Vec<_>>(), [Grade::Limited, Grade::Bad]);
        assert!(both[0].1.contains("emails") && both[1].1.contains("contacts, tasks"), "{both:?}");
        assert_eq!(told(row.clone(), &[Class::Email]).len(), 1);
        assert_eq!(told(row, &[]), []);
    }
}
