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

/// A number from the environment.
pub fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}
