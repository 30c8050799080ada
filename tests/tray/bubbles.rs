//! What is told on the screen, and how often. Each was counted by the program that shows them.

use liaison::ipc::wire::{NeedKind, State};

use super::panel::Item;
use super::program::{Session, until};
use super::service::{Service, status};
use super::watch::Notifications;

const ALL: [(NeedKind, u64); 5] = [
    (NeedKind::SignIn, 1),
    (NeedKind::Standby, 1),
    (NeedKind::Approve, 2),
    (NeedKind::Doubt, 1),
    (NeedKind::Conflict, 7),
];

#[tokio::test]
async fn each_new_thing_is_told_once_and_without_content() {
    let session = Session::start().await;
    let notifications = Notifications::of(&session).await;
    let service = Service::start(&session.socket(), status(State::InStep, &[]));
    let tray = session.tray();
    let item = Item::of(&session, &tray).await;
    item.says("It is InStep.").await;
    service.says(status(State::SignIn, &ALL));
    until("five notifications", async || notifications.shown().len() == 5).await;
    let shown = notifications.shown();
    let summaries: Vec<&str> = shown.iter().map(|it| it.summary.as_str()).collect();
    assert_eq!(
        summaries,
        [
            "Please sign in again",
            "Another computer has taken over",
            "2 changes wait for your approval",
            "1 mail may not have been sent",
            "7 conflicts wait for your decision",
        ]
    );
    for shown in &shown {
        assert!(!format!("{shown:?}").contains("Anna"), "{shown:?}");
        assert_eq!((shown.replaces, shown.picture), (0, 48 * 48 * 4));
        assert_eq!(shown.actions[0], "default");
    }
    // The same again, more within the minute, and less of some of it.
    let more = [(NeedKind::SignIn, 1), (NeedKind::Approve, 3), (NeedKind::Conflict, 7)];
    for (state, needs) in [(State::Error, ALL.as_slice()), (State::Held, &more)] {
        service.says(status(state, needs));
        item.says(&format!("It is {state:?}.")).await;
    }
    assert_eq!(notifications.shown(), shown);
    // What is no longer so goes from the screen.
    until("two withdrawn", async || notifications.closed().len() == 2).await;
    assert_eq!(notifications.closed(), [shown[1].id, shown[3].id]);
    service.says(status(State::InStep, &[]));
    until("all withdrawn", async || notifications.closed().len() == 5).await;
}

#[tokio::test]
async fn a_restart_of_the_tray_or_the_service_tells_nothing_again() {
    let session = Session::start().await;
    let notifications = Notifications::of(&session).await;
    let service = Service::start(&session.socket(), status(State::InStep, &[]));
    let tray = session.tray();
    Item::of(&session, &tray).await.says("It is InStep.").await;
    service.says(status(State::SignIn, &ALL));
    until("five notifications", async || notifications.shown().len() == 5).await;
    drop(tray);
    let tray = session.tray();
    let item = Item::of(&session, &tray).await;
    item.says("It is SignIn.").await;
    drop(service);
    item.says("The service does not run").await;
    // It has not looked yet.
    let mut fresh = status(State::Waiting, &[]);
    fresh.running_since = "2026-11-22T09:30:00Z".to_owned();
    let service = Service::start(&session.socket(), fresh);
    item.says("It is Waiting.").await;
    service.says(status(State::SignIn, &ALL));
    item.says("It is SignIn.").await;
    service.says(status(State::Syncing, &ALL));
    item.says("It is Syncing.").await;
    assert_eq!(notifications.shown().len(), 5);
    // And the fence against repeats lets pass what is new.
    service.says(status(State::Held, &[(NeedKind::Conflict, 8)]));
    until("one more", async || notifications.shown().len() == 6).await;
}

#[tokio::test]
async fn what_waits_when_the_session_begins_is_told_only_if_nothing_works() {
    let session = Session::start().await;
    let notifications = Notifications::of(&session).await;
    let service = Service::start(&session.socket(), status(State::SignIn, &ALL));
    let tray = session.tray();
    let item = Item::of(&session, &tray).await;
    item.says("It is SignIn.").await;
    service.says(status(State::Error, &ALL));
    item.says("It is Error.").await;
    let shown = notifications.shown();
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0].summary, "Please sign in again");
}

#[tokio::test]
async fn a_click_on_a_notification_opens_what_it_speaks_of() {
    let session = Session::start().await;
    session.stub("x-terminal-emulator", 0);
    let notifications = Notifications::of(&session).await;
    let service = Service::start(&session.socket(), status(State::InStep, &[]));
    let tray = session.tray();
    Item::of(&session, &tray).await.says("It is InStep.").await;
    service.says(status(State::Held, &[(NeedKind::Conflict, 1)]));
    until("a notification", async || notifications.shown().len() == 1).await;
    notifications.click(notifications.shown()[0].id).await;
    until("a terminal", async || session.started("x-terminal-emulator").is_some()).await;
    let words = session.started("x-terminal-emulator").unwrap();
    assert_eq!(words.last().unwrap(), "conflicts");
    // It is closed: the next one is a new one, though not within a minute.
    service.says(status(State::InStep, &[]));
    service.says(status(State::SignIn, &[(NeedKind::SignIn, 1)]));
    until("another one", async || notifications.shown().len() == 2).await;
    assert_eq!(notifications.shown()[1].replaces, 0);
    assert!(notifications.closed().is_empty(), "nothing was left to withdraw");
}
