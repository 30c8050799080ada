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
