//! What is told to those who listen.

use serde_json::json;

use super::service::{Client, Service};
use crate::cli::installation::{Installation, Organisation};

/// Reads events until one is in this state, and returns the states that came before.
fn states_until(client: &mut Client, state: &str) -> Vec<String> {
    let mut states = Vec::new();
    loop {
        let line = client.next().unwrap_or_else(|| panic!("no {state} after {states:?}"));
        let status = &line["event"]["status"];
        let Some(found) = status["state"].as_str() else { continue };
        if found == state {
            return states;
        }
        states.push(found.to_owned());
    }
}

#[test]
fn whoever_listens_is_told_at_once_and_whenever_something_changes() {
    let organisation = Organisation::serve();
    let here = Installation::new(&organisation.url, &organisation.tokens());
    let service = Service::start(&here);
    service.reaches("in-step");
    let mut client = service.client();
    client.send(&json!("events"));
    assert!(states_until(&mut client, "in-step").is_empty(), "it is told at once");
    here.card("ann", "Ann Smith", "+49 30 1", true);
    let states = states_until(&mut client, "held");
    assert!(states.iter().all(|state| state == "in-step" || state == "syncing"), "{states:?}");
    here.run(&["approve", "--all"]).ends(0);
    let states = states_until(&mut client, "in-step");
    assert!(!states.is_empty(), "it was carried out between two events");
    assert_eq!(organisation.rows("contacts?$select=contactid").len(), 1);
}

#[test]
fn a_status_that_is_watched_shows_each_change() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let organisation = Organisation::serve();
    let here = Installation::new(&organisation.url, &organisation.tokens());
    here.run(&["status", "--watch"]).ends(1).says("the service does not run");
    let mut service = Service::start(&here);
    service.reaches("in-step");
    let mut watch =
        here.command(&["status", "--watch", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut reads = |state: &str| {
        let found = lines.by_ref().map(|line| line.unwrap()).find(|line| {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            json["service"]["state"] == state
        });
        assert!(found.is_some(), "no {state}");
    };
    reads("in-step");
    here.card("ann", "Ann Smith", "+49 30 1", true);
    reads("held");
    service.end();
    assert_eq!(watch.wait().unwrap().code(), Some(75));
}
