//! Acknowledged means durable: the process is killed (SIGKILL) as soon as it has said so.
//!
//! `LIAISON_KILLS` is how often (20 unless set; CI says 400).

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::scene::office;
use crate::support::{came_to, number};

#[test]
fn no_acknowledged_edit_is_missing() {
    let edits = number("LIAISON_KILLS", 20);
    let (organisation, anna) = office();
    anna.run(&["record", "create", "account", "name=Contoso"]).ends(0);
    anna.run(&["offline"]).ends(0);
    let mut acknowledged = Vec::new();
    for edit in 0..edits {
        let values = [format!("lastname=L{edit}"), "parentcustomerid=account:Contoso".to_owned()];
        let mut child = anna
            .command(&["record", "create", "contact", "firstname=Ann", &values[0], &values[1]])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(line.contains("waits in the outbox"), "{line}");
        acknowledged.push(format!("Ann L{edit}"));
    }
    came_to("kills", "offline::durable", edits);
    anna.run(&["online"]).ends(0).says(&format!("{edits} edits there"));
    let mut there: Vec<String> = organisation
        .rows(
            "contacts?$select=fullname&$filter=_parentcustomerid_value ne null"
                .replace(' ', "%20")
                .as_str(),
        )
        .iter()
        .map(|row| row["fullname"].as_str().unwrap().to_owned())
        .collect();
    there.sort();
    acknowledged.sort();
    assert_eq!(there, acknowledged);
}
