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
    let cases: u32 = cases.unwrap_or(500);
    // Some laws speak of few of the generated items only.
    let max_global_rejects = cases.saturating_mul(20);
    Config { cases, max_global_rejects, failure_persistence: None, ..Config::default() }
}
