//! A Dataverse-compatible organisation in SQLite, served on loopback.

/// The door to time, and how moments are written.
pub mod clock;
/// Reads: OData options and FetchXML on SQLite.
pub mod query;
/// The door to chance: ids and tokens.
pub mod random;
/// Writes: create, update, upsert and delete with their rules.
pub mod record;
/// How the organisation says no.
pub mod refusal;
/// What the tables look like.
pub mod schema;
/// Who may do what with which row.
pub mod security;
/// The Web API: operations, batches, metadata, functions and actions.
pub mod service;
/// The SQLite file and its first rows.
pub mod store;
