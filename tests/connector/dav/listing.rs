//! What is there, what changed, and at what price.

use liaison::clock::Clock;
use liaison::connector::dav::{Dav, Hide};
use liaison::connector::{Connector as _, Cursor, ErrorKind, News};
use liaison::model::{Class, Completeness, ItemId};

use super::ends::{End, changes, everything, file, item, names, text, whole};
use crate::support::servers::proxy::{Proxy, Script};

fn seed(end: &End) {
    let event = |uid: &str| item(Class::Appointment, uid, "event");
    let task = |uid: &str| item(Class::Task, uid, "task");
    end.put(
        Class::Appointment,
        &[
            ("e1.ics", event("e1")),
            ("e%202%40x.ics", event("e2")),
            ("e3.ics", event("e3")),
            ("t1.ics", task("t1")),
            ("t2.ics", task("t2")),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_tasks_of_one_calendar_come_apart() {
    for end in End::all() {
        let name = end.name();
        seed(&end);
        let dav = end.connect(Class::Appointment);
        let events = everything(&dav, Class::Appointment).await;
        let listed = names(whole(&events));
        assert_eq!(listed, ["e 2@x.ics", "e1.ics", "e3.ics"], "{name}");
        assert_eq!(events.completeness, Completeness::Complete);
        let ids: Vec<ItemId> =
            whole(&events).keys().cloned().chain([ItemId::new("none.ics")]).collect();
        let read = dav.read(Class::Appointment, &ids).await.unwrap();
        for (id, version) in whole(&events) {
            let document = read[id].as_ref().unwrap();
            assert_eq!(document.version, *version, "{name} {id}");
            let text = text(document);
            assert!(text.contains("\r\nX-KEEP;X-P=q:this\r\n"), "{name}: {text}");
        }
        let missing = read[&ItemId::new("none.ics")].as_ref().unwrap_err();
        assert_eq!(missing.kind, ErrorKind::Missing, "{name}");
        let tasks = everything(&dav, Class::Task).await;
        assert_eq!(names(whole(&tasks)), ["t1.ics", "t2.ics"], "{name}");

        end.put(
            Class::Task,
            &[
                ("e1.ics", item(Class::Appointment, "e1", "later")),
                ("t3.ics", item(Class::Task, "t3", "x")),
            ],
        );
        end.elsewhere().delete(&format!("{}e3.ics", end.url(Class::Task)));
        let news = dav.news(Class::Appointment, &events.cursor).await.unwrap();
        assert_eq!(changes(&news), (vec!["e1.ics"], vec!["e3.ics"]), "{name}");
        let of_tasks = dav.news(Class::Task, &tasks.cursor).await.unwrap();
        assert_eq!(changes(&of_tasks).0, ["t3.ics"], "{name}");
        let quiet = dav.news(Class::Appointment, &news.cursor).await.unwrap();
        assert_eq!(changes(&quiet), (vec![], vec![]), "{name}");
        assert_eq!(quiet.cursor, news.cursor, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_died_lists_everything() {
    for end in End::all() {
        seed(&end);
        let dav = end.connect(Class::Appointment);
        let first = everything(&dav, Class::Appointment).await;
        let (head, _) = first.cursor[""].rsplit_once(' ').unwrap();
        for token in [
            "nonsense",
            "http://radicale.org/ns/sync/00",
            "data:,1-1",
            "0123456789012345678901234567890123456789",
        ] {
            let dead = Cursor::from([(String::new(), format!("{head} {token}"))]);
            let news = dav.news(Class::Appointment, &dead).await.unwrap();
            assert_eq!(whole(&news), whole(&first), "{} {token}", end.name());
            let token_of = |news: &News| news.cursor[""].rsplit_once(' ').unwrap().1.to_owned();
            assert_eq!(token_of(&news), token_of(&first), "{} {token}", end.name());
        }
        // A cursor of another collection is none of this one.
        let contacts = everything(&end.connect(Class::Contact), Class::Contact).await;
        let news = dav.news(Class::Appointment, &contacts.cursor).await.unwrap();
        assert_eq!(whole(&news), whole(&first), "{}", end.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_tell_what_changed() {
    for end in End::all() {
        let name = end.name();
        seed(&end);
        let mut options = end.options(Class::Appointment);
        options.hide = Hide { sync: true, ctag: false };
        let dav = Dav::new(options.clone(), Clock::system()).unwrap();
        let first = everything(&dav, Class::Task).await;
        assert_eq!(names(whole(&first)), ["t1.ics", "t2.ics"], "{name}");
        let before = dav.requests();
        let quiet = dav.news(Class::Task, &first.cursor).await.unwrap();
        assert_eq!((changes(&quiet), dav.requests() - before), ((vec![], vec![]), 1), "{name}");
        end.elsewhere().delete(&format!("{}t1.ics", end.url(Class::Task)));
        let second = dav.news(Class::Task, &quiet.cursor).await.unwrap();
        assert_eq!(names(whole(&second)), ["t2.ics"], "{name}");

        options.hide.ctag = true;
        let dav = Dav::new(options, Clock::system()).unwrap();
        let first = everything(&dav, Class::Task).await;
        assert_eq!(first.cursor, Cursor::new(), "{name}");
        assert_eq!(whole(&first), whole(&second), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_new_costs_one_request_and_little() {
    for end in End::all() {
        let name = end.name();
        let port = end.root().rsplit_once(':').unwrap().1.parse().unwrap();
        let proxy = Proxy::start(port, Script::default());
        for class in [Class::Contact, Class::Appointment] {
            end.put(class, &[(file(class), item(class, "one", "x"))]);
            let mut options = end.options(class);
            options.url = options.url.replace(&format!(":{port}"), &format!(":{}", proxy.port));
            let dav = Dav::new(options, Clock::system()).unwrap();
            let first = everything(&dav, class).await;
            let before = dav.requests();
            proxy.forget();
            let quiet = dav.news(class, &first.cursor).await.unwrap();
            assert_eq!(changes(&quiet), (vec![], vec![]), "{name}");
            let counted = proxy.counted();
            assert_eq!((dav.requests() - before, counted.round_trips), (1, 1), "{name}");
            assert!(counted.received <= 1024, "{name}: {counted:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_look_takes_one_request_and_one_in_five_hundred() {
    for end in End::all() {
        // Xandikos makes a commit of each item, which takes long.
        let (count, chunks) = if matches!(end, End::Xandikos(_)) { (50, 1) } else { (1101, 3) };
        let texts: Vec<(String, String)> = (0..count)
            .map(|number| {
                (format!("c{number:04}.ics"), item(Class::Appointment, &format!("c{number}"), "x"))
            })
            .collect();
        let items: Vec<(&str, String)> =
            texts.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        end.put(Class::Appointment, &items);
        let dav = end.connect(Class::Appointment);
        let news = everything(&dav, Class::Appointment).await;
        let ids: Vec<ItemId> = whole(&news).keys().cloned().collect();
        let read = dav.read(Class::Appointment, &ids).await.unwrap();
        assert_eq!(read.len(), count);
        assert!(read.values().all(Result::is_ok));
        assert_eq!(dav.requests(), 1 + chunks, "{}", end.name());
    }
}
