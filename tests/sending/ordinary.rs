//! Mails on an ordinary day.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use async_trait::async_trait;
use liaison::connector::imap::{self, Imap};
use liaison::connector::net::Security;
use liaison::connector::outgoing::Courier;
use liaison::connector::smtp::{Outcome, Phase, Reply, Submission};
use liaison::connector::{Error, ErrorKind};
use liaison::filter::email::Automatic;
use liaison::filter::email::token::Form;
use liaison::model::{Address, Class};
use liaison::store::link;
use liaison::store::outgoing::State;
use liaison::sync::report::Obstacle;
use liaison::sync::send::Outgoing;
use serde_json::{Value as Json, json};

use super::stage::{Bag, Stage, name, sync};
use crate::support::servers::account;
use crate::support::servers::dovecot::{self, Dovecot};

const SENT: (i64, i64) = (1, 3);
const FAILED: (i64, i64) = (0, 8);

/// Says the same to everybody.
struct Saying(fn() -> Outcome, bool);

#[async_trait]
impl Courier for Saying {
    async fn submit(&self, _submission: &Submission) -> Outcome {
        (self.0)()
    }

    fn files_itself(&self) -> bool {
        self.1
    }
}

fn refused(phase: Phase, kind: ErrorKind) -> Outcome {
    let address = Address::parse("bo@example.test").unwrap();
    let reply = Reply { code: 550, text: "nobody of that name".to_owned() };
    Outcome::Refused {
        phase,
        permanent: kind.retry() == liaison::connector::Retry::Never,
        why: Error::new(kind, "no"),
        recipients: if phase == Phase::Recipients { vec![(address, reply)] } else { Vec::new() },
    }
}

fn silent() -> Outcome {
    let why = Error::new(ErrorKind::Unreachable, "the connection broke");
    Outcome::Unknown { phase: Phase::End, why }
}

async fn notes(stage: &Stage, id: &str) -> Vec<String> {
    let path = format!("annotations?$filter=_objectid_value eq {id}&$select=notetext");
    let (status, rows) = stage.call("anna", "GET", &path, &Json::Null).await;
    assert_eq!(status, 200, "{rows}");
    let note = |row: &Json| row["notetext"].as_str().unwrap().to_owned();
    rows["value"].as_array().unwrap().iter().map(note).collect()
}

#[tokio::test]
async fn a_mail_is_sent_filed_linked_and_told_of_once() {
    let mut stage = Stage::start().await;
    let desk = stage.desk();
    let bag = Arc::new(Bag::default());
    let engine = stage.engine(&desk, Arc::clone(&bag) as Arc<dyn Courier>);
    let quiet = sync(&engine).await;
    assert_eq!((quiet.requests, quiet.in_step()), (1, true), "{quiet:?}");

    let to = [("bo@example.test", 2), ("cc@example.test", 3), ("hidden@example.test", 4)];
    let draft = stage.draft(&to, json!({"subject": "Ein Angebot für Ünal 🎉"})).await;
    let file = json!({
        "objectid_email@odata.bind": format!("/emails({draft})"), "objecttypecode": "email",
        "filename": "a.txt", "mimetype": "text/plain", "body": "aGVsbG8=",
    });
    assert_eq!(stage.call("anna", "POST", "activitymimeattachments", &file).await.0, 201);
    assert_eq!(sync(&engine).await.outgoing, Outgoing::default(), "a draft stays one");
    stage.send(&draft).await;
    let report = sync(&engine).await;
    assert_eq!((report.outgoing.sent, report.outgoing.waiting), (1, 0), "{report:?}");
    assert_eq!(stage.status(&draft).await, SENT);
    assert_eq!(stage.row(&draft).await["messageid"], format!("<{}>", stage.name(&draft)));
    let submission = bag.messages.lock().unwrap()[0].clone();
    assert_eq!(submission.from.as_str(), "anna@example.org");
    let mut envelope: Vec<&str> = submission.to.iter().map(Address::as_str).collect();
    envelope.sort_unstable();
    assert_eq!(envelope, ["bo@example.test", "cc@example.test", "hidden@example.test"]);
    let message = mail_parser::MessageParser::new().parse(&submission.message[..]).unwrap();
    assert_eq!(message.subject(), Some("Ein Angebot für Ünal 🎉"));
    assert_eq!(message.body_text(0).unwrap().trim(), "Good morning");
    assert!(message.body_html(0).unwrap().contains("<p>Good morning</p>"));
    let attached = message.attachment(0).unwrap();
    assert_eq!(attached.contents(), b"hello");
    assert!(message.date().is_some() && message.bcc().is_none());
    assert!(!String::from_utf8_lossy(&submission.message).contains("hidden@"));

    assert_eq!(desk.filed(), [stage.name(&draft)]);
    // What lies there now is tracked by the rule "all", and must not become a second record.
    for _ in 0..3 {
        let report = sync(&engine).await;
        assert!(report.error.is_none() && report.quarantined == 0, "{report:?}");
    }
    let (_, rows) = stage.call("anna", "GET", "emails?$select=messageid", &Json::Null).await;
    assert_eq!(rows["value"].as_array().unwrap().len(), 1, "{rows}");
    let links = desk.store.read_blocking(|db| link::all(db, Class::Email)).unwrap();
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].record.as_str(), format!("email/{draft}"));
    assert_eq!(bag.taken.of(&stage.name(&draft)), 1);
    assert_eq!(desk.filed().len(), 1);
}

#[tokio::test]
async fn what_nobody_gets_has_failed_and_says_why() {
    let mut stage = Stage::start().await;
    let desk = stage.desk();
    let no = Saying(|| refused(Phase::Recipients, ErrorKind::Rejected), false);
    let engine = stage.engine(&desk, Arc::new(no));
    let mail = stage.mail(&[("bo@example.test", 2), ("cc@example.test", 2)], json!({})).await;
    let bad = stage.mail(&[("bo@example.test", 2), ("no address", 3)], json!({})).await;
    let report = sync(&engine).await;
    assert_eq!((report.outgoing.failed, report.outgoing.waiting), (2, 0), "{report:?}");
    assert_eq!((stage.status(&mail).await, stage.status(&bad).await), (FAILED, FAILED));
    let told = notes(&stage, &mail).await;
    assert!(told.len() == 1 && told[0].contains("bo@example.test (550 nobody"), "{told:?}");
    let told = notes(&stage, &bad).await;
    assert!(told.len() == 1 && told[0].contains("no address"), "{told:?}");
    assert_eq!(stage.row(&mail).await["description"], "<p>Good morning</p>");
    assert!(desk.filed().is_empty());
    assert_eq!(sync(&engine).await.outgoing, Outgoing::default());

    // Anna sends it once more, and it works.
    stage.send(&mail).await;
    let bag = Arc::new(Bag::default());
    let engine = stage.engine(&desk, Arc::clone(&bag) as Arc<dyn Courier>);
    assert_eq!(sync(&engine).await.outgoing.sent, 1);
    assert_eq!(stage.status(&mail).await, SENT);
    assert_eq!(bag.taken.of(&stage.name(&mail)), 1);
}

#[tokio::test]
async fn what_passes_is_tried_again_and_not_for_ever() {
    let mut stage = Stage::start().await;
    let desk = stage.desk();
    let later = || refused(Phase::Message, ErrorKind::Unreachable);
    let engine = stage.engine(&desk, Arc::new(Saying(later, false)));
    let mail = stage.mails(1).await.remove(0);
    let report = sync(&engine).await;
    assert_eq!((report.outgoing.waiting, report.in_step()), (1, false));
    assert_eq!(stage.status(&mail).await, (1, 7));
    let tried = desk.stored(&mail).unwrap();
    assert!((tried.state, tried.attempts) == (State::Ready, 1) && tried.due > stage.clock.now());
    for _ in 0..10 {
        assert_eq!(sync(&engine).await.outgoing.waiting, 1);
    }
    assert_eq!(sync(&engine).await.outgoing.failed, 1);
    assert_eq!(stage.status(&mail).await, FAILED);
    assert!(notes(&stage, &mail).await[0].contains("12 attempts"));

    // A server that does not talk to us at all is not the mail's fault.
    let closed = || refused(Phase::Connect, ErrorKind::Unreachable);
    let engine = stage.engine(&desk, Arc::new(Saying(closed, false)));
    let two = stage.mails(2).await;
    for _ in 0..20 {
        let report = sync(&engine).await;
        assert_eq!((report.outgoing.waiting, report.error.unwrap().kind), (2, Obstacle::Later));
    }
    // Taken back in the CRM before it left: it never does.
    let path = format!("emails({})", two[0]);
    let draft = json!({"statecode": 0, "statuscode": 1});
    assert_eq!(stage.call("anna", "PATCH", &path, &draft).await.0, 200);
    let bag = Arc::new(Bag::default());
    let engine = stage.engine(&desk, Arc::clone(&bag) as Arc<dyn Courier>);
    assert_eq!(sync(&engine).await.outgoing.sent, 1);
    assert_eq!(bag.taken.of(&stage.name(&two[0])), 0);
    assert_eq!((desk.stored(&two[0]), stage.status(&two[0]).await), (None, (0, 1)));
}

#[tokio::test]
async fn nothing_is_sent_where_the_server_of_the_organisation_sends() {
    let mut stage = Stage::start().await;
    let desk = stage.desk();
    let bag = Arc::new(Bag::default());
    let engine = stage.engine(&desk, Arc::clone(&bag) as Arc<dyn Courier>);
    let mail = stage.mails(1).await.remove(0);
    let path = "mailboxes?$filter=emailaddress eq 'anna@example.org'&$select=mailboxid";
    let rows = stage.call("admin", "GET", path, &Json::Null).await.1;
    let id = rows["value"][0]["mailboxid"].as_str().unwrap().to_owned();
    let path = format!("mailboxes({id})");
    let by_server = json!({"outgoingemaildeliverymethod": 2});
    assert_eq!(stage.call("admin", "PATCH", &path, &by_server).await.0, 200);
    let report = sync(&engine).await;
    assert!(report.error.unwrap().message.contains("own server sends"));
    assert!(bag.messages.lock().unwrap().is_empty());
    assert_eq!(stage.status(&mail).await, (1, 6));
}

#[tokio::test]
async fn somebody_elses_mails_are_left_alone() {
    let mut stage = Stage::start().await;
    let desk = stage.desk();
    let bag = Arc::new(Bag::default());
    let engine = stage.engine(&desk, Arc::clone(&bag) as Arc<dyn Courier>);
    let body = json!({
        "subject": "x", "directioncode": true, "email_activity_parties": [
            {"addressused": "sales@example.org", "participationtypemask": 1},
            {"addressused": "bo@example.test", "participationtypemask": 2},
        ],
    });
    let (status, row) = stage.call("anna", "POST", "emails", &body).await;
    assert_eq!(status, 201, "{row}");
    let queue = row["activityid"].as_str().unwrap();
    stage.send(queue).await;
    let bos = stage.call("bo", "POST", "emails", &body).await.1;
    if let Some(id) = bos["activityid"].as_str() {
        let path = format!("emails({id})/Microsoft.Dynamics.CRM.SendEmail");
        stage.call("bo", "POST", &path, &json!({"IssueSend": true})).await;
    }
    assert_eq!(sync(&engine).await.outgoing, Outgoing::default());
    assert!(bag.messages.lock().unwrap().is_empty());
    assert_eq!(stage.status(queue).await, (1, 6));
}

#[tokio::test]
async fn a_mail_that_nobody_knows_about_waits_for_a_word_or_for_its_copy() {
    let mut stage = Stage::start().await;
    let desk = stage.desk();
    let lost = stage.engine(&desk, Arc::new(Saying(silent, false)));
    let mails = stage.mails(3).await;
    let report = sync(&lost).await;
    assert_eq!((report.outgoing.unknown, report.in_step()), (3, false));
    let bag = Arc::new(Bag::default());
    let engine = stage.engine(&desk, Arc::clone(&bag) as Arc<dyn Courier>);
    for _ in 0..3 {
        assert_eq!(sync(&engine).await.outgoing.unknown, 3, "nothing is sent without a word");
    }
    let [first, second, third] = [0, 1, 2].map(|number| desk.stored(&mails[number]).unwrap());
    desk.answer(&first, true);
    desk.answer(&second, false);
    // The copy of the third shows up: some servers take their time.
    let bytes = format!("Message-ID: <{}>\r\n\r\n", stage.name(&mails[2]));
    fs::write(desk.path.join("mail/cur/1.late:2,S"), bytes).unwrap();
    let report = sync(&engine).await;
    assert_eq!((report.outgoing.sent, report.outgoing.unknown), (2, 0), "{report:?}");
    for (id, times) in mails.iter().zip([0, 1, 0]) {
        assert_eq!(stage.status(id).await, SENT);
        assert_eq!(bag.taken.of(&stage.name(id)), times);
    }
    assert_eq!(desk.filed().len(), 3);
    drop(third);
    // A second answer comes too late.
    let at = stage.clock.now();
    let late =
        desk.store.promise_blocking(|tx| liaison::store::outgoing::answer(tx, first.id, false, at));
    assert!(late.is_err());
}

#[tokio::test]
async fn a_server_that_files_itself_is_left_to_it() {
    let mut stage = Stage::start().await;
    let desk = stage.desk();
    let bag = Arc::new(Bag { files_itself: true, ..Bag::default() });
    let engine = stage.engine(&desk, bag);
    let mail = stage.mails(1).await.remove(0);
    assert_eq!(sync(&engine).await.outgoing.sent, 1);
    assert!(desk.filed().is_empty());
    assert_eq!(stage.status(&mail).await, SENT);
}

#[tokio::test]
async fn after_the_store_is_lost_what_was_taken_is_asked_about() {
    let mut stage = Stage::start().await;
    let desk = stage.desk();
    let engine = stage.engine(&desk, Arc::new(Saying(silent, false)));
    let mail = stage.mails(1).await.remove(0);
    sync(&engine).await;
    let new = stage.desk();
    let bag = Arc::new(Bag::default());
    let engine = stage.engine(&new, Arc::clone(&bag) as Arc<dyn Courier>);
    assert_eq!(sync(&engine).await.outgoing.unknown, 1);
    assert!(bag.messages.lock().unwrap().is_empty());
    new.answer(&new.stored(&mail).unwrap(), false);
    assert_eq!(sync(&engine).await.outgoing.sent, 1);
    assert_eq!((bag.taken.of(&stage.name(&mail)), stage.status(&mail).await), (1, SENT));
}

#[tokio::test]
async fn on_a_real_server_the_copy_lies_once_among_those_sent() {
    let mut stage = Stage::start().await;
    let mut desk = stage.desk();
    let dovecot = Dovecot::start(dovecot::Options::default());
    let options = imap::Options {
        server: dovecot.imap(Security::None),
        account: account("anna"),
        leave_out: BTreeSet::new(),
        only: BTreeSet::new(),
        hide: BTreeSet::new(),
        compress: false,
    };
    desk.mailbox = Arc::new(Imap::new(options, stage.clock.clone()));
    let bag = Arc::new(Bag::default());
    let engine = stage.engine(&desk, Arc::clone(&bag) as Arc<dyn Courier>);
    let mails = stage.mails(2).await;
    // The server of another house files by itself: it is there already.
    let copy = format!("Message-ID: <{}>\r\nSubject: Offer\r\n\r\n", stage.name(&mails[0]));
    dovecot.elsewhere("anna").append("Sent", copy.as_bytes(), &[]);
    let report = sync(&engine).await;
    assert_eq!((report.outgoing.sent, report.outgoing.waiting), (2, 0), "{report:?}");
    let filed = dovecot.elsewhere("anna").bodies("Sent");
    let mut names: Vec<String> = filed.iter().map(|filed| name(filed)).collect();
    names.sort();
    let mut expected: Vec<String> = mails.iter().map(|id| stage.name(id)).collect();
    expected.sort();
    assert_eq!(names, expected);
    let links = desk.store.read_blocking(|db| link::all(db, Class::Email)).unwrap();
    assert_eq!(links.len(), 2);
    assert!(links.iter().all(|link| link.item.collection() == "Sent"));
    for _ in 0..2 {
        let report = sync(&engine).await;
        assert!(report.error.is_none() && report.quarantined == 0, "{report:?}");
    }
    let (_, rows) = stage.call("anna", "GET", "emails?$select=messageid", &Json::Null).await;
    assert_eq!(rows["value"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_answer_is_known_by_the_token_alone() {
    let mut stage = Stage::start().await;
    let desk = stage.desk();
    let bag = Arc::new(Bag::default());
    let mut engine = stage.engine(&desk, Arc::clone(&bag) as Arc<dyn Courier>);
    let form = Form { prefix: "OFFER#".to_owned(), digits: 9, write: true };
    let email = engine.settings.classes.get_mut(&Class::Email).unwrap();
    email.email.automatic = Automatic::Replies;
    email.email.token = form.clone();
    engine.sending.as_mut().unwrap().token = Some(form.clone());
    let mail = stage.mail(&[("bo@example.test", 2)], json!({"subject": "x".repeat(200)})).await;
    assert_eq!(sync(&engine).await.outgoing.sent, 1);
    let sent = bag.messages.lock().unwrap()[0].clone();
    let sent = mail_parser::MessageParser::new().parse(&sent.message[..]).unwrap();
    let subject = sent.subject().unwrap().to_owned();
    let [token] = form.find(&subject).try_into().unwrap();
    assert!(subject.chars().count() <= 255, "{subject}");
    assert_eq!(stage.row(&mail).await["trackingtoken"], token);
    // The first sync was approved.
    let started = liaison::sync::world::started_key(Class::Email);
    desk.store.promise_blocking(|tx| liaison::store::meta::set(tx, &started, "yes")).unwrap();

    let answer = |subject: &str, id: &str| {
        format!(
            "From: bo@example.test\nTo: anna@example.org\nSubject: {subject}\nMessage-ID: <{id}>\n\nYes\n"
        )
    };
    desk.deliver("answer", &answer(&format!("Your offer {token}"), "answer@example.test"));
    desk.deliver("forward", &answer(&format!("Fwd: Your offer {token}"), "fwd@example.test"));
    desk.deliver("other", &answer("Your offer OFFER#123456789", "other@example.test"));
    for _ in 0..2 {
        sync(&engine).await;
    }
    let (_, rows) = stage
        .call("anna", "GET", "emails?$select=messageid,_parentactivityid_value", &Json::Null)
        .await;
    let filed: Vec<&Json> = rows["value"].as_array().unwrap().iter().collect();
    assert_eq!(filed.len(), 2, "{rows}");
    let answer = filed.iter().find(|row| row["messageid"] == "<answer@example.test>").unwrap();
    assert_eq!(answer["_parentactivityid_value"], mail, "{answer}");
}
