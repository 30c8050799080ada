//! What must stay true when a process dies: on each story at each point (`harness`), and for real (`kill`).

pub mod harness;
#[cfg(unix)]
mod kill;
