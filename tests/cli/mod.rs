//! The program as its users start it: the real binary on folders of its own, the organisation in another process.

mod bad;
mod demo;
mod doctor;
mod help;
pub mod installation;
mod log;
mod people;
mod privacy;
mod service;
mod story;
mod uninstall;
mod verify;
