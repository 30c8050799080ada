//! What counts as agreed after a write.

use liaison::model::{Bases, Field, Fields, Patch, Value, Version};
use liaison::plan::operation::{Change, Merge};
use liaison::plan::settle::{After, settle};

const JOB: Field = Field::of("jobtitle");

fn says(text: &str) -> Fields {
    Fields::from([(JOB, Value::Text(text.to_owned()))])
}

fn change(text: &str) -> Change {
    let patch = Patch::from([(JOB, Value::text(text))]);
    Change { patch, expect: Some(Version::new("1")), over: Fields::new() }
}

/// A side that keeps something else than it was given agrees on what it kept: else its own habit would come back as a change
/// that a person made.
#[test]
fn a_base_is_what_was_read_back() {
    let bases = Bases { item: says("old"), record: says("old") };
    let merge = Merge { to_record: Some(change("  New ")), ..Merge::default() };
    let (item, kept) = (says("  New "), says("New"));
    let settled = settle(
        &bases,
        &merge,
        After { before: &item, written: None },
        After { before: &says("old"), written: Some(&kept) },
    );
    assert!(settled.bases == Bases { item, record: kept } && settled.item && settled.record);

    let merge = Merge { to_item: Some(change("  New ")), ..Merge::default() };
    let (record, kept) = (says("  New "), says("New"));
    let settled = settle(
        &bases,
        &merge,
        After { before: &says("old"), written: Some(&kept) },
        After { before: &record, written: None },
    );
    assert!(settled.bases == Bases { item: kept, record } && settled.item && settled.record);
}

#[test]
fn a_write_that_failed_agrees_on_nothing() {
    let bases = Bases { item: says("old"), record: says("old") };
    let merge = Merge { to_record: Some(change("new")), ..Merge::default() };
    let settled = settle(
        &bases,
        &merge,
        After { before: &says("new"), written: None },
        After { before: &says("old"), written: None },
    );
    assert!(settled.bases == bases && !settled.item && settled.record);
}
