//! Heads of many messages, handed on while the server speaks.

use tokio::sync::mpsc;

use super::*;
use crate::connector::Documents;

/// What is poured, and how it ended.
async fn poured(imap: &Imap, ids: &[ItemId]) -> (Documents, Result<()>) {
    let (to, mut from) = mpsc::channel(1);
    let pour = async move { imap.pour(Class::Email, ids, &to).await };
    let gather = async {
        let mut all = Documents::new();
        while let Some(mut portion) = from.recv().await {
            all.append(&mut portion);
        }
        all
    };
    let (ended, all) = tokio::join!(pour, gather);
    (all, ended)
}

fn named(documents: &Documents) -> Vec<(&str, Result<()>)> {
    let all = documents.iter().map(|(id, found)| {
        let found = found.as_ref().map(|_| ()).map_err(|error| Error::new(error.kind, ""));
        (id.as_str(), found)
    });
    all.collect()
}

#[tokio::test]
async fn another_connection_goes_on_where_one_ended() {
    const FIRST: &str =
        "* 1 FETCH (UID 7 FLAGS (a) BODY[HEADER] {19}\r\nMessage-ID: <a>\r\n\r\n)\r\n\0";
    const SECOND: &str =
        "* 2 FETCH (UID 8 FLAGS () BODY[HEADER] {19}\r\nMessage-ID: <b>\r\n\r\n)\r\nTAG OK\r\n";
    let (imap, heard) = puppet(|connection, command, _| {
        let answer = match connection {
            _ if !command.starts_with("UID FETCH 7:8 (UID FLAGS B") => return None,
            0 => FIRST,
            _ => "TAG BAD asked twice\r\n",
        };
        Some(Some(answer.to_owned()))
    })
    .start()
    .await;
    let second = |command: &String| command.starts_with("UID FETCH 8 (UID FLAGS B");
    // It is there already, so that its end is no surprise.
    assert!(imap.list(Class::Email).await.unwrap().is_complete());
    let (all, ended) = poured(&imap, &asked()).await;
    assert!(heard.lock().unwrap().iter().any(second), "only what is left is asked for");
    // The puppet knows no such command: the message is in doubt, and not gone.
    ended.unwrap();
    let found = named(&all);
    assert!(found[0].1.is_ok() && found[1].1.is_err(), "{found:?}");
    assert_ne!(found[1].1.as_ref().unwrap_err().kind, ErrorKind::Missing);

    let (imap, _) = puppet(|_, command, _| {
        let is_second = command.starts_with("UID FETCH 7:8 (UID FLAGS B");
        is_second.then(|| Some(SECOND.to_owned()))
    })
    .start()
    .await;
    let (all, ended) = poured(&imap, &asked()).await;
    ended.unwrap();
    let found = named(&all);
    assert!(found[1].1.is_ok(), "{found:?}");
    assert_eq!(found[0].1.as_ref().unwrap_err().kind, ErrorKind::Missing, "it gave the other one");
}

#[tokio::test]
async fn a_connection_that_ends_for_good_makes_nothing_seem_gone() {
    let (imap, _) =
        puppet(|_, command, _| command.starts_with("UID FETCH 7:8 (UID FLAGS B").then_some(None))
            .start()
            .await;
    let (all, ended) = poured(&imap, &asked()).await;
    assert_eq!(ended.unwrap_err().kind, ErrorKind::Unreachable);
    assert!(all.is_empty(), "{all:?}");
}
