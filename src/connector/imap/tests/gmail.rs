//! Gmail, as its documentation has it (<https://developers.google.com/workspace/gmail/imap/imap-extensions>): every message
//! once in *All Mail*, labels for folders.

use super::*;

const CAPABILITIES: &str = "CAPABILITY IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS \
    COMPRESS=DEFLATE ENABLE MOVE CONDSTORE ESEARCH UTF8=ACCEPT LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE APPENDLIMIT=35651584";

const FOLDERS: &str = "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\r\n\
    * STATUS \"INBOX\" (MESSAGES 1 UIDNEXT 9 UIDVALIDITY 1 HIGHESTMODSEQ MODSEQ)\r\n\
    * LIST (\\HasChildren \\Noselect) \"/\" \"[Gmail]\"\r\n\
    * LIST (\\All \\HasNoChildren) \"/\" \"[Gmail]/Alle Nachrichten\"\r\n\
    * STATUS \"[Gmail]/Alle Nachrichten\" (MESSAGES 4 UIDNEXT 30 UIDVALIDITY 11 HIGHESTMODSEQ MODSEQ)\r\n\
    * LIST (\\HasNoChildren \\Trash) \"/\" \"[Gmail]/Papierkorb\"\r\nTAG OK Success\r\n";

const OPENED: &str = "* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY 11] UIDs valid.\r\n* COUNT EXISTS\r\n* OK [UIDNEXT 30] x\r\n\
    * OK [HIGHESTMODSEQ MODSEQ]\r\nTAG OK [READ-ONLY] selected. (Success)\r\n";

fn gmail(round: Arc<Record<usize>>) -> Puppet {
    let mut puppet = Puppet::new(move |_, command| {
        let changed = *round.lock().unwrap() > 0;
        let (mod_seq, count) = if changed { ("600", "4") } else { ("500", "4") };
        let answer = match command {
            _ if command.starts_with("LIST") => FOLDERS,
            _ if command.starts_with("EXAMINE") => OPENED,
            "UID FETCH 1:* (UID FLAGS X-GM-LABELS)" => {
                "* 1 FETCH (X-GM-LABELS (\"\\\\Inbox\" \"\\\\Important\") UID 10 FLAGS (\\Seen) MODSEQ (5))\r\n\
                 * 2 FETCH (X-GM-LABELS (\"\\\\Draft\") UID 11 FLAGS (\\Draft))\r\n\
                 * 3 FETCH (X-GM-LABELS (\"\\\\Sent\" Kunden) UID 12 FLAGS ($CrmTracked))\r\n\
                 * 4 FETCH (X-GM-LABELS (Privat) UID 13 FLAGS ())\r\nTAG OK Success\r\n"
            }
            "UID FETCH 1:* (UID FLAGS X-GM-LABELS) (CHANGEDSINCE 500)" => {
                "* 1 FETCH (X-GM-LABELS (Privat) UID 10 FLAGS (\\Seen) MODSEQ (600))\r\n\
                 * 4 FETCH (X-GM-LABELS () UID 13 FLAGS () MODSEQ (600))\r\nTAG OK Success\r\n"
            }
            "UNSELECT" | "ID (\"name\" \"liaison\" \"version\" \"0.1.0\")" | "ENABLE CONDSTORE" => {
                "TAG OK\r\n"
            }
            _ => return Some(format!("TAG BAD Unknown command {command}\r\n")),
        };
        Some(
            answer
                .replace("MODSEQ)\r", &format!("{mod_seq})\r"))
                .replace("MODSEQ]", &format!("{mod_seq}]"))
                .replace("COUNT", count),
        )
    });
    puppet.greeting = "* OK Gimap ready for requests\r\n";
    let answer = puppet.answer;
    puppet.answer = Box::new(move |connection, command| match command {
        "CAPABILITY" => Some(
            "* CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=PLAIN\r\nTAG OK Thats all\r\n"
                .to_owned(),
        ),
        _ if command.starts_with("AUTHENTICATE PLAIN ") => {
            Some(format!("* {CAPABILITIES}\r\nTAG OK anna authenticated (Success)\r\n"))
        }
        _ => answer(connection, command),
    });
    puppet
}

#[tokio::test]
async fn labels_stand_for_folders() {
    let round: Arc<Record<usize>> = Arc::default();
    let (mut imap, _) = gmail(Arc::clone(&round)).start().await;
    imap.options.leave_out.insert("privat".to_owned());
    let news = imap.news(Class::Email, &Cursor::new()).await.unwrap();
    let id = |uid: u32| item_id("[Gmail]/Alle Nachrichten", 11, uid);
    let whole = BTreeMap::from([(id(10), Version::new("")), (id(12), Version::new("$CrmTracked"))]);
    assert_eq!(
        news.parts,
        BTreeMap::from([("[Gmail]/Alle Nachrichten".to_owned(), Part::Whole(whole))])
    );
    assert!(imap.news(Class::Email, &news.cursor).await.unwrap().parts.is_empty());
    *round.lock().unwrap() = 1;
    let news = imap.news(Class::Email, &news.cursor).await.unwrap();
    let Part::Changes { changed, gone } = &news.parts["[Gmail]/Alle Nachrichten"] else {
        panic!("{news:?}")
    };
    assert_eq!(
        changed,
        &BTreeMap::from([(id(13), Version::new(""))]),
        "it lost the label that kept it out"
    );
    assert_eq!(gone, &BTreeSet::from([id(10)]), "it got it");
}
