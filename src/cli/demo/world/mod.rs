//! What the demo's mailbox and organisation hold, and what people do with them after the first sync. Everything is invented and follows from the
//! moment it is made at: the same moment, the same bytes. Nothing here syncs, prints or decides, and nothing uses the program's own readers and
//! writers: what they are shown must not come from them.

use uuid::Uuid;

/// The organisation's Web API, for several users.
pub mod api;
/// Appointments and tasks as iCalendar.
pub mod calendar;
/// Contacts as vCard.
pub mod cards;
/// What people do after the first sync.
pub mod edits;
/// Mail as RFC 5322 and MIME.
pub mod letter;
/// The messages.
pub mod mail;
/// The folders, and what lies where.
pub mod mailbox;
/// What is broken, hostile or beyond every limit.
pub mod nasty;
/// The records.
pub mod organisation;
/// Who is who.
pub mod people;
/// Where they live.
pub mod places;
/// The rows of the records.
pub mod records;
/// Series of appointments.
pub mod series;
/// Content lines of vCard and iCalendar.
pub mod text;

pub use api::Api;
pub use edits::{edit_mailbox, edit_organisation};
pub use mailbox::{Count, Furnished, Item, furnish};
pub use organisation::{Populated, populate};

/// The root of all ids in the demo.
const NAMESPACE: Uuid = Uuid::from_u128(0x2b1e_54a7_19c6_5d0f_8e43_7a90_c6f1_3d28);

/// The id that goes by this name, on every run the same.
fn id(name: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

/// The nth of a table that starts over at its end; of an empty one nothing.
fn pick<T: Copy + Default>(table: &[T], n: usize) -> T {
    table.get(n % table.len().max(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
