//! What is done and what waits: the journal, holds and approvals, conflicts.

use std::collections::BTreeSet;

use super::{at, fields, in_a_store, item, text};
use crate::model::{Class, Field, Fields, LinkId, Patch, Side, Uid, Version};
use crate::store::conflict::{Dispute, Finding};
use crate::store::hold::{Held, HoldId, Operations};
use crate::store::journal::{Action, Answer, EntryId, Intent, Outcome};
use crate::store::round::RoundId;
use crate::store::{ErrorKind, Result, conflict, hold, journal, kept, round};

fn intent(key: &str) -> Intent {
    Intent {
        class: Class::Task,
        link: Some(LinkId(4)),
        item: Some(item("a.ics")),
        record: Some(item("task/a")),
        uid: Some(Uid::new("a")),
        side: Side::Crm,
        action: Action::Update,
        why: "changed in the mailbox".into(),
        before: Some(fields("before")),
        patch: Patch::from([
            (Field::of("subject"), Some(text("after"))),
            (Field::of("location"), None),
        ]),
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
    let dispute =
        Dispute::Field { field: Field::of(field), mailbox: Some(text(mailbox)), crm: None };
    Finding { link: LinkId(1), dispute, winner }
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
fn debug_shows_no_content() {
    let shown = format!("{:?} {:?}", held("key", "1"), intent("key"));
    assert!(!shown.contains("delete the task") && !shown.contains("before\""), "{shown}");
}

/// A service begins some hundred rounds a day, for years.
#[test]
fn old_rounds_that_led_to_nothing_are_forgotten_and_others_are_not() {
    in_a_store(|tx, first| {
        let now = at(1);
        let written = round::start(tx, "timer", now)?;
        hold::hold(tx, Class::Task, "many deletes", &[held("a", "1")], written, now)?;
        for _ in 0..2000 {
            round::start(tx, "timer", now)?;
        }
        assert!(round::get(tx, first)?.is_none());
        assert!(round::get(tx, written)?.is_some());
        let mut seen = Vec::new();
        round::backwards(tx, 9, |round| {
            seen.push(round.id);
            seen.len() < 3
        })?;
        assert_eq!(seen.len(), 3);
        assert!(seen.is_sorted_by(|one, two| one > two));
        Ok(())
    });
}

#[test]
fn what_was_written_half_a_year_ago_is_forgotten_but_not_what_is_open_or_contested() {
    const HALF_A_YEAR: i64 = 183 * 24 * 60 * 60;
    in_a_store(|tx, first| {
        let write = |round, key, outcome: Option<Outcome>| -> Result<EntryId> {
            let entry = journal::intend(tx, round, at(10), &[intent(key)])?.remove(0);
            if let Some(outcome) = outcome {
                journal::finish(tx, entry, &answer(outcome), at(10))?;
            }
            Ok(entry)
        };
        let (open, contested) =
            (round::start(tx, "timer", at(10))?, round::start(tx, "timer", at(10))?);
        let deleted = write(first, "a", Some(Outcome::Done))?;
        kept::put(tx, deleted, b"its body")?;
        write(first, "b", Some(Outcome::Refused))?;
        write(open, "c", None)?;
        write(contested, "d", Some(Outcome::Done))?;
        conflict::upsert(tx, &finding("subject", "one", Some(Side::Crm)), contested, at(10))?;
        let entries = |round| journal::of_round(tx, round).map(|entries| entries.len());
        for _ in 0..2000 {
            round::start(tx, "timer", at(HALF_A_YEAR + 10))?;
        }
        assert_eq!((entries(first)?, entries(open)?, entries(contested)?), (2, 1, 1));
        assert!(kept::get(tx, deleted)?.is_some());

        round::start(tx, "timer", at(HALF_A_YEAR + 11))?;
        assert_eq!((entries(first)?, entries(open)?, entries(contested)?), (0, 1, 0));
        assert!(kept::get(tx, deleted)?.is_none());
        let is_there = |id| round::get(tx, id).map(|round| round.is_some());
        assert_eq!((is_there(first)?, is_there(open)?, is_there(contested)?), (false, true, true));
        assert_eq!(conflict::all(tx)?.len(), 1);
        assert_eq!(journal::unknown(tx)?.len(), 1);
        Ok(())
    });
}
