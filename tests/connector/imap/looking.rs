use super::*;

/// Whatever a server can do, the view of the mailbox is the same after each change, and a quiet mailbox is no news.
#[tokio::test]
async fn every_strategy_tells_the_same_story() {
    for hide in SERVERS {
        let dovecot = start(hide);
        let anna = dovecot.elsewhere("anna");
        append(&anna, "INBOX", &["one", "two", "three"]);
        append(&anna, "Sent", &["sent"]);
        append(&anna, "Drafts", &["draft"]);
        append(&anna, "Trash", &["trash"]);
        anna.create_folder("Kunden/S&APw-d");
        append(&anna, "Kunden/S&APw-d", &["kunde"]);
        let imap = connector(&dovecot);
        let mut view = View::default();
        view.update(&imap).await;
        let first = [("INBOX", 3), ("Kunden/Süd", 1), ("Sent", 1)];
        assert_eq!(view.count(), count(&first), "{hide:?}");

        let news = view.update(&imap).await;
        assert!(news.parts.is_empty(), "{hide:?}: nothing happened, but {:?}", news.parts);

        append(&anna, "INBOX", &["four"]);
        view.update(&imap).await;
        let four = [("INBOX", 4), ("Kunden/Süd", 1), ("Sent", 1)];
        assert_eq!(view.count(), count(&four), "{hide:?}");

        anna.flag("INBOX", "<two@example.test>", &["$CrmTracked"], true);
        view.update(&imap).await;
        let marked = [("INBOX", 3), ("INBOX $CrmTracked", 1), ("Kunden/Süd", 1), ("Sent", 1)];
        assert_eq!(view.count(), count(&marked), "{hide:?}");
        assert!(view.update(&imap).await.parts.is_empty(), "{hide:?}");

        anna.delete("INBOX", "<one@example.test>");
        append(&anna, "INBOX", &["five"]);
        anna.flag("INBOX", "<two@example.test>", &["$CrmTracked"], false);
        view.update(&imap).await;
        assert_eq!(view.count(), count(&four), "{hide:?}: one went, one came");

        anna.relocate("INBOX", "<five@example.test>", "Trash");
        anna.delete("Sent", "<sent@example.test>");
        view.update(&imap).await;
        assert_eq!(view.count(), count(&[("INBOX", 3), ("Kunden/Süd", 1)]), "{hide:?}");

        anna.rename_folder("Kunden/S&APw-d", "Nord");
        view.update(&imap).await;
        assert_eq!(view.count(), count(&[("INBOX", 3), ("Nord", 1)]), "{hide:?}");
        anna.delete_folder("Nord");
        view.update(&imap).await;
        assert_eq!(view.count(), count(&[("INBOX", 3)]), "{hide:?}");
        assert!(view.update(&imap).await.parts.is_empty(), "{hide:?}");
    }
}

/// One question, one answer: however many messages and folders there are.
#[tokio::test]
async fn a_quiet_mailbox_costs_one_request() {
    let dovecot = start(&[]);
    let anna = dovecot.elsewhere("anna");
    for folder in 0..20 {
        anna.create_folder(&format!("Folder{folder}"));
        append(&anna, &format!("Folder{folder}"), &["one", "two"]);
    }
    let imap = connector(&dovecot);
    let mut view = View::default();
    view.update(&imap).await;
    assert_eq!(view.messages.len(), 40);
    view.update(&imap).await;
    let before = imap.requests();
    view.update(&imap).await;
    assert_eq!(imap.requests() - before, 1);
}

/// A folder that was made anew has other messages, even if it looks the same.
#[tokio::test]
async fn a_new_validity_is_another_folder() {
    for hide in SERVERS {
        let dovecot = start(hide);
        let anna = dovecot.elsewhere("anna");
        anna.create_folder("Work");
        append(&anna, "Work", &["one", "two"]);
        let imap = connector(&dovecot);
        let mut view = View::default();
        view.update(&imap).await;
        let before: BTreeSet<ItemId> = view.messages.keys().cloned().collect();
        anna.delete_folder("Work");
        anna.create_folder("Work");
        append(&anna, "Work", &["one", "two"]);
        view.update(&imap).await;
        let after: BTreeSet<ItemId> = view.messages.keys().cloned().collect();
        assert_eq!((before.len(), after.len()), (2, 2));
        assert!(before.is_disjoint(&after), "{hide:?}: {before:?} {after:?}");
    }
}

/// What the configuration leaves out is not looked at any more; it is not gone.
#[tokio::test]
async fn a_folder_left_out_is_not_gone() {
    let dovecot = start(&[]);
    let anna = dovecot.elsewhere("anna");
    append(&anna, "Sent", &["sent"]);
    let mut view = View::default();
    view.update(&connector(&dovecot)).await;
    assert_eq!(view.messages.len(), 1);
    let mut options = options(&dovecot, Security::None);
    options.leave_out.insert("sent".to_owned());
    let news = view.update(&Imap::new(options, Clock::system())).await;
    assert!(!news.parts.contains_key("Sent") && !news.cursor.contains_key("Sent"));
}
