//! `liaison demo`.

/// The mailbox and the organisation that the demo works on.
pub mod world;
