//! The program as its users start it: the real binary on folders of its own, the organisation in another process.

mod bad;
mod demo;
mod doctor;
mod help;
pub mod installation;
mod people;
mod story;
