//! What a change concerns is found again: by the digests of names, by what is open, by what links and marks leave behind.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::{at, fields, in_a_store, item};
use crate::model::{Class, Content, ItemId, Link, LinkId, LinkState, Side, Traits, Uid, Version};
use crate::store::decision::{self, Decision, Outcome, short};
use crate::store::migrate::{self, MIGRATIONS};
use crate::store::observation::{self, Observation};
use crate::store::round::RoundId;
use crate::store::{Result, Transaction, link, mark, meta, touched};

const EMAIL: Class = Class::Email;

fn see(tx: &Transaction<'_>, round: RoundId, id: &str, uid: &str, version: &str) -> Result<()> {
    let content = Content { uid: Uid::new(uid), fields: fields(uid), traits: Traits::default() };
    let seen = Observation {
        side: Side::Mailbox,
        class: EMAIL,
        id: item(id),
        version: Version::new(version),
        content: (version != "unread").then_some(content),
        problem: (version == "unread").then(|| "the server refused it".to_owned()),
    };
    observation::upsert(tx, round, &[seen])
}

fn decide(
    tx: &Transaction<'_>,
    round: RoundId,
    id: &str,
    outcome: Outcome,
    names: &[&str],
) -> Result<()> {
    let names = names.iter().map(|name| short(name)).collect();
    let (looked, rule) = (String::new(), "a rule".to_owned());
    let decision = Decision {
        class: EMAIL,
        item: item(id),
        outcome,
        rule,
        looked,
        parent: None,
        names,
        round,
        at: at(5),
    };
    decision::upsert(tx, &[decision])
}

fn linked(id: &str, uid: &str, state: LinkState) -> Link {
    Link {
        id: LinkId(0),
        class: EMAIL,
        item: item(id),
        record: item(&format!("email/{id}")),
        uid: Uid::new(uid),
        origin: Side::Mailbox,
        state,
        item_version: None,
        record_version: None,
        bases: None,
    }
}

/// The names that wait, which are taken out.
fn taken(tx: &Transaction<'_>) -> Result<Vec<String>> {
    let names = touched::all(tx)?;
    touched::remove(tx, &names)?;
    Ok(names.iter().map(|name| name.as_str().to_owned()).collect())
}

fn ids(ids: &BTreeSet<ItemId>) -> Vec<&str> {
    ids.iter().map(ItemId::as_str).collect()
}

#[test]
fn a_message_is_found_by_what_it_is_called_and_refers_to() {
    in_a_store(|tx, round| {
        decide(tx, round, "box/1", Outcome::Skipped, &["one@x"])?;
        decide(tx, round, "box/2", Outcome::Skipped, &["two@x", "one@x", "zero@x"])?;
        decide(tx, round, "box/3", Outcome::Tracked, &["three@x"])?;
        let naming = |name| decision::naming(tx, &BTreeSet::from([short(name)]));
        assert_eq!(ids(&naming("one@x")?), ["box/1", "box/2"]);
        assert_eq!(ids(&naming("zero@x")?), ["box/2"]);
        assert_eq!(ids(&naming("nobody@x")?), [""; 0]);
        // Only what it hangs on is other now: it is still as old as it was.
        let old = decision::get(tx, EMAIL, &item("box/2"))?.unwrap();
        let new = Decision { names: vec![short("new@x")], at: at(9), ..old.clone() };
        decision::upsert(tx, std::slice::from_ref(&new))?;
        assert_eq!(decision::get(tx, EMAIL, &item("box/2"))?, Some(Decision { at: old.at, ..new }));
        Ok(())
    });
}

/// Digests are stored: they must never come out otherwise.
#[test]
fn a_digest_stays_what_it_is() {
    assert_eq!(["", "a", "foobar"].map(short), [0x811c_9dc5, 0xe40c_292c, 0xbf9c_f968]);
}

#[test]
fn what_is_open_is_not_skipped_and_not_linked() {
    in_a_store(|tx, round| {
        for (id, outcome) in [
            ("box/1", Outcome::Skipped),
            ("box/2", Outcome::Tracked),
            ("box/3", Outcome::Pending),
            ("box/4", Outcome::Failed),
            ("box/5", Outcome::Tracked),
        ] {
            decide(tx, round, id, outcome, &[])?;
        }
        link::insert(tx, &linked("box/5", "five@x", LinkState::Active))?;
        assert_eq!(ids(&decision::open(tx)?), ["box/2", "box/3", "box/4"]);
        Ok(())
    });
}

#[test]
fn links_and_marks_leave_their_names_behind() {
    in_a_store(|tx, round| {
        let id = link::insert(tx, &linked("box/1", "one@x", LinkState::Active))?;
        assert_eq!(taken(tx)?, ["one@x"]);
        let mut link = link::get(tx, id)?.unwrap();
        link.item_version = Some(Version::new("settled"));
        link::update(tx, &link)?;
        assert_eq!(taken(tx)?, [""; 0], "nothing happened to the message");
        link.item = item("other/1");
        link::update(tx, &link)?;
        assert_eq!(taken(tx)?, ["one@x"]);
        for tracked in [true, false] {
            mark::set(tx, EMAIL, &Uid::new("two@x"), tracked, at(1))?;
            assert_eq!(taken(tx)?, ["two@x"]);
        }
        mark::set(tx, Class::Task, &Uid::new("task"), true, at(1))?;
        assert_eq!(taken(tx)?, [""; 0]);
        // A linked message may never have been decided over; without its link, somebody has to.
        see(tx, round, "other/1", "one@x", "")?;
        link::remove(tx, &[id])?;
        assert_eq!(taken(tx)?, ["one@x"]);
        assert_eq!(ids(&decision::open(tx)?), ["other/1"]);
        Ok(())
    });
}

#[test]
fn linked_messages_that_are_not_where_they_were_are_told() {
    in_a_store(|tx, round| {
        see(tx, round, "box/1", "here@x", "")?;
        for (id, uid, state) in [
            ("box/1", "here@x", LinkState::Active),
            ("box/2", "moved@x", LinkState::Active),
            ("box/3", "deleted@x", LinkState::Released { gone: Side::Mailbox }),
            ("box/4", "let go@x", LinkState::Released { gone: Side::Crm }),
        ] {
            link::insert(tx, &linked(id, uid, state))?;
        }
        let astray = link::astray(tx, EMAIL)?;
        let astray: Vec<(&str, bool)> =
            astray.iter().map(|(uid, is_old)| (uid.as_str(), *is_old)).collect();
        assert_eq!(astray, [("deleted@x", true), ("let go@x", false), ("moved@x", false)]);
        Ok(())
    });
}

#[test]
fn some_observations_are_found_without_the_others() {
    in_a_store(|tx, round| {
        let side = Side::Mailbox;
        for (id, version) in [("box/1", ""), ("box/2", "$CrmTracked"), ("box/3", "unread")] {
            see(tx, round, id, id, version)?;
        }
        let wanted = [item("box/2"), item("box/3"), item("box/9")];
        let versions = observation::versions_of(tx, side, EMAIL, &wanted)?;
        let expected = [("box/2", "$CrmTracked"), ("box/3", "unread")];
        let expected = expected.map(|(id, version)| (item(id), Version::new(version)));
        assert_eq!(versions, BTreeMap::from(expected));
        assert_eq!(observation::unread(tx, side, EMAIL)?, [item("box/3")]);
        assert_eq!(observation::count(tx, side, EMAIL)?, 3);
        let read = observation::of(tx, side, EMAIL, &wanted)?;
        let read: Vec<(&str, bool)> =
            read.iter().map(|seen| (seen.id.as_str(), seen.content.is_some())).collect();
        assert_eq!(read, [("box/2", true), ("box/3", false)]);
        Ok(())
    });
}

#[test]
fn an_upgrade_keeps_decisions_and_has_them_made_once_more() {
    let mut old = Connection::open_in_memory().unwrap();
    let (before, _) = MIGRATIONS.split_at(5);
    migrate::migrate(&mut old, None, before).unwrap();
    old.execute_batch(
        "INSERT INTO decision (class, item, outcome, rule, round, at)
         VALUES ('email', 'box/1', 'skipped', 'no rule tracks it', 3, 7000000);
         INSERT INTO meta (key, value) VALUES ('rules/email', 'those of then'), ('user', 'anna')",
    )
    .unwrap();
    migrate::migrate(&mut old, None, MIGRATIONS).unwrap();
    let kept = decision::get(&old, EMAIL, &item("box/1")).unwrap().unwrap();
    assert_eq!((kept.outcome, kept.round, kept.at), (Outcome::Skipped, RoundId(3), at(7)));
    assert!(kept.names.is_empty());
    assert_eq!(meta::get(&old, "rules/email").unwrap(), None);
    assert_eq!(meta::get(&old, "user").unwrap().as_deref(), Some("anna"));
}
