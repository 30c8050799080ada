//! `liaison sync` sends a hundred mails and is killed (SIGKILL) at random moments. `LIAISON_KILLS` is how often (20 unless set),
//! `LIAISON_SEED` which moments.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::stage::name;
use crate::cli::installation::{Installation, Organisation};
use crate::planner::simulation::Dice;
use crate::support::servers::PASSWORD;
use crate::support::servers::sink::{self, Sink};
use crate::support::{came_to, number};

const MAILS: usize = 100;
const SYNC: [&str; 3] = ["sync", "--class", "email"];

#[test]
fn killed_at_any_moment_each_mail_goes_out_once_or_is_asked_about() {
    let (kills, seed) = (number("LIAISON_KILLS", 20), number("LIAISON_SEED", 7));
    // Between more kills than that there would be nothing to send.
    let kills = kills.min(MAILS as u64 / 2);
    let mut dice = Dice::new(seed);
    let organisation = Organisation::serve();
    let sink = Sink::start(sink::Options::default());
    let installation = Installation::new(&organisation.url, &organisation.tokens());
    let token = format!("cat '{}'", organisation.tokens().join("anna").display());
    let mailbox = format!(
        "
[mailbox.email]
kind = \"maildir\"
path = \"mailbox/mail\"
[mailbox.submission]
host = \"localhost\"
port = {}
security = \"none\"
user = \"anna\"
password = {{ command = \"cat password\" }}
[sync.email]
send = true
",
        sink.smtp
    );
    installation.lead_to(&organisation.url, &token, &mailbox);
    installation.write("password", PASSWORD);
    installation.run(&SYNC).ends(0);
    let ids = mails(&organisation, 0..MAILS);
    let mut killed = 0;
    while killed < kills && sink.taken().len() < MAILS {
        // Some mails on, and then some moments: whatever it is doing there.
        let mails = dice.roll(2 * MAILS as u64 / kills + 1);
        let mails = sink.taken().len() + usize::try_from(mails).unwrap();
        if kill(&installation, &sink, mails, Duration::from_micros(dice.roll(40_000))) {
            killed += 1;
        }
    }
    assert!(killed > kills / 2, "it was over after {killed} kills");
    println!("seed {seed}: {killed} kills, {} taken", sink.taken().len());
    came_to("kills", "sending::kill", killed);
    for _ in 0..2 {
        installation.run(&SYNC);
    }
    let taken = |id: &str| {
        let is_it = |message: &&Vec<u8>| name(message).starts_with(id);
        sink.taken().iter().filter(is_it).count()
    };
    let asked = installation.json(&["outgoing"]);
    let asked = asked["mails"].as_array().unwrap();
    if !asked.is_empty() {
        installation.run(&["status"]).ends(4).says("were they sent?");
    }
    for mail in asked {
        assert_eq!(mail["state"], "unknown", "{mail}");
        let id = mail["record"].as_str().unwrap().strip_prefix("email/").unwrap();
        let word = if taken(id) > 0 { "sent" } else { "again" };
        installation.run(&["outgoing", word, &mail["mail"].to_string()]).ends(0);
    }
    println!("{} questions", asked.len());
    installation.run(&SYNC);
    let report = installation.json(&SYNC);
    assert_eq!(report["classes"]["email"]["error"], Json::Null, "{report:#}");
    let sent: BTreeSet<String> = organisation
        .rows("emails?$filter=statuscode%20eq%203&$select=activityid")
        .iter()
        .map(|row| row["activityid"].as_str().unwrap().to_owned())
        .collect();
    for id in &ids {
        assert_eq!(taken(id), 1, "{id}");
        assert!(sent.contains(id), "{id}");
    }
    let filed = std::fs::read_dir(installation.path("mailbox/mail/.Sent/cur")).unwrap().count();
    assert_eq!(filed, MAILS);
    assert_eq!(installation.json(&["outgoing"]), json!({ "mails": [] }));
}

/// Mails of Anna's that wait.
pub fn mails(organisation: &Organisation, numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    let me = organisation.rows(
        "systemusers?$filter=internalemailaddress%20eq%20'anna@example.org'&$select=systemuserid",
    );
    let me = me[0]["systemuserid"].as_str().unwrap().to_owned();
    let mail = |number: usize| {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("mail {number}").as_bytes());
        let body = json!({
            "activityid": id.to_string(), "subject": format!("Mail {number}"),
            "description": "<p>hello</p>", "directioncode": true, "email_activity_parties": [
                {"partyid_systemuser@odata.bind": format!("/systemusers({me})"), "participationtypemask": 1},
                {"addressused": format!("to-{number}@example.test"), "participationtypemask": 2},
            ],
        });
        let (status, answer) = organisation.request("POST", "emails", &body.to_string());
        assert_eq!(status, 204, "{answer}");
        let path = format!("emails({id})/Microsoft.Dynamics.CRM.SendEmail");
        let (status, answer) = organisation.request("POST", &path, r#"{"IssueSend":true}"#);
        assert_eq!(status, 200, "{answer}");
        id.to_string()
    };
    numbers.into_iter().map(mail).collect()
}

/// Whether a sync was still at work when it was killed.
fn kill(installation: &Installation, sink: &Sink, mails: usize, later: Duration) -> bool {
    let mut sync = installation
        .command(&SYNC)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while sink.taken().len() < mails {
        if sync.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    // Not to wait for something: this is the random moment.
    std::thread::sleep(later);
    sync.kill().unwrap();
    std::os::unix::process::ExitStatusExt::signal(&sync.wait().unwrap()) == Some(9)
}
