//! What mail programs call the folders that are none of the sync's business: those of drafts, junk and deleted mail. It must
//! not know how a store names or marks its folders.

/// Names of folders for drafts (also in modified UTF-7, RFC 3501 §5.1.3),
const DRAFTS: [&str; 6] =
    ["drafts", "draft", "entw&apw-rfe", "entwürfe", "brouillons", "borradores"];

/// and of those for junk and deleted mail.
const THROWN_AWAY: [&str; 16] = [
    "junk",
    "spam",
    "junk e-mail",
    "junk email",
    "junk mail",
    "bulk mail",
    "trash",
    "bin",
    "deleted",
    "deleted items",
    "deleted messages",
    "gel&apy-schte elemente",
    "gelöschte elemente",
    "papierkorb",
    "corbeille",
    "papelera",
];

/// Whether a folder of this name, one part of a path, usually holds drafts.
pub fn is_for_drafts(name: &str) -> bool {
    DRAFTS.contains(&name.to_lowercase().as_str())
}

/// Whether a folder of this name, one part of a path, usually holds junk or deleted mail.
pub fn is_thrown_away(name: &str) -> bool {
    THROWN_AWAY.contains(&name.to_lowercase().as_str())
}
