//! Any bytes read as `Format::Image` end in data or in an error.
#![no_main]

use ancestral_data::{Format, OpenOptions, parse};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = parse(Format::Image, bytes, "fuzz", &OpenOptions::default());
});
