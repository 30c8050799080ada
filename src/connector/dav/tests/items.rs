//! One item over which a server breaks down is that item's matter; a server that breaks down over everything is not.

use super::*;

fn kinds<T>(results: &[Result<T>]) -> Vec<Option<ErrorKind>> {
    results.iter().map(|result| result.as_ref().err().map(|error| error.kind)).collect()
}

#[tokio::test]
async fn a_write_that_breaks_the_server_stops_no_other() {
    // One that follows the other, since the server says nothing about whom it answers.
    let server = Scripted::start(vec![described("all"), plain()]).await;
    let dav = server.connect();
    server.then(vec![status(500), multistatus(&data("a", "1", EVENT))]);
    let results = dav.write(Class::Appointment, vec![update("a", EVENT)]).await.unwrap();
    let error = results[0].as_ref().unwrap_err();
    assert_eq!((error.kind, error.kind.scope()), (ErrorKind::Failing, Scope::Item));
    assert!(error.message.contains("500") && error.hint.is_some(), "{error}");
    for answer in [status(204), status(500), status(502)] {
        let what = answer.status();
        server.then(vec![answer, multistatus(&data("a", "2", EVENT))]);
        let results = dav.write(Class::Appointment, vec![update("a", EVENT)]).await.unwrap();
        let expected = if what == 204 { None } else { Some(ErrorKind::Failing) };
        assert_eq!(kinds(&results), [expected], "{what}");
    }
    // A delete of which nobody knows what became: it is looked at, and still not taken for done.
    server.then(vec![status(500), multistatus(&gone("a"))]);
    let results = dav.write(Class::Appointment, vec![delete("a")]).await.unwrap();
    assert_eq!(kinds(&results), [Some(ErrorKind::Failing)]);
}

#[tokio::test]
async fn a_server_that_breaks_down_over_everything_is_out_of_service() {
    for after in [vec![status(500), status(500)], vec![status(502), answer_with(207, &[], "")]] {
        let server = Scripted::start(vec![described("all"), plain(), status(500)]).await;
        server.then(after);
        let results =
            server.connect().write(Class::Appointment, vec![update("a", EVENT)]).await.unwrap();
        assert_eq!(kinds(&results), [Some(ErrorKind::Unreachable)]);
    }
    // It reads well, but takes no writes at all: that is found out soon, and nothing more is sent.
    let server = Scripted::start(vec![described("all"), plain()]).await;
    server.then((0..60).map(|_| status(500)).collect());
    let many: Vec<Write> = (0..400).map(|number| update(&format!("{number}"), EVENT)).collect();
    let results = server.connect().write(Class::Appointment, many).await.unwrap();
    assert_eq!(results.len(), 400);
    assert!(kinds(&results).iter().all(|kind| *kind == Some(ErrorKind::Unreachable)));
    let puts = server.methods().iter().filter(|method| *method == "PUT").count();
    assert!((20..40).contains(&puts), "{puts}");
}

#[tokio::test]
async fn an_item_that_cannot_be_read_takes_none_down_with_it() {
    // The report breaks down, the collection answers, and so do all items but one.
    let server = Scripted::start(vec![status(500), described("all")]).await;
    server.then(vec![answer_with(200, &[("etag", "\"1\"")], EVENT), status(500)]);
    let dav = server.connect();
    let read = dav.read(Class::Appointment, &ids(&["a", "b"])).await.unwrap();
    let mut found: Vec<Option<ErrorKind>> =
        read.values().map(|found| found.as_ref().err().map(|error| error.kind)).collect();
    found.sort_by_key(Option::is_some);
    assert_eq!(found, [None, Some(ErrorKind::Failing)]);
    assert_eq!(server.methods(), ["REPORT", "PROPFIND", "GET", "GET"]);

    // The answer names it with an error of its own.
    let inner = "<response><href>/c/b</href><status>HTTP/1.1 500 Oops</status></response>";
    server.then(vec![multistatus(&(data("a", "1", EVENT) + inner)), status(500)]);
    let read = dav.read(Class::Appointment, &ids(&["a", "b"])).await.unwrap();
    assert!(read[&ItemId::new("a")].is_ok());
    assert_eq!(read[&ItemId::new("b")].as_ref().unwrap_err().kind, ErrorKind::Failing);

    // It is the only one that was asked for: the collection tells.
    for (collection, expected) in
        [(described("all"), Ok(ErrorKind::Failing)), (status(500), Err(ErrorKind::Unreachable))]
    {
        server.then(vec![status(500), described("all"), status(500), collection]);
        let read = dav.read(Class::Appointment, &ids(&["b"])).await;
        let kind = read.map(|read| read[&ItemId::new("b")].as_ref().unwrap_err().kind);
        assert_eq!(kind.map_err(|error| error.kind), expected);
    }

    // All of many break down: that is no matter of the items.
    server.then(vec![status(500), described("all")]);
    server.then((0..30).map(|_| status(500)).collect());
    let many: Vec<ItemId> = (0..30).map(|number| ItemId::new(format!("{number}"))).collect();
    let error = dav.read(Class::Appointment, &many).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
}

#[tokio::test]
async fn what_is_locked_is_not_refused_for_good() {
    let server = Scripted::start(vec![described("all"), plain(), status(423)]).await;
    server.then(vec![status(423), answer_with(200, &[("etag", "\"1\"")], EVENT)]);
    let dav = server.connect();
    let results = dav.write(Class::Appointment, vec![update("a", EVENT)]).await.unwrap();
    assert_eq!(kinds(&results), [Some(ErrorKind::Failing)]);
    let read = dav.read(Class::Appointment, &ids(&["a"])).await.unwrap();
    assert!(
        read[&ItemId::new("a")].is_ok(),
        "locked is what is written, and the report only in part"
    );
}
