//! Liaison keeps one mailbox and one CRM organisation in step. Modules stand in reading order.

// What things are, and what to do about them: pure.

// Items, records, fields, time: plain values.
pub mod model;

// What an item or a record says, and how to say it to the other side.
pub mod mapping;

// Who takes part: sync filters and tracking rules.
pub mod filter;

// What to do so that both sides say the same again.
pub mod plan;

// What talks to the world.

// The one door to time and randomness.
pub mod clock;

// What must outlive the process: SQLite, one file a table.
pub mod store;

// Tokens and passwords, which never print.
pub mod secret;

// What talks to a mailbox or a CRM: one trait, one file a protocol.
pub mod connector;

// One round: look, plan, do.
pub mod sync;

// Rows of the CRM without the CRM: a copy, the edits that wait, and how they are replayed.
pub mod offline;

// A Dataverse-compatible organisation in SQLite, served on loopback: the other side of the wire.
pub mod sandbox;

// What the user wants.

// The settings: defaults, the user's file over them, checked as a whole.
pub mod config;

// What people see.

// The command line.
pub mod cli;
