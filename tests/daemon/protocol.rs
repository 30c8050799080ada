//! What other programs may say, and what is said to those who say something else.

use serde_json::{Value as Json, json};

use super::service::{Client, Service};
use crate::cli::installation::{Installation, Organisation};
use crate::support::servers::process::eventually;

fn fresh(organisation: &Organisation) -> Installation {
    let here = Installation::new(&organisation.url, &organisation.tokens());
    here.card("ann", "Ann Smith", "+49 30 1", true);
    here
}

#[test]
fn everything_can_be_done_by_the_socket_alone() {
    let organisation = Organisation::serve();
    let here = fresh(&organisation);
    let service = Service::start(&here);
    let status = service.reaches("held");
    assert_eq!(status["needs"][0]["kind"], "approve", "{status:#}");
    let mut client = service.client();
    let run = |client: &mut Client, command: &str, arguments: &[&str]| {
        let order = json!({ "command": command, "arguments": arguments, "json": true });
        client.ask(&json!({ "run": order }))["answer"].clone()
    };
    let approved = run(&mut client, "approve", &["--all"]);
    assert_eq!((&approved["exit"], &approved["json"]["approved"]), (&json!(0), &json!(1)));
    service.reaches("in-step");
    assert_eq!(organisation.rows("contacts?$select=fullname")[0]["fullname"], "Ann Smith");
    let synced = client.ask(&json!({ "sync": { "classes": ["contact"] } }))["answer"].clone();
    assert_eq!(synced["exit"], 0, "{synced}");
    let explained = run(&mut client, "explain", &["Ann Smith"]);
    assert!(explained["text"].as_str().unwrap().contains("Ann Smith"), "{explained}");
    let made = run(&mut client, "record", &["create", "contact", "lastname=Brown"]);
    assert_eq!(made["exit"], 0, "{made}");
    eventually("it is in the mailbox", || {
        std::fs::read_dir(here.path("mailbox/contacts")).unwrap().count() == 2
    });
}

#[test]
fn the_command_line_gives_the_same_answers_with_and_without_the_service() {
    let organisation = Organisation::serve();
    let here = fresh(&organisation);
    here.run(&["sync"]).ends(4);
    let commands: [&[&str]; 6] = [
        &["approve"],
        &["plan", "--class", "contact"],
        &["conflicts"],
        &["explain", "Ann Smith"],
        &["people"],
        &["undo", "99"],
    ];
    let answers = |here: &Installation| {
        commands.map(|command| {
            let ran = here.run(command);
            (ran.code, ran.out, ran.err)
        })
    };
    let alone = answers(&here);
    let service = Service::start(&here);
    service.reaches("held");
    let by_service = answers(&here);
    for (one, two) in alone.iter().zip(&by_service) {
        assert_eq!(one, two);
    }
}

#[test]
fn a_person_is_asked_what_the_command_asks() {
    let organisation = Organisation::serve();
    let here = fresh(&organisation);
    here.run(&["sync"]).ends(4);
    here.run(&["instance", "release"]).ends(0);
    let service = Service::start(&here);
    let mut client = service.client();
    let order = json!({ "run": { "command": "instance", "arguments": ["claim"] } });
    for yes in [false, true] {
        let id = client.send(&order);
        let question = client.next().unwrap();
        assert!(question["question"]["question"].as_str().unwrap().ends_with('?'), "{question}");
        let reply = json!({ "id": id, "do": { "reply": { "yes": yes } } });
        client.write(format!("{reply}\n").as_bytes());
        let answer = client.next().unwrap();
        assert_eq!(answer["done"]["answer"]["exit"], if yes { 0 } else { 4 }, "{answer}");
    }
}

#[test]
fn who_says_something_else_is_told_so_and_let_go() {
    let organisation = Organisation::serve();
    let here = fresh(&organisation);
    let service = Service::start(&here);
    let hello = "{\"id\":1,\"do\":{\"hello\":{\"version\":1,\"program\":\"x\"}}}\n";
    for (said, kind) in [
        ("{\"id\":1,\"do\":\"status\"}\n".to_owned(), "protocol"),
        ("{\"id\":1,\"do\":{\"hello\":{\"version\":2,\"program\":\"x\"}}}\n".to_owned(), "version"),
        (format!("{hello}{{\"id\":2,\"do\":\"reboot\"}}\n"), "protocol"),
        (format!("{hello}\u{0}\u{1}\n"), "protocol"),
        (format!("{hello}{}\n", "[".repeat(500_000)), "protocol"),
        (format!("{hello}{}", "x".repeat(2 << 20)), "protocol"),
    ] {
        let mut client = Client::silent(&service.socket);
        client.write(said.as_bytes());
        let mut last = Json::Null;
        while let Some(line) = client.next() {
            last = line;
        }
        assert_eq!(last["failed"]["kind"], kind, "{}: {last}", &said[..said.len().min(90)]);
    }
    service.reaches("held");
}

#[test]
fn who_only_holds_the_line_keeps_nobody_out_for_long() {
    let organisation = Organisation::serve();
    let here = fresh(&organisation);
    let service = Service::start(&here);
    service.reaches("held");
    let greeted: Vec<Client> = (0..32).map(|_| service.client()).collect();
    let mut late = Client::silent(&service.socket);
    late.write(b"{\"id\":1,\"do\":{\"hello\":{\"version\":1,\"program\":\"x\"}}}\n");
    assert_eq!(late.next().unwrap()["failed"]["kind"], "busy");
    assert!(late.next().is_none());
    drop(greeted);
    let silent: Vec<Client> = (0..32).map(|_| Client::silent(&service.socket)).collect();
    eventually("those who say nothing are let go", || {
        let mut client = Client::silent(&service.socket);
        client.write(b"{\"id\":1,\"do\":{\"hello\":{\"version\":1,\"program\":\"x\"}}}\n");
        client.next().is_some_and(|line| line.get("done").is_some())
    });
    for mut client in silent {
        let told = client.next().unwrap();
        assert_eq!(told["failed"]["kind"], "protocol", "{told}");
        assert!(client.next().is_none());
    }
}
