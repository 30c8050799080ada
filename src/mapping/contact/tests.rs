use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::*;
use crate::mapping::Lengths;
use crate::model::{Field, Patch, Record, RecordId, Table, Uid, Value, name};

const PARENT: &str = "_parentcustomerid_value@OData.Community.Display.V1.FormattedValue";

fn context() -> Context {
    Context {
        organisation: Uuid::from_u128(7),
        zone: TimeZone::UTC,
        me: BTreeSet::new(),
        lengths: Lengths::default(),
        people: BTreeMap::new(),
        filing: BTreeMap::new(),
    }
}

/// A card with these lines, `N` being among them unless the name matters.
fn card(version: &str, lines: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:{version}\r\nUID:u\r\n{lines}END:VCARD\r\n")
}

fn with_name(version: &str, line: &str) -> String {
    card(version, &format!("FN:A B\r\nN:B;A;;;\r\n{line}\r\n"))
}

fn read(card: &str) -> BTreeMap<String, String> {
    shown(&read_item(card.as_bytes(), &context()).expect("readable").fields)
}

fn shown(fields: &Fields) -> BTreeMap<String, String> {
    fields.iter().map(|(field, value)| (field.to_string(), value.to_string())).collect()
}

fn value(field: &str, text: &str) -> Option<Value> {
    if form::is_date(field) {
        Some(Value::Date(text.parse().expect("a date")))
    } else {
        form::text(field, text)
    }
}

fn patch(changes: &[(&'static str, &str)]) -> Patch {
    changes
        .iter()
        .map(|(field, text)| {
            (Field::of(field), if text.is_empty() { None } else { value(field, text) })
        })
        .collect()
}

fn try_write(old: Option<&str>, changes: &[(&'static str, &str)]) -> Result<String, Unwritable> {
    let (uid, patch) = (Uid::new("u"), patch(changes));
    let change = Change { uid: &uid, patch: &patch, whole: &Fields::new() };
    write_item(change, old.map(str::as_bytes), &context())
        .map(|bytes| String::from_utf8(bytes).expect("UTF-8"))
}

fn write(old: &str, changes: &[(&'static str, &str)]) -> String {
    try_write(Some(old), changes).expect("writable")
}

/// Every property, as address books write it, and the field it is.
const LINES: &[(&str, &str, &str)] = &[
    ("NICKNAME:Bob,Bobby", "nickname", "Bob, Bobby"),
    ("TITLE:Shrimp\\, Man", "jobtitle", "Shrimp, Man"),
    ("ORG:Acme\\; Inc.;Sales;East", "parentcustomerid", "Acme; Inc."),
    ("ORG:Acme\\; Inc.;Sales;East", "department", "Sales"),
    ("ORG:;Sales", "department", "Sales"),
    ("EMAIL:  Anna@Example.ORG ", "emailaddress1", "Anna@Example.ORG"),
    ("EMAIL:mailto:a@b", "emailaddress1", "a@b"),
    ("EMAIL:a@b\r\nEMAIL;TYPE=INTERNET,PREF:c@d", "emailaddress1", "c@d"),
    ("EMAIL;PREF=2:a@b\r\nEMAIL;PREF=1:c@d", "emailaddress2", "a@b"),
    ("EMAIL;TYPE=X400:c=de\r\nEMAIL:\r\nEMAIL:a@b", "emailaddress1", "a@b"),
    ("EMAIL:1@b\r\nEMAIL:2@b\r\nEMAIL:3@b\r\nEMAIL:4@b", "emailaddress3", "3@b"),
    ("TEL;TYPE=WORK,VOICE: +1 (555) 01-00 ", "telephone1", "+1 (555) 01-00"),
    ("TEL;WORK;VOICE:1", "telephone1", "1"),
    ("TEL;TYPE=\"work,voice\";VALUE=uri:tel:+1-555;ext=2", "telephone1", "+1-555;ext=2"),
    ("TEL;TYPE=WORK:1\r\nTEL;TYPE=WORK:2\r\nTEL;TYPE=WORK:3", "business2", "2"),
    ("TEL;HOME:1\r\nTEL;HOME;PREF:2", "telephone2", "2"),
    ("TEL;HOME:1\r\nTEL;HOME;PREF:2", "home2", "1"),
    ("TEL;TYPE=CELL,WORK:1", "mobilephone", "1"),
    ("TEL;type=IPHONE;type=CELL:1", "mobilephone", "1"),
    ("TEL;TYPE=FAX:1", "fax", "1"),
    ("TEL;TYPE=HOME,FAX:1\r\nTEL;TYPE=WORK,FAX:2", "fax", "2"),
    ("TEL;PAGER:1", "pager", "1"),
    ("TEL;TYPE=X-EVOLUTION-CALLBACK:1", "callback", "1"),
    ("TEL;TYPE=X-EVOLUTION-COMPANY,WORK:1", "company", "1"),
    ("TEL;type=MAIN:1", "company", "1"),
    ("TEL;TYPE=X-EVOLUTION-ASSISTANT:1", "assistantphone", "1"),
    ("TEL;TYPE=CAR:1", "telephone3", "1"),
    ("TEL:1\\,\\,2", "telephone3", "1,,2"),
    ("TEL:tel: TEL:1", "telephone3", "1"),
    ("item1.TEL:1\r\nitem1.X-ABLabel:_$!<Work>!$_", "telephone1", "1"),
    ("item1.TEL:1\r\nITEM1.X-ABLABEL:Company Main", "company", "1"),
    ("URL:https\\://x.example/?a=b\\,c;d", "websiteurl", "https://x.example/?a=b,c;d"),
    ("URL;TYPE=ftp:ftp://x\r\nURL:https://y", "websiteurl", "https://y"),
    ("URL;TYPE=ftp:ftp://x\r\nURL:https://y", "ftpsiteurl", "ftp://x"),
    ("X-FTP:ftp://x", "ftpsiteurl", "ftp://x"),
    ("BDAY:1980-02-03", "birthdate", "1980-02-03"),
    ("BDAY:19800203", "birthdate", "1980-02-03"),
    ("BDAY;VALUE=date-and-or-time:19800203T102200Z", "birthdate", "1980-02-03"),
    ("BDAY;VALUE=DATE-TIME:1980-02-03T10:22:00-08:00", "birthdate", "1980-02-03"),
    ("ANNIVERSARY:20090808", "anniversary", "2009-08-08"),
    ("X-EVOLUTION-ANNIVERSARY:2009-08-08", "anniversary", "2009-08-08"),
    (
        "item1.X-ABDATE:2009-08-08\r\nitem1.X-ABLabel:_$!<Anniversary>!$_",
        "anniversary",
        "2009-08-08",
    ),
    ("X-EVOLUTION-SPOUSE:Jane", "spousesname", "Jane"),
    ("X-KADDRESSBOOK-X-SpousesName:Jane", "spousesname", "Jane"),
    ("X-MS-SPOUSE;N:Jane", "spousesname", "Jane"),
    ("RELATED;TYPE=spouse;VALUE=text:Jane", "spousesname", "Jane"),
    ("item1.X-ABRELATEDNAMES:Jane\r\nitem1.X-ABLabel:_$!<Spouse>!$_", "spousesname", "Jane"),
    ("X-EVOLUTION-MANAGER:Max", "managername", "Max"),
    ("item1.X-ABRELATEDNAMES:Max\r\nitem1.X-ABLabel:_$!<Manager>!$_", "managername", "Max"),
    ("X-EVOLUTION-ASSISTANT:Eva", "assistantname", "Eva"),
    ("X-MS-CHILD:Tim\r\nX-MS-CHILD:Tom", "childrensnames", "Tim, Tom"),
    ("X-GOVERNMENT-ID:007", "governmentid", "007"),
    (
        "NOTE:<b>one</b>\\n\\n two\\, three\r\n  four",
        "description",
        "<b>one</b>\n\n two, three four",
    ),
    (
        "NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:caf=E9=0D=0A=\r\nnext",
        "description",
        "café\nnext",
    ),
    ("NOTE;CHARSET=ISO-2022-JP;QUOTED-PRINTABLE:=1B$B$\"=1B(B", "description", "あ"),
    ("ADR:;;1 Street;;;;", "address1_line1", "1 Street"),
    ("ADR;TYPE=dom,parcel:;;1 Street;;;;", "address1_line1", "1 Street"),
    ("ADR;TYPE=WORK:PO 1;Flat 5;1 Street;Town;Land;123;Country", "address1_postofficebox", "PO 1"),
    ("ADR;TYPE=WORK:PO 1;Flat 5;1 Street;Town;Land;123;Country", "address1_line2", "Flat 5"),
    ("ADR;TYPE=WORK:PO 1;Flat 5;1 Street;Town;Land;123;Country", "address1_city", "Town"),
    (
        "ADR;TYPE=WORK:PO 1;Flat 5;1 Street;Town;Land;123;Country",
        "address1_stateorprovince",
        "Land",
    ),
    ("ADR;TYPE=WORK:PO 1;Flat 5;1 Street;Town;Land;123;Country", "address1_postalcode", "123"),
    ("ADR;TYPE=WORK:PO 1;Flat 5;1 Street;Town;Land;123;Country", "address1_country", "Country"),
    ("ADR;HOME:;;1 Street\\nFloor 2\\nLeft;;;;", "address2_line1", "1 Street"),
    ("ADR;HOME:;;1 Street\\nFloor 2\\nLeft;;;;", "address2_line2", "Floor 2 Left"),
    ("ADR;TYPE=OTHER:;;1 Street;;;;", "address3_line1", "1 Street"),
    ("item1.ADR:;;1 Street;;;;\r\nitem1.X-ABLabel:Summer house", "address3_line1", "1 Street"),
];

#[test]
fn properties_are_fields() {
    for (lines, field, expected) in LINES {
        for version in ["2.1", "3.0", "4.0"] {
            // 2.1 has neither comma lists nor `\n`.
            if version == "2.1" && (lines.contains("\\n") || lines.contains("Bob")) {
                continue;
            }
            let fields = read(&with_name(version, lines));
            assert_eq!(
                fields.get(*field).map(String::as_str),
                Some(*expected),
                "{version} {lines}"
            );
        }
    }
}

#[test]
fn what_a_column_cannot_hold_stays_out() {
    for lines in [
        "BDAY:--0203",
        "BDAY:1980-02",
        "BDAY:1980",
        "BDAY:1604-02-03",
        "BDAY;X-APPLE-OMIT-YEAR=1904:1904-02-03",
        "BDAY;VALUE=text:circa 1800",
        "BDAY:1980-02-30",
        "BDAY;CALSCALE=ethiopic:19800203",
        "TEL;TYPE=HOME,FAX:1",
        "TEL;TYPE=MODEM:1",
        "RELATED;TYPE=spouse:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "RELATED;TYPE=friend;VALUE=text:Jane",
        "X-ABRELATEDNAMES:Jane",
        "NOTE;ENCODING=b:YWJj",
        "TITLE: \r\nORG:;;\r\nADR:;;;;;;",
        "PHOTO;VALUE=uri:data:image/png;base64,AAAA",
    ] {
        let old = with_name("3.0", lines);
        assert_eq!(read(&old).len(), 2, "{lines}");
        let written = write(&old, &[("jobtitle", "Boss")]);
        if !lines.starts_with("TITLE") {
            assert!(written.contains(lines), "{lines}");
        }
    }
}

/// `N` and `FN` (or their lack), and first, middle, last name, salutation, suffix.
#[test]
fn names() {
    for (lines, expected) in [
        (
            "N:Stevenson;John;Philip,Paul;Dr.;Jr.,M.D.\r\nFN:x",
            "John|Philip Paul|Stevenson|Dr.|Jr., M.D.",
        ),
        ("N:O\\;Neil\\, B;A\r\nFN:x", "A||O;Neil, B||"),
        ("FN:John Ronald Reuel Tolkien", "John Ronald Reuel||Tolkien||"),
        ("FN:Ludwig van Beethoven\r\nN:;;;;", "Ludwig||van Beethoven||"),
        ("FN:de la Cruz", "de||la Cruz||"),
        ("FN:Doe, John", "John||Doe||"),
        ("FN:Madonna", "||Madonna||"),
        ("FN:李小龍", "||李小龍||"),
        ("FN:a@b.example", "||a@b.example||"),
        ("FN:Acme Shrimp Co\r\nORG:Acme Shrimp Co;Sales", "||Acme Shrimp Co||"),
        ("FN:Acme Shrimp Co\r\nX-ABShowAs:COMPANY", "||Acme Shrimp Co||"),
        ("FN:Acme Shrimp Co\r\nKIND:org", "||Acme Shrimp Co||"),
        ("FN:Dr. Jane Doe Jr.\r\nN:;;;Dr.;Jr.", "Jane||Doe|Dr.|Jr."),
        ("EMAIL:a@b\r\nORG:Acme", "||Acme||"),
        ("EMAIL:a@b", "||a@b||"),
    ] {
        let fields = read(&card("3.0", &format!("{lines}\r\n")));
        let get = |field: &str| fields.get(field).cloned().unwrap_or_default();
        let names = ["firstname", "middlename", "lastname", "salutation", "suffix"].map(get);
        assert_eq!(names.join("|"), expected, "{lines}");
    }
}

#[test]
fn a_name_is_written_into_its_parts_and_fn_follows() {
    let old = card("3.0", "N:Doe;John;Q.,Public;;Jr.\r\nFN:Johnny\r\nTEL:1\r\n");
    let written = write(&old, &[("lastname", "Smith"), ("firstname", "")]);
    assert_eq!(
        written,
        card("3.0", "N:Smith;;Q.,Public;;Jr.\r\nFN:Q. Public Smith Jr.\r\nTEL:1\r\n")
    );
    // A name that stands in FN alone is left there until the first change, and FN until the name changes.
    let old = card("3.0", "FN:Ludwig van Beethoven\r\n");
    let written = write(&old, &[("jobtitle", "Composer")]);
    assert_eq!(
        written,
        card("3.0", "FN:Ludwig van Beethoven\r\nN:van Beethoven;Ludwig;;;\r\nTITLE:Composer\r\n")
    );
    assert_eq!(write(&old, &[("lastname", "van Beethoven")]), old);
}

type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

/// Version, card before, change, and card after; all without `FN` and `N`.
const CHANGES: &[Case] = &[
    // The extended address must not become the second line that was cleared.
    (
        "3.0",
        "ADR;TYPE=WORK:;Flat 5;1 St\\nFloor 2;;;;",
        &[("address1_line2", "")],
        "ADR;TYPE=WORK:;Flat 5;1 St\\n;;;;",
    ),
    (
        "3.0",
        "NOTE:old\r\nX-A;P=\"q\":\r\n  1",
        &[("description", "new, \nlines")],
        "NOTE:new\\, \\nlines\r\nX-A;P=\"q\":\r\n  1",
    ),
    ("3.0", "item1.TITLE;X-P=1:old", &[("jobtitle", "new")], "item1.TITLE;X-P=1:new"),
    ("3.0", "TITLE:old", &[("jobtitle", "")], ""),
    (
        "3.0",
        "EMAIL:1@b\r\nEMAIL:2@b\r\nEMAIL:3@b\r\nEMAIL;X=1:4@b",
        &[("emailaddress2", "n@b")],
        "EMAIL:1@b\r\nEMAIL:n@b\r\nEMAIL:3@b\r\nEMAIL;X=1:4@b",
    ),
    // A cleared slot must not be filled by the next line.
    (
        "3.0",
        "EMAIL:1@b\r\nEMAIL:2@b",
        &[("emailaddress1", "")],
        "EMAIL:2@b\r\nX-LIAISON-EMPTY:emailaddress1",
    ),
    (
        "3.0",
        "EMAIL:2@b\r\nX-LIAISON-EMPTY:emailaddress1",
        &[("emailaddress1", "1@b")],
        "EMAIL;TYPE=INTERNET:1@b\r\nEMAIL:2@b",
    ),
    (
        "3.0",
        "TEL;TYPE=WORK,PREF:2\r\nX-LIAISON-EMPTY:telephone1",
        &[("telephone1", "1")],
        "TEL;TYPE=WORK;TYPE=VOICE;TYPE=PREF:1\r\nTEL;TYPE=WORK,PREF:2",
    ),
    (
        "4.0",
        "TEL;TYPE=work;PREF=2:2\r\nX-LIAISON-EMPTY:telephone1",
        &[("telephone1", "1")],
        "TEL;TYPE=work;TYPE=voice;PREF=2:1\r\nTEL;TYPE=work;PREF=2:2",
    ),
    (
        "2.1",
        "TEL;WORK:1\r\nX-B:2",
        &[("business2", "2")],
        "TEL;WORK:1\r\nTEL;WORK;VOICE:2\r\nX-B:2",
    ),
    ("4.0", "TEL;VALUE=uri;TYPE=cell:tel:+1", &[("mobilephone", "+2")], "TEL;TYPE=cell:+2"),
    ("3.0", "item1.TEL;TYPE=CELL:1\r\nitem1.X-ABLabel:x\r\nX-B:2", &[("mobilephone", "")], "X-B:2"),
    ("3.0", "ORG;SORT-AS=a:Acme;Sales;East", &[("department", "")], "ORG:Acme;;East"),
    ("3.0", "ORG:Acme;Sales;East", &[("parentcustomerid", "A;B")], "ORG:A\\;B;Sales;East"),
    ("3.0", "ORG:Acme", &[("parentcustomerid", "")], ""),
    (
        "3.0",
        "ADR;TYPE=WORK;LABEL=\"x\":;;1 St;Town;;;;more",
        &[("address1_city", "City")],
        "ADR;TYPE=WORK:;;1 St;City;;;;more",
    ),
    (
        "3.0",
        "ADR;TYPE=WORK:;Flat 5;1 St;;;;",
        &[("address1_line2", "Flat 6")],
        "ADR;TYPE=WORK:;Flat 6;1 St;;;;",
    ),
    (
        "3.0",
        "ADR;TYPE=WORK:;;1 St\\nFloor 2;;;;",
        &[("address1_line1", "2 St")],
        "ADR;TYPE=WORK:;;2 St\\nFloor 2;;;;",
    ),
    (
        "3.0",
        "ADR;TYPE=WORK:;;1 St;;;;\r\nADR;TYPE=WORK:;;2 St;;;;",
        &[("address1_line1", "")],
        "ADR;TYPE=WORK:;;2 St;;;;\r\nX-LIAISON-EMPTY:address1",
    ),
    ("3.0", "BDAY;VALUE=date:1980-02-03", &[("birthdate", "1981-03-04")], "BDAY:1981-03-04"),
    ("4.0", "BDAY:--0203", &[("birthdate", "1981-02-03")], "BDAY:19810203"),
    (
        "3.0",
        "X-ANNIVERSARY:2009-08-08\r\nX-EVOLUTION-ANNIVERSARY:2009-08-08",
        &[("anniversary", "2010-08-08")],
        "X-ANNIVERSARY:2010-08-08\r\nX-EVOLUTION-ANNIVERSARY:2010-08-08",
    ),
    ("3.0", "X-EVOLUTION-SPOUSE:A\r\nX-SPOUSE:A", &[("spousesname", "")], ""),
    (
        "4.0",
        "X-B:2",
        &[("spousesname", "Jane"), ("managername", "Max")],
        "X-B:2\r\nRELATED;TYPE=spouse;VALUE=text:Jane\r\nX-MANAGER:Max",
    ),
    (
        "3.0",
        "X-MS-CHILD:Tim\r\nX-MS-CHILD:Tom",
        &[("childrensnames", "Tim, Tom, Tea")],
        "X-MS-CHILD:Tim\\, Tom\\, Tea",
    ),
    ("3.0", "NOTE:1\r\nNOTE:2", &[("description", "")], "NOTE:2\r\nX-LIAISON-EMPTY:description"),
    (
        "2.1",
        "X-B:2",
        &[("description", "é\n;")],
        "X-B:2\r\nNOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:=C3=A9=0D=0A\\;",
    ),
    ("2.1", "TITLE;CHARSET=ISO-8859-1:x", &[("jobtitle", "y")], "TITLE;CHARSET=UTF-8:y"),
    (
        "3.0",
        "PHOTO;VALUE=uri:data:image/png;base64,AA\r\n AA=\r\nno colon\r\n\r\nX-C:1",
        &[("pager", "1")],
        "PHOTO;VALUE=uri:data:image/png;base64,AA\r\n AA=\r\nno colon\r\n\r\nX-C:1\r\nTEL;TYPE=PAGER:1",
    ),
];

#[test]
fn changes_touch_their_lines_only() {
    for (version, before, changes, after) in CHANGES {
        let expected = with_name(version, after).replace("\r\n\r\nEND", "\r\nEND");
        assert_eq!(
            write(&with_name(version, before), changes),
            expected,
            "{version} {before} {changes:?}"
        );
    }
}

#[test]
fn a_new_card() {
    let written = try_write(
        None,
        &[
            ("lastname", "Doe"),
            ("firstname", "Jane"),
            ("emailaddress2", "j@d"),
            ("birthdate", "1980-02-03"),
        ],
    );
    let expected = "BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:-//Liaison//Liaison//EN\r\nUID:u\r\nN:Doe;Jane;;;\r\nFN:Jane Doe\r\n\
                    EMAIL;TYPE=INTERNET:j@d\r\nBDAY:1980-02-03\r\nX-LIAISON-EMPTY:emailaddress1\r\nEND:VCARD\r\n";
    assert_eq!(written.as_deref(), Ok(expected));
    assert!(try_write(None, &[("birthdate", "1980-02-03")]).is_err());
    assert!(try_write(None, &[("fullname", "x")]).is_err());
    let kind = Patch::from([(Field::of("birthdate"), value("jobtitle", "x"))]);
    let change = Change { uid: &Uid::new("u"), patch: &kind, whole: &Fields::new() };
    assert!(write_item(change, Some(with_name("3.0", "X:1").as_bytes()), &context()).is_err());
}

#[test]
fn a_cut_value_is_written_only_where_nothing_stands() {
    let cut = Patch::from([(Field::of("description"), Some(Value::Cut("long…".to_owned())))]);
    let change = Change { uid: &Uid::new("u"), patch: &cut, whole: &Fields::new() };
    for (line, expected) in
        [("NOTE:long story", "NOTE:long story"), ("X-A:1", "X-A:1\r\nNOTE:long…")]
    {
        let written = write_item(change, Some(with_name("3.0", line).as_bytes()), &context());
        assert_eq!(written, Ok(with_name("3.0", expected).into_bytes()));
    }
}

#[test]
fn uid_and_traits() {
    let content = |text: &str| read_item(text.as_bytes(), &context());
    let one =
        content(&with_name("3.0", "CATEGORIES:a\\,b, c\r\nCATEGORIES:d\r\nCLASS:Confidential"))
            .expect("readable");
    assert_eq!(one.uid, Uid::new("u"));
    assert_eq!(one.traits.categories, ["a,b", "c", "d"].map(str::to_owned).into());
    assert!(
        one.traits.private
            && !content(&with_name("3.0", "CLASS:PUBLIC")).expect("readable").traits.private
    );
    let without = |rest: &str| with_name("3.0", rest).replace("UID:u\r\n", "");
    let derived = content(&without("EMAIL:a@b")).expect("readable").uid;
    assert_eq!(content(&without("EMAIL:a@b\r\nTITLE:x")).expect("readable").uid, derived);
    assert_ne!(content(&without("EMAIL:c@d")).expect("readable").uid, derived);
    let changed = write(&without("EMAIL:a@b"), &[("jobtitle", "x")]);
    assert!(changed.contains("EMAIL:a@b\r\nUID:u\r\nTITLE:x\r\n"));
}

#[test]
fn what_is_not_one_person_is_refused_with_a_reason() {
    let one = with_name("3.0", "X:1");
    for (text, reason) in [
        (String::new(), "there is no vCard in it"),
        ("BEGIN:VCALENDAR\nEND:VCALENDAR".to_owned(), "it is not a vCard"),
        (one.repeat(2), "it holds 2 cards instead of one"),
        (with_name("3.0", "UID:v"), "it has more than one UID"),
        (with_name("4.0", "KIND:group"), "it is a group, not a person"),
        (with_name("3.0", "X-ADDRESSBOOKSERVER-KIND:group"), "it is a group, not a person"),
        (one.replace("END:VCARD", ""), "line 1: BEGIN without END"),
        (
            "BEGIN:VCARD\nTEL:1\nEND:VCARD".to_owned(),
            "it has no UID, name or e-mail address to know it by",
        ),
    ] {
        let error = read_item(text.as_bytes(), &context()).expect_err("refused");
        assert_eq!(error.0, reason, "{text}");
        assert_eq!(try_write(Some(&text), &[]).is_err(), !reason.contains("UID"));
    }
}

fn record(columns: &Json) -> Record {
    Record {
        id: RecordId::new(Table::Contact, Uuid::from_u128(1)),
        columns: columns.as_object().cloned().unwrap_or_default(),
        parties: Vec::new(),
        exceptions: Vec::new(),
        attachments: Vec::new(),
    }
}

#[test]
fn rows() {
    let row = record(&json!({
        "firstname": " Jane ", "lastname": null, "fullname": "Jane", "description": "a\r\nb", "address1_line1": "a\r\nb",
        "birthdate": "1980-02-03", PARENT: "Acme", "_parentcustomerid_value": "0", "statecode": 0,
    }));
    let content = read_record(&row, &context()).expect("readable");
    assert_eq!(content.uid, name::item_uid(context().organisation, Uuid::from_u128(1)));
    let expected = [
        ("address1_line1", "a b"),
        ("birthdate", "1980-02-03"),
        ("description", "a\nb"),
        ("firstname", "Jane"),
        ("parentcustomerid", "Acme"),
    ];
    assert_eq!(
        shown(&content.fields),
        expected.map(|(field, text)| (field.to_owned(), text.to_owned())).into()
    );
    assert_eq!(title(&content.fields), "Jane");
    for wrong in [json!({"firstname": 1}), json!({"birthdate": "soon"}), json!({PARENT: {}})] {
        assert!(read_record(&record(&wrong), &context()).is_err());
    }
}

fn columns(changes: &[(&'static str, &str)], old: Option<&Record>, limit: Option<usize>) -> Json {
    let (uid, patch) = (Uid::new("u"), patch(changes));
    let lengths = limit.map(|limit| ((Table::Contact, "lastname".to_owned()), limit));
    let context = Context { lengths: Lengths(lengths.into_iter().collect()), ..context() };
    let change = Change { uid: &uid, patch: &patch, whole: &Fields::new() };
    let written = write_record(change, old, &context).expect("writable");
    assert!(written.state.is_none() && written.parties.is_none());
    Json::Object(written.columns)
}

#[test]
fn rows_are_written() {
    let old = record(&json!({}));
    let changes: &[(&str, &str)] =
        &[("birthdate", "1980-02-03"), ("jobtitle", ""), ("parentcustomerid", "Acme")];
    assert_eq!(
        columns(changes, Some(&old), None),
        json!({"birthdate": "1980-02-03", "jobtitle": null})
    );
    // A new row has a last name.
    assert_eq!(
        columns(&[("parentcustomerid", "Acme"), ("jobtitle", "")], None, None),
        json!({"lastname": "Acme"})
    );
    assert_eq!(
        columns(&[("emailaddress1", "a@b")], None, None),
        json!({"emailaddress1": "a@b", "lastname": "a@b"})
    );
    assert_eq!(columns(&[("firstname", "A")], None, None), json!({"firstname": "A"}));
    // Lengths count UTF-16 units; the mark fills what half a character leaves.
    for (text, cut) in
        [("abcde", "abcde"), ("abcdef", "abcd…"), ("abc🎈🎈", "abc……"), ("ab🎈cd", "ab🎈…")]
    {
        assert_eq!(columns(&[("lastname", text)], None, Some(5)), json!({"lastname": cut}));
    }
    let kind = Patch::from([(Field::of("lastname"), Some(Value::Number(1)))]);
    let change = Change { uid: &Uid::new("u"), patch: &kind, whole: &Fields::new() };
    assert!(write_record(change, None, &context()).is_err());
}
