//! Laws of the mapping: what must hold for every item, generated or found in the wild.

use proptest::test_runner::Config;

mod appointment;
mod calendar;
mod contact;
mod email;
mod task;

/// Properties are tried on `LIAISON_CASES` cases, else 500.
#[allow(clippy::disallowed_methods, reason = "a test is told its size by the environment")]
fn config() -> Config {
    let cases = std::env::var("LIAISON_CASES").ok().and_then(|cases| cases.parse().ok());
    Config { cases: cases.unwrap_or(500), failure_persistence: None, ..Config::default() }
}
