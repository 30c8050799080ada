//! Connectors against real ends.

mod dataverse;
mod microsoft;
mod organisation;
mod servers;
