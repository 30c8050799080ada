//! The messages of the mailbox: letters from people whom the CRM knows and from others, threads, newsletters, files, old charsets, junk and drafts.
//! It must not know how a message is written down.

mod words;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{Span, Timestamp, Zoned};

use super::letter::{Letter, Part, mailbox};
use super::people::{ANNA, BO, CARLA, Person, acquaintances};
use super::pick;
use words::{CHARSETS, FILES, SUBJECTS, TEXTS, THREADS, UNKNOWN};

/// The e-mail that a colleague filed from her own Sent folder, and that a message here answers.
pub const FILED_ELSEWHERE: &str = "offer-2024-17@example.org";
/// The letter that answers it: an even one, so from somebody in the address book.
const ANSWER: usize = 6;
/// Every third person of the address book writes a letter.
const KNOWN_STEP: usize = 3;
/// How many messages each thread has.
const THREAD_LENGTH: usize = 4;

/// A message and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `""` for the inbox, else the name of a Maildir++ folder with its dot.
    pub folder: &'static str,
    /// The flags of its file name, or `None` while it is new.
    pub flags: Option<&'static str>,
    pub at: Timestamp,
    pub bytes: Vec<u8>,
}

/// All messages that are as they should be, written in the days before `now`.
pub fn messages(now: &Zoned) -> Vec<Message> {
    let people = acquaintances();
    let mut messages = letters(now, &people);
    messages.extend(threads(now, &people));
    messages.extend(sent(now, &people));
    messages.extend(files(now, &people));
    messages.extend(charsets(now));
    messages.extend(newsletters(now));
    messages.extend(special(now, &people));
    messages.extend(unwanted(now));
    messages
}

/// The `Message-ID` of the nth message of a thread. The first of thread 0 is in the CRM already: a colleague filed it.
pub fn thread_id(thread: usize, number: usize) -> String {
    format!("thread-{thread}-{number}@mail.example.org")
}

/// Who writes to Anna in that thread.
pub fn thread_partner(thread: usize) -> Option<Person> {
    acquaintances().into_iter().nth(thread * 18 + 2)
}

/// When a message of a thread was written.
pub fn thread_date(now: &Zoned, thread: usize, number: usize) -> Zoned {
    hours_before(now, 200 + thread * 31 - number * 9)
}

/// Who answers [`FILED_ELSEWHERE`].
pub fn answerer() -> Option<Person> {
    acquaintances().into_iter().nth(ANSWER / 2 * KNOWN_STEP)
}

/// The subject of a thread.
pub fn thread_subject(thread: usize) -> &'static str {
    pick(&THREADS, thread)
}

/// The answer that comes in after the first sync.
pub fn late_reply(now: &Zoned) -> Option<Message> {
    let person = thread_partner(0)?;
    let ids = (0..THREAD_LENGTH).map(|number| thread_id(0, number)).collect();
    let letter = Letter {
        thread: ids,
        ..letter(
            &mailbox(&person.name(), &person.address),
            &format!("Re: {}", thread_subject(0)),
            now.clone(),
            "thread-0-late@mail.example.org",
        )
    };
    let bytes = letter.with(&Part::plain("Agreed, let us do it like that.\n\nBest regards\n"));
    Some(Message { folder: "", flags: None, at: now.timestamp(), bytes })
}

/// A letter to Anna.
pub fn letter(from: &str, subject: &str, date: Zoned, id: &str) -> Letter {
    Letter {
        from: from.to_owned(),
        to: mailbox(ANNA.name, ANNA.address),
        cc: None,
        subject: subject.to_owned(),
        date,
        id: Some(id.to_owned()),
        thread: Vec::new(),
        more: "X-Mailer: Example Mail 7.1\r\n".to_owned(),
    }
}

/// Some hours before a moment, less a few minutes so that no two messages are of one second.
pub fn hours_before(now: &Zoned, hours: usize) -> Zoned {
    let hours = i64::try_from(hours).unwrap_or_default();
    now.checked_sub(Span::new().hours(hours.min(10_000)).minutes(hours % 53))
        .unwrap_or_else(|_| now.clone())
}

fn seen(folder: &'static str, date: &Zoned, bytes: Vec<u8>) -> Message {
    Message { folder, flags: Some("S"), at: date.timestamp(), bytes }
}

/// Ordinary post: in turns from somebody in the address book and from somebody unknown.
fn letters(now: &Zoned, people: &[Person]) -> Vec<Message> {
    let known =
        people.iter().step_by(KNOWN_STEP).map(|person| (person.name(), person.address.clone()));
    let unknown = (0..)
        .map(|n| (pick(&UNKNOWN, n).to_owned(), format!("caller{n}@unknown{}.example.net", n % 3)));
    let senders = known.zip(unknown).flat_map(|(known, unknown)| [known, unknown]).take(40);
    let one = |(number, (name, address)): (usize, (String, String))| {
        let date = hours_before(now, 2 + number * 7);
        let mut letter = letter(
            &mailbox(&name, &address),
            pick(&SUBJECTS, number),
            date.clone(),
            &format!("letter-{number}@mail.example.org"),
        );
        if number == ANSWER {
            letter.thread = vec![FILED_ELSEWHERE.to_owned()];
        }
        if number % 9 == 4 {
            letter.cc = Some(format!(
                "{}, {}",
                mailbox(BO.name, BO.address),
                mailbox(CARLA.name, CARLA.address)
            ));
        }
        let text = format!("{}\n\n{name}\n", pick(&TEXTS, number));
        let part = if number % 4 == 3 { alternative(number, &text) } else { Part::plain(&text) };
        let flags = if number < 6 { None } else { Some(pick(&["S", "RS", "FS"], number)) };
        Message { folder: "", flags, at: date.timestamp(), bytes: letter.with(&part) }
    };
    senders.enumerate().map(one).collect()
}

fn alternative(number: usize, text: &str) -> Part {
    let html = format!(
        "<html><body><p style=\"color:#036\">{}</p></body></html>\n",
        text.replace('\n', "<br>")
    );
    Part::multipart(
        "alternative",
        &format!("=_alt_{number}"),
        &[Part::plain(text), Part::html(&html)],
    )
}

/// Six threads of four messages: somebody asks, Anna answers.
fn threads(now: &Zoned, people: &[Person]) -> Vec<Message> {
    let me = mailbox(ANNA.name, ANNA.address);
    let mut messages = Vec::new();
    for (thread, person) in people.iter().skip(2).step_by(18).take(6).enumerate() {
        let other = mailbox(&person.name(), &person.address);
        for number in 0..THREAD_LENGTH {
            let date = thread_date(now, thread, number);
            let prefix = if number == 0 { "" } else { "Re: " };
            let subject = format!("{prefix}{}", thread_subject(thread));
            let mine = number % 2 == 1;
            let mut letter = letter(&other, &subject, date.clone(), &thread_id(thread, number));
            if mine {
                (letter.from, letter.to) = (me.clone(), other.clone());
            } else if thread == 0 {
                letter.cc = Some(mailbox(BO.name, BO.address));
            }
            letter.thread = (0..number).map(|before| thread_id(thread, before)).collect();
            let text = format!(
                "{}\n\n> {}\n",
                pick(&TEXTS, thread + number),
                pick(&TEXTS, thread + number + 1)
            );
            let folder = if mine {
                ".Sent"
            } else if thread < 2 {
                ""
            } else {
                ".Projects"
            };
            messages.push(seen(folder, &date, letter.with(&Part::plain(&text))));
        }
    }
    messages
}

/// What Anna wrote to people from her address book, out of the blue.
fn sent(now: &Zoned, people: &[Person]) -> Vec<Message> {
    let one = |(number, person): (usize, &Person)| {
        let date = hours_before(now, 11 + number * 13);
        let mut letter = letter(
            &mailbox(ANNA.name, ANNA.address),
            pick(&SUBJECTS, number + 5),
            date.clone(),
            &format!("sent-{number}@mail.example.org"),
        );
        letter.to = mailbox(&person.name(), &person.address);
        seen(".Sent", &date, letter.with(&Part::plain(pick(&TEXTS, number + 3))))
    };
    people.iter().skip(4).step_by(9).take(12).enumerate().map(one).collect()
}

/// HTML with a picture in it, and files with names of all kinds.
fn files(now: &Zoned, people: &[Person]) -> Vec<Message> {
    let picture = STANDARD.decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==").unwrap_or_default();
    let one = |(number, person): (usize, &Person)| {
        let date = hours_before(now, 30 + number * 17);
        let letter = letter(
            &mailbox(&person.name(), &person.address),
            pick(&SUBJECTS, number + 9),
            date.clone(),
            &format!("files-{number}@mail.example.org"),
        );
        let part = if number < 5 {
            let html = "<html><body><h1>Grüße</h1><p>Our new logo: <img src=\"cid:logo@example\" alt=\"logo\"></p></body></html>\n";
            let related = Part::multipart(
                "related",
                &format!("=_rel_{number}"),
                &[Part::html(html), Part::inline("image/png", "logo@example", &picture)],
            );
            Part::multipart(
                "alternative",
                &format!("=_both_{number}"),
                &[Part::plain("Grüße\n"), related],
            )
        } else {
            let (name, kind) = pick(&FILES, number);
            let content: Vec<u8> =
                format!("{name}\n").bytes().cycle().take(600 + number * 900).collect();
            Part::multipart(
                "mixed",
                &format!("=_mix_{number}"),
                &[Part::plain(pick(&TEXTS, number)), Part::file(kind, name, &content)],
            )
        };
        seen("", &date, letter.with(&part))
    };
    people.iter().skip(1).step_by(10).take(11).enumerate().map(one).collect()
}

/// Subjects and bodies in the charsets of older programs.
fn charsets(now: &Zoned) -> Vec<Message> {
    let one = |(number, (charset, subject, body, eight_bit)): (
        usize,
        &(&str, &str, &str, bool),
    )| {
        let date = hours_before(now, 50 + number * 19);
        let letter = letter(
            "sender@charsets.example.com",
            subject,
            date.clone(),
            &format!("charset-{number}@mail.example.org"),
        );
        let encoding = if *eight_bit { "8bit" } else { "base64" };
        let header = format!(
            "Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n"
        );
        let body = if *eight_bit {
            STANDARD.decode(body).unwrap_or_default()
        } else {
            format!("{body}\r\n").into_bytes()
        };
        seen("", &date, letter.with(&Part::raw(header, body)))
    };
    CHARSETS.iter().enumerate().map(one).collect()
}

/// A mailing list (RFC 2369).
fn newsletters(now: &Zoned) -> Vec<Message> {
    let one = |number: usize| {
        let date = hours_before(now, 24 + number * 24);
        let mut letter = letter(
            "Woodwork digest <list@lists.example.net>",
            &format!("[woodwork] Digest, issue {}", number + 41),
            date.clone(),
            &format!("digest-{number}@lists.example.net"),
        );
        "Woodwork <woodwork@lists.example.net>".clone_into(&mut letter.to);
        letter.more = "List-Id: <woodwork.lists.example.net>\r\nList-Unsubscribe: <mailto:leave@lists.example.net>\r\nPrecedence: bulk\r\n".into();
        seen(
            "",
            &date,
            letter.with(&Part::plain("Today: dovetails, glue, and a question about oak.\n")),
        )
    };
    (0..6).map(one).collect()
}

/// A message in a message, signed and encrypted ones, Outlook's own format, an invitation.
fn special(now: &Zoned, people: &[Person]) -> Vec<Message> {
    let parts = special_parts(now);
    let senders = people.iter().skip(7).step_by(11);
    let one = |(number, ((subject, part), person)): (usize, ((&str, Part), &Person))| {
        let date = hours_before(now, 40 + number * 23);
        let letter = letter(
            &mailbox(&person.name(), &person.address),
            subject,
            date.clone(),
            &format!("special-{number}@mail.example.org"),
        );
        seen("", &date, letter.with(&part))
    };
    parts.into_iter().zip(senders).enumerate().map(one).collect()
}

fn special_parts(now: &Zoned) -> [(&'static str, Part); 6] {
    let noise: Vec<u8> = (0..1500_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes())
        .flat_map(|bytes| bytes.into_iter().take(1))
        .collect();
    let signed = Part::multipart(
        "signed",
        "=_sig",
        &[
            Part::plain("Signed, truly.\n"),
            Part::file("application/pkcs7-signature", "smime.p7s", &noise),
        ],
    );
    let tnef = [&[0x78, 0x9f, 0x3e, 0x22], noise.as_slice()].concat();
    let invitation = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:invited@example.net\r\n\
                      DTSTAMP:20240229T101500Z\r\nDTSTART:20240301T090000Z\r\nDTEND:20240301T100000Z\r\nSUMMARY:Invitation\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let forwarded = |number: usize| {
        let inner = letter(
            "lost@parcels.example.net",
            "Où est mon colis ?",
            hours_before(now, 90),
            &format!("inner-{number}@parcels.example.net"),
        );
        let inner = Part::raw(
            "Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n",
            inner.with(&Part::plain("Toujours rien reçu.\n")),
        );
        Part::multipart("mixed", &format!("=_fwd_{number}"), &[Part::plain("See below.\n"), inner])
    };
    [
        ("Fwd: Où est mon colis ?", forwarded(0)),
        ("Fwd: Fwd: Où est mon colis ?", forwarded(1)),
        ("Signed", signed),
        (
            "Encrypted",
            Part::file(
                "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
                "smime.p7m",
                &noise,
            ),
        ),
        (
            "From Outlook",
            Part::multipart(
                "mixed",
                "=_tnef",
                &[
                    Part::plain("See the attachment.\n"),
                    Part::file("application/ms-tnef", "winmail.dat", &tnef),
                ],
            ),
        ),
        (
            "Invitation",
            Part::multipart(
                "alternative",
                "=_inv",
                &[
                    Part::plain("Please come.\n"),
                    Part::raw(
                        "Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n",
                        invitation,
                    ),
                ],
            ),
        ),
    ]
}

/// Junk and drafts, which nobody may find in a CRM.
fn unwanted(now: &Zoned) -> Vec<Message> {
    let junk = (0..8).map(|number: usize| {
        let date = hours_before(now, 5 + number * 15);
        let subject =
            pick(&["You have WON!!!", "Cheap w4tches", "Ваш выигрыш", "请查收发票"], number);
        let letter = letter(
            &format!("Lucky <win{number}@junk.example.com>"),
            subject,
            date.clone(),
            &format!("junk-{number}@junk.example.com"),
        );
        seen(
            ".Junk",
            &date,
            letter.with(&Part::html("<a href=\"https://junk.example.com/\">click</a>\n")),
        )
    });
    let drafts = (0..4).map(|number: usize| {
        let date = hours_before(now, 1 + number * 40);
        let letter = letter(
            &mailbox(ANNA.name, ANNA.address),
            "(unfinished)",
            date.clone(),
            &format!("draft-{number}@mail.example.org"),
        );
        Message {
            folder: ".Drafts",
            flags: Some("DS"),
            at: date.timestamp(),
            bytes: letter.with(&Part::plain("Dear\n")),
        }
    });
    junk.chain(drafts).collect()
}
