//! What people do between the first sync and the second: Anna in her own programs, she and her colleagues in the CRM. Each edit is made as another
//! program makes it, keeping all that it does not mean to change, and happens once in the life of a demo. It must not know what a sync will make of it.

use std::fs;
use std::io::{self, Error, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::api::{Api, User};
use super::mailbox::{CALENDAR, CONTACTS, MAILBOX, deliver};
use super::people::{Person, acquaintances, strangers};
use super::{calendar, cards, mail, records, text};

/// The contact whose telephone number Anna and the CRM both change: the collision.
pub const COLLISION: usize = 44;
/// Another contact who gets a new number.
const NEW_NUMBER: usize = 10;
/// A contact of the mailbox whose job title changes in the CRM.
const PROMOTED: usize = 2;
/// Below the demo's directory: the mailbox was edited.
const MARK: &str = "mailbox.edited";

/// A file as it is to be: new text, or gone.
struct Edit {
    path: PathBuf,
    text: Option<String>,
}

/// What Anna does in her address book, calendar and mail; nothing if she did it before. Returns a sentence for each.
///
/// # Errors
/// When a file cannot be read or written, or an item is not there: then nothing was changed.
pub fn edit_mailbox(dir: &Path, now: Timestamp) -> io::Result<Vec<String>> {
    if dir.join(MARK).try_exists()? {
        return Ok(Vec::new());
    }
    let contacts = read_all(&dir.join(MAILBOX).join(CONTACTS), "vcf")?;
    let calendar = read_all(&dir.join(MAILBOX).join(CALENDAR), "ics")?;
    let mut done = Vec::new();
    let mut edits = Vec::new();
    for (uid, person, number) in numbers() {
        let (path, card) = find(&contacts, &uid, &person)?;
        let text = new_number(card, number);
        if text == *card {
            let why = format!("the card of “{person}” has no business number");
            return Err(Error::new(ErrorKind::InvalidData, why));
        }
        edits.push(Edit { path: path.clone(), text: Some(text) });
        done.push(format!(
            "Anna changes the business number of {person} in her address book to {number}"
        ));
    }
    let subject = calendar::meeting_subject(calendar::MOVED);
    let (path, meeting) = find(&calendar, &calendar::meeting_uid(calendar::MOVED), subject)?;
    edits.push(Edit { path: path.clone(), text: Some(next_day(meeting)) });
    done.push(format!("Anna moves the meeting “{subject}” to the next day"));
    let subject = calendar::task_subject(calendar::COMPLETED);
    let (path, task) = find(&calendar, &calendar::task_uid(calendar::COMPLETED), &subject)?;
    edits.push(Edit { path: path.clone(), text: Some(completed(task, now)) });
    done.push(format!("Anna ticks off the task “{subject}”"));
    let subject = calendar::task_subject(calendar::DELETED);
    let (path, _) = find(&calendar, &calendar::task_uid(calendar::DELETED), &subject)?;
    edits.push(Edit { path: path.clone(), text: None });
    done.push(format!("Anna deletes the open task “{subject}”"));
    let card = cards::newcomer(
        ("Ludovica", "Passerotti"),
        "ludovica@passerotti.example.org",
        "+44 20 7946 0888",
    );
    edits.push(Edit {
        path: dir.join(MAILBOX).join(CONTACTS).join(&card.file),
        text: Some(card.text),
    });
    done.push("Anna adds Ludovica Passerotti to her address book, to be tracked".to_owned());
    edits.iter().try_for_each(apply)?;
    if let Some(reply) = mail::late_reply(&now.to_zoned(TimeZone::UTC)) {
        deliver(dir, &reply, &format!("{}.M900000P1.demo", reply.at.as_second()))?;
        done.push(format!("An answer to “{}” comes in", mail::thread_subject(0)));
    }
    fs::write(dir.join(MARK), "")?;
    Ok(done)
}

/// What Anna in her browser and her colleagues do in the CRM; nothing if they did it before. Returns a sentence for each.
///
/// # Errors
/// When the organisation cannot be asked or refuses, or a record is not there.
pub async fn edit_organisation(api: &Api, now: Timestamp) -> Result<Vec<String>> {
    let newcomer = records::newcomer();
    if api.has(User::Anna, &format!("contacts({})?$select=contactid", newcomer.id)).await? {
        return Ok(Vec::new());
    }
    // All that must be there is looked for before anything is changed.
    let (known, both) = (acquaintance(PROMOTED)?, acquaintance(COLLISION)?);
    let mut promoted = vec![(record_of(api, &known).await?, known.name(), User::Bo)];
    let collision = record_of(api, &both).await?;
    for (number, user) in records::PROMOTED.into_iter().zip([User::Carla, User::Anna]) {
        promoted.push((records::contact_id(number), stranger(number)?.name(), user));
    }
    let mut done = Vec::new();
    for (id, name, user) in promoted {
        let columns = json!({ "jobtitle": "Managing Director" });
        api.change(user, &format!("contacts({id})"), &columns).await?;
        done.push(format!("{} makes {name} “Managing Director” in the CRM", capital(user)));
    }
    let number = "+49 30 23125 999";
    let columns = json!({ "telephone1": number });
    api.change(User::Bo, &format!("contacts({collision})"), &columns).await?;
    done.push(format!(
        "Bo changes the business number of {} in the CRM to {number}: Anna changed it as well",
        both.name()
    ));
    let today = now.to_zoned(TimeZone::UTC).date();
    let due = json!({ "scheduledend": records::moment(today, 21, 16) });
    api.change(User::Carla, &format!("tasks({})", records::task_id(records::POSTPONED)), &due)
        .await?;
    done.push(format!(
        "Carla gives the task “{}” three weeks more",
        records::task_subject(records::POSTPONED)
    ));
    api.delete(User::Anna, &format!("contacts({})", records::contact_id(records::LEFT))).await?;
    done.push(format!("Anna deletes {} in her browser", stranger(records::LEFT)?.name()));
    // Last, since it is the sign that all was done.
    api.create(&[newcomer]).await?;
    done.push("Anna adds Ottilie Zaunkönig in her browser".to_owned());
    Ok(done)
}

/// `UID` or a piece of it, name and new number of those whom Anna gives one.
fn numbers() -> Vec<(String, String, &'static str)> {
    let of = |number: usize| {
        acquaintances().into_iter().nth(number).map(|person| (cards::uid(number), person.name()))
    };
    // A card that was made from a record has the record's id in its UID.
    let called = strangers().into_iter().nth(records::CALLED);
    let called =
        called.map(|person| (records::contact_id(records::CALLED).to_string(), person.name()));
    let numbers = ["+44 20 7946 0666", "+44 20 7946 0555", "+44 20 7946 0444"];
    let people = [of(NEW_NUMBER), of(COLLISION), called].into_iter().flatten();
    people.zip(numbers).map(|((uid, name), number)| (uid, name, number)).collect()
}

fn acquaintance(number: usize) -> Result<Person> {
    acquaintances().into_iter().nth(number).context("no such person")
}

fn stranger(number: usize) -> Result<Person> {
    strangers().into_iter().nth(number).context("no such person")
}

fn capital(user: User) -> &'static str {
    match user {
        User::Anna => "Anna",
        User::Bo => "Bo",
        User::Carla => "Carla",
    }
}

/// The record that somebody's card became.
async fn record_of(api: &Api, person: &Person) -> Result<Uuid> {
    let path = format!(
        "contacts?$select=contactid&$filter=emailaddress1 eq '{}'",
        person.address.replace('\'', "''")
    );
    let answer = api.get(User::Anna, &path).await?;
    match answer.get("value").and_then(Json::as_array).map(Vec::as_slice) {
        Some([row]) => {
            let id = row.get("contactid").and_then(Json::as_str).unwrap_or_default();
            Ok(Uuid::parse_str(id)?)
        }
        _ => bail!(
            "{} is not in the CRM, or more than once: was the first plan applied?",
            person.name()
        ),
    }
}

type Files = Vec<(PathBuf, String)>;

/// The files of that extension that are text, in the order of their names.
fn read_all(folder: &Path, extension: &str) -> io::Result<Files> {
    let mut paths =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    let mut files = Vec::new();
    for path in paths {
        let bytes = fs::read(&path)?;
        files.extend(String::from_utf8(bytes).ok().map(|text| (path, text)));
    }
    Ok(files)
}

/// The file whose `UID` has that in it.
fn find<'f>(files: &'f Files, uid: &str, name: &str) -> io::Result<&'f (PathBuf, String)> {
    let wanted = uid.to_lowercase();
    let has = |text: &str| {
        text::value(text, "UID").is_some_and(|uid| uid.to_lowercase().contains(&wanted))
    };
    let missing = || {
        Error::new(
            ErrorKind::NotFound,
            format!("“{name}” is not in the mailbox: was the first plan applied?"),
        )
    };
    files.iter().find(|(_, text)| has(text)).ok_or_else(missing)
}

/// As editors save: beside, then over.
fn apply(edit: &Edit) -> io::Result<()> {
    let Some(text) = &edit.text else { return fs::remove_file(&edit.path) };
    let beside = edit.path.with_extension("tmp");
    fs::write(&beside, text)?;
    fs::rename(beside, &edit.path)
}

/// The first business number, in the form that it had.
fn new_number(card: &str, number: &str) -> String {
    let mut first = true;
    text::rewrite(card, |property, value| {
        let upper = property.to_uppercase();
        let wanted = text::is(property, "TEL") && upper.contains("WORK") && !upper.contains("FAX");
        if !wanted || !std::mem::take(&mut first) {
            return None;
        }
        Some(if value.starts_with("tel:") {
            format!("tel:{number}").replace(' ', "-")
        } else {
            number.to_owned()
        })
    })
}

fn next_day(event: &str) -> String {
    text::rewrite(event, |property, value| {
        let wanted = text::is(property, "DTSTART") || text::is(property, "DTEND");
        let civil = value.trim_end_matches('Z');
        // The dates of VTIMEZONE are rules, not moments of the meeting.
        let moment = DateTime::strptime("%Y%m%dT%H%M%S", civil)
            .ok()
            .filter(|moment| wanted && moment.year() > 2010)?;
        let later = moment.checked_add(1.day()).ok()?;
        Some(format!("{}{}", calendar::local(later), if value.ends_with('Z') { "Z" } else { "" }))
    })
}

fn completed(task: &str, now: Timestamp) -> String {
    let gone = |property: &str| {
        ["PERCENT-COMPLETE", "COMPLETED"].into_iter().any(|name| text::is(property, name))
    };
    debug_assert!(!task.lines().any(gone));
    let at = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let done = text::rewrite(task, |property, _| {
        text::is(property, "STATUS").then(|| "COMPLETED".to_owned())
    });
    text::insert(&done, "END:VTODO", &[("PERCENT-COMPLETE", "100"), ("COMPLETED", &at)])
}
