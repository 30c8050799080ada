use super::*;

const CARD: &str = "BEGIN:VCARD\r\nitem1.EMAIL;type=INTERNET;TYPE=\"home,pref\":a@b\r\nNOTE:one\r\n  two\r\n\t three\r\nEND:VCARD\r\n";

fn parse(bytes: &[u8]) -> Text<'_> {
    Text::parse(bytes).expect("well-formed")
}

fn only(bytes: &[u8]) -> Line {
    Line::parse(bytes)
}

#[test]
fn unfolds_and_keeps_raw_bytes() {
    let text = parse(CARD.as_bytes());
    let card = &text.components()[0];
    assert_eq!(card.name, "VCARD");
    let (index, note) = text.property(card, "NOTE").expect("a note");
    assert_eq!(note.value(), "one two three");
    assert_eq!(text.raw(index), b"NOTE:one\r\n  two\r\n\t three\r\n");
    assert_eq!(text.number(index + 1), 6);
    let (_, email) = text.property(card, "EMAIL").expect("an address");
    assert_eq!(email.group(), Some("item1"));
    assert_eq!(email.types(), ["internet", "home", "pref"]);
}

#[test]
fn folds_may_split_a_character() {
    let text = parse(b"BEGIN:VCARD\nFN:Andr\xc3\n \xa9\nEND:VCARD");
    assert_eq!(text.lines()[1].value(), "André");
    assert_eq!(text.line_end(), "\n");
}

#[test]
fn byte_order_mark_and_invalid_utf8_survive() {
    let bytes = b"\xef\xbb\xbfBEGIN:VCARD\nFN:\xff\xfe\nTITLE:x\nEND:VCARD";
    let text = parse(bytes);
    assert_eq!(text.lines()[1].value(), "\u{fffd}\u{fffd}");
    assert_eq!(Edits::new().apply(&text), bytes);
    let mut edits = Edits::new();
    edits.replace(2, text.lines()[2].clone().with_value("y"));
    assert_eq!(edits.apply(&text), b"\xef\xbb\xbfBEGIN:VCARD\nFN:\xff\xfe\nTITLE:y\nEND:VCARD");
}

#[test]
fn params() {
    let line = only(b"ADR;LABEL=\"a;b:c^n^'^^x\";TYPE=work,home;PREF:v:w");
    assert_eq!(line.param("LABEL"), Some("a;b:c\n\"^x"));
    assert_eq!(line.types(), ["work", "home", "pref"]);
    assert_eq!(line.value(), "v:w");
    let rebuilt = line.without_param("TYPE");
    assert_eq!(rebuilt.head(), "ADR;LABEL=\"a;b:c^n^'^^x\";PREF");
    // A quote that is never closed is a character like any other.
    assert_eq!(only(b"X;A=\"b:c").value(), "c");
}

#[test]
fn what_is_no_content_line_has_no_name() {
    for bytes in [b"".as_slice(), b"no colon", b":value", b"a b:c", b"\xff:c", b" :x"] {
        assert_eq!(only(bytes).name(), "", "{bytes:?}");
    }
}

#[test]
fn quoted_printable() {
    let bytes = b"BEGIN:VCARD\r\nNOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:caf=E9=0D=0A=\r\nnext=\r\nEND:VCARD\r\n";
    let text = parse(bytes);
    assert_eq!(text.lines()[1].value(), "café\r\nnext");
    let line = Line::new("NOTE", "é=\n".repeat(20) + " x ").quoted_printable();
    let written = render(&[Line::new("BEGIN", "X"), line, Line::new("END", "X")]);
    assert!(written.split(|b| *b == b'\n').all(|line| line.len() <= 77 && line.is_ascii()));
    assert_eq!(parse(&written).lines()[1].value(), "é=\r\n".repeat(20) + " x ");
}

#[test]
fn quoted_printable_never_looks_like_a_boundary() {
    for length in 0..FOLD {
        let value = format!("{}END:VCARD", "x".repeat(length));
        let line = Line::new("N", value.as_str()).quoted_printable();
        let written = render(&[Line::new("BEGIN", "VCARD"), line, Line::new("END", "VCARD")]);
        assert_eq!(parse(&written).lines()[1].value(), value);
    }
}

#[test]
fn components_nest_and_are_checked() {
    let text = parse(b"BEGIN:A\nX:1\nBEGIN:b\nX:2\nEND:B\nX:3\nBEGIN:C\nEND:C\nY:4\nEND:a\n\n");
    let a = &text.components()[0];
    let values: Vec<&str> = text.properties(a).map(|(_, line)| line.value()).collect();
    assert_eq!(values, ["1", "3", "4"]);
    assert_eq!(a.children[0].lines, 2..5);
    for (bytes, message) in [
        ("BEGIN:A\nX:1\n", "line 1: BEGIN without END"),
        ("\nEND:A", "line 2: END without BEGIN"),
        ("BEGIN:A\nX:1\n 2\nEND:B", "line 4: END of another component than the one that was begun"),
    ] {
        assert_eq!(Text::parse(bytes.as_bytes()).map(|_| ()).unwrap_err().to_string(), message);
    }
    let deep = "BEGIN:A\n".repeat(MAX_DEPTH + 1);
    assert!(Text::parse(deep.as_bytes()).is_err());
}

#[test]
fn edits_touch_only_their_lines() {
    let text = parse(CARD.as_bytes());
    let mut edits = Edits::new();
    edits.remove(1..2);
    edits.insert(
        3,
        [Line::new("TEL", "1").with_param("TYPE", "WORK"), Line::new("X-U", "ü".repeat(60))],
    );
    let written = String::from_utf8(edits.apply(&text)).expect("UTF-8");
    assert!(
        written.starts_with(
            "BEGIN:VCARD\r\nNOTE:one\r\n  two\r\n\t three\r\nTEL;TYPE=WORK:1\r\nX-U:ü"
        )
    );
    assert!(written.split("\r\n").all(|line| line.len() <= FOLD));
    assert!(written.contains("\r\n ü") && written.ends_with("\r\nEND:VCARD\r\n"));
    assert_eq!(Edits::new().apply(&text), CARD.as_bytes());
}

const FOLD: usize = 75;

#[test]
fn new_lines_are_not_swallowed_by_unfinished_ones() {
    let text = parse(b"BEGIN:A\nX;QUOTED-PRINTABLE:a=\nBEGIN:B\nEND:B\nY:1\nEND:A");
    let mut edits = Edits::new();
    edits.insert(2, [Line::new("N", "1")]);
    edits.insert(6, [Line::new("N", "2")]);
    let written = edits.apply(&text);
    assert_eq!(
        written,
        b"BEGIN:A\nX;QUOTED-PRINTABLE:a=\n\nN:1\nBEGIN:B\nEND:B\nY:1\nEND:A\nN:2\n"
    );
    let mut edits = Edits::new();
    edits.remove(2..4);
    let written = edits.apply(&text);
    assert_eq!(
        parse(&written)
            .property(&parse(&written).components()[0], "Y")
            .map(|(_, y)| y.value().to_owned()),
        Some("1".to_owned())
    );
}

#[test]
fn line_ends_in_values_cannot_begin_lines() {
    let written = render(&[Line::new("X", "a\r\nEND:VCARD").with_param("P", "a\nb")]);
    assert_eq!(written, b"X;P=a^nb:a\\nEND:VCARD\r\n");
}

#[test]
fn escaping() {
    for text in ["", "a,b;c\\d\ne", "\\n", "\\", "a\\,", "ends \\"] {
        assert_eq!(unescape(&escape(text)), text);
        assert_eq!(unescape_separators(&escape_backslashes(text)), text);
    }
    assert_eq!(unescape("http\\://x \\a \\N"), "http://x \\a \n");
    assert_eq!(split("a\\;b;c\\\\;", ';'), ["a\\;b", "c\\\\", ""]);
    assert_eq!(list("a\\,b,c"), ["a,b", "c"]);
    assert_eq!(join(&[String::new(), "b".to_owned(), String::new()], 1), ";b");
    assert_eq!(join(&[String::new()], 3), "");
    assert_eq!(join(&["a\\".to_owned(), "b\\\\".to_owned(), "c".to_owned()], 1), "a\\\\;b\\\\;c");
}
