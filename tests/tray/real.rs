//! The tray and the real service: what is chosen in the menu is done there, and what happens there is seen and told.

use std::fs;

use serde_json::{Value as Json, json};

use super::panel::Item;
use super::program::{Session, Tray, until};
use super::watch::Notifications;
use crate::cli::installation::{Installation, Organisation};
use crate::daemon::rounds::in_step;
use crate::daemon::service::Service;

const IN_STEP: &str = "Everything is in step";

/// A tray for this installation.
fn tray(session: &Session, here: &Installation) -> Tray {
    let mut command = session.command();
    command.arg("--state").arg(here.path("state"));
    Tray::start(&mut command)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wish_is_done_by_the_service() {
    let organisation = Organisation::serve();
    let here = Installation::new(&organisation.url, &organisation.tokens());
    here.card("ann", "Ann Smith", "+49 30 1", true);
    let mut service = Service::start(&here);
    let session = Session::start().await;
    let tray = tray(&session, &here);
    let item = Item::of(&session, &tray).await;
    // The first plan waits for a person.
    until("a held change", async || {
        item.labels().await.iter().any(|label| label.starts_with("Review "))
    })
    .await;
    here.run(&["approve", "--all"]).ends(0);
    item.says(IN_STEP).await;

    let ann = organisation.rows("contacts?$select=contactid")[0]["contactid"].clone();
    let ann = format!("contacts({})", ann.as_str().unwrap());
    organisation.change(&ann, r#"{"telephone1":"+49 30 9"}"#);
    item.click("Sync now").await;
    let card = || here.read("mailbox/contacts/ann.vcf");
    until("the change in the card", async || card().contains("+49 30 9")).await;

    item.click("Pause").await;
    until("a pause", async || service.status()["paused"] == "until resume").await;
    item.click("Resume").await;
    until("no pause", async || service.status()["paused"] == Json::Null).await;

    item.click("Go offline").await;
    until("offline", async || service.status()["offline"] == true).await;
    item.click("Go online").await;
    until("online", async || service.status()["offline"] == false).await;
    item.says(IN_STEP).await;

    service.kill();
    item.says("The service does not run").await;
    let _service = Service::start(&here);
    item.says(IN_STEP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_sign_in_is_told_once_and_withdrawn_when_it_is_back() {
    let organisation = Organisation::serve();
    let here = in_step(&organisation);
    let mut service = Service::start(&here);
    let session = Session::start().await;
    let notifications = Notifications::of(&session).await;
    let tray = tray(&session, &here);
    let item = Item::of(&session, &tray).await;
    item.says(IN_STEP).await;
    let token = organisation.tokens().join("anna");
    let right = fs::read_to_string(&token).unwrap();
    fs::write(&token, "wrong").unwrap();
    for _ in 0..2 {
        service.kill();
        item.says("The service does not run").await;
        service = Service::start(&here);
        service.reaches("sign-in");
        until("a notification", async || !notifications.shown().is_empty()).await;
    }
    fs::write(&token, right).unwrap();
    // As after `liaison auth login`.
    service.client().ask(&json!("reload"));
    item.says(IN_STEP).await;
    until("a withdrawal", async || !notifications.closed().is_empty()).await;
    let shown = notifications.shown();
    let about = |summary: &str| shown.iter().filter(|it| it.summary == summary).count();
    assert_eq!(about("Please sign in again"), 1, "{shown:#?}");
}
