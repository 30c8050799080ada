//! What mail programs call the folders that are none of the sync's business, those of drafts, junk and deleted mail, and that of
//! sent messages. It must not know how a store names or marks its folders.

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

/// What programs call the folder of sent messages, the most usual first.
const SENT: [&str; 12] = [
    "sent",
    "sent items",
    "sent messages",
    "sent mail",
    "gesendet",
    "gesendete elemente",
    "gesendete objekte",
    "envoyés",
    "éléments envoyés",
    "enviados",
    "elementos enviados",
    "posta inviata",
];

/// How well a folder of this name, the last part of a path, fits for sent messages: 0 is best, `None` not at all.
pub fn is_for_sent(name: &str) -> Option<usize> {
    SENT.iter().position(|known| *known == name.to_lowercase())
}

/// Whether a folder of this name, one part of a path, usually holds drafts.
pub fn is_for_drafts(name: &str) -> bool {
    DRAFTS.contains(&name.to_lowercase().as_str())
}

/// Whether a folder of this name, one part of a path, usually holds junk or deleted mail.
pub fn is_thrown_away(name: &str) -> bool {
    THROWN_AWAY.contains(&name.to_lowercase().as_str())
}
