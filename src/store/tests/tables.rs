//! What is known of both sides: what is written is read back, keys are unique.

use std::time::Duration;

use std::collections::BTreeMap;

use super::{at, fields, in_a_store, item};
use crate::model::Address;
use crate::model::record::{Candidate, PartyRef};
use crate::model::{
    Bases, Class, Content, Field, Fields, ItemId, Link, LinkId, LinkState, Side, Traits, Uid,
    Version,
};
use crate::store::conflict::{Dispute, Finding};
use crate::store::cursor::Cursor;
use crate::store::decision::Decision;
use crate::store::observation::Observation;
use crate::store::person::Choice;
use crate::store::quarantine::Failure;
use crate::store::round::RoundId;
use crate::store::settled::Settled;
use crate::store::{
    ErrorKind, Result, Store, conflict, cursor, decision, link, mark, meta, observation, person,
    quarantine, round, settled,
};

fn seen(id: &str, version: &str, subject: &str) -> Observation {
    Observation {
        side: Side::Mailbox,
        class: Class::Task,
        id: item(id),
        version: Version::new(version),
        content: Some(Content {
            uid: Uid::new(format!("uid of {id}")),
            fields: fields(subject),
            traits: Traits { private: true, ..Traits::default() },
        }),
        problem: None,
    }
}

fn linked(name: &str) -> Link {
    Link {
        id: LinkId(0),
        class: Class::Task,
        item: item(&format!("{name}.ics")),
        record: item(&format!("task/{name}")),
        uid: Uid::new(name),
        origin: Side::Crm,
        state: LinkState::Active,
        item_version: None,
        record_version: Some(Version::new("W/\"1\"")),
        bases: Some(Box::new(Bases { item: fields("item"), record: fields("record") })),
    }
}

#[test]
fn meta_keeps_one_text_a_key() {
    in_a_store(|tx, _| {
        assert_eq!(meta::get(tx, meta::USER)?, None);
        meta::set(tx, meta::USER, "one")?;
        meta::set(tx, meta::USER, "two")?;
        meta::set(tx, meta::ORGANISATION, "")?;
        assert_eq!(meta::get(tx, meta::USER)?.as_deref(), Some("two"));
        assert_eq!(meta::get(tx, meta::ORGANISATION)?.as_deref(), Some(""));
        meta::remove(tx, meta::USER)?;
        assert_eq!(meta::get(tx, meta::USER)?, None);
        Ok(())
    });
}

#[test]
fn a_round_is_finished_once() {
    in_a_store(|tx, first| {
        // A clock that starts at the epoch must not look like a round that never ended.
        let second = round::start(tx, "user", at(0))?;
        assert_eq!(round::get(tx, second)?.unwrap().finished, None);
        let report = serde_json::json!({"created": 3});
        round::finish(tx, second, &report, at(0))?;
        let stored = round::get(tx, second)?.unwrap();
        assert_eq!((stored.finished, &stored.report), (Some(at(0)), &report));
        assert_eq!(round::finish(tx, second, &report, at(1)).unwrap_err().kind, ErrorKind::Missing);
        let latest = round::latest(tx, 5)?;
        assert_eq!(latest.iter().map(|round| round.id).collect::<Vec<_>>(), [second, first]);
        assert_eq!(round::latest(tx, 1)?.len(), 1);
        Ok(())
    });
}

#[test]
fn an_observation_is_replaced_whole() {
    in_a_store(|tx, round| {
        let (a, b) = (seen("a", "1", "one"), seen("b", "1", "other"));
        observation::upsert(tx, round, &[a.clone(), b.clone()])?;
        let mut elsewhere = seen("a", "9", "elsewhere");
        elsewhere.side = Side::Crm;
        observation::upsert(tx, round, &[elsewhere, seen("a", "2", "two")])?;
        let ids = [item("a"), item("b"), item("missing")];
        let contents = observation::contents(tx, Side::Mailbox, Class::Task, &ids)?;
        let expected = BTreeMap::from([
            (item("a"), seen("a", "2", "two").content.unwrap()),
            (item("b"), b.content.clone().unwrap()),
        ]);
        assert_eq!(contents, expected);
        assert_eq!(
            observation::versions(tx, Side::Mailbox, Class::Task)?,
            BTreeMap::from([(item("a"), Version::new("2")), (item("b"), Version::new("1"))])
        );
        assert_eq!(observation::versions(tx, Side::Crm, Class::Task)?.len(), 1);
        assert!(observation::versions(tx, Side::Mailbox, Class::Contact)?.is_empty());
        observation::remove(tx, Side::Mailbox, Class::Task, &ids)?;
        assert!(observation::versions(tx, Side::Mailbox, Class::Task)?.is_empty());
        assert_eq!(observation::versions(tx, Side::Crm, Class::Task)?.len(), 1);
        Ok(())
    });
}

#[test]
fn heads_tell_what_was_read_what_failed_and_what_was_only_listed() {
    in_a_store(|tx, round| {
        let failed = Observation {
            content: None,
            problem: Some("no VTODO".into()),
            ..seen("failed", "1", "")
        };
        let listed = Observation { content: None, ..seen("listed", "1", "") };
        let mut bare = seen("bare", "1", "");
        bare.content =
            Some(Content { uid: Uid::new(""), fields: Fields::new(), traits: Traits::default() });
        observation::upsert(tx, round, &[seen("read", "1", "text"), failed, listed, bare])?;
        let heads = observation::heads(tx, Side::Mailbox, Class::Task)?;
        assert_eq!(heads[&item("read")].uid, Some(Uid::new("uid of read")));
        assert!(heads[&item("read")].traits.private);
        assert_eq!(heads[&item("failed")].problem.as_deref(), Some("no VTODO"));
        assert_eq!(heads[&item("failed")].uid, None);
        assert_eq!((&heads[&item("listed")].uid, &heads[&item("listed")].problem), (&None, &None));
        assert_eq!(heads[&item("bare")].uid, Some(Uid::new("")));
        let ids: Vec<ItemId> = heads.into_keys().collect();
        let read = observation::contents(tx, Side::Mailbox, Class::Task, &ids)?;
        assert_eq!(read.into_keys().collect::<Vec<_>>(), [item("bare"), item("read")]);
        Ok(())
    });
}

#[test]
fn a_link_comes_back_whole() {
    in_a_store(|tx, _| {
        let id = link::insert(tx, &linked("a"))?;
        let stored = Link { id, ..linked("a") };
        assert_eq!(link::by_item(tx, Class::Task, &stored.item)?, Some(stored.clone()));
        assert_eq!(link::by_record(tx, Class::Task, &stored.record)?, Some(stored.clone()));
        assert_eq!(link::get(tx, id)?, Some(stored.clone()));
        assert_eq!(link::by_item(tx, Class::Contact, &stored.item)?, None);
        assert_eq!(link::all(tx, Class::Task)?, [Link { bases: None, ..stored.clone() }]);
        let bases = link::bases(tx, &[id, LinkId(99)])?;
        assert_eq!(bases, BTreeMap::from([(id, *stored.bases.unwrap())]));
        Ok(())
    });
}

#[test]
fn links_and_their_open_conflicts_are_counted_by_class() {
    in_a_store(|tx, round| {
        let of = |class, name, state| Link { class, state, ..linked(name) };
        let released = LinkState::Released { gone: Side::Crm };
        let task = link::insert(tx, &of(Class::Task, "a", LinkState::Active))?;
        link::insert(tx, &of(Class::Task, "b", LinkState::Active))?;
        link::insert(tx, &of(Class::Task, "c", released))?;
        let contact = link::insert(tx, &of(Class::Contact, "a", released))?;
        for (link, winner) in
            [(task, None), (task, Some(Side::Crm)), (contact, None), (LinkId(99), None)]
        {
            let field = Field::of(if winner.is_some() { "settled" } else { "open" });
            let dispute = Dispute::Field { field, mailbox: None, crm: None };
            conflict::upsert(tx, &Finding { link, dispute, winner }, round, at(1))?;
        }
        let counted = [Class::Task, Class::Contact, Class::Email]
            .map(|class| Ok((link::count(tx, class)?, conflict::count_open(tx, class)?)))
            .into_iter()
            .collect::<Result<Vec<_>>>()?;
        assert_eq!(counted, [((2, 1), 1), ((0, 1), 1), ((0, 0), 0)]);
        Ok(())
    });
}

#[test]
fn an_update_without_bases_keeps_those_that_are_stored() {
    in_a_store(|tx, _| {
        let mut link = linked("a");
        link.id = link::insert(tx, &link)?;
        link.item = item("moved.ics");
        link.uid = Uid::new("renamed");
        link.state = LinkState::Released { gone: Side::Mailbox };
        link.item_version = Some(Version::new("2"));
        link.record_version = None;
        let bases = link.bases.take();
        link::update(tx, &link)?;
        let stored = link::get(tx, link.id)?;
        assert_eq!(stored, Some(Link { bases, ..link.clone() }));
        link.bases = Some(Box::default());
        link::update(tx, &link)?;
        assert_eq!(link::get(tx, link.id)?, Some(link.clone()));
        link.id = LinkId(99);
        assert_eq!(link::update(tx, &link).unwrap_err().kind, ErrorKind::Missing);
        Ok(())
    });
}

#[test]
fn an_item_and_a_record_have_one_link_each() {
    in_a_store(|tx, _| {
        link::insert(tx, &linked("a"))?;
        let same_item = Link { item: linked("a").item, ..linked("b") };
        let same_record = Link { record: linked("a").record, ..linked("b") };
        for twin in [same_item, same_record] {
            assert_eq!(link::insert(tx, &twin).unwrap_err().kind, ErrorKind::Exists);
        }
        let other_class = Link { class: Class::Appointment, ..linked("a") };
        link::insert(tx, &other_class)?;
        let mut third = linked("c");
        third.id = link::insert(tx, &third)?;
        third.item = linked("a").item;
        assert_eq!(link::update(tx, &third).unwrap_err().kind, ErrorKind::Exists);
        // The transaction stands.
        assert_eq!(link::all(tx, Class::Task)?.len(), 2);
        Ok(())
    });
}

#[test]
fn the_number_of_a_link_is_never_used_again() {
    in_a_store(|tx, _| {
        let first = link::insert(tx, &linked("a"))?;
        link::remove(tx, &[first])?;
        assert_eq!(link::get(tx, first)?, None);
        assert!(link::bases(tx, &[first])?.is_empty());
        let second = link::insert(tx, &linked("a"))?;
        assert!(second > first);
        Ok(())
    });
}

#[test]
fn releasing_all_links_leaves_other_classes_and_earlier_releases_alone() {
    in_a_store(|tx, _| {
        link::insert(tx, &linked("a"))?;
        let earlier = LinkState::Released { gone: Side::Mailbox };
        link::insert(tx, &Link { state: earlier, ..linked("b") })?;
        link::insert(tx, &Link { class: Class::Contact, ..linked("c") })?;
        assert_eq!(link::release_all(tx, Class::Task, Side::Crm)?, 1);
        let states: Vec<LinkState> =
            link::all(tx, Class::Task)?.into_iter().map(|link| link.state).collect();
        assert_eq!(states, [LinkState::Released { gone: Side::Crm }, earlier]);
        assert_eq!(link::all(tx, Class::Contact)?[0].state, LinkState::Active);
        Ok(())
    });
}

#[test]
fn decisions_are_counted_by_outcome_and_rule() {
    in_a_store(|tx, round| {
        let decision = |id: &str, outcome, rule: &str| Decision {
            class: Class::Email,
            item: item(id),
            outcome,
            rule: rule.into(),
            looked: "--t".into(),
            parent: None,
            names: Vec::new(),
            round,
            at: at(5),
        };
        let tracked = decision("1", decision::Outcome::Tracked, "replies");
        decision::upsert(
            tx,
            &[
                decision("1", decision::Outcome::Pending, ""),
                tracked.clone(),
                decision("2", decision::Outcome::Skipped, "junk"),
                decision("3", decision::Outcome::Skipped, "junk"),
                decision("4", decision::Outcome::Failed, "unreadable"),
            ],
        )?;
        assert_eq!(decision::get(tx, Class::Email, &item("1"))?, Some(tracked.clone()));
        assert_eq!(decision::get(tx, Class::Task, &item("1"))?, None);
        decision::remove(tx, Class::Email, &[item("4")])?;
        let all = decision::all(tx, Class::Email)?;
        assert_eq!(all.keys().cloned().collect::<Vec<_>>(), ["1", "2", "3"].map(item));
        assert_eq!(all[&item("1")], tracked);
        Ok(())
    });
}

#[test]
fn quarantine_counts_the_attempts_of_one_version() {
    in_a_store(|tx, _| {
        let failure = |version: &str| Failure {
            side: Side::Crm,
            class: Class::Task,
            id: item("task/a"),
            version: Version::new(version),
            reason: "subject too long".into(),
            hint: None,
        };
        quarantine::put(tx, &failure("1"), at(1), |_| None)?;
        quarantine::put(tx, &failure("1"), at(2), |_| None)?;
        let stored = quarantine::get(tx, Side::Crm, Class::Task, &item("task/a"))?.unwrap();
        assert_eq!((stored.attempts, stored.since, stored.hint), (2, at(1), None));
        let other = Failure { hint: Some("shorten it".into()), ..failure("2") };
        quarantine::put(tx, &other, at(3), |_| None)?;
        let stored = &quarantine::all(tx, Side::Crm, Class::Task)?[0];
        assert_eq!((stored.attempts, stored.since), (1, at(3)));
        assert_eq!(stored.version, Version::new("2"));
        assert_eq!(stored.hint.as_deref(), Some("shorten it"));
        assert!(quarantine::all(tx, Side::Mailbox, Class::Task)?.is_empty());
        // One that is tried again by itself.
        let pause = |attempts| Some(Duration::from_secs(u64::from(attempts)));
        quarantine::put(tx, &failure("2"), at(4), pause)?;
        assert_eq!(quarantine::all(tx, Side::Crm, Class::Task)?[0].due, Some(at(6)));
        quarantine::remove_due(tx, Class::Task, at(5))?;
        quarantine::remove_due(tx, Class::Contact, at(6))?;
        assert_eq!(quarantine::all(tx, Side::Crm, Class::Task)?.len(), 1);
        quarantine::put(tx, &failure("2"), at(5), |_| None)?;
        assert_eq!(quarantine::all(tx, Side::Crm, Class::Task)?[0].due, None);
        quarantine::put(tx, &failure("3"), at(5), pause)?;
        quarantine::remove_due(tx, Class::Task, at(6))?;
        assert!(quarantine::all(tx, Side::Crm, Class::Task)?.is_empty());
        quarantine::put(tx, &failure("3"), at(5), |_| None)?;
        quarantine::remove_due(tx, Class::Task, at(99))?;
        quarantine::remove(tx, Side::Crm, Class::Task, &[item("task/a")])?;
        assert!(quarantine::all(tx, Side::Crm, Class::Task)?.is_empty());
        Ok(())
    });
}

#[test]
fn a_cursor_moves_with_what_it_covers_or_not_at_all() {
    let store = Store::in_memory().unwrap();
    let cursor = |token: &str| Cursor {
        side: Side::Mailbox,
        class: Class::Task,
        collection: "INBOX".into(),
        token: token.into(),
        taken_at: at(1),
    };
    store.write_blocking(|tx| cursor::set(tx, &cursor("1"))).unwrap();
    store
        .write_blocking(|tx| {
            cursor::set(tx, &cursor("2"))?;
            round::finish(tx, RoundId(99), &serde_json::Value::Null, at(1))
        })
        .unwrap_err();
    store
        .write_blocking(|tx| {
            assert_eq!(cursor::all(tx, Side::Mailbox, Class::Task)?, [cursor("1")]);
            cursor::set(tx, &cursor("3"))?;
            assert_eq!(cursor::all(tx, Side::Mailbox, Class::Task)?, [cursor("3")]);
            assert!(cursor::all(tx, Side::Crm, Class::Task)?.is_empty());
            cursor::clear(tx, Side::Mailbox, Class::Task)?;
            assert!(cursor::all(tx, Side::Mailbox, Class::Task)?.is_empty());
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_word_of_the_person_unsettles() {
    let store = Store::in_memory().unwrap();
    let done = Settled { settings: "digest".into(), listed: 7, linked: 3, released: 1 };
    let settle = done.clone();
    store.write_blocking(move |tx| settled::set(tx, Class::Email, &settle)).unwrap();
    assert_eq!(store.read_blocking(|db| settled::get(db, Class::Email)).unwrap(), Some(done));
    assert_eq!(store.read_blocking(|db| settled::get(db, Class::Task)).unwrap(), None);
    store.write_blocking(|tx| mark::set(tx, Class::Contact, &Uid::new("a"), true, at(1))).unwrap();
    assert_eq!(store.read_blocking(|db| settled::get(db, Class::Email)).unwrap(), None);
}

#[test]
fn a_choice_for_an_address_lasts_as_long_as_it_is_one() {
    let store = Store::in_memory().unwrap();
    let address = Address::parse("info@x.example").unwrap();
    let candidate = |number: u128, name: &str| Candidate {
        party: PartyRef { table: "contact".to_owned(), guid: uuid::Uuid::from_u128(number) },
        name: name.to_owned(),
    };
    let (one, two, three) = (candidate(1, "One"), candidate(2, "Two"), candidate(3, "Three"));
    let record = item("email/1");
    let done = Settled { settings: "digest".into(), listed: 7, linked: 3, released: 1 };
    store
        .write_blocking(|tx| {
            let missing = person::choose(tx, &address, &Choice::Nobody).unwrap_err();
            assert_eq!(missing.kind, ErrorKind::Missing);
            person::several(tx, &address, &[two.clone(), one.clone()], at(1))?;
            person::wait(tx, &address, &record)?;
            person::wait(tx, &address, &record)?;
            let [doubt] = person::all(tx)?.try_into().unwrap();
            assert_eq!((doubt.candidates, doubt.waiting), (vec![one.clone(), two.clone()], 1));
            assert_eq!((person::open(tx)?, doubt.choice), (1, None));
            settled::set(tx, Class::Email, &done)?;
            person::choose(tx, &address, &Choice::Record(two.party.clone()))?;
            assert_eq!(settled::get(tx, Class::Email)?, None, "a choice unsettles");
            let [left] = person::assignments(tx)?.try_into().unwrap();
            assert_eq!((left.party, left.records), (two.party.clone(), vec![record.clone()]));
            person::refused(tx, &address, &record, "no")?;
            assert!(person::assignments(tx)?.is_empty(), "what was refused is not tried for ever");
            person::choose(tx, &address, &Choice::Record(two.party.clone()))?;
            assert_eq!(person::assignments(tx)?.len(), 1);
            person::done(tx, &address, &record)?;
            assert_eq!(person::all(tx)?[0].waiting, 0);

            person::several(tx, &address, &[two.clone(), three.clone()], at(2))?;
            let kept = person::choices(tx)?.remove(&address).flatten();
            assert_eq!(kept, Some(Choice::Record(two.party.clone())));
            person::several(tx, &address, &[one.clone(), three.clone()], at(3))?;
            assert_eq!(person::choices(tx)?[&address], None);
            person::choose(tx, &address, &Choice::Nobody)?;
            person::several(tx, &address, &[two.clone(), three.clone()], at(4))?;
            assert_eq!(person::choices(tx)?[&address], Some(Choice::Nobody));
            assert_eq!(person::open(tx)?, 0);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_row_that_cannot_be_read_is_damage_with_a_name() {
    let store = Store::in_memory().unwrap();
    for (field, broken) in [("fields", "{\"subject\": [1]}"), ("traits", "{\"categories\": 1}")] {
        let error = store
            .write_blocking(|tx| {
                observation::upsert(tx, RoundId(1), &[seen("a", "1", "text")])?;
                tx.execute(&format!("UPDATE observation SET {field} = ?1"), [broken])?;
                observation::contents(tx, Side::Mailbox, Class::Task, &[item("a")])
            })
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Corrupt);
        assert!(error.hint().is_some());
    }
}
