//! Any bytes read as `Format::Npy`, with any options, end in data or in an error.
#![no_main]

mod drawn;

use ancestral_data::{Format, parse};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (options, bytes) = drawn::options(bytes);
    let _ = parse(Format::Npy, bytes, "fuzz", &options);
});
