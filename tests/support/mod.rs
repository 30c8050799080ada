//! Two ends in memory, faults to put around them, and a world to let rounds run in.

pub mod cell;
pub mod fake;
pub mod faults;
pub mod world;
