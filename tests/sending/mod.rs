//! Mails that the CRM wants sent: each recipient gets each mail at most once, and each ends as sent, as failed, or as a
//! question, whatever breaks.

mod crash;
mod cut;
pub mod kill;
mod ordinary;
mod role;
mod stage;
