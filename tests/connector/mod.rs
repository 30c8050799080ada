//! Connectors against real ends.

mod dataverse;
mod dav;
mod microsoft;
mod organisation;
mod servers;
