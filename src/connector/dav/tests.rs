//! What goes wrong on the way, and what must never come of it: an error that looks like an empty collection.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Response;

use super::scripted::{
    Scripted, answer_with, connect_with, described, event, found, gone, item, multistatus, refusal,
    refusal_about, status, token,
};
use super::*;
use crate::connector::Scope;
use crate::connector::auth::{Credential, Kind};
use crate::model::{Body as Text, Completeness, Version};

mod items;
mod wire;

const EVENT: &str = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:e\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
const MEETING: &str = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:e\r\nORGANIZER:mailto:me@x\r\nATTENDEE:mailto:you@x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

fn listing() -> Response<Body> {
    multistatus(&format!("{}{}{}", event("a.ics", "1"), event("b.ics", "1"), token("t1")))
}

fn data(name: &str, etag: &str, text: &str) -> String {
    item(name, etag, &format!("<C:calendar-data>{text}</C:calendar-data>"))
}

fn ids(names: &[&str]) -> Vec<ItemId> {
    names.iter().map(|name| ItemId::new(*name)).collect()
}

fn entries(names: &[&str]) -> BTreeMap<ItemId, Version> {
    ids(names).into_iter().map(|id| (id, Version::new("\"1\""))).collect()
}

async fn first(server: &Scripted, dav: &Dav) -> Cursor {
    server.then(vec![listing()]);
    let news = dav.news(Class::Appointment, &Cursor::new()).await.unwrap();
    assert_eq!(news.parts[""], Part::Whole(entries(&["a.ics", "b.ics"])));
    server.methods();
    news.cursor
}

fn create(name: &str, text: &str) -> Write {
    Write::Create { id: ItemId::new(name), body: Text::Bytes(text.into()) }
}

fn update(name: &str, text: &str) -> Write {
    Write::Update {
        id: ItemId::new(name),
        version: Version::new("\"1\""),
        body: Text::Bytes(text.into()),
    }
}

fn delete(name: &str) -> Write {
    Write::Delete { id: ItemId::new(name), version: Version::new("\"1\"") }
}

fn plain() -> Response<Body> {
    answer_with(200, &[("dav", "1, 2, 3, calendar-access")], "")
}

fn scheduling() -> Vec<Response<Body>> {
    let options = answer_with(200, &[("dav", "1, calendar-access, calendar-auto-schedule")], "");
    let addresses = found(
        "/me/",
        "<C:calendar-user-address-set><href>mailto:ME@x</href></C:calendar-user-address-set>",
    );
    vec![described("all"), options, multistatus(&addresses)]
}

#[tokio::test]
async fn a_token_that_died_in_any_form_lists_everything() {
    let forms = [
        refusal(403, "valid-sync-token"),
        refusal(409, "valid-sync-token"),
        refusal(412, "valid-sync-token"),
        status(400),
        status(403),
        status(409),
        status(410),
        status(412),
        status(507),
        multistatus(&event("a.ics", "2")),
    ];
    for form in forms {
        let server = Scripted::start(vec![]).await;
        let dav = server.connect();
        let cursor = first(&server, &dav).await;
        let what = form.status();
        server.then(vec![form, listing()]);
        let news = dav.news(Class::Appointment, &cursor).await.unwrap();
        assert_eq!(news.parts[""], Part::Whole(entries(&["a.ics", "b.ics"])), "{what}");
        assert_eq!(server.methods(), ["REPORT", "REPORT"], "{what}");
    }
}

#[tokio::test]
async fn a_token_that_died_in_silence_comes_to_light_within_a_week() {
    let server = Scripted::start(vec![]).await;
    let (dav, clock) = connect_with(server.options());
    let cursor = first(&server, &dav).await;
    server.then(vec![
        multistatus(&token("t1")),
        multistatus(&format!("{}{}", event("b.ics", "1"), token("t9"))),
    ]);
    let quiet = dav.news(Class::Appointment, &cursor).await.unwrap();
    assert_eq!((quiet.parts.len(), &quiet.cursor), (0, &cursor));
    clock.advance(Duration::from_hours(7 * 24));
    let news = dav.news(Class::Appointment, &quiet.cursor).await.unwrap();
    assert_eq!(news.parts[""], Part::Whole(entries(&["b.ics"])));
    assert!(server.seen().last().unwrap().body.contains("<sync-token></sync-token>"));
}

#[tokio::test]
async fn a_listing_in_pieces_is_put_together() {
    let server = Scripted::start(vec![]).await;
    let dav = server.connect();
    let cut =
        "<response><href>/c/</href><status>HTTP/1.1 507 Insufficient Storage</status></response>";
    let piece = |inner: &str, next: &str| multistatus(&format!("{inner}{cut}{}", token(next)));
    server.then(vec![
        piece(&(event("a.ics", "1") + &event("b.ics", "1")), "t1"),
        piece(&(gone("b.ics") + &event("c.ics", "1")), "t2"),
        multistatus(&(event("d.ics", "1") + &token("t3"))),
    ]);
    let news = dav.news(Class::Appointment, &Cursor::new()).await.unwrap();
    assert_eq!(news.parts[""], Part::Whole(entries(&["a.ics", "c.ics", "d.ics"])));
    assert_eq!(news.completeness, Completeness::Complete);
    // One that goes round in a circle.
    server.then(vec![piece("", "t4"), piece("", "t4")]);
    let error = dav.news(Class::Appointment, &news.cursor).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Malformed);
}

#[tokio::test]
async fn what_cannot_be_kept_makes_the_listing_partial() {
    let no_etag =
        found("/c/x.ics", "<getcontenttype>text/calendar; component=VEVENT</getcontenttype>");
    for doubtful in
        [no_etag, event("a%2Fb.ics", "1"), found("/other/e.ics", "<getetag>\"1\"</getetag>")]
    {
        let server = Scripted::start(vec![]).await;
        let answer = format!("{}{doubtful}{}", event("a.ics", "1"), token("t"));
        server.then(vec![multistatus(&answer)]);
        let news = server.connect().news(Class::Appointment, &Cursor::new()).await.unwrap();
        assert!(matches!(news.completeness, Completeness::Partial(_)), "{doubtful}");
        assert_eq!(
            (news.cursor, news.parts[""].clone()),
            (Cursor::new(), Part::Whole(entries(&["a.ics"])))
        );
    }
}

/// Answers that are none, to every request of a listing.
fn broken() -> Vec<Response<Body>> {
    let whole =
        format!("<multistatus xmlns=\"DAV:\">{}{}</multistatus>", event("a.ics", "1"), token("t"));
    let cut = whole.as_bytes()[..whole.len() / 2].to_vec();
    let endless = || Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 64 << 10]));
    let endless = futures_util::stream::repeat_with(endless);
    let entities = "<!DOCTYPE m [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><multistatus xmlns=\"DAV:\">&b;</multistatus>";
    vec![
        status(204),
        answer_with(200, &[], "<html>please sign in</html>"),
        answer_with(207, &[], ""),
        answer_with(207, &[], cut),
        answer_with(207, &[], entities),
        answer_with(207, &[], Body::from_stream(endless)),
        answer_with(302, &[("location", "http://127.0.0.1:1/")], ""),
        status(401),
        status(404),
        status(405),
        status(423),
        status(429),
        status(500),
        status(502),
        answer_with(503, &[("retry-after", "7")], ""),
        status(507),
    ]
}

#[tokio::test]
async fn an_answer_that_is_none_is_never_an_empty_collection() {
    // The report, the listing instead of it, and every look for the collection fail alike.
    for at in 0..broken().len() {
        for hide in [Hide::default(), Hide { sync: true, ctag: false }] {
            let again = || broken().swap_remove(at);
            let what = again().status();
            let server = Scripted::start((0..8).map(|_| again()).collect()).await;
            let (dav, _) = connect_with(Options { hide, ..server.options() });
            let error = dav.news(Class::Appointment, &Cursor::new()).await.unwrap_err();
            assert!(server.seen().len() <= 6, "{what} {error}");
            if what == 503 {
                assert_eq!(error.kind, ErrorKind::Throttled(Duration::from_secs(7)));
            }
            assert!(server.seen().iter().all(|seen| seen.path != "/"), "{what}");
        }
    }
    // Later, when the collection is known, too.
    for at in 0..broken().len() {
        let server = Scripted::start(vec![]).await;
        let dav = server.connect();
        let cursor = first(&server, &dav).await;
        server.then((0..8).map(|_| broken().swap_remove(at)).collect());
        dav.news(Class::Appointment, &cursor).await.unwrap_err();
    }
}

#[tokio::test]
async fn an_item_is_gone_only_if_it_is_said_to_be() {
    for at in 0..broken().len() {
        let answer = broken().swap_remove(at);
        let what = answer.status();
        let server = Scripted::start(vec![answer]).await;
        server.then((0..3).map(|_| status(500)).collect());
        let read = server.connect().read(Class::Appointment, &ids(&["a.ics", "b.ics"])).await;
        assert!(read.is_err(), "{what}");
    }
    // One is there, one is said to be gone, one is not named, and turns out to be gone, there or neither.
    let answers = format!("{}{}", data("a.ics", "1", EVENT), gone("b.ics"));
    let server = Scripted::start(vec![multistatus(&answers)]).await;
    server.then(vec![status(404), answer_with(200, &[("etag", "\"7\"")], EVENT), status(403)]);
    let read = server
        .connect()
        .read(Class::Appointment, &ids(&["a.ics", "b.ics", "c.ics", "d.ics", "e.ics"]))
        .await
        .unwrap();
    assert_eq!(read.len(), 5);
    assert!(read[&ItemId::new("a.ics")].is_ok());
    assert_eq!(read[&ItemId::new("b.ics")].as_ref().unwrap_err().kind, ErrorKind::Missing);
    let mut rest: Vec<String> = read
        .into_iter()
        .skip(2)
        .map(|(_, found)| match found {
            Ok(document) => document.version.to_string(),
            Err(error) => format!("{:?}", error.kind),
        })
        .collect();
    rest.sort();
    assert_eq!(rest, ["\"7\"", "Forbidden", "Missing"]);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_on() {
    let server = Scripted::start(vec![]).await;
    let limits = Limits { request: Duration::from_millis(200), ..server.options().limits };
    let (dav, _) = connect_with(Options { limits, ..server.options() });
    let error = dav.news(Class::Appointment, &Cursor::new()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    let error = dav.read(Class::Appointment, &ids(&["a.ics"])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    // A write of which nothing was heard may have had its effect; what waits behind it is not sent.
    server.then(vec![described("all"), plain()]);
    let many: Vec<Write> = (0..40).map(|number| update(&format!("{number}"), EVENT)).collect();
    server.methods();
    let results = dav.write(Class::Appointment, many).await.unwrap();
    assert!(
        results
            .iter()
            .all(|result| result.as_ref().is_err_and(|error| error.kind == ErrorKind::Unreachable))
    );
    let puts = server.methods().iter().filter(|method| *method == "PUT").count();
    assert!((1..=10).contains(&puts), "{puts}");
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_while_syncing() {
    let elsewhere = Scripted::start(vec![listing()]).await;
    let to = format!("{}/c/", elsewhere.url);
    let redirect = |status| answer_with(status, &[("location", to.as_str())], "");
    for status in [301, 302, 307, 308] {
        let server = Scripted::start(vec![]).await;
        let dav = server.connect();
        let cursor = first(&server, &dav).await;
        server.then(vec![redirect(status)]);
        let error = dav.news(Class::Appointment, &cursor).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert!(error.message.contains(&elsewhere.url), "{error}");
        let server =
            Scripted::start(vec![described("all"), plain(), redirect(status), multistatus("")])
                .await;
        let results =
            server.connect().write(Class::Appointment, vec![update("a.ics", EVENT)]).await.unwrap();
        assert_eq!(results[0].as_ref().unwrap_err().kind, ErrorKind::Unsupported);
    }
    assert_eq!(elsewhere.seen().len(), 0);
}

#[tokio::test]
async fn discovery_follows_a_server_to_where_it_says() {
    let new = Scripted::start(vec![described("all"), listing()]).await;
    let old = Scripted::start(vec![]).await;
    old.then(vec![status(404), answer_with(301, &[("location", &format!("{}/c/", new.url))], "")]);
    let mut options = old.options();
    options.url = old.url.clone();
    options.account = Some(password());
    let (dav, _) = connect_with(options);
    dav.news(Class::Appointment, &Cursor::new()).await.unwrap();
    let paths =
        |server: &Scripted| server.seen().iter().map(|seen| seen.path.clone()).collect::<Vec<_>>();
    assert_eq!(
        (paths(&old), paths(&new)),
        (
            vec!["/".to_owned(), "/.well-known/caldav".to_owned()],
            vec!["/c/".to_owned(), "/c/".to_owned()]
        )
    );
    // In a circle, or to where nothing is proven.
    for to in ["/c/", "http://other.example.org/c/", "ftp://127.0.0.1/c/", "https://u:p@127.0.0.1/"]
    {
        let redirects = (0..20).map(|_| answer_with(301, &[("location", to)], "")).collect();
        let server = Scripted::start(redirects).await;
        let mut options = server.options();
        options.url = server.url.clone();
        let error = connect_with(options).0.list(Class::Task).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported, "{to}");
        assert!(server.seen().len() <= 12, "{to}");
    }
}

fn password() -> Account {
    let secret = Credential::command(Kind::Password, "echo 'a:b\"c'");
    Account { user: "anna".to_owned(), secret: secret.into() }
}

#[tokio::test]
async fn a_password_is_shown_at_once_or_proven_by_digest() {
    let challenge = |more: &str| {
        let digest = format!("Digest realm=\"r\", qop=\"auth\", algorithm=SHA-256, {more}");
        answer_with(401, &[("www-authenticate", digest.as_str())], "")
    };
    let server =
        Scripted::start(vec![challenge("nonce=\"n1\""), listing(), multistatus(&token("t1"))])
            .await;
    server.then(vec![challenge("nonce=\"n2\", stale=true"), multistatus(&token("t1"))]);
    server.then(vec![challenge("nonce=\"n2\"")]);
    let (dav, _) = connect_with(Options { account: Some(password()), ..server.options() });
    let cursor = dav.news(Class::Appointment, &Cursor::new()).await.unwrap().cursor;
    dav.news(Class::Appointment, &cursor).await.unwrap();
    dav.news(Class::Appointment, &cursor).await.unwrap();
    let error = dav.news(Class::Appointment, &cursor).await.unwrap_err();
    assert_eq!(
        error.kind,
        ErrorKind::Unauthorised,
        "the nonce is not too old: the password is wrong"
    );
    let shown: Vec<String> =
        server.seen().iter().map(|seen| seen.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(shown[0], "Basic YW5uYTphOmIiYw==");
    for (at, expected) in [
        (1, "nonce=\"n1\"|nc=00000001"),
        (2, "nonce=\"n1\"|nc=00000002"),
        (3, "nonce=\"n1\"|nc=00000003"),
        (4, "nonce=\"n2\"|nc=00000001"),
        (5, "nonce=\"n2\"|nc=00000002"),
    ] {
        assert!(expected.split('|').all(|part| shown[at].contains(part)), "{at}: {}", shown[at]);
    }
    assert_eq!(shown.len(), 6);

    // Where basic is offered, a wrong password is not tried in another way.
    let both = answer_with(
        401,
        &[("www-authenticate", "Basic realm=\"r\", Digest realm=\"r\", nonce=\"n\"")],
        "",
    );
    let server = Scripted::start(vec![both]).await;
    let (dav, _) = connect_with(Options { account: Some(password()), ..server.options() });
    let error = dav.news(Class::Appointment, &Cursor::new()).await.unwrap_err();
    assert_eq!((error.kind, server.seen().len()), (ErrorKind::Unauthorised, 1));
}

#[cfg(unix)]
#[tokio::test]
async fn a_token_is_made_anew_once() {
    let dir = tempfile::tempdir().unwrap();
    let line = format!(
        "echo x >> {0}; echo token-$(wc -l < {0} | tr -d ' ')",
        dir.path().join("count").display()
    );
    let account =
        Account { user: "anna".to_owned(), secret: Credential::command(Kind::Token, line).into() };
    let server = Scripted::start(vec![status(401), listing(), status(401), status(401)]).await;
    let (dav, _) = connect_with(Options { account: Some(account), ..server.options() });
    dav.news(Class::Appointment, &Cursor::new()).await.unwrap();
    let error = dav.news(Class::Appointment, &Cursor::new()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorised);
    let shown: Vec<String> =
        server.seen().iter().map(|seen| seen.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(shown, ["Bearer token-1", "Bearer token-2", "Bearer token-2", "Bearer token-3"]);
}

#[tokio::test]
async fn what_may_only_be_read_is_not_written() {
    let server = Scripted::start(vec![described("read"), plain()]).await;
    let dav = server.connect();
    let results =
        dav.write(Class::Appointment, vec![create("a.ics", EVENT), delete("b.ics")]).await.unwrap();
    assert!(results.iter().all(|result| result.as_ref().unwrap_err().kind == ErrorKind::Forbidden));
    assert_eq!(server.methods(), ["PROPFIND", "OPTIONS"]);
    // It is asked anew: the right may have come.
    server.then(vec![described("write"), plain(), multistatus(&data("a.ics", "1", EVENT))]);
    let results = dav.write(Class::Appointment, vec![create("a.ics", EVENT)]).await.unwrap();
    assert_eq!(results[0].as_ref().unwrap_err().kind, ErrorKind::Exists);
    assert_eq!(
        server.methods(),
        ["PROPFIND", "OPTIONS", "REPORT"],
        "a server may ignore If-None-Match"
    );
}

/// As Cyrus has it.
fn uid_conflict(href: &str) -> Response<Body> {
    refusal_about(403, "unique-scheduling-object-resource", href)
}

#[tokio::test]
async fn each_refusal_of_a_write_has_its_kind() {
    let table: Vec<(Write, Response<Body>, ErrorKind)> = vec![
        (create("a", EVENT), status(412), ErrorKind::Exists),
        (create("a", EVENT), refusal(403, "no-uid-conflict"), ErrorKind::Exists),
        (create("a", EVENT), refusal(409, "no-uid-conflict"), ErrorKind::Exists),
        (create("a", EVENT), uid_conflict("/c/other.ics"), ErrorKind::Exists),
        (create("a", EVENT), uid_conflict("/another/other.ics"), ErrorKind::Rejected),
        (create("a", EVENT), refusal(412, "valid-calendar-data"), ErrorKind::Rejected),
        (create("a", EVENT), status(404), ErrorKind::Rejected),
        (create("a", EVENT), status(409), ErrorKind::Rejected),
        (create("a", EVENT), status(403), ErrorKind::Forbidden),
        (create("a", EVENT), status(413), ErrorKind::Rejected),
        (create("a", EVENT), status(500), ErrorKind::Failing),
        (create("a", EVENT), status(507), ErrorKind::Rejected),
        (update("a", EVENT), status(412), ErrorKind::Stale),
        (update("a", EVENT), status(404), ErrorKind::Missing),
        (update("a", EVENT), refusal(403, "no-uid-conflict"), ErrorKind::Rejected),
        (update("a", EVENT), refusal(403, "max-resource-size"), ErrorKind::Rejected),
        (update("a", EVENT), status(423), ErrorKind::Failing),
        (delete("a"), multistatus(&gone("b")), ErrorKind::Malformed),
        (delete("a"), status(412), ErrorKind::Stale),
        (delete("a"), status(410), ErrorKind::Missing),
        (delete("a"), status(405), ErrorKind::Unsupported),
        (delete("a"), status(429), ErrorKind::Throttled(Duration::from_mins(1))),
    ];
    for (write, answer, kind) in table {
        let what = format!("{write:?} {}", answer.status());
        let server = Scripted::start(vec![described("all"), plain()]).await;
        if matches!(write, Write::Create { .. }) {
            server.then(vec![multistatus(&gone("a"))]);
        }
        server.then(vec![answer, multistatus(&data("a", "2", EVENT))]);
        let results = server.connect().write(Class::Appointment, vec![write]).await.unwrap();
        assert_eq!(results[0].as_ref().unwrap_err().kind, kind, "{what}");
        let seen = server.seen();
        let condition =
            seen.iter().find_map(|seen| seen.header("if-match").or(seen.header("if-none-match")));
        assert!(matches!(condition, Some("\"1\"" | "*")), "{what}");
    }
}

#[tokio::test]
async fn what_stands_there_is_looked_at_and_not_assumed() {
    let server = Scripted::start(vec![described("all"), plain()]).await;
    let dav = server.connect();
    let put = || answer_with(204, &[("etag", "\"not-this-one\"")], "");
    server.then(vec![put(), multistatus(&data("a", "3", "BEGIN:VCALENDAR\nrewritten"))]);
    let results = dav.write(Class::Appointment, vec![update("a", EVENT)]).await.unwrap();
    let document = results.into_iter().next().unwrap().unwrap().document.unwrap();
    assert_eq!(document.version, Version::new("\"3\""));
    assert_eq!(document.body, Text::Bytes(b"BEGIN:VCALENDAR\r\nrewritten".to_vec()));
    for (after, kind) in
        [(multistatus(&gone("a")), ErrorKind::Missing), (status(500), ErrorKind::Unreachable)]
    {
        server.then(vec![put(), after]);
        let results = dav.write(Class::Appointment, vec![update("a", EVENT)]).await.unwrap();
        assert_eq!(results[0].as_ref().unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn a_server_that_writes_to_attendees_gets_nothing_to_write_about() {
    // What we make carries the mark, and asks for silence.
    let server = Scripted::start(scheduling()).await;
    server.then(vec![multistatus(&gone("a")), status(201), multistatus(&data("a", "1", MEETING))]);
    let dav = server.connect();
    dav.write(Class::Appointment, vec![create("a", MEETING)]).await.unwrap().remove(0).unwrap();
    let put = server.seen().into_iter().find(|seen| seen.method == "PUT").unwrap();
    assert!(put.body.contains("ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:you@x\r\n"), "{}", put.body);
    for (name, value) in
        [("schedule-reply", "F"), ("scheduling-enabled", "F"), ("x-nc-scheduling", "false")]
    {
        assert_eq!(put.header(name), Some(value));
    }
    server.methods();

    // What another program invited to is left alone, and a version that is another by now is not judged.
    for write in [update("a", MEETING), delete("a")] {
        server.then(vec![multistatus(&data("a", "1", MEETING))]);
        let results = dav.write(Class::Appointment, vec![write.clone()]).await.unwrap();
        let error = results[0].as_ref().unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rejected);
        assert!(error.hint.is_some() && !error.message.contains("you@x"));
        server.then(vec![multistatus(&data("a", "2", MEETING))]);
        let results = dav.write(Class::Appointment, vec![write]).await.unwrap();
        assert_eq!(results[0].as_ref().unwrap_err().kind, ErrorKind::Stale);
    }
    assert!(server.methods().iter().all(|method| method == "REPORT"));
}

#[tokio::test]
async fn invitations_leave_where_they_are_allowed() {
    let server =
        Scripted::start(vec![described("all"), multistatus(&gone("a")), status(201)]).await;
    server.then(vec![multistatus(&data("a", "1", MEETING)), status(204)]);
    let options = Options { invitations: Invitations::Allowed, ..server.options() };
    let (dav, _) = connect_with(options);
    dav.write(Class::Appointment, vec![create("a", MEETING)]).await.unwrap().remove(0).unwrap();
    dav.write(Class::Appointment, vec![delete("a")]).await.unwrap().remove(0).unwrap();
    let seen = server.seen();
    let put = seen.iter().find(|seen| seen.method == "PUT").unwrap();
    assert_eq!((put.body.as_str(), put.header("schedule-reply")), (MEETING, None));
}

#[tokio::test]
async fn an_item_that_became_something_else_is_gone() {
    let server = Scripted::start(vec![]).await;
    let dav = server.connect();
    let cursor = first(&server, &dav).await;
    let task =
        item("a.ics", "2", "<getcontenttype>text/calendar; component=VTODO</getcontenttype>");
    server.then(vec![multistatus(&(task + &event("b.ics", "2") + &token("t2")))]);
    let news = dav.news(Class::Appointment, &cursor).await.unwrap();
    let Part::Changes { changed, gone } = &news.parts[""] else { panic!("{news:?}") };
    assert_eq!((changed.len(), gone.iter().cloned().collect::<Vec<_>>()), (1, ids(&["a.ics"])));
}

#[test]
fn addresses_that_cannot_be_used_and_classes_that_do_not_go_together() {
    let new = |url: &str, classes: &[Class]| {
        Dav::new(Options::new(url, classes.iter().copied()), Clock::system()).map(drop)
    };
    new("anna@example.org", &[Class::Contact]).unwrap();
    new("example.org", &[Class::Task]).unwrap();
    new("https://dav.example.org/x/", &[Class::Task, Class::Appointment]).unwrap();
    for url in [
        "http://dav.example.org/",
        "https://a:b@x.example/",
        "ftp://x/",
        "anna",
        "",
        "exa mple.org",
        "a@b@c/d",
    ] {
        assert_eq!(new(url, &[Class::Task]).unwrap_err().kind, ErrorKind::Unsupported, "{url}");
    }
    for classes in [&[][..], &[Class::Email], &[Class::Contact, Class::Task]] {
        assert_eq!(new("example.org", classes).unwrap_err().kind, ErrorKind::Unsupported);
    }
}

#[tokio::test]
async fn what_is_too_large_together_is_read_in_parts() {
    let server = Scripted::start(vec![]).await;
    let half = "x".repeat(600 << 10);
    let large = |name| data(name, "1", &half);
    server.then(vec![
        multistatus(&(large("a") + &large("b"))),
        multistatus(&large("a")),
        multistatus(&large("b")),
    ]);
    let read = server.connect().read(Class::Appointment, &ids(&["a", "b"])).await.unwrap();
    assert!(read.len() == 2 && read.values().all(Result::is_ok));
    server.then(vec![multistatus(&(large("a") + &large("a")))]);
    let error = server.connect().read(Class::Appointment, &ids(&["a"])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
}
