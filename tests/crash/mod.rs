//! What must stay true when a process dies: on each story at each point (`harness`), when people go on meanwhile (`onward`),
//! and for real (`kill`).

pub mod harness;
#[cfg(unix)]
mod kill;
mod onward;
