//! `liaison log` on a log that the test writes: what is shown, and that waiting for more survives new parts.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::installation::Installation;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn write(here: &Installation, part: u32, said: &str) {
    fs::create_dir_all(here.path("state/log")).unwrap();
    let mut options = OpenOptions::new();
    let file = options.append(true).create(true).open(here.path(&format!("state/log/{part}.log")));
    let line = format!(
        "{{\"timestamp\":\"2026-11-22T08:00:00Z\",\"level\":\"INFO\",\"fields\":{{\"message\":\"{said}\"}},\
         \"spans\":[{{\"id\":7,\"name\":\"round\"}}]}}\n"
    );
    file.unwrap().write_all(line.as_bytes()).unwrap();
}

/// Stops with the test.
struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn start(here: &Installation, arguments: &[&str]) -> Self {
        let mut child = here.command(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line")
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn nobody() -> Installation {
    Installation::new("http://127.0.0.1:1", Path::new("/nowhere"))
}

#[test]
fn the_log_is_shown_to_people_and_programs() {
    let here = nobody();
    here.run(&["log"]).ends(1).says("there is no log yet").says("liaison service status");
    for (part, said) in [(9, "first"), (9, "second"), (10, "third")] {
        write(&here, part, said);
    }
    let ran = here.run(&["log"]).ends(0);
    assert_eq!(ran.out.lines().count(), 3, "{}", ran.out);
    assert_eq!(ran.out.lines().next(), Some("2026-11-22 08:00:00 info  round 7: first"));
    assert_eq!(here.run(&["log", "-n", "1"]).ends(0).out.lines().count(), 1);
    assert_eq!(here.run(&["log", "--since", "2026-11-23"]).ends(0).out, "");
    here.run(&["log", "--since", "soon"]).ends(2).says("neither a duration nor a date");
    let json = here.json(&["log", "-n", "2"]);
    assert_eq!(json["entries"][1]["fields"]["message"], "third", "{json}");
}

#[test]
fn who_waits_for_more_gets_it_through_new_parts() {
    let here = nobody();
    let early = Following::start(&here, &["log", "-f", "--json"]);
    write(&here, 1, "one");
    assert!(early.next().contains("\"one\""));
    let late = Following::start(&here, &["log", "-f", "-n", "1"]);
    assert!(late.next().ends_with("one"));
    write(&here, 1, "two");
    assert!(late.next().ends_with("two"));
    write(&here, 1, "three");
    write(&here, 2, "four");
    fs::remove_file(here.path("state/log/1.log")).unwrap();
    write(&here, 3, "five");
    assert_eq!(
        [late.next(), late.next(), late.next()]
            .map(|line| line.split(' ').next_back().map(str::to_owned)),
        ["three", "four", "five"].map(|said| Some(said.to_owned()))
    );
    assert!(early.next().contains("\"two\""));
}
