//! The planner alone: on random worlds, and as a table.

mod guard;
mod properties;
pub mod simulation;
mod table;
