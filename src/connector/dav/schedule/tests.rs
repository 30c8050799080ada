use super::*;

const ME: &str = "mailto:anna@x.example";

fn scheduler(obeys: bool) -> Scheduler {
    Scheduler { addresses: BTreeSet::from([ME.to_owned()]), obeys }
}

fn event(lines: &str) -> Vec<u8> {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n").into()
}

fn lines(body: &[u8]) -> String {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let (_, text) = text.split_once("UID:1\r\n").unwrap();
    text.split_once("END:VEVENT").unwrap().0.to_owned()
}

#[test]
fn everybody_in_a_new_item_is_silenced() {
    let table = [
        (
            "ATTENDEE:mailto:b@x.example\r\n",
            "ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:b@x.example\r\n",
        ),
        (
            "ATTENDEE;SCHEDULE-AGENT=SERVER;CN=B:mailto:b@x.example\r\n",
            "ATTENDEE;CN=B;SCHEDULE-AGENT=CLIENT:mailto:b@x.example\r\n",
        ),
        (
            "ATTENDEE;Schedule-Agent=\"client\":mailto:b@x.example\r\n",
            "ATTENDEE;Schedule-Agent=\"client\":mailto:b@x.example\r\n",
        ),
        ("ATTENDEE;SCHEDULE-AGENT=NONE:mailto:b\r\n", "ATTENDEE;SCHEDULE-AGENT=NONE:mailto:b\r\n"),
        (
            "ATTENDEE;CN=\"a;b:c\";X-NOTE=\"SCHEDULE-AGENT=CLIENT\":mailto:b@x.example\r\n",
            "ATTENDEE;CN=\"a;b:c\";X-NOTE=\"SCHEDULE-AGENT=CLIENT\";SCHEDULE-AGENT=CLIENT:ma\r\n ilto:b@x.example\r\n",
        ),
        (
            "ATTENDEE;X-NUM-GUESTS=0;X-URL=\"http://x:1/\":mailto:b\r\n",
            "ATTENDEE;X-NUM-GUESTS=0;X-URL=\"http://x:1/\";SCHEDULE-AGENT=CLIENT:mailto:b\r\n",
        ),
        (
            "ATTEN\r\n DEE;CN=B:mail\r\n\tto:b\r\n",
            "ATTENDEE;CN=B;SCHEDULE-AGENT=CLIENT:mailto:b\r\n",
        ),
        (
            "ORGANIZER:mailto:anna@x.example\n",
            "ORGANIZER;SCHEDULE-AGENT=CLIENT:mailto:anna@x.example\r\n",
        ),
        (
            "attendee;schedule-agent=client;SCHEDULE-FORCE-SEND=REQUEST:mailto:b\r\n",
            "attendee;schedule-agent=client:mailto:b\r\n",
        ),
        (
            "X-ATTENDEE:mailto:b\r\nSUMMARY:ATTENDEE:\r\n",
            "X-ATTENDEE:mailto:b\r\nSUMMARY:ATTENDEE:\r\n",
        ),
        (
            "BEGIN:VALARM\r\nATTENDEE:mailto:b\r\nBEGIN:X\r\nATTENDEE:mailto:b\r\nEND:X\r\nEND:VALARM\r\nATTENDEE:b\r\n",
            "BEGIN:VALARM\r\nATTENDEE:mailto:b\r\nBEGIN:X\r\nATTENDEE:mailto:b\r\nEND:X\r\nEND:VALARM\r\n\
             ATTENDEE;SCHEDULE-AGENT=CLIENT:b\r\n",
        ),
    ];
    for (text, expected) in table {
        let once = created(&event(text)).unwrap();
        assert_eq!(lines(&once), expected);
        assert_eq!(created(&once).unwrap(), once, "once is enough");
    }
}

#[test]
fn every_occurrence_and_every_kind_of_item_is_silenced() {
    let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nATTENDEE:a\nEND:VEVENT\nBEGIN:VEVENT\nRECURRENCE-ID:1\nATTENDEE:a\n\
                END:VEVENT\nBEGIN:VTODO\nATTENDEE:a\nEND:VTODO\nEND:VCALENDAR\n";
    let silenced = String::from_utf8(created(text.as_bytes()).unwrap()).unwrap();
    assert_eq!(silenced.matches("ATTENDEE;SCHEDULE-AGENT=CLIENT:a\r\n").count(), 3);
    assert_eq!(silenced.matches("ATTENDEE").count(), 3);
}

#[test]
fn long_lines_are_folded_between_characters() {
    let name = "äöü€😀".repeat(30);
    let silenced = created(&event(&format!("ATTENDEE;CN={name}:mailto:b\r\n"))).unwrap();
    let folded = lines(&silenced);
    assert!(folded.split("\r\n").all(|line| line.len() <= 75), "{folded}");
    let unfolded = folded.replace("\r\n ", "");
    assert_eq!(unfolded, format!("ATTENDEE;CN={name};SCHEDULE-AGENT=CLIENT:mailto:b\r\n"));
}

#[test]
fn what_may_be_read_in_two_ways_is_refused() {
    for bad in ["ATTENDEE;CN=\"a:mailto:b\r\n", "ATTENDEE\r\n", "SUMMARY:x\rATTENDEE:mailto:b\r\n"]
    {
        let error = created(&event(bad)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rejected, "{bad:?}");
        assert!(!error.message.contains("mailto"));
    }
}

const MINE: &str =
    "ORGANIZER:mailto:Anna@x.example\r\nATTENDEE:mailto:anna@x.example\r\nATTENDEE:mailto:b\r\n";
const MINE_SILENT: &str =
    "ORGANIZER:mailto:anna@x.example\r\nATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:b\r\n";
const THEIRS: &str = "ORGANIZER:mailto:b\r\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@x.example\r\nATTENDEE:mailto:c\r\n";
const THEIRS_SILENT: &str =
    "ORGANIZER;SCHEDULE-AGENT=NONE:mailto:b\r\nATTENDEE:mailto:anna@x.example\r\n";
const OF_OTHERS: &str = "ORGANIZER:mailto:b\r\nATTENDEE:mailto:c\r\n";
const ALONE: &str = "ORGANIZER:mailto:anna@x.example\r\nATTENDEE:mailto:anna@x.example\r\n";

#[test]
fn whose_business_a_meeting_is() {
    let unknown = Scheduler::default();
    for (text, known_user, unknown_user) in [
        ("", Stance::Silent, Stance::Silent),
        (ALONE, Stance::Silent, Stance::Silent),
        (MINE, Stance::Host, Stance::Host),
        (MINE_SILENT, Stance::Silent, Stance::Host),
        (THEIRS, Stance::Guest, Stance::Host),
        (THEIRS_SILENT, Stance::Silent, Stance::Host),
        (OF_OTHERS, Stance::Host, Stance::Host),
        ("ATTENDEE:mailto:anna@x.example\r\n", Stance::Host, Stance::Host),
        ("ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:b\r\n", Stance::Silent, Stance::Silent),
        (
            "ORGANIZER;SCHEDULE-AGENT=CLIENT:a\r\nATTENDEE;SCHEDULE-AGENT=CLIENT:b\r\n",
            Stance::Silent,
            Stance::Silent,
        ),
        ("ATTENDEE;SCHEDULE-AGENT=CLIENT;CN=\"b:c\r\n", Stance::Host, Stance::Host),
    ] {
        assert_eq!(scheduler(false).stance(&event(text)), known_user, "{text}");
        assert_eq!(unknown.stance(&event(text)), unknown_user, "{text}");
    }
}

#[test]
fn a_meeting_that_the_server_sees_to_is_left_to_it() {
    let moved = event(&format!("{MINE}SUMMARY:later\r\nATTENDEE:mailto:new\r\n"));
    for refused in [
        scheduler(false).updated(&event(MINE), &moved).map(drop),
        scheduler(false).deleted(&event(MINE)),
        Scheduler::default().deleted(&event(THEIRS)),
    ] {
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Rejected);
    }
    let told = scheduler(true).updated(&event(MINE), &moved).unwrap();
    let expected = format!("{MINE}SUMMARY:later\r\nATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:new\r\n");
    assert_eq!(lines(&told), expected, "who was invited by the server stays so, who is new is not");
    scheduler(true).deleted(&event(MINE)).unwrap();
    scheduler(false).deleted(&event(MINE_SILENT)).unwrap();
}

#[test]
fn an_invitation_is_changed_but_not_answered() {
    let noted = event(&format!("{THEIRS}SUMMARY:mine\r\n"));
    let stored = scheduler(false).updated(&event(THEIRS), &noted).unwrap();
    assert_eq!(stored, noted, "the server goes on to bring it up to date");
    scheduler(false).deleted(&event(THEIRS)).unwrap();
    let answered = event(&THEIRS.replace("NEEDS-ACTION", "ACCEPTED"));
    let skipped = event(&format!("{THEIRS}EXDATE:20260101T000000Z\r\n"));
    let mut single = event(THEIRS);
    single.extend_from_slice(&event(&format!("{THEIRS}RECURRENCE-ID:20260101T000000Z\r\n")));
    for after in [answered, skipped, single] {
        let error = scheduler(false).updated(&event(THEIRS), &after).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rejected);
        scheduler(true).updated(&event(THEIRS), &after).unwrap();
    }
}

#[test]
fn any_bytes_are_read_to_their_end() {
    use proptest::prelude::*;
    proptest!(|(bytes in proptest::collection::vec(any::<u8>(), 0..400))| {
        let mut text = b"BEGIN:VEVENT\nATTENDEE".to_vec();
        text.extend(bytes);
        if let Ok(silenced) = created(&text) {
            prop_assert_eq!(created(&silenced).unwrap(), silenced.clone());
            prop_assert!(live(&silenced).is_empty());
        }
    });
}
