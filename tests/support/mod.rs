//! Two ends in memory, faults to put around them, and a world to let rounds run in; files that nobody here wrote; real
//! servers.

pub mod around;
pub mod cell;
pub mod disk;
pub mod fake;
pub mod faults;
pub mod hand;
pub mod resources;
pub mod servers;
pub mod world;
