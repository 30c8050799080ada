//! The one test binary: it links once, and `architecture` finds every file that was forgotten here.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::similar_names,
    clippy::string_slice,
    clippy::needless_for_each,
    clippy::assigning_clones,
    clippy::unused_self,
    clippy::too_many_lines,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and says so"
)]

mod architecture;
mod cli;
mod connector;
mod corpus;
mod crash;
mod daemon;
mod filters;
mod instances;
mod mapping;
mod offline;
mod planner;
mod scenario;
mod sending;
mod servers;
mod setup;
mod signin;
mod simulation;
mod support;
mod sync;
#[cfg(target_os = "linux")]
mod tray;
mod year;
