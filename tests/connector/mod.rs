//! Connectors against real ends.

mod conformance;
mod dataverse;
mod dav;
mod imap;
mod microsoft;
mod organisation;
mod pop3;
mod servers;
mod smtp;
