//! Appointments and tasks as iCalendar (RFC 5545), in the zones and with the habits of several programs. It must not know where they are kept.

use jiff::civil::{Date, DateTime};
use jiff::{Span, ToSpan};

use super::people::{ANNA, BO, Person, acquaintances};
use super::text::{CRLF, LF, Lines, escape};
use super::{cards, id, pick, series};

/// The meeting that Anna moves to another day.
pub const MOVED: usize = 12;
/// The task that she completes.
pub const COMPLETED: usize = 4;
/// The open task whose file she deletes.
pub const DELETED: usize = 12;

const SINGLE: usize = 40;
const WHOLE_DAYS: usize = 6;
const TASKS: usize = 40;

/// A file of the calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub file: String,
    pub text: String,
    pub tracked: bool,
}

/// The 60 appointments: single ones, whole days and series.
pub fn appointments(today: Date) -> Vec<Entry> {
    let people = acquaintances();
    let mut entries: Vec<Entry> =
        (0..SINGLE).map(|number| single(number, today, &people)).collect();
    entries.extend((0..WHOLE_DAYS).map(|number| whole_days(number, today)));
    entries.extend(series::entries(today));
    entries
}

/// The 40 tasks: open, begun, done, with and without a date.
pub fn tasks(today: Date) -> Vec<Entry> {
    (0..TASKS).map(|number| task(number, today)).collect()
}

/// The `UID` of a single meeting. Some are as Outlook makes them.
pub fn meeting_uid(number: usize) -> String {
    let id = id(&format!("appointment {number}"));
    if number % 8 == 3 {
        format!(
            "040000008200E00074C5B7101A82E00800000000{}",
            id.simple().to_string().to_uppercase()
        )
    } else {
        format!("{id}@example.org")
    }
}

/// The `UID` of a task.
pub fn task_uid(number: usize) -> String {
    id(&format!("task {number}")).to_string()
}

/// The subject of a single meeting.
pub fn meeting_subject(number: usize) -> &'static str {
    pick(&SUBJECTS, number)
}

/// The subject of a task.
pub fn task_subject(number: usize) -> String {
    format!("{} ({})", pick(&ERRANDS, number), number + 1)
}

/// A zone as a calendar names it, with its `VTIMEZONE`.
#[derive(Debug, Clone, Copy)]
pub struct Zone {
    pub name: &'static str,
    /// Name of the zone's rules: standard offset, daylight offset, and when they begin.
    rules: Option<(&'static str, &'static str, &'static str, &'static str)>,
    standard: &'static str,
}

const EUROPE: Option<(&str, &str, &str, &str)> = Some((
    "+0200",
    "+0100",
    "19700329T020000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
    "19701025T030000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
));
const AMERICA: Option<(&str, &str, &str, &str)> = Some((
    "-0400",
    "-0500",
    "20070311T020000\nRRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3",
    "20071104T020000\nRRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11",
));
pub const BERLIN: Zone = Zone { name: "Europe/Berlin", rules: EUROPE, standard: "+0100" };
pub const NEW_YORK: Zone = Zone { name: "America/New_York", rules: AMERICA, standard: "-0500" };
pub const TOKYO: Zone = Zone { name: "Asia/Tokyo", rules: None, standard: "+0900" };
/// As Windows names them.
pub const WINDOWS_BERLIN: Zone =
    Zone { name: "W. Europe Standard Time", rules: EUROPE, standard: "+0100" };
pub const WINDOWS_NEW_YORK: Zone =
    Zone { name: "Eastern Standard Time", rules: AMERICA, standard: "-0500" };
pub const WINDOWS_TOKYO: Zone =
    Zone { name: "Tokyo Standard Time", rules: None, standard: "+0900" };

const ZONES: [Zone; 8] =
    [BERLIN, NEW_YORK, BERLIN, TOKYO, WINDOWS_BERLIN, BERLIN, WINDOWS_NEW_YORK, WINDOWS_TOKYO];

/// The head of a calendar with its zones.
pub fn head(lines: &mut Lines, zone: Option<Zone>) {
    lines.block("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example//Calendar//EN\n");
    let Some(zone) = zone else { return };
    lines.add("BEGIN", "VTIMEZONE");
    lines.add("TZID", zone.name);
    match zone.rules {
        Some((summer, winter, to_summer, to_winter)) => lines.block(&format!(
            "BEGIN:DAYLIGHT\nTZOFFSETFROM:{winter}\nTZOFFSETTO:{summer}\nDTSTART:{to_summer}\nEND:DAYLIGHT\n\
             BEGIN:STANDARD\nTZOFFSETFROM:{summer}\nTZOFFSETTO:{winter}\nDTSTART:{to_winter}\nEND:STANDARD\n"
        )),
        None => lines.block(&format!(
            "BEGIN:STANDARD\nTZOFFSETFROM:{0}\nTZOFFSETTO:{0}\nDTSTART:19700101T000000\nEND:STANDARD\n",
            zone.standard
        )),
    }
    lines.add("END", "VTIMEZONE");
}

/// `20260102T090000`.
pub fn local(moment: DateTime) -> String {
    moment.strftime("%Y%m%dT%H%M%S").to_string()
}

/// `20260102`.
pub fn day(date: Date) -> String {
    date.strftime("%Y%m%d").to_string()
}

/// A day some days from another; the same where the calendar ends.
pub fn days_from(date: Date, days: i64) -> Date {
    date.checked_add(Span::new().days(days.clamp(-4000, 4000))).unwrap_or(date)
}

pub fn stamp(lines: &mut Lines) {
    lines.add("DTSTAMP", "20240229T101500Z");
}

pub fn categories(lines: &mut Lines, tracked: bool) {
    lines.add("CATEGORIES", if tracked { "Tracked to CRM,Work" } else { "Private life" });
}

fn zones(number: usize) -> Zone {
    ZONES.get(number % ZONES.len()).copied().unwrap_or(BERLIN)
}

fn single(number: usize, today: Date, people: &[Person]) -> Entry {
    let private = matches!(number, 30 | 31);
    let tracked = number % 6 != 5 || private;
    let zone = zones(number);
    let utc = number % 13 == 7;
    let mut lines = Lines::new(if number % 19 == 2 { LF } else { CRLF });
    head(&mut lines, (!utc).then_some(zone));
    lines.add("BEGIN", "VEVENT");
    lines.add("UID", &meeting_uid(number));
    stamp(&mut lines);
    let offset = i64::try_from(number).unwrap_or_default() * 3 - 30;
    let hour = i8::try_from(8 + number % 9).unwrap_or(8);
    let start =
        days_from(today, offset).at(hour, if number.is_multiple_of(2) { 0 } else { 30 }, 0, 0);
    let end =
        start.checked_add(pick(&[30_i64, 60, 90, 26 * 60], number).minutes()).unwrap_or(start);
    if utc {
        lines.add("DTSTART", &format!("{}Z", local(start)));
        lines.add("DTEND", &format!("{}Z", local(end)));
    } else {
        lines.add(&format!("DTSTART;TZID={}", quoted(zone.name)), &local(start));
        lines.add(&format!("DTEND;TZID={}", quoted(zone.name)), &local(end));
    }
    lines.add("SUMMARY", &escape(meeting_subject(number)));
    lines.add("LOCATION", &escape(pick(&ROOMS, number)));
    categories(&mut lines, tracked);
    details(number, people, &mut lines);
    lines.add("END", "VEVENT");
    lines.add("END", "VCALENDAR");
    Entry { file: format!("appointment-{number:03}.ics"), text: lines.finish(), tracked }
}

/// What only some meetings have: people, an alarm, privacy, a body in HTML.
fn details(number: usize, people: &[Person], lines: &mut Lines) {
    match number {
        30 => lines.add("CLASS", "PRIVATE"),
        31 => lines.add("CLASS", "CONFIDENTIAL"),
        32..=35 => {
            lines.add("DESCRIPTION", &escape("Agenda:\n1. Greetings\n2. Prices\n"));
            let html = "<html><body><p>Agenda:</p><ol><li>Greetings</li><li><b>Prices</b></li></ol></body></html>";
            lines.add("X-ALT-DESC;FMTTYPE=text/html", &escape(html));
        }
        36 | 37 => {
            lines.add(&format!("ORGANIZER;CN={}", BO.name), &format!("mailto:{}", BO.address));
            lines.add(
                &format!("ATTENDEE;CN={};PARTSTAT=NEEDS-ACTION;RSVP=TRUE", ANNA.name),
                &format!("mailto:{}", ANNA.address),
            );
        }
        _ if number.is_multiple_of(3) => {
            lines.add(&format!("ORGANIZER;CN={}", ANNA.name), &format!("mailto:{}", ANNA.address));
            for (person, role) in
                people.iter().skip(number * 2).zip(["REQ-PARTICIPANT", "OPT-PARTICIPANT"])
            {
                let name = person.name();
                lines.add(
                    &format!("ATTENDEE;CN=\"{name}\";ROLE={role};PARTSTAT=ACCEPTED"),
                    &format!("mailto:{}", person.address),
                );
            }
            lines.add(
                "DESCRIPTION",
                &escape("Bring the samples; we start on time,\nand end on time."),
            );
        }
        _ => {}
    }
    if number % 4 == 1 {
        lines.block(
            "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:Reminder\nTRIGGER:-PT15M\nEND:VALARM\n",
        );
        lines.add("TRANSP", "TRANSPARENT");
        lines.add("X-MICROSOFT-CDO-BUSYSTATUS", "FREE");
        lines.add("X-EXAMPLE-COLOUR;X-P=1", "teal");
    }
}

/// A parameter's value with a space in it needs none, but many programs quote it.
pub fn quoted(name: &str) -> String {
    if name.contains(' ') { format!("\"{name}\"") } else { name.to_owned() }
}

fn whole_days(number: usize, today: Date) -> Entry {
    let tracked = number != 5;
    let first = days_from(today, i64::try_from(number).unwrap_or_default() * 9 - 12);
    let mut lines = Lines::new(CRLF);
    head(&mut lines, None);
    lines.add("BEGIN", "VEVENT");
    lines.add("UID", &id(&format!("whole day {number}")).to_string());
    stamp(&mut lines);
    lines.add("DTSTART;VALUE=DATE", &day(first));
    // One day without an end (RFC 5545 §3.6.1), one with, and several days.
    let length = pick(&[0_i64, 1, 3, 1, 5, 2], number);
    if length > 0 {
        lines.add("DTEND;VALUE=DATE", &day(days_from(first, length)));
    }
    lines.add(
        "SUMMARY",
        pick(
            &[
                "Betriebsausflug",
                "Inventory",
                "Messe in Angoulême",
                "国民の休日",
                "Семинар",
                "Holiday at home",
            ],
            number,
        ),
    );
    categories(&mut lines, tracked);
    lines.block("END:VEVENT\nEND:VCALENDAR\n");
    Entry { file: format!("whole-day-{number}.ics"), text: lines.finish(), tracked }
}

fn task(number: usize, today: Date) -> Entry {
    let tracked = number % 3 != 2;
    let due = days_from(today, i64::try_from(number).unwrap_or_default() * 2 - 15);
    let mut lines = Lines::new(CRLF);
    let zoned = number % 5 == 4;
    head(&mut lines, zoned.then_some(BERLIN));
    lines.add("BEGIN", "VTODO");
    lines.add("UID", &task_uid(number));
    stamp(&mut lines);
    lines.add("SUMMARY", &escape(&task_subject(number)));
    match number % 5 {
        0 | 2 => lines.add("DUE;VALUE=DATE", &day(due)),
        1 => {
            lines.add("DTSTART;VALUE=DATE", &day(days_from(due, -3)));
            lines.add("DUE;VALUE=DATE", &day(due));
        }
        3 => {}
        _ => lines.add("DUE;TZID=Europe/Berlin", &local(due.at(17, 0, 0, 0))),
    }
    match number % 4 {
        0 => lines.add("STATUS", "NEEDS-ACTION"),
        1 => {
            lines.add("STATUS", "IN-PROCESS");
            lines.add("PERCENT-COMPLETE", "40");
        }
        2 => {
            lines.add("STATUS", "COMPLETED");
            lines.add("PERCENT-COMPLETE", "100");
            lines.add("COMPLETED", &format!("{}Z", local(days_from(today, -2).at(15, 45, 0, 0))));
        }
        _ => {}
    }
    lines.add("PRIORITY", pick(&["1", "5", "9", "0"], number));
    if number % 6 == 1 {
        lines.add(
            "DESCRIPTION",
            &escape("First line, with a comma; and more.\nSecond line: ünïcödé."),
        );
        lines.add("X-APPLE-SORT-ORDER", "3000");
    }
    lines.add("CATEGORIES", if tracked { cards::TRACKED } else { "Errands" });
    lines.block("END:VTODO\nEND:VCALENDAR\n");
    Entry { file: format!("task-{number:03}.ics"), text: lines.finish(), tracked }
}

const SUBJECTS: [&str; 20] = [
    "Angebot besprechen",
    "Contract talk",
    "Visite de l'atelier",
    "Presentación de la cosecha",
    "Riunione, secondo tentativo",
    "Café com a diretoria",
    "Przegląd umowy; część 2",
    "Porada o křišťálu",
    "Genomgång av offert",
    "Dokuma örnekleri",
    "Συνάντηση για το λάδι",
    "Переговоры о поставке",
    "Зустріч щодо комина",
    "פגישת היכרות",
    "اجتماع المبيعات",
    "वस्त्र नमूने देखना",
    "样品验收",
    "見積もりの打ち合わせ",
    "견적 회의",
    "Lunch 🥗 with supplier",
];
pub const ROOMS: [&str; 6] = [
    "Raum 4.12",
    "Café \"Zur Post\", Köln",
    "https://meet.example.org/j/123?pwd=a,b;c",
    "会議室B",
    "",
    "Phone: +44 20 7946 0101",
];
const ERRANDS: [&str; 10] = [
    "Send the price list",
    "Rechnung prüfen",
    "Réserver le train",
    "Llamar a Begoña",
    "契約書を送る",
    "Позвонить на склад",
    "Order samples",
    "Zaktualizować umowę",
    "להכין הצעת מחיר",
    "Teklifi gönder",
];
