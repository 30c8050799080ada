//! What must hold for any bytes whatever. Each function takes what an outsider may send us and asserts more than that nothing
//! panics: what is read, written and read again says the same; what nobody touched stays as it is, byte for byte; a refusal is
//! never a success; what breaks off is never whole.

pub mod files;
pub mod grammar;
pub mod items;
pub mod rows;
pub mod servers;
pub mod wire;

/// A target.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("appointment", items::appointment),
    ("batch", rows::batch),
    ("config", files::config),
    ("email", items::email),
    ("fetchxml", files::fetchxml),
    ("imap", servers::imap),
    ("ipc", files::ipc),
    ("multistatus", servers::multistatus),
    ("pop3", servers::pop3),
    ("rows", rows::rows),
    ("smtp", servers::smtp),
    ("task", items::task),
    ("vcard", items::vcard),
];
