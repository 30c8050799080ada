//! Each table: what is written is read back, keys are unique, and the rules that the modules promise hold.

use std::collections::{BTreeMap, BTreeSet};

use super::at;
use crate::model::{
    Bases, Class, Content, Field, Fields, ItemId, Link, LinkId, LinkState, Patch, Side, Traits,
    Uid, Value, Version,
};
use crate::store::conflict::{Dispute, Finding};
use crate::store::cursor::Cursor;
use crate::store::decision::Decision;
use crate::store::hold::{Held, HoldId, Operations};
use crate::store::journal::{Action, Answer, Intent, Outcome};
use crate::store::observation::Observation;
use crate::store::quarantine::Failure;
use crate::store::round::RoundId;
use crate::store::{
    ErrorKind, Result, Store, Transaction, conflict, cursor, decision, hold, journal, link, meta,
    observation, quarantine, round,
};

/// Runs in one transaction of a new store that has one round.
fn in_a_store(work: impl FnOnce(&Transaction<'_>, RoundId) -> Result<()>) {
    let store = Store::in_memory().unwrap();
    store
        .write_blocking(|tx| {
            let round = round::start(tx, "test", at(0))?;
            work(tx, round)
        })
        .unwrap();
}

fn text(text: &str) -> Option<Value> {
    Some(Value::Text(text.into()))
}

fn fields(subject: &str) -> Fields {
    Fields::from([(Field::of("subject"), Value::Text(subject.into()))])
}

fn item(id: &str) -> ItemId {
    ItemId::new(id)
}

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

fn intent(key: &str) -> Intent {
    Intent {
        class: Class::Task,
        link: Some(LinkId(4)),
        item: Some(item("a.ics")),
        record: Some(item("task/a")),
        side: Side::Crm,
        action: Action::Update,
        why: "changed in the mailbox".into(),
        before: Some(fields("before")),
        patch: Patch::from([(Field::of("subject"), text("after")), (Field::of("location"), None)]),
        expect: Some(Version::new("W/\"1\"")),
        key: key.into(),
    }
}

fn answer(outcome: Outcome) -> Answer {
    Answer { outcome, id: None, after: None, version: None, error: None }
}

fn held(key: &str, digest: &str) -> Held {
    Held {
        key: key.into(),
        subject: format!("subject of {key}"),
        text: "delete the task".into(),
        digest: digest.into(),
    }
}

fn keys(operations: &[(&str, &str)]) -> Operations {
    operations.iter().map(|(key, digest)| ((*key).to_owned(), (*digest).to_owned())).collect()
}

fn finding(field: &'static str, mailbox: &str, winner: Option<Side>) -> Finding {
    let dispute = Dispute::Field { field: Field::of(field), mailbox: text(mailbox), crm: None };
    Finding { link: LinkId(1), dispute, winner }
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
        assert_eq!(
            decision::counts(tx, Class::Email)?,
            BTreeMap::from([
                ((decision::Outcome::Tracked, "replies".to_owned()), 1),
                ((decision::Outcome::Skipped, "junk".to_owned()), 2),
            ])
        );
        let all = decision::all(tx, Class::Email)?;
        assert_eq!((all.len(), &all[&item("1")]), (3, &tracked));
        Ok(())
    });
}

#[test]
fn a_journal_row_tells_the_whole_story() {
    in_a_store(|tx, round| {
        let ids = journal::intend(tx, round, at(1), &[intent("k1"), intent("k2")])?;
        let open = journal::unknown(tx)?;
        assert_eq!(open.iter().map(|entry| entry.id).collect::<Vec<_>>(), ids);
        assert_eq!(open[0].intent, intent("k1"));
        assert_eq!((open[0].round, open[0].outcome, open[0].at), (round, Outcome::Intended, at(1)));

        let done = Answer {
            outcome: Outcome::Done,
            id: Some(item("task/other")),
            after: Some(fields("after")),
            version: Some(Version::new("W/\"2\"")),
            error: None,
        };
        journal::finish(tx, ids[0], &done, at(2))?;
        let entry = &journal::of_round(tx, round)?[0];
        assert_eq!(entry.intent.record, Some(item("task/other")));
        assert_eq!(entry.intent.item, Some(item("a.ics")));
        assert_eq!((entry.outcome, &entry.after), (Outcome::Done, &done.after));
        assert_eq!((&entry.version, entry.at), (&done.version, at(2)));
        assert_eq!(journal::of(tx, Class::Task, Side::Mailbox, &item("a.ics"))?.len(), 2);
        assert_eq!(journal::of(tx, Class::Task, Side::Crm, &item("task/other"))?.len(), 1);
        assert!(journal::of(tx, Class::Email, Side::Mailbox, &item("a.ics"))?.is_empty());
        Ok(())
    });
}

#[test]
fn an_outcome_is_final_and_unknown_is_none() {
    in_a_store(|tx, round| {
        let id = journal::intend(tx, round, at(1), &[intent("k")])?[0];
        let unknown = Answer { error: Some("time-out".into()), ..answer(Outcome::Unknown) };
        journal::finish(tx, id, &unknown, at(2))?;
        let open = journal::unknown(tx)?;
        assert_eq!((open.len(), open[0].error.as_deref()), (1, Some("time-out")));
        journal::finish(tx, id, &answer(Outcome::Done), at(3))?;
        assert!(journal::unknown(tx)?.is_empty());
        for late in [Outcome::Refused, Outcome::Done] {
            let error = journal::finish(tx, id, &answer(late), at(4)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Missing);
        }
        assert_eq!(journal::of_round(tx, round)?[0].outcome, Outcome::Done);
        Ok(())
    });
}

#[test]
fn attempts_are_counted_until_one_succeeds() {
    in_a_store(|tx, round| {
        let mut attempts = Vec::new();
        for outcome in [Outcome::Refused, Outcome::Unknown, Outcome::Done, Outcome::Refused] {
            let id = journal::intend(tx, round, at(1), &[intent("k"), intent("other")])?[0];
            attempts.push(journal::of_round(tx, round)?.iter().rev().nth(1).unwrap().attempts);
            journal::finish(tx, id, &answer(outcome), at(2))?;
        }
        assert_eq!(attempts, [1, 2, 3, 1]);
        Ok(())
    });
}

#[test]
fn a_journal_row_needs_its_round() {
    in_a_store(|tx, _| {
        let error = journal::intend(tx, RoundId(99), at(1), &[intent("k")]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Sql);
        Ok(())
    });
}

#[test]
fn a_hold_never_grows() {
    in_a_store(|tx, round| {
        let hold = |operations: &[Held]| {
            hold::hold(tx, Class::Task, "many deletes", operations, round, at(1))
        };
        let first = hold(&[held("a", "1"), held("b", "1")])?.unwrap();
        assert_eq!(hold(&[held("a", "1"), held("b", "1")])?, None, "they are held already");
        // One that is planned differently by now leaves the hold in which it was shown as it was.
        let second = hold(&[held("a", "1"), held("b", "2"), held("c", "1")])?.unwrap();
        let open = hold::open_holds(tx)?;
        assert_eq!(open.len(), 2);
        assert_eq!((open[0].id, &open[0].held), (first, &vec![held("a", "1")]));
        assert_eq!((open[1].id, &open[1].held), (second, &vec![held("b", "2"), held("c", "1")]));
        assert_eq!((open[0].reason.as_str(), open[0].round), ("many deletes", round));
        let subjects = ["a", "b", "c"].map(|key| format!("subject of {key}"));
        assert_eq!(hold::held_subjects(tx, Class::Task)?, BTreeSet::from(subjects));
        assert!(hold::held_subjects(tx, Class::Email)?.is_empty());
        // When nothing is left in a hold it is gone.
        hold(&[held("a", "2")])?;
        assert_eq!(hold::open_holds(tx)?[0].id, second);
        Ok(())
    });
}

#[test]
fn an_approval_names_exactly_what_was_held() {
    in_a_store(|tx, round| {
        let operations = [held("a", "1"), held("b", "1")];
        let id = hold::hold(tx, Class::Task, "first sync", &operations, round, at(1))?.unwrap();
        assert!(hold::approved_keys(tx, Class::Task)?.is_empty(), "waiting is not approval");
        assert_eq!(hold::approve(tx, id, at(2))?, 2);
        assert!(hold::open_holds(tx)?.is_empty());
        assert_eq!(hold::approved_keys(tx, Class::Task)?, keys(&[("a", "1"), ("b", "1")]));
        assert!(hold::approved_keys(tx, Class::Email)?.is_empty());
        assert_eq!(hold::approve(tx, id, at(3)).unwrap_err().kind, ErrorKind::Missing);
        assert_eq!(hold::approve(tx, HoldId(99), at(3)).unwrap_err().kind, ErrorKind::Missing);
        hold::consume(tx, Class::Task, &["a".to_owned()])?;
        assert_eq!(hold::approved_keys(tx, Class::Task)?, keys(&[("b", "1")]));
        Ok(())
    });
}

#[test]
fn what_is_not_planned_any_more_is_neither_held_nor_approved() {
    in_a_store(|tx, round| {
        let hold = |class, operations: &[Held]| {
            hold::hold(tx, class, "many deletes", operations, round, at(1))
        };
        let approved = hold(Class::Task, &[held("a", "1"), held("b", "1"), held("c", "1")])?;
        hold::approve(tx, approved.unwrap(), at(2))?;
        hold(Class::Task, &[held("d", "1"), held("e", "1")])?;
        hold(Class::Task, &[held("f", "1")])?;
        hold(Class::Contact, &[held("d", "1")])?;
        // `b` and `e` are planned differently by now, `c` and `f` not at all.
        let planned = keys(&[("a", "1"), ("b", "2"), ("d", "1"), ("e", "2")]);
        hold::clear_obsolete(tx, Class::Task, &planned)?;
        assert_eq!(hold::approved_keys(tx, Class::Task)?, keys(&[("a", "1")]));
        let open = hold::open_holds(tx)?;
        let left: Vec<_> =
            open.iter().map(|hold| (hold.class, hold.held[0].key.as_str())).collect();
        assert_eq!(left, [(Class::Task, "d"), (Class::Contact, "d")]);
        Ok(())
    });
}

#[test]
fn an_open_conflict_takes_new_values_and_keeps_its_number() {
    in_a_store(|tx, round| {
        let id = conflict::upsert(tx, &finding("subject", "one", None), round, at(1))?;
        let other = conflict::upsert(tx, &finding("location", "here", None), round, at(1))?;
        assert_eq!(conflict::upsert(tx, &finding("subject", "two", None), round, at(2))?, id);
        let open = conflict::open(tx)?;
        assert_eq!(open.iter().map(|open| open.id).collect::<Vec<_>>(), [id, other]);
        assert_eq!(open[0].dispute, finding("subject", "two", None).dispute);
        assert_eq!((open[0].created, open[0].winner, open[0].settled), (at(1), None, None));
        Ok(())
    });
}

#[test]
fn a_choice_is_for_the_values_that_were_shown() {
    in_a_store(|tx, round| {
        let id = conflict::upsert(tx, &finding("subject", "one", None), round, at(1))?;
        conflict::choose(tx, id, Side::Mailbox)?;
        conflict::upsert(tx, &finding("subject", "one", None), round, at(2))?;
        assert_eq!(conflict::choices(tx)?[0].choice, Some(Side::Mailbox));
        conflict::upsert(tx, &finding("subject", "two", None), round, at(3))?;
        assert!(conflict::choices(tx)?.is_empty());
        Ok(())
    });
}

#[test]
fn a_settled_conflict_keeps_both_values_and_can_be_flipped() {
    in_a_store(|tx, round| {
        let settled = finding("subject", "lost", Some(Side::Crm));
        let id = conflict::upsert(tx, &settled, round, at(1))?;
        assert!(conflict::open(tx)?.is_empty());
        let again = conflict::upsert(tx, &settled, round, at(2))?;
        assert_ne!(id, again, "another collision is another entry of the history");
        conflict::choose(tx, id, Side::Mailbox)?;
        let waiting = conflict::choices(tx)?;
        assert_eq!((waiting.len(), waiting[0].id), (1, id));
        assert_eq!(waiting[0].dispute, settled.dispute);
        conflict::close(tx, id, Some(Side::Mailbox), at(3))?;
        let closed = conflict::get(tx, id)?.unwrap();
        assert_eq!((closed.winner, closed.choice), (Some(Side::Mailbox), None));
        assert_eq!(closed.settled, Some(at(3)));
        assert_eq!(conflict::of(tx, LinkId(1))?.len(), 2);
        for result in [
            conflict::choose(tx, conflict::ConflictId(9), Side::Crm),
            conflict::close(tx, conflict::ConflictId(9), None, at(4)),
        ] {
            assert_eq!(result.unwrap_err().kind, ErrorKind::Missing);
        }
        Ok(())
    });
}

#[test]
fn a_conflict_about_existence_keeps_what_changed() {
    in_a_store(|tx, round| {
        for (link, deleted, kept) in [
            (LinkId(1), Side::Mailbox, fields("changed")),
            (LinkId(2), Side::Crm, fields("changed")),
            (LinkId(3), Side::Crm, Fields::new()),
            (LinkId(4), Side::Mailbox, Fields::new()),
        ] {
            let dispute = Dispute::Existence { deleted, kept };
            let finding = Finding { link, dispute: dispute.clone(), winner: None };
            let id = conflict::upsert(tx, &finding, round, at(1))?;
            assert_eq!(conflict::get(tx, id)?.unwrap().dispute, dispute);
        }
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
        quarantine::put(tx, &failure("1"), at(1))?;
        quarantine::put(tx, &failure("1"), at(2))?;
        let stored = quarantine::get(tx, Side::Crm, Class::Task, &item("task/a"))?.unwrap();
        assert_eq!((stored.attempts, stored.since, stored.hint), (2, at(1), None));
        let other = Failure { hint: Some("shorten it".into()), ..failure("2") };
        quarantine::put(tx, &other, at(3))?;
        let stored = &quarantine::all(tx, Side::Crm, Class::Task)?[0];
        assert_eq!((stored.attempts, stored.since), (1, at(3)));
        assert_eq!(stored.version, Version::new("2"));
        assert_eq!(stored.hint.as_deref(), Some("shorten it"));
        assert!(quarantine::all(tx, Side::Mailbox, Class::Task)?.is_empty());
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
            journal::intend(tx, RoundId(99), at(1), &[intent("k")])
        })
        .unwrap_err();
    store
        .write_blocking(|tx| {
            let stored = cursor::get(tx, Side::Mailbox, Class::Task, "INBOX")?;
            assert_eq!(stored, Some(cursor("1")));
            cursor::set(tx, &cursor("3"))?;
            assert_eq!(cursor::all(tx, Side::Mailbox, Class::Task)?, [cursor("3")]);
            assert!(cursor::all(tx, Side::Crm, Class::Task)?.is_empty());
            cursor::remove(tx, Side::Mailbox, Class::Task, "INBOX")?;
            assert_eq!(cursor::get(tx, Side::Mailbox, Class::Task, "INBOX")?, None);
            Ok(())
        })
        .unwrap();
}

#[test]
fn debug_shows_no_content() {
    let shown = format!("{:?} {:?}", held("key", "1"), intent("key"));
    assert!(!shown.contains("delete the task") && !shown.contains("before\""), "{shown}");
}
