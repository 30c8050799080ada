//! Connectors against real ends.

mod dataverse;
mod imap;
mod microsoft;
mod organisation;
mod servers;
