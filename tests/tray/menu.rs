//! Every entry of the menu, chosen over D-Bus as a panel does it, and what came of it.

use liaison::ipc::wire::{Call, Command, NeedKind, State};

use super::panel::Item;
use super::program::{Session, until};
use super::service::{Service, status};
use super::watch::Notifications;

fn run(command: Command) -> Call {
    Call::Run { command, arguments: Vec::new(), json: true }
}

#[tokio::test]
async fn what_the_service_can_do_is_asked_of_it_and_shown() {
    let session = Session::start().await;
    let service = Service::start(&session.socket(), status(State::InStep, &[]));
    let tray = session.tray();
    let item = Item::of(&session, &tray).await;
    item.says("It is InStep.").await;
    assert_eq!(
        item.labels().await,
        [
            "It is InStep.",
            "Sync now",
            "Go offline",
            "Pause",
            "Nothing to review",
            "Sign in again…",
            "Open the log",
            "Quit",
        ]
    );
    let can: Vec<bool> = item.menu().await.iter().map(|entry| entry.enabled).collect();
    assert_eq!(can, [false, true, true, true, false, false, true, true]);
    // Each entry is there once the one before it had its effect.
    for label in ["Sync now", "Pause", "Resume", "Go offline", "Go online"] {
        item.click(label).await;
    }
    let expected = [
        Call::Sync { classes: Vec::new() },
        Call::Pause { seconds: None },
        Call::Resume,
        run(Command::Offline),
        run(Command::Online),
    ];
    until("five requests", async || service.asked().len() == 5).await;
    assert_eq!(service.asked(), expected);
}

#[tokio::test]
async fn what_a_person_must_look_at_opens_in_a_terminal() {
    let session = Session::start().await;
    session.stub("x-terminal-emulator", 0);
    let needs = [
        (NeedKind::SignIn, 1),
        (NeedKind::Standby, 1),
        (NeedKind::Approve, 1200),
        (NeedKind::Doubt, 1),
        (NeedKind::Conflict, 2),
        (NeedKind::Aside, 1),
    ];
    let _service = Service::start(&session.socket(), status(State::SignIn, &needs));
    let tray = session.tray();
    let item = Item::of(&session, &tray).await;
    for (label, command) in [
        ("Review 1,200 held changes…", "approve"),
        ("Decide about 1 mail…", "outgoing"),
        ("Review 2 conflicts…", "conflicts"),
        ("Look at 1 item set aside…", "status"),
        ("About the other computer…", "instance"),
        ("Sign in again…", "auth login"),
        ("Open the log", "log --follow"),
    ] {
        item.click(label).await;
        until(label, async || session.started("x-terminal-emulator").is_some()).await;
        let words = session.started("x-terminal-emulator").unwrap();
        std::fs::remove_file(session.path("x-terminal-emulator")).unwrap();
        assert_eq!(words[..3], ["-e", "sh", "-c"]);
        let (program, arguments) = words[5..].split_first().unwrap();
        assert!(program.ends_with("/liaison"), "{words:?}");
        assert_eq!(arguments.join(" "), command);
    }
}

#[tokio::test]
async fn another_installation_is_named_to_its_commands() {
    let session = Session::start().await;
    session.stub("xdg-terminal-exec", 0);
    let socket = session.path("second/run/control.sock");
    let _service = Service::start(&socket, status(State::InStep, &[]));
    let mut command = session.command();
    command.args(["--state", "second", "--config", "second.toml"]);
    let tray = super::program::Tray::start(&mut command);
    let item = Item::of(&session, &tray).await;
    item.says("It is InStep.").await;
    item.click("Open the log").await;
    until("a terminal", async || session.started("xdg-terminal-exec").is_some()).await;
    let words = session.started("xdg-terminal-exec").unwrap();
    let words = words[words.len() - 6..].join(" ");
    assert_eq!(words, "--config second.toml --state second log --follow");
}

#[tokio::test]
async fn without_a_terminal_the_command_is_told() {
    let session = Session::start().await;
    let notifications = Notifications::of(&session).await;
    let needs = [(NeedKind::Conflict, 1)];
    let _service = Service::start(&session.socket(), status(State::Held, &needs));
    // It is there, and cannot open a window.
    session.stub("x-terminal-emulator", 1);
    let tray = session.tray();
    let item = Item::of(&session, &tray).await;
    item.click("Review 1 conflict…").await;
    until("a notification", async || !notifications.shown().is_empty()).await;
    let shown = notifications.shown().remove(0);
    assert_eq!(shown.summary, "No terminal could be opened");
    assert_eq!(shown.body, "Open a terminal and enter: liaison conflicts");
}

#[tokio::test]
async fn what_the_service_refuses_is_told() {
    let session = Session::start().await;
    let notifications = Notifications::of(&session).await;
    let service = Service::start(&session.socket(), status(State::InStep, &[]));
    service.refuses("the copy <cannot> be made");
    let tray = session.tray();
    let item = Item::of(&session, &tray).await;
    item.click("Go offline").await;
    until("a notification", async || !notifications.shown().is_empty()).await;
    let shown = notifications.shown().remove(0);
    assert_eq!(shown.summary, "You are not offline");
    assert_eq!(shown.body, "the copy &lt;cannot&gt; be made\ntry later");
}

#[tokio::test]
async fn quit_ends_it_in_good_order() {
    let session = Session::start().await;
    let mut tray = session.tray();
    let item = Item::of(&session, &tray).await;
    item.click("Quit").await;
    assert_eq!(tray.ended().code(), Some(0));
}
