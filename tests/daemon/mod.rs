//! The running service: rounds by themselves, and what others ask it by.

mod day;
mod disk;
mod ends;
mod events;
mod protocol;
pub mod rounds;
pub mod service;
