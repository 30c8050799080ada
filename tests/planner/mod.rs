//! The planner alone: on random worlds, and as a table.

mod copies;
mod guard;
mod properties;
mod settle;
pub mod simulation;
mod table;
