//! Options that the first bytes of an input choose, so that options are fuzzed too; and folders that
//! the rest of it describes.
#![allow(dead_code, reason = "every target uses a part of it")]

use std::path::PathBuf;

use ancestral_data::{Background, OpenOptions};

/// How many bytes choose the options.
const CHOICES: usize = 4;

/// The options, and the bytes behind those that choose them; an input of zeros has the default ones.
pub(crate) fn options(bytes: &[u8]) -> (OpenOptions, &[u8]) {
    let Some((&[flags, size, fold, shape], rest)) = bytes.split_first_chunk::<CHOICES>() else {
        return (OpenOptions::default(), bytes);
    };
    let has = |bit: u8| flags >> bit & 1 == 1;
    let side = |nibble: u8| usize::from(nibble & 15) + 1;
    let options = OpenOptions {
        resize: (size > 0).then(|| (side(size), side(size >> 4))),
        gray: has(0),
        background: has(1).then_some(if has(2) { Background::White } else { Background::Black }),
        all_train: has(3),
        whole: has(4),
        real: has(5),
        levels: has(6).then(|| u32::from(fold)),
        fold: (fold > 0 && has(7)).then(|| u32::from(fold) - 1),
        image_shape: (shape > 0).then(|| [1 + usize::from(shape & 2), side(shape), side(shape >> 4)]),
        ..OpenOptions::default()
    };
    (options, rest)
}

/// A new, empty folder of this process.
pub(crate) fn folder() -> PathBuf {
    let path = std::env::temp_dir().join(format!("ancestral-fuzz-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("a folder for the input");
    path
}
