//! A Dataverse-compatible organisation in SQLite, served on loopback.
