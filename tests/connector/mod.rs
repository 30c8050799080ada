//! Connectors against real ends.

mod conformance;
mod dataverse;
mod microsoft;
mod organisation;
mod servers;
