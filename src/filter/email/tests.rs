use proptest::prelude::*;

use super::Automatic::{All, EmailEnabled, KnownSenders, None as Nothing, Replies};
use super::*;
use crate::filter::folder::Folder;
use crate::model::{Fields, People, Person, Table, Traits, Uid};

fn message(marks: &[&str], references: &[&str], from: &str) -> Content {
    let traits = Traits {
        marks: marks.iter().map(|&mark| mark.to_owned()).collect(),
        references: references.iter().map(|&uid| Uid::new(uid)).collect(),
        ..Traits::default()
    };
    let people = Address::parse(from).map(|address| Person { name: String::new(), address });
    let from = people.map(|person| (Field::of("from"), Value::People(People::from_iter([person]))));
    Content { uid: Uid::new("m"), fields: from.into_iter().collect::<Fields>(), traits }
}

fn judge(message: &Content, mark: Option<Mark>, folder: &str, policy: &Policy) -> Verdict {
    let record = RecordId::new(Table::Email, uuid::Uuid::from_u128(1));
    let filed = Filed { record, regarding: None };
    let known = Known {
        filed: BTreeMap::from([(Clue::Name(Uid::new("<tracked@example.org>")), filed)]),
        people: Address::parse("anna@example.org").into_iter().collect(),
        enabled: Address::parse("support@example.org").into_iter().collect(),
        similar: Vec::new(),
    };
    let me = Address::parse("me@example.org").into_iter().collect();
    decide(message, mark, Surroundings { folder, me: &me, known: &known }, policy)
}

#[test]
fn the_first_rule_that_matches_decides() {
    let answer = ["<other@example.org>", "<tracked@example.org>"].as_slice();
    let (anna, carl) = ("ANNA@example.org", "carl@example.org");
    // own mark, marks, folder, references, from, automatic → tracked, rule
    let table = [
        (
            Some(Mark::Tracked),
            ["\\Draft"].as_slice(),
            "",
            [].as_slice(),
            carl,
            Nothing,
            true,
            "you track it",
        ),
        (Some(Mark::Untracked), &["$CrmTracked"], "", answer, anna, All, false, "you untracked it"),
        (None, &["$crmtracked"], "Junk", &[], carl, Nothing, true, "keyword `$CrmTracked`"),
        (None, &["\\draft"], "", answer, anna, All, false, "drafts stay out"),
        (None, &[], "INBOX.Drafts", answer, anna, All, false, "drafts stay out"),
        (None, &["Junk"], "", answer, anna, All, false, "junk stays out"),
        (None, &[], "Archive/Spam", answer, anna, All, false, "junk stays out"),
        (None, &[], "Trash", &[], anna, All, false, "what is in the bin stays out"),
        (
            None,
            &["\\Seen"],
            "",
            answer,
            carl,
            Replies,
            true,
            "it answers a message that is tracked",
        ),
        (None, &[], "Sent", answer, anna, All, true, "it answers a message that is tracked"),
        (None, &[], "", answer, anna, Nothing, false, "no rule tracks it"),
        (None, &[], "", &["<other@example.org>"], anna, Replies, false, "no rule tracks it"),
        (None, &[], "", &[], anna, KnownSenders, true, "the CRM knows the sender"),
        (None, &[], "", &[], carl, KnownSenders, false, "no rule tracks it"),
        (None, &[], "", &[], "", KnownSenders, false, "no rule tracks it"),
        (None, &[], "", &[], "support@example.org", KnownSenders, false, "no rule tracks it"),
        (
            None,
            &[],
            "",
            &[],
            "support@example.org",
            EmailEnabled,
            true,
            "its sender has an address in the CRM",
        ),
        (None, &[], "", &[], carl, All, true, "every email is tracked"),
    ];
    for (mark, marks, folder, references, from, automatic, tracked, rule) in table {
        let policy = Policy { automatic, ..Policy::default() };
        let verdict = judge(&message(marks, references, from), mark, folder, &policy);
        assert_eq!(verdict.decision, Decision { tracked, rule: rule.to_owned() }, "{marks:?}");
    }
}

#[test]
fn private_messages_stay_out_unless_included() {
    let mut private = message(&[], &["<tracked@example.org>"], "");
    private.traits.private = true;
    let policy = Policy::default();
    assert_eq!(judge(&private, None, "", &policy).decision.rule, PRIVATE);
    let policy = Policy { include_private: true, ..policy };
    assert!(judge(&private, None, "", &policy).decision.tracked);
}

#[test]
fn explain_sees_every_rule_up_to_the_one_that_decided() {
    use Outcome::{Off, Passes, Tracks};
    let words = |verdict: Verdict| -> Vec<(&str, Outcome)> {
        verdict.steps.iter().map(|step| (step.rule, step.result)).collect()
    };
    let answer = message(&[], &["<tracked@example.org>"], "");
    let expected = [
        ("mark", Passes),
        ("drafts-junk-bin", Passes),
        ("blocklist", Off),
        ("private", Passes),
        ("folder", Off),
        ("replies", Tracks),
    ];
    assert_eq!(words(judge(&answer, None, "", &Policy::default())), expected);
    let other = message(&[], &[], "");
    let expected = [
        ("mark", Passes),
        ("drafts-junk-bin", Passes),
        ("blocklist", Off),
        ("private", Passes),
        ("folder", Off),
        ("replies", Passes),
        ("known-senders", Off),
        ("email-enabled", Off),
        ("all", Off),
    ];
    assert_eq!(words(judge(&other, None, "", &Policy::default())), expected);
}

proptest! {
    #[test]
    fn every_message_gets_one_decision_and_always_the_same(
        marks in proptest::collection::vec(prop_oneof![Just("\\Draft"), Just("$Junk"), Just("$CrmTracked"), Just("\\Seen")], 0..3),
        references in proptest::collection::vec(prop_oneof![Just("<tracked@example.org>"), Just("<x@y>")], 0..3),
        from in prop_oneof![Just("anna@example.org"), Just("carl@example.org"), Just("")],
        folder in prop_oneof![Just(String::new()), Just("Junk".to_owned()), ".{0,10}"],
        mark in proptest::option::of(prop_oneof![Just(Mark::Tracked), Just(Mark::Untracked)]),
        private: bool,
        include_private: bool,
    ) {
        let mut message = message(&marks, &references, from);
        message.traits.private = private;
        let mut before = false;
        for automatic in [Nothing, Replies, KnownSenders, EmailEnabled, All] {
            let policy = Policy { automatic, include_private, ..Policy::default() };
            let verdict = judge(&message, mark, &folder, &policy);
            prop_assert_eq!(&verdict, &judge(&message, mark, &folder, &policy));
            let decided = verdict.steps.last().map(|step| step.result);
            prop_assert_eq!(verdict.decision.tracked, decided == Some(Outcome::Tracks));
            // A wider setting never tracks less.
            prop_assert!(verdict.decision.tracked || !before);
            before = verdict.decision.tracked;
        }
    }
}

#[test]
fn the_blocklist_keeps_out_by_who_wrote_or_to_whom_alone() {
    let policy = Policy {
        automatic: All,
        block: ["@blocked.example", "spam@example.org"]
            .iter()
            .filter_map(|text| Pattern::parse(text))
            .collect(),
        ..Policy::default()
    };
    let to = |from: &str, to: &[&str]| {
        let mut message = message(&[], &[], from);
        let people = to.iter().filter_map(|text| Address::parse(text));
        let people = people.map(|address| Person { name: String::new(), address }).collect();
        message.fields.insert(Field::of("to"), Value::People(people));
        judge(&message, None, "", &policy).decision.tracked
    };
    assert!(!to("x@sub.blocked.example", &["me@example.org"]));
    assert!(!to("spam@example.org", &["me@example.org"]));
    assert!(to("anna@example.org", &["x@blocked.example"]));
    assert!(!to("me@example.org", &["x@blocked.example", "spam@example.org"]));
    assert!(to("me@example.org", &["x@blocked.example", "anna@example.org"]));
    assert!(to("me@example.org", &[]));
    // The user's own word beats it.
    let blocked = message(&[], &[], "spam@example.org");
    assert!(judge(&blocked, Some(Mark::Tracked), "", &policy).decision.tracked);
}

#[test]
fn a_folder_tracks_what_is_neither_junk_nor_blocked() {
    let folder = Folder { name: "Customers".to_owned(), subfolders: true };
    let rule = FolderRule { folder, regarding: None };
    let policy = Policy { automatic: Nothing, folders: vec![rule], ..Policy::default() };
    let message = message(&[], &["<tracked@example.org>"], "");
    let verdict = judge(&message, None, "INBOX/Customers/Contoso", &policy);
    assert_eq!(verdict.decision.rule, "its folder is tracked");
    // What it answers is known whether or not that is why it is tracked.
    assert_eq!(verdict.parent.map(|parent| parent.method), Some(Method::InReplyTo));
    assert!(!judge(&message, None, "Other", &policy).decision.tracked);
    assert!(!judge(&message, None, "Customers/Spam", &policy).decision.tracked);
}

#[test]
fn what_was_looked_at_is_read_back_from_its_letters() {
    let message = message(&[], &["<tracked@example.org>"], "");
    let verdict = judge(&message, None, "", &Policy::default());
    assert_eq!(steps(&verdict.looked()), verdict.steps);
    assert_eq!(steps(""), []);
    assert_eq!(steps("?ü"), []);
}
