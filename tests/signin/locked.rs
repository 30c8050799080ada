//! A keyring that is locked in the middle of the day, while the service runs.

use serde_json::Value as Json;

use super::desktop::Desktop;
use crate::daemon::service::Service;
use crate::support::servers::process::eventually;

/// Tokens last for so short a time that the keyring is needed all the time, and rounds follow each other quickly.
fn day() -> (Service, Desktop) {
    let desktop = Desktop::open(2, |_| {
        "\n[mailbox.contacts]\nkind = \"vdir\"\npath = \"mailbox/contacts\"\n\
         \n[sync.contact]\ntrack = \"all\"\n\n[service]\ninterval = 1\n"
            .to_owned()
    });
    desktop.sign_in();
    desktop.here.card("ann", "Ann Smith", "1", false);
    let service = Service::start_as(&desktop.here, desktop.command(&["run", "-v"]));
    service.reaches("held");
    desktop.run(&["approve", "--all"]).ends(0);
    service.reaches("in-step");
    (service, desktop)
}

fn rounds_that_ended_early(desktop: &Desktop) -> usize {
    desktop.here.read("log").matches("a round ended early").count()
}

#[test]
fn a_locked_keyring_is_asked_for_once_and_waited_for() {
    let (service, mut desktop) = day();
    desktop.keyring.lock();
    let told = service.reaches("sign-in");
    assert!(told["sentence"].as_str().unwrap().contains("the keyring is locked"), "{told:#}");
    let needs = told["needs"].as_array().unwrap();
    assert_eq!(needs.len(), 1, "{told:#}");
    assert_eq!((&needs[0]["kind"], &needs[0]["count"]), (&"sign-in".into(), &1.into()), "{told:#}");
    desktop.run(&["status"]).ends(6).says("the keyring is locked").says("unlock it");
    assert_eq!(desktop.here.json(&["status"])["in_step"], Json::from(false));

    // What happens meanwhile waits. It is looked at again and again, but a person who closed the window is left alone.
    desktop.here.card("ben", "Ben Smith", "1", false);
    let before = rounds_that_ended_early(&desktop);
    eventually("it is tried again", || rounds_that_ended_early(&desktop) >= before + 3);
    assert_eq!(desktop.keyring.unlockings(), 1, "a window for each round");
    assert_eq!(service.status()["state"], "sign-in");

    // Nobody tells that it is open again.
    desktop.keyring.unlock();
    let told = service.reaches("in-step");
    assert_eq!(told["needs"].as_array().map(Vec::len), Some(0), "{told:#}");
    assert_eq!(desktop.organisation.rows("contacts?$filter=lastname%20eq%20'Smith'").len(), 2);
}
