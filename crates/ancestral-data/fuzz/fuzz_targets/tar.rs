//! Any bytes read as `Format::Tar` end in data or in an error.
#![no_main]

use ancestral_data::{Format, OpenOptions, parse};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = parse(Format::Tar, bytes, "fuzz", &OpenOptions::default());
});
