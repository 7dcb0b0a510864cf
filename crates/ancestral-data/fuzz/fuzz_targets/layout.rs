//! Any folder of files with the names that layouts have, with any options, ends in data or in an error.
#![no_main]

mod drawn;

/// Names that layouts look for; an input chooses some of them.
const NAMES: [&str; 16] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
    "set.train.data",
    "set.valid.data",
    "set.test.data",
    "set_train.amat",
    "set_valid.amat",
    "set_test.amat",
    "data_batch_1.bin",
    "test_batch.bin",
    "train.tar",
    "train/a/1.png",
    "test/b/2.png",
    "a/3.jpg",
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (options, mut bytes) = drawn::options(bytes);
    let folder = drawn::folder();
    // A byte for the name, two for the length, then the content.
    while let Some((&[name, low, high], rest)) = bytes.split_first_chunk::<3>() {
        let length = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
        let path = folder.join(NAMES[usize::from(name) % NAMES.len()]);
        if let Some(parent) = path.parent() {
            let _ = std::fs::create_dir_all(parent);
        }
        let _ = std::fs::write(path, &rest[..length]);
        bytes = &rest[length..];
    }
    let _ = ancestral_data::open(&folder.display().to_string(), &options);
});
