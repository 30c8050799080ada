//! Who has seen nothing yet is told names: of a server that counts modifications and can say them in ranges.

use super::*;

const CAPABILITIES: &str = "TAG OK [CAPABILITY IMAP4rev1 ENABLE CONDSTORE ESEARCH LITERAL+] in\r\n";

const STATUS: &str =
    "* STATUS INBOX (MESSAGES 3 UIDNEXT 10 UIDVALIDITY 3 HIGHESTMODSEQ 77)\r\nTAG OK\r\n";

const FLAGS: &str = "* 1 FETCH (UID 7 FLAGS (a))\r\n* 2 FETCH (UID 8 FLAGS ())\r\n\
    * 3 FETCH (UID 9 FLAGS ())\r\nTAG OK\r\n";

/// An inbox with the messages 7 to 9, which says this when it is opened, and of its names that.
async fn told(opened: &'static str, names: &'static str) -> (Imap, Result<News>, Vec<String>) {
    let (imap, heard) = Puppet::new(move |_, command| {
        let words = |start| command.starts_with(start);
        Some(if words("AUTHENTICATE") {
            CAPABILITIES.to_owned()
        } else if words("LIST") {
            "* LIST () \"/\" INBOX\r\nTAG OK\r\n".to_owned()
        } else if words("STATUS") {
            STATUS.to_owned()
        } else if words("EXAMINE") {
            format!("* 3 EXISTS\r\n* OK [UIDVALIDITY 3] x\r\n{opened}TAG OK done\r\n")
        } else if words("UID SEARCH RETURN (ALL) ALL") {
            format!("{names}TAG OK\r\n")
        } else if words("UID FETCH 1:* (UID FLAGS)") {
            FLAGS.to_owned()
        } else {
            "TAG OK\r\n".to_owned()
        })
    })
    .start()
    .await;
    let news = imap.first(Class::Email).await;
    let heard = heard.lock().unwrap().clone();
    (imap, news, heard)
}

const OPENED: &str = "* OK [UIDNEXT 10] x\r\n* OK [HIGHESTMODSEQ 77] x\r\n";

fn part(versions: [&str; 3]) -> BTreeMap<String, Part> {
    let ids = ["INBOX/3.7", "INBOX/3.8", "INBOX/3.9"].map(ItemId::new);
    let items = ids.into_iter().zip(versions.map(Version::new)).collect();
    BTreeMap::from([("INBOX".to_owned(), Part::Whole(items))])
}

#[tokio::test]
async fn a_first_look_asks_for_names_and_a_later_one_for_what_changed() {
    let (imap, news, heard) = told(OPENED, "* ESEARCH (TAG \"x\") UID ALL 7:9\r\n").await;
    let news = news.unwrap();
    assert_eq!((news.parts, news.completeness), (part(["", "", ""]), Completeness::Complete));
    assert!(!heard.iter().any(|command| command.starts_with("UID FETCH")), "{heard:?}");
    // The cursor is one that any look makes.
    let whole = imap.news(Class::Email, &Cursor::new()).await.unwrap();
    assert_eq!((whole.parts, whole.cursor.clone()), (part(["a", "", ""]), news.cursor));
    assert!(imap.news(Class::Email, &whole.cursor).await.unwrap().is_quiet());
}

#[tokio::test]
async fn who_names_too_few_or_counts_nothing_is_asked_for_all() {
    for (opened, names) in [
        (OPENED, "* ESEARCH (TAG \"x\") UID ALL 7:8\r\n"),
        (OPENED, "* ESEARCH (TAG \"x\") UID\r\n"),
        (OPENED, ""),
        ("* OK [UIDNEXT 10] x\r\n* OK [NOMODSEQ] x\r\n", "* ESEARCH (TAG \"x\") UID ALL 7:9\r\n"),
        ("* OK [HIGHESTMODSEQ 77] x\r\n", "* ESEARCH (TAG \"x\") UID ALL 7:9\r\n"),
    ] {
        let (_, news, heard) = told(opened, names).await;
        assert_eq!(news.unwrap().parts, part(["a", "", ""]), "{opened}{names}{heard:?}");
    }
    // What cannot be read is no list.
    let (_, news, _) = told(OPENED, "* ESEARCH (TAG \"x\") UID ALL 7:x\r\n").await;
    assert!(!news.is_ok_and(|news| news.completeness == Completeness::Complete));
}
