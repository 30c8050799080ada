//! The records in a sandbox organisation, over HTTP.

use serde_json::Value as Json;

use super::*;
use crate::cli::demo::world::{edit_organisation, people, records};
use crate::sandbox::{Options, Running, Sandbox};

fn now() -> Timestamp {
    "2026-05-20T08:30:00Z".parse().unwrap()
}

async fn served(dir: &std::path::Path) -> (Running, Api) {
    // Another test may have been first.
    drop(rustls::crypto::ring::default_provider().install_default());
    let running = Sandbox::start(Options::new(&dir.join("organisation"))).await.unwrap();
    let api = Api::open(dir, reqwest::Client::new()).unwrap();
    (running, api)
}

/// All rows of every set, with their versions.
async fn everything(api: &Api) -> Vec<String> {
    let mut all = Vec::new();
    for set in [
        "accounts",
        "contacts",
        "tasks",
        "appointments",
        "recurringappointmentmasters",
        "emails",
        "leads",
    ] {
        let answer = api.get(User::Anna, &format!("{set}?$select=versionnumber")).await.unwrap();
        let rows = answer.get("value").and_then(Json::as_array).unwrap();
        all.extend(rows.iter().map(|row| format!("{set} {row}")));
    }
    all
}

async fn count(api: &Api, query: &str) -> usize {
    let answer = api.get(User::Anna, query).await.unwrap();
    answer.get("value").and_then(Json::as_array).unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_call_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (running, api) = served(dir.path()).await;
    let first = populate(&api, now()).await.unwrap();
    let before = everything(&api).await;
    let second = populate(&api, now()).await.unwrap();
    assert!(first.fresh && !second.fresh);
    assert_eq!(first.counts, second.counts);
    assert_eq!(before, everything(&api).await);
    let counts = [
        ("accounts", 20),
        ("contacts", 51),
        ("tasks", 15),
        ("appointments", 11),
        ("recurringappointmentmasters", 1),
        ("emails", 3),
        ("leads", 5),
    ];
    assert_eq!(first.counts, counts);
    for (set, wanted) in counts {
        let filter = if set == "appointments" { "&$filter=instancetypecode eq 0" } else { "" };
        assert_eq!(
            count(&api, &format!("{set}?$select=versionnumber{filter}")).await,
            wanted,
            "{set}"
        );
    }
    let me = api.who(User::Anna).await.unwrap().user;
    assert_eq!(
        count(
            &api,
            &format!(
                "contacts?$select=contactid&$filter=_ownerid_value eq {me} and statecode eq 0"
            )
        )
        .await,
        40
    );
    assert_eq!(
        count(
            &api,
            &format!("tasks?$select=subject&$filter=_ownerid_value eq {me} and statecode eq 0")
        )
        .await,
        10
    );
    assert_eq!(
        count(
            &api,
            &format!("tasks?$select=subject&$filter=_ownerid_value eq {me} and statecode eq 1")
        )
        .await,
        3
    );
    assert_eq!(count(&api, "emails?$select=subject&$filter=statecode eq 1").await, 3);
    assert_eq!(
        count(
            &api,
            "appointments?$select=subject&$filter=statecode eq 3 and instancetypecode eq 0"
        )
        .await,
        10
    );
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_broke_off_is_made_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (running, api) = served(dir.path()).await;
    let users = [User::Anna, User::Bo, User::Carla];
    let mut ids = Vec::new();
    for user in users {
        ids.push(api.who(user).await.unwrap());
    }
    let users = records::Users { anna: ids[0].user, bo: ids[1].user, carla: ids[2].user };
    let rows = records::rows(ids[0].organisation, users, &now().to_zoned(TimeZone::UTC));
    api.create(&rows[..70]).await.unwrap();
    assert!(populate(&api, now()).await.unwrap().fresh);
    assert!(!populate(&api, now()).await.unwrap().fresh);
    assert_eq!(count(&api, "contacts?$select=contactid").await, 51);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_happen_once_and_what_was_deleted_stays_so() {
    let dir = tempfile::tempdir().unwrap();
    let (running, api) = served(dir.path()).await;
    populate(&api, now()).await.unwrap();
    let before = everything(&api).await;
    let error = edit_organisation(&api, now()).await.unwrap_err();
    assert!(error.to_string().contains("first plan"), "{error}");
    assert_eq!(before, everything(&api).await);
    // As the first sync does with cards that are tracked.
    for number in [2, crate::cli::demo::world::edits::COLLISION] {
        let person = people::acquaintances().into_iter().nth(number).unwrap();
        let columns = serde_json::json!({ "emailaddress1": person.address, "lastname": person.family, "telephone1": person.work });
        let row = super::super::api::Row {
            owner: User::Anna,
            set: "contacts",
            key: "contactid",
            id: crate::cli::demo::world::id(&person.address),
            columns: columns.as_object().unwrap().clone(),
            state: None,
        };
        api.create(&[row]).await.unwrap();
    }
    let done = edit_organisation(&api, now()).await.unwrap();
    assert_eq!(done.len(), 7, "{done:#?}");
    assert_eq!(
        count(&api, "contacts?$select=contactid&$filter=jobtitle eq 'Managing Director'").await,
        3
    );
    assert_eq!(
        count(&api, "contacts?$select=contactid&$filter=telephone1 eq '%2B49 30 23125 999'").await,
        1
    );
    assert_eq!(count(&api, "contacts?$select=contactid").await, 51 + 2);
    let before = everything(&api).await;
    assert!(edit_organisation(&api, now()).await.unwrap().is_empty());
    populate(&api, now()).await.unwrap();
    assert_eq!(before, everything(&api).await);
    running.stop().await.unwrap();
}
