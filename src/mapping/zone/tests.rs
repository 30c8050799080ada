use jiff::civil::date;

use super::*;
use crate::mapping::text::{Text, render};

fn get(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn names_lead_to_zones() {
    for (name, expected) in [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        (" US/Eastern ", "US/Eastern"),
        ("UTC", "UTC"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("w. europe standard time", "Europe/Berlin"),
        ("Pacific Standard Time (Mexico)", "America/Tijuana"),
        ("/mozilla.org/20070129_1/Europe/Paris", "Europe/Paris"),
        ("/freeassociation.sourceforge.net/America/Indiana/Knox", "America/Indiana/Knox"),
        ("Europe_Berlin", "Europe/Berlin"),
        ("America-Chicago", "America/Chicago"),
    ] {
        assert_eq!(named(name).as_ref().and_then(TimeZone::iana_name), Some(expected), "{name}");
    }
    for name in
        ["", " ", "Nowhere", "Etc/Unknown", "../../etc/passwd", "/", "//", "é", &"a/".repeat(200)]
    {
        assert_eq!(named(name), None, "{name}");
    }
}

#[test]
fn names_as_outlook_shows_them_lead_to_zones() {
    for (name, expected) in [
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "Europe/Amsterdam"),
        ("(GMT+01.00) Sarajevo/Warsaw/Zagreb, Paris", "Europe/Paris"),
        ("(UTC-05:00) Eastern Time (US & Canada)", "America/New_York"),
        ("Pacific Time (US & Canada)", "America/Los_Angeles"),
        ("(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi", "Asia/Kolkata"),
        ("(UTC) Dublin, Edinburgh, Lisbon, London", "Europe/Lisbon"),
    ] {
        let zone = displayed(name);
        // Dublin counts its winter as daylight saving: any city with the offset will do.
        let found = zone.as_ref().and_then(TimeZone::iana_name).unwrap_or_default();
        assert!(
            found == expected || (name.contains(") Dublin") && found == "Europe/Dublin"),
            "{name}: {found}"
        );
    }
    for name in [
        "",
        "(UTC+99:00) Berlin",
        "(UTC+09:00) Berlin",
        "(é) Berlin",
        "(UTC+01:00)",
        "Nowhere Time",
    ] {
        assert_eq!(displayed(name), None, "{name}");
    }
}

/// The table against the one that calcard has, and against jiff.
#[test]
fn windows_names_are_those_of_cldr() {
    let mut checked = 0;
    for iana_name in windows::all() {
        let windows = windows::windows(iana_name).unwrap();
        assert!(TimeZone::get(iana_name).is_ok(), "{iana_name}");
        assert_eq!(windows::iana(windows), Some(iana_name));
        let Ok(theirs) = windows.parse::<calcard::common::timezone::Tz>() else { continue };
        let Some(theirs) = theirs.name().and_then(|name| TimeZone::get(&name).ok()) else {
            continue;
        };
        // Names move from release to release (Volgograd, Kyiv); what counts is the clock, today.
        let now = at("2025-01-15T12:00:00Z");
        if theirs.to_offset(now) == get(iana_name).to_offset(now) {
            checked += 1;
        }
    }
    assert!(windows::all().count() >= 139 && checked >= 120, "{checked}");
}

#[test]
fn gaps_and_overlaps_are_resolved_as_in_rfc_5545() {
    let new_york = get("America/New_York");
    let resolve = |text: &str| moment(text.parse().unwrap(), &new_york).unwrap().to_string();
    assert_eq!(resolve("2026-03-08T02:30"), "2026-03-08T07:30:00Z");
    assert_eq!(resolve("2026-11-01T01:30"), "2026-11-01T05:30:00Z");
}

/// Every zone of the table, written as a `VTIMEZONE` and found again by what it does.
#[test]
fn zones_are_known_by_what_they_do() {
    for name in windows::all() {
        let zone = get(name);
        for start in ["2026-03-01T00:00:00Z", "2031-11-20T12:00:00Z"] {
            let start = at(start);
            let bytes = render(&vtimezone::write(&zone, "Own", start));
            assert!(bytes.len() < 6000, "{name} takes {} bytes", bytes.len());
            let text = Text::parse(&bytes).unwrap();
            let observances = vtimezone::read(&text, &text.components()[0]);
            // Before the year that the text begins with, nothing is promised: look from the middle of it.
            let around = start + SignedDuration::from_hours(24 * 500);
            let found = of_observances(&observances, around, &TimeZone::UTC).unwrap();
            for days in 0..700 {
                let moment = start + SignedDuration::from_hours(24 * days);
                assert_eq!(found.to_offset(moment), zone.to_offset(moment), "{name} at {moment}");
            }
        }
    }
}

#[test]
fn a_zone_that_nobody_has_goes_by_its_own_rule() {
    let text = "BEGIN:VTIMEZONE\nTZID:Own\nBEGIN:STANDARD\nDTSTART:19701101T020000\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\n\
        TZOFFSETFROM:+0245\nTZOFFSETTO:+0145\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:19700405T020000\n\
        RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU\nTZOFFSETFROM:+0145\nTZOFFSETTO:+0245\nEND:DAYLIGHT\nEND:VTIMEZONE\n";
    let text = Text::parse(text.as_bytes()).unwrap();
    let observances = vtimezone::read(&text, &text.components()[0]);
    let zone = of_observances(&observances, at("2026-06-01T00:00:00Z"), &TimeZone::UTC).unwrap();
    let resolve = |civil: DateTime| moment(civil, &zone).unwrap().to_string();
    assert_eq!(resolve(date(2026, 1, 1).at(12, 0, 0, 0)), "2026-01-01T10:15:00Z");
    assert_eq!(resolve(date(2035, 7, 1).at(12, 0, 0, 0)), "2035-07-01T09:15:00Z");
    assert_eq!(of_observances(&[], at("2026-06-01T00:00:00Z"), &TimeZone::UTC), None);
}
