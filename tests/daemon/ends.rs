//! How the service ends, is killed, and begins again.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use serde_json::json;

use super::service::Service;
use crate::cli::installation::{Installation, Organisation};
use crate::planner::simulation::Dice;
use crate::support::servers::process::eventually;

/// A mailbox of contacts that wait for their first round, which is approved.
fn furnished(organisation: &Organisation, cards: usize) -> Installation {
    let here = Installation::new(&organisation.url, &organisation.tokens());
    for number in 0..cards {
        here.card(&format!("c{number}"), &format!("Ann N{number}"), "+49 30 1", true);
    }
    here.run(&["sync", "--class", "contact"]).ends(4);
    here.run(&["approve", "--all"]).ends(0);
    here
}

#[test]
fn one_state_has_one_service_and_a_killed_one_leaves_nothing_behind() {
    let organisation = Organisation::serve();
    let here = furnished(&organisation, 1);
    let mut service = Service::start(&here);
    here.run(&["run"]).ends(7).says("at work on this state already");
    service.kill();
    assert!(service.socket.exists(), "nobody could tidy up");
    here.run(&["status"]);
    let mut again = Service::start(&here);
    again.reaches("in-step");
    let (code, _) = again.end();
    assert_eq!(code, Some(0));
    assert!(!again.socket.exists());
    here.run(&["status"]).ends(0);
}

#[test]
fn the_socket_is_its_owners_alone() {
    let organisation = Organisation::serve();
    let here = Installation::new(&organisation.url, &organisation.tokens());
    let service = Service::start(&here);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&service.socket) & 0o777, 0o600);
    assert_eq!(mode(service.socket.parent().unwrap()) & 0o777, 0o700);
}

#[test]
fn a_service_that_is_told_to_end_finishes_the_write_in_hand() {
    let organisation = Organisation::serve();
    let here = furnished(&organisation, 1200);
    let mut service = Service::start(&here);
    eventually("it writes", || !organisation.rows("contacts?$select=contactid&$top=1").is_empty());
    let (code, took) = service.end();
    assert_eq!(code, Some(0), "{}", here.read("log"));
    assert!(took < Duration::from_secs(30), "{took:?}");
    for round in here.json(&["history"])["rounds"].as_array().unwrap() {
        let unknown = &round["report"]["classes"]["contact"]["unknown"];
        assert!(unknown.is_null() || unknown == 0, "{round:#}");
    }
    here.run(&["sync"]).ends(0);
    let audit = organisation.audit();
    assert_eq!(audit["contact"]["creates"], 1200, "{audit}");
}

#[test]
fn a_service_that_is_killed_at_random_ends_in_step() {
    let seed = std::env::var("LIAISON_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    println!("seed {seed}");
    let mut dice = Dice::new(seed);
    let organisation = Organisation::serve();
    let here = furnished(&organisation, 100);
    here.run(&["sync"]).ends(0);
    for round in 0..8 {
        let mut service = Service::start(&here);
        here.card(&format!("c{round}"), &format!("Ann N{round}"), &format!("4931{round}"), true);
        for new in 0..5 {
            let name = format!("n{round}-{new}");
            here.card(&name, &format!("Bob {name}"), "+49 30 1", true);
        }
        std::thread::sleep(Duration::from_millis(dice.roll(400)));
        service.kill();
    }
    let service = Service::start(&here);
    service.reaches("in-step");
    let audit = organisation.audit();
    assert_eq!(audit["contact"]["creates"], 140, "{audit}");
    assert_eq!(audit["contact"]["deleted"], 0, "{audit}");
    let phones =
        organisation.rows("contacts?$select=telephone1&$filter=startswith(telephone1,'4931')");
    assert_eq!(phones.len(), 8);
}

#[test]
fn the_service_manager_is_told_how_things_stand() {
    let organisation = Organisation::serve();
    let here = furnished(&organisation, 1);
    let manager = UnixDatagram::bind(here.path("notify")).unwrap();
    manager.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut command = here.command(&["run"]);
    command.env("NOTIFY_SOCKET", here.path("notify")).env("WATCHDOG_USEC", "3000000");
    let mut service = Service::start_as(&here, command);
    let mut told = String::new();
    let mut read = |until: &str| {
        let mut message = [0; 4096];
        while !told.contains(until) {
            let length =
                manager.recv(&mut message).unwrap_or_else(|_| panic!("no {until}: {told}"));
            told.push_str(std::str::from_utf8(&message[..length]).unwrap());
            told.push('\n');
        }
        told.clone()
    };
    read("READY=1");
    read("STATUS=everything is in step");
    let alive = |told: &str| told.matches("WATCHDOG=1").count();
    let before = alive(&read("WATCHDOG=1"));
    // It goes on saying so.
    loop {
        let mut message = [0; 4096];
        let length = manager.recv(&mut message).unwrap();
        if message[..length].starts_with(b"WATCHDOG=1") {
            break;
        }
    }
    assert!(before >= 1);
    service.signal("-TERM");
    loop {
        let mut message = [0; 4096];
        let length = manager.recv(&mut message).unwrap();
        if message[..length].starts_with(b"STOPPING=1") {
            break;
        }
    }
    service.end();
}

#[test]
fn a_service_starts_without_a_network_and_goes_on_when_it_is_there() {
    let mut organisation = Organisation::serve();
    let here = furnished(&organisation, 1);
    organisation.stop();
    let service = Service::start(&here);
    service.reaches("offline");
    organisation.resume();
    service.client().ask(&json!("reload"));
    service.reaches("in-step");
}
