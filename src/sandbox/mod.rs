//! A Dataverse-compatible organisation in SQLite, served on loopback.

/// What the tables look like.
pub mod schema;
