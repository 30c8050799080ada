//! Working with records with and without the CRM: the real program, the organisation in another process.

mod copy;
mod durable;
mod faults;
mod merge;
mod one_thing;
mod ordinary;
mod replay;
mod scene;
