//! Inputs made by the grammar of each format: what blind changes would need years for, since it nests, balances, announces
//! lengths and answers in order. The same seed makes the same input.

use super::rows;
use super::servers::CAPABILITIES;
use super::wire::TURN;

/// A small generator (`SplitMix64`): nothing hangs on its quality, everything on its being the same everywhere.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall the same way for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is at least one.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or_default()
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }
}

/// A whole input for a target.
pub fn input(target: &str, dice: &mut Dice) -> Vec<u8> {
    match target {
        "appointment" => calendar(dice, true).into_bytes(),
        "task" => calendar(dice, false).into_bytes(),
        "vcard" => card(dice).into_bytes(),
        "email" => message(dice, 0).into_bytes(),
        "imap" => imap(dice),
        "pop3" => pop3(dice).into_bytes(),
        "smtp" => smtp(dice),
        "multistatus" => multistatus(dice).into_bytes(),
        "batch" => batch(dice).into_bytes(),
        "rows" => row(dice),
        "fetchxml" => fetchxml(dice).into_bytes(),
        "ipc" => lines(dice, IPC, "\n").into_bytes(),
        "config" => lines(dice, CONFIG, "\n").into_bytes(),
        other => panic!("no grammar for {other}"),
    }
}

/// `old` with a line of a made input put in, or in place of one of its own.
pub fn spliced(target: &str, old: &[u8], dice: &mut Dice) -> Vec<u8> {
    let made = input(target, dice);
    let pieces: Vec<&[u8]> = made.split_inclusive(|byte| *byte == b'\n').collect();
    let from = dice.below(pieces.len());
    let count = 1 + dice.below(4);
    let mut lines: Vec<&[u8]> = old.split_inclusive(|byte| *byte == b'\n').collect();
    let at = dice.below(lines.len() + 1);
    let end = if dice.one_in(2) { at } else { (at + 1 + dice.below(2)).min(lines.len()) };
    lines.splice(at..end, pieces.iter().skip(from).take(count).copied());
    lines.concat()
}

fn lines(dice: &mut Dice, of: &[&str], end: &str) -> String {
    let count = dice.below(14);
    (0..count).map(|_| format!("{}{end}", dice.pick(of))).collect()
}

// Texts.

const TEXTS: &[&str] = &[
    "",
    "x",
    "Anna",
    "Müller\\, Anna",
    "one\\ntwo",
    "a;b;c",
    "\\;\\,\\\\",
    "\"q\"",
    "李小龍",
    "👩‍👩‍👧",
    "e\u{301}",
    "(no subject)",
    "<p>x</p>",
    "&amp;",
    "END:VEVENT",
    "=C3=A9",
    "^n^'",
    "\u{fffd}",
    "\u{feff}",
    "\t ",
    "…",
    "a@b.example",
    "mailto:anna@example.org",
    "MAILTO:bob@example.org",
    "mailto:carl@example.com",
    "tel:+1-555;ext=2",
    "0",
    "-1",
    "100",
    "99999999999999999999",
    "TRUE",
    "1e9",
    "\\",
    "\\N",
    "\u{85}",
    "\u{2028}",
];

const MOMENTS: &[&str] = &[
    "20260106T100000",
    "20260106T100000Z",
    "20260106",
    "20260329T023000",
    "20261025T023000",
    "00010101T000000Z",
    "99991231T235959Z",
    "20260229",
    "2026-01-06T10:00:00Z",
    "20260106T240000Z",
    "20260106T100060Z",
    "19700101T000000",
    "16010101T000000",
    "20260131T090000",
    "20240229T090000Z",
];

const ZONES: &[&str] = &[
    "",
    ";TZID=Europe/Berlin",
    ";TZID=\"W. Europe Standard Time\"",
    ";TZID=Own",
    ";TZID=America/New_York",
    ";VALUE=DATE",
    ";TZID=/mozilla.org/20050126_1/Europe/Berlin",
    ";TZID=Nowhere",
    ";VALUE=DATE-TIME",
    ";TZID=Australia/Lord_Howe",
];

const RULES: &[&str] = &[
    "FREQ=DAILY",
    "FREQ=DAILY;COUNT=3",
    "FREQ=WEEKLY;BYDAY=MO,WE;INTERVAL=2",
    "FREQ=WEEKLY;UNTIL=20260401T000000Z;WKST=SU",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=SECONDLY",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=DAILY;COUNT=99999999999",
    "FREQ=X",
    "FREQ=WEEKLY",
    "FREQ=YEARLY;BYDAY=2SU;BYMONTH=3",
    "FREQ=DAILY;UNTIL=20200101",
    "FREQ=HOURLY;COUNT=2",
    "COUNT=2",
    "",
];

// Calendars.

fn calendar(dice: &mut Dice, is_event: bool) -> String {
    let end = dice.pick(&["\r\n", "\r\n", "\n"]);
    let component = if is_event { "VEVENT" } else { "VTODO" };
    let mut file = format!("BEGIN:VCALENDAR{end}VERSION:2.0{end}PRODID:-//x//y{end}");
    if dice.one_in(3) {
        for line in [
            "BEGIN:VTIMEZONE",
            "TZID:Own",
            "BEGIN:STANDARD",
            "DTSTART:19701025T030000",
            "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
            "TZOFFSETFROM:+0200",
            "TZOFFSETTO:+0100",
            "END:STANDARD",
            "BEGIN:DAYLIGHT",
            "DTSTART:19700329T020000",
            "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
            "TZOFFSETFROM:+0100",
            "TZOFFSETTO:+0200",
            "END:DAYLIGHT",
            "END:VTIMEZONE",
        ] {
            if !dice.one_in(40) {
                file.extend([line, end]);
            }
        }
    }
    let start = moment(dice);
    let is_series = dice.one_in(3);
    for number in 0..=if is_series { dice.below(3) } else { 0 } {
        file.push_str(&format!("BEGIN:{component}{end}UID:u-1{end}"));
        file.push_str(&format!("DTSTART{start}{end}"));
        if is_series && number == 0 {
            file.push_str(&format!("RRULE:{}{end}", dice.pick(RULES)));
        }
        if number > 0 {
            file.push_str(&format!("RECURRENCE-ID{}{end}", moment(dice)));
        }
        for _ in 0..dice.below(9) {
            file.push_str(&property(dice, is_event, end));
        }
        if dice.one_in(5) {
            file.push_str(&format!(
                "BEGIN:VALARM{end}TRIGGER:-PT15M{end}ACTION:DISPLAY{end}END:VALARM{end}"
            ));
        }
        file.push_str(&format!("END:{component}{end}"));
    }
    file.push_str(&format!("END:VCALENDAR{end}"));
    file
}

fn moment(dice: &mut Dice) -> String {
    format!("{}:{}", dice.pick(ZONES), dice.pick(MOMENTS))
}

fn property(dice: &mut Dice, is_event: bool, end: &str) -> String {
    let text = dice.pick(TEXTS);
    let line = match dice.below(24) {
        0 => format!("SUMMARY:{text}"),
        1 => format!("SUMMARY;LANGUAGE=de;X-P=\"a,b\":{text}"),
        2 => format!("DESCRIPTION:{text}"),
        3 => format!("LOCATION:{text}"),
        4 if is_event => format!("DTEND{}", moment(dice)),
        4 => format!("DUE{}", moment(dice)),
        5 => format!(
            "DURATION:{}",
            dice.pick(&["PT1H", "P1D", "-PT1H", "P99999999999D", "PT0S", "P1W", "PT"])
        ),
        6 => format!("EXDATE{}", moment(dice)),
        7 => format!("EXDATE:{},{}", dice.pick(MOMENTS), dice.pick(MOMENTS)),
        8 => format!("RDATE{}", moment(dice)),
        9 => format!(
            "STATUS:{}",
            dice.pick(&[
                "TENTATIVE",
                "CONFIRMED",
                "CANCELLED",
                "COMPLETED",
                "IN-PROCESS",
                "NEEDS-ACTION",
                "x"
            ])
        ),
        10 => {
            format!("ORGANIZER;CN=\"{}\":{}", dice.pick(&["Anna", "B, C", "^n"]), dice.pick(TEXTS))
        }
        11 => format!(
            "ATTENDEE;ROLE={};PARTSTAT=ACCEPTED:{}",
            dice.pick(&["REQ-PARTICIPANT", "OPT-PARTICIPANT", "NON-PARTICIPANT", "CHAIR"]),
            dice.pick(TEXTS)
        ),
        12 => format!(
            "ATTENDEE;CUTYPE={}:mailto:{}",
            dice.pick(&["ROOM", "RESOURCE", "GROUP"]),
            dice.pick(&["r@b.example", "anna@example.org", "x"])
        ),
        13 => format!("PRIORITY:{}", dice.pick(&["0", "1", "5", "9", "-1", "x", "10"])),
        14 => format!("PERCENT-COMPLETE:{}", dice.pick(&["0", "40", "100", "101", "-1", "x"])),
        15 => format!("COMPLETED:{}", dice.pick(MOMENTS)),
        16 => format!("TRANSP:{}", dice.pick(&["OPAQUE", "TRANSPARENT"])),
        17 => format!(
            "X-MICROSOFT-CDO-BUSYSTATUS:{}",
            dice.pick(&["FREE", "BUSY", "OOF", "TENTATIVE", "WORKINGELSEWHERE"])
        ),
        18 => format!("SEQUENCE:{}", dice.pick(&["0", "7", "2147483647", "99999999999", "x"])),
        19 => format!("LAST-MODIFIED:{}", dice.pick(MOMENTS)),
        20 => format!("CLASS:{}", dice.pick(&["PUBLIC", "PRIVATE", "CONFIDENTIAL"])),
        21 => format!("X-KEEP;X-P=\"a:b\":{text}{end} folded{end}\tmore"),
        22 => format!("RRULE:{}", dice.pick(RULES)),
        _ => format!("X-ALT-DESC;FMTTYPE=text/html:{text}"),
    };
    format!("{line}{end}")
}

// Cards.

/// What stands before the colon of a line of a card, as address books write it.
pub const CARD: &[&str] = &[
    "N",
    "FN",
    "NICKNAME",
    "TITLE",
    "ORG",
    "ORG;SORT-AS=x",
    "EMAIL",
    "EMAIL;TYPE=INTERNET",
    "EMAIL;TYPE=PREF",
    "EMAIL;PREF=3",
    "item1.EMAIL;type=INTERNET;type=pref",
    "EMAIL;TYPE=X400",
    "TEL",
    "TEL;TYPE=WORK,VOICE",
    "TEL;TYPE=WORK;PREF=2",
    "TEL;WORK;VOICE;PREF",
    "TEL;TYPE=\"home,voice\"",
    "TEL;HOME",
    "TEL;CELL",
    "TEL;TYPE=CELL;TYPE=WORK",
    "TEL;TYPE=FAX",
    "TEL;TYPE=HOME,FAX",
    "TEL;TYPE=PAGER",
    "TEL;TYPE=X-EVOLUTION-CALLBACK",
    "TEL;TYPE=MAIN",
    "TEL;TYPE=X-EVOLUTION-ASSISTANT",
    "TEL;VALUE=uri;TYPE=work",
    "item2.TEL",
    "ADR",
    "ADR;TYPE=WORK",
    "ADR;TYPE=HOME;LABEL=\"a;b\"",
    "ADR;TYPE=OTHER",
    "item3.ADR;type=WORK;type=pref",
    "BDAY",
    "BDAY;VALUE=date",
    "ANNIVERSARY",
    "X-ANNIVERSARY",
    "X-EVOLUTION-ANNIVERSARY",
    "URL",
    "URL;TYPE=ftp",
    "X-FTP",
    "NOTE",
    "X-SPOUSE",
    "X-EVOLUTION-SPOUSE",
    "RELATED;TYPE=spouse;VALUE=text",
    "RELATED;TYPE=child",
    "X-MS-CHILD",
    "X-MANAGER",
    "item1.X-ABLabel",
    "item2.X-ABLabel",
    "item2.X-ABRELATEDNAMES",
    "X-GOVERNMENT-ID",
    "CATEGORIES",
    "CLASS",
    "X-LIAISON-EMPTY",
    "NOTE;ENCODING=QUOTED-PRINTABLE",
    "FN;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1",
    "PHOTO;ENCODING=b",
    "GENDER",
    "REV",
    "AGENT",
    "X-EVOLUTION-FILE-AS",
    "N;CHARSET=UTF-8",
    "GEO",
    "item4.X-ABDATE",
];

/// What stands after it.
pub const CARD_VALUES: &[&str] = &[
    "a@b.example",
    "tel:+1-555;ext=2",
    ";;1 Street\\nFloor 2;Town;;123;Land",
    ";Flat 5;2 Street;Town;;;",
    "Doe;John;Q.,Public;Dr.;Jr.",
    "John Ronald Reuel Tolkien",
    "Doe, John",
    "Acme\\; Inc.;Sales;East",
    "19800203",
    "1980-02-03",
    "--0203",
    "1604-02-03",
    "1980-02-03T00:00:00Z",
    "_$!<HomeFAX>!$_",
    "_$!<Spouse>!$_",
    "emailaddress1,telephone1",
    "address1",
    "organisation,description",
    ";;;;",
    "=C3=A9=\r\n more",
    "=\r\n",
    "\\,;\\;,",
    ",,,",
    "group",
];

fn card(dice: &mut Dice) -> String {
    let end = dice.pick(&["\r\n", "\r\n", "\n"]);
    let version = dice.pick(&["2.1", "3.0", "4.0"]);
    let mut card = format!("BEGIN:VCARD{end}VERSION:{version}{end}");
    if !dice.one_in(8) {
        card.push_str(&format!("UID:u-1{end}"));
    }
    for _ in 0..dice.below(12) {
        // A second one, or one of a group, and nobody reads it.
        let head = if dice.one_in(30) { dice.pick(&["UID", "KIND"]) } else { dice.pick(CARD) };
        let value = if dice.one_in(3) { dice.pick(TEXTS) } else { dice.pick(CARD_VALUES) };
        card.push_str(&format!("{head}:{value}{end}"));
        if dice.one_in(6) {
            card.push_str(&format!("X-KEEP;X-P=\"a,b\":kept{end} and{end}\tfolded{end}"));
        }
    }
    card.push_str(&format!("END:VCARD{end}"));
    card
}

// Messages.

const HEADERS: &[&str] = &[
    "Message-ID: <a@b.example>",
    "Message-ID: <a@\r\n b>",
    "Message-Id: no-brackets",
    "In-Reply-To: <c@d.example>",
    "References: <c@d.example> <e@f.example>",
    "Subject: x",
    "Subject: =?utf-8?q?=C3=A9_x?=",
    "Subject: =?x?y?z?=",
    "Subject: =?utf-8?b?DQpYLUV2aWw6IHg=?=",
    "From: Anna <anna@example.org>",
    "From: \"B, C\" <bob@example.org>, x@y.example",
    "To: a@b.example, =?utf-8?q?M=C3=BC?= <c@d.example>",
    "To: Group: a@b.example, c@d.example;, e@f.example",
    "Cc: <>",
    "Cc: @,;:<",
    "Bcc: hidden@b.example",
    "Date: Tue, 6 Jan 2026 10:00:00 +0100",
    "Date: 6 Jan 99 10:00 EST",
    "Date: x",
    "Date: Tue, 6 Jan 2026 10:00:00 +9999",
    "Reply-To: r@b.example",
    "Sender: s@b.example",
    "Importance: high",
    "X-Priority: 1",
    "Return-Path: <>",
    "Auto-Submitted: auto-replied",
    "Received: from x by y; Tue, 6 Jan 2026 10:00:00 +0000",
    "MIME-Version: 1.0",
    "Thread-Index: AQHc",
    "Thread-Topic: x CRM:0001",
    "Subject: re: fw: x CRM:0012345",
    "Content-Disposition: attachment; filename=x",
    "Content-Language: de",
    "List-Id: <x.y>",
    "Subject:",
    ": x",
    "no colon",
];

const TYPES: &[&str] = &[
    "text/plain",
    "text/plain; charset=iso-8859-1",
    "text/html; charset=utf-8",
    "text/plain; charset=utf-7",
    "text/plain; charset=x",
    "application/pdf; name=\"a\\\"b/../c.pdf\"",
    "image/png; name*=utf-8''%C3%A9.png",
    "text/calendar; method=REQUEST",
    "application/octet-stream; name*0=\"a\"; name*1=\"b\"",
    "text/plain; format=flowed",
    "message/delivery-status",
    "x/y/z",
];

const BODIES: &[&str] = &[
    "",
    "hello\r\n",
    "<p>x<br>y</p><script>z</script>\r\n",
    "aGVsbG8=\r\n",
    "=C3=A9=\r\nx\r\n",
    "begin 644 x\r\n#86)C\r\n`\r\nend\r\n",
    "--b\r\n",
    "--b--\r\n",
    ".\r\n..\r\n",
    "\0\u{1}\r\n",
    "From x\r\n",
    "\u{fc}\r\n",
];

fn message(dice: &mut Dice, depth: usize) -> String {
    let mut message = String::new();
    for _ in 0..dice.below(12) {
        message.push_str(dice.pick(HEADERS));
        message.push_str("\r\n");
    }
    message.push_str(&part(dice, depth));
    message
}

fn part(dice: &mut Dice, depth: usize) -> String {
    let encoding = dice.pick(&["7bit", "base64", "quoted-printable", "8bit", "x-uuencode", "x"]);
    if depth > 6 || dice.one_in(2) {
        let disposition = dice.pick(&[
            "",
            "",
            "Content-Disposition: attachment; filename=\"../x\"\r\n",
            "Content-ID: <i@x>\r\nContent-Disposition: inline\r\n",
        ]);
        return format!(
            "Content-Type: {}\r\nContent-Transfer-Encoding: {encoding}\r\n{disposition}\r\n{}",
            dice.pick(TYPES),
            dice.pick(BODIES)
        );
    }
    if dice.one_in(4) {
        return format!("Content-Type: message/rfc822\r\n\r\n{}", message(dice, depth + 1));
    }
    let kind = dice.pick(&["mixed", "alternative", "related", "signed", "digest", "report"]);
    let boundary = format!("b{depth}");
    let mut whole =
        format!("Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n\r\npreamble\r\n");
    for _ in 0..dice.below(4) {
        whole.push_str(&format!("--{boundary}\r\n{}\r\n", part(dice, depth + 1)));
    }
    if !dice.one_in(5) {
        whole.push_str(&format!("--{boundary}--\r\n"));
    }
    whole
}

// Servers.

fn imap(dice: &mut Dice) -> Vec<u8> {
    let mut script = vec![u8::try_from(dice.below(CAPABILITIES.len())).unwrap_or_default()];
    for number in 1..=1 + dice.below(14) {
        if number == 1 && !dice.one_in(10) {
            let line = format!("* CAPABILITY {}\r\n", dice.pick(&CAPABILITIES));
            script.extend_from_slice(line.as_bytes());
        }
        for _ in 0..dice.below(5) {
            let line = untagged(dice);
            script.extend_from_slice(line.as_bytes());
        }
        let condition = dice.pick(&["OK", "OK", "OK", "OK", "NO", "BAD"]);
        let code = dice.pick(&[
            "",
            "",
            "[READ-ONLY] ",
            "[CLOSED] ",
            "[NONEXISTENT] ",
            "[HIGHESTMODSEQ 7] ",
            "[CAPABILITY IMAP4rev1] ",
        ]);
        script.extend_from_slice(format!("A{number:04} {condition} {code}done\r\n").as_bytes());
        if !dice.one_in(20) {
            script.push(TURN);
        }
    }
    script
}

fn untagged(dice: &mut Dice) -> String {
    let folder = dice.pick(&[
        "INBOX",
        "\"INBOX\"",
        "Archive",
        "{5}\r\nINBOX",
        "\"a&AOk-\"",
        "\"[Gmail]/All Mail\"",
        "Old",
        "NIL",
        "\"\"",
    ]);
    let number = dice.pick(&["0", "1", "4", "7", "20", "4294967295", "4294967296", "x"]);
    match dice.below(20) {
        0 => format!("* LIST ({}) \"/\" {folder}\r\n", dice.pick(&["", "\\HasNoChildren", "\\Noselect", "\\NonExistent \\Drafts", "\\All", "\\Junk"])),
        1 => format!("* LIST () NIL {folder} (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"),
        2 => format!("* STATUS {folder} (MESSAGES {number} UIDNEXT 10 UIDVALIDITY 7 HIGHESTMODSEQ 20)\r\n"),
        3 => format!("* STATUS {folder} (MESSAGES 2 UIDNEXT {number} UIDVALIDITY 8)\r\n"),
        4 => format!("* {number} EXISTS\r\n"),
        5 => format!("* OK [UIDVALIDITY {number}] x\r\n"),
        6 => format!("* OK [UIDNEXT {number}] x\r\n* OK [HIGHESTMODSEQ {number}] x\r\n"),
        7 => "* FLAGS (\\Seen $CrmTracked)\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n".to_owned(),
        8 => format!("* {number} FETCH (UID {number} FLAGS (\\Seen $CrmTracked) MODSEQ (21))\r\n"),
        9 => format!("* 4 FETCH (UID 4 RFC822.SIZE {number} BODY[] {{12}}\r\nSubject: x\r\n)\r\n"),
        10 => "* 4 FETCH (UID 4 BODY[HEADER.FIELDS (Message-ID)] {28}\r\nMessage-ID: <a@b.example>\r\n\r\n)\r\n".to_owned(),
        11 => format!("* VANISHED (EARLIER) {}\r\n", dice.pick(&["1", "1:3", "1:4294967295", "*", "5:1,9", ",", "0"])),
        12 => format!("* {number} EXPUNGE\r\n"),
        13 => format!("* ESEARCH (TAG \"A0003\") UID ALL {}\r\n", dice.pick(&["4", "1:3", "4294967295", "x"])),
        14 => format!("* SEARCH {number} 4\r\n"),
        15 => "* BYE gone\r\n".to_owned(),
        16 => format!("* CAPABILITY {}\r\n", dice.pick(&CAPABILITIES)),
        17 => format!("* {}{}\r\n", "(".repeat(dice.below(100)), ")".repeat(dice.below(100))),
        18 => format!("* 1 FETCH (UID 1 X {{{number}}}\r\nabc)\r\n"),
        _ => dice.pick(&["+ go\r\n", "\r\n", "* NO [ALERT] x\r\n", "* ENABLED QRESYNC\r\n", "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n", "* ID NIL\r\n", "x\r\n", "* PREAUTH again\r\n"]).to_owned(),
    }
}

fn pop3(dice: &mut Dice) -> String {
    let mut script = String::from("+OK ready\r\n");
    script.push_str(dice.pick(&[
        "-ERR no\r\n",
        "+OK\r\nUIDL\r\nTOP\r\nPIPELINING\r\n.\r\n",
        "+OK\r\nSASL PLAIN\r\nUIDL\r\n.\r\n",
        "+OK\r\nLOGIN-DELAY 900\r\nTOP\r\n.\r\n",
    ]));
    script.push_str(dice.pick(&[
        "+OK\r\n+OK\r\n",
        "+ \r\n+OK\r\n",
        "+OK\r\n-ERR [AUTH] no\r\n",
        "+OK in\r\n",
    ]));
    for _ in 0..2 {
        script.push_str(dice.pick(&["+OK\r\n", "+OK\r\n", "-ERR [SYS/TEMP] x\r\n", "+OK 2\r\n"]));
        for number in 1..=dice.below(5) {
            let line = match dice.below(6) {
                0 => format!("{number} {}\r\n", dice.pick(TEXTS)),
                1 => format!("{} x\r\n", dice.pick(&["0", "1", "4294967296", "-1", "x", "01"])),
                _ => format!("{number} {}\r\n", 100 + number),
            };
            script.push_str(&line);
        }
        script.push_str(dice.pick(&[".\r\n", ".\r\n", ".\r\n", "..\r\n.\r\n", ""]));
    }
    for _ in 0..dice.below(5) {
        script.push_str(dice.pick(&["+OK\r\n", "+OK\r\n", "-ERR none\r\n", "+ go\r\n"]));
        script.push_str(dice.pick(&[
            "Subject: x\r\n\r\n",
            "..\r\n",
            ".x\r\n",
            "Message-ID: <a@b>\r\n\r\nbody\r\n",
            "\n.\n",
            "\r.\r\n",
        ]));
        script.push_str(dice.pick(&[".\r\n", ".\r\n", ".\n", ""]));
    }
    script
}

fn smtp(dice: &mut Dice) -> Vec<u8> {
    let hello = dice.pick(&[
        "250-mx\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN\r\n",
        "250 mx\r\n",
        "250-mx\r\n250-SIZE 0\r\n250 AUTH XOAUTH2\r\n",
    ]);
    let ordinary = [
        "220 mx ready\r\n",
        hello,
        hello,
        "235 in\r\n",
        "250 ok\r\n",
        "250 ok\r\n",
        "250-ok\r\n250 ok\r\n",
        "354 go\r\n",
        "250 2.0.0 queued as 7\r\n",
        "221 bye\r\n",
    ];
    let other = &[
        "550 5.1.1 no\r\n",
        "451 4.3.0 later\r\n",
        "250-\r\n250-\r\n250 x\r\n",
        "25",
        "250\r\n",
        "999 x\r\n",
        "334 \r\n",
        "554-x\r\n550 y\r\n",
        "\r\n",
        "354\r\n",
        "",
    ];
    let mut script = Vec::new();
    for turn in ordinary {
        let said = if dice.one_in(8) { dice.pick(other) } else { turn };
        script.extend_from_slice(said.as_bytes());
        if !dice.one_in(30) {
            script.push(TURN);
        }
    }
    script
}

fn multistatus(dice: &mut Dice) -> String {
    let mut xml = dice
        .pick(&[
            "",
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n",
            "\u{feff}",
            "<!DOCTYPE x [<!ENTITY e \"x\">]>",
        ])
        .to_owned();
    let root = dice.pick(&["D:multistatus", "D:multistatus", "D:multistatus", "D:error"]);
    xml.push_str(&format!("<{root} xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\" xmlns:CS=\"http://calendarserver.org/ns/\" xmlns:A=\"urn:ietf:params:xml:ns:carddav\">\n"));
    for _ in 0..dice.below(4) {
        let href = dice.pick(&[
            "/a/",
            "/a/b.ics",
            "/a/../../etc",
            "%2e%2e",
            "http://evil.example/x",
            "/a/&#xe9;.ics",
            "/a/%00",
            "",
        ]);
        xml.push_str(&format!("<D:response><D:href>{href}</D:href>\n"));
        if dice.one_in(4) {
            xml.push_str(&format!(
                "<D:status>HTTP/1.1 {}</D:status>\n",
                dice.pick(&["404 Not Found", "507 x", "200", "", "HTTP"])
            ));
        }
        for _ in 0..dice.below(3) {
            xml.push_str("<D:propstat><D:prop>\n");
            for _ in 0..dice.below(4) {
                xml.push_str(dice.pick(&[
                    "<D:getetag>\"1\"</D:getetag>\n", "<D:getetag>W/\"1\"</D:getetag>\n", "<D:getetag/>\n", "<D:getcontenttype>text/calendar</D:getcontenttype>\n",
                    "<C:calendar-data>BEGIN:VCALENDAR&#13;\nEND:VCALENDAR</C:calendar-data>\n", "<C:calendar-data><![CDATA[x]]></C:calendar-data>\n",
                    "<A:address-data>BEGIN:VCARD</A:address-data>\n", "<D:displayname>x &amp; y &lt;</D:displayname>\n", "<D:sync-token>urn:1</D:sync-token>\n",
                    "<CS:getctag>1</CS:getctag>\n", "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>\n",
                    "<C:supported-calendar-component-set><C:comp name=\"VEVENT\"/><C:comp name='VTODO'/></C:supported-calendar-component-set>\n",
                    "<D:supported-report-set><D:supported-report><D:report><D:sync-collection/></D:report></D:supported-report></D:supported-report-set>\n",
                    "<D:current-user-privilege-set><D:privilege><D:write/></D:privilege></D:current-user-privilege-set>\n",
                    "<C:max-resource-size>99999999999999999999</C:max-resource-size>\n", "<D:current-user-principal><D:href>/p/</D:href></D:current-user-principal>\n",
                    "<C:calendar-home-set><D:href>/h/</D:href><D:href/></C:calendar-home-set>\n", "<x xmlns=\"y\"><z/></x>\n", "&unknown;", "<!-- c -->",
                ]));
            }
            xml.push_str(&format!(
                "</D:prop><D:status>HTTP/1.1 {}</D:status></D:propstat>\n",
                dice.pick(&["200 OK", "404 Not Found", "403", "x"])
            ));
        }
        xml.push_str("</D:response>\n");
    }
    xml.push_str(dice.pick(&[
        "",
        "<D:sync-token>urn:2</D:sync-token>\n",
        "<D:valid-sync-token/>\n",
        "<C:no-uid-conflict><D:href>/a/b.ics</D:href></C:no-uid-conflict>\n",
    ]));
    xml.push_str(&format!("</{root}>"));
    xml
}

// The CRM.

fn batch(dice: &mut Dice) -> String {
    let outer = rows::BOUNDARY;
    let end = dice.pick(&["\r\n", "\r\n", "\n"]);
    let mut reply = String::new();
    reply.push_str(&format!("--{outer}{end}{}", answer(dice, end)));
    if dice.one_in(4) {
        reply.push_str(&format!("--{outer}{end}{}", answer(dice, end)));
    } else {
        let boundary = dice.pick(&["changesetresponse_2", "\"quoted_2\""]);
        let inner = boundary.trim_matches('"');
        reply.push_str(&format!(
            "--{outer}{end}Content-Type: multipart/mixed; boundary={boundary}{end}{end}"
        ));
        for _ in 0..dice.below(4) {
            reply.push_str(&format!("--{inner}{end}{}", answer(dice, end)));
        }
        reply.push_str(&format!("--{inner}--{end}"));
    }
    if !dice.one_in(6) {
        reply.push_str(&format!("--{outer}--{end}"));
    }
    reply
}

fn answer(dice: &mut Dice, end: &str) -> String {
    let status = dice.pick(&[
        "HTTP/1.1 200 OK",
        "HTTP/1.1 204 No Content",
        "HTTP/ 1.1 201 Created",
        "HTTP/1.1 412 Precondition Failed",
        "HTTP/1.1 429 x",
        "HTTP/1.1",
        "HTTP/1.1 9999",
    ]);
    let headers = dice.pick(&[
        "",
        "OData-Version: 4.0",
        "ETag: W/\"7\"",
        "Retry-After: 5",
        "no colon",
        "Content-ID: 1",
    ]);
    let body = dice.pick(&[
        "",
        "{\"value\":[]}",
        "{\"error\":{\"code\":\"0x1\",\"message\":\"x\"}}",
        "--",
        "HTTP/1.1 200 OK",
    ]);
    format!(
        "Content-Type: application/http{end}Content-Transfer-Encoding: binary{end}{end}{status}{end}{headers}{end}{end}{body}{end}"
    )
}

const COLUMNS: &[&str] = &[
    "\"subject\":\"x\"",
    "\"subject\":null",
    "\"subject\":7",
    "\"description\":\"a\\r\\nb\"",
    "\"scheduledstart\":\"2026-01-06T09:00:00Z\"",
    "\"scheduledend\":\"2026-01-06T10:00:00Z\"",
    "\"scheduledend\":\"2026-01-06\"",
    "\"isalldayevent\":true",
    "\"location\":\"Room; 5, x\"",
    "\"statecode\":0",
    "\"statecode\":1",
    "\"statuscode\":1",
    "\"statuscode\":5",
    "\"statuscode\":99999999999",
    "\"prioritycode\":2",
    "\"percentcomplete\":40",
    "\"percentcomplete\":-1",
    "\"actualend\":\"2026-01-06T10:00:00Z\"",
    "\"firstname\":\"Anna\"",
    "\"lastname\":\"M\\u00fcller\"",
    "\"fullname\":\"x\"",
    "\"jobtitle\":\"x\\ny\"",
    "\"emailaddress1\":\"a@b.example\"",
    "\"emailaddress1\":\"not one\"",
    "\"telephone1\":\"+1 555\"",
    "\"birthdate\":\"1980-02-03\"",
    "\"birthdate\":\"x\"",
    "\"anniversary\":\"0001-01-01\"",
    "\"address1_line1\":\"1; Street\"",
    "\"address1_city\":\"T,own\"",
    "\"websiteurl\":\"http://x\"",
    "\"_parentcustomerid_value@OData.Community.Display.V1.FormattedValue\":\"Acme\"",
    "\"globalobjectid\":\"u-1\"",
    "\"globalobjectid\":\"040000008200E00074C5B7101A82E008\"",
    "\"messageid\":\"<a@b.example>\"",
    "\"senton\":\"2026-01-06T10:00:00Z\"",
    "\"directioncode\":true",
    "\"sender\":\"a@b.example\"",
    "\"torecipients\":\"a@b.example;\"",
    "\"mimetype\":\"text/html\"",
    "\"recurrencepatterntype\":1",
    "\"interval\":2",
    "\"daysofweekmask\":62",
    "\"patternstartdate\":\"2026-01-06T00:00:00Z\"",
    "\"patternendtype\":2",
    "\"occurrences\":5",
    "\"starttime\":\"2026-01-06T09:00:00Z\"",
    "\"endtime\":\"2026-01-06T10:00:00Z\"",
    "\"duration\":60",
    "\"dayofmonth\":31",
    "\"instance\":5",
    "\"monthofyear\":2",
    "\"recurrencepatterntype\":0",
    "\"interval\":0",
    "\"interval\":999999",
    "\"occurrences\":0",
    "\"effectivestartdate\":\"2026-01-06T00:00:00Z\"",
    "\"patternenddate\":\"2026-03-06T00:00:00Z\"",
    "\"deletedexceptionslist\":\"2026-01-07T09:00:00Z\"",
    "\"@odata.etag\":\"W/\\\"8\\\"\"",
    "\"versionnumber\":8",
    "\"appointment_activity_parties\":[{\"activitypartyid\":\"11111111-2222-3333-4444-555555555556\",\"participationtypemask\":5,\"addressused\":\"anna@example.org\"},{\"participationtypemask\":7,\"addressused\":\"bob@example.org\"}]",
    "\"email_activity_parties\":[{\"participationtypemask\":1,\"addressused\":\"a@b.example\",\"partyidname\":\"A\"}]",
    "\"new_x\":{\"y\":[1,2,{\"z\":null}]}",
    "\"_regardingobjectid_value\":\"11111111-2222-3333-4444-555555555557\"",
    "\"email_activity_parties@odata.nextLink\":\"x\"",
];

fn row(dice: &mut Dice) -> Vec<u8> {
    let table = dice.below(5);
    let id = ["contactid", "activityid", "activityid", "activityid", "activityid"][table];
    let mut json = format!("{{\n\"@odata.etag\":\"W/\\\"7\\\"\",\n\"{id}\":\"{}\"", rows::ROW);
    for _ in 0..dice.below(24) {
        json.push_str(",\n");
        json.push_str(dice.pick(COLUMNS));
    }
    json.push_str("\n}");
    let mut input = vec![u8::try_from(table).unwrap_or_default()];
    input.extend_from_slice(json.as_bytes());
    if table == 3 && dice.one_in(2) {
        input.push(0);
        input.extend_from_slice(br#"{"value":[{"activityid":"11111111-2222-3333-4444-555555555558","originalstartdate":"2026-01-08T09:00:00Z","scheduledstart":"2026-01-08T11:00:00Z","scheduledend":"2026-01-08T12:00:00Z","subject":"moved","instancetypecode":3,"statecode":3,"statuscode":5,"isalldayevent":false}]}"#);
    }
    input
}

fn fetchxml(dice: &mut Dice) -> String {
    let table =
        dice.pick(&["contact", "task", "appointment", "recurringappointmentmaster", "account"]);
    let attributes = dice.pick(&[
        "",
        " version=\"1.0\" mapping=\"logical\"",
        " distinct=\"true\"",
        " top=\"5\"",
        " page=\"2\" count=\"10\"",
        " aggregate=\"true\"",
    ]);
    let mut xml = format!("<fetch{attributes}>\n<entity name=\"{table}\">\n");
    for _ in 0..dice.below(3) {
        xml.push_str(dice.pick(&[
            "<attribute name=\"x\"/>\n",
            "<all-attributes/>\n",
            "<order attribute=\"x\" descending=\"true\"/>\n",
        ]));
    }
    for _ in 0..=dice.below(2) {
        filter(dice, 0, &mut xml);
    }
    if dice.one_in(3) {
        xml.push_str("<link-entity name=\"account\" from=\"accountid\" to=\"parentcustomerid\" alias=\"a\" link-type=\"outer\">\n");
        filter(dice, 0, &mut xml);
        xml.push_str("</link-entity>\n");
    }
    xml.push_str("</entity>\n</fetch>");
    xml
}

fn filter(dice: &mut Dice, depth: usize, xml: &mut String) {
    xml.push_str(dice.pick(&[
        "<filter>\n",
        "<filter type=\"or\">\n",
        "<filter type=\"and\" hint=\"union\">\n",
    ]));
    for _ in 0..dice.below(4) {
        if depth < 40 && dice.one_in(3) {
            filter(dice, depth + 1, xml);
            continue;
        }
        let column = dice.pick(&[
            "statecode",
            "ownerid",
            "fullname",
            "createdon",
            "contactid",
            "subject",
            "no_such",
        ]);
        let operator = dice.pick(&[
            "eq",
            "eq-userid",
            "like",
            "null",
            "last-x-days",
            "between",
            "in",
            "ne",
            "on-or-after",
            "olderthan-x-months",
            "x",
        ]);
        xml.push_str(&format!("<condition attribute=\"{column}\" operator=\"{operator}\""));
        match dice.below(3) {
            0 => xml.push_str("/>\n"),
            1 => xml.push_str(&format!(
                " value=\"{}\"/>\n",
                dice.pick(&["0", "a%", "&lt;&quot;&#10;", "'", "2026-01-06", "-1", ""])
            )),
            _ => xml.push_str("><value>1</value><value>&#xfc;</value></condition>\n"),
        }
    }
    xml.push_str("</filter>\n");
}

// Files.

const IPC: &[&str] = &[
    "{\"id\":1,\"do\":{\"hello\":{\"version\":1,\"program\":\"x\"}}}",
    "{\"id\":2,\"do\":\"status\"}",
    "{\"id\":3,\"do\":{\"sync\":{\"classes\":[\"contact\"]}}}",
    "{\"id\":3,\"do\":{\"sync\":{}}}",
    "{\"id\":4,\"do\":{\"pause\":{\"seconds\":60}}}",
    "{\"id\":5,\"do\":{\"run\":{\"command\":\"approve\",\"arguments\":[\"1\"],\"json\":true}}}",
    "{\"id\":6,\"do\":{\"reply\":{\"yes\":true}}}",
    "{\"id\":7,\"do\":\"events\"}",
    "{\"id\":18446744073709551615,\"do\":\"reload\"}",
    "{\"id\":-1,\"do\":\"resume\"}",
    "{\"id\":1,\"done\":{\"welcome\":{\"version\":1,\"program\":\"liaison\"}}}",
    "{\"id\":1,\"done\":\"nothing\"}",
    "{\"id\":1,\"done\":{\"answer\":{\"text\":\"x\",\"json\":{\"a\":[1.5,null,1e300]},\"notes\":[],\"exit\":0}}}",
    "{\"id\":1,\"failed\":{\"kind\":\"protocol\",\"message\":\"x\",\"hint\":null,\"exit\":70}}",
    "{\"id\":1,\"progress\":{\"class\":\"email\",\"doing\":\"listing\",\"done\":1,\"of\":2}}",
    "{\"id\":1,\"question\":{\"about\":\"a\\nb\",\"question\":\"y\"}}",
    "[[[[[[[[",
    "{}",
    "",
    "null",
    "\u{fc}",
    "{\"id\":1,\"do\":\"status\",\"more\":1}",
];

const CONFIG: &[&str] = &[
    "[guard]",
    "[mailbox.appointments]",
    "[mailbox.contacts]",
    "[mailbox.email]",
    "[mailbox.submission]",
    "[mailbox.tasks]",
    "[mailbox]",
    "[offline.filters]",
    "[offline]",
    "[organisation.contoso]",
    "[service]",
    "[sync.appointment]",
    "[sync.contact]",
    "[sync.email]",
    "[sync.task]",
    "address = \"anna@example.org\"",
    "aliases = []",
    "auth = { kind = \"oauth\", tenant = \"contoso.onmicrosoft.com\", client_id = \"…\", user = \"anna@contoso.com\", scopes = [\"https://contoso.crm4.dynamics.com/user_impersonation\"] }",
    "block = []",
    "ca = \"contoso-ca.pem\"",
    "ca = \"mail-ca.pem\"",
    "category = \"Tracked to CRM\"",
    "conflict = \"crm\"",
    "contact = [\"<fetch><entity name='contact'><filter><condition attribute='address1_city' operator='eq' value='Berlin'/></filter></entity></fetch>\"]",
    "content = \"all\"",
    "content_rules = []",
    "create_people = \"none\"",
    "creates_max = 500",
    "creates_percent = 50",
    "deletes = { mailbox = \"rule\", crm = \"rule\" }",
    "deletes_max = 5",
    "deletes_percent = 10",
    "direction = \"to-crm\"",
    "direction = \"two-way\"",
    "filters = [\"default\"]",
    "folders = []",
    "host = \"smtp.example.org\"",
    "interval = 900",
    "kind = \"caldav\"",
    "kind = \"carddav\"",
    "kind = \"imap\"",
    "kind = \"maildir\"",
    "kind = \"vdir\"",
    "leave_out = [\"Notes\"]",
    "oauth = { issuer = \"https://login.example.org\", client_id = \"…\", user = \"anna@example.org\", scopes = [\"dav\"], resource = \"https://dav.example.org\" }",
    "on_leave = \"keep\"",
    "organisation_filters = true",
    "password = { credential = \"dav\" }",
    "port = 993",
    "private = \"skip\"",
    "requests_per_day = 40000",
    "security = \"tls\"",
    "send = false",
    "smart_matching = false",
    "sync = true",
    "tables = [\"contact\", \"account\", \"lead\", \"opportunity\", \"task\", \"appointment\", \"email\", \"annotation\"]",
    "track = \"category\"",
    "track = \"replies\"",
    "tracking_token = { prefix = \"CRM:\", digits = 7, write = false }",
    "updates_max = 50",
    "updates_percent = 50",
    "url = \"https://contoso.crm4.dynamics.com\"",
    "user = \"anna@example.org\"",
    "zone = \"system\"",
    "port = 99999",
    "x = { y = [1, 2, { z = 1979-05-27 }] }",
    "a.b.c = 1",
    "[[x]]",
    "# comment",
    "key = '''",
    "interval = -1",
    "\u{feff}",
];
