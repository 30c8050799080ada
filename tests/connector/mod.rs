//! Connectors against real ends.

mod conformance;
mod dataverse;
mod dav;
mod microsoft;
mod organisation;
mod servers;
