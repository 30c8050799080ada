//! Leaving an organisation: what follows from it goes, what is the user's own stays.

use super::at;
use super::fixture::populate;
use crate::model::{Class, ItemId, Side, Uid};
use crate::store::{
    Connection, Store, conflict, cursor, decision, departure, hold, journal, link, mark, meta,
    observation, quarantine, round, tagged,
};

const LEARNT: [&str; 5] =
    [meta::ORGANISATION, meta::USER, meta::STANDING, "filter/contact", "started/contact"];

#[test]
fn what_was_learnt_is_forgotten_and_what_was_said_is_kept() {
    let store = Store::in_memory().unwrap();
    let items = std::collections::BTreeSet::from([ItemId::new("INBOX/1")]);
    let before = store.write_blocking(|tx| {
        populate(tx)?;
        mark::set(tx, Class::Contact, &Uid::new("anna"), false, at(1_010))?;
        tagged::add(tx, &items)?;
        for key in LEARNT {
            meta::set(tx, key, "one")?;
        }
        meta::set(tx, meta::INSTANCE, "this")?;
        meta::set(tx, "keywords/INBOX", "imap")?;
        assert_eq!(departure::pairs(tx, Class::Contact)?, 2);
        assert_eq!(departure::mails(tx)?, 0);
        let before = (round::latest(tx, 9)?.len(), conflict::all(tx)?.len());
        departure::leave(tx, at(2_000))?;
        Ok(before)
    });
    let before = before.unwrap();
    let after = |db: &Connection| {
        let (class, side) = (Class::Contact, Side::Mailbox);
        assert!(link::all(db, class)?.is_empty() && departure::pairs(db, class)? == 0);
        assert!(observation::heads(db, side, class)?.is_empty());
        assert!(cursor::all(db, side, class)?.is_empty());
        assert!(decision::all(db, class)?.is_empty());
        assert!(hold::open_holds(db)?.is_empty() && hold::approved_keys(db, class)?.is_empty());
        assert!(quarantine::all(db, side, class)?.is_empty());
        assert!(journal::unknown(db)?.is_empty(), "nobody looks for these any more");
        assert!(conflict::open(db)?.is_empty() && conflict::choices(db)?.is_empty());
        for key in LEARNT {
            assert_eq!(meta::get(db, key)?, None, "{key}");
        }
        assert_eq!(meta::get(db, "keywords/INBOX")?.as_deref(), Some("imap"));
        assert_eq!(meta::get(db, meta::MAILBOX)?.as_deref(), Some("anna@example.org"));
        assert_eq!(meta::get(db, meta::INSTANCE)?.as_deref(), Some("this"));
        assert_eq!(mark::all(db, class)?.get(&Uid::new("anna")), Some(&false));
        assert_eq!(tagged::all(db)?.len(), 1);
        Ok((round::latest(db, 9)?.len(), conflict::all(db)?.len()))
    };
    assert_eq!(store.read_blocking(after).unwrap(), before, "history stays");
}
