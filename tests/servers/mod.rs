//! The whole program, as its users have it, on mailboxes of real servers: what one of them or another program changes there
//! reaches the organisation, and the other way round, whatever the servers do meanwhile.

mod away;
mod cost;
mod doctor;
mod mail;
mod meetings;
mod moved;
pub mod office;
mod programs;
mod two_way;
