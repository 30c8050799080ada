//! How a tray begins, what it outlives, and when it ends.

use std::time::{Duration, Instant};

use liaison::ipc::wire::{NeedKind, State};

use super::panel::Item;
use super::program::{Session, tray, until};
use super::service::{Service, status};
use super::watch::Notifications;

#[test]
fn without_a_session_bus_it_ends_at_once_and_says_nothing() {
    let home = tempfile::tempdir().unwrap();
    for address in [None, Some("unix:path=/nowhere/bus"), Some("nonsense")] {
        let mut command = tray(home.path());
        if let Some(address) = address {
            command.env("DBUS_SESSION_BUS_ADDRESS", address);
        }
        let started = Instant::now();
        let output = command.output().unwrap();
        assert!(started.elapsed() < Duration::from_secs(1), "{address:?}");
        assert_eq!(output.status.code(), Some(0), "{address:?}");
        assert_eq!((output.stdout, output.stderr), (Vec::new(), Vec::new()), "{address:?}");
    }
}

#[tokio::test]
async fn a_second_tray_leaves_the_place_to_the_first() {
    let session = Session::start().await;
    let mut first = session.tray();
    Item::of(&session, &first).await;
    assert_eq!(session.tray().ended().code(), Some(0));
    assert!(first.is_running());
}

#[tokio::test]
async fn it_ends_with_the_session() {
    let session = Session::start().await;
    let mut tray = session.tray();
    Item::of(&session, &tray).await;
    drop(session);
    assert_eq!(tray.ended().code(), Some(0));
}

#[tokio::test]
async fn a_service_that_was_killed_is_found_again() {
    let session = Session::start().await;
    let tray = session.tray();
    let item = Item::of(&session, &tray).await;
    item.says("The service does not run").await;
    let absent = item.pictures().await;
    assert!(absent.contains_key(&16) && absent.contains_key(&48));
    for state in [State::InStep, State::Error] {
        let service = Service::start(&session.socket(), status(state, &[]));
        item.says(&format!("It is {state:?}.")).await;
        assert_ne!(item.pictures().await, absent);
        drop(service);
        item.says("The service does not run").await;
        assert_eq!(item.pictures().await, absent);
    }
}

#[tokio::test]
async fn the_service_is_started_by_systemd() {
    let session = Session::start().await;
    let notifications = Notifications::of(&session).await;
    session.stub("systemctl", 1);
    let tray = session.tray();
    let item = Item::of(&session, &tray).await;
    item.click("Start the service").await;
    until("a notification", async || !notifications.shown().is_empty()).await;
    let expected = ["--user", "start", "liaison.service"];
    assert_eq!(session.started("systemctl").unwrap(), expected);
    let shown = notifications.shown().remove(0);
    assert_eq!(shown.summary, "The service could not be started");
    assert!(shown.body.starts_with("no luck\n"), "{shown:?}");
    // When it can be, nobody waits for the next attempt to reach it.
    session.stub("systemctl", 0);
    let _service = Service::start(&session.socket(), status(State::InStep, &[]));
    item.click("Start the service").await;
    item.says("It is InStep.").await;
    assert_eq!(notifications.shown().len(), 1);
}

#[tokio::test]
async fn another_protocol_is_an_error_and_not_the_end() {
    let session = Session::start().await;
    let socket = session.socket();
    std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let _nonsense = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.ok();
        }
    });
    let tray = session.tray();
    let item = Item::of(&session, &tray).await;
    until("an error", async || {
        item.labels().await[0].starts_with("The service cannot be understood: ")
    })
    .await;
    let _service = Service::start(&socket, status(State::InStep, &[]));
    item.says("It is InStep.").await;
}

#[tokio::test]
async fn what_hovers_says_how_things_stand_and_how_much_there_is() {
    let session = Session::start().await;
    let needs = [(NeedKind::Approve, 3)];
    let mut held = status(State::Held, &needs);
    held.needs[0].text = "3 changes <wait> & more".to_owned();
    let service = Service::start(&session.socket(), held);
    let tray = session.tray();
    let item = Item::of(&session, &tray).await;
    item.says("It is Held.").await;
    let (title, text) = item.tooltip().await;
    assert_eq!(title, "It is Held.");
    assert_eq!(text, "3 changes &lt;wait&gt; &amp; more\nLinked: 1,600 contacts, 1 message");
    assert_eq!(item.status().await, "NeedsAttention");
    service.says(status(State::Syncing, &[]));
    item.says("It is Syncing.").await;
    assert_eq!(item.status().await, "Active");
}

/// What the kernel counts of a process: resident kilobytes, and how often it was woken up.
fn counted(process: u32) -> (u64, u64) {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let number = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    (number("VmRSS:"), number("voluntary_ctxt_switches:"))
}

#[tokio::test]
async fn when_nothing_happens_it_sleeps_and_it_is_small() {
    let session = Session::start().await;
    let _service = Service::start(&session.socket(), status(State::InStep, &[]));
    let tray = session.tray();
    let item = Item::of(&session, &tray).await;
    item.says("It is InStep.").await;
    // Until it has gone to sleep: for ten seconds a thread waits for more work.
    let threads = || std::fs::read_dir(format!("/proc/{}/task", tray.process())).unwrap().count();
    until("one thread", async || threads() == 1).await;
    let (_, before) = counted(tray.process());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (resident, after) = counted(tray.process());
    assert_eq!(after, before, "it was woken up, and nothing had happened");
    // Unoptimised.
    assert!(resident < 16_000, "{resident} kB");
}
