//! Connectors against real ends.

mod dataverse;
mod microsoft;
mod organisation;
mod pop3;
mod servers;
mod smtp;
