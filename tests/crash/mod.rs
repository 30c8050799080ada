//! What must stay true when a process dies: on each story at each point (`harness`), in the work beside the stories (`chores`),
//! in each line of the program that writes to its store (`places`), when people go on meanwhile (`onward`), and for real (`kill`,
//! `wire`).

mod chores;
pub mod harness;
#[cfg(unix)]
mod kill;
mod onward;
pub mod places;
#[cfg(unix)]
mod wire;
