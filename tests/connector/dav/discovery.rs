//! From the address of a server or a principal to the collection.

use liaison::clock::Clock;
use liaison::connector::dav::{Dav, examine};
use liaison::connector::finding::{Grade, Topic};
use liaison::connector::{Connector as _, ErrorKind};
use liaison::model::Class;

use super::ends::{End, file, item, names};
use crate::support::servers::stranger;

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_the_server_is_enough() {
    for end in End::all() {
        for class in [Class::Contact, Class::Appointment] {
            end.put(class, &[(file(class), item(class, "one", "x"))]);
            let principal = match end {
                End::Radicale(_) | End::Xandikos(_) => "/anna/",
                End::Cyrus(_) => "/dav/principals/user/anna/",
            };
            for path in ["/", principal] {
                let mut options = end.options(class);
                options.url = format!("{}{path}", end.root());
                options.classes = [class].into();
                let dav = Dav::new(options, Clock::system()).unwrap();
                let listing = dav.list(class).await.unwrap();
                assert_eq!(names(&listing.entries), [file(class)], "{} {path} {class}", end.name());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_clear_is_asked_about() {
    let [end, ..] = End::all();
    let mut options = end.options(Class::Task);
    options.url = end.root().to_owned();
    options.classes = [Class::Task].into();
    let error =
        Dav::new(options.clone(), Clock::system()).unwrap().list(Class::Task).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    let hint = error.hint.unwrap();
    assert!(hint.contains("/anna/calendar/") && hint.contains("/anna/tasks/"), "{hint}");

    // An address book is no calendar, and what is not there is not empty.
    for path in ["/anna/contacts/", "/anna/none/"] {
        options.url = format!("{}{path}", end.root());
        let dav = Dav::new(options.clone(), Clock::system()).unwrap();
        let error = dav.list(Class::Task).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported, "{path}: {error}");
    }
    options.account = Some(stranger("anna"));
    let error = Dav::new(options, Clock::system()).unwrap().list(Class::Task).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorised);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_examination_says_what_is_and_what_is_not() {
    for end in End::all() {
        let findings = examine(end.options(Class::Appointment), Clock::system()).await;
        let of = |topic| findings.iter().find(|finding| finding.topic == topic).unwrap();
        for topic in [
            Topic::Reachable,
            Topic::SignIn,
            Topic::Capabilities,
            Topic::Rights,
            Topic::Clock,
            Topic::Strategy,
        ] {
            assert_eq!(of(topic).grade, Grade::Good, "{} {findings:?}", end.name());
        }
        let schedules = findings.iter().any(|finding| finding.topic == Topic::Feature);
        assert_eq!(schedules, !matches!(end, End::Radicale(_)), "{findings:?}");

        let mut options = end.options(Class::Appointment);
        if options.account.is_some() {
            options.account = Some(stranger("anna"));
            let findings = examine(options.clone(), Clock::system()).await;
            let bad = findings.iter().find(|finding| finding.grade == Grade::Bad).unwrap();
            assert_eq!(bad.topic, Topic::SignIn);
        }
        options.url = "http://127.0.0.1:1/x/".to_owned();
        let findings = examine(options, Clock::system()).await;
        assert_eq!(
            (findings.len(), findings[0].topic, findings[0].grade),
            (1, Topic::Reachable, Grade::Bad)
        );
    }
}
