//! What nobody wishes to find in a mailbox and everybody has: files that are broken, empty or enormous, identities that are missing or there twice,
//! rules that no CRM knows. Each has its purpose in one sentence. It must not know what the program makes of them.

use jiff::Zoned;
use jiff::civil::Date;

use super::calendar::{BERLIN, day, days_from, head, local};
use super::cards::TRACKED;
use super::id;
use super::letter::Part;
use super::mail::{Message, hours_before, letter};
use super::text::{CRLF, LF, Lines, escape};

/// A file that is out of the ordinary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oddity {
    pub file: &'static str,
    pub bytes: Vec<u8>,
    /// Whether it cannot be taken as it is, and must be reported with a reason.
    pub broken: bool,
    /// What is wrong with it, in one sentence.
    pub why: &'static str,
}

fn sound(file: &'static str, why: &'static str, text: impl Into<Vec<u8>>) -> Oddity {
    Oddity { file, bytes: text.into(), broken: false, why }
}

fn broken(file: &'static str, why: &'static str, text: impl Into<Vec<u8>>) -> Oddity {
    Oddity { broken: true, ..sound(file, why, text) }
}

/// Odd contacts.
pub fn cards() -> Vec<Oddity> {
    let bidi = "Eve \u{202e}gnihtemos\u{202c} 👩🏽‍🚀 אבג abc";
    let long_name = "Wolfeschlegelstein".repeat(167);
    let long_note =
        "This note is longer than the two thousand characters of a description. ".repeat(60);
    let mut limits = person("limits", &["Limit", "Text"], CRLF);
    limits.add("NOTE", &escape(&long_note));
    limits.add("TITLE", &"Title ".repeat(40));
    limits.add("TEL;TYPE=WORK", &format!("+44 20 7946 0123 {}", "ext 1 ".repeat(20)));
    let mut no_uid = Lines::new(CRLF);
    no_uid.block("BEGIN:VCARD\nVERSION:3.0\nN:Nameless;Uid;;;\nFN:Uid Nameless\nEMAIL:nouid@example.net\nCATEGORIES:Tracked to CRM\nEND:VCARD\n");
    let mut two = person("two-1", &["Two", "Uids"], CRLF);
    two.add("UID", &id("two-2").to_string());
    let cut = person("cut", &["Cut", "Off"], CRLF).finish();
    let mixed = ended(person("mixed", &["Mixed", "Endings"], CRLF)).replacen(CRLF, LF, 4);
    let mut enormous = person("enormous", &["Big", "Photo"], CRLF);
    enormous.add("PHOTO;ENCODING=b;TYPE=JPEG", &"/9j/4AAQ".repeat(30_000));
    vec![
        broken("nasty-no-end.vcf", "a vCard that ends before its END", cut),
        broken("nasty-two-uids.vcf", "a vCard with two UIDs", ended(two)),
        broken(
            "nasty-same-uid-1.vcf",
            "two files with one UID (the first)",
            ended(person("same", &["Same", "First"], CRLF)),
        ),
        broken(
            "nasty-same-uid-2.vcf",
            "two files with one UID (the second)",
            ended(person("same", &["Same", "Second"], CRLF)),
        ),
        broken("nasty-empty.vcf", "an empty file", ""),
        sound("nasty-no-uid.vcf", "a vCard without a UID", no_uid.finish()),
        sound(
            "nasty-long-name.vcf",
            "a name of three thousand characters",
            ended(person("long", &[&long_name, "Long"], CRLF)),
        ),
        sound("nasty-limits.vcf", "values beyond the length of their columns", ended(limits)),
        sound(
            "nasty-bidi.vcf",
            "emoji, a joined sequence and text that turns its direction",
            ended(person("bidi", &[bidi, "Bidi"], CRLF)),
        ),
        sound("nasty-mixed-ends.vcf", "CRLF and LF in one file", mixed),
        sound(
            "nasty-bom.vcf",
            "a byte order mark before BEGIN",
            format!("\u{feff}{}", ended(person("bom", &["Bom", "Mark"], LF))),
        ),
        sound(
            "nasty-photo.vcf",
            "a photo of 180 kB, folded into thousands of lines",
            ended(enormous),
        ),
    ]
}

fn person(name: &str, names: &[&str; 2], ending: &'static str) -> Lines {
    let mut lines = Lines::new(ending);
    lines.block("BEGIN:VCARD\nVERSION:3.0\nPRODID:-//Example//Trouble//EN\n");
    lines.add("UID", &id(name).to_string());
    lines.add("N", &format!("{};{};;;", escape(names[1]), escape(names[0])));
    lines.add("FN", &escape(&names.join(" ")));
    lines.add("EMAIL;TYPE=INTERNET", &format!("{name}@trouble.example.net"));
    lines.add("CATEGORIES", TRACKED);
    lines
}

fn ended(mut lines: Lines) -> String {
    lines.add("END", "VCARD");
    lines.finish()
}

/// Odd appointments.
pub fn appointments(today: Date) -> Vec<Oddity> {
    let start = days_from(today, 5);
    let long = "A description that is far longer than it should be, and says so. ".repeat(20_000);
    let garbage: Vec<u8> =
        (0..2048_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24).to_be_bytes()[3]).collect();
    let event = |name: &str, rule: &str, more: &str, ending| {
        let mut lines = Lines::new(ending);
        head(&mut lines, Some(BERLIN));
        lines.add("BEGIN", "VEVENT");
        lines.add("UID", &format!("{}@example.org", id(name)));
        lines.block("DTSTAMP:20240229T101500Z\nCATEGORIES:Tracked to CRM\n");
        lines.add("DTSTART;TZID=Europe/Berlin", &local(start.at(10, 0, 0, 0)));
        lines.add("DTEND;TZID=Europe/Berlin", &local(start.at(11, 0, 0, 0)));
        lines.add("SUMMARY", &format!("Odd: {name}"));
        if !rule.is_empty() {
            lines.add("RRULE", rule);
        }
        lines.block(more);
        lines.block("END:VEVENT\nEND:VCALENDAR\n");
        lines.finish()
    };
    let extra =
        format!("RDATE;TZID=Europe/Berlin:{}\n", local(days_from(start, 3).at(15, 0, 0, 0)));
    let floating = event("floating", "", "", CRLF).replace(";TZID=Europe/Berlin", "");
    let unknown =
        event("unknown-zone", "", "", CRLF).replace("Europe/Berlin", "Customized Time Zone 1");
    vec![
        broken(
            "nasty-rdate.ics",
            "a series with a date beside its rule (RDATE), which no record can hold",
            event("rdate", "FREQ=WEEKLY;COUNT=5", &extra, CRLF),
        ),
        broken(
            "nasty-bysetpos.ics",
            "the last workday but one of each month (BYSETPOS=-2), which no record can hold",
            event("bysetpos", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2;COUNT=6", "", CRLF),
        ),
        broken(
            "nasty-hourly.ics",
            "a series by the hour, which no record can hold",
            event("hourly", "FREQ=HOURLY;INTERVAL=5;COUNT=9", "", CRLF),
        ),
        broken("nasty-garbage.ics", "binary garbage", garbage),
        broken("nasty-empty.ics", "an empty file", ""),
        sound("nasty-floating.ics", "times without a zone", floating),
        sound("nasty-unknown-zone.ics", "a zone that only its own VTIMEZONE explains", unknown),
        sound(
            "nasty-long.ics",
            "a description of more than a million characters",
            event("long", "", &format!("DESCRIPTION:{long}\n"), CRLF),
        ),
        sound(
            "nasty-lf-bom.ics",
            "a byte order mark, and LF alone",
            format!("\u{feff}{}", event("bom", "", "", LF)),
        ),
        sound(
            "nasty-emoji.ics",
            "emoji and text that turns its direction",
            event("emoji 🎉 \u{202e}abc\u{202c}", "", "LOCATION:🏠\n", CRLF),
        ),
    ]
}

/// Odd tasks.
pub fn tasks(today: Date) -> Vec<Oddity> {
    let todo = |name: &str, more: &str| {
        let mut lines = Lines::new(CRLF);
        lines.block("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example//Trouble//EN\nBEGIN:VTODO\n");
        lines.add("UID", &id(name).to_string());
        lines.block("DTSTAMP:20240229T101500Z\nCATEGORIES:Tracked to CRM\n");
        lines.block(more);
        lines.block("END:VTODO\nEND:VCALENDAR\n");
        lines.finish()
    };
    let mut long = Lines::new(CRLF);
    long.add("SUMMARY", &"A task with a subject beyond its two hundred characters. ".repeat(8));
    long.add(
        "DESCRIPTION",
        &"Two thousand characters are all that a task's description has room for. ".repeat(50),
    );
    let due = format!(
        "SUMMARY:Due before it starts\nDTSTART;VALUE=DATE:{}\nDUE;VALUE=DATE:{}\n",
        day(today),
        day(days_from(today, -4))
    );
    vec![
        sound(
            "nasty-task-long.ics",
            "subject and description beyond the length of their columns",
            todo("long task", &long.finish()),
        ),
        sound(
            "nasty-task-no-subject.ics",
            "a task without a subject",
            todo("no subject", "PRIORITY:5\n"),
        ),
        sound("nasty-task-order.ics", "a task that is due before it starts", todo("order", &due)),
    ]
}

/// Odd messages, with what is odd about them. None is broken: of a message there is always something to read.
pub fn messages(now: &Zoned) -> Vec<(Message, &'static str)> {
    let date = hours_before(now, 77);
    let plain = |subject: &str| {
        letter(
            "trouble@trouble.example.net",
            subject,
            date.clone(),
            &format!("{}@trouble.example.net", subject.len()),
        )
    };
    let mut nameless = plain("No Message-ID");
    nameless.id = None;
    let mut huge = plain("A huge header");
    huge.more = format!("X-Huge: {}\r\n", "0123456789 ".repeat(20_000));
    let open = Part::raw(
        "Content-Type: multipart/mixed; boundary=\"never\"\r\n",
        "--never\r\nContent-Type: text/plain; charset=no-such-charset\r\n\r\nThe end is missing",
    );
    let wrong = Part::raw(
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n",
        "%%% this is not base64 %%%\r\n",
    );
    let nested = (0..40).fold(Part::plain("deep inside\n"), |inner, depth| {
        Part::multipart("mixed", &format!("=_{depth}"), &[inner])
    });
    let mut turned = plain("Invoice \u{202e}fdp.exe\u{202c} 🧾");
    turned.more = "Sensitivity: Personal\r\n".into();
    let all = [
        (nameless.with(&Part::plain("Who am I?\n")), "a message without Message-ID"),
        (
            plain("Broken MIME").with(&open),
            "a multipart that never ends, in a charset that nobody knows",
        ),
        (plain("Broken base64, too").with(&wrong), "base64 that is none"),
        (huge.with(&Part::plain("Below a mountain.\n")), "a header field of 200 kB"),
        (
            plain("Forty parts deep, each in one").with(&nested),
            "forty multiparts, one in the other",
        ),
        (turned.with(&Part::plain("See the file.\n")), "a subject that turns its direction"),
        (
            plain("LF only, and a NUL here")
                .with(&Part::plain("one\ntwo\0three\n"))
                .into_iter()
                .filter(|byte| *byte != b'\r')
                .collect(),
            "lines that end with LF alone, and a NUL",
        ),
    ];
    let message = |bytes| Message { folder: "", flags: Some("S"), at: date.timestamp(), bytes };
    all.into_iter().map(|(bytes, why)| (message(bytes), why)).collect()
}
