//! The engine whole: real folders, the real connector, the sandbox organisation on loopback.

mod bad_input;
mod corpus;
mod first_look;
mod rounds;
pub mod world;
