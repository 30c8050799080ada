//! What the fuzzers run, each by a file of its own in `fuzz_targets`. The same functions replay what was found, in `tests/corpus`.

pub mod targets;

use libfuzzer_sys::fuzzer_mutate;
use targets::grammar::{self, Dice};

/// A new input: mostly what libFuzzer makes of the old one; sometimes a line of the format's grammar in it, and now and then one
/// that is made whole, since blind changes hardly ever nest, balance or announce anything.
pub fn mutate(target: &str, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut dice = Dice::new(u64::from(seed) ^ ((size as u64) << 32));
    let made = match dice.below(12) {
        0 => grammar::input(target, &mut dice),
        1..4 => grammar::spliced(target, &data[..size], &mut dice),
        _ => return fuzzer_mutate(data, size, max_size),
    };
    let length = made.len().min(max_size);
    data[..length].copy_from_slice(&made[..length]);
    length
}
