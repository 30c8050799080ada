//! `liaison`: the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    liaison::cli::run()
}
