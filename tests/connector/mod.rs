//! Connectors against real ends.

mod dataverse;
mod organisation;
