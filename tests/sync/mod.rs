//! The engine whole: real folders, the real connector, the sandbox organisation on loopback.

mod bad_input;
mod corpus;
mod failing;
mod filing;
mod first_look;
mod people;
mod rounds;
mod threads;
pub mod world;
