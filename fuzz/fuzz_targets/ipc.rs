#![no_main]

use liaison_fuzz::{mutate, targets::files};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|bytes: &[u8]| files::ipc(bytes));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate("ipc", data, size, max_size, seed)
});
