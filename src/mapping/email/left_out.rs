//! Files that the organisation does not take: the message goes without them, and says so.

use super::{ATTACHMENTS, DESCRIPTION, body, cut, limit};
use crate::mapping::Context;
use crate::model::{FileRules, Patch, Value};

/// So many are told by name.
const NAMED: usize = 20;

/// Takes the files that are not taken out of a message that is to be filed, and says at the end of its description which:
/// `Not filed: setup.exe (type), video.mp4 (41 MB)`. Returns the same for the journal; `None` if all go along.
pub fn leave_out(patch: &mut Patch, rules: &FileRules, context: &Context) -> Option<String> {
    let Some(Some(Value::Attachments(files))) = patch.get_mut(&ATTACHMENTS) else { return None };
    let mut names = Vec::new();
    files.retain(|file| {
        let refusal = rules.refuse(&file.filename, &file.mimetype, file.bytes.len());
        names.extend(refusal.map(|refusal| format!("{} ({refusal})", file.filename)));
        refusal.is_none()
    });
    if names.is_empty() {
        return None;
    }
    let all_gone = files.is_empty();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let mut told = format!("not filed: {}", names.join(", "));
    if more > 0 {
        told.push_str(&format!(" and {more} more"));
    }
    if all_gone {
        patch.remove(&ATTACHMENTS);
    }
    let line = format!("\n<p>N{}</p>", body::from_text(told.strip_prefix('n').unwrap_or(&told)));
    let text = match patch.get(&DESCRIPTION) {
        Some(Some(Value::Text(text) | Value::Cut(text))) => text.as_str(),
        _ => "",
    };
    // Where there is not room for both, the text is cut and not the line.
    let room = limit(context, "description")
        .map(|limit| limit.saturating_sub(line.encode_utf16().count()).max(1));
    let whole = format!("{}{line}", cut(text, room));
    patch.insert(DESCRIPTION, Value::text(whole.trim_start()));
    Some(told)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use jiff::tz::TimeZone;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::mapping::Lengths;
    use crate::model::{Attachment, Table};

    fn context(limit: usize) -> Context {
        Context {
            organisation: Uuid::nil(),
            zone: TimeZone::UTC,
            me: BTreeSet::new(),
            lengths: Lengths([((Table::Email, "description".to_owned()), limit)].into()),
            people: BTreeMap::new(),
            filing: [].into(),
        }
    }

    fn message(text: &str, files: &[(&str, usize)]) -> Patch {
        let file = |(name, size): &(&str, usize)| {
            Attachment::new((*name).to_owned(), "x/y".to_owned(), vec![0; *size])
        };
        let files: Vec<Attachment> = files.iter().map(file).collect();
        Patch::from([
            (DESCRIPTION, Value::text(text)),
            (ATTACHMENTS, Some(Value::Attachments(files))),
        ])
    }

    fn rules() -> FileRules {
        let blocked_endings = FileRules::words("exe");
        FileRules { largest: Some(100), blocked_endings, ..FileRules::default() }
    }

    fn description(patch: &Patch) -> String {
        match patch.get(&DESCRIPTION) {
            Some(Some(Value::Text(text))) => text.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_taken_stays_and_nothing_is_said() {
        let mut patch = message("<p>x</p>", &[("a.pdf", 100)]);
        let before = patch.clone();
        assert_eq!(leave_out(&mut patch, &rules(), &context(1000)), None);
        assert_eq!(patch, before);
    }

    #[test]
    fn a_message_of_nothing_else_says_what_it_was() {
        let mut patch = message("", &[("<a>.exe", 1)]);
        patch.remove(&DESCRIPTION);
        let told = leave_out(&mut patch, &rules(), &context(1000)).unwrap();
        assert_eq!(told, "not filed: <a>.exe (type)");
        assert_eq!(description(&patch), "<p>Not filed: &lt;a&gt;.exe (type)</p>");
        assert!(!patch.contains_key(&ATTACHMENTS));
    }

    #[test]
    fn many_are_counted() {
        let names: Vec<String> = (10..40).map(|number| format!("{number}.exe")).collect();
        let files: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let mut patch = message("x", &files);
        let told = leave_out(&mut patch, &rules(), &context(10_000)).unwrap();
        assert!(told.ends_with("29.exe (type) and 10 more"), "{told}");
    }

    proptest! {
        /// The line is never what is cut, and all of it fits into the column.
        #[test]
        fn the_line_stands_at_the_end_of_any_text(text in "\\PC{0,300}", limit in 60..400_usize) {
            let mut patch = message(&text, &[("a.exe", 1), ("b.pdf", 2)]);
            prop_assert!(leave_out(&mut patch, &rules(), &context(limit)).is_some());
            let filed = description(&patch);
            prop_assert!(filed.ends_with("<p>Not filed: a.exe (type)</p>"), "{}", filed);
            prop_assert!(filed.encode_utf16().count() <= limit);
            match &patch[&ATTACHMENTS] {
                Some(Value::Attachments(files)) => prop_assert_eq!(files.len(), 1),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
