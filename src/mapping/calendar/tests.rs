use jiff::tz::TimeZone;

use super::time::duration;
use super::*;
use crate::mapping::text::Edits;

/// The moments of the first component's `X` lines, in the zone of Berlin.
fn moments(lines: &str) -> Vec<Result<String, String>> {
    let file = format!("BEGIN:VCALENDAR\n{lines}\nEND:VCALENDAR\n");
    let text = Text::parse(file.as_bytes()).unwrap();
    let calendar = Calendar::of(&text, &TimeZone::get("Europe/Berlin").unwrap()).unwrap();
    text.properties(calendar.root)
        .map(|(_, line)| {
            let moment = calendar.when(line).and_then(|when| calendar.moment(&when));
            moment.map(|moment| moment.to_string()).map_err(|error| error.0)
        })
        .collect()
}

#[test]
fn times_in_their_four_forms() {
    for (line, expected) in [
        ("X:20260105T100000Z", Ok("2026-01-05T10:00:00Z")),
        ("X:20260105T100000", Ok("2026-01-05T09:00:00Z")),
        ("X;TZID=America/New_York:20260705T100000", Ok("2026-07-05T14:00:00Z")),
        ("X;TZID=Eastern Standard Time:20260705T100000", Ok("2026-07-05T14:00:00Z")),
        (
            "X;TZID=\"(UTC-05:00) Eastern Time (US & Canada)\":20260705T100000",
            Ok("2026-07-05T14:00:00Z"),
        ),
        ("X;TZID=Europe/Berlin:20260705T100000Z", Ok("2026-07-05T10:00:00Z")),
        ("X;VALUE=DATE:20260705", Ok("2026-07-04T22:00:00Z")),
        ("X:20260705", Ok("2026-07-04T22:00:00Z")),
        ("X:20261231T235960Z", Ok("2026-12-31T23:59:59Z")),
        ("X;TZID=Nowhere:20260705T100000", Err("the time zone of its X is not known")),
        ("X:2026-07-05", Err("its X is not a time")),
        ("X:20261305", Err("its X is not a time")),
        ("X:20260705T10", Err("its X is not a time")),
        ("X:é0260705T100000", Err("its X is not a time")),
        ("X:", Err("its X is not a time")),
    ] {
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(moments(line), [expected], "{line}");
    }
}

#[test]
fn durations() {
    for (text, hours) in
        [("PT1H", 1), ("+P1D", 24), ("P1W", 168), ("P1DT2H0M0S", 26), ("-PT1H", -1)]
    {
        let span = duration(text).unwrap();
        let start = When { civil: "2026-01-05T00:00".parse().unwrap(), form: Form::Utc };
        let after = start.after(span, &TimeZone::UTC).unwrap();
        assert_eq!(start.civil.duration_until(after.civil).as_hours(), hours, "{text}");
    }
    for text in ["", "1H", "P", "PT", "1 hour", "PT9999999999999999999H", "é"] {
        assert!(duration(text).is_none(), "{text}");
    }
}

/// The line that a moment becomes where this one stood.
fn rewritten(line: &str, form: &Form, moment: &str) -> String {
    let file = format!("BEGIN:VCALENDAR\n{line}\nEND:VCALENDAR\n");
    let text = Text::parse(file.as_bytes()).unwrap();
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let mut edits = Edits::new();
    edits.replace(1, form.written(text.lines()[1].clone(), moment.parse().unwrap(), &berlin));
    let bytes = edits.apply(&text);
    String::from_utf8(bytes).unwrap().lines().nth(1).unwrap().to_owned()
}

#[test]
fn a_moment_keeps_the_form_that_the_line_has() {
    let berlin = Form::of(&TimeZone::get("Europe/Berlin").unwrap());
    for (line, form, moment, expected) in [
        ("X;A=\"b\":1", &Form::Utc, "2026-07-05T10:00:00Z", "X;A=\"b\":20260705T100000Z"),
        ("X;VALUE=DATE:1", &Form::Date, "2026-07-04T22:00:00Z", "X;VALUE=DATE:20260705"),
        (
            "X;VALUE=DATE;A=b:1",
            &berlin,
            "2026-07-05T10:00:00Z",
            "X;A=b;TZID=Europe/Berlin:20260705T120000",
        ),
        ("X;TZID=Europe/Berlin:1", &Form::Date, "2026-07-04T22:00:00Z", "X;VALUE=DATE:20260705"),
        ("X:1", &Form::Floating, "2026-07-05T10:00:00Z", "X:20260705T120000"),
        // The second of two equal hours can only be told in UTC.
        (
            "X;TZID=Europe/Berlin:1",
            &berlin,
            "2026-10-25T00:30:00Z",
            "X;TZID=Europe/Berlin:20261025T023000",
        ),
        ("X;TZID=Europe/Berlin:1", &berlin, "2026-10-25T01:30:00Z", "X:20261025T013000Z"),
    ] {
        assert_eq!(rewritten(line, form, moment), expected);
    }
}

#[test]
fn html_becomes_readable_text_and_nothing_else_is_touched() {
    for (text, expected) in [
        ("<p>Hello <b>you</b></p>", "Hello you"),
        ("<html><head><style>x</style></head><body>a<br>b</body></html>", "a\nb"),
        ("&lt;p&gt; is not HTML", "&lt;p&gt; is not HTML"),
        ("<anna@example.org> wrote </p>", "<anna@example.org> wrote </p>"),
        ("<b> and nothing closed", "<b> and nothing closed"),
        ("1 < 2", "1 < 2"),
        ("<div>&lt;p&gt;twice&lt;/p&gt;</div>", "twice"),
    ] {
        let value = property::readable(Value::Text(text.to_owned()));
        assert!(value == Value::text(expected), "{text}: {}", value.unwrap());
    }
    assert_eq!(property::readable(Value::Text("<p></p>".to_owned())), None);
}
