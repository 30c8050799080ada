//! Liaison keeps one mailbox and one CRM organisation in step. Modules stand in reading order.

/// A Dataverse-compatible organisation in SQLite, served on loopback: the other side of the wire.
pub mod sandbox;
