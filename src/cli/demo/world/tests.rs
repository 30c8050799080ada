//! The mailbox as independent readers see it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use calcard::icalendar::ICalendar;
use calcard::vcard::VCard;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use mail_parser::{MessageParser, MimeHeaders};

use super::mailbox::{CALENDAR, CONTACTS, MAIL, MAILBOX};
use super::{Furnished, calendar, cards, edit_mailbox, furnish, mail, people, records, text};
use crate::model::Class;

fn now() -> Timestamp {
    "2026-05-20T08:30:00Z".parse().unwrap()
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn furnished(dir: &Path) -> Furnished {
    furnish(dir, now(), &berlin()).unwrap()
}

/// Every file below, with its bytes.
fn tree(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                found.insert(path.strip_prefix(root).unwrap().to_owned(), bytes);
            }
        }
    }
    found
}

fn names(files: &BTreeMap<PathBuf, Vec<u8>>, below: &str) -> Vec<String> {
    let named =
        files.keys().filter(|path| path.starts_with(below) && !path.ends_with("maildirfolder"));
    named.map(|path| path.to_str().unwrap().to_owned()).collect()
}

#[test]
fn the_same_moment_gives_the_same_bytes_and_a_second_call_changes_none() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = furnished(one.path());
    furnished(two.path());
    let before = tree(one.path());
    assert_eq!(before, tree(two.path()));
    let later = now() + jiff::SignedDuration::from_hours(24 * 40);
    let second = furnish(one.path(), later, &TimeZone::UTC).unwrap();
    assert_eq!(before, tree(one.path()));
    assert!(first.fresh && !second.fresh);
    assert_eq!(first.counts, second.counts);
}

#[test]
fn a_mailbox_that_was_left_half_made_is_made_anew() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let unfinished = one.path().join("mailbox.unfinished");
    fs::create_dir_all(unfinished.join("contacts")).unwrap();
    fs::write(unfinished.join("contacts/leftover.vcf"), "x").unwrap();
    furnished(one.path());
    furnished(two.path());
    assert_eq!(tree(one.path()), tree(two.path()));
}

#[test]
fn the_counts_are_those_of_the_folders() {
    let dir = tempfile::tempdir().unwrap();
    let furnished = furnished(dir.path());
    let files = tree(&dir.path().join(MAILBOX));
    let count = |class| *furnished.counts.iter().find(|count| count.class == class).unwrap();
    let rows =
        Class::ALL.map(count).map(|count| (count.class, count.items, count.tracked, count.broken));
    assert_eq!(
        rows,
        [
            (Class::Contact, 133, 72, 5),
            (Class::Task, 43, 30, 0),
            (Class::Appointment, 70, 60, 5),
            (Class::Email, 124, 0, 0)
        ]
    );
    assert_eq!(names(&files, CONTACTS).len(), count(Class::Contact).items);
    let calendar = count(Class::Appointment).items + count(Class::Task).items;
    assert_eq!(names(&files, CALENDAR).len(), calendar);
    assert_eq!(names(&files, MAIL).len(), count(Class::Email).items);
    assert!(furnished.nasty.iter().all(|item| files.contains_key(Path::new(&item.path))));
    for folder in ["cur", "new", "tmp", ".Sent/cur", ".Projects/tmp", ".Junk/new", ".Drafts/cur"] {
        assert!(dir.path().join(MAILBOX).join(MAIL).join(folder).is_dir(), "{folder}");
    }
    for (below, least) in [
        ("mail/new", 6),
        ("mail/.Sent/cur", 20),
        ("mail/.Projects/cur", 8),
        ("mail/.Junk/cur", 8),
        ("mail/.Drafts/cur", 4),
    ] {
        assert!(names(&files, below).len() >= least, "{below}");
    }
}

#[test]
fn every_sound_card_is_one_card_with_one_uid_a_name_and_an_address() {
    let mut uids = BTreeSet::new();
    let mut versions = BTreeMap::<String, usize>::new();
    for card in cards::cards() {
        let parsed = VCard::parse(&card.text).unwrap_or_else(|_| panic!("{}", card.file));
        assert!(parsed.entries.len() > 5, "{}", card.file);
        assert!(uids.insert(text::value(&card.text, "UID").unwrap()), "{}", card.file);
        *versions.entry(text::value(&card.text, "VERSION").unwrap()).or_default() += 1;
        assert!(
            card.text.contains('@') && card.text.lines().all(|line| line.len() <= 76),
            "{}",
            card.file
        );
    }
    assert_eq!(
        versions.into_iter().collect::<Vec<_>>(),
        [("2.1".into(), 6), ("3.0".into(), 77), ("4.0".into(), 38)]
    );
}

/// A calendar from its first event on: zones have starts and rules as well.
fn below_zones(text: &str) -> &str {
    text.find("BEGIN:VEVENT").map_or(text, |at| text.get(at..).unwrap())
}

#[test]
fn every_sound_entry_is_a_calendar_that_ends_after_it_starts() {
    let today = now().to_zoned(berlin()).date();
    let mut uids = BTreeSet::new();
    let entries = calendar::appointments(today).into_iter().chain(calendar::tasks(today));
    for entry in entries {
        let parsed = ICalendar::parse(&entry.text).unwrap_or_else(|_| panic!("{}", entry.file));
        assert!(parsed.components.len() >= 2, "{}", entry.file);
        assert!(uids.insert(text::value(&entry.text, "UID").unwrap()), "{}", entry.file);
        let date = |name: &str| text::value(below_zones(&entry.text), name);
        if let (Some(start), Some(end)) = (date("DTSTART"), date("DTEND")) {
            assert!(start < end, "{}: {start} {end}", entry.file);
        }
    }
    assert_eq!(uids.len(), 100);
}

#[test]
fn every_exception_and_every_day_left_out_is_one_of_its_series() {
    let mut checked = 0;
    for days in 0..400 {
        let today = calendar::days_from(jiff::civil::date(2026, 1, 1), days);
        for entry in calendar::appointments(today) {
            let body = below_zones(&entry.text);
            let Some(rule) = text::value(body, "RRULE") else { continue };
            let part = |name: &str| rule.split(';').find_map(|part| part.strip_prefix(name));
            let start: DateTime = text::value(body, "DTSTART").unwrap().parse().unwrap();
            let weekday = start.strftime("%a").to_string().to_uppercase();
            // RFC 5545 §3.8.5.3: the start is the first of the series, or the rule is at odds with itself.
            assert!(
                part("BYDAY=").is_none_or(|days| days.contains(weekday.get(..2).unwrap())),
                "{rule} {start}"
            );
            let day = start.day().to_string();
            assert!(part("BYMONTHDAY=").is_none_or(|days| days == day), "{rule} {start}");
            let interval: i64 = part("INTERVAL=").map_or(1, |text| text.parse().unwrap());
            let step = interval * if rule.contains("WEEKLY") { 7 } else { 1 };
            let count: i64 = part("COUNT=").map_or(i64::MAX, |text| text.parse().unwrap());
            let apart = |line: &&str| line.starts_with("EXDATE") || line.starts_with("RECURR");
            for line in body.lines().filter(apart) {
                let at: DateTime = line.rsplit(':').next().unwrap().parse().unwrap();
                let days = i64::from((at.date() - start.date()).get_days());
                assert_eq!((days % step, at.time()), (0, start.time()), "{rule}: {line}");
                assert!((1..count).contains(&(days / step)), "{rule}: {line}");
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 400 * 8);
}

#[test]
fn every_message_is_read_with_sender_subject_and_id() {
    let now = now().to_zoned(berlin());
    let mut ids = BTreeSet::new();
    for message in mail::messages(&now) {
        let parsed = MessageParser::default().parse(&message.bytes).unwrap();
        let id = parsed.message_id().unwrap().to_owned();
        assert!(
            parsed.from().is_some() && parsed.subject().is_some() && parsed.date().is_some(),
            "{id}"
        );
        assert!(parsed.body_text(0).is_some() || parsed.attachment_count() > 0, "{id}");
        assert!(ids.insert(id.clone()), "{id} twice");
        assert!(message.at <= now.timestamp());
        let long = message.bytes.split(|byte| *byte == b'\n').any(|line| line.len() > 998);
        assert!(!long, "{id}: a line beyond what SMTP takes");
    }
}

#[test]
fn charsets_and_file_names_read_as_they_are_meant() {
    let messages = mail::messages(&now().to_zoned(berlin()));
    let parsed = |id: &str| {
        let all =
            messages.iter().map(|message| MessageParser::default().parse(&message.bytes).unwrap());
        all.into_iter().find(|message| message.message_id() == Some(id)).unwrap()
    };
    for (number, subject, body) in [
        (0, "見積書の件につきまして", "お世話になっております"),
        (1, "Договор поставки", "Добрый день, Анна!"),
        (2, "Вопрос по счёту", "Здравствуйте!"),
        (3, "关于下周的会议", "𠮷先生"),
        (4, "Réunion de rentrée", "déplacée à jeudi"),
        (5, "견적 요청", "안녕하세요"),
    ] {
        let message = parsed(&format!("charset-{number}@mail.example.org"));
        assert_eq!(message.subject(), Some(subject));
        assert!(message.body_text(0).unwrap().contains(body), "{subject}");
    }
    let names: BTreeSet<String> = (5..11)
        .map(|number| {
            parsed(&format!("files-{number}@mail.example.org"))
                .attachment(0)
                .unwrap()
                .attachment_name()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert!(names.contains("見積書 2024年度 第三四半期 改訂版(最終).pdf"), "{names:?}");
    assert!(names.contains("Übersicht Größen.xlsx"), "{names:?}");
    let answer = parsed("letter-6@mail.example.org");
    assert_eq!(answer.in_reply_to().as_text(), Some(mail::FILED_ELSEWHERE));
    assert_eq!(
        answer.from().unwrap().first().unwrap().address().unwrap(),
        mail::answerer().unwrap().address
    );
}

#[test]
fn nobody_can_be_reached() {
    let mut addresses = BTreeSet::new();
    for person in people::acquaintances().into_iter().chain(people::strangers()) {
        assert!(
            [".example.org", ".example.com", ".example.net"]
                .iter()
                .any(|end| person.address.ends_with(end))
        );
        assert!(
            person.address.is_ascii()
                && person.address.len() <= 100
                && person.given.chars().count() <= 50
        );
        assert!(addresses.insert(person.address.clone()), "{} twice", person.address);
        let kept = [
            "+44 20 7946 0",
            "+1 202 555 01",
            "+49 30 23125 ",
            "+33 1 99 00 ",
            "+46 8 465 004 ",
            "+44 7700 900",
            "+49 171 39200",
        ];
        for number in [&person.work, &person.mobile] {
            assert!(kept.iter().any(|range| number.starts_with(range)), "{number}");
        }
    }
    assert_eq!(addresses.len(), 160);
}

/// The cards that a sync makes of records, as far as edits need them.
fn crm_born_card(dir: &Path) -> PathBuf {
    let uid = format!(
        "{}@00000000-0000-0000-0000-000000000001.liaison",
        records::contact_id(records::CALLED)
    );
    let path = dir.join(MAILBOX).join(CONTACTS).join("of-a-record.vcf");
    fs::write(
        &path,
        format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:X\r\nTEL;TYPE=WORK:1\r\nEND:VCARD\r\n"
        ),
    )
    .unwrap();
    path
}

#[test]
fn without_the_first_sync_no_edit_is_made() {
    let dir = tempfile::tempdir().unwrap();
    furnished(dir.path());
    let before = tree(dir.path());
    let error = edit_mailbox(dir.path(), now()).unwrap_err();
    assert!(error.to_string().contains("first plan"), "{error}");
    assert_eq!(before, tree(dir.path()));
}

#[test]
fn edits_touch_what_they_say_and_nothing_else_once() {
    let dir = tempfile::tempdir().unwrap();
    furnished(dir.path());
    let born = crm_born_card(dir.path());
    let before = tree(dir.path());
    let done = edit_mailbox(dir.path(), now()).unwrap();
    assert_eq!(done.len(), 8, "{done:#?}");
    let after = tree(dir.path());
    let changed: Vec<String> = before
        .iter()
        .filter(|(path, bytes)| after.get(*path).is_some_and(|now| now != *bytes))
        .map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        changed,
        [
            "appointment-012.ics",
            "task-004.ics",
            "contact-010.vcf",
            "contact-044.vcf",
            "of-a-record.vcf"
        ]
    );
    let gone: Vec<&PathBuf> = before.keys().filter(|path| !after.contains_key(*path)).collect();
    assert_eq!(gone, [Path::new("mailbox/calendar/task-012.ics")]);
    let new = after.keys().filter(|path| !before.contains_key(*path)).count();
    assert_eq!(new, 3, "a card, a message and the mark");
    // Line by line: only the lines that were meant.
    let lines = |files: &BTreeMap<PathBuf, Vec<u8>>, name: &str| -> Vec<String> {
        let bytes = files.iter().find(|(path, _)| path.ends_with(name)).unwrap().1;
        String::from_utf8(bytes.clone()).unwrap().split_inclusive('\n').map(str::to_owned).collect()
    };
    let differing = |name: &str| -> Vec<String> {
        let old = lines(&before, name);
        lines(&after, name).into_iter().filter(|line| !old.contains(line)).collect()
    };
    assert_eq!(differing("contact-044.vcf"), ["TEL;TYPE=WORK,VOICE:+44 20 7946 0555\r\n"]);
    assert_eq!(
        differing("contact-010.vcf"),
        ["TEL;TYPE=work,voice;VALUE=uri:tel:+44-20-7946-0666\r\n"]
    );
    assert_eq!(differing("appointment-012.ics").len(), 2);
    let task =
        ["STATUS:COMPLETED\r\n", "PERCENT-COMPLETE:100\r\n", "COMPLETED:20260520T083000Z\r\n"];
    assert_eq!(differing("task-004.ics"), task);
    assert!(fs::read_to_string(born).unwrap().contains("0444"));
    assert!(edit_mailbox(dir.path(), now()).unwrap().is_empty());
    assert_eq!(after, tree(dir.path()));
}

#[test]
fn what_will_be_edited_is_tracked() {
    let today = now().to_zoned(berlin()).date();
    for uid in [super::edits::COLLISION, 10, 2] {
        assert!(cards::tracked(uid), "{uid}");
    }
    let entries: Vec<_> =
        calendar::appointments(today).into_iter().chain(calendar::tasks(today)).collect();
    for uid in [
        calendar::meeting_uid(calendar::MOVED),
        calendar::task_uid(calendar::COMPLETED),
        calendar::task_uid(calendar::DELETED),
    ] {
        let entry = entries
            .iter()
            .find(|entry| text::value(&entry.text, "UID") == Some(uid.clone()))
            .unwrap();
        assert!(entry.tracked && !entry.text.contains("STATUS:COMPLETED"), "{}", entry.file);
    }
}
