#![no_main]

use liaison_fuzz::{mutate, targets::rows};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|bytes: &[u8]| rows::batch(bytes));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate("batch", data, size, max_size, seed)
});
