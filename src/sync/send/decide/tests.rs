//! The table, whole.

use std::collections::BTreeSet;

use super::*;
use crate::model::{Address, ItemId, Uid};
use crate::store::outgoing::MailId;

const STAGES: [Stage; 5] =
    [Stage::Pending, Stage::Sending, Stage::Sent, Stage::Withdrawn, Stage::Gone];
const FOUND: [Found; 3] = [Found::Unasked, Found::Nowhere, Found::There];
const STATES: [State; 5] =
    [State::Ready, State::Sending, State::Unknown, State::Sent, State::Refused];

fn mail(state: State, copied: bool, told: bool) -> Mail {
    Mail {
        id: MailId(1),
        record: ItemId::new("email/x"),
        uid: Uid::new("x@y"),
        title: String::new(),
        sender: Address::parse("a@x").unwrap(),
        recipients: Vec::new(),
        size: 1,
        state,
        reason: String::new(),
        attempts: 0,
        failures: 0,
        due: Timestamp::UNIX_EPOCH,
        copied,
        told,
        since: Timestamp::UNIX_EPOCH,
        changed: Timestamp::UNIX_EPOCH,
    }
}

fn step(stored: Option<&Mail>, stage: Stage, found: Found, fresh: bool) -> Step {
    let (unfiled, now) = (false, Timestamp::UNIX_EPOCH);
    decide(Facts { stored, stage, found, fresh, unfiled, tenure: None, now })
}

/// Everything that can be known.
fn all(mut see: impl FnMut(Option<&Mail>, Stage, Found, bool, Step)) {
    let flags = [false, true];
    for stage in STAGES {
        for found in FOUND {
            for fresh in flags {
                see(None, stage, found, fresh, step(None, stage, found, fresh));
                for state in STATES {
                    for (copied, told) in flags.iter().flat_map(|a| flags.map(|b| (*a, b))) {
                        let mail = mail(state, copied, told);
                        let step = step(Some(&mail), stage, found, fresh);
                        see(Some(&mail), stage, found, fresh, step);
                    }
                }
            }
        }
    }
}

#[test]
fn only_what_certainly_did_not_leave_is_handed_in() {
    let mut times = 0;
    all(|stored, stage, found, _, step| {
        if step == Step::Submit {
            times += 1;
            assert_eq!(stored.map(|mail| mail.state), Some(State::Ready));
            assert_eq!((stage, found), (Stage::Sending, Found::Nowhere));
        }
        // Nor is it brought into a state from which it could be.
        if matches!(step, Step::Freeze | Step::Take | Step::Withdraw) {
            let state = stored.map(|mail| mail.state);
            assert!(matches!(state, None | Some(State::Ready | State::Refused)), "{state:?}");
            assert_ne!(found, Found::There);
        }
    });
    assert!(times > 0);
}

#[test]
fn what_another_computer_may_have_sent_meanwhile_is_asked_about() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let ready = Mail { changed: at(5), ..mail(State::Ready, false, false) };
    for (since, expected) in [(4, Step::Submit), (5, Step::Submit), (6, Step::Ask)] {
        let facts = Facts {
            stored: Some(&ready),
            stage: Stage::Sending,
            found: Found::Nowhere,
            fresh: false,
            unfiled: false,
            tenure: Some(at(since)),
            now: at(9),
        };
        assert_eq!(decide(facts), expected, "{since}");
    }
}

#[test]
fn whatever_is_in_the_mailbox_was_sent() {
    all(|stored, stage, found, _, step| {
        let open = stored.is_none_or(|mail| {
            matches!(mail.state, State::Ready | State::Sending | State::Unknown)
        });
        if open && found == Found::There && matches!(stage, Stage::Pending | Stage::Sending) {
            assert_eq!(step, Step::Believe, "{stored:?} {stage:?}");
        }
    });
}

#[test]
fn nothing_is_concluded_from_not_having_looked() {
    all(|stored, stage, found, _, step| {
        let named = stage == Stage::Sending;
        if found == Found::Unasked && must_look(stored, stage, named) && stage != Stage::Sent {
            let harmless = [Step::Nothing, Step::Withdraw];
            assert!(harmless.contains(&step), "{stored:?} {stage:?} {step:?}");
        }
    });
}

#[test]
fn each_step_is_taken_somewhere_and_what_is_over_rests() {
    let mut seen = BTreeSet::new();
    all(|stored, stage, _, _, step| {
        seen.insert(format!("{step:?}"));
        let over = stored.is_some_and(Mail::is_over);
        if over && matches!(stage, Stage::Sent | Stage::Withdrawn | Stage::Gone) {
            let state = stored.map(|mail| mail.state);
            let settled = matches!(state, Some(State::Sent | State::Refused));
            assert!(!settled || step == Step::Nothing, "{stored:?} {stage:?} {step:?}");
        }
    });
    assert_eq!(seen.len(), 10, "{seen:?}");
}

#[test]
fn the_ways_of_a_mail() {
    use Found::{Nowhere, There, Unasked};
    use Stage::{Gone, Pending, Sending, Sent, Withdrawn};
    let (ready, sending) = (mail(State::Ready, false, false), mail(State::Sending, false, false));
    let (sent, refused) = (mail(State::Sent, false, false), mail(State::Refused, false, false));
    let unknown = mail(State::Unknown, false, false);
    let copied = mail(State::Sent, true, false);
    let over = mail(State::Sent, true, true);
    let failed = mail(State::Refused, true, true);
    let nameless = Mail { size: 0, ..ready.clone() };
    let later = Mail { due: Timestamp::MAX, ..ready.clone() };
    for (stored, stage, found, fresh, expected) in [
        (None, Pending, Nowhere, false, Step::Freeze),
        (Some(&ready), Pending, Unasked, false, Step::Freeze),
        (Some(&ready), Pending, Unasked, true, Step::Take),
        (Some(&ready), Sending, Nowhere, true, Step::Submit),
        (Some(&later), Sending, Nowhere, true, Step::Nothing),
        (Some(&nameless), Sending, Nowhere, false, Step::Freeze),
        (Some(&ready), Withdrawn, Unasked, false, Step::Withdraw),
        (Some(&sending), Sending, Nowhere, false, Step::Ask),
        (Some(&sending), Gone, Nowhere, false, Step::Ask),
        (Some(&unknown), Sending, Nowhere, false, Step::Nothing),
        (Some(&unknown), Pending, Nowhere, false, Step::Nothing),
        (Some(&unknown), Sent, Nowhere, false, Step::Believe),
        (Some(&unknown), Sending, There, false, Step::Believe),
        (Some(&sent), Sending, Unasked, false, Step::Copy),
        (Some(&copied), Sending, Unasked, false, Step::Tell),
        (Some(&copied), Withdrawn, Unasked, false, Step::Tell),
        (Some(&copied), Sent, Unasked, false, Step::Close),
        (Some(&copied), Gone, Unasked, false, Step::Close),
        (Some(&over), Pending, Unasked, false, Step::Tell),
        (Some(&over), Sent, Unasked, false, Step::Nothing),
        (Some(&refused), Sending, Unasked, false, Step::Tell),
        (Some(&refused), Withdrawn, Unasked, false, Step::Close),
        (Some(&failed), Pending, Unasked, false, Step::Freeze),
        (Some(&failed), Withdrawn, Unasked, false, Step::Nothing),
        (None, Sending, Nowhere, false, Step::Ask),
        (None, Sending, There, false, Step::Believe),
        (None, Sending, Unasked, false, Step::Nothing),
    ] {
        assert_eq!(step(stored, stage, found, fresh), expected, "{stored:?} {stage:?} {found:?}");
    }
}
