//! The one test binary: it links once, and `architecture` finds every file that was forgotten here.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::too_many_lines,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and says so"
)]

mod architecture;
mod cli;
mod connector;
mod crash;
mod mapping;
mod planner;
mod scenario;
mod support;
mod sync;
