//! What an examination of an organisation says to users who may do this and that.

use std::collections::BTreeSet;

use liaison::connector::dataverse::{Purpose, examine};
use liaison::connector::finding::{Finding, Grade, Topic};
use liaison::model::fields::Direction;

use super::*;

fn filter(table: Table, column: &str) -> (Table, Vec<String>) {
    let name = table.logical_name();
    let condition = format!("<condition attribute='{column}' operator='not-null'/>");
    let text =
        format!("<fetch><entity name='{name}'><filter>{condition}</filter></entity></fetch>");
    (table, vec![text])
}

fn purpose(address: &str) -> Purpose {
    let two_way = [Class::Contact, Class::Task].map(|class| (class, Direction::TwoWay));
    Purpose {
        directions: two_way.into_iter().chain([(Class::Email, Direction::ToCrm)]).collect(),
        me: BTreeSet::from([Address::parse(address).unwrap()]),
    }
}

async fn examined(organisation: &Organisation, user: &str) -> Vec<Finding> {
    let filters = [filter(Table::Contact, "lastname"), filter(Table::Task, "subject")];
    let options = organisation.options(user, filters.into());
    examine(options, &purpose(&format!("{user}@example.org")), Clock::system()).await
}

fn said(findings: &[Finding], topic: Topic) -> Vec<(Grade, &str)> {
    let of = findings.iter().filter(|finding| finding.topic == topic);
    of.map(|finding| (finding.grade, finding.says.as_str())).collect()
}

#[tokio::test]
async fn each_user_hears_what_the_roles_allow() {
    let organisation = Organisation::start().await;
    let anna = examined(&organisation, "anna").await;
    assert!(anna.iter().all(|one| one.grade == Grade::Good || one.topic == Topic::Certificate));
    assert_eq!(
        said(&anna, Topic::Rights),
        [
            (
                Grade::Good,
                "contacts: you may read, create, change, delete those of your business unit"
            ),
            (
                Grade::Good,
                "tasks, emails: you may read, create, change, delete those of your business unit"
            ),
        ]
    );
    let erik = examined(&organisation, "erik").await;
    assert!(said(&erik, Topic::Rights)[0].1.ends_with("delete your own"), "{erik:#?}");

    let dora = examined(&organisation, "dora").await;
    let rights = said(&dora, Topic::Rights);
    assert!(rights[0].1.contains("read-only") && rights[0].0 == Grade::Limited, "{rights:?}");
    assert!(rights[1].1.ends_with("not create, change, delete any"), "{rights:?}");
    let missing = said(&dora, Topic::Feature);
    let says = |grade, part: &str| {
        missing.iter().any(|(known, text)| *known == grade && text.contains(part))
    };
    assert!(says(Grade::Limited, "tasks go only from the CRM to the mailbox"), "{missing:?}");
    assert!(says(Grade::Bad, "emails are not filed"), "{missing:?}");
    let bo = organisation.options("bo", BTreeMap::new());
    let stranger = examine(bo, &purpose("anna@example.org"), Clock::system()).await;
    assert!(said(&stranger, Topic::Rights).iter().any(|(grade, _)| *grade == Grade::Bad));
}

#[tokio::test]
async fn a_privilege_that_was_taken_away_names_what_it_was_for() {
    let organisation = Organisation::start().await;
    for privilege in ["prvCreateActivity", "prvDeleteContact"] {
        let order = json!({"user": "anna", "privilege": privilege, "depth": null});
        organisation.steer("privileges", &order).await;
    }
    let anna = examined(&organisation, "anna").await;
    assert_eq!(
        said(&anna, Topic::Feature),
        [
            (
                Grade::Limited,
                "contacts deleted in the mailbox stay in the CRM: you may not delete them there"
            ),
            (
                Grade::Limited,
                "new tasks of the mailbox do not get into the CRM: you may not create them there"
            ),
            (Grade::Bad, "emails are not filed in the CRM: you may not create them there"),
        ]
    );
    let hint = anna.iter().find_map(|one| one.hint.as_ref().filter(|_| one.grade == Grade::Bad));
    assert!(hint.unwrap().ends_with("prvCreateActivity"), "{hint:?}");

    // Without the right to look at privileges, and without the right to look at the mailbox's row.
    for privilege in ["prvReadPrivilege", "prvReadMailbox", "prvReadContact"] {
        let order = json!({"user": "anna", "privilege": privilege, "depth": null});
        organisation.steer("privileges", &order).await;
    }
    let anna = examined(&organisation, "anna").await;
    let bad: Vec<&str> =
        anna.iter().filter(|one| one.grade == Grade::Bad).map(|one| one.says.as_str()).collect();
    assert!(bad.iter().any(|says| says.starts_with("a filter of the contacts")), "{bad:?}");
    assert!(bad.iter().any(|says| says.starts_with("contacts are not synced")), "{bad:?}");
    assert_eq!(bad.len(), 3, "{bad:?}");
    assert!(anna.iter().any(|one| one.says.starts_with("whether the server keeps")), "{anna:#?}");
}

#[tokio::test]
async fn another_synchronisation_a_wrong_filter_and_a_wrong_clock_are_noticed() {
    let organisation = Organisation::start().await;
    let mine = "mailboxes?$select=mailboxid&$filter=emailaddress%20eq%20%27anna@example.org%27";
    let found = organisation.elsewhere("admin", Operation::new(Method::Get, mine)).await;
    let mailbox = found.json().unwrap()["value"][0]["mailboxid"].as_str().unwrap().to_owned();
    let change = Operation::new(Method::Patch, format!("mailboxes({mailbox})"))
        .header("If-Match", "*")
        .body(&json!({"actdeliverymethod": 1}));
    organisation.elsewhere("admin", change).await;
    let anna = examined(&organisation, "anna").await;
    let [(Grade::Limited, server)] = said(&anna, Topic::Feature)[..] else { panic!("{anna:#?}") };
    assert!(server.contains("set to synchronise contacts, tasks, but"), "{server}");

    let filters = [filter(Table::Contact, "lastname"), filter(Table::Task, "nosuchcolumn")];
    let options = organisation.options("anna", filters.into());
    let clock = Clock::manual("2020-01-01T00:00:00Z".parse().unwrap());
    let found = examine(options, &purpose("anna@example.org"), clock).await;
    let told = said(&found, Topic::Capabilities);
    assert!(told.contains(&(Grade::Good, "the filters of contacts are accepted")), "{told:?}");
    let refused = told.iter().find(|(grade, _)| *grade == Grade::Bad).unwrap().1;
    assert!(refused.starts_with("a filter of the tasks is not accepted: "), "{refused}");
    let [(Grade::Limited, clock)] = said(&found, Topic::Clock)[..] else { panic!("{found:#?}") };
    assert!(clock.ends_with(" s ahead of that of this machine"), "{clock}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_all_there_is_to_say() {
    let (organisation, _) = Organisation::start_with_tls().await;
    let options = organisation.options("anna", BTreeMap::new());
    let found = examine(options, &purpose("anna@example.org"), Clock::system()).await;
    let [Finding { topic: Topic::Certificate, grade: Grade::Bad, hint: Some(hint), .. }] =
        &found[..]
    else {
        panic!("{found:#?}")
    };
    assert!(hint.contains("pin=\""), "{hint}");
}
