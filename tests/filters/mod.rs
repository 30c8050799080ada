//! Sync filters of the organisation, by the real program: what enters, what leaves, what is said of it, and that nothing in
//! the mailbox is deleted by any of it.

mod broken;
mod changes;
mod commands;
mod stage;
